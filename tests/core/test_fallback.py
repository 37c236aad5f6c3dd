"""A fallback: what answers in the place of a call that failed, and who learns of it."""

import asyncio
import math
from collections.abc import Callable

import pytest

from holdfast import Severity, ValidationError
from holdfast.resilience.breaking import Breaker
from holdfast.resilience.deadline import remaining
from holdfast.resilience.degraded import MOST, Degradation, collect_degradations
from holdfast.resilience.fallback import TOLD_EVERY, Fallback
from holdfast.resilience.policy import Policy
from holdfast.resilience.timeout import Deadline, Timeout
from holdfast.testing import FakeClock, RecordingRuntime
from tests.core.ways import Way


@pytest.fixture(autouse=True)
def _one_runtime(runtime: RecordingRuntime) -> None:
    """Have a fresh runtime for every test."""


def down(sku: str) -> str:
    """Fail as a dependency does."""
    raise ConnectionError(f"no stock service for {sku}")


def cached(sku: str) -> str:
    """Answer from elsewhere."""
    return f"{sku}, cached"


def broken(sku: str) -> str:
    """Fail where an answer was hoped for."""
    raise LookupError(f"no {sku} here")


def test_a_call_that_succeeds_needs_no_fallback(way: Way) -> None:
    """Nothing is asked, noted or told."""
    with collect_degradations() as degradations:
        assert way.call(Policy("stock", Fallback(broken, value="none")), str.upper, "ab") == "AB"

    assert degradations == []


def test_alternatives_are_asked_one_after_the_other(way: Way) -> None:
    """The first one that answers is the answer."""
    policy = Policy("stock", Fallback(broken, cached, broken, value="none"))

    assert way.call(policy, down, "881") == "881, cached"


def test_a_value_answers_when_no_function_does(way: Way) -> None:
    """None is a value like any other."""
    assert way.call(Policy("stock", Fallback(broken, value=None)), down, "881") is None


def test_without_an_answer_the_error_of_the_call_comes_out(way: Way) -> None:
    """The same object, and what failed besides is noted on it, once however often it is raised."""
    error = ConnectionError("down")
    policy = Policy("stock", Fallback(broken, broken))

    def fail(sku: str) -> str:
        raise error

    for _ in range(3):
        with pytest.raises(ConnectionError) as raised:
            way.call(policy, fail, "881")

        assert raised.value is error
    assert error.__notes__ == ["fallback broken failed, too: LookupError: no 881 here"]


def test_what_the_caller_did_wrong_is_answered_as_such(way: Way) -> None:
    """An alternative would hide a mistake that the caller has to learn of."""
    error = ValidationError("no such size")

    def refuse(sku: str) -> str:
        raise error

    with pytest.raises(ValidationError) as raised:
        way.call(Policy("stock", Fallback(cached, on=(ValidationError,))), refuse, "881")

    assert raised.value is error


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_exits_and_cancellations_are_not_answered_for(way: Way, stop: type[BaseException]) -> None:
    """Neither those of the call nor those of a fallback."""

    def leave(sku: str) -> str:
        raise stop

    for policy, function in (
        (Policy("call", Fallback(cached)), leave),
        (Policy("fallback", Fallback(leave, cached)), down),
    ):
        with pytest.raises(stop):
            way.call(policy, function, "881")


def names_881(error: Exception) -> bool:
    """Tell whether an error is about one thing."""
    return "881" in str(error)


@pytest.mark.parametrize("on", [ConnectionError, (KeyError, ConnectionError), names_881])
def test_failures_may_be_named(way: Way, on: type[Exception] | Callable[[Exception], bool]) -> None:
    """By class or by function; all others come out."""
    policy = Policy("stock", Fallback(cached, on=on))

    assert way.call(policy, down, "881") == "881, cached"
    with pytest.raises(LookupError):
        way.call(policy, broken, "7")


