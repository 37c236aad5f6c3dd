"""What ends a task is captured once, and Celery goes on as if nobody looked."""

import importlib
import inspect
import logging
import os
import pkgutil
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, NoReturn, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import environment
from holdfast.clock import SystemClock
from holdfast.codes import Severity
from holdfast.context import work_context
from holdfast.origin import Origin
from holdfast.testing import FakeClock, RecordingRuntime
from tests.integrations.conftest import need

need("celery")

import celery.worker  # noqa: E402
from billiard.exceptions import WorkerLostError  # noqa: E402  # not before it is known to be there
from celery import Celery, signals  # noqa: E402
from celery.exceptions import Reject  # noqa: E402
from celery.worker.consumer import consumer  # noqa: E402

from holdfast.integrations.celery import instrument, said, uninstrument  # noqa: E402
from holdfast.integrations.celery.delivery import BUDGET, PAUSE, Delivery  # noqa: E402
from holdfast.integrations.celery.lost import Loss, Losses  # noqa: E402
from holdfast.integrations.celery.outages import MAX_PLACES, QUIET, Outages  # noqa: E402
from holdfast.integrations.celery.shared import Told  # noqa: E402
from holdfast.integrations.celery.storms import Storms  # noqa: E402


@pytest.fixture
def runtime() -> Iterator[RecordingRuntime]:
    """Make a runtime the one that is responsible."""
    made = RecordingRuntime()
    with environment.activated(made):
        yield made


@pytest.fixture
def app() -> Iterator[Celery]:
    """Make an instrumented application that needs no broker."""
    made = instrument(Celery("shop", broker="memory://", set_as_current=False))
    yield made
    uninstrument(made)


def told(runtime: RecordingRuntime) -> list[tuple[str, str, str]]:
    """Return boundary, operation and type of each error that was handled."""
    return [
        (record.origin.boundary, record.origin.operation, record.type)
        for record in runtime.recorded.records
    ]


def fails(app: Celery, **options: Any) -> Any:  # noqa: ANN401  # a task takes any options
    """Register a task that raises."""

    def pay() -> NoReturn:
        raise ValueError("no money")

    register = cast("Callable[[object], object]", app.task(name="pay", shared=False, **options))
    return register(pay)


def receivers() -> list[int]:
    """Return how many receivers each signal has."""
    return [len(getattr(signals, name).receivers) for name in signals.__all__]


def test_instrumenting_twice_is_instrumenting_once(app: Celery) -> None:
    """The application comes back, and a second call adds no receiver and no listener."""
    before = receivers(), [len(logging.getLogger(name).filters) for name in said.WORKER_LOGGERS]

    assert instrument(app) is app

    after = receivers(), [len(logging.getLogger(name).filters) for name in said.WORKER_LOGGERS]
    assert before == after


def test_the_last_application_that_is_left_alone_takes_every_receiver_along() -> None:
    """Nothing stays of an application that is no longer instrumented."""
    before = receivers()
    one = instrument(Celery("one", set_as_current=False))
    two = instrument(Celery("two", set_as_current=False))

    uninstrument(one)
    listened = receivers()
    uninstrument(two)
    uninstrument(two)

    assert listened != before == receivers()
    assert not any(logging.getLogger(name).filters for name in said.WORKER_LOGGERS)


def test_the_bridge_leaves_celerys_loggers_only_as_long_as_they_are_read(
    runtime: RecordingRuntime,
) -> None:
    """An error in Celery's log is the bridge's again when no application is instrumented."""
    uninstrument(instrument(Celery("shop", set_as_current=False)))
    runtime.install()
    try:
        logging.getLogger("celery.worker").error("broken", exc_info=ValueError("at last"))
    finally:
        runtime.uninstall()

    assert told(runtime) == [("log", "celery.worker", "ValueError")]


