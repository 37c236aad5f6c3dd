import math
import random
from collections.abc import Callable, Generator
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import environment
from holdfast.classify import Rule
from holdfast.codes import ErrorCode
from holdfast.errors import AppError, ServiceUnavailableError, ValidationError
from holdfast.testing import FakeClock, RecordingRuntime
from tests.integrations.conftest import need

need("celery")
from celery import Celery, signals, states  # noqa: E402  # needed above
from celery.app.trace import build_tracer  # noqa: E402
from celery.exceptions import (  # noqa: E402
    Ignore,
    MaxRetriesExceededError,
    Reject,
    Retry,
    SoftTimeLimitExceeded,
)
from kombu.exceptions import OperationalError  # noqa: E402

from holdfast.integrations.celery.tasks import ResilientTask, next_delay  # noqa: E402

if TYPE_CHECKING:
    App: TypeAlias = Celery[ResilientTask]

CLOCK = FakeClock()
Body = Callable[..., object]


class Unlucky(random.Random):
    """Draws half of what it could."""

    def random(self) -> float:
        """Return the middle."""
        return 0.5


def drawing(seed: int) -> random.Random:
    """Return chance that can be repeated."""
    return random.Random(seed)  # noqa: S311  # jitter is no secret


class Outcome:
    """What became of one run of a task."""

    def __init__(self) -> None:
        self.state = ""
        self.failures: list[BaseException] = []
        self.retries: list[Retry] = []
        self.sent: list[dict[str, Any]] = []

    @property
    def delays(self) -> list[float]:
        """Seconds after which the task is tried again."""
        return [cast("float", retry.when) for retry in self.retries]


@pytest.fixture
def app() -> "Generator[App]":
    """Give an application all of whose tasks are resilient, and whose messages stay in memory."""
    made = Celery(
        "test",
        broker="memory://",
        backend="cache+memory://",
        set_as_current=False,
        fixups=[],
        task_cls=ResilientTask,
    )
    yield made
    made.close()


def raising(app: "App", error: BaseException, **options: object) -> ResilientTask:
    """Return a task that fails, draws half of each delay, and tells the time of tests."""
    given = {"chance": Unlucky(), "clock": CLOCK, "shared": False, "name": "test.raising"}

    def failing(*_: object, **__: object) -> None:
        raise error

    return cast("ResilientTask", cast("Any", app).task(**{**given, **options})(failing))


def run(task: ResilientTask, /, *args: object, **request: object) -> Outcome:
    """Run a task as a worker's child does."""
    seen = Outcome()

    def failed(exception: BaseException, **_: object) -> None:
        seen.failures.append(exception)

    def retried(reason: Retry, **_: object) -> None:
        seen.retries.append(reason)

    def sent(headers: dict[str, Any], **_: object) -> None:
        seen.sent.append(headers)

    def ended(state: str, **_: object) -> None:
        seen.state = state

    listening = (
        (signals.task_failure, failed),
        (signals.task_retry, retried),
        (signals.before_task_publish, sent),
        (signals.task_postrun, ended),
    )
    for signal, receiver in listening:
        signal.connect(receiver, weak=False)
    try:
        tracer = build_tracer(task.name, task, app=task.app)
        tracer("7d1c", list(args), {}, {"id": "7d1c", "task": task.name, **request})
    finally:
        for signal, receiver in listening:
            signal.disconnect(receiver)
    return seen


# What is tried again -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError("no"),
        TimeoutError("slow"),
        ServiceUnavailableError("down"),
        OperationalError("the broker went away"),
        AppError(ErrorCode.CIRCUIT_OPEN, "open"),
        ExceptionGroup("both", [TimeoutError("slow"), ConnectionError("gone")]),
    ],
)
def test_a_transient_error_is_tried_again(app: "App", error: Exception) -> None:
    """What may help is sent once more, with its error as the reason."""
    outcome = run(raising(app, error))

    assert (outcome.state, len(outcome.sent)) == (states.RETRY, 1)
    assert outcome.sent[0]["retries"] == 1
    assert outcome.retries[0].exc is error
    assert outcome.failures == []


