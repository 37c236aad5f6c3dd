"""What the monitor knows, as values: for people, and for the other processes of the host."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from typing import Final, cast

from holdfast.health.monitor.standing import Standing, State
from holdfast.redact import JsonValue

_TIMES: Final = frozenset({"since", "last_check", "last_success", "last_failure", "next_attempt"})
_TEXTS: Final = frozenset({"id", "output", "state"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """An outage that is not over. Times are aware, UTC."""

    id: str
    """Of its alert: the same in the message that opens it and the one that ends it."""
    since: datetime
    failures: int
    """Checks that have failed, those that led to it included."""
    attempts: int = 0
    """How often something was tried to end it."""
    next_attempt: datetime | None = None
    """When something will be tried; None: never, or it is being tried now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceReport:
    """What is known of one service."""

    standing: Standing
    critical: bool = True
    outage: Outage | None = None
    duration: float = 0.0
    """Seconds that the last look took."""
    details: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    """What the check said the last time; redacted."""

    @property
    def state(self) -> State:
        """How it is."""
        return self.standing.state

    def as_json(self) -> dict[str, object]:
        """Return it as JSON has it, times in ISO 8601."""
        outage = None if self.outage is None else _plain(asdict(self.outage))
        return {
            **_plain(asdict(self.standing)),
            "critical": self.critical,
            "duration": round(self.duration, 6),
            "details": dict(self.details),
            "outage": outage,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveAlert:
    """An outage that people were told of, and not yet that it is over."""

    id: str
    service: str
    since: datetime
    critical: bool
    failures: int
    attempts: int
    output: str

    def as_json(self) -> dict[str, object]:
        """Return it as JSON has it."""
        return _plain(asdict(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorStatistics:
    """Sums over all services."""

    total_checks: int
    failures: int
    """Checks that failed."""
    outages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorReport:
    """What the monitor of this host knows."""

    services: Mapping[str, ServiceReport]
    time: datetime
    """When it was so; aware, UTC."""
    process: int
    """Id of the process that monitors; 0 when none does."""
    age: float = 0.0
    """Seconds since then: 0 in the process that monitors."""

    @property
    def active_alerts(self) -> tuple[ActiveAlert, ...]:
        """Outages that are not over."""
        return tuple(
            ActiveAlert(
                id=told.outage.id,
                service=name,
                since=told.outage.since,
                critical=told.critical,
                failures=told.outage.failures,
                attempts=told.outage.attempts,
                output=told.standing.output,
            )
            for name, told in self.services.items()
            if told.outage is not None
        )

    @property
    def statistics(self) -> MonitorStatistics:
        """Sums over all services."""
        standings = [told.standing for told in self.services.values()]
        return MonitorStatistics(
            total_checks=sum(standing.checks for standing in standings),
            failures=sum(standing.failures for standing in standings),
            outages=sum(standing.outages for standing in standings),
        )

    def as_json(self) -> dict[str, object]:
        """Return it as JSON has it: `services`, `active_alerts`, `statistics`, and who knows it."""
        return {
            "services": {name: told.as_json() for name, told in self.services.items()},
            "active_alerts": [alert.as_json() for alert in self.active_alerts],
            "statistics": asdict(self.statistics),
            "time": self.time.isoformat(),
            "process": self.process,
            "age": round(self.age, 3),
        }


def parsed(told: object, now: datetime) -> MonitorReport:
    """Return the report that `as_json` wrote.

    Args:
        told: What JSON held.
        now: The time, by which the report has its age.

    Raises:
        ValueError: When it is none.
    """
    try:
        facts = cast("Mapping[str, object]", told)
        services = cast("Mapping[str, Mapping[str, object]]", facts["services"])
        time = moment(facts["time"])
        return MonitorReport(
            services={str(name): _service(said) for name, said in services.items()},
            time=time,
            process=int(str(facts["process"])),
            age=max(0.0, (now - time).total_seconds()),
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"this is no report of a monitor: {type(error).__name__}") from error


def _service(said: Mapping[str, object]) -> ServiceReport:
    standing = Standing(**_known(Standing, said))  # type: ignore[arg-type]  # written by as_json
    outage = cast("Mapping[str, object] | None", said["outage"])
    return ServiceReport(
        standing=replace(standing, state=State(str(said["state"]))),
        critical=bool(said["critical"]),
        outage=None if outage is None else Outage(**_known(Outage, outage)),  # type: ignore[arg-type]  # as above
        duration=float(str(said["duration"])),
        details=cast("Mapping[str, JsonValue]", mapping(said["details"])),
    )


def _known(kind: type, said: Mapping[str, object]) -> dict[str, object]:
    found = {each.name: said[each.name] for each in fields(kind)}
    return {name: _value(name, value) for name, value in found.items()}


def _value(name: str, value: object) -> object:
    if name in _TEXTS:
        return str(value)
    if name not in _TIMES:
        return int(str(value))
    return None if value is None else moment(value)


def moment(told: object) -> datetime:
    """Return a time that JSON held.

    Raises:
        ValueError: When it is none, or does not say its zone: it could not be compared with others.
    """
    time = datetime.fromisoformat(str(told))
    if time.tzinfo is None:
        raise ValueError(f"{told!r} is a time without a zone, and no isoformat() of a monitor's")
    return time


def mapping(told: object) -> Mapping[object, object]:
    """Return an object that JSON held.

    Raises:
        TypeError: When it is none.
    """
    if not isinstance(told, dict):
        raise TypeError(f"{type(told).__name__} is no object of JSON")
    return cast("Mapping[object, object]", told)


def _plain(facts: Mapping[str, object]) -> dict[str, object]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in facts.items()
    }
