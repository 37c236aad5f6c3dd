"""Trying again: what is retried, when it is not, and what is told of it."""

import asyncio
import math
import sys
import traceback
from collections.abc import Callable
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import environment
from holdfast.codes import Effect
from holdfast.errors import (
    AppError,
    CircuitOpenError,
    CommunicationError,
    DeadlineExceededError,
    ServiceUnavailableError,
    ValidationError,
)
from holdfast.resilience.backoff import Backoff, Constant, Exponential
from holdfast.resilience.breaking import Breaker
from holdfast.resilience.budget import Budget
from holdfast.resilience.deadline import deadline, remaining
from holdfast.resilience.policy import Policy
from holdfast.resilience.retry import Retry
from holdfast.resilience.retry_events import QUIET
from holdfast.resilience.scope import Attempt, current_attempt, idempotency_key
from holdfast.resilience.timeout import Timeout
from holdfast.testing import FakeClock, RecordingRuntime
from tests.core.ways import Way

AT_ONCE = Constant(0.0)


class Script:
    """Ends each call as it is told, and the last of them ever after.

    Attributes:
        calls: How many were made.
        attempts: What each said of itself.
    """

    def __init__(self, *ends: object, takes: float = 0.0, clock: FakeClock | None = None) -> None:
        self._ends = ends
        self._takes = takes
        self._clock = clock
        self.calls = 0
        self.attempts: list[Attempt | None] = []

    def __call__(self) -> object:
        """End as told."""
        end = self._ends[min(self.calls, len(self._ends) - 1)]
        self.calls += 1
        self.attempts.append(current_attempt())
        if self._clock is not None:
            self._clock.advance(self._takes)
        if isinstance(end, BaseException):
            raise end
        return end


def is_a_key_error(error: BaseException) -> bool:
    """Tell whether a key is missing."""
    return isinstance(error, KeyError)


def down(effect: Effect | None = None, retry_after: float | None = None) -> AppError:
    """Return a transient error."""
    error = ServiceUnavailableError("down", retry_after=retry_after)
    if effect is not None:
        error.effect = effect
    return error


def clock_of(runtime: RecordingRuntime) -> FakeClock:
    """Return the clock of a runtime."""
    return cast("FakeClock", runtime.clock)


def told(runtime: RecordingRuntime, name: str) -> list[dict[str, object]]:
    """Return what the events of a name say."""
    return [dict(event.attributes) for event in runtime.recorded.events if event.name == name]


# What is retried ---------------------------------------------------------------------------------


@pytest.mark.parametrize("decorated", [False, True])
@pytest.mark.parametrize(
    ("error", "calls"),
    [
        (down(), 2),
        (ConnectionResetError("gone"), 2),
        (TimeoutError("slow"), 2),
        (ValidationError("no"), 1),
        (KeyError("sku"), 1),
        (TypeError("bug"), 1),
    ],
)
def test_what_is_classified_transient_is_retried(
    error: Exception, calls: int, way: Way, runtime: RecordingRuntime, *, decorated: bool
) -> None:
    """And nothing else, unless somebody names it."""
    script = Script(error, "done")
    policy = Policy("stock", Retry(3, backoff=AT_ONCE))

    if calls == 1:
        with pytest.raises(type(error)) as caught:
            way.decorate(policy, script)() if decorated else way.call(policy, script)
        assert caught.value is error
    else:
        assert (way.decorate(policy, script)() if decorated else way.call(policy, script)) == "done"
    assert script.calls == calls


@pytest.mark.parametrize("named", [KeyError, is_a_key_error], ids=["class", "function"])
def test_what_the_author_named_is_retried(
    named: type[Exception] | Callable[[BaseException], bool], way: Way, runtime: RecordingRuntime
) -> None:
    """By a class, or by a function that says yes."""
    script = Script(KeyError("sku"), "done")

    assert way.call(Policy("stock", Retry(2, backoff=AT_ONCE, on=(named,))), script) == "done"


