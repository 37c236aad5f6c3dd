"""Commands on circuits that workers share through Redis: what they show, and whom they reach."""

import uuid
from collections.abc import Iterator

import pytest

from holdfast import environment
from holdfast.resilience.breaking import Breaker
from holdfast.resilience.circuit.period import State
from holdfast.resilience.inspection import answer
from holdfast.resilience.policy import Policy
from holdfast.runtime import Runtime
from holdfast.settings import CircuitsSettings, Settings
from holdfast.testing import RecordingRuntime
from tests.integrations.conftest import need

need("redis")

pytestmark = pytest.mark.service("redis")

NAME = "shared payments"
PAYMENTS = Policy(NAME, Breaker(recovery_timeout=600))


@pytest.fixture
def workers() -> Iterator[list[RecordingRuntime]]:
    """Two workers of a service, and the process of a command; they exchange when a test says so."""
    told = Settings(
        service=f"test-{uuid.uuid4()}",
        reporters=(),
        circuits=CircuitsSettings(shared="redis://127.0.0.1:6379/0"),
    )
    made = [RecordingRuntime(told) for _ in range(3)]
    yield made
    for each in made:
        each.close()


def opened(workers: list[RecordingRuntime]) -> None:
    """Have both workers see failures, so that the fleet opens."""
    for worker in workers[:2]:
        with environment.activated(worker):
            worker.policies.of(PAYMENTS)
            worker.policies.circuit(NAME).open("it is down")
    for worker in [*workers[:2], *workers[:2]]:
        worker.policies.catch_up(5.0)


def test_a_command_shows_what_the_workers_share(workers: list[RecordingRuntime]) -> None:
    """Although its own process has made no call."""
    opened(workers)

    told = answer(workers[2].policies, "breakers", "list")

    (line,) = [line for line in told.text.splitlines() if line.startswith(NAME)]
    assert line.split()[2] == "open"
    assert "what the workers share" in told.text


def test_a_reset_reaches_the_workers(workers: list[RecordingRuntime]) -> None:
    """They stop refusing, and probe."""
    opened(workers)

    told = answer(workers[2].policies, "breakers", "reset", NAME)
    for worker in workers[:2]:
        worker.policies.catch_up(5.0)

    assert "the workers that share it are told" in told.text
    states = [worker.policies.circuit(NAME).state for worker in workers[:2]]
    assert states == [State.HALF_OPEN, State.HALF_OPEN]


def test_forcing_open_reaches_nobody_and_says_so(workers: list[RecordingRuntime]) -> None:
    """Overrides are of one process."""
    for worker in workers[:2]:
        worker.policies.of(PAYMENTS)

    told = answer(workers[2].policies, "breakers", "force-open", NAME)
    for worker in workers:
        worker.policies.catch_up(5.0)

    assert "not even where circuits are shared" in told.text
    assert [each.policies.circuit(NAME).state for each in workers[:2]] == [State.CLOSED] * 2


@pytest.mark.parametrize(("port", "possible"), [(6379, True), (1, False)])
def test_who_waits_is_told_whether_it_was_possible(port: int, *, possible: bool) -> None:
    """A thread of its own exchanges; a command waits for it, a limited time."""
    shared = CircuitsSettings(shared=f"redis://127.0.0.1:{port}/0")
    service = f"test-{uuid.uuid4()}"
    runtime = Runtime(Settings(service=service, reporters=(), circuits=shared))
    runtime.policies.of(PAYMENTS)

    found = [runtime.policies.catch_up(10.0) for _ in range(2)]

    assert found == [possible, possible]
    runtime.close()


def test_a_store_that_is_away_is_told() -> None:
    """Nothing is pretended of what could not be asked."""
    away = CircuitsSettings(shared="redis://127.0.0.1:1/0")
    runtime = RecordingRuntime(Settings(service="shop", reporters=(), circuits=away))

    shown = answer(runtime.policies, "breakers", "show", NAME)
    reset = answer(runtime.policies, "breakers", "reset", NAME)

    assert "cannot be asked" in shown.text
    assert "No other process hears of it" in reset.text
    runtime.close()
