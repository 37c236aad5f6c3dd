"""The Celery application under test: its tasks fail in every way there is.

Told by its environment: `HOLDFAST_TEST_BROKER`, `HOLDFAST_TEST_BACKEND`, `HOLDFAST_TEST_QUEUE`.
"""

import asyncio
import os
import signal
import threading
from datetime import UTC, datetime
from typing import Any, ClassVar, NoReturn

from celery import Celery, Task, bootsteps, signals
from celery.beat import Scheduler
from celery.exceptions import Ignore, Reject
from celery.schedules import schedule

from holdfast import AppError, ErrorCode, configure, environment
from holdfast.clock import SystemClock
from holdfast.codes import Severity
from holdfast.events import Event, Scalar
from holdfast.integrations.celery import instrument

AnyTask = Task[..., object]
SHORT: Any = 0.3  # the stubs know whole seconds only


class Crash(bootsteps.StartStopStep):
    """A part of the worker that breaks when it starts."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, parent: object) -> NoReturn:
        """Break the worker."""
        raise RuntimeError("the step is broken")


class Incalculable(schedule):
    """Never knows when it is due."""

    def is_due(self, last_run_at: object) -> NoReturn:
        """Raise."""
        raise LookupError("the schedule is broken")


class BrokenScheduler(Scheduler):
    """Breaks beat's loop."""

    def tick(self, *_: object, **__: object) -> NoReturn:
        """Raise."""
        raise RuntimeError("the loop is broken")


if "HOLDFAST_TEST_BARE" not in os.environ:
    configure(service="celery-test", reporters=["tests.paths.filing:reporter"]).install()

app = Celery(
    "celery-test",
    broker=os.environ["HOLDFAST_TEST_BROKER"],
    backend=os.environ["HOLDFAST_TEST_BACKEND"],
)
if "HOLDFAST_TEST_BARE" not in os.environ:
    instrument(app, storm_retries=20, storm_window=3600)
app.conf.update(
    task_default_queue=os.environ["HOLDFAST_TEST_QUEUE"],
    task_acks_late=False,
    worker_lost_wait=0.5,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    result_expires=60,
)

if "spawn" in os.environ:
    app.conf.update(worker_pool_start_method="spawn", worker_proc_alive_timeout=30)
if "crash" in os.environ:
    app.steps["consumer"].add(Crash)
ENTRIES: dict[str, dict[str, object]] = {
    "unsendable": {
        "schedule": schedule(3600),
        "args": (object(),),
        "last_run_at": datetime(2024, 1, 15, tzinfo=UTC),  # so that it is due at once
    },
    "incalculable": {"schedule": Incalculable(3600)},
    "due": {"schedule": schedule(3600), "last_run_at": datetime(2024, 1, 15, tzinfo=UTC)},
}
app.conf.beat_schedule = {
    name: {"task": "raises", **entry} for name, entry in ENTRIES.items() if name in os.environ
}


@signals.worker_ready.connect(weak=False)
def look_after_children(sender: Any, **_: object) -> None:  # noqa: ANN401  # a consumer, of which there is no stub
    """Look for dead children more often than every five seconds."""
    if sender.hub is not None:
        sender.hub.call_repeatedly(0.1, sender.pool.maintain_pool)


@signals.task_prerun.connect(weak=False)
def note_start(task_id: str, **_: object) -> None:
    """File that a task runs, so that a test may do something to it."""
    file("test.began", task_id=task_id)


@signals.task_postrun.connect(weak=False)
def note_end(task_id: str, state: str | None, **_: object) -> None:
    """File that a task ended, so that a test may wait for one that leaves no record."""
    file("test.ended", task_id=task_id, state=state)


def file(name: str, **facts: Scalar) -> None:
    """File an event of the test's own."""
    found = environment.found()
    if found is not None:
        now = SystemClock().now()
        found.emit(Event(name=name, severity=Severity.INFO, time=now, attributes=facts))


@app.task(name="raises")
def raises(text: str = "failed") -> NoReturn:
    """Raise."""
    raise ValueError(text)


@app.task(name="on-purpose")
def on_purpose() -> NoReturn:
    """Raise on purpose."""
    raise AppError(ErrorCode.DB_CONNECTION_ERROR, "No database")


@app.task(name="expected", throws=(KeyError,))
def expected() -> NoReturn:
    """Raise what the task is declared to throw."""
    raise KeyError("sku")


@app.task(name="ignore")
def ignore() -> NoReturn:
    """Leave no result."""
    raise Ignore


@app.task(name="reject")
def reject() -> NoReturn:
    """Give the message up."""
    try:
        raise ValueError("no such order")
    except ValueError as error:
        raise Reject(error, requeue=False) from error


@app.task(name="reject-once", bind=True, acks_late=True)
def reject_once(self: AnyTask) -> None:
    """Give the message back the first time."""
    if not (self.request.delivery_info or {}).get("redelivered"):
        raise Reject("not now", requeue=True)


@app.task(name="retry-once", bind=True)
def retry_once(self: AnyTask) -> None:
    """Succeed at the second attempt."""
    if self.request.retries == 0:
        raise self.retry(exc=ValueError("not yet"), countdown=0)


@app.task(name="retry-always", bind=True, max_retries=2)
def retry_always(self: AnyTask) -> NoReturn:
    """Fail at every attempt."""
    try:
        raise ValueError("never")
    except ValueError as error:
        raise self.retry(exc=error, countdown=0) from error