def test_a_function_that_fails_to_say_says_no(way: Way, runtime: RecordingRuntime) -> None:
    """The error of the call comes out, and that of the function is told."""
    error = KeyError("sku")

    def broken(_: BaseException) -> bool:
        raise ZeroDivisionError("oops")

    with pytest.raises(KeyError) as caught:
        way.call(Policy("stock", Retry(2, on=(broken,))), Script(error))

    assert caught.value is error
    failed = told(runtime, "retry.predicate_failed")
    assert [(each["policy"], each["option"], each["error_type"]) for each in failed] == [
        ("stock", "on", "ZeroDivisionError")
    ]


@pytest.mark.parametrize("decorated", [False, True])
def test_a_result_may_be_unwanted(way: Way, runtime: RecordingRuntime, *, decorated: bool) -> None:
    """It is asked for again, at every call of a function."""
    policy = Policy("stock", Retry(3, backoff=AT_ONCE, results=lambda value: value == "busy"))

    for _ in range(2):
        script = Script("busy", "busy", "done")
        answer = way.decorate(policy, script)() if decorated else way.call(policy, script)
        assert (answer, script.calls) == ("done", 3)


def test_the_last_unwanted_result_comes_out(way: Way, runtime: RecordingRuntime) -> None:
    """It is an answer, after all."""
    script = Script("busy")
    policy = Policy("stock", Retry(3, backoff=AT_ONCE, results=lambda value: value == "busy"))

    assert way.call(policy, script) == "busy"
    assert script.calls == 3
    assert [each["reason"] for each in told(runtime, "retry.exhausted")] == ["attempts"]


def test_a_function_that_cannot_judge_a_result_lets_it_out(
    way: Way, runtime: RecordingRuntime
) -> None:
    """What it is asked about is never lost."""

    def broken(_: object) -> bool:
        raise ZeroDivisionError("oops")

    assert way.call(Policy("stock", Retry(3, results=broken)), Script("done")) == "done"
    assert [each["option"] for each in told(runtime, "retry.predicate_failed")] == ["results"]


@pytest.mark.parametrize("exit_", [KeyboardInterrupt(), SystemExit(1), GeneratorExit()])
def test_control_flow_is_not_retried(exit_: BaseException, runtime: RecordingRuntime) -> None:
    """Whatever `on` names."""
    script = Script(exit_)

    with pytest.raises(type(exit_)):
        Policy("stock", Retry(3, on=(BaseException,))).call(script)

    assert script.calls == 1


def test_a_cancellation_is_not_retried(runtime: RecordingRuntime) -> None:
    """Neither in an attempt nor between two."""
    script = Script(asyncio.CancelledError())

    async def cancelled() -> object:
        return script()

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(Policy("stock", Retry(3, on=(BaseException,))).acall(cancelled))

    assert script.calls == 1


def test_a_task_that_is_cancelled_while_it_waits_ends(runtime: RecordingRuntime) -> None:
    """The wait is no attempt, and makes none after it."""
    script = Script(down())

    class Cancelling(FakeClock):
        async def asleep(self, seconds: float) -> None:
            raise asyncio.CancelledError

    async def failing() -> object:
        return script()

    runtime.clock = Cancelling()
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(Policy("stock", Retry(3)).acall(failing))

    assert script.calls == 1


def test_retries_happen_at_one_level(way: Way, runtime: RecordingRuntime) -> None:
    """A policy inside another's retry makes one attempt: 3, not 9."""
    script = Script(down())
    inner = Policy("inner", Retry(3, backoff=AT_ONCE))
    outer = Policy("outer", Retry(3, backoff=AT_ONCE))

    with pytest.raises(ServiceUnavailableError):
        way.call(outer, lambda: inner.call(script))

    assert script.calls == 3
    assert {each["policy"] for each in told(runtime, "retry.scheduled")} == {"outer"}


