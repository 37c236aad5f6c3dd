"""Decorated functions keep their signatures, and a call takes the short way only where it may."""

import asyncio
import dis
import functools
import inspect
import sys
import weakref
from collections.abc import Callable, Generator
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import AppError, ErrorCode, ServiceUnavailableError, environment
from holdfast.errors import CircuitOpenError
from holdfast.resilience.backoff import Constant
from holdfast.resilience.breaking import Breaker
from holdfast.resilience.bulkhead import Bulkhead
from holdfast.resilience.fallback import Fallback
from holdfast.resilience.live import LivePolicy
from holdfast.resilience.policies import Policies
from holdfast.resilience.policy import Policy
from holdfast.resilience.retry import Retry
from holdfast.resilience.scope import UNBOUNDED, current_attempt, current_scope
from holdfast.resilience.timeout import Timeout
from holdfast.testing import RecordingRuntime
from tests.core.ways import OnLoop, OnThread, Way

STOCK = Policy("stock", Retry(3), Breaker(), Timeout(1.0))


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> Generator[RecordingRuntime, None, None]:
    """Have a process with one runtime, in which calls take the short way from the second on."""
    monkeypatch.setattr(environment, "_known", weakref.WeakSet[environment.Environment]())
    runtime = RecordingRuntime()
    with environment.activated(runtime):
        yield runtime


def positional(a: int, b: int = 2, /) -> tuple[int, int]:
    """Take arguments by position alone."""
    return a, b


def named(*, a: int, b: int = 2) -> tuple[int, int]:
    """Take arguments by name alone."""
    return a, b


def mixed(a: int, /, b: int, *rest: int, c: int = 3, **more: int) -> tuple[object, ...]:
    """Take arguments in every way."""
    return a, b, rest, c, more


CALLS: list[tuple[Callable[..., object], tuple[int, ...], dict[str, int]]] = [
    (positional, (1,), {}),
    (positional, (1, 5), {}),
    (named, (), {"a": 1}),
    (named, (), {"a": 1, "b": 7}),
    (mixed, (1, 2), {}),
    (mixed, (1, 2, 3, 4), {"c": 5, "d": 6}),
    (mixed, (1,), {"b": 2}),
]


@pytest.mark.parametrize(("function", "args", "kwargs"), CALLS)
def test_arguments_arrive_as_they_were_passed(
    alone: RecordingRuntime,
    function: Callable[..., object],
    args: tuple[int, ...],
    kwargs: dict[str, int],
) -> None:
    """By position, by name, collected or left out: on the long way, and then on the short one."""
    decorated = STOCK(function)

    assert [decorated(*args, **kwargs) for _ in range(3)] == [function(*args, **kwargs)] * 3
    assert inspect.signature(decorated) == inspect.signature(function)


def test_a_default_value_stays_the_same_object(alone: RecordingRuntime) -> None:
    """A default is evaluated once, where the function was defined."""
    default: list[int] = []

    @STOCK
    def kept(values: list[int] = default) -> list[int]:
        return values

    assert kept() is default
    assert kept() is default


def test_what_is_not_passed_is_refused_as_python_does(alone: RecordingRuntime) -> None:
    """The wrapper has the parameters of the function: a wrong call never reaches the policy."""
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'a'"):
        STOCK(named)()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def test_methods_are_bound_and_names_kept(alone: RecordingRuntime) -> None:
    """A decorated method is a method; so is one of the class."""

    class Stock:
        @STOCK
        def of(self, sku: str) -> tuple[object, str]:
            """Return how many there are."""
            return self, sku

        @classmethod
        @STOCK
        def named(cls, sku: str) -> tuple[object, str]:
            return cls, sku

    stock = Stock()

    assert stock.of("881") == (stock, "881")
    assert Stock.named("881") == (Stock, "881")
    assert (Stock.of.__name__, Stock.of.__doc__) == ("of", "Return how many there are.")


class Echo:
    """An object that can be called."""

    def __call__(self, text: str) -> str:
        """Return what it is given."""
        return text


@pytest.mark.parametrize(
    "function",
    [len, functools.partial(int, base=2), Echo()],
    ids=["built in", "partial", "object"],
)
def test_anything_that_can_be_called_can_be_protected(
    alone: RecordingRuntime, function: Callable[[str], object]
) -> None:
    """Also what has no parameters to be seen, or is no function."""
    decorated = STOCK(function)

    assert [decorated("101"), decorated("101")] == [function("101")] * 2


def test_generator_functions_are_refused() -> None:
    """Their call ends before anything has happened."""

    def lines() -> Generator[str, None, None]:
        yield "one"

    with pytest.raises(TypeError, match="is a generator function"):
        STOCK(lines)


