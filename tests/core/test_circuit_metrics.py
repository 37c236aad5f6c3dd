"""What a circuit counts, for how long, and what it costs to keep."""

import statistics
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from holdfast.resilience.circuit.metrics import MAX_DURATIONS
from holdfast.resilience.circuit.period import State
from holdfast.resilience.circuit.terms import Terms
from tests.core.circuits import Bench


def test_it_counts_what_calls_came_to() -> None:
    """Each in one column, and the shares of those that say something of the other side."""
    bench = Bench(Terms(3, 10.0, 1, durations=True))
    bench.succeed(5)
    bench.fail(2, ValueError())
    bench.circuit.acquire().ignore()
    bench.fail(1, TimeoutError())
    for _ in range(4):
        assert bench.ask() is None

    metrics = bench.circuit.snapshot().metrics

    assert (metrics.successes, metrics.failures, metrics.timeouts) == (5, 3, 1)
    assert (metrics.rejections, metrics.ignored, metrics.calls) == (4, 1, 8)
    assert metrics.failure_rate == 0.375
    assert metrics.slow_rate == 0.0


def test_what_is_older_than_the_window_is_forgotten() -> None:
    """To within what the window tells apart."""
    bench = Bench(Terms(99, metrics_window=60.0))
    bench.succeed(3)
    bench.fail(4)
    bench.clock.advance(59.0)
    assert bench.circuit.snapshot().metrics.failures == 4

    bench.clock.advance(2.5)
    bench.fail()

    metrics = bench.circuit.snapshot().metrics
    assert metrics.failures == 1
    assert metrics.successes < 0.2


def test_counts_outlive_the_states() -> None:
    """Successes of the closed state, of probes, of a shadow, and those that came late."""
    bench = Bench(Terms(2, 10.0, 2, ramp=()))
    bench.succeed(3)
    late = bench.circuit.acquire()
    bench.open()
    late.success()
    bench.clock.advance(10.0)
    bench.succeed(2)
    bench.circuit.disable()
    bench.succeed(4)

    assert bench.circuit.snapshot().metrics.successes == 10


def test_nothing_called_is_no_rate() -> None:
    """And no percentile."""
    metrics = Bench().circuit.snapshot().metrics

    assert (metrics.failure_rate, metrics.slow_rate, metrics.p95) == (0.0, 0.0, None)


@given(st.lists(st.floats(0.0, 100.0), min_size=1, max_size=300))
def test_percentiles_are_those_of_the_durations(durations: list[float]) -> None:
    """Exact, as long as they are kept."""
    bench = Bench(Terms(durations=True))
    for seconds in durations:
        bench.circuit.acquire().success(seconds)

    metrics = bench.circuit.snapshot().metrics

    ordered = sorted(durations)
    assert metrics.p50 == statistics.median_low(ordered)
    assert metrics.p99 == ordered[-(len(ordered) // 100) - 1]


def test_only_the_latest_durations_are_kept() -> None:
    """So that memory is bounded."""
    bench = Bench(Terms(durations=True))
    for _ in range(MAX_DURATIONS):
        bench.circuit.acquire().success(9.0)
    for _ in range(MAX_DURATIONS):
        bench.circuit.acquire().success(1.0)

    assert bench.circuit.snapshot().metrics.p99 == 1.0


def test_durations_of_calls_before_the_window_are_left_out() -> None:
    """They are those of the latest calls, as many as the window holds."""
    bench = Bench(Terms(99, durations=True))
    for _ in range(5):
        bench.circuit.acquire().failure(None, 9.0)
    bench.clock.advance(200.0)
    for _ in range(3):
        bench.circuit.acquire().failure(None, 1.0)

    assert bench.circuit.snapshot().metrics.p99 == 1.0


def test_a_snapshot_says_when() -> None:
    """In times of the wall, aware; looking changes nothing."""
    bench = Bench()
    bench.open()
    bench.clock.advance(4.0)

    shown = bench.circuit.snapshot()

    assert shown.until is not None
    assert shown.since == bench.clock.now() - timedelta(seconds=4.0)
    assert shown.until == bench.clock.now() + timedelta(seconds=6.0)
    assert shown.reason == "2 failures in a row"
    bench.clock.advance(6.0)
    assert bench.circuit.snapshot().state is State.OPEN


def test_rejections_on_the_short_way_are_dated_now_and_then() -> None:
    """By every 64th of them."""
    bench = Bench(hearing=("transition",))
    bench.circuit.open("maintenance", 1e6)
    for _ in range(640):
        bench.clock.advance(1.0)
        assert bench.ask() is None

    assert 60 <= bench.circuit.snapshot().metrics.rejections <= 60 + 64
