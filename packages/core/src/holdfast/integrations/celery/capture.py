"""Every error of a Celery system, handed over once; this module's variables are global state, as Celery's signals are."""

from typing import TYPE_CHECKING, Final

from celery import signals

from holdfast.clock import Clock, SystemClock
from holdfast.complaints import complain
from holdfast.integrations.celery import leaving, propagation
from holdfast.integrations.celery.applications import Applications
from holdfast.integrations.celery.delivery import Delivery
from holdfast.integrations.celery.origins import Teller
from holdfast.integrations.celery.parents import Parents
from holdfast.integrations.celery.runs import TaskRuns
from holdfast.integrations.celery.said import Said
from holdfast.integrations.celery.shared import Told
from holdfast.integrations.celery.storms import Storms

if TYPE_CHECKING:
    from collections.abc import Callable

    from celery import Celery
    from celery.utils.dispatch import Signal

STORM_RETRIES: Final = 100
STORM_WINDOW: Final = 60.0
_UID: Final = "holdfast.capture"


class Capture:
    """What listens to Celery in this process.

    Args:
        clock: Measures outages, storms and the time between deliveries.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or SystemClock()
        self.apps = Applications()
        told = Told()
        delivery = Delivery(self.clock)
        parents = Parents(self.apps, told)
        runs = TaskRuns(self.apps, told, parents, delivery, Teller(self.clock))
        self._said = Said(self.apps, self.clock)
        receivers: tuple[tuple[Signal, Callable[..., None]], ...] = (
            (signals.task_failure, runs.failed),
            (signals.task_internal_error, runs.broken),
            (signals.task_retry, runs.retried),
            (signals.task_postrun, runs.ended),
            (signals.task_revoked, parents.revoked),
            (signals.task_unknown, parents.unknown),
            (signals.task_rejected, parents.rejected),
            (signals.worker_ready, parents.ready),
            (signals.worker_init, delivery.worker_began),
            (signals.worker_process_init, delivery.child_began),
            (signals.worker_process_shutdown, delivery.process_ends),
            (signals.worker_shutdown, delivery.process_ends),
        )
        self._receivers = tuple((signal, _Quiet(receiver)) for signal, receiver in receivers)

    def connect(self) -> None:
        """Listen; harmless when listening."""
        for signal, receiver in self._receivers:
            signal.connect(receiver, weak=False, dispatch_uid=_UID)
        self._said.install()

    def disconnect(self) -> None:
        """Listen no more; harmless when not listening."""
        for signal, _ in self._receivers:
            signal.disconnect(dispatch_uid=_UID)
        self._said.uninstall()


class _Quiet:
    """A receiver that raises nothing: Celery would log it, and a soft time limit may end up here."""

    def __init__(self, receiver: "Callable[..., None]") -> None:
        self._receiver = receiver

    def __call__(self, **named: object) -> None:
        try:
            self._receiver(**named)
        except Exception as failure:  # noqa: BLE001  # observation never hurts
            complain(f"a receiver raised {type(failure).__name__}")


_capture: list[Capture] = []


def instrument(
    app: "Celery", *, storm_retries: int = STORM_RETRIES, storm_window: float = STORM_WINDOW
) -> "Celery":
    """Capture every error of an application's tasks, workers and beat, and carry its trace along.

    To be called where the application is made, in every process that has it: web, worker and beat.
    Errors go to the runtime of the process; without one nothing happens. Called again for the same
    application it changes nothing. Tasks, results, retries and log lines are what they were.

    Args:
        app: The application; others of the process are left alone.
        storm_retries: Retries of one task within `storm_window` that are no storm, counted over
            all children of one worker; at least 1.
        storm_window: Seconds, more than 0. A window in which there were more retries has one event
            `task.retry_storm`.

    Returns:
        The application.

    Raises:
        ValueError: When there can be no such storm.

    Example:
        >>> from celery import Celery
        >>> app = instrument(Celery("shop", broker="memory://"))
        >>> app.main
        'shop'
        >>> uninstrument(app)
    """
    made = Storms(storm_retries, storm_window, SystemClock())
    if not _capture:
        _capture.append(Capture())
    capture = _capture[0]
    capture.apps.add(app, made)
    capture.connect()
    leaving.connect()
    propagation.connect(app)  # after ours: a task's work is over when it has heard of the end
    return app


def uninstrument(app: "Celery") -> None:
    """Leave an application alone again; harmless when it was. What a pool tells meanwhile stays followed."""
    for capture in _capture:
        capture.apps.remove(app)
        if not capture.apps:
            capture.disconnect()
            leaving.disconnect()
            propagation.disconnect()
