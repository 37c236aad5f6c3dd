"""Messages on their way: retries, order, budgets, and channels that hold up nobody."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from holdfast.clock import SystemClock
from holdfast.kinds import Severity
from holdfast.reporting.alerts.message import AlertMessage, Stage
from holdfast.reporting.alerts.outbox import (
    MAX_ATTEMPTS,
    MAX_WAITING,
    Budget,
    Line,
    Parcel,
    tell_all,
)
from holdfast.testing import FakeClock

WHEN = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)


def message(
    number: int = 1, stage: Stage = Stage.OPENED, count: int = 1, total: int = 1
) -> AlertMessage:
    """Return a message of an alert."""
    return AlertMessage(
        id=f"a{number}",
        rule="any",
        key=f"CODE_{number}",
        stage=stage,
        severity=Severity.ERROR,
        title="",
        time=WHEN,
        since=WHEN,
        count=count,
        total=total,
    )


class Carrier:
    """A channel that keeps what it is given, and fails as told."""

    name = "carrier"

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.taken: list[AlertMessage] = []
        self.came = threading.Event()

    def send(self, message: AlertMessage) -> None:
        """Fail, or keep the message."""
        if self.failures:
            raise self.failures.pop(0)
        self.taken.append(message)
        self.came.set()


class Stuck:
    """A channel that hangs until it is let go."""

    name = "stuck"

    def __init__(self) -> None:
        self.released = threading.Event()

    def send(self, message: AlertMessage) -> None:
        """Wait."""
        self.released.wait(30)


def nothing() -> None:
    """Do nothing."""


def pause(error: Exception, attempts: int) -> float | None:
    """Try again when a connection failed, after a second for each attempt."""
    return float(attempts) if isinstance(error, ConnectionError) else None


def notice(channel: str, messages: int, events: int) -> AlertMessage:
    """Tell of messages that were held back."""
    return replace(message(0, Stage.CONTINUES, events, events), title=f"{messages} held back")


class Desk:
    """A line without a thread, and a clock."""

    def __init__(self, *failures: Exception, budget: Budget | None = None) -> None:
        self.clock = FakeClock()
        self.channel = Carrier(*failures)
        self.line = Line(
            self.channel,
            clock=self.clock,
            pause=pause,
            notice=notice,
            budget=budget,
            threaded=False,
        )
        self.done: list[str] = []

    def post(self, *messages: AlertMessage) -> None:
        """Post messages."""
        for one in messages:
            self.line.post(Parcel(one, lambda name=one.id: self.done.append(name)))  # type: ignore[misc]  # bound now

    def pass_time(self, seconds: float = 0.0) -> float | None:
        """Let time pass, and send what is due."""
        self.clock.advance(seconds)
        return self.line.send_due()

    @property
    def taken(self) -> list[str]:
        """What the channel has, by alert."""
        return [one.id for one in self.channel.taken]


def test_what_fails_for_a_while_is_sent_again() -> None:
    """A message waits as long as it is told to, and the ones behind it keep their place."""
    desk = Desk(ConnectionError(), ConnectionError())
    desk.post(message(1), message(2))

    waits = [desk.pass_time(seconds) for seconds in (0, 0.5, 0.5, 2)]

    assert waits == [1.0, 0.5, 2.0, None]
    assert desk.taken == ["a1", "a2"]
    assert desk.done == ["a1", "a2"]
    assert desk.line.counts().outcomes() == {"delivered": 2, "failed": 2, "dropped": 0, "held": 0}


def test_what_cannot_be_sent_is_not_tried_again(capsys: pytest.CaptureFixture[str]) -> None:
    """A refusal is counted, said once, and holds up nothing."""
    desk = Desk(ValueError(), ValueError())
    desk.post(message(1), message(2), message(3))

    desk.pass_time()

    assert desk.taken == ["a3"]
    assert desk.done == ["a1", "a2", "a3"]
    assert desk.line.counts().outcomes() == {"delivered": 1, "failed": 2, "dropped": 2, "held": 0}
    assert capsys.readouterr().err.count("lost a message") == 1


def test_attempts_come_to_an_end() -> None:
    """A message that fails time and again makes room for the next."""
    desk = Desk(*[ConnectionError()] * MAX_ATTEMPTS)
    desk.post(message(1), message(2))

    for _ in range(MAX_ATTEMPTS):
        desk.pass_time(MAX_ATTEMPTS)

    assert desk.taken == ["a2"]
    assert desk.line.counts().dropped == 1


def test_summaries_that_wait_become_one() -> None:
    """While a channel is away, an alert has one summary in its queue, with all that happened."""
    desk = Desk(ConnectionError())
    desk.post(message(1), message(2))
    desk.pass_time()
    for number in range(3):
        desk.post(message(1, Stage.CONTINUES, 10, 10 * number + 11))
        desk.pass_time()
    desk.post(message(1, Stage.RECOVERED, 5, 36))

    desk.pass_time(1)

    told = [(one.id, one.stage.value, one.count, one.total) for one in desk.channel.taken]
    assert told == [("a1", "opened", 1, 1), ("a2", "opened", 1, 1), ("a1", "recovered", 35, 36)]
    assert sorted(desk.done) == ["a1"] * 5 + ["a2"]


def test_what_may_have_arrived_stays_as_it_was() -> None:
    """A summary that was tried already is sent again as it is, for a receiver to know it by."""
    desk = Desk(ConnectionError())
    desk.post(message(1, Stage.CONTINUES, 10, 11))
    desk.pass_time()
    desk.post(message(1, Stage.CONTINUES, 5, 16))

    desk.pass_time(1)

    assert [one.count for one in desk.channel.taken] == [10, 5]


def test_a_queue_is_bounded() -> None:
    """What finds it full is lost, and counted."""
    desk = Desk(ConnectionError())
    desk.post(*(message(number) for number in range(MAX_WAITING + 5)))

    desk.pass_time()

    counts = desk.line.counts()
    assert (counts.waiting, counts.dropped) == (MAX_WAITING, 5)
    assert desk.done == [f"a{MAX_WAITING + number}" for number in range(5)]


def test_a_budget_holds_back_and_says_how_many() -> None:
    """Beyond its messages within a time a channel gets one that counts the rest."""
    desk = Desk(budget=Budget(2, 60))
    desk.post(*(message(number, count=number) for number in range(1, 6)))

    waits = [desk.pass_time(), desk.pass_time(59), desk.pass_time(1)]

    assert waits == [60.0, 1.0, None]
    assert [one.title or one.id for one in desk.channel.taken] == ["a1", "a2", "3 held back"]
    assert desk.channel.taken[-1].count == 3 + 4 + 5
    assert desk.done == ["a1", "a2", "a3", "a4", "a5"]


def test_a_budget_is_for_a_time() -> None:
    """Messages that are far enough apart are all sent."""
    desk = Desk(budget=Budget(2, 60))

    for number in range(5):
        desk.post(message(number))
        desk.pass_time(31)

    assert desk.taken == [f"a{number}" for number in range(5)]


def soon() -> float:
    """Return a time at which to wait no longer: a bound against hanging."""
    return SystemClock().monotonic() + 20


def threaded(
    channel: "Carrier | Stuck", wait: Callable[[Exception, int], float | None] = pause
) -> Line:
    """Return a line with a thread."""
    return Line(channel, clock=FakeClock(), pause=wait, notice=notice)


def test_a_channel_that_hangs_holds_up_no_other() -> None:
    """Each has a thread of its own."""
    stuck, carrier = Stuck(), Carrier()
    lines = [threaded(stuck), threaded(carrier)]

    for line in lines:
        line.post(Parcel(message(), nothing))

    try:
        assert carrier.came.wait(20)
    finally:
        stuck.released.set()
    assert tell_all(lines, soon(), Line.close)


def test_the_end_tries_once_more_and_does_not_wait() -> None:
    """What waits for another attempt gets it at once; what fails again is lost."""
    carrier = Carrier(ConnectionError(), ConnectionError())
    line = threaded(carrier)
    line.post(Parcel(message(), nothing))
    assert tell_all([line], soon(), Line.flush)

    in_time = tell_all([line], soon(), Line.close)

    assert in_time
    assert carrier.taken == []
    assert line.counts().outcomes() == {"delivered": 0, "failed": 2, "dropped": 1, "held": 0}


def test_time_to_close_is_limited() -> None:
    """A channel that hangs is not waited for."""
    stuck = Stuck()
    line = threaded(stuck)
    line.post(Parcel(message(), nothing))

    try:
        assert not tell_all([line], 0.0, Line.close)
    finally:
        stuck.released.set()