@app.task(name="autoretry", autoretry_for=(ValueError,), max_retries=2, default_retry_delay=0)
def autoretry() -> NoReturn:
    """Fail at every attempt, and leave the retries to Celery."""
    raise ValueError("never")


@app.task(name="retry-blindly", bind=True, max_retries=1)
def retry_blindly(self: AnyTask) -> NoReturn:
    """Ask for one more attempt than there may be, without an error."""
    raise self.retry(countdown=0)


@app.task(name="storm", bind=True, max_retries=30)
def storm(self: AnyTask) -> NoReturn:
    """Be tried again and again."""
    raise self.retry(exc=ValueError("never"), countdown=0)


@app.task(name="soft-limit", soft_time_limit=SHORT)
def soft_limit() -> None:
    """Take too long."""
    threading.Event().wait(20)


@app.task(name="hard-limit", time_limit=SHORT)
def hard_limit() -> None:
    """Take too long, without a warning."""
    threading.Event().wait(20)


@app.task(name="exit")
def exit_(code: int = 3) -> NoReturn:
    """End the process politely."""
    raise SystemExit(code)


@app.task(name="interrupt")
def interrupt() -> NoReturn:
    """End the process as a terminal would."""
    raise KeyboardInterrupt


@app.task(name="os-exit")
def os_exit(code: int = 7) -> NoReturn:
    """End the process at once."""
    os._exit(code)


@app.task(name="kill")
def kill(number: int = signal.SIGKILL) -> None:
    """Be killed."""
    os.kill(os.getpid(), number)
    threading.Event().wait(20)


@app.task(name="kill-redelivered", bind=True, acks_late=True, reject_on_worker_lost=True)
def kill_redelivered(self: AnyTask) -> None:
    """Be killed the first time, and go back to the queue."""
    if not (self.request.delivery_info or {}).get("redelivered"):
        os.kill(os.getpid(), signal.SIGKILL)


class UnpicklableError(Exception):
    """Cannot be sent to the parent."""

    def __init__(self, text: str, more: int) -> None:
        super().__init__(text)
        self.lock = threading.Lock()


@app.task(name="unpicklable")
def unpicklable() -> NoReturn:
    """Raise what stays in its process."""
    raise UnpicklableError("held", 1)


@app.task(name="unserialisable")
def unserialisable() -> object:
    """Return what no result can hold."""
    return object()


@app.task(name="arguments")
def arguments(one: int) -> int:
    """Take one argument."""
    return one


class RaisingHook(Task[Any, Any]):
    """Raises in one of its hooks."""

    abstract = True
    hook = ""

    def _raise(self, hook: str) -> None:
        if hook == self.hook:
            raise LookupError(f"{hook} is broken")

    def before_start(self, *_: object, **__: object) -> None:
        """Celery's."""
        self._raise("before_start")

    def on_failure(self, *_: object, **__: object) -> None:
        """Celery's."""
        self._raise("on_failure")

    def on_success(self, *_: object, **__: object) -> None:
        """Celery's."""
        self._raise("on_success")

    def after_return(self, *_: object, **__: object) -> None:
        """Celery's."""
        self._raise("after_return")


@app.task(name="before-start", base=RaisingHook, hook="before_start")
def before_start() -> None:
    """Is not reached."""


@app.task(name="on-failure", base=RaisingHook, hook="on_failure")
def on_failure() -> NoReturn:
    """Fail, and fail to tell."""
    raise ValueError("the original")


@app.task(name="on-success", base=RaisingHook, hook="on_success")
def on_success() -> None:
    """Succeed, and fail to tell."""


@app.task(name="after-return", base=RaisingHook, hook="after_return")
def after_return() -> None:
    """Succeed, and fail afterwards."""


@app.task(name="receiver")
def receiver() -> None:
    """Has a receiver that raises."""


@signals.task_success.connect(sender=receiver, weak=False)
def raise_in_receiver(**_: object) -> NoReturn:
    """Raise in a receiver of the project's own."""
    raise LookupError("the receiver is broken")


@app.task(name="thread")
def in_thread() -> None:
    """Raise in a thread, and succeed."""
    thread = threading.Thread(target=raises.run, args=("in a thread",), name="worker-1")
    thread.start()
    thread.join()


@app.task(name="errback")
def errback(*_: object) -> None:
    """Hear of a failure."""


@app.task(name="cancelled")
def cancelled() -> None:
    """End by a cancellation, as `asyncio.run` may."""

    async def cancel() -> None:
        raise asyncio.CancelledError

    asyncio.run(cancel())


class Unheard(Task[Any, Any]):
    """Tells nobody of its failure: a signal of Celery that has lost a receiver."""

    abstract = True
    _taken: ClassVar[list[tuple[object, object]]] = []

    def on_failure(self, *_: object, **__: object) -> None:
        """Take the receivers away."""
        signal: Any = signals.task_failure
        self._taken[:] = signal.receivers
        signal.receivers.clear()
        signal.sender_receivers_cache.clear()

    def after_return(self, *_: object, **__: object) -> None:
        """Put them back."""
        signal: Any = signals.task_failure
        signal.receivers[:] = self._taken
        signal.sender_receivers_cache.clear()


@app.task(name="unheard", base=Unheard)
def unheard() -> NoReturn:
    """Fail unheard."""
    raise ValueError("unheard")


@app.task(name="sleep")
def sleep(seconds: float = 20) -> None:
    """Take a while."""
    threading.Event().wait(seconds)
