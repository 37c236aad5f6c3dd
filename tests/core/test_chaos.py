"""Failing on purpose: what it does to calls, how often, and that layers take it for the dependency's doing."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import AppError, CircuitOpenError, DeadlineExceededError, ErrorCode, environment
from holdfast.resilience.breaking import Breaker
from holdfast.resilience.chaos import Chaos
from holdfast.resilience.policy import Policy
from holdfast.resilience.retry import Retry
from holdfast.resilience.timeout import Deadline
from holdfast.runtime import Runtime
from holdfast.settings import Settings, load_settings
from holdfast.testing import RecordingRuntime, fail_times
from tests.core.ways import Way


def fine(value: str) -> str:
    """Return the value."""
    return value


@pytest.mark.parametrize("fault", [TimeoutError, TimeoutError("slow"), lambda: TimeoutError("new")])
def test_a_disturbed_call_fails_as_it_is_told(
    way: Way, runtime: RecordingRuntime, fault: type[TimeoutError]
) -> None:
    """By a class, an exception, or a function that makes one; the call is not made."""
    made: list[str] = []

    with pytest.raises(TimeoutError):
        way.call(Policy("stock", Chaos(fault=fault)), made.append, "881")

    assert made == []


def test_a_code_becomes_an_error_of_the_application(way: Way, runtime: RecordingRuntime) -> None:
    """So that settings can say what fails."""
    with pytest.raises(AppError) as caught:
        way.call(Policy("stock", Chaos(fault="SERVICE_UNAVAILABLE")), fine, "881")

    assert caught.value.code == ErrorCode.SERVICE_UNAVAILABLE
    assert runtime.read(caught.value).classification.transient


def test_another_result_may_come(way: Way, runtime: RecordingRuntime) -> None:
    """None included."""
    assert way.call(Policy("stock", Chaos(result=("other",))), fine, "881") == "other"
    assert way.call(Policy("none", Chaos(result=(None,))), fine, "881") is None


def test_a_slow_call_waits_and_is_made(way: Way, runtime: RecordingRuntime) -> None:
    """The latency is waited by the clock."""
    assert way.call(Policy("stock", Chaos(latency=2.5)), fine, "881") == "881"

    assert runtime.clock.monotonic() == 2.5


def test_latency_ends_at_the_deadline(way: Way, runtime: RecordingRuntime) -> None:
    """As a dependency that is too slow does."""
    policy = Policy("stock", Deadline(1.0), Chaos(latency=60.0))

    with pytest.raises(DeadlineExceededError):
        way.call(policy, fine, "881")

    assert runtime.clock.monotonic() == 1.0


def test_other_layers_take_it_for_the_dependency(way: Way, runtime: RecordingRuntime) -> None:
    """Retries are made, the circuit counts and opens."""
    policy = Policy(
        "stock", Retry(5), Breaker(failure_threshold=2), Chaos(fault="SERVICE_UNAVAILABLE")
    )

    with pytest.raises(CircuitOpenError):
        way.call(policy, fine, "881")

    runtime.recorded.assert_transitions("stock", "open")
    assert runtime.policies.of(policy).layers[-1].snapshot() == {"disturbed": 2}  # type: ignore[attr-defined]  # of chaos


def test_a_decorated_function_is_disturbed_from_its_first_call(
    way: Way, runtime: RecordingRuntime
) -> None:
    """Such a policy never takes the short way of calls that succeed."""
    decorated = way.decorate(Policy("stock", Retry(1), Chaos(fault=TimeoutError, rate=1.0)), fine)

    for _ in range(3):
        with pytest.raises(TimeoutError):
            decorated("881")


@given(st.floats(0, 1), st.integers(0, 2**32))
def test_the_rate_is_a_share_of_the_draws(rate: float, seed: int) -> None:
    """Which calls are disturbed is what chance draws, and the same seed draws the same."""
    runtime, draws = RecordingRuntime(seed=seed), random.Random(seed)  # noqa: S311  # drawn as the runtime draws
    policy = Policy("stock", Chaos(rate=rate, result=("disturbed",)))

    with environment.activated(runtime):
        found = [policy.call(fine, "fine") for _ in range(20)]

    assert found == ["disturbed" if draws.random() < rate else "fine" for _ in range(20)]


def test_it_ends_after_so_many_calls(way: Way, runtime: RecordingRuntime) -> None:
    """With `times` the rest is made as ever."""
    policy = Policy("stock", Chaos(result=("disturbed",), times=2))

    found = [way.call(policy, fine, "fine") for _ in range(4)]

    assert found == ["disturbed", "disturbed", "fine", "fine"]


def test_settings_disturb_a_policy_that_knows_nothing_of_it(way: Way) -> None:
    """By name, with what settings can hold."""
    told = load_settings(
        Settings,
        {
            "ENVIRONMENT": "test",
            "POLICIES": {"stock": {"CHAOS": {"FAULT": "SERVICE_UNAVAILABLE", "TIMES": 2}}},
        },
    )
    with environment.activated(RecordingRuntime(told)):
        assert way.decorate(Policy("stock", Retry(3)), fine)("881") == "881"
        with pytest.raises(AppError):
            way.call(Policy("stock", Retry(3)), lambda: fail("made"))


def fail(message: str) -> None:
    """Fail for good."""
    raise AppError(message)


@pytest.mark.parametrize(
    "wrong",
    [
        {"rate": -0.1},
        {"rate": 1.1},
        {"latency": -1.0},
        {"latency": float("inf")},
        {"times": -1},
        {"result": (1, 2)},
    ],
)
def test_impossible_disturbances_are_refused(wrong: dict[str, float]) -> None:
    """With what is wrong."""
    with pytest.raises(ValueError, match=rf"Chaos\.{next(iter(wrong))} must"):
        Chaos(**wrong)  # type: ignore[arg-type]  # that is what is tested


def test_faults_that_are_refused_leave_nothing_behind() -> None:
    """A policy that is first called afterwards works in production as ever."""
    runtime = Runtime(Settings(reporters=()))
    policy = Policy("undisturbed")

    with environment.activated(runtime):
        with pytest.raises(RuntimeError, match="this may be production"):
            fail_times(1, TimeoutError, policy=policy.name).__enter__()

        assert policy.call(len, "881") == 3
    runtime.close()


def test_an_environment_that_is_not_said_is_production() -> None:
    """Whatever the list of those where policies may fail came to."""
    settings = load_settings(Settings, {"CHAOS": {"ENVIRONMENTS": [""]}})

    assert not settings.allows_chaos()
