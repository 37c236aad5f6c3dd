"""When a circuit opens: rules over the calls of a closed period, against counting by hand."""

from bisect import bisect_right

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.resilience.circuit.line import GRAIN, Line
from holdfast.resilience.circuit.period import EVERY
from holdfast.resilience.circuit.rules import AnyOf, Consecutive, CountWindow, Rule
from holdfast.resilience.circuit.terms import Terms
from holdfast.resilience.circuit.windows import SlowRate, TimeTally, TimeWindow
from tests.core.circuits import Bench

MANY = 10**9
"""More calls than a test makes, so that a rule never opens."""


def bench_of(rule: Rule) -> Bench:
    """Return a circuit that opens by a rule."""
    return Bench(Terms(rule=rule))


def line_of(bench: Bench) -> Line:
    """Return what a window of time keeps."""
    tally = bench.circuit.period.tally
    assert isinstance(tally, TimeTally)
    return tally._line


@given(st.lists(st.booleans(), max_size=120), st.integers(1, 12), st.integers(1, 12))
def test_a_count_window_is_exact(results: list[bool], calls: int, minimum: int) -> None:
    """It opens at the very failure at which the share of the latest calls is reached."""
    minimum = min(minimum, calls)
    bench = bench_of(CountWindow(0.5, calls, minimum))
    latest: list[bool] = []

    for succeeded in results:
        latest = [*latest, succeeded][-calls:]
        permit = bench.circuit.acquire()
        if succeeded:
            permit.success()
            continue
        permit.failure()
        expected = len(latest) >= minimum and latest.count(False) >= 0.5 * len(latest)
        assert (bench.state == "open") is expected
        if expected:
            break


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 5))
def test_failures_in_a_row_are_exact(results: list[bool], limit: int) -> None:
    """A success, on whichever way, begins a new row."""
    bench = bench_of(Consecutive(limit))
    row = 0

    for number, succeeded in enumerate(results):
        row = 0 if succeeded else row + 1
        if succeeded and number % 2:
            bench.circuit.period.succeeded()
        elif succeeded:
            bench.succeed()
        else:
            bench.fail()
        assert (bench.state == "open") is (row >= limit)
        if row >= limit:
            break


_steps = st.lists(
    st.tuples(st.floats(0.0, 4.0), st.sampled_from(["success", "burst", "failure"])), max_size=40
)


@given(_steps)
def test_a_time_window_is_right_to_within_its_bound(steps: list[tuple[float, str]]) -> None:
    """What it takes for the window differs by what happened within a 64th of it, and 64 successes."""
    seconds = 10.0
    bench = bench_of(TimeWindow(1.0, seconds, MANY))
    events: list[tuple[float, str]] = []
    for wait, what in steps:
        bench.clock.advance(wait)
        now = bench.clock.monotonic()
        if what == "failure":
            bench.fail()
            events.append((now, what))
            continue
        for _ in range(150 if what == "burst" else 1):
            bench.succeed()
            events.append((now, "success"))
    bench.fail()
    now = bench.clock.monotonic()
    events.append((now, "failure"))

    numbers = (bench.circuit.period.successes, sum(what == "failure" for _, what in events), 0)
    successes, failures, _ = line_of(bench).within(now, numbers)

    def true(what: str, edge: float) -> int:
        return sum(1 for at, kind in events if kind == what and at > now - edge)

    grain = seconds / GRAIN
    assert true("failure", seconds) <= failures <= true("failure", seconds + 2 * grain)
    times = [at for at, _ in events]
    dense = max(bisect_right(times, at + grain) - place for place, at in enumerate(times))
    assert abs(successes - true("success", seconds)) <= dense + EVERY


def test_a_time_window_forgets() -> None:
    """Failures of a while ago say nothing of now."""
    bench = bench_of(TimeWindow(0.5, 10.0, 4))
    bench.fail(3)
    bench.clock.advance(20.0)

    bench.fail(3)

    assert bench.state == "closed"
    bench.fail()
    assert bench.ear.transitions() == [("closed", "open", "4 of 4 calls failed")]


def test_a_time_window_needs_its_share() -> None:
    """Half of the calls, and not one less."""
    bench = bench_of(TimeWindow(0.5, 10.0, 4))
    bench.succeed(5)
    bench.fail(4)
    assert bench.state == "closed"

    bench.fail()

    assert bench.ear.transitions() == [("closed", "open", "5 of 10 calls failed")]


