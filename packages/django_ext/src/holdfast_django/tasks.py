"""Tasks of `django.tasks` (Django 6.0 and later): each is a piece of work, and its failure is handled once.

A task that runs at once belongs to the work that enqueued it, and shares its id. One that a worker
runs, elsewhere and later, has its own id for that: the one that its enqueuer was given.
"""

import importlib
import sys
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar, Token
from functools import wraps
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Protocol, cast

from holdfast.classify import is_control_flow
from holdfast.codes import ErrorCode
from holdfast.complaints import complain
from holdfast.context import WorkContext, begin, current_context, end
from holdfast.errors import AppError
from holdfast.hooks import bridge
from holdfast.origin import Origin
from holdfast.record import text_of
from holdfast_django.current import TASK_BOUNDARY, project_runtime

if TYPE_CHECKING:
    from django.dispatch import Signal

_UID: Final = "holdfast_django"
_FAILED: Final = "FAILED"


class _Task(Protocol):
    module_path: str
    queue_name: str


class _TaskError(Protocol):
    exception_class_path: str
    traceback: str


class _TaskResult(Protocol):
    id: str
    task: _Task
    status: str
    errors: list[_TaskError]


_Receiver = Callable[[_TaskResult], None]

_enqueued: ContextVar[str] = ContextVar("holdfast_enqueued_task", default="")
"""Id of the task that this thread or coroutine has just enqueued; it may run at once."""
_running: dict[str, Token[WorkContext | None]] = {}


def watch_tasks() -> None:
    """Listen to the signals of tasks, where this Django has any; once however often this is called."""
    if find_spec("django.tasks") is None:
        return
    signals = importlib.import_module("django.tasks.signals")
    for name, receive in (
        ("task_enqueued", _on_enqueued),
        ("task_started", _on_started),
        ("task_finished", _on_finished),
    ):
        signal = cast("Signal", getattr(signals, name))
        signal.connect(_harmless(receive), weak=False, dispatch_uid=_UID)
    # Its line about a failure is written before we are asked.
    bridge.hook.ignore("django.tasks")


def _harmless(receive: _Receiver) -> Callable[..., None]:
    """Keep what a receiver raises from whoever enqueued the task, who would get it."""

    @wraps(receive)
    def receiver(*, task_result: _TaskResult, **_: object) -> None:
        try:
            receive(task_result)
        except Exception as failure:  # noqa: BLE001  # observation never hurts
            complain(f"a task's signal raised {type(failure).__name__}")

    return receiver


def _on_enqueued(result: _TaskResult) -> None:
    _enqueued.set(result.id)


def _on_started(result: _TaskResult) -> None:
    project_runtime().statistics.request()
    work = current_context()
    if work is not None and _enqueued.get() == result.id:
        _running[result.id] = begin(work.traceparent, work.trace_id, TASK_BOUNDARY)
    else:
        _running[result.id] = begin(request_id=result.id, boundary=TASK_BOUNDARY)


def _on_finished(result: _TaskResult) -> None:
    token = _running.pop(result.id, None)
    try:
        if result.status == _FAILED:
            project_runtime().handle(_error_behind(result), _origin_of(result))
    finally:
        if token is not None:
            with suppress(ValueError):  # a backend may finish a task elsewhere than it began
                end(token)


def _error_behind(result: _TaskResult) -> BaseException:
    """Return the exception, while it is being handled; else what the result says of it."""
    error = sys.exception()
    if error is None:
        said = result.errors[-1].exception_class_path if result.errors else "nothing"
        return AppError(ErrorCode.UNEXPLAINED_FAILURE, f"the task failed; its result says: {said}")
    if not is_control_flow(error):
        return error
    said = f"the task ended by {type(error).__name__}: {text_of(error)}"
    found = AppError(ErrorCode.UNEXPLAINED_FAILURE, said)
    found.__context__ = error.__context__
    return found.with_traceback(error.__traceback__)


def _origin_of(result: _TaskResult) -> Origin:
    told = {"task": result.id, "queue": result.task.queue_name}
    return Origin(boundary=TASK_BOUNDARY, operation=result.task.module_path, attributes=told)
