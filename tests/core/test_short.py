"""The short forms: one circuit by name, shared by whoever names it."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any, cast

import pytest

from holdfast import environment
from holdfast.errors import CircuitOpenError, ServiceUnavailableError, ValidationError
from holdfast.resilience.backoff import Constant
from holdfast.resilience.breaking import Breaker
from holdfast.resilience.deadline import deadline
from holdfast.resilience.policy import Policy
from holdfast.resilience.retry import Retry
from holdfast.resilience.short import retry_with_circuit_breaker, with_circuit_breaker
from holdfast.resilience.timeout import Timeout
from holdfast.settings import Settings, load_settings
from holdfast.testing import RecordingRuntime

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class Failing:
    """Fails at every call, and counts them."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error or ServiceUnavailableError("down")
        self.calls = 0

    def __call__(self) -> None:
        """Fail."""
        self.calls += 1
        raise self.error


@pytest.fixture(params=["thread", "loop"])
def use(
    request: pytest.FixtureRequest,
) -> Callable[[Decorator, Callable[[], Any]], Callable[[], Any]]:
    """Decorate a function as it is, or as a coroutine function."""

    def decorated(decorator: Decorator, function: Callable[[], Any]) -> Callable[[], Any]:
        if request.param == "thread":

            @decorator
            def plain() -> object:
                return cast("object", function())

            return plain

        @decorator
        async def asynchronous() -> object:
            return cast("object", function())

        return lambda: asyncio.run(asynchronous())

    return decorated


Use = Callable[[Decorator, Callable[[], Any]], Callable[[], Any]]


@pytest.fixture(autouse=True)
def forgotten() -> Generator[None]:
    """Leave no policy of a test to the next one."""
    gc.collect()
    yield
    gc.collect()


def fail(function: Callable[[], Any], times: int = 1) -> list[str]:
    """Call what fails, and return what it failed with."""
    names: list[str] = []
    for _ in range(times):
        with pytest.raises(Exception) as caught:  # noqa: PT011  # whatever it is
            function()
        names.append(type(caught.value).__name__)
    return names


def test_a_circuit_opens_after_five_failures(use: Use, runtime: RecordingRuntime) -> None:
    """The defaults of `Breaker`; then nothing is called any more."""
    failing = Failing()
    ask = use(with_circuit_breaker(name="external-api"), failing)

    assert fail(ask, 7) == ["ServiceUnavailableError"] * 5 + ["CircuitOpenError"] * 2
    assert failing.calls == 5


def test_functions_that_name_a_circuit_share_it(use: Use, runtime: RecordingRuntime) -> None:
    """Both short forms, in any order; another name is another circuit."""
    failing, other = Failing(), Failing()
    first = use(with_circuit_breaker("api"), failing)
    second = use(retry_with_circuit_breaker("api", max_retries=0), failing)
    third = use(with_circuit_breaker("api"), other)
    apart = use(with_circuit_breaker("other"), other)

    fail(first, 3)
    fail(second, 2)

    assert fail(third) == fail(first) == fail(second) == ["CircuitOpenError"]
    assert other.calls == 0
    assert fail(apart) == ["ServiceUnavailableError"]
    assert runtime.policies.circuit("api").state == "open"


def test_every_runtime_has_its_own_circuit(use: Use) -> None:
    """A test that makes a fresh one needs to reset nothing."""
    failing = Failing()
    ask = use(with_circuit_breaker("api"), failing)

    for _ in range(2):
        with environment.activated(RecordingRuntime()):
            fail(ask, 6)

    assert failing.calls == 10


@pytest.mark.parametrize(
    "error", [KeyError("sku"), ValidationError("no"), ServiceUnavailableError()]
)
def test_every_exception_is_retried(error: Exception, use: Use, runtime: RecordingRuntime) -> None:
    """`max_retries` further attempts, and the last error itself."""
    failing = Failing(error)
    rows = use(retry_with_circuit_breaker(name="database", max_retries=3), failing)

    with pytest.raises(type(error)) as caught:
        rows()

    assert caught.value is error
    assert failing.calls == 4


def test_every_attempt_goes_through_the_circuit(use: Use, runtime: RecordingRuntime) -> None:
    """Which opens in the middle of the attempts, and is not retried then."""
    failing = Failing()
    rows = use(retry_with_circuit_breaker("database", max_retries=20), failing)

    assert fail(rows) == ["CircuitOpenError"]
    assert failing.calls == 5


def test_an_open_circuit_is_waited_for_within_a_deadline(
    use: Use, runtime: RecordingRuntime
) -> None:
    """Because it says itself how long that takes."""
    failing = Failing()
    fail(use(with_circuit_breaker("database"), failing), 5)
    fine = use(retry_with_circuit_breaker("database"), lambda: "rows")

    with deadline(600.0):
        assert fine() == "rows"
    assert runtime.clock.monotonic() > 0


def test_a_call_that_succeeds_at_last_returns(use: Use, runtime: RecordingRuntime) -> None:
    """With what it returned."""
    ends = iter([KeyError("a"), KeyError("b"), "rows"])

    def rows() -> object:
        end = next(ends)
        if isinstance(end, Exception):
            raise end
        return end

    assert use(retry_with_circuit_breaker("database", max_retries=2), rows)() == "rows"