def test_memory_of_a_time_window_is_bounded() -> None:
    """However often calls fail; and it still knows how many of them lie within."""
    bench = bench_of(TimeWindow(1.0, 10.0, MANY))

    for _ in range(20_000):
        bench.clock.advance(0.001)
        bench.fail()

    line, now = line_of(bench), bench.clock.monotonic()
    assert len(line._points) <= 2 * GRAIN + 4
    failures = line.within(now, (0, 20_000, 0))[1]
    assert 10_000 <= failures <= 10_000 * (1 + 2 / GRAIN)


def test_successes_that_nobody_dated_are_taken_to_be_spread_evenly() -> None:
    """Between one failure and the next, if they are few."""
    bench = bench_of(TimeWindow(1.0, 10.0, MANY))
    bench.fail()
    for _ in range(40):
        bench.clock.advance(0.5)
        bench.succeed()

    successes = line_of(bench).within(bench.clock.monotonic(), (40, 1, 0))[0]

    assert 19.0 <= successes <= 21.0


def test_slow_calls_open_it_although_they_succeed() -> None:
    """When too large a share of them was slow."""
    bench = bench_of(SlowRate(0.5, slower_than=1.0, seconds=10.0, minimum=4))
    for seconds in (0.1, 0.2, 1.0):
        bench.circuit.acquire().success(seconds)
    assert bench.state == "closed"

    bench.circuit.acquire().success(2.0)

    assert bench.ear.transitions() == [("closed", "open", "2 of 4 calls were slow")]
    assert [each for each in bench.ear.heard if each[0] == "slow"] == [("slow", 1.0), ("slow", 2.0)]


def test_failures_that_were_slow_count_as_slow() -> None:
    """A time-out is both; a quick refusal is not slow."""
    bench = bench_of(SlowRate(0.5, slower_than=1.0, seconds=10.0, minimum=2))
    bench.circuit.acquire().failure(None, 0.1)
    bench.circuit.acquire().failure(None, 0.1)
    assert bench.state == "closed"

    bench.circuit.acquire().failure(None, 1.5)
    bench.circuit.acquire().failure(None, 1.5)

    assert bench.state == "open"


def test_a_slow_probe_opens_it_again() -> None:
    """What was too slow before is too slow still."""
    bench = bench_of(SlowRate(0.5, slower_than=1.0, seconds=10.0, minimum=1))
    bench.circuit.acquire().success(2.0)
    bench.clock.advance(60.0)

    bench.circuit.acquire().success(2.0)

    assert bench.ear.transitions()[-1] == ("half-open", "open", "a probe was slow")


def test_any_of_several_rules_opens_it() -> None:
    """Whichever has a reason first, and it is said which."""
    rule = AnyOf(Consecutive(3), SlowRate(0.5, slower_than=1.0, seconds=10.0, minimum=2))
    by_row, by_time = bench_of(rule), bench_of(rule)

    by_row.fail(3)
    by_time.circuit.acquire().success(1.0)
    by_time.circuit.acquire().success(1.0)

    assert by_row.ear.transitions() == [("closed", "open", "3 failures in a row")]
    assert by_time.ear.transitions() == [("closed", "open", "2 of 2 calls were slow")]
    assert (rule.slower_than, rule.window) == (1.0, 10.0)


def test_only_rules_of_durations_ask_for_them() -> None:
    """Callers read the clock for nothing else."""
    assert not bench_of(AnyOf(Consecutive(), CountWindow(), TimeWindow())).circuit.period.timed
    assert bench_of(AnyOf(Consecutive(), SlowRate())).circuit.period.timed
    assert Bench(Terms(durations=True)).circuit.period.timed


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Consecutive(0), "Consecutive.failures must be at least 1, not 0"),
        (lambda: CountWindow(0.0), "CountWindow.rate is a share, above 0 and at most 1, not 0.0"),
        (lambda: CountWindow(calls=0), "CountWindow.calls must be at least 1"),
        (
            lambda: CountWindow(calls=5, minimum=6),
            r"must not exceed calls \(5\), or it never opens",
        ),
        (lambda: TimeWindow(1.1), "TimeWindow.rate is a share"),
        (lambda: TimeWindow(seconds=0.0), "TimeWindow.seconds must be more than 0, and finite"),
        (lambda: TimeWindow(minimum=0), "TimeWindow.minimum must be at least 1"),
        (lambda: SlowRate(slower_than=0.0), "SlowRate.slower_than must be more than 0 seconds"),
        (AnyOf, "AnyOf needs at least one rule"),
    ],
)
def test_rules_out_of_range_are_refused(make: type[Rule], message: str) -> None:
    """When they are written."""
    with pytest.raises(ValueError, match=message):
        make()