@pytest.mark.parametrize("calls", [1, 3])
def test_a_plain_function_that_returns_a_coroutine_is_refused(
    alone: RecordingRuntime, calls: int
) -> None:
    """How its call ends nobody could tell; on both ways."""
    results: list[Any] = ["one", "two"][: calls - 1]

    async def later() -> str:
        return "later"

    @Policy("stock", Retry(2))
    def odd() -> object:
        return results.pop() if results else later()

    for _ in range(calls - 1):
        odd()

    with pytest.raises(TypeError, match="returned an awaitable"):
        odd()


def test_a_plain_function_that_returns_a_future_is_refused_each_time(
    alone: RecordingRuntime,
) -> None:
    """It is neither counted as a success nor retried, on the short way as on the long one."""

    async def run() -> None:
        decorated = STOCK(asyncio.get_running_loop().create_future)
        for _ in range(3):
            with pytest.raises(TypeError, match="returned an awaitable"):
                decorated()

    asyncio.run(run())
    assert alone.policies.circuit("stock").totals()["success"] == 0


class Lazy:
    """Makes its value when it is first looked at, as the lazy objects of frameworks do."""

    def __getattribute__(self, name: str) -> object:
        raise LookupError(f"looked at {name}")


@pytest.mark.parametrize(
    "policy", [STOCK, Policy("long", Retry(2), Bulkhead(1))], ids=["short", "long"]
)
def test_a_result_is_not_looked_at(alone: RecordingRuntime, way: Way, policy: Policy) -> None:
    """What is lazy stays so, on both ways."""
    lazy = Lazy()
    decorated = way.decorate(policy, lambda: lazy)

    assert all(decorated() is lazy for _ in range(3))


def test_methods_of_other_kinds_may_be_decorated_from_outside(alone: RecordingRuntime) -> None:
    """The function in them is protected, and they stay what they are."""

    class Shop:
        @STOCK
        @staticmethod
        def double(number: int) -> int:
            return 2 * number

        @STOCK
        @classmethod
        def kind(cls) -> str:
            return cls.__name__

    for _ in range(2):
        assert (Shop.double(2), Shop().double(3)) == (4, 6)
        assert (Shop.kind(), Shop().kind()) == ("Shop", "Shop")


def test_what_cannot_be_called_is_refused() -> None:
    """When it is decorated, not when it is used."""
    with pytest.raises(TypeError, match="cannot be called, so there is nothing to protect"):
        STOCK(property(len))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_a_function_that_tells_of_other_parameters_takes_what_it_takes(
    alone: RecordingRuntime,
) -> None:
    """A signature that another decorator put there is shown, and not gone by."""

    def takes(*args: int, **kwargs: int) -> tuple[object, object]:
        return args, kwargs

    told = inspect.Signature([inspect.Parameter("from", inspect.Parameter.POSITIONAL_ONLY)])
    takes.__signature__ = told  # type: ignore[attr-defined]  # pyright: ignore[reportFunctionMemberAccess]
    decorated = STOCK(takes)

    assert [decorated(1, 2, urgent=3) for _ in range(2)] == [((1, 2), {"urgent": 3})] * 2
    assert inspect.signature(decorated) == told


def test_a_failure_is_told_to_what_let_the_call_through(alone: RecordingRuntime) -> None:
    """A call that is under way while settings add a circuit ends as it began."""
    policy = Policy("stock", Retry(1))
    calls = 0

    @policy
    def call() -> str:
        nonlocal calls
        calls += 1
        if calls == 2:
            alone.policies.reload({"stock": {"BREAKER": {}}})
            call()
            raise ServiceUnavailableError("down")
        return "here"

    call()

    with pytest.raises(ServiceUnavailableError):
        call()
    assert alone.policies.circuit("stock").totals()["success"] == 1


class SignalledError(BaseException):
    """Comes from the handler of a signal, as a soft time limit does."""


@pytest.mark.parametrize(
    "policy",
    [STOCK, Policy("timed", Timeout(1.0)), Policy("retried", Retry(2))],
    ids=lambda policy: policy.name,
)
def test_a_call_may_be_interrupted_at_any_step(alone: RecordingRuntime, policy: Policy) -> None:
    """Python runs handlers of signals after calls; no later call inherits the deadline of this one."""
    decorated = policy(str)
    decorated()
    calls = {each.offset for each in dis.get_instructions(decorated) if each.opname == "CALL"}
    interrupted = 0

    def interrupt_after(last: int) -> Callable[..., Any]:
        called = False

        def trace(frame: FrameType, event: str, _: object) -> Any:  # noqa: ANN401  # a tracer
            nonlocal called
            if frame.f_code is not decorated.__code__:  # pyright: ignore[reportFunctionMemberAccess]
                return None
            frame.f_trace_opcodes = True
            if called:
                sys.settrace(None)
                raise SignalledError
            called = event == "opcode" and frame.f_lasti == last
            return trace

        return trace

    for last in calls:
        tracing = sys.gettrace()
        sys.settrace(interrupt_after(last))
        try:
            decorated()
        except SignalledError:
            interrupted += 1
        finally:
            sys.settrace(tracing)
        assert current_scope.get() is UNBOUNDED

    assert interrupted >= 3


