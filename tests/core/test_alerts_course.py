"""The course of an alert, whatever happens and whatever the clock does."""

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from holdfast.reporting.alerts.course import MEMORY, WARM_UP, Course, Turn
from holdfast.reporting.alerts.rules import AlertRule

EACH = AlertRule(name="each", cool_down=60, recover_after=300)
BURST = AlertRule(name="burst", count=10, window=20, cool_down=60, recover_after=300)
CHANGE = AlertRule(name="change", when="change", count=10, factor=3, window=60, recover_after=60)


def step(course: Course, now: float, events: int = 0, rule: AlertRule = EACH) -> Turn | None:
    """Take one step, as folding does."""
    return course.step(rule, events, now, new_id="a")


def stages(turns: list[Turn | None]) -> list[str]:
    """Return the stages of the messages that are due."""
    return [turn.stage.value for turn in turns if turn is not None]


@pytest.mark.parametrize("times", [1, 9])
def test_fewer_than_the_count_are_no_burst(times: int) -> None:
    """Nine within the window are not ten, and one that left it does not count."""
    course = Course(begun=0, last=0)

    turns = [step(course, 21.0 * n, times, BURST) for n in range(5)]

    assert stages(turns) == []


def test_a_burst_counts_what_led_to_it() -> None:
    """The first message says all events within the window."""
    course = Course(begun=0, last=0)

    turns = [step(course, n, 2, BURST) for n in range(5)]

    assert [turn for turn in turns if turn] == [turns[4]]
    assert turns[4] is not None
    assert (turns[4].events, turns[4].total) == (10, 10)


def test_a_burst_is_over_when_there_is_none_any_more() -> None:
    """Single events do not keep it open; the last message tells of them."""
    course = Course(begun=0, last=0)
    step(course, 0, 10, BURST)

    turns = [step(course, now, 1, replace(BURST, cool_down=1000)) for now in range(30, 331, 30)]

    assert stages(turns) == ["recovered"]
    assert turns[-2] is not None
    assert turns[-2].events == 10


def test_a_change_is_measured_by_what_is_usual() -> None:
    """Twice as many as usual are no change, and four times as many are; what lasts becomes usual."""
    course = Course(begun=0, last=0)
    quiet = [step(course, 6.0 * n, 2, CHANGE) for n in range(10 * 2 * MEMORY)]
    now = course.last

    twice = [step(course, now + 6.0 * n, 4, CHANGE) for n in range(1, 10)]
    more = [step(course, now + 60 + 6.0 * n, 10, CHANGE) for n in range(300)]

    assert stages(quiet) == stages(twice) == []
    assert stages(more)[0] == "opened"
    assert stages(more)[-1] == "recovered"


def test_nothing_is_a_change_before_anything_is_usual() -> None:
    """What a process meets when it begins is compared with nothing."""
    course = Course(begun=0, last=0)

    early = [step(course, float(n), 20, CHANGE) for n in range(int(WARM_UP * CHANGE.window))]

    assert stages(early) == []


def test_what_never_happened_changes_by_happening() -> None:
    """After a while without any, the least count is enough."""
    course = Course(begun=0, last=0)

    turn = step(course, WARM_UP * CHANGE.window + 1, 10, CHANGE)

    assert stages([turn]) == ["opened"]


def test_what_was_usual_is_forgotten() -> None:
    """After long silence a few are many again."""
    course = Course(begun=0, last=0)
    for number in range(10 * 2 * MEMORY):
        step(course, 6.0 * number, 2, CHANGE)

    turn = step(course, course.last + 60 * 5 * MEMORY, 10, CHANGE)

    assert stages([turn]) == ["opened"]


def test_a_clock_that_goes_back_hurries_nothing() -> None:
    """An hour back, cool-down and recovery take as long as ever."""
    course = Course(begun=5000, last=5000)
    step(course, 5000, 1)
    step(course, 5030, 1)

    back = [step(course, 1400.0 + n, 1 if n == 0 else 0) for n in range(331)]

    assert [n for n, turn in enumerate(back) if turn is not None] == [30, 300]
    assert stages(back) == ["continues", "recovered"]


def test_joined_courses_count_both() -> None:
    """What another one has still to tell, this one tells."""
    mine, theirs = Course(begun=0, last=0), Course(begun=0, last=0)
    for course, events in ((mine, 3), (theirs, 4)):
        step(course, 0, 1)
        step(course, 10, events)

    mine.join(theirs, 4)
    turn = step(mine, 60)

    assert turn is not None
    assert (turn.events, turn.total) == (7, 8)


class AnyCourse(RuleBasedStateMachine):
    """Events, time, and a clock that jumps, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = 10_000.0
        """What the clock shows."""
        self.real = 0.0
        """Seconds that have passed in truth, but for jumps ahead."""
        self.course = Course(begun=self.clock, last=self.clock)
        self.matched = self.told = 0
        self.open = ""
        self.last_said = float("-inf")
        self.number = 0

    @rule(events=st.integers(0, 50), seconds=st.floats(0, 400))
    def happen(self, events: int, seconds: float) -> None:
        """Let time pass, and events happen."""
        self.clock += seconds
        self.real += seconds
        self.look(events)

    @rule(seconds=st.floats(0, 10_000))
    def jump_back(self, seconds: float) -> None:
        """Set the clock back."""
        self.clock -= seconds
        self.look(0)

    @rule(seconds=st.floats(400, 100_000))
    def jump_ahead(self, seconds: float) -> None:
        """Set the clock ahead: for whoever looks that is time that has passed."""
        self.clock += seconds
        self.real += seconds
        self.look(0)

    def look(self, events: int) -> None:
        """Take a step, and judge what it says."""
        self.number += 1
        self.matched += events
        turn = self.course.step(EACH, events, self.clock, new_id=str(self.number))
        if turn is None:
            return
        self.told += turn.events
        if turn.stage == "opened":
            assert not self.open
            self.open = turn.id
            assert turn.events > 0
        else:
            assert turn.id == self.open
        if turn.stage == "continues":
            assert self.real - self.last_said >= EACH.cool_down - 1e-3
            assert turn.events > 0
        if turn.stage == "recovered":
            self.open = ""
        self.last_said = self.real

    @invariant()
    def every_event_is_told_or_will_be(self) -> None:
        """Nothing is lost and nothing told twice."""
        assert self.told + self.course.pending == self.matched
        assert self.course.is_open == bool(self.open)


TestAnyCourse = AnyCourse.TestCase
TestAnyCourse.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