def test_a_receiver_that_fails_is_celerys_no_concern(
    app: Celery, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """What our receivers raise goes to standard error, and neither to Celery's log nor to the task."""
    answers = signals.task_failure.send(object(), task_id="1", exception=ValueError())

    assert [answer for _, answer in answers] == [None]
    assert capsys.readouterr().err == "holdfast: a receiver raised AttributeError\n"
    assert caplog.records == []


@pytest.mark.parametrize(
    ("options", "wrong"),
    [({"storm_retries": 0}, "storm_retries"), ({"storm_window": 0.0}, "storm_window")],
)
def test_a_storm_that_cannot_be_is_refused(options: dict[str, Any], wrong: str) -> None:
    """A limit of no retries or a window of no length is refused by name, and nothing listens."""
    before = receivers()

    with pytest.raises(ValueError, match=wrong):
        instrument(Celery("shop", set_as_current=False), **options)

    assert receivers() == before


def test_an_eager_failure_is_one_record_however_often_it_is_seen(
    app: Celery, runtime: RecordingRuntime
) -> None:
    """A task called eagerly leaves one record, and its caller who gets the same error adds none."""
    pay = fails(app)

    with work_context("request-1"):
        result = pay.apply()
        with pytest.raises(ValueError, match="no money") as caught:
            result.get()
        runtime.handle(caught.value, Origin(boundary="django.request"))

    assert told(runtime) == [("celery.task", "pay", "ValueError")]
    assert runtime.recorded.records[0].trace_id == "request-1"


def test_an_eager_failure_that_is_raised_is_its_callers(
    app: Celery, runtime: RecordingRuntime
) -> None:
    """A task called eagerly that raises leaves the error to the boundary of whoever called it."""
    pay = fails(app)

    with work_context("request-1"), pytest.raises(ValueError, match="no money") as caught:
        pay.apply(throw=True)
    assert told(runtime) == []

    runtime.handle(caught.value, Origin(boundary="django.request", operation="POST /pay"))

    assert told(runtime) == [("django.request", "POST /pay", "ValueError")]


def test_a_failing_task_without_a_runtime_fails_as_ever(app: Celery) -> None:
    """Without a runtime nobody is told, and the task's result is what it would be."""
    result = fails(app).apply()

    assert (result.state, repr(result.result)) == ("FAILURE", "ValueError('no money')")
    assert environment.found() is None


def test_the_tasks_of_another_application_are_heard_of_by_its_log(
    app: Celery, runtime: RecordingRuntime
) -> None:
    """Of two applications in a process the one that is not instrumented leaves what it logs."""
    fails(Celery("other", set_as_current=False)).apply()
    fails(app).apply()

    assert told(runtime) == [
        ("log", "celery.app.trace", "ValueError"),
        ("celery.task", "pay", "ValueError"),
    ]


def test_a_declared_error_is_an_event_and_no_record(app: Celery, runtime: RecordingRuntime) -> None:
    """An error that the task's `throws` names is told as an event of severity INFO."""
    fails(app, throws=(ValueError,)).apply()

    assert told(runtime) == []
    (event,) = runtime.recorded.events
    assert (event.name, event.severity) == ("task.failed_as_expected", Severity.INFO)
    assert event.attributes["task"] == "pay"
    assert event.attributes["error_type"] == "ValueError"


def test_only_the_last_attempt_is_an_error(app: Celery, runtime: RecordingRuntime) -> None:
    """Each attempt that is followed by another is an event, the last one the only record."""

    @app.task(name="pay", shared=False, bind=True, max_retries=3)
    def pay(self: Any) -> NoReturn:  # noqa: ANN401  # a bound task
        raise self.retry(exc=ValueError("no money"), countdown=0)

    pay.apply()

    assert told(runtime) == [("celery.task", "pay", "ValueError")]
    retried = [event for event in runtime.recorded.events if event.name == "task.retried"]
    assert [event.attributes["retries"] for event in retried] == [0, 1, 2]
    assert {event.attributes["error_type"] for event in retried} == {"ValueError"}


def test_a_storm_of_retries_is_told_once(runtime: RecordingRuntime) -> None:
    """More retries than may be within a window leave one warning."""
    app = instrument(Celery("shop", set_as_current=False), storm_retries=2, storm_window=1e9)

    @app.task(name="pay", shared=False, bind=True, max_retries=9)
    def pay(self: Any) -> NoReturn:  # noqa: ANN401  # a bound task
        raise self.retry(countdown=0)

    pay.apply()
    uninstrument(app)

    (storm,) = [event for event in runtime.recorded.events if event.name == "task.retry_storm"]
    assert storm.severity is Severity.WARNING
    assert dict(storm.attributes) == {
        "task": "pay",
        "retries": 3,
        "window": 1e9,
        "trace_id": storm.attributes["trace_id"],
    }


def test_a_rejected_message_is_a_record_only_when_it_is_given_up(
    app: Celery, runtime: RecordingRuntime
) -> None:
    """`Reject` is an error unless the message goes back to its queue."""

    @app.task(name="pay", shared=False)
    def pay(requeue: bool) -> NoReturn:  # noqa: FBT001  # what is rejected how
        raise Reject("no money", requeue=requeue)

    pay.apply((True,))
    pay.apply((False,))

    assert told(runtime) == [("celery.task", "pay", "celery.exceptions.Reject")]


def test_a_failure_without_an_error_is_unexplained(app: Celery, runtime: RecordingRuntime) -> None:
    """A task that ends as failed and shows no error leaves a record that says so."""
    pay = fails(app)

    pay.push_request(id="1", is_eager=False)
    signals.task_postrun.send(pay, task_id="1", task=pay, retval=None, state="FAILURE")
    signals.task_postrun.send(pay, task_id="1", task=pay, retval=None, state=None)
    pay.pop_request()

    codes = [record.classification.code for record in runtime.recorded.records]
    assert codes == ["UNEXPLAINED_FAILURE", "UNEXPLAINED_FAILURE"]


class UnpicklableError(Exception):
    """Cannot be sent to a parent."""

    def __init__(self, text: str, more: int) -> None:
        super().__init__(text)
        self.more = more


def test_what_cannot_be_pickled_is_recorded_as_what_it_is(
    app: Celery, runtime: RecordingRuntime
) -> None:
    """The record is of the error that was raised, whatever Celery reports in its place."""

    @app.task(name="pay", shared=False)
    def pay() -> NoReturn:
        raise UnpicklableError("no money", 1)

    pay.apply()

    (record,) = runtime.recorded.records
    assert (record.type.rpartition(".")[2], record.message) == ("UnpicklableError", "no money")
    assert record.frames[-1].function.endswith("pay")


def test_a_failure_is_delivered_before_the_task_is_over(
    app: Celery, runtime: RecordingRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever may be killed next delivers what it captured while the task's end is being signalled."""
    recorded: list[int] = []

    def deliver(_: Delivery) -> bool:
        recorded.append(len(runtime.recorded.records))
        return True

    monkeypatch.setattr(Delivery, "deliver", deliver)
    fails(app).apply()

    assert recorded[0] == 1


@given(st.integers(1, 5), st.lists(st.sampled_from(["retry", "wait"]), max_size=60))
def test_each_window_has_its_storm_at_most_once(most: int, steps: list[str]) -> None:
    """However retries fall, a window tells of one storm exactly when it had more than it may."""
    clock = FakeClock()
    storms = Storms(most, 10.0, clock)
    windows: list[list[int]] = [[]]

    for step in steps:
        if step == "wait":
            clock.advance(10.0)
            windows.append([])
        else:
            windows[-1].append(storms.retried("pay"))

    for counts in windows:
        expected = [most + 1] if len(counts) > most else []
        assert [count for count in counts if count] == expected


def test_storms_of_different_tasks_are_counted_apart() -> None:
    """One task's retries are no other's."""
    storms = Storms(1, 10.0, FakeClock())

    assert [storms.retried(name) for name in ("a", "b", "a", "b", "a")] == [0, 0, 2, 2, 0]


def _in_child(work: Callable[[], object]) -> int:
    """Do something in a forked child; returns the child's process id when it has ended."""
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    os.waitpid(child, 0)
    return child


def test_a_parent_knows_what_its_child_noted_and_how_often_it_retried() -> None:
    """Notes and counts of a forked child are its parent's as well; a note is taken once."""
    notes, storms = Told(), Storms(2, 1e9, SystemClock())

    def run() -> None:
        notes.note("task-1", 7, "ValueError")
        storms.retried("pay")

    _in_child(run)

    assert storms.retried("pay") == 0
    assert storms.retried("pay") == 3
    assert not notes.take("task-2", 7, "ValueError")
    assert notes.take("task-1", 7, "ValueError")
    assert not notes.take("task-1", 7, "ValueError")


def test_an_outage_is_told_once_until_it_was_quiet() -> None:
    """Attempts that follow each other are one outage; after a time without any, the next begins."""
    clock = FakeClock()
    outages = Outages(clock)
    begun: list[bool] = []

    for pause in (0.0, 2.0, QUIET, QUIET, QUIET + 1):
        clock.advance(pause)
        begun.append(outages.begins("amqp://a"))

    assert begun == [True, False, False, False, True]
    assert outages.begins("amqp://b")


def test_places_that_are_away_do_not_pile_up() -> None:
    """No more addresses are remembered than there may be."""
    outages = Outages(FakeClock())

    assert all(outages.begins(str(place)) for place in range(MAX_PLACES + 1))
    assert outages.begins("0")
    assert not outages.begins(str(MAX_PLACES))


class _Flushed:
    """A runtime that says whether it delivered."""

    def __init__(self, *, succeeds: bool) -> None:
        self.succeeds = succeeds
        self.asked: list[float | None] = []

    def flush(self, timeout: float | None = None) -> bool:
        """Count that it was asked."""
        self.asked.append(timeout)
        return self.succeeds


def _delivery(monkeypatch: pytest.MonkeyPatch, owner: _Flushed, clock: FakeClock) -> Delivery:
    monkeypatch.setattr("holdfast.integrations.celery.delivery.responsible", lambda: owner)
    return Delivery(clock)


def test_a_child_delivers_at_once_and_a_parent_leaves_it_to_its_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only a child waits for delivery, within its budget; a pool without children has none."""
    owner = _Flushed(succeeds=True)
    delivery = _delivery(monkeypatch, owner, FakeClock())

    delivery.worker_began()
    delivery.child_began()  # as the solo pool says of itself
    assert delivery.deliver()
    assert owner.asked == []

    monkeypatch.setattr(os, "getpid", lambda: 1)
    delivery.child_began()
    assert delivery.deliver()
    assert owner.asked == [BUDGET]


def test_a_reporter_that_hangs_holds_up_one_task_and_not_every(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After waiting in vain nobody waits for a while."""
    owner, clock = _Flushed(succeeds=False), FakeClock()
    delivery = _delivery(monkeypatch, owner, clock)
    delivery.child_began()

    outcomes = [delivery.deliver(), delivery.deliver()]
    clock.advance(PAUSE)
    outcomes.append(delivery.deliver())

    assert outcomes == [False, False, False]
    assert len(owner.asked) == 2


class _Pool:
    """A pool as far as it is followed: what it tells of its children."""

    _state = 0

    def __init__(self) -> None:
        self.marked: list[int] = []
        self.dead: list[SimpleNamespace] = []
        self.lost: list[tuple[SimpleNamespace, int]] = []

    def register_with_event_loop(self, loop: object) -> None:
        """Be one that knows at once whose task a child had."""

    def process_flush_queues(self, child: SimpleNamespace) -> None:
        """Be called for each child that is found dead."""

    def mark_as_worker_lost(self, job: SimpleNamespace, exitcode: int) -> None:
        """Be called for each task whose child is dead."""
        self.marked.append(exitcode)

    def _join_exited_workers(self) -> list[int | None]:
        for child in self.dead:
            self.process_flush_queues(child)
        for job, exitcode in self.lost:
            self.mark_as_worker_lost(job, exitcode)
        return [child.exitcode for child in self.dead]


def _job(task_id: str, *pids: int) -> SimpleNamespace:
    return SimpleNamespace(correlation_id=task_id, worker_pids=lambda: list(pids))


def test_a_death_says_how_it_was_although_the_pool_has_forgotten() -> None:
    """The status of a child is the one it died with, not the one that the pool makes up."""
    losses: list[Loss] = []
    pool = _Pool()
    followed = Losses(losses.append, lambda pid, how: None)
    followed.watch(pool)
    followed.watch(pool)

    pool.process_flush_queues(SimpleNamespace(pid=7, exitcode=-9))
    pool.mark_as_worker_lost(_job("task-1", 7), 0)

    (loss,) = losses
    assert (loss.task_id, loss.how, pool.marked) == ("task-1", "signal 9 (SIGKILL)", [0])
    lie = WorkerLostError("Worker exited prematurely: exitcode 0 Job: 1.")
    truth = loss.true(lie)
    assert (str(truth), truth.__cause__) == ("Worker exited prematurely: signal 9 (SIGKILL).", lie)
    assert loss.true(truth) is truth


def test_a_death_without_a_task_is_told_unless_it_was_meant() -> None:
    """Children that end in order, are ended by the pool or are spoken for leave nothing; others do."""
    crashed: list[tuple[int, str]] = []
    losses: list[Loss] = []
    pool = _Pool()
    followed = Losses(losses.append, lambda pid, how: crashed.append((pid, how)))
    followed.watch(pool)
    followed.claim(5)

    pool.dead = [
        SimpleNamespace(pid=1, exitcode=0),
        SimpleNamespace(pid=2, exitcode=155),
        SimpleNamespace(pid=3, exitcode=-15, _controlled_termination=True),
        SimpleNamespace(pid=4, exitcode=-9),
        SimpleNamespace(pid=5, exitcode=-15),
        SimpleNamespace(pid=6, exitcode=-11),
    ]
    pool.lost = [(_job("task-1", 6), -11)]
    assert pool._join_exited_workers() == [0, 155, -15, -9, -15, -11]
    pool.dead, pool.lost = [], []
    pool._join_exited_workers()

    assert crashed == [(4, "signal 9 (SIGKILL)")]
    assert [loss.task_id for loss in losses] == ["task-1"]


class _Racing(_Pool):
    """Finds in one round that one child died and, while it looks after its tasks, another."""

    def __init__(self, *waiting: SimpleNamespace) -> None:
        super().__init__()
        self._cache = dict(enumerate(waiting))
        self.again: list[str] = []

    def on_partial_read(self, job: SimpleNamespace, child: SimpleNamespace) -> None:
        """Be called for a task that nobody has been heard to begin and whose child is dead."""
        child.outq._reader.said = False  # gone with the pipe
        self.again.append(job.correlation_id)


class _Reader:
    """The end of the pipe that the pool reads."""

    def __init__(self, *, said: bool) -> None:
        self.said = said

    def poll(self, timeout: float) -> bool:
        """Tell whether there is more to read."""
        return self.said


def _child(pid: int, exitcode: int, *, said: bool) -> SimpleNamespace:
    outq = SimpleNamespace(_reader=_Reader(said=said))
    return SimpleNamespace(pid=pid, exitcode=exitcode, outq=outq)


def _told(pool: _Racing, child: SimpleNamespace, claimed: int = 0) -> tuple[list[object], ...]:
    """Have the pool give up the pipe of a child, and find it dead in the next round."""
    losses: list[object] = []
    crashed: list[object] = []
    followed = Losses(
        lambda loss: losses.append((loss.task_id, loss.pid, loss.how)),
        lambda pid, how: crashed.append((pid, how)),
    )
    followed.watch(pool)
    followed.claim(claimed)
    pool.on_partial_read(_job("task-1"), child)
    pool.dead = [child]
    pool._join_exited_workers()
    return losses, crashed


def test_a_task_that_is_run_again_because_its_child_was_not_heard_has_the_death() -> None:
    """Two children die at once: the pool forgets that the second had begun a task, and we do not."""
    pool = _Racing(_job("task-1"))

    losses, crashed = _told(pool, _child(8, -9, said=True))

    assert losses == [("task-1", 8, "signal 9 (SIGKILL)")]
    assert crashed == []
    assert pool.again == ["task-1"]


def test_a_task_that_was_not_begun_has_no_death() -> None:
    """A child that said nothing more died without the task; one that ended in order did not die."""
    silent = _told(_Racing(_job("task-1")), _child(8, -9, said=False))
    orderly = _told(_Racing(_job("task-1")), _child(8, 155, said=True))

    assert silent == ([], [(8, "signal 9 (SIGKILL)")])
    assert orderly == ([], [])


def test_a_death_that_is_told_of_elsewhere_is_not_told_for_a_waiting_task() -> None:
    """The pool ended the child for its time limit, or will tell of the task that it was in."""
    limited = _told(_Racing(_job("task-1")), _child(8, -9, said=True), claimed=8)
    running = _told(_Racing(_job("task-0", 8), _job("task-1")), _child(8, -9, said=True))

    assert limited == ([], [])
    assert running == ([], [(8, "signal 9 (SIGKILL)")])  # for this pool tells of nothing more


def test_following_a_pool_does_not_break_it() -> None:
    """Whoever is told may fail: the pool's own methods do what they did, and raise what they raised."""

    class Broken(_Pool):
        def mark_as_worker_lost(self, job: SimpleNamespace, exitcode: int) -> None:
            raise KeyError("the pool's own")

    def fail(*_: object) -> NoReturn:
        raise LookupError("ours")

    pool, broken = _Pool(), Broken()
    followed = Losses(fail, fail)
    followed.watch(pool)
    followed.watch(broken)
    followed.watch(object())

    pool.dead = [SimpleNamespace(pid=4, exitcode=-9)]
    assert pool._join_exited_workers() == [-9]
    pool.mark_as_worker_lost(SimpleNamespace(), 1)
    assert pool.marked == [1]
    with pytest.raises(KeyError, match="the pool's own"):
        broken.mark_as_worker_lost(_job("task-1", 4), 1)


def test_what_celery_logs_is_recognised_by_its_words() -> None:
    """The beginnings of log messages that are told apart are those of this version of Celery."""
    names = ("UNKNOWN_TASK_ERROR", "INVALID_TASK_ERROR", "CONNECTION_ERROR")
    known = [str(getattr(consumer, name)) for name in names]
    others = ("celery.worker.request", "celery.worker.strategy", "celery.beat")
    sources = "".join(inspect.getsource(importlib.import_module(name)) for name in others)
    said_there = "\n".join((*known, sources))

    for words in (*said.SIGNALLED, *said.UNREACHABLE, said.BAD_TIME, said.NO_NEXT_RUN):
        assert words in said_there
    assert "Couldn't apply scheduled task {0.name}: {exc}" in sources


def test_loggers_that_are_read_are_celerys() -> None:
    """The loggers taken from the bridge are those that this version of Celery's worker and beat have."""
    modules = [
        importlib.import_module(found.name)
        for found in pkgutil.walk_packages(celery.worker.__path__, "celery.worker.")
    ]
    loggers = {module.logger.name for module in modules if hasattr(module, "logger")}

    assert loggers == set(said.WORKER_LOGGERS)
    assert importlib.import_module("celery.beat").logger.name == said.BEAT_LOGGER
    assert importlib.import_module("celery.app.trace").logger.name == said.TRACE


def test_reading_a_log_keeps_nothing_back_and_never_fails() -> None:
    """A record passes whatever becomes of it, and nothing below ERROR is read."""
    read: list[str] = []

    def reader(record: logging.LogRecord) -> NoReturn:
        read.append(record.levelname)
        raise LookupError("ours")

    listener = said.Listener(reader)
    made = [
        logging.LogRecord("celery", level, __file__, 1, "text", (), None)
        for level in (logging.WARNING, logging.ERROR)
    ]

    assert [listener.filter(record) for record in made] == [True, True]
    assert read == ["ERROR"]
