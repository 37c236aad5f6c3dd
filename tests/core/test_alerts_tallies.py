"""Counting where events happen: exact, bounded, by the rules."""

import threading
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.events import Event, Scalar
from holdfast.kinds import Severity
from holdfast.reporting.alerts.rules import AlertRule, Key
from holdfast.reporting.alerts.tallies import IDLE, MAX_KEYS, OTHER, Tallies
from holdfast.testing import FakeClock

WHEN = datetime(2024, 1, 15, tzinfo=UTC)


def event(
    name: str = "error.handled", severity: Severity = Severity.ERROR, **attributes: Scalar
) -> Event:
    """Return an event."""
    return Event(name=name, severity=severity, time=WHEN, attributes=attributes)


def counts(tallies: Tallies) -> dict[tuple[str, str], int]:
    """Return what was counted since the last time."""
    return {(one.rule.name, one.key): one.events for one in tallies.take()}


def test_no_event_is_lost_among_threads() -> None:
    """Many threads count while one reads, and the sum is exact."""
    rules = [AlertRule(name="each"), AlertRule(name="all", by="none")]
    tallies = Tallies(rules, FakeClock())
    events = [event(code=f"CODE_{number}") for number in range(7)]
    found = dict.fromkeys([*(("each", f"CODE_{n}") for n in range(7)), ("all", "")], 0)

    def hear() -> None:
        for number in range(7000):
            tallies.hear(events[number % 7])

    threads = [threading.Thread(target=hear) for _ in range(8)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        for place, number in counts(tallies).items():
            found[place] += number
    for place, number in counts(tallies).items():
        found[place] += number

    assert found == {**{("each", f"CODE_{n}"): 8000 for n in range(7)}, ("all", ""): 56_000}


@pytest.mark.parametrize(
    ("by", "key"),
    [
        ("code", "DB_DOWN"),
        ("fingerprint", "f1"),
        ("operation", "checkout"),
        ("name", "error.handled"),
        ("none", ""),
    ],
)
def test_events_are_folded_by_one_fact(by: Key, key: str) -> None:
    """A rule says which."""
    tallies = Tallies([AlertRule(name="any", by=by)], FakeClock())

    tallies.hear(event(code="DB_DOWN", fingerprint="f1", operation="checkout"))

    assert counts(tallies) == {("any", key): 1}


def test_what_has_no_such_fact_is_folded_by_name() -> None:
    """Any event can have an alert, those without a code too."""
    tallies = Tallies([AlertRule(name="any", on="circuit.*")], FakeClock())

    tallies.hear(event("circuit.opened", circuit="payments"))

    assert counts(tallies) == {("any", "circuit.opened"): 1}


@pytest.mark.parametrize(
    ("rule", "heard"),
    [
        (AlertRule(name="r", code="PAY_*"), True),
        (AlertRule(name="r", code="pay_*"), False),
        (AlertRule(name="r", severity=Severity.CRITICAL), False),
        (AlertRule(name="r", on="job.*"), False),
        (AlertRule(name="r", where={"operation": "check*", "kind": "INTERNAL"}), True),
        (AlertRule(name="r", where={"operation": "check*", "kind": "TIMED_OUT"}), False),
        (AlertRule(name="r", where={"absent": "*"}), True),
        (AlertRule(name="r", where={"absent": "?*"}), False),
        (AlertRule(name="r", where={"status": "5??"}), True),
        (AlertRule(name="r", where={"trusted": "False"}), True),
    ],
)
def test_a_rule_is_about_what_all_its_patterns_fit(rule: AlertRule, *, heard: bool) -> None:
    """Event, severity, code and further facts."""
    tallies = Tallies([rule], FakeClock())
    happened = event(
        code="PAY_DOWN", operation="checkout", kind="INTERNAL", status=500, trusted=False
    )

    for _ in range(2):  # once by the rules, once by what is remembered of them
        assert tallies.hear(happened) is heard


def test_keys_are_bounded() -> None:
    """Beyond them events are counted together, and none is lost."""
    tallies = Tallies([AlertRule(name="any", by="operation")], FakeClock())

    for number in range(MAX_KEYS + 50):
        tallies.hear(event(code="A", operation=f"op-{number}"))
    found = counts(tallies)

    assert len(found) == MAX_KEYS + 1
    assert found["any", OTHER] == 50


def test_keys_that_are_long_gone_give_way() -> None:
    """A fingerprint of last week does not keep today's from having an alert of its own."""
    clock = FakeClock()
    tallies = Tallies([AlertRule(name="any", by="operation")], clock)
    for number in range(MAX_KEYS):
        tallies.hear(event(operation=f"op-{number}"))
    tallies.take()
    clock.advance(IDLE)
    tallies.take()

    tallies.hear(event(operation="new"))
    tallies.hear(event(operation="op-1"))

    assert counts(tallies) == {("any", "new"): 1, ("any", "op-1"): 1}


def test_a_thread_that_was_about_to_count_still_counts() -> None:
    """A key that gives way in that moment loses no event."""
    clock = FakeClock()
    tallies = Tallies([AlertRule(name="any", by="operation")], clock)
    for number in range(MAX_KEYS):
        tallies.hear(event(operation=f"op-{number}"))
    tallies.take()
    tally = tallies._tallies[0]["op-1"]  # as a thread holds it that is interrupted here
    clock.advance(IDLE)
    tallies.take()

    tally.add()

    assert counts(tallies) == {("any", "op-1"): 1}


@given(st.lists(st.tuples(st.sampled_from("ABCDE"), st.sampled_from(list(Severity))), max_size=60))
def test_every_event_counts_for_every_rule_it_fits(happened: list[tuple[str, Severity]]) -> None:
    """In whatever order they come."""
    tallies = Tallies(
        [
            AlertRule(name="grave", severity=Severity.ERROR, by="none"),
            AlertRule(name="b", code="B"),
        ],
        FakeClock(),
    )

    for code, severity in happened:
        tallies.hear(event(severity=severity, code=code))
    found = counts(tallies)

    grave = sum(severity >= Severity.ERROR for _, severity in happened)
    assert found.get(("grave", ""), 0) == grave
    assert found.get(("b", "B"), 0) == sum(code == "B" for code, _ in happened)


@pytest.mark.parametrize(
    "wrong",
    [
        {"count": 0},
        {"window": 0.0},
        {"cool_down": -1.0},
        {"recover_after": float("inf")},
        {"factor": 1.0},
        {"when": "sometimes"},
        {"by": "colour"},
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    """It says which of its values that is."""
    with pytest.raises(ValueError, match=rf"rule 'r': {next(iter(wrong))} must be"):
        AlertRule(name="r", **wrong)  # type: ignore[arg-type]  # wrong on purpose
