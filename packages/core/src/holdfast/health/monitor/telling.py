"""What is told of a service: an event for the suite's reporters, an alert for people."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Final, TypeAlias, cast

from holdfast.events import Event, Scalar
from holdfast.forks import after_fork
from holdfast.health.check import CheckResult
from holdfast.health.monitor.report import Outage, mapping, moment
from holdfast.health.monitor.service import Service, Step
from holdfast.health.monitor.standing import Change
from holdfast.kinds import Severity
from holdfast.reporting.alerts.message import Stage
from holdfast.reporting.alerts.news import News

SOURCE: Final = "monitor"
"""What messages name as their rule."""
UNSETTLED: Final = "unsettled"
"""Where a report that another process reads has the news that have not arrived."""
MAX_UNSETTLED: Final = 100
"""Announcements that are kept until all channels have them; the oldest give way."""

Announce: TypeAlias = Callable[[News, Callable[[], None]], None]
"""Tells people; the second argument is called when all of them have it or never will."""


class Announcer:
    """Announces news, and knows what is not settled; for several threads, forgets in a forked child.

    Args:
        announce: Tells people.
        settled: Called after something is settled.
    """

    def __init__(self, announce: Announce, settled: Callable[[], None]) -> None:
        self._announce = announce
        self._settled = settled
        self._reset()
        after_fork(self._reset)

    def _reset(self) -> None:
        self._unsettled: dict[tuple[str, Stage], News] = {}

    @property
    def unsettled(self) -> tuple[News, ...]:
        """What some channel does not have yet, oldest first."""
        return tuple(self._unsettled.values())

    def keep(self, news: Iterable[News]) -> None:
        """Count news among the unsettled, before they are announced."""
        for one in news:
            self._unsettled[one.id, one.stage] = one
            if len(self._unsettled) > MAX_UNSETTLED:
                self._unsettled.pop(next(iter(self._unsettled)), None)  # it may arrive now

    def announce(self, news: Iterable[News]) -> None:
        """Tell people of news that are kept."""
        for one in news:
            self._announce(one, partial(self._arrived, one))

    def _arrived(self, news: News) -> None:
        self._unsettled.pop((news.id, news.stage), None)
        self._settled()


def event_of(service: Service, step: Step, change: Change) -> Event:
    """Return the event of a change."""
    result, before = step.result, step.before
    facts: dict[str, Scalar] = {
        "check": service.name,
        "state": str(service.standing.state),
        "was": str(before.state),
        "critical": service.check.critical,
        "output": result.output,
    }
    if change is Change.RECOVERED:
        lasted = 0.0 if before.since is None else (result.time - before.since).total_seconds()
        facts["duration"] = round(max(0.0, lasted), 3)
    else:
        facts["failures"] = service.standing.consecutive_failures
    severity = {Change.FAILED: grave(service), Change.DEGRADED: Severity.WARNING}
    return Event(
        name=f"service.{change}",
        severity=severity.get(change, Severity.INFO),
        time=result.time,
        attributes=facts,
    )


def attempted(service: Service, number: int, result: CheckResult) -> Event:
    """Return the event of an attempt to end an outage.

    Args:
        service: Whose outage it is.
        number: Which attempt it was, from 1.
        result: What became of the action; without one, of the look.
    """
    facts: dict[str, Scalar] = {
        "check": service.name,
        "attempt": number,
        "attempts": service.watch.recovery.attempts,
        "succeeded": not result.has_failed,
        "output": result.output,
        "duration": round(result.duration, 3),
    }
    severity = Severity.WARNING if result.has_failed else Severity.INFO
    time = result.time
    return Event(name="recovery.attempted", severity=severity, time=time, attributes=facts)


def news_of(service: Service, stage: Stage, outage: Outage, said: str) -> News:
    """Return what people are told of an outage.

    Args:
        service: What is not well, or is again.
        stage: Whether it begins or is over.
        outage: The outage.
        said: What has become of the service, in words that follow its name.
    """
    facts: dict[str, Scalar] = {
        "check": service.name,
        "state": str(service.standing.state),
        "critical": service.check.critical,
        "failures": outage.failures,
        "attempts": outage.attempts,
        "output": service.standing.output,
    }
    return News(
        id=outage.id,
        source=SOURCE,
        key=service.name,
        stage=stage,
        severity=grave(service),
        title=f"{service.name} {said}",
        since=outage.since,
        count=0 if stage is Stage.RECOVERED else outage.failures,
        total=outage.failures,
        attributes=facts,
    )


def grave(service: Service) -> Severity:
    """Return how grave an outage of a service is."""
    return Severity.ERROR if service.check.critical else Severity.WARNING


def as_json(news: News) -> dict[str, object]:
    """Return news as JSON has it."""
    return {**asdict(news), "severity": news.severity.name, "since": news.since.isoformat()}


def news_parsed(told: object) -> list[News]:
    """Return the news beside a report that `as_json` wrote.

    Raises:
        ValueError: When they are none.
    """
    try:
        facts = cast("Mapping[str, object]", told)
        return [_parsed(one) for one in cast("list[Mapping[str, object]]", facts[UNSETTLED])]
    except (KeyError, TypeError) as error:
        raise ValueError(f"these are no news of a monitor: {type(error).__name__}") from error


def _parsed(facts: Mapping[str, object]) -> News:
    return News(
        id=str(facts["id"]),
        source=str(facts["source"]),
        key=str(facts["key"]),
        stage=Stage(str(facts["stage"])),
        severity=Severity[str(facts["severity"])],
        title=str(facts["title"]),
        since=moment(facts["since"]),
        count=int(str(facts["count"])),
        total=int(str(facts["total"])),
        attributes=cast("Mapping[str, Scalar]", mapping(facts["attributes"])),
    )
