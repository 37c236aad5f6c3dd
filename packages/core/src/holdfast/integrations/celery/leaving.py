"""How a process of Celery leaves: a child of the pool after its task, any other worker as after SIGTERM.

This module's variables are global state, as Celery's signals are.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol, cast

from billiard.pool import EX_RECYCLE, Worker
from billiard.process import current_process
from celery import signals

from holdfast.hooks import leaving
from holdfast.hooks.leaving import departure

if TYPE_CHECKING:
    from celery.utils.dispatch import Signal

_UID: Final = "holdfast.leaving"


class Waiting(Protocol):
    """What a child of billiard's pool runs."""

    wait_for_job: Callable[[], object]
    """Called whenever it is free."""


class ChildWay:
    """Leaves a child of a prefork pool when its task is over and the parent has the result.

    The pool then starts another child, as it does for one that has had its share of tasks.

    Args:
        worker: What the child runs; it has not yet begun to wait for tasks.
    """

    brief = 5.0
    exit_code: int | None = EX_RECYCLE

    def __init__(self, worker: "Waiting") -> None:
        self._wait = worker.wait_for_job
        worker.wait_for_job = self._next

    def stop(self) -> bool:
        """Wait for no further task."""
        return True

    def is_stopping(self) -> bool:
        """Tell that nobody else stops a child in a way that it could know of."""
        return False

    def _next(self) -> object:
        departure.leave()
        return self._wait()


def connect() -> None:
    """Know how the processes of this worker are left; harmless when connected."""
    for signal, receiver in _receivers():
        signal.connect(receiver, weak=False, dispatch_uid=_UID)


def disconnect() -> None:
    """Undo `connect` for the processes that are started from now on; harmless when not connected."""
    for signal, receiver in _receivers():
        signal.disconnect(receiver, dispatch_uid=_UID)


def _receivers() -> "tuple[tuple[Signal, Callable[..., None]], ...]":
    return (
        (signals.worker_process_init, _child_begins),
        (signals.worker_process_shutdown, _child_ends),
        (signals.worker_shutting_down, _worker_ends),
    )


def _child_begins(**_: object) -> None:
    worker = cast("object", getattr(current_process(), "_target", None))
    if isinstance(worker, Worker) and hasattr(worker, "wait_for_job"):
        leaving.use(ChildWay(cast("Waiting", worker)))


def _child_ends(**_: object) -> None:
    if departure.departure() is not None:
        departure.close()


def _worker_ends(sig: str = "SIGTERM", **_: object) -> None:
    departure.terminated(sig)