def test_a_predicate_that_fails_hides_nothing(way: Way) -> None:
    """The error of the call comes out, with a note about the predicate."""

    def fail(error: Exception) -> bool:
        raise LookupError

    policy = Policy("stock", Fallback(cached, on=fail))

    with pytest.raises(ConnectionError) as raised:
        way.call(policy, down, "881")

    assert raised.value.__notes__[0].startswith("Fallback.on failed, too: LookupError")


def test_an_alternative_that_asks_for_the_error_gets_it(way: Way) -> None:
    """By a keyword-only parameter of that name; others have the parameters of the call alone."""
    error = ConnectionError("down")

    def fail(sku: str, *, size: int) -> object:
        raise error

    def explain(sku: str, *, size: int, error: Exception) -> object:
        return sku, size, error

    assert way.call(Policy("stock", Fallback(explain)), fail, "881", size=4) == ("881", 4, error)


def test_alternatives_may_be_asynchronous() -> None:
    """A coroutine function has plain and asynchronous alternatives, as they come."""

    async def fail(sku: str) -> str:
        raise ConnectionError

    async def broken_later(sku: str) -> str:
        raise LookupError

    async def later(sku: str) -> str:
        return f"{sku}, later"

    policy = Policy("stock", Fallback(broken, broken_later, later))

    assert asyncio.run(policy.acall(fail, "881")) == "881, later"


def test_a_plain_call_cannot_wait_for_an_asynchronous_alternative() -> None:
    """It counts as one that failed, and says what to do."""

    async def later(sku: str) -> str:
        return sku

    with pytest.raises(ConnectionError) as raised:
        Policy("stock", Fallback(later)).call(down, "881")

    assert "TypeError: a plain call returned an awaitable" in raised.value.__notes__[0]


def test_a_circuit_that_is_open_is_answered_for(way: Way) -> None:
    """The fallback stands outside of the circuit: it answers for refusals as for failures."""
    policy = Policy("stock", Breaker(failure_threshold=1), Fallback(cached))

    assert [way.call(policy, down, "881") for _ in range(2)] == ["881, cached"] * 2


def test_a_fallback_may_answer_after_the_deadline(way: Way, runtime: RecordingRuntime) -> None:
    """It runs without the deadline that has passed, so that what it calls is not refused."""
    clock = runtime.clock
    assert isinstance(clock, FakeClock)
    inner = Policy("cache", Timeout(1.0))

    def slow(sku: str) -> float:
        clock.advance(9.0)
        raise TimeoutError

    def late(sku: str) -> float:
        return inner.call(remaining)

    assert way.call(Policy("stock", Deadline(5.0), Fallback(late)), slow, "881") == 1.0
    assert remaining() == math.inf


def test_before_the_deadline_a_fallback_has_what_is_left(
    way: Way, runtime: RecordingRuntime
) -> None:
    """It answers within the time that the call was given."""
    clock = runtime.clock
    assert isinstance(clock, FakeClock)

    def slow(sku: str) -> float:
        clock.advance(3.0)
        raise ConnectionError

    def answer(sku: str) -> float:
        return remaining()

    policy = Policy("stock", Deadline(5.0), Fallback(answer))

    assert way.call(policy, slow, "881") == 2.0


def test_before_the_deadline_a_fallback_that_hangs_is_cancelled_at_it() -> None:
    """The next one is asked then, without a deadline."""

    async def fail(sku: str) -> str:
        raise ConnectionError

    async def hang(sku: str) -> str:
        await asyncio.Event().wait()
        return sku

    policy = Policy("stock", Deadline(0.01), Fallback(hang, cached))

    assert asyncio.run(policy.acall(fail, "881")) == "881, cached"


def test_the_name_of_the_function_is_the_key(way: Way, runtime: RecordingRuntime) -> None:
    """One policy for a service, one fallback for each of its functions, and one for all others."""

    def user(number: str) -> str:
        raise ConnectionError

    def orders(number: str) -> str:
        raise ConnectionError

    service = Policy("service", Fallback(by_key={"user": cached, "orders": broken}, value="none"))

    assert service.call(user, "7") == "7, cached"
    assert service.call(orders, "7") == "none"
    assert way.call(service, down, "7") == "none"