def test_the_first_attempt_is_seen_on_the_short_way_too(alone: RecordingRuntime, way: Way) -> None:
    """The call knows which attempt it is, whichever way it takes."""
    seen: list[object] = []
    decorated = way.decorate(Policy("stock", Retry(4)), lambda: seen.append(current_attempt()))

    decorated()
    decorated()

    assert seen[0] == seen[1]
    assert (current_attempt(), seen[0].number, seen[0].of) == (None, 1, 4)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]


def test_the_flow_is_not_begun_for_a_call_that_succeeds(
    alone: RecordingRuntime, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not from the second call on, as long as there is one runtime and the circuit is closed."""
    decorated = way.decorate(Policy("stock", Retry(3), Breaker()), lambda: "here")
    begun: list[object] = []
    decorated()

    monkeypatch.setattr(LivePolicy, "_steps", begun.append)

    assert [decorated(), decorated(), begun] == ["here", "here", []]


def test_the_long_way_is_taken_once_there_is_another_runtime(alone: RecordingRuntime) -> None:
    """A call belongs to the runtime of its own context, not to the one that happened to be first."""
    decorated = STOCK(positional)
    decorated(1)
    other = RecordingRuntime()

    with environment.activated(other):
        decorated(1)

    assert isinstance(other.policies, Policies)
    assert other.policies.of(STOCK).breaker is not alone.policies.of(STOCK).breaker


def never(_: environment.Environment) -> bool:
    """Say that there are others."""
    return False


POLICIES = (
    Policy("stock", Retry(3, backoff=Constant(0.0))),
    Policy("stock", Breaker(failure_threshold=2, recovery_timeout=5.0)),
    Policy("stock", Retry(2, backoff=Constant(1.0)), Breaker(failure_threshold=3), Timeout(9.0)),
    Policy("stock", Retry(2, backoff=Constant(0.0)), Fallback(lambda: "fallback")),
)


@given(
    policy=st.sampled_from(POLICIES),
    script=st.lists(st.sampled_from(["value", "down", "wrong"]), max_size=30),
    on=st.sampled_from([OnThread, OnLoop]),
)
def test_both_ways_end_alike(
    policy: Policy, script: list[str], on: type[OnThread] | type[OnLoop]
) -> None:
    """Whatever calls do, the short way changes neither an answer, nor a state, nor an event."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(environment, "_known", weakref.WeakSet[environment.Environment]())
        short = _played(policy, script, on())
        patch.setattr(environment, "is_alone", never)
        long = _played(policy, script, on())

    assert short == long


def _played(policy: Policy, script: list[str], way: Way) -> list[object]:
    runtime = RecordingRuntime()
    left = list(script)
    ends: list[object] = []

    def call() -> str:
        doing = left.pop(0) if left else "value"
        if doing == "down":
            raise ServiceUnavailableError("down")
        if doing == "wrong":
            raise AppError(ErrorCode.VALIDATION_FAILED)
        return doing

    with environment.activated(runtime):
        decorated = way.decorate(policy, call)
        while left:
            try:
                ends.append(decorated())
            except (AppError, CircuitOpenError) as error:
                ends.append(error.code)
            runtime.clock.sleep(1.0)
    events = [(event.name, dict(event.attributes)) for event in runtime.recorded.events]
    environment.dismiss(runtime)
    return [*ends, *events]


def test_a_task_that_is_cancelled_on_the_short_way_stays_cancelled(
    alone: RecordingRuntime,
) -> None:
    """Nobody retries what is not wanted any more, and the circuit does not count it."""

    async def run() -> tuple[bool, int]:
        calls = 0

        @Policy("stock", Retry(3), Breaker(failure_threshold=1))
        async def call(seconds: float) -> None:
            nonlocal calls
            calls += 1
            begun.set()
            await asyncio.Event().wait() if seconds else None

        begun = asyncio.Event()
        await call(0)
        begun.clear()
        task = asyncio.ensure_future(call(1))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await call(0)
        return task.cancelled(), calls

    assert asyncio.run(run()) == (True, 3)
