"""How a service stands: by what was seen of it, and by nothing else."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from holdfast.health import CheckResult, HealthStatus
from holdfast.health.monitor import Standing, State, Thresholds
from holdfast.health.monitor.standing import Change, after, change

BEGIN = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
WORDS = {
    "+": HealthStatus.PASS,
    "-": HealthStatus.FAIL,
    "~": HealthStatus.WARN,
    "o": HealthStatus.WARN,
}


def seen(word: str, number: int = 0) -> CheckResult:
    """Return a result: `+` passes, `-` fails, `~` warns, `o` is a failure that is tolerated."""
    return CheckResult(
        name="database",
        status=WORDS[word],
        time=BEGIN + timedelta(seconds=number),
        duration=0.1,
        output="" if word == "+" else "said so",
        critical=word != "o",
        tolerated=word == "o",
    )


def states(words: str, *, failures: int = 3, successes: int = 1) -> list[str]:
    """Return the states that results lead through, by their first letters but for U of UNKNOWN."""
    standing, found = Standing(), list[str]()
    thresholds = Thresholds(failures=failures, successes=successes)
    for word in words:
        standing = after(standing, seen(word), thresholds)
        found.append({"UNHEALTHY": "X"}.get(standing.state, standing.state[0]))
    return found


@pytest.mark.parametrize(
    ("words", "failures", "successes", "expected"),
    [
        ("+", 3, 1, "H"),
        ("-", 3, 1, "D"),
        ("-", 1, 1, "X"),
        ("---", 3, 1, "DDX"),
        ("--+---", 3, 1, "DDHDDX"),
        ("---+", 3, 1, "DDXH"),
        ("---+-+-++", 3, 2, "DDXXXXXXH"),
        ("-++", 3, 2, "DDH"),
        ("+", 3, 2, "H"),
        ("+~+", 3, 1, "HDH"),
        ("~~~~", 3, 1, "DDDD"),
        ("---~", 3, 1, "DDXD"),
        ("---~~+", 3, 2, "DDXXDH"),
        ("--~--", 3, 1, "DDDDD"),
        ("ooo", 3, 1, "DDX"),
    ],
    ids=[
        "a first success",
        "a first failure",
        "one is enough",
        "three in a row",
        "a success between",
        "it is over",
        "no flapping",
        "degraded until it is believed",
        "what never failed needs no proof",
        "a warning",
        "warnings are no failures",
        "a warning ends an outage",
        "warnings are believed as successes are",
        "a warning between",
        "optional ones have outages too",
    ],
)
def test_states_follow_from_what_is_seen(
    words: str, failures: int, successes: int, expected: str
) -> None:
    """Failures in a row make an outage, successes in a row end it, and nothing flaps in between."""
    assert "".join(states(words, failures=failures, successes=successes)) == expected


def test_a_standing_keeps_when_what_was_seen() -> None:
    """The last look, the last success and failure, since when, and how many there were."""
    standing = Standing()

    for number, word in enumerate("+---"):
        standing = after(standing, seen(word, number), Thresholds())

    assert standing.state is State.UNHEALTHY
    assert standing.since == standing.last_failure == standing.last_check
    assert standing.last_check == BEGIN + timedelta(seconds=3)
    assert standing.last_success == BEGIN
    assert (standing.checks, standing.failures, standing.outages) == (4, 3, 1)
    assert (standing.consecutive_failures, standing.consecutive_successes) == (3, 0)
    assert standing.output == "said so"


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (State.UNKNOWN, State.HEALTHY, None),
        (State.UNKNOWN, State.DEGRADED, Change.DEGRADED),
        (State.UNKNOWN, State.UNHEALTHY, Change.FAILED),
        (State.HEALTHY, State.DEGRADED, Change.DEGRADED),
        (State.HEALTHY, State.UNHEALTHY, Change.FAILED),
        (State.DEGRADED, State.HEALTHY, Change.RECOVERED),
        (State.DEGRADED, State.UNHEALTHY, Change.FAILED),
        (State.UNHEALTHY, State.HEALTHY, Change.RECOVERED),
        (State.UNHEALTHY, State.DEGRADED, Change.RECOVERED),
        (State.DEGRADED, State.DEGRADED, None),
    ],
)
def test_people_are_told_of_steps_between_states(
    before: State, now: State, expected: Change | None
) -> None:
    """Of each that matters to them, and of none that they would expect."""
    assert change(Standing(state=before), Standing(state=now)) is expected


@pytest.mark.parametrize("given", [{"failures": 0}, {"successes": 0}])
def test_a_threshold_is_one_at_least(given: dict[str, int]) -> None:
    """Nothing is believed before it was seen."""
    with pytest.raises(ValueError, match=rf"{next(iter(given))} must be 1 or more, not 0"):
        Thresholds(**given)


class Machine(RuleBasedStateMachine):
    """Any results, beside a history that is looked through anew each time."""

    @initialize(failures=st.integers(1, 4), successes=st.integers(1, 4))
    def begin(self, failures: int, successes: int) -> None:
        """Choose thresholds."""
        self.thresholds = Thresholds(failures=failures, successes=successes)
        self.standing = Standing()
        self.before = Standing()
        self.words = ""

    @rule(words=st.text("+-~o", min_size=1, max_size=6))
    def see(self, words: str) -> None:
        """Look several times."""
        for word in words:
            self.before = self.standing
            self.standing = after(self.standing, seen(word, len(self.words)), self.thresholds)
            self.words += word

    @precondition(lambda self: self.words)
    @invariant()
    def counts_are_those_of_the_history(self) -> None:
        """What is counted is what was seen."""
        failed = [word in "-o" for word in self.words]
        assert self.standing.checks == len(failed)
        assert self.standing.failures == sum(failed)
        assert self.standing.consecutive_failures == _trailing(failed, True)
        assert self.standing.consecutive_successes == _trailing(failed, False)
        assert self.standing.last_check == BEGIN + timedelta(seconds=len(failed) - 1)

    @precondition(lambda self: self.words)
    @invariant()
    def an_outage_is_what_it_says(self) -> None:
        """It begins with so many failures in a row, and lasts until so many successes in a row."""
        now, was = self.standing.state, self.before.state
        fails = self.standing.consecutive_failures
        if was is not State.UNHEALTHY:
            assert (now is State.UNHEALTHY) == (fails >= self.thresholds.failures)
        else:
            is_over = self.standing.consecutive_successes >= self.thresholds.successes
            assert (now is State.UNHEALTHY) != is_over

    @precondition(lambda self: self.words)
    @invariant()
    def healthy_is_whose_last_look_passed(self) -> None:
        """A service whose last look did not pass is never called healthy, nor unknown once looked at."""
        if self.words[-1] != "+":
            assert self.standing.state is not State.HEALTHY
        assert self.standing.state is not State.UNKNOWN


def _trailing(flags: list[bool], value: bool) -> int:  # noqa: FBT001  # the value that is counted
    for number, flag in enumerate(reversed(flags)):
        if flag is not value:
            return number
    return len(flags)


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=40, stateful_step_count=12)
