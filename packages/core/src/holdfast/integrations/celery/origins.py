"""Where in a Celery system an error came up, in which piece of work, and who is told of it."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, cast

from holdfast import context
from holdfast.classify import is_control_flow
from holdfast.clock import Clock, SystemClock
from holdfast.codes import ErrorCode, Severity
from holdfast.context import current_context, current_trace_id
from holdfast.errors import AppError
from holdfast.events import Event, Scalar
from holdfast.handler import Verdict
from holdfast.hooks.process import capture, responsible
from holdfast.integrations.celery.propagation import Carrier, work_of
from holdfast.origin import Origin
from holdfast.redact import JsonValue

if TYPE_CHECKING:
    from celery.app.task import Task

TASK: Final = "celery.task"
WORKER: Final = "celery.worker"
BEAT: Final = "celery.beat"


def task_origin(task: "Task[..., object]", carrier: object, **further: JsonValue) -> Origin:
    """Return the origin of an error of a task.

    Args:
        task: Its name is the operation.
        carrier: The run's request: the worker's, or the task's own.
        further: Further attributes.
    """
    return Origin(
        boundary=TASK, operation=str(task.name), attributes={**attributes_of(carrier), **further}
    )


def attributes_of(carrier: object) -> dict[str, JsonValue]:
    """Return what a request says of the task's run: its id, the attempts before it, its queue."""
    facts: object = getattr(carrier, "request_dict", None)  # a worker's request
    if facts is None:
        facts = cast("object", carrier if isinstance(carrier, Mapping) else vars(carrier))
    if not isinstance(facts, Mapping):
        return {}
    said = cast("Mapping[str, object]", facts)
    delivery = said.get("delivery_info")
    queue = cast("Mapping[str, object]", delivery).get("routing_key") if delivery else None
    found = {"task_id": said.get("id"), "retries": said.get("retries"), "queue": queue}
    return {name: value for name, value in found.items() if isinstance(value, str | int)}


@contextmanager
def in_work_of(carrier: Carrier | None) -> Generator[None]:
    """Be in the piece of work that a task is, for a record made where it does not run.

    Where a piece of work is going on already, this is that.
    """
    if carrier is None or current_context() is not None:
        yield
        return
    token = context.resume(work_of(carrier))
    try:
        yield
    finally:
        context.end(token)


def capture_for(carrier: Carrier | None, error: BaseException, origin: Origin) -> Verdict | None:
    """Hand over an error as one of the work of a task; None when nobody is responsible."""
    with in_work_of(carrier):
        return capture(error, origin)


def capture_failure(
    task: "Task[..., object]", carrier: Carrier, error: BaseException, origin: Origin
) -> bool:
    """Hand over what made a task fail; False when nobody is responsible.

    A task may end as failed by what is no error, such as a cancellation: that it failed is one.
    """
    with in_work_of(carrier):
        verdict = capture(error, origin)
        if is_control_flow(error):
            verdict = capture(unexplained(task, error), origin)
    return verdict is not None


def unexplained(task: "Task[..., object]", behind: BaseException | None = None) -> AppError:
    """Return the error of a task that failed without one."""
    how = "and no error was seen" if behind is None else f"by {type(behind).__name__}"
    error = AppError(ErrorCode.UNEXPLAINED_FAILURE, f"Task {task.name} failed, {how}")
    error.__cause__ = behind
    return error


class Teller:
    """Emits events to the reporters of the runtime that is responsible, if there is one."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or SystemClock()

    def tell(self, name: str, severity: Severity, attributes: Mapping[str, Scalar]) -> None:
        """Emit an event, with the id of the present piece of work."""
        owner = responsible()
        if owner is not None:
            facts = {**attributes, "trace_id": current_trace_id()}
            owner.emit(Event(name=name, severity=severity, time=self.clock.now(), attributes=facts))
