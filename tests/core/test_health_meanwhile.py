"""What is said of a slow check while it is looked at anew: what it said a moment ago, not for long."""

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest

from holdfast.health import HealthRegistry, HealthReport, HealthStatus, Ttl
from holdfast.testing import FakeClock

SLOW = 0.1
REPORTS: list[Callable[[HealthRegistry], HealthReport]] = [
    lambda registry: registry.report(),
    lambda registry: asyncio.run(registry.areport()),
]


class Slow:
    """A check that takes a while, and from the second time on as long as it is held."""

    def __init__(self, clock: FakeClock) -> None:
        self.calls = 0
        self.go = threading.Event()
        self._clock = clock

    def __call__(self) -> dict[str, object]:
        """Take a while."""
        self.calls += 1
        if self.calls == 1:
            self._clock.advance(SLOW)
        else:
            self.go.wait()
        return {"call": self.calls}


@pytest.fixture
def clock() -> FakeClock:
    """Make a clock that stands still."""
    return FakeClock()


@pytest.fixture
def slow(clock: FakeClock) -> Iterator[Slow]:
    """Make a check, and let it go when the test is over."""
    check = Slow(clock)
    yield check
    check.go.set()


@pytest.fixture(params=REPORTS, ids=["thread", "loop"])
def report(request: pytest.FixtureRequest) -> Callable[[HealthRegistry], HealthReport]:
    """Ask in both ways."""
    way: Callable[[HealthRegistry], HealthReport] = request.param
    return way


def test_nobody_waits_for_a_slow_check_that_has_lately_answered(
    clock: FakeClock, slow: Slow, report: Callable[[HealthRegistry], HealthReport]
) -> None:
    """Its answer serves on while the next is looked for, so that probes hold no worker."""
    registry = HealthRegistry(clock)
    registry.register_check("search", slow, timeout=60.0)
    report(registry)
    clock.advance(2.0)

    meanwhile = report(registry).results[0]  # would wait a minute otherwise

    assert (meanwhile.status, meanwhile.details) == (HealthStatus.PASS, {"call": 1})
    assert slow.calls == 2


def test_what_a_slow_check_said_does_not_hide_that_it_hangs(
    clock: FakeClock, slow: Slow, report: Callable[[HealthRegistry], HealthReport]
) -> None:
    """Once it is late it fails, as soon as it would have for who waited."""
    registry = HealthRegistry(clock)
    registry.register_check("search", slow, timeout=1.0, ttl=Ttl(passing=10.0))
    report(registry)
    clock.advance(10.0)
    meanwhile = report(registry).status
    clock.advance(1.1)

    assert meanwhile is HealthStatus.PASS
    assert report(registry).status is HealthStatus.FAIL


def test_what_a_slow_check_said_long_ago_is_not_told(
    clock: FakeClock, slow: Slow, report: Callable[[HealthRegistry], HealthReport]
) -> None:
    """Who asks seldom waits, and gets what is so now."""
    registry = HealthRegistry(clock)
    registry.register_check("search", slow, timeout=0.2)
    report(registry)
    clock.advance(6.0)

    assert report(registry).status is HealthStatus.FAIL


@pytest.mark.parametrize("ttl", [Ttl(), Ttl(passing=0.0)], ids=["kept", "not-kept"])
def test_who_wants_it_fresh_gets_nothing_said_before(
    clock: FakeClock, slow: Slow, ttl: Ttl
) -> None:
    """`run_all_checks` waits, and so does everybody where no answer is to be kept."""
    registry = HealthRegistry(clock)
    registry.register_check("search", slow, timeout=0.2, ttl=ttl)
    registry.report()
    clock.advance(1.05 if ttl.passing else 0.01)

    found = registry.get_health_status() if ttl.passing else registry.report()

    assert found.status is HealthStatus.FAIL