def test_an_inner_coroutine_makes_one_attempt_too(runtime: RecordingRuntime) -> None:
    """The scope travels with the task."""
    script = Script(down())
    inner = Policy("inner", Retry(3, backoff=AT_ONCE))

    @inner
    async def ask() -> object:
        return script()

    async def around() -> object:
        return await asyncio.create_task(ask())

    with pytest.raises(ServiceUnavailableError):
        asyncio.run(Policy("outer", Retry(2, backoff=AT_ONCE)).acall(around))

    assert script.calls == 2


# What must not be done twice ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("effect", "calls"), [(None, 1), (Effect.IN_DOUBT, 1), (Effect.NOT_SENT, 3), (Effect.NONE, 3)]
)
def test_what_must_not_be_done_twice_is_retried_when_nothing_was_done(
    effect: Effect | None, calls: int, way: Way, runtime: RecordingRuntime
) -> None:
    """What is not known counts as done."""
    script = Script(down(effect))

    with pytest.raises(ServiceUnavailableError):
        way.call(Policy("pay", Retry(3, backoff=AT_ONCE, idempotent=False)), script)

    assert script.calls == calls


def test_a_key_makes_it_safe(way: Way, runtime: RecordingRuntime) -> None:
    """The other side knows the call again, in every attempt."""
    script = Script(down(Effect.IN_DOUBT), KeyError("sku"), "done")
    policy = Policy("pay", Retry(3, backoff=AT_ONCE, idempotent=False, on=(KeyError,)))

    with idempotency_key("order-42"):
        assert way.call(policy, script) == "done"


def test_a_class_does_not_make_it_safe(way: Way, runtime: RecordingRuntime) -> None:
    """Nor does a result: the call was made."""
    script = Script(KeyError("sku"))
    policy = Policy(
        "pay", Retry(3, backoff=AT_ONCE, idempotent=False, on=(KeyError,), results=lambda _: True)
    )

    with pytest.raises(KeyError):
        way.call(policy, script)
    assert way.call(policy, Script("done")) == "done"
    assert script.calls == 1


# When ----------------------------------------------------------------------------------------------


def test_the_other_side_says_how_long_to_wait_at_least(way: Way, runtime: RecordingRuntime) -> None:
    """Our own backoff comes on top: nobody is back at that very moment."""
    policy = Policy("stock", Retry(2, backoff=Constant(0.5)))

    way.call(policy, Script(down(retry_after=7.0), "done"))

    assert clock_of(runtime).monotonic() == 7.5


@pytest.mark.parametrize("asked", [20.0, 19.5, 1e300, math.inf])
def test_who_asks_for_more_than_the_deadline_leaves_is_not_waited_for(
    asked: float, way: Way, runtime: RecordingRuntime
) -> None:
    """The error comes out at once."""
    error = down(retry_after=asked)

    with deadline(20.0), pytest.raises(ServiceUnavailableError) as caught:
        way.call(Policy("stock", Retry(2, backoff=Constant(0.5))), Script(error, "done"))

    assert caught.value is error
    assert clock_of(runtime).monotonic() == 0.0
    assert [each["reason"] for each in told(runtime, "retry.exhausted")] == ["deadline"]


def test_who_asks_for_more_than_the_limit_is_not_waited_for(
    way: Way, runtime: RecordingRuntime
) -> None:
    """A thread is not kept for an hour because somebody asked for it."""
    with pytest.raises(ServiceUnavailableError):
        way.call(Policy("stock", Retry(2)), Script(down(retry_after=3600), "done"))

    assert clock_of(runtime).monotonic() == 0.0
    assert [each["reason"] for each in told(runtime, "retry.exhausted")] == ["retry_after"]


@given(
    seconds=st.floats(0.1, 100.0),
    wait=st.floats(0.0, 60.0),
    takes=st.floats(0.0, 20.0),
    attempts=st.integers(1, 20),
)
def test_no_attempt_begins_after_the_deadline(
    seconds: float, wait: float, takes: float, attempts: int
) -> None:
    """Nor is anything waited for that it would cut off."""
    runtime = RecordingRuntime()
    clock = clock_of(runtime)
    begun: list[float] = []

    def failing() -> None:
        begun.append(clock.monotonic())
        clock.advance(takes)
        raise down()

    policy = Policy("stock", Retry(attempts, backoff=Constant(wait)))
    with environment.activated(runtime), deadline(seconds):
        with pytest.raises((ServiceUnavailableError, DeadlineExceededError)):
            policy.call(failing)
        assert all(at < seconds for at in begun)
        assert clock.monotonic() < seconds + takes


