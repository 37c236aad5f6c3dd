"""Alerts that no rule is about: somebody announces them, and all that holds for messages holds."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import time
from zoneinfo import ZoneInfo

from holdfast import Severity
from holdfast.reporting.alerts.engine import Alerts, Sending
from holdfast.reporting.alerts.folding import LocalFolding
from holdfast.reporting.alerts.message import AlertMessage, Stage
from holdfast.reporting.alerts.news import News
from holdfast.reporting.alerts.outbox import Budget
from holdfast.reporting.alerts.quiet import QuietHours
from holdfast.reporting.alerts.seen import Seen
from holdfast.reporting.alerts.written import Labels
from holdfast.testing import FakeClock


@dataclass
class Keeping:
    """A channel that keeps what it carries."""

    name: str
    fails: int = 0
    got: list[AlertMessage] = field(default_factory=list[AlertMessage])

    def send(self, message: AlertMessage) -> None:
        """Keep a message, unless it is to fail."""
        if self.fails:
            self.fails -= 1
            raise ConnectionError("away")
        self.got.append(message)


def engine(
    channels: Sequence[Keeping],
    *,
    budget: Budget | None = None,
    quiet: QuietHours | None = None,
    threaded: bool = False,
) -> tuple[Alerts, FakeClock]:
    """Return alerts without rules, and their clock."""
    clock = FakeClock()
    sending = Sending(
        channels=channels,
        budgets={} if budget is None else {channel.name: budget for channel in channels},
        pause=lambda _, __: 5.0,
        quiet=quiet,
        labels=Labels(service="shop", host="web-1"),
    )
    folding = LocalFolding((), clock, Seen())
    return Alerts((), folding, sending, clock=clock, threaded=threaded), clock


def news(clock: FakeClock, stage: Stage = Stage.OPENED) -> News:
    """Return something to tell."""
    return News(
        id="a1b2",
        source="monitor",
        key="database",
        stage=stage,
        severity=Severity.ERROR,
        title="database is down",
        since=clock.now(),
        count=3,
        total=3,
        attributes={"output": "ConnectionError"},
    )


def nothing() -> None:
    """Do nothing: the test does not ask when it is settled."""


def test_an_announcement_reaches_every_channel_without_any_rule() -> None:
    """With its facts and the labels of the service, and it is settled when all have it."""
    log, mail = Keeping("log"), Keeping("mail")
    alerts, clock = engine([log, mail])
    settled: list[bool] = []

    alerts.announce(news(clock), (), lambda: settled.append(True))

    (message,) = log.got
    assert mail.got == [message]
    assert (message.id, message.rule, message.key) == ("a1b2", "monitor", "database")
    assert (message.stage, message.severity) == (Stage.OPENED, Severity.ERROR)
    assert (message.service, message.host) == ("shop", "web-1")
    assert (message.count, message.total, message.since) == (3, 3, clock.now())
    assert message.attributes == {"output": "ConnectionError"}
    assert settled == [True]


def test_an_announcement_may_be_for_some_channels_alone() -> None:
    """Who is not named is not told."""
    log, mail = Keeping("log"), Keeping("mail")
    alerts, clock = engine([log, mail])

    alerts.announce(news(clock), ("mail",), nothing)

    assert (len(log.got), len(mail.got)) == (0, 1)


def test_an_announcement_that_fails_is_sent_again() -> None:
    """It is settled when it has arrived, and not before."""
    log = Keeping("log", fails=1)
    alerts, clock = engine([log])
    settled: list[bool] = []

    alerts.announce(news(clock), (), lambda: settled.append(True))
    before = list(settled)
    clock.advance(6.0)
    alerts.tick()

    assert (before, settled, len(log.got)) == ([], [True], 1)


def test_a_budget_holds_announcements_back() -> None:
    """The channel is told how many there were."""
    log = Keeping("log")
    alerts, clock = engine([log], budget=Budget(1, 60.0))

    for _ in range(3):
        alerts.announce(news(clock), (), nothing)
    clock.advance(61.0)
    alerts.tick()

    assert [message.rule for message in log.got] == ["monitor", "budget"]
    assert log.got[1].title == "2 messages to log held back"


def test_announcements_wait_for_the_end_of_quiet_hours() -> None:
    """They come as one summary, and are settled meanwhile: nobody has to announce them again."""
    log = Keeping("log")
    quiet = QuietHours(start=time(10), end=time(11), zone=ZoneInfo("UTC"), below=Severity.CRITICAL)
    alerts, clock = engine([log], quiet=quiet)
    settled: list[bool] = []

    alerts.announce(news(clock), (), lambda: settled.append(True))
    alerts.announce(news(clock, Stage.RECOVERED), (), lambda: settled.append(True))
    early = list(log.got)
    clock.advance(3600.0)
    alerts.tick()

    assert (early, settled) == ([], [True, True])
    assert [message.title for message in log.got] == [
        "1 alert in quiet hours, 1 over by now; 6 events"
    ]


def test_a_thread_tells_what_is_announced() -> None:
    """Whoever announces does not wait for the channels; a flush does."""
    log = Keeping("log")
    alerts, clock = engine([log], threaded=True)

    alerts.announce(news(clock), (), nothing)

    assert alerts.flush(10.0)
    assert len(log.got) == 1
    assert alerts.close(10.0)