@pytest.mark.parametrize(
    "error",
    [
        TypeError("a programmer's"),
        AttributeError("another"),
        Exception("who knows"),
        ValidationError("a caller's"),
        AppError(ErrorCode.INTERNAL_ERROR, "ours"),
        MemoryError(),
        SoftTimeLimitExceeded(),
        ExceptionGroup("mixed", [TimeoutError("slow"), KeyError("a bug")]),
    ],
)
def test_an_error_that_another_attempt_would_meet_again_comes_out(
    app: "App", error: Exception
) -> None:
    """Programmers' errors, callers' mistakes and the task's own time limit are not tried again."""
    outcome = run(raising(app, error))

    assert outcome.sent == []
    assert outcome.failures == [error]


def test_an_error_in_throws_comes_out(app: "App") -> None:
    """What a task throws on purpose is its answer, transient or not."""
    error = TimeoutError("as expected")

    outcome = run(raising(app, error, throws=(TimeoutError,)))

    assert outcome.sent == []
    assert outcome.failures == [error]


@pytest.mark.parametrize(
    ("error", "state"), [(Ignore(), states.IGNORED), (Reject("no"), states.REJECTED)]
)
def test_control_flow_of_celery_passes(app: "App", error: Exception, state: str) -> None:
    """What tells Celery what to do tells it that, even when `retry_on` names everything."""
    outcome = run(raising(app, error, retry_on=(Exception,)))

    assert (outcome.state, outcome.sent, outcome.failures) == (state, [], [])


def test_an_exit_passes(app: "App") -> None:
    """An exit is no error that anything could help against."""
    with pytest.raises(SystemExit):
        run(raising(app, SystemExit(3), retry_on=(Exception,)))


def test_what_the_author_named_is_tried_again(app: "App") -> None:
    """The author of a task may know better than the classification."""
    error = LookupError("not there yet")

    outcome = run(raising(app, error, retry_on=(LookupError,)))

    assert outcome.retries[0].exc is error


def test_the_runtime_says_what_is_transient(app: "App") -> None:
    """A rule of the project's decides for tasks as for everything else."""
    rule = Rule(match=LookupError, code=ErrorCode.SERVICE_UNAVAILABLE)
    task = raising(app, LookupError("not there yet"))

    with environment.activated(RecordingRuntime(rules=[rule])):
        with_rule = run(task)
    without = run(task)

    assert (len(with_rule.sent), len(without.sent)) == (1, 0)


def test_a_rule_may_say_how_long_to_wait(app: "App") -> None:
    """The error that a rule translates to carries what the other side asked for."""

    def translated(_: BaseException) -> AppError:
        return AppError(ErrorCode.SERVICE_UNAVAILABLE, "busy", retry_after=30)

    rule = Rule(match=LookupError, translate=translated)
    with environment.activated(RecordingRuntime(rules=[rule])):
        outcome = run(raising(app, LookupError("later")))

    assert outcome.delays == [30.5]


def test_a_task_that_asks_to_be_tried_again_is_asked_nothing(app: "App") -> None:
    """`self.retry` means what it does in Celery, with the countdown it was given."""

    @app.task(bind=True, shared=False)
    def asking(self: ResilientTask) -> None:
        raise self.retry(countdown=7)

    outcome = run(asking)

    assert (outcome.state, outcome.delays) == (states.RETRY, [7])


def test_a_task_that_succeeds_returns_its_result(app: "App") -> None:
    """Success is what it was."""

    @app.task(shared=False)
    def adding(a: int, b: int) -> int:
        return a + b

    assert adding.apply((1, 2)).get() == 3
    assert adding(1, 2) == 3


# How often, and how late -------------------------------------------------------------------------


