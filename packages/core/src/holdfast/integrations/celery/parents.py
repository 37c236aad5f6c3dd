"""The parent of a worker: it speaks for children that died, and of messages that no task runs for."""

import os
import weakref
from typing import TYPE_CHECKING, cast

from celery.exceptions import (
    InvalidTaskError,
    NotRegistered,
    TaskRevokedError,
    TimeLimitExceeded,
    WorkerLostError,
)

from holdfast.codes import ErrorCode
from holdfast.errors import AppError
from holdfast.hooks.process import capture
from holdfast.hooks.signals import signal_name
from holdfast.integrations.celery.applications import Applications
from holdfast.integrations.celery.lost import Loss, Losses
from holdfast.integrations.celery.origins import (
    WORKER,
    attributes_of,
    capture_failure,
    capture_for,
    task_origin,
)
from holdfast.integrations.celery.propagation import request_of
from holdfast.integrations.celery.shared import Told
from holdfast.origin import Origin
from holdfast.record import type_name

if TYPE_CHECKING:
    from celery.app.task import Context, Task
    from celery.worker.consumer import Consumer
    from celery.worker.request import Request
    from kombu.message import Message


class Parents:
    """Receivers of Celery's signals in the parent of a worker's pool.

    Args:
        apps: Whose tasks and messages they are about.
        told: What children have captured already.
    """

    def __init__(self, apps: Applications, told: Told) -> None:
        self._apps = apps
        self._told = told
        self._spoken: weakref.WeakKeyDictionary[Request, set[str]] = weakref.WeakKeyDictionary()
        self._losses = Losses(self._unexplained, self._crashed)

    def ready(self, sender: "Consumer", **_: object) -> None:
        """Follow the pool's children, and the messages that cannot be read."""
        if sender.app in self._apps:
            self._losses.watch(getattr(sender.pool, "_pool", None))
            self._follow_unreadable(sender)

    def failed(self, task: "Task[..., object]", task_id: str, error: BaseException) -> None:
        """Capture a failure that the parent tells of, unless the child did, or the parent before."""
        request = request_of(task_id)
        if isinstance(error, WorkerLostError | TimeLimitExceeded):
            self._losses.claim(_pid_of(request))
        loss = self._losses.current(task_id)
        further = {}
        if loss is not None and isinstance(error, WorkerLostError):
            loss.explained = True
            error, further = loss.true(error), {"ended_by": loss.how}
        if not self._is_told(task_id, request, type_name(type(error))):
            carrier = request or {"id": task_id}
            capture_failure(task, carrier, error, task_origin(task, carrier, **further))

    def explained(self, task_id: str) -> None:
        """Know that a task whose child died will be tried again."""
        loss = self._losses.current(task_id)
        if loss is not None:
            loss.explained = True

    def cancelled(self, task: "Task[..., object]", task_id: str) -> bool:
        """Capture that a worker which shuts down gave up a task, unless its message is delivered again."""
        request = request_of(task_id)
        if request is None or not request.acknowledged:
            return False
        error = WorkerLostError("The worker shut down while the task ran; nobody will run it again")
        capture_for(request, error, task_origin(task, request))
        return True

    def revoked(
        self,
        sender: "Task[..., object]",
        request: "Context",
        terminated: bool = False,  # noqa: FBT001, FBT002  # as the signal sends it
        signum: object = None,
        expired: bool = False,  # noqa: FBT001, FBT002  # as the signal sends it
        **_: object,
    ) -> None:
        """Capture that a task was given up: too late, or because somebody said so."""
        if sender.app not in self._apps:
            return
        reason = "expired" if expired else "terminated" if terminated else "revoked"
        further = {"signal": _name(signum)} if terminated else {}
        origin = task_origin(sender, request, **further)
        capture_for(request, TaskRevokedError(reason), origin)

    def unknown(self, sender: "Consumer", message: "Message", name: str, **_: object) -> None:
        """Capture that a message asks for a task which this worker does not have."""
        if sender.app in self._apps:
            capture_for(message.headers, NotRegistered(name), _origin(message, name))

    def rejected(
        self,
        sender: "Consumer",
        message: "Message",
        exc: BaseException | None = None,
        **_: object,
    ) -> None:
        """Capture that a message is no task's."""
        if sender.app in self._apps:
            error = exc or InvalidTaskError("The message is not that of a task")
            capture_for(message.headers, error, _origin(message))

    def _follow_unreadable(self, consumer: "Consumer") -> None:
        follow = consumer.on_decode_error

        def on_decode_error(message: "Message", exc: Exception) -> object:
            capture_for(message.headers, exc, _origin(message))
            return follow(message, exc)

        # On the consumer at hand: a signal there is none.
        setattr(consumer, "on_decode_error", on_decode_error)  # noqa: B010  # no assignment, to a method

    def _is_told(self, task_id: str, request: "Request | None", kind: str) -> bool:
        if self._told.take(task_id, _pid_of(request), kind):
            return True
        if request is None:
            return False
        spoken = self._spoken.setdefault(request, set())
        known = kind in spoken  # a hard limit is signalled twice
        spoken.add(kind)
        return known

    def _unexplained(self, loss: Loss) -> None:
        """Capture a death that became no failure: the task is run again, or was done."""
        request = request_of(loss.task_id)
        if request is None or request.task.app not in self._apps:
            return
        error = WorkerLostError(f"Worker exited prematurely: {loss.how}.")
        capture_for(request, error, task_origin(request.task, request, ended_by=loss.how))

    def _crashed(self, pid: int, how: str) -> None:
        """Capture the death of a child that had no task."""
        if self._apps:
            error = AppError(ErrorCode.PROCESS_CRASHED, f"A child of the worker died: {how}")
            origin = Origin(
                boundary=WORKER, operation="child", attributes={"pid": pid, "ended_by": how}
            )
            capture(error, origin)


def _pid_of(request: "Request | None") -> int:
    """Return the process that a task ran in, which for some pools is this one."""
    return int(getattr(request, "worker_pid", None) or os.getpid())


def _origin(message: "Message", operation: str = "") -> Origin:
    headers = cast("object", message.headers)
    # A stranger's message may have none.
    known = cast("dict[str, object]", headers) if isinstance(headers, dict) else {}
    facts = attributes_of({**known, "delivery_info": message.delivery_info})
    return Origin(
        boundary=WORKER, operation=operation or str(facts.get("queue", "")), attributes=facts
    )


def _name(signum: object) -> str:
    return signal_name(signum) if isinstance(signum, int) else str(signum)