def test_a_call_may_say_its_key(way: Way) -> None:
    """As the circuit breaker of kata 10 does: an operation, and the key of its fallback."""

    def operation(function: Callable[[], str], key: str = "default") -> str:
        return function()

    def key_of(function: Callable[[], str], key: str = "default") -> str:
        return key

    def a_user(function: Callable[[], str], key: str) -> str:
        return "a user"

    def nothing(function: Callable[[], str], key: str = "default") -> str:
        return "nothing"

    def fail() -> str:
        raise ConnectionError

    service = Policy(
        "service", Fallback(by_key={"getUserData": a_user, "default": nothing}, key=key_of)
    )

    assert way.call(service, operation, fail, "getUserData") == "a user"
    assert way.call(service, operation, fail) == "nothing"
    with pytest.raises(ConnectionError):
        way.call(service, operation, fail, "getOrders")


def test_a_key_that_cannot_be_told_leaves_the_alternatives(way: Way) -> None:
    """The error of the call, or an answer, comes out: never the mistake in the key."""
    policy = Policy("stock", Fallback(cached, by_key={"a": broken}, key=broken))

    assert way.call(policy, down, "881") == "881, cached"


def test_whoever_has_to_know_collects_degraded_answers(way: Way) -> None:
    """Which policy, where the answer came from, and what it stands in for; nested blocks see theirs."""
    policy = Policy("stock", Fallback(broken, cached))

    with collect_degradations() as outer:
        way.call(policy, str.upper, "881")
        with collect_degradations() as inner:
            way.call(policy, down, "881")
        assert outer == inner
        way.call(Policy("price", Fallback(value=0)), down, "881")
    way.call(policy, down, "881")

    assert outer == [
        Degradation(policy="stock", source="cached", code="COMMUNICATION_ERROR"),
        Degradation(policy="price", source="value", code="COMMUNICATION_ERROR"),
    ]
    assert len(inner) == 1


def test_degradations_of_tasks_are_collected_and_bounded() -> None:
    """Those of tasks that began inside the block, up to a number that says enough."""
    policy = Policy("stock", Fallback(value=0))

    async def fail() -> int:
        raise ConnectionError

    async def many() -> list[Degradation]:
        with collect_degradations() as outer:
            with collect_degradations() as degradations:
                await asyncio.gather(*(policy.acall(fail) for _ in range(MOST + 20)))
            await policy.acall(fail)
            assert outer == degradations
        return degradations

    assert len(asyncio.run(many())) == MOST


def test_use_is_told_now_and_then(way: Way, runtime: RecordingRuntime) -> None:
    """Once a minute and policy, with how often it was used since."""
    clock = runtime.clock
    assert isinstance(clock, FakeClock)
    policy = Policy("stock", Fallback(cached))

    for _ in range(3):
        way.call(policy, down, "881")
    clock.advance(TOLD_EVERY)
    way.call(policy, down, "881")

    told = [event for event in runtime.recorded.events if event.name == "fallback.used"]
    assert [dict(event.attributes) for event in told] == [
        {"policy": "stock", "source": "cached", "code": "COMMUNICATION_ERROR", "uses": uses}
        for uses in (1, 3)
    ]
    assert {event.severity for event in told} == {Severity.WARNING}


def test_fallbacks_that_make_no_sense_are_refused() -> None:
    """When the policy is written, not when the dependency is down."""
    with pytest.raises(ValueError, match="needs a function, by_key= or value="):
        Fallback()
    with pytest.raises(TypeError, match="takes functions, not 'none'; use value="):
        Fallback("none")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="takes functions"):
        Fallback(by_key={"a": 3})  # type: ignore[arg-type]


def test_a_fallback_is_a_value() -> None:
    """Two that say the same are equal, so that one name may be defined twice."""
    assert Fallback(cached, by_key={"a": broken}, value=[]) == Fallback(
        cached, by_key=(("a", broken),), value=[]
    )
    assert Fallback(cached) != Fallback(cached, value=None)
