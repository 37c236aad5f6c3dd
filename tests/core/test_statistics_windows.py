"""Counts over sliding windows are right to within what lies at the window's old edge."""

from hypothesis import given
from hypothesis import strategies as st

from holdfast.reporting.statistics import Recent
from holdfast.reporting.statistics.windows import SLICES, SLOT, Windows

LENGTHS = (60.0, 300.0, 900.0, 3600.0)
steps = st.lists(
    st.tuples(
        st.one_of(st.floats(0, 20), st.floats(0, 600), st.floats(0, 50_000)), st.integers(1, 50)
    ),
    max_size=40,
)
"""Seconds that pass, and how much happens then."""


def bounds(happened: list[float], now: float, length: float) -> tuple[float, float, float]:
    """Return how many moments are within a window, and how many in the slice at its old edge."""
    width = length / SLICES
    edge = int(now / width) - SLICES
    exact = sum(now - length < moment <= now for moment in happened)
    at_edge = sum(int(moment / width) == edge for moment in happened)
    return exact, at_edge, width


@given(steps, st.one_of(st.floats(0, 5000), st.just(0.0)))
def test_a_count_is_right_but_for_the_slice_at_the_old_edge(
    steps: list[tuple[float, int]], after: float
) -> None:
    """Against a list of every moment: what may be wrong is what one twelfth of the window holds."""
    windows, happened, now = Windows(), list[float](), 0.0

    for passed, number in steps:
        now += passed
        windows.add(int(now / SLOT), number)
        happened += [now] * number
    now += after
    counted = windows.recent(now / SLOT)

    for count, length in zip(counted, LENGTHS, strict=True):
        exact, at_edge, _ = bounds(happened, now, length)
        assert abs(count - exact) <= at_edge + 1e-6


@given(steps, steps)
def test_merged_windows_count_what_both_did(
    ours: list[tuple[float, int]], theirs: list[tuple[float, int]]
) -> None:
    """A series that is folded into another takes its past along, also when one of them is behind."""
    one, two, both = Windows(), Windows(), Windows()
    moments = [(0.0, 0, one)]
    for steps, windows in ((ours, one), (theirs, two)):
        now = 0.0
        for passed, number in steps:
            now += passed
            moments.append((now, number, windows))
    moments.sort(key=lambda moment: moment[0])
    for moment, number, windows in moments:
        windows.add(int(moment / SLOT), number)
        both.add(int(moment / SLOT), number)

    one.merge(two)

    now = moments[-1][0] / SLOT
    pairs = zip(one.recent(now), both.recent(now), strict=True)
    assert all(abs(merged - counted) < 1e-6 for merged, counted in pairs)


@given(st.floats(0, 1e5), st.floats(0.01, 1e5), st.integers(1, 1000))
def test_what_is_spread_is_all_there(since: float, length: float, number: int) -> None:
    """Of what is spread over a time each window holds the part of the time that it covers."""
    windows = Windows()
    until = since + length

    windows.spread(since, until, number)
    counted = windows.recent(until)

    for count, seconds in zip(counted, LENGTHS, strict=True):
        covered = min(length, seconds / SLOT) / length
        slice_ = min(length, seconds / SLOT / SLICES) / length
        assert abs(count - number * covered) <= number * slice_ + 1e-6


@given(st.floats(1000, 1100))
def test_what_comes_steadily_is_counted_as_it_is(now: float) -> None:
    """One in each slot: within a slice the old edge moves on, and does not jump with the slice."""
    windows = Windows()
    for slot in range(int(now) + 1):
        windows.add(slot, 1)

    counted = windows.recent(now)

    for count, length in zip(counted, LENGTHS, strict=True):
        assert abs(count - length / SLOT) <= 1 + 1e-6


def test_after_a_long_silence_nothing_is_recent() -> None:
    """What happened leaves the windows one after the other, and all of them in an hour."""
    windows = Windows()
    windows.add(10, 7)

    seen = [windows.recent(10 + seconds / SLOT) for seconds in (0, 70, 330, 980, 3910, 1e9)]

    assert [tuple(map(bool, recent)) for recent in seen] == [
        (True, True, True, True),
        (False, True, True, True),
        (False, False, True, True),
        (False, False, False, True),
        (False, False, False, False),
        (False, False, False, False),
    ]


def test_what_comes_late_counts_as_of_the_latest_moment() -> None:
    """A thread that was held up takes nothing away, and revives no slice that is gone."""
    windows = Windows()
    windows.add(1000, 1)

    windows.add(3, 2)

    assert windows.recent(1000.0).minute == 3


def test_rates_are_counts_by_the_length_of_the_window() -> None:
    """Per second, and as shares of a whole that may be nothing."""
    recent = Recent(60.0, 300.0, 900.0, 3600.0)

    assert recent.per_second() == (1.0, 1.0, 1.0, 1.0)
    assert recent.over(Recent(120.0, 0.0, 900.0, 7200.0)) == (0.5, 0.0, 1.0, 0.5)
    assert recent.minus(Recent(10.0, 400.0, 0.0, 0.0)) == (50.0, 0.0, 900.0, 3600.0)