def test_delays_double_up_to_the_ceiling(app: "App") -> None:
    """Each attempt waits at most twice as long as the one before."""
    task = raising(app, TimeoutError(), max_retries=None, retry_base=2.0, retry_ceiling=10.0)

    delays = [run(task, retries=n).delays[0] for n in range(5)]

    assert delays == [1.0, 2.0, 4.0, 5.0, 5.0]


def test_when_retries_are_used_up_the_error_itself_comes_out(app: "App") -> None:
    """`max_retries` are attempts after the first; then the failure is that of the last."""
    error = TimeoutError("slow")
    task = raising(app, error)

    attempts = [run(task, retries=n) for n in range(4)]

    assert [len(attempt.sent) for attempt in attempts] == [1, 1, 1, 0]
    assert attempts[-1].failures == [error]
    assert error.__cause__ is None


@pytest.mark.parametrize("limit", [0, 1, 7])
def test_the_number_of_retries_is_celerys(app: "App", limit: int) -> None:
    """The option means what it means for every task."""
    task = raising(app, TimeoutError(), max_retries=limit)

    assert [len(run(task, retries=n).sent) for n in range(limit + 1)] == [1] * limit + [0]


def test_without_a_limit_a_task_is_tried_for_ever(app: "App") -> None:
    """`max_retries=None` is Celery's way to say so."""
    task = raising(app, TimeoutError(), max_retries=None)

    assert run(task, retries=100_000).delays == [300.0]


def test_a_task_that_asked_too_often_fails_with_its_own_error(app: "App") -> None:
    """`self.retry()` within `except` does not hide the error behind Celery's."""

    @app.task(bind=True, shared=False)
    def asking(self: ResilientTask) -> None:
        try:
            raise LookupError("not there yet")
        except LookupError:
            raise self.retry() from None

    outcome = run(asking, retries=3)

    assert [type(failure) for failure in outcome.failures] == [LookupError]


def test_a_task_that_asked_too_often_without_an_error_fails_as_in_celery(app: "App") -> None:
    """There is no other error to fail with."""

    @app.task(bind=True, shared=False)
    def asking(self: ResilientTask) -> None:
        raise self.retry()

    outcome = run(asking, retries=3)

    assert [type(failure) for failure in outcome.failures] == [MaxRetriesExceededError]


def test_the_other_side_says_how_long_to_wait_at_least(app: "App") -> None:
    """`Retry-After` comes first, the jitter on top."""
    error = AppError(ErrorCode.RATE_LIMIT_EXCEEDED, "slowly", retry_after=45)

    assert run(raising(app, error)).delays == [45.5]


@pytest.mark.parametrize("asked", [-5, math.nan, "soon", None])
def test_a_senseless_wish_is_none(app: "App", asked: object) -> None:
    """What is no number of seconds does not keep a task from being tried again."""
    error = AppError(ErrorCode.SERVICE_UNAVAILABLE, "busy", retry_after=cast("float", asked))

    assert run(raising(app, error)).delays == [0.5]


@pytest.mark.parametrize("asked", [3601, math.inf])
def test_who_is_asked_to_wait_too_long_gives_up(app: "App", asked: float) -> None:
    """A message that waits for longer than the broker keeps it would be run twice."""
    error = AppError(ErrorCode.SERVICE_UNAVAILABLE, "next week", retry_after=asked)

    outcome = run(raising(app, error))

    assert (outcome.sent, outcome.failures) == ([], [error])


def expires_in(seconds: float) -> str:
    """Return a moment as messages write it."""
    return (CLOCK.now() + timedelta(seconds=seconds)).isoformat()


def test_a_task_is_not_tried_again_after_it_has_expired(app: "App") -> None:
    """A retry that would be thrown away is not sent; its error comes out instead."""
    error = AppError(ErrorCode.SERVICE_UNAVAILABLE, "busy", retry_after=60)

    outcome = run(raising(app, error), expires=expires_in(60))

    assert (outcome.sent, outcome.failures) == ([], [error])