def test_an_open_circuit_is_not_retried(way: Way, runtime: RecordingRuntime) -> None:
    """Not without a deadline, though its refusal is transient and everything is named."""
    script = Script(down())
    policy = Policy(
        "stock", Retry(5, backoff=AT_ONCE, on=(Exception,)), Breaker(failure_threshold=2)
    )

    with pytest.raises(CircuitOpenError):
        way.call(policy, script)
    with pytest.raises(CircuitOpenError):
        way.call(policy, script)

    assert script.calls == 2


@pytest.mark.parametrize(("seconds", "answer"), [(60.0, "done"), (5.0, None)])
def test_an_open_circuit_is_waited_for_when_the_deadline_allows(
    seconds: float, answer: str | None, way: Way, runtime: RecordingRuntime
) -> None:
    """It says itself after how long it lets calls through."""
    script = Script(down(), "done")
    policy = Policy(
        "stock",
        Retry(3, backoff=AT_ONCE),
        Breaker(failure_threshold=1, recovery_timeout=10.0, jitter=0.0),
    )

    with deadline(seconds):
        if answer is None:
            with pytest.raises(CircuitOpenError):
                way.call(policy, script)
        else:
            assert way.call(policy, script) == answer

    assert clock_of(runtime).monotonic() == (0.0 if answer is None else 10.0)


@pytest.mark.parametrize("said", [-1.0, math.nan, "soon", ZeroDivisionError("oops")])
def test_a_backoff_that_makes_no_sense_is_none(
    said: object, way: Way, runtime: RecordingRuntime
) -> None:
    """Somebody else's may say anything; the call is made again all the same."""

    class Odd:
        def delay(self, *_: object) -> float:
            if isinstance(said, Exception):
                raise said
            return cast("float", said)

    policy = Policy("stock", Retry(2, backoff=cast("Backoff", Odd())))

    assert way.call(policy, Script(down(), "done")) == "done"
    assert clock_of(runtime).monotonic() == 0.0


# What is told --------------------------------------------------------------------------------------


def test_an_attempt_knows_its_number(way: Way, runtime: RecordingRuntime) -> None:
    """Also the first, on the short way of a decorated function."""
    policy = Policy("stock", Retry(3, backoff=AT_ONCE))
    scripts = [Script(down(), down(), "done") for _ in range(3)]

    for script in scripts:
        way.decorate(policy, script)()

    expected = [Attempt(1, 3), Attempt(2, 3), Attempt(3, 3)]
    assert [script.attempts for script in scripts] == [expected] * 3
    assert current_attempt() is None


def test_the_last_error_comes_out_with_notes_of_those_before(
    way: Way, runtime: RecordingRuntime
) -> None:
    """The same object; what was said, of class names alone."""
    last = CommunicationError("secret")
    script = Script(down(), KeyError("secret"), last, takes=0.25, clock=clock_of(runtime))
    policy = Policy("stock", Retry(3, backoff=Constant(0.5), on=(KeyError,)))

    with pytest.raises(CommunicationError) as caught:
        way.call(policy, script)

    assert caught.value is last
    assert last.__notes__ == [
        "holdfast: attempt 1 of 3 failed after 0.250 s: ServiceUnavailableError; waited 0.5 s",
        "holdfast: attempt 2 of 3 failed after 0.250 s: KeyError; waited 0.5 s",
        "holdfast: attempt 3 of 3 failed after 0.250 s: CommunicationError",
    ]


