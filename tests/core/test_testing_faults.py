"""What the test kit does to policies: faults on demand, forced circuits, events with assertions."""

import asyncio
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from holdfast import CircuitOpenError, ServiceUnavailableError, environment
from holdfast.environment import current
from holdfast.resilience.breaking import Breaker
from holdfast.resilience.policy import Policy
from holdfast.resilience.retry import Retry
from holdfast.testing import RecordingRuntime, fail_times, force_open, plugin
from tests.core.ways import Way


def fine(value: str) -> str:
    """Return the value."""
    return value


class TestFailTimes:
    def test_the_next_calls_of_a_policy_fail(self, way: Way, runtime: RecordingRuntime) -> None:
        """Below all layers, so that retries are made; after the block nothing fails any more."""
        policy = Policy("payments", Retry(3))
        decorated = way.decorate(policy, fine)

        with fail_times(2, ServiceUnavailableError("down"), policy="payments"):
            assert decorated("first") == "first"
            assert runtime.recorded.names("retry.scheduled") == ["retry.scheduled"] * 2
            assert way.call(policy, fine, "second") == "second"
        nine = fail_times(9, ServiceUnavailableError, policy="payments")
        with nine, pytest.raises(ServiceUnavailableError):
            decorated("third")
        assert decorated("fourth") == "fourth"

    def test_a_policy_that_was_not_called_yet_fails_too(
        self, way: Way, runtime: RecordingRuntime
    ) -> None:
        """The name is enough."""
        with fail_times(1, TimeoutError, policy="orders"), pytest.raises(TimeoutError):
            way.call(Policy("orders"), fine, "x")

    def test_a_block_within_another_gives_back_what_it_stood_in_for(
        self, way: Way, runtime: RecordingRuntime
    ) -> None:
        """The outer one lasts until its own end."""
        policy = Policy("payments")

        with fail_times(9, TimeoutError, policy="payments"):
            with (
                fail_times(9, ServiceUnavailableError, policy="payments"),
                pytest.raises(ServiceUnavailableError),
            ):
                way.call(policy, fine, "x")
            with pytest.raises(TimeoutError):
                way.call(policy, fine, "x")

        assert way.call(policy, fine, "x") == "x"

    def test_the_circuit_goes_on_meanwhile(self, way: Way, runtime: RecordingRuntime) -> None:
        """What fails on purpose counts, before the block and after it."""
        policy = Policy("payments", Breaker(failure_threshold=2))
        way.call(policy, fine, "x")
        for _ in range(2):
            once = fail_times(1, ServiceUnavailableError, policy="payments")
            with once, pytest.raises(ServiceUnavailableError):
                way.call(policy, fine, "x")

        with pytest.raises(CircuitOpenError):
            way.call(policy, fine, "x")

    def test_a_function_is_wrapped(self) -> None:
        """It fails so often, then does its work; plain or asynchronous."""
        error = KeyError("no")
        plain = fail_times(1, error)(fine)

        async def later(value: str) -> str:
            return value

        awaited = fail_times(1, TimeoutError)(later)

        with pytest.raises(KeyError) as caught:
            plain("x")
        assert caught.value is error
        assert plain("x") == "x"
        with pytest.raises(TimeoutError):
            asyncio.run(awaited("x"))
        assert asyncio.run(awaited("x")) == "x"
        assert plain.__name__ == "fine"

    def test_a_block_needs_a_name(self) -> None:
        """Of whose calls fail."""
        with pytest.raises(ValueError, match="needs the name of a policy"), fail_times(1, KeyError):
            pass


class TestForceOpen:
    def test_calls_are_refused_inside_the_block(self, way: Way, runtime: RecordingRuntime) -> None:
        """Without failures, and not for longer; a decorated function's too."""
        policy = Policy("payments", Breaker())
        decorated = way.decorate(policy, fine)
        assert decorated("x") == "x"

        with force_open("payments"), pytest.raises(CircuitOpenError) as caught:
            decorated("x")

        assert getattr(caught.value, "reason", "") == "forced"
        assert decorated("x") == "x"

    def test_the_policy_has_to_be_there(self, runtime: RecordingRuntime) -> None:
        """A name misspelt would let the test pass without what it tests."""
        policy = Policy("payments-gateway", Breaker())

        with pytest.raises(LookupError, match="did you mean"), force_open("payments-gatewey"):
            pass
        assert policy.layers