def test_a_delay_fits_what_is_left_until_a_task_expires(app: "App") -> None:
    """A task with ten seconds left is not tried again in a hundred."""
    task = raising(app, TimeoutError(), retry_base=100.0)

    outcome = run(task, expires=expires_in(10))

    assert outcome.delays == [5.0]
    assert outcome.sent[0]["expires"] == expires_in(10)


@pytest.mark.parametrize("expires", ["tomorrow", ""])
def test_a_moment_that_cannot_be_read_lets_the_error_out(app: "App", expires: str) -> None:
    """Celery sends no such message, and what it says of it does not take the error's place."""
    error = TimeoutError("slow")

    outcome = run(raising(app, error), expires=expires)

    assert outcome.failures == [error]


def test_a_moment_without_a_zone_is_read_as_celery_does(app: "App") -> None:
    """As one of UTC, in the application's zone."""
    cast("Any", app.conf).timezone = "Asia/Tokyo"
    soon = (CLOCK.now() + timedelta(seconds=10)).replace(tzinfo=None).isoformat()
    task = raising(app, TimeoutError(), retry_base=100.0)

    assert run(task, expires=soon).delays == [5.0]


# The error is the user's -------------------------------------------------------------------------


def test_a_task_that_is_called_raises(app: "App") -> None:
    """A function that is called answers whoever called it."""
    error = TimeoutError("slow")

    with pytest.raises(TimeoutError) as caught:
        raising(app, error)()

    assert caught.value is error


def test_an_eager_task_is_tried_again_at_once(app: "App") -> None:
    """Eager tasks follow Celery: no delay, and the error at the end."""
    error, attempts = TimeoutError("slow"), list[int]()

    @app.task(bind=True, shared=False)
    def failing(self: ResilientTask) -> None:
        attempts.append(self.request.retries)
        raise error

    result = failing.apply()

    assert attempts == [0, 1, 2, 3]
    assert result.result is error


def test_when_the_retry_cannot_be_sent_the_error_comes_out(
    app: "App", monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that is away hides no error; a note says why it was not tried again."""
    error = TimeoutError("slow")
    task = raising(app, error)

    def broken(*_: object, **__: object) -> None:
        raise OperationalError("the broker went away")

    monkeypatch.setattr(app, "send_task", broken)
    outcome = run(task)

    assert outcome.failures == [error]
    assert "the broker went away" in error.__notes__[0]


def test_a_decision_that_breaks_lets_the_error_out(app: "App") -> None:
    """What a mistake in an option raises is handed over, and does not take the error's place."""
    error, runtime = TimeoutError("slow"), RecordingRuntime()
    task = raising(app, error)
    task.retry_on = cast("Any", "nonsense")

    with environment.activated(runtime):
        outcome = run(task)

    assert outcome.failures == [error]
    assert [record.type for record in runtime.recorded.records] == ["TypeError"]


def test_a_class_that_makes_its_tasks_in_its_own_way_is_tried_again(app: "App") -> None:
    """Tasks that define `__init__` do not call their parent's."""

    class Sending(ResilientTask):
        """A task written as a class."""

        name = "test.sending"
        chance, clock = Unlucky(), CLOCK

        def __init__(self) -> None:
            self.calls = 0

        def run(self) -> None:
            """Fail."""
            self.calls += 1
            raise TimeoutError("slow")

    task = cast("ResilientTask", app.register_task(Sending()))

    assert run(task).delays == [0.5]


def test_arguments_are_kept_when_a_bound_task_is_tried_again(app: "App") -> None:
    """The second attempt has the arguments of the first."""
    task = raising(app, TimeoutError(), bind=True)

    outcome = run(task, "a", 2)

    assert outcome.sent[0]["argsrepr"] in {"['a', 2]", "('a', 2)"}


# Options -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"retry_base": 0}, ValueError, "retry_base must be a positive number of seconds, not 0"),
        ({"retry_base": "1"}, TypeError, "retry_base must be a number of seconds, not '1'"),
        ({"retry_base": True}, TypeError, "retry_base must be a number of seconds, not True"),
        ({"retry_ceiling": -1}, ValueError, "retry_ceiling must be a positive number"),
        ({"retry_ceiling": math.inf}, ValueError, "retry_ceiling must be a positive number"),
        ({"retry_ceiling": 0.5}, ValueError, "retry_ceiling must be at least retry_base, not 0.5"),
        ({"retry_after_limit": math.nan}, ValueError, "retry_after_limit must be a positive"),
        ({"chance": 4}, TypeError, "chance must be a random.Random, not 4"),
        ({"retry_on": ValueError}, TypeError, "retry_on must be a tuple of classes of exceptions"),
        ({"retry_on": (7,)}, TypeError, "retry_on must be a tuple of classes of exceptions"),
        ({"retry_on": (SystemExit,)}, TypeError, "retry_on must be a tuple of classes"),
        (
            {"retry_on": (ConnectionResetError,), "throws": (ConnectionError,)},
            ValueError,
            "retry_on must be without what throws has",
        ),
    ],
)
def test_options_that_make_no_sense_are_refused(
    app: "App", options: dict[str, object], error: type[Exception], said: str
) -> None:
    """A mistake is found when the task is bound to its application, and says where it is."""
    with pytest.raises(error, match=r"^task test\.raising: ") as caught:
        raising(app, ValueError(), **options).name  # noqa: B018  # which binds it

    assert said in str(caught.value)