def test_a_single_attempt_leaves_no_notes(way: Way, runtime: RecordingRuntime) -> None:
    """There is nothing to tell."""
    error = ValidationError("no")

    with pytest.raises(ValidationError):
        way.call(Policy("stock", Retry(3)), Script(error))

    assert not hasattr(error, "__notes__")
    assert runtime.recorded.events == []


def test_notes_are_bounded(way: Way, runtime: RecordingRuntime) -> None:
    """Also on an error that is raised over and over; what others noted stays."""
    error = down()
    error.add_note("of somebody else")
    policy = Policy("stock", Retry(40, backoff=AT_ONCE, budget=None))

    for _ in range(3):
        with pytest.raises(ServiceUnavailableError):
            way.call(policy, Script(error))

    assert len(error.__notes__) == 11
    assert error.__notes__[0] == "of somebody else"
    assert "31 further attempts failed" in error.__notes__[2]
    assert "attempt 40 of 40" in error.__notes__[-1]


def test_the_traceback_does_not_grow_with_the_attempts(runtime: RecordingRuntime) -> None:
    """A handful of frames is ours, however often was tried."""

    def failing() -> None:
        raise down()

    def frames(attempts: int) -> int:
        policy = Policy("stock" * attempts, Retry(attempts, backoff=AT_ONCE))
        with pytest.raises(ServiceUnavailableError) as caught:
            policy.call(failing)
        return len(traceback.extract_tb(caught.value.__traceback__))

    assert frames(1) == frames(7) <= 6


@pytest.mark.parametrize("decorated", [False, True])
def test_attempts_do_not_see_the_errors_before_them(
    way: Way, runtime: RecordingRuntime, *, decorated: bool
) -> None:
    """No error is being handled in them, and none is the context of the last one."""
    handled: list[BaseException | None] = []
    errors = [down() for _ in range(3)]

    def failing() -> None:
        if not begun:
            return
        handled.append(sys.exception())
        raise errors[len(handled) - 1]

    begun: list[bool] = []
    policy = Policy("stock", Retry(3, backoff=AT_ONCE))
    function = way.decorate(policy, failing)
    function()  # from now on it takes the short way
    begun.append(True)
    with pytest.raises(ServiceUnavailableError) as caught:
        function() if decorated else way.call(policy, failing)

    assert handled == [None, None, None]
    assert caught.value is errors[2]
    assert caught.value.__context__ is None


def test_a_first_error_that_comes_out_shows_the_decorated_function_once(
    runtime: RecordingRuntime,
) -> None:
    """On the short way one frame is ours."""
    fails = [False]

    @Policy("stock", Retry(3))
    def asked() -> None:
        if fails[0]:
            raise ValidationError("no")

    asked()
    fails[0] = True
    for _ in range(2):
        with pytest.raises(ValidationError) as caught:
            asked()
        names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
        assert names[1:] == ["guarded", "asked"]


def test_events_tell_of_every_retry_and_of_the_end(way: Way, runtime: RecordingRuntime) -> None:
    """With policy, attempt, wait and class of the error."""
    with pytest.raises(ServiceUnavailableError):
        way.call(Policy("stock", Retry(2, backoff=Constant(0.5))), Script(down()))

    facts = {"policy": "stock", "attempts": 2, "error": "ServiceUnavailableError"}
    assert told(runtime, "retry.scheduled") == [{**facts, "attempt": 1, "wait": 0.5}]
    assert told(runtime, "retry.exhausted") == [{**facts, "attempt": 2, "reason": "attempts"}]


def test_a_policy_of_one_attempt_tells_nothing(way: Way, runtime: RecordingRuntime) -> None:
    """Nobody expected another one."""
    with pytest.raises(ServiceUnavailableError):
        way.call(Policy("stock", Retry(1)), Script(down()))

    assert runtime.recorded.events == []


# The budget ------------------------------------------------------------------------------------------


