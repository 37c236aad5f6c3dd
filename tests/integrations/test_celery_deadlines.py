"""Tasks that are of use only within the deadline of whoever sends them."""

import math
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import pytest

from holdfast import environment
from holdfast.errors import DeadlineExceededError
from holdfast.resilience.deadline import deadline, remaining
from holdfast.testing import FakeClock, RecordingRuntime
from tests.integrations.conftest import need

need("celery")
from celery import Celery, signals  # noqa: E402  # needed above
from celery.app.trace import build_tracer  # noqa: E402

from holdfast.integrations.celery.tasks import ResilientTask  # noqa: E402

if TYPE_CHECKING:
    App: TypeAlias = Celery[ResilientTask]


@pytest.fixture
def clock() -> Generator[FakeClock]:
    """Give the clock of a runtime that is the current one."""
    runtime = RecordingRuntime()
    with environment.activated(runtime):
        yield cast("FakeClock", runtime.clock)


@pytest.fixture
def app() -> "Generator[App]":
    """Give an application whose messages stay in memory."""
    made = Celery(
        "deadlines",
        broker="memory://",
        backend="cache+memory://",
        set_as_current=False,
        fixups=[],
        task_cls=ResilientTask,
    )
    yield made
    made.close()


def task_of(app: "App", body: Callable[[], object], **options: object) -> ResilientTask:
    """Return a task that is of use only within a deadline, unless it says otherwise."""
    given = {"within_deadline": True, "shared": False, "name": "deadlines.task", **options}

    def working() -> None:
        body()

    return cast("ResilientTask", cast("Any", app).task(**given)(working))


@contextmanager
def sent() -> Generator[list[dict[str, Any]]]:
    """Keep the headers of the messages that a block sends."""
    kept: list[dict[str, Any]] = []

    def keep(headers: dict[str, Any], **_: object) -> None:
        kept.append(headers)

    signals.before_task_publish.connect(keep, weak=False)
    try:
        yield kept
    finally:
        signals.before_task_publish.disconnect(keep)


def expiry(headers: dict[str, Any]) -> datetime | None:
    """Return when a message expires."""
    text = cast("str | None", headers["expires"])
    return None if text is None else datetime.fromisoformat(text)


def run(task: ResilientTask, **request: object) -> None:
    """Run a task as a worker's child does."""
    tracer = build_tracer(task.name, task, app=task.app)
    tracer("7d1c", [], {}, {"id": "7d1c", "task": task.name, **request})


def test_a_task_expires_at_the_deadline_of_who_sends_it(app: "App", clock: FakeClock) -> None:
    """The wall time travels, as Celery's own `expires`."""
    task = task_of(app, int, clock=clock)

    with sent() as messages, deadline(5.0):
        task.delay()

    assert expiry(messages[0]) == clock.now() + timedelta(seconds=5)


@pytest.mark.parametrize(
    ("given", "seconds"), [(2, 2), (9, 5), (timedelta(seconds=9), 5), (timedelta(seconds=2), 2)]
)
def test_the_earlier_of_two_moments_holds(
    given: int | timedelta, seconds: int, app: "App", clock: FakeClock
) -> None:
    """What the caller says of `expires` is never made later, nor the deadline."""
    task = task_of(app, int, clock=clock)
    told = given if isinstance(given, int) else clock.now() + given

    with sent() as messages, deadline(5.0):
        task.apply_async(expires=told)

    found = expiry(messages[0])
    if isinstance(given, int) and given < 5:
        assert found is not None  # counted by Celery's own clock
    else:
        assert found == clock.now() + timedelta(seconds=seconds)


def test_other_tasks_outlive_the_request_that_sends_them(app: "App", clock: FakeClock) -> None:
    """A mail is not lost because the request that asked for it had two seconds."""
    task = task_of(app, int, clock=clock, within_deadline=False)

    with sent() as messages, deadline(2.0):
        task.delay()

    assert expiry(messages[0]) is None


def test_without_a_deadline_a_task_does_not_expire(app: "App", clock: FakeClock) -> None:
    """Nothing is made up."""
    task = task_of(app, int, clock=clock)

    with sent() as messages:
        task.delay()

    assert expiry(messages[0]) is None


def test_a_task_is_not_sent_when_no_time_is_left(app: "App", clock: FakeClock) -> None:
    """Nobody would use what it does."""
    task = task_of(app, int, clock=clock)

    with sent() as messages, deadline(2.0):
        clock.advance(2.0)
        with pytest.raises(DeadlineExceededError):
            task.delay()

    assert messages == []


def test_a_task_sees_the_time_that_is_left(app: "App", clock: FakeClock) -> None:
    """What it calls is bounded as in the process that sent it."""
    seen: list[float] = []
    task = task_of(app, lambda: seen.append(remaining()), clock=clock)

    run(task, expires=(clock.now() + timedelta(seconds=3)).isoformat())
    run(task)

    assert seen == [3.0, math.inf]
    assert remaining() == math.inf


def test_a_task_that_comes_too_late_fails_without_being_run(app: "App", clock: FakeClock) -> None:
    """A worker revokes it; should it expire after that, its error says what happened."""
    ran: list[int] = []
    failures: list[BaseException] = []

    def failed(exception: BaseException, **_: object) -> None:
        failures.append(exception)

    task = task_of(app, lambda: ran.append(1), clock=clock)
    signals.task_failure.connect(failed)
    try:
        run(task, expires=clock.now().isoformat())
    finally:
        signals.task_failure.disconnect(failed)

    assert ran == []
    assert [type(failure) for failure in failures] == [DeadlineExceededError]