@pytest.mark.parametrize("policy_first", [True, False])
def test_the_policy_of_the_name_says_what_the_circuit_is(
    use: Use, runtime: RecordingRuntime, *, policy_first: bool
) -> None:
    """Whichever is used first: two failures open the one circuit of both."""
    failing = Failing()
    policy = Policy("payments", Timeout(2.0), Breaker(failure_threshold=2))
    charge = use(policy, failing)
    ask = use(with_circuit_breaker("payments"), failing)

    for call in (charge, ask) if policy_first else (ask, charge):
        assert fail(call) == ["ServiceUnavailableError"]

    assert fail(charge) == fail(ask) == ["CircuitOpenError"]
    assert runtime.policies.explain("payments").name == "payments"


def test_a_policy_that_comes_later_takes_over(use: Use, runtime: RecordingRuntime) -> None:
    """As of a module that is imported late: from its first call on its circuit is everybody's."""
    failing = Failing()
    ask = use(with_circuit_breaker("payments"), failing)
    fail(ask, 3)
    charge = use(Policy("payments", Breaker(failure_threshold=1)), failing)

    assert fail(charge) == ["ServiceUnavailableError"]
    assert fail(ask) == ["CircuitOpenError"]


def test_a_policy_without_a_circuit_leaves_the_short_forms_theirs(
    use: Use, runtime: RecordingRuntime
) -> None:
    """A name may be used for both."""
    failing = Failing()
    stock = use(Policy("stock", Retry(2, backoff=Constant(0.0))), failing)
    ask, rows = (
        use(with_circuit_breaker("stock"), failing),
        use(with_circuit_breaker("stock"), failing),
    )

    fail(stock, 9)
    fail(ask, 5)

    assert fail(rows) == ["CircuitOpenError"]
    assert fail(stock) == ["ServiceUnavailableError"]


def test_settings_tune_the_circuit_by_its_name(use: Use) -> None:
    """And the retries, when the short form has them."""
    told: dict[str, object] = {
        "reporters": [],
        "policies": {"api": {"breaker": {"failure_threshold": 2}, "retry": {"attempts": 2}}},
    }
    runtime = RecordingRuntime(load_settings(Settings, told, root="", case="lower"))
    failing = Failing()
    with environment.activated(runtime):
        rows = use(retry_with_circuit_breaker("api", max_retries=9), failing)

        assert fail(rows) == ["ServiceUnavailableError"]
        assert fail(rows) == ["CircuitOpenError"]
    assert failing.calls == 2


def test_reloaded_settings_hold_at_once(use: Use, runtime: RecordingRuntime) -> None:
    """Also for functions that took the short way."""
    failing = Failing()
    ask = use(with_circuit_breaker("api"), failing)
    fail(ask, 1)

    runtime.policies.reload({"api": {"BREAKER": {"FAILURE_THRESHOLD": 1}}})
    fail(ask, 1)

    assert fail(ask) == ["CircuitOpenError"]


def generator() -> Iterator[int]:
    """Yield something."""
    yield 1


async def asynchronous_generator() -> AsyncIterator[int]:
    """Yield something."""
    yield 1


@pytest.mark.parametrize("function", [generator, asynchronous_generator])
@pytest.mark.parametrize("decorator", [with_circuit_breaker, retry_with_circuit_breaker])
def test_a_generator_function_is_refused(
    decorator: Callable[[str], Decorator], function: Callable[..., object]
) -> None:
    """When its calls end, and how, only who iterates knows."""
    with pytest.raises(TypeError, match="is a generator function"):
        decorator("api")(function)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda: with_circuit_breaker(cast("Any", generator)),
            "needs a name: write @with_circuit_br",
        ),
        (lambda: with_circuit_breaker(cast("Any", 7)), "takes the name of a circuit, not 7"),
        (lambda: with_circuit_breaker(""), "needs the name of a circuit"),
        (lambda: retry_with_circuit_breaker("a", max_retries=-1), "max_retries must be 0 to 999"),
        (lambda: retry_with_circuit_breaker("a", max_retries=1000), "0 to 999, not 1000"),
        (
            lambda: retry_with_circuit_breaker("a", max_retries=cast("int", 1.5)),
            "max_retries must be a whole number",
        ),
    ],
)
def test_mistakes_are_told_where_they_are_made(make: Callable[[], object], said: str) -> None:
    """When the module is imported, not when the circuit should open."""
    with pytest.raises((TypeError, ValueError), match=said):
        make()


def test_a_function_keeps_its_name_and_its_parameters(runtime: RecordingRuntime) -> None:
    """And its signature, for whoever reads it."""

    @with_circuit_breaker(name="api")
    def ask(sku: str, *, size: int = 1) -> str:
        """Ask."""
        return sku * size

    assert ask("8", size=2) == ask("88") == "88"
    assert (ask.__name__, ask.__doc__) == ("ask", "Ask.")


def test_a_refusal_is_the_suites_own(runtime: RecordingRuntime) -> None:
    """With the name, and the seconds after which to come back."""
    ask = with_circuit_breaker("api")(Failing())
    fail(ask, 5)

    with pytest.raises(CircuitOpenError) as caught:
        ask()

    assert "'api'" in str(caught.value)
    assert caught.value.retry_after


def test_calls_of_an_equal_policy_leave_the_short_way_open(
    runtime: RecordingRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a policy that takes over the circuit of short forms sends all calls the long way, once."""
    with_circuit_breaker(name="api")(len)("881")
    policy, equal = (Policy("api", Breaker()) for _ in range(2))
    shut: list[None] = []
    monkeypatch.setattr("holdfast.resilience.policies.shut_gates", lambda: shut.append(None))

    for each in (policy, equal, equal):
        each.call(len, "881")

    assert len(shut) == 1
