"""Series by value stay few, keep what matters and lose no error; durations are summed up as they are."""

import statistics
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.reporting.statistics.series import MAX_LABEL, OTHER, Seen, Table, label
from holdfast.reporting.statistics.sketch import ACCURACY, LONGEST, SHORTEST, Sketch

START = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)


def seen(slot: int, number: int = 1, *, recovered: bool = False) -> Seen:
    """Make errors of a slot."""
    time = START + timedelta(seconds=5 * slot)
    return Seen(slot, number, recovered, time, time)


@given(
    st.lists(
        st.tuples(st.integers(0, 60).map(str) | st.just(OTHER), st.integers(1, 9), st.booleans()),
        max_size=300,
    )
)
def test_every_error_is_in_exactly_one_series(errors: list[tuple[str, int, bool]]) -> None:
    """Whatever is folded away: totals and windows of the series add up to all there was."""
    table, total, recovered = Table(20), 0, 0

    for slot, (value, number, was_recovered) in enumerate(errors):
        table.add(value, seen(slot, number, recovered=was_recovered))
        total += number
        recovered += number * was_recovered

    series = [one for _, one in table.items()]
    assert len(series) <= 20 + 1
    assert sum(one.total for one in series) == total
    assert sum(one.recovered for one in series) == recovered
    now = float(len(errors))
    assert sum(one.windows.recent(now).hour for one in series) == pytest.approx(total)
    assert all(one.first_seen <= one.last_seen for one in series)


def test_a_flood_of_values_that_come_once_drives_out_itself() -> None:
    """What keeps coming has its place, from before the flood or from within it."""
    table = Table(100)
    table.add("OLD", seen(0, 50))

    for number in range(100_000):
        table.add(f"ONCE_{number}", seen(1))
        if number % 50 == 0:
            table.add("NEW", seen(1))

    found = dict(table.items())
    assert (found["OLD"].total, found["NEW"].total) == (50, 2000)
    assert len(found) <= 101
    assert found[OTHER].total + len(found) - 3 == 100_000
    assert table.folded == found[OTHER].total


def test_what_was_frequent_once_makes_room_for_what_comes_now() -> None:
    """Importance is that of the last hour: values of last week do not hold their places for ever."""
    table = Table(10)
    for number in range(10):
        table.add(f"LAST_WEEK_{number}", seen(0, 1000))

    for slot in range(120_000, 120_020):
        table.add("NOW", seen(slot))

    found = dict(table.items())
    assert found["NOW"].total == 20
    assert found[OTHER].total == 1000


def test_when_a_value_was_seen_first_and_last_is_known() -> None:
    """And `other` has been seen since the first of what it holds."""
    table = Table(10)
    for slot in range(10):
        table.add(f"CODE_{slot}", seen(slot))
    table.add("CODE_9", seen(30))

    table.add("ONE_MORE", seen(40))

    found = dict(table.items())
    assert found["CODE_9"].first_seen == seen(9).first
    assert found["CODE_9"].last_seen == seen(30).last
    assert found[OTHER].first_seen == found[OTHER].last_seen == seen(0).first


@given(st.text(st.characters(), max_size=300))
def test_a_label_is_short_and_can_be_encoded(text: str) -> None:
    """Lone surrogates and floods do not get out."""
    kept = label(text)

    assert len(kept) <= MAX_LABEL
    assert kept.encode("utf-8").decode("utf-8") == kept


@given(st.lists(st.floats(SHORTEST, LONGEST), min_size=1, max_size=200), st.floats(0.01, 1))
@settings(max_examples=200)
def test_a_quantile_is_right_within_the_accuracy(took: list[float], portion: float) -> None:
    """Against the sorted list: no more than 5 % from the duration of that rank."""
    sketch = Sketch()
    for seconds in took:
        sketch.add(seconds)

    found = sketch.quantile(portion)

    ranked = sorted(took)
    rank = max(1, -int(-portion * len(took) // 1))
    assert abs(found - ranked[rank - 1]) <= ranked[rank - 1] * ACCURACY * 1.0001


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=50))
def test_a_summary_says_count_mean_and_longest(took: list[float]) -> None:
    """Exactly, also of durations that are too short or too long to be told apart."""
    sketch = Sketch()
    for seconds in took:
        sketch.add(seconds)

    said = sketch.summary()

    assert (said.count, said.longest) == (len(took), max(took))
    assert said.mean == pytest.approx(statistics.fmean(took))
    assert said.p95 <= said.longest


def test_no_durations_are_no_quantile() -> None:
    """Nothing took no time."""
    said = Sketch().summary()

    assert (said.count, said.mean, said.p95, said.longest) == (0, 0, 0, 0)