def test_options_of_annotations_are_checked_too(app: "App") -> None:
    """What `task_annotations` set is as good as an option."""
    app.conf.task_annotations = {"test.raising": {"retry_base": -1}}

    with pytest.raises(ValueError, match="retry_base must be a positive number"):
        raising(app, ValueError()).name  # noqa: B018  # which binds it


# The decision ------------------------------------------------------------------------------------

seconds = st.floats(min_value=1e-3, max_value=1e6)
waits = st.one_of(st.just(0.0), seconds)


@given(
    retries=st.integers(0, 10_000),
    base=seconds,
    ceiling=seconds,
    least=waits,
    left=st.one_of(st.just(math.inf), st.floats(-1e6, 1e6)),
    chance=st.randoms(use_true_random=False),
)
def test_a_delay_keeps_all_its_bounds(  # one for each
    retries: int, base: float, ceiling: float, least: float, left: float, chance: random.Random
) -> None:
    """Never sooner than asked, never later than the ceiling allows, never after the end."""
    delay = next_delay(retries, base=base, ceiling=ceiling, least=least, left=left, chance=chance)

    if delay is None:
        assert left <= least
    else:
        assert least <= delay <= least + min(ceiling, base * 2.0 ** min(retries, 64))
        assert delay <= left


@given(st.integers(0, 100), seconds, seconds)
def test_the_longest_delay_grows_with_the_attempts(n: int, base: float, ceiling: float) -> None:
    """With the same draw a later attempt does not wait for less."""
    first, second = (
        next_delay(retries, base=base, ceiling=ceiling, chance=Unlucky()) for retries in (n, n + 1)
    )

    assert first is not None
    assert second is not None
    assert first <= second <= 2 * first


@given(st.integers(0, 2**32))
def test_the_same_chance_gives_the_same_delay(seed: int) -> None:
    """The decision depends on nothing but what it is given."""
    first, second = (next_delay(3, base=1.0, ceiling=60.0, chance=drawing(seed)) for _ in range(2))

    assert first == second


def test_jitter_reaches_from_nothing_to_the_whole_delay() -> None:
    """Those who failed together do not come back together."""
    chance = drawing(7)

    drawn = [next_delay(3, base=1.0, ceiling=60.0, chance=chance) or 0.0 for _ in range(500)]

    assert min(drawn) < 0.5
    assert max(drawn) > 7.5
    assert 3.5 < sum(drawn) / len(drawn) < 4.5
