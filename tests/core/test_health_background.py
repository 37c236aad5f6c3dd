"""What is looked at in the background: for as long as somebody wants it, and no longer."""

import gc
import math
import threading
import weakref

import pytest

from holdfast.health import HealthRegistry
from holdfast.health.ticker import OVER, Ticker
from holdfast.testing import FakeClock

PATIENCE = 10.0
"""Seconds that a test waits for what does not come when something is broken."""
NAME = "holdfast-health-background"


class Looks:
    """A check that counts how often it looked."""

    def __init__(self) -> None:
        self.count = 0
        self._looked = threading.Semaphore(0)

    def __call__(self) -> None:
        """Look."""
        self.count += 1
        self._looked.release()

    def wait(self) -> bool:
        """Wait for one more."""
        return self._looked.acquire(timeout=PATIENCE)


def ticking(others: set[threading.Thread]) -> list[threading.Thread]:
    """Return the threads that look in the background."""
    return [t for t in threading.enumerate() if t.name == NAME and t not in others]


@pytest.fixture
def others() -> set[threading.Thread]:
    """Threads that were there before the test."""
    return set(threading.enumerate())


def test_a_check_that_lost_its_place_is_looked_at_no_more() -> None:
    """Also when the one in its place is for probes alone."""
    clock, old = FakeClock(), Looks()
    registry = HealthRegistry(clock)
    registry.register_check("one", old, every=30.0)
    registry.report()
    assert old.wait()
    assert registry.runner._ticker.stop(PATIENCE)
    assert registry.runner.look() is not None

    registry.register_check("one", lambda: True, replace=True)
    clock.advance(1000.0)
    registry.report()

    assert registry.runner.look() is None
    assert old.count == 1


def test_a_registry_that_is_closed_begins_no_thread_again(others: set[threading.Thread]) -> None:
    """A probe may still come while the process leaves."""
    registry, looks = HealthRegistry(), Looks()
    registry.register_check("one", looks, every=30.0)
    registry.close()

    registry.report()

    assert looks.wait()
    assert ticking(others) == []


def test_a_registry_that_nobody_has_any_more_is_looked_after_by_nobody(
    others: set[threading.Thread],
) -> None:
    """Its thread ends, and keeps nothing of it."""
    registry = HealthRegistry()
    registry.register_check("one", lambda: True, every=0.05)
    registry.report()
    (thread,) = ticking(others)
    gone = weakref.ref(registry)

    del registry
    gc.collect()
    thread.join(PATIENCE)

    assert not thread.is_alive()
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("wait", [math.inf, 1e12, None])
def test_a_round_may_ask_for_any_wait(wait: float | None) -> None:
    """The thread goes on, and has the next round when it is woken."""
    rounds = Looks()

    def tick() -> float | None:
        rounds()
        return wait

    ticker = Ticker(tick, "test")
    ticker.start()
    assert rounds.wait()
    ticker.wake()

    assert rounds.wait()
    assert ticker.stop(PATIENCE)


def test_the_last_round_says_so() -> None:
    """No thread is left that waits for more."""
    ticker = Ticker(lambda: OVER, "test")

    ticker.start()

    assert ticker.stop(PATIENCE)
    assert not ticker.is_running


def test_a_ticker_that_is_begun_again_goes_on() -> None:
    """Also while the last round from before is under way; two rounds never are at once."""
    going, release, most = Looks(), threading.Event(), [0, 0]

    def tick() -> None:
        most[0] += 1
        most[1] = max(most)
        going()
        release.wait(PATIENCE)
        most[0] -= 1

    ticker = Ticker(tick, "test")
    ticker.start()
    assert going.wait()
    assert not ticker.stop(0)

    ticker.start()
    release.set()

    assert going.wait()
    assert ticker.stop(PATIENCE)
    assert (going.count, most[1]) == (2, 1)
