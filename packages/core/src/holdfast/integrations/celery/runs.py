"""Runs of tasks, in the process that runs them: a child of the worker, or whoever calls eagerly."""

import os
import sys
from typing import TYPE_CHECKING, Final

from billiard import common
from celery import current_task, states
from celery.exceptions import Reject, Retry, WorkerLostError, WorkerShutdown, WorkerTerminate
from celery.utils.serialization import UnpickleableExceptionWrapper

from holdfast.codes import Severity
from holdfast.errors import MARK
from holdfast.integrations.celery.applications import Applications
from holdfast.integrations.celery.delivery import Delivery
from holdfast.integrations.celery.origins import (
    Teller,
    attributes_of,
    capture_failure,
    in_work_of,
    task_origin,
    unexplained,
)
from holdfast.integrations.celery.parents import Parents
from holdfast.integrations.celery.shared import Told
from holdfast.record import type_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from celery.app.task import Context, Task

    from holdfast.events import Scalar

_ENDS_WITHOUT_ERROR: Final = frozenset({states.SUCCESS, states.RETRY, states.IGNORED})
_PROCESS_ENDS: Final = SystemExit, KeyboardInterrupt


class TaskRuns:
    """Receivers of Celery's signals about a task's run.

    Args:
        apps: Whose tasks they are about.
        told: Where is noted what the parent of this process will hear of as well.
        parents: Takes what is not of a run in this process.
        delivery: Gets a record out of a child.
        teller: Emits the events.
    """

    def __init__(
        self,
        apps: Applications,
        told: Told,
        parents: Parents,
        delivery: Delivery,
        teller: Teller,
    ) -> None:
        self._apps = apps
        self._told = told
        self._parents = parents
        self._delivery = delivery
        self._teller = teller

    def failed(
        self, sender: "Task[..., object]", task_id: str, exception: BaseException, **_: object
    ) -> None:
        """Capture what made a task fail; its frames are gone as soon as the signal is over."""
        if sender.app not in self._apps:
            return
        if not _runs_here(task_id):
            self._parents.failed(sender, task_id, exception)
            return
        error = _original(exception, sys.exception())
        if _is_expected(sender, error):
            self._tell("task.failed_as_expected", sender, sender.request, error)
        else:
            self._capture(sender, error)

    def ended(
        self, sender: "Task[..., object]", task_id: str, retval: object, state: str, **_: object
    ) -> None:
        """Capture what ended a task without being its failure, and a failure that nobody captured."""
        if state in _ENDS_WITHOUT_ERROR or sender.app not in self._apps:
            return
        if state == states.REJECTED:
            if isinstance(retval, Reject) and not getattr(retval, "requeue", False):
                self._capture_for_parent(sender, task_id, retval)
        elif state == states.FAILURE:
            self._audit(sender, retval)
        elif not (sender.request.is_eager or _is_told_to_end(sys.exception())):
            self._broken_off(sender, task_id, sys.exception())

    def broken(
        self,
        sender: "Task[..., object]",
        task_id: str,
        exception: BaseException,
        request: "Mapping[str, object] | None" = None,
        **_: object,
    ) -> None:
        """Capture an error around a task: in one of its hooks, in a backend, in Celery."""
        carrier = request or {}
        if carrier.get("is_eager") or sender.app not in self._apps:
            return  # whoever called eagerly gets the exception
        if self._delivery.is_apart or MARK in exception.__dict__:
            return  # the parent's to tell, or captured when the run ended, a moment ago
        origin = task_origin(sender, carrier)
        if capture_failure(sender, carrier, exception, origin) and self._delivery.deliver():
            self._told.note(task_id, os.getpid(), type_name(type(exception)))

    def retried(
        self,
        sender: "Task[..., object]",
        request: "Context",
        reason: Retry | None = None,
        **_: object,
    ) -> None:
        """Tell of an attempt that will be made again: no error as long as there is a next one."""
        storms = self._apps.storms_of(sender.app)
        if storms is None:
            return
        if reason is None and self._parents.cancelled(sender, str(request.id)):
            return  # said to be tried again, which nobody will do
        self._parents.explained(str(request.id))
        with in_work_of(request):
            self._tell("task.retried", sender, request, getattr(reason, "exc", None))
            count = storms.retried(sender.name)
            if count:
                facts: dict[str, Scalar] = {
                    "task": sender.name,
                    "retries": count,
                    "window": storms.window,
                }
                self._teller.tell("task.retry_storm", Severity.WARNING, facts)

    def _capture(self, task: "Task[..., object]", error: BaseException) -> bool:
        """Capture a failure; False when it is not known to be delivered."""
        origin = task_origin(task, task.request)
        return capture_failure(task, task.request, error, origin) and self._delivery.deliver()

    def _capture_for_parent(
        self, task: "Task[..., object]", task_id: str, error: BaseException
    ) -> None:
        """Capture what the parent will hear of as well: should the record not get out, it tells."""
        if not self._delivery.is_apart and self._capture(task, error):
            self._told.note(task_id, os.getpid(), type_name(type(error)))

    def _audit(self, task: "Task[..., object]", retval: object) -> None:
        if not isinstance(retval, BaseException):
            self._capture(task, unexplained(task))
        elif not _is_expected(task, retval):
            self._capture(task, retval)  # in vain, if it was captured

    def _broken_off(
        self, task: "Task[..., object]", task_id: str, error: BaseException | None
    ) -> None:
        if error is None:
            self._capture(task, unexplained(task))
        else:
            seen = _lost(error) if isinstance(error, _PROCESS_ENDS) else error
            self._capture_for_parent(task, task_id, seen)

    def _tell(
        self,
        name: str,
        task: "Task[..., object]",
        request: "Context",
        error: BaseException | None,
    ) -> None:
        facts: dict[str, Scalar] = {"task": task.name}
        facts.update(
            (key, value)
            for key, value in attributes_of(request).items()
            if isinstance(value, str | int)
        )
        if error is not None:
            facts["error_type"] = type_name(type(error))
        self._teller.tell(name, Severity.INFO, facts)


def _runs_here(task_id: str) -> bool:
    return bool(current_task) and current_task.request.id == task_id


def _original(reported: BaseException, live: BaseException | None) -> BaseException:
    """Return what was raised; of what cannot be pickled Celery reports a stand-in or a parent class."""
    stands_in = isinstance(reported, UnpickleableExceptionWrapper)
    if live is not None and (stands_in or isinstance(live, type(reported))):
        return live
    return reported


def _is_expected(task: "Task[..., object]", error: BaseException) -> bool:
    return bool(task.throws) and isinstance(error, task.throws)


def _is_told_to_end(error: BaseException | None) -> bool:
    """Tell whether the process ends because it was told to: whoever told it knows about the task."""
    fired = getattr(common, "terminate_handler_fired", bool)
    return isinstance(error, WorkerShutdown | WorkerTerminate) or bool(fired())


def _lost(error: BaseException) -> WorkerLostError:
    """Return the error that Celery makes of a task that ends its process, with its cause."""
    code = f"({error.code!r})" if isinstance(error, SystemExit) else ""
    lost = WorkerLostError(f"The task ended its process by {type(error).__name__}{code}")
    lost.__cause__ = error
    return lost