class TestRecorded:
    def test_transitions_are_asserted_by_circuit(self, runtime: RecordingRuntime) -> None:
        """Those of others do not count; what happened instead is said."""
        policies = [Policy(name, Breaker(failure_threshold=1)) for name in ("payments", "orders")]
        for policy in policies:
            once = fail_times(1, ServiceUnavailableError, policy=policy.name)
            with once, pytest.raises(ServiceUnavailableError):
                policy.call(fine, "x")
        runtime.policies.circuit("payments").close()

        runtime.recorded.assert_transitions("payments", "open", "closed")
        runtime.recorded.assert_transitions("orders", "open")
        runtime.recorded.assert_transitions("none")
        assert runtime.recorded.names("circuit.") == [
            "circuit.opened",
            "circuit.opened",
            "circuit.closed",
        ]
        with pytest.raises(AssertionError, match=r"'orders' entered \['open'\], not \['closed'\]"):
            runtime.recorded.assert_transitions("orders", "closed")


class TestCurrent:
    def test_a_runtime_is_everybodys_inside_a_block(self) -> None:
        """Of event loops with a context of their own too; what was installed comes back."""
        before, runtime = environment.default(), RecordingRuntime()

        with runtime.current():
            found = [current(), environment.default()]

        assert found == [runtime, runtime]
        assert environment.default() is before

    def test_chance_is_seeded(self) -> None:
        """Two tests draw the same, unless they ask for another seed."""
        first, second, third = RecordingRuntime(), RecordingRuntime(), RecordingRuntime(seed=7)

        drawn = [runtime.chance.random() for runtime in (first, second, third)]

        assert drawn[0] == drawn[1] != drawn[2]


SUITE = """
import sys

import pytest

from holdfast import CircuitOpenError, ServiceUnavailableError
from holdfast.resilience.breaking import Breaker
from holdfast.resilience.policy import Policy
from holdfast.testing import fail_times

payments = Policy("payments", Breaker(failure_threshold=1, recovery_timeout=60))


@pytest.mark.parametrize("number", range(2))
def test_each_test_has_a_circuit_of_its_own(number, holdfast_events, holdfast_clock):
    with fail_times(1, ServiceUnavailableError, policy="payments"):
        with pytest.raises(ServiceUnavailableError):
            payments.call(len, "881")
        with pytest.raises(CircuitOpenError):
            payments.call(len, "881")
        holdfast_clock.advance(60)
        assert payments.call(len, "881") == 3
    assert payments.call(len, "881") == 3
    holdfast_events.assert_transitions("payments", "open", "half-open", "closed")


@pytest.mark.anyio
async def test_event_loops_find_the_runtime(holdfast_runtime):
    await payments.acall(later)
    assert [each.name for each in holdfast_runtime.policies.snapshot()] == ["payments"]


async def later():
    return 1


@pytest.fixture
def anyio_backend():
    return "asyncio"
"""


def test_the_plugin_gives_each_test_a_runtime(tmp_path: Path) -> None:
    """The fixtures work in a project of its own, in any order; nothing is loaded without them."""
    tmp_path.joinpath("test_shop.py").write_text(SUITE, encoding="utf-8")
    tmp_path.joinpath("test_other.py").write_text(
        "import sys\n\ndef test_nothing_is_loaded():\n    assert 'holdfast.runtime' not in sys.modules\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "holdfast.testing.plugin", "-p", "anyio"]

    done = [
        subprocess.run(
            [*command, "-p", "no:cacheprovider", "-W", "error", *files],
            cwd=tmp_path,
            env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        for files in (["test_shop.py"], ["test_other.py"])
    ]

    assert [each.stdout.splitlines()[-1].split(" in ")[0] for each in done] == [
        "3 passed",
        "1 passed",
    ], done[0].stdout + done[0].stderr


def test_the_plugin_is_declared_by_the_name_of_its_module() -> None:
    """Else pytest refuses to load it by `-p` where it is installed, as the same under two names."""
    told = Path(__file__).parents[2] / "packages" / "core" / "pyproject.toml"

    declared = tomllib.loads(told.read_text())["project"]["entry-points"]["pytest11"]

    assert declared == {plugin.__name__: plugin.__name__}