def test_further_attempts_spend_the_budget(way: Way, runtime: RecordingRuntime) -> None:
    """When it is spent a call is made once, and its error comes out."""
    policy = Policy("stock", Retry(3, backoff=AT_ONCE, budget=Budget(0.1, 0.0, ceiling=3.0)))
    scripts = [Script(down()) for _ in range(4)]

    for script in scripts:
        with pytest.raises(ServiceUnavailableError):
            way.call(policy, script)

    assert [script.calls for script in scripts] == [3, 2, 1, 1]


def test_successes_fill_the_budget_on_the_short_way_too(
    way: Way, runtime: RecordingRuntime
) -> None:
    """Ten of them are worth one further attempt."""
    policy = Policy("stock", Retry(2, backoff=AT_ONCE, budget=Budget(0.1, 0.0, ceiling=1.0)))
    fine = way.decorate(policy, Script("done"))
    failing = Script(down())

    for _ in range(3):
        with pytest.raises(ServiceUnavailableError):
            way.call(policy, failing)
        for _ in range(5):
            fine()
            way.call(policy, Script("done"))

    assert failing.calls == 6


def test_a_spent_budget_is_told_once_in_a_while(way: Way, runtime: RecordingRuntime) -> None:
    """With the number of attempts that were not made since."""
    policy = Policy("stock", Retry(2, backoff=AT_ONCE, budget=Budget(0.0, 0.0, ceiling=1.0)))

    def fail(times: int) -> None:
        for _ in range(times):
            with pytest.raises(ServiceUnavailableError):
                way.call(policy, Script(down()))

    fail(4)
    clock_of(runtime).advance(QUIET)
    fail(2)

    spent = told(runtime, "retry.budget_spent")
    assert [each["refused"] for each in spent] == [1, 3]


def test_a_budget_is_of_one_runtime() -> None:
    """A test makes a fresh one, and nothing needs resetting."""
    policy = Policy("stock", Retry(2, backoff=AT_ONCE, budget=Budget(0.0, 0.0, ceiling=1.0)))
    calls: list[int] = []

    for _ in range(2):
        with environment.activated(RecordingRuntime()):
            script = Script(down())
            with pytest.raises(ServiceUnavailableError):
                policy.call(script)
            calls.append(script.calls)

    assert calls == [2, 2]


# Options -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"attempts": 0}, r"Retry\.attempts must be 1 to 1000, not 0"),
        ({"attempts": 1001}, r"Retry\.attempts must be 1 to 1000"),
        ({"attempts": 2.0}, r"Retry\.attempts must be a whole number"),
        ({"attempts": True}, r"Retry\.attempts must be a whole number"),
        ({"backoff": 0.5}, r"Retry\.backoff must have a method delay\(\)"),
        ({"on": KeyError}, r"Retry\.on must be a tuple .* such as \(ConnectionError,\)"),
        ({"on": (int,)}, r"Retry\.on must be a tuple"),
        ({"results": "busy"}, r"Retry\.results must be a function or None"),
        ({"budget": 10}, r"Retry\.budget must be a Budget or None"),
        ({"retry_after_limit": -1}, r"Retry\.retry_after_limit must be at least 0"),
        ({"retry_after_limit": math.inf}, r"Retry\.retry_after_limit must be .* at most"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, object], said: str) -> None:
    """Where they are written: what, where, and what to write."""
    with pytest.raises((TypeError, ValueError), match=said):
        Retry(**options)  # type: ignore[arg-type]  # on purpose


def test_a_time_out_is_of_each_attempt(way: Way, runtime: RecordingRuntime) -> None:
    """And never more than the deadline leaves."""
    left: list[float] = []
    clock = clock_of(runtime)

    def slow() -> None:
        left.append(remaining())
        clock.advance(2.0)
        raise down()

    with deadline(5.0), pytest.raises(ServiceUnavailableError):
        way.call(Policy("stock", Retry(9, backoff=AT_ONCE), Timeout(3.0)), slow)

    assert left == [3.0, 3.0, 1.0]


def test_specs_are_values() -> None:
    """Comparable and printable, with nothing live in them."""
    assert Retry(2, backoff=Exponential()) == Retry(2)
    assert hash(Retry(2)) == hash(Retry(2))
