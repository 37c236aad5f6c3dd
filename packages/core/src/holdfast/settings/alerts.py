"""Settings of alerts: rules, quiet hours, budgets, and what processes share."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import time, tzinfo
from fnmatch import fnmatchcase
from typing import Annotated, Final, Literal, TypeAlias

from holdfast.kinds import ErrorKind, Fault, Severity
from holdfast.reporting.alerts.outbox import Budget
from holdfast.reporting.alerts.quiet import QuietHours
from holdfast.reporting.alerts.rules import AlertRule, Condition, Key
from holdfast.settings.channels import ChannelSettings
from holdfast.settings.types import PATH, RedisURL
from holdfast.strict import Items, Matches, Range, Section, nearest

SeverityName: TypeAlias = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
Pattern: TypeAlias = Annotated[
    str, Matches(r"[^\x00-\x1f\x7f]{1,200}", "a pattern such as 'PAYMENT_*', 1 to 200 characters")
]
TimeOfDay: TypeAlias = Annotated[
    str, Matches(r"([01]\d|2[0-3]):[0-5]\d", "a time of day such as '22:00'")
]
Day: TypeAlias = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MAX_RULES: Final = 100
_MAX_CHANNELS: Final = 20
_VALUES: Final[Mapping[str, Iterable[str]]] = {"kind": ErrorKind, "fault": Fault}


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRuleSettings(Section):
    """One rule; without anything else it tells of every error."""

    on: Pattern = "error.handled"
    """Pattern of the names of events, such as `job.*`."""

    severity: SeverityName = "DEBUG"
    """The least severity. Default: any."""

    code: Pattern = "*"
    """Pattern of the error's code, such as `PAYMENT_*`. Default: any."""

    where: Mapping[str, Pattern] = field(default_factory=dict[str, str], hash=False)
    """Patterns of further facts: of the event's attributes, such as `kind`, `fault`, `operation` and
    `boundary`, and of an error's `category`, `transient`, `type` and `retried`. Default: none."""

    when: Condition = "count"
    """What opens an alert. `count`: there are `count` events within `window`. `change`: and `factor`
    times as many as usual. `first_seen`: its key was never seen. `new_in_release`: neither this
    release nor the one before has had it."""

    count: Annotated[int, Range(1, 1_000_000_000)] = 1
    """Events that it takes, 1 to 1,000,000,000. Default: each."""

    window: Annotated[float, Range(1, 86_400)] = 60.0
    """Seconds in which they are counted, 1 to 86,400."""

    factor: Annotated[float, Range(1.1, 1000)] = 3.0
    """For `change`: how many times the usual number, 1.1 to 1000."""

    by: Key = "code"
    """What events are folded by: `none` makes one alert of all."""

    cool_down: Annotated[float, Range(1, 604_800)] = 600.0
    """Seconds between two messages of an alert that goes on, 1 to 604,800."""

    recover_after: Annotated[float, Range(1, 604_800)] = 600.0
    """Seconds for which the condition has not held when an alert is over, 1 to 604,800."""

    channels: Annotated[tuple[str, ...], Items(most=_MAX_CHANNELS)] = ()
    """Who is told, by the names in `CHANNELS`. Default: all of them, or the action alone."""

    action: Annotated[
        str, Matches(rf"({PATH})?", "a dotted path such as 'shop.alerts:page_somebody'")
    ] = ""
    """What is called with each message, beside the channels. Default: nothing."""

    def objections(self) -> Iterable[tuple[str, str]]:
        """Yield field and message for what no event can have."""
        for fact, values in _VALUES.items():
            pattern = self.where.get(fact, "*")
            if not any(fnmatchcase(str(value), pattern) for value in values):
                near = nearest(pattern, map(str, values))
                hint = f"; did you mean {near!r}?" if near else ""
                yield "where", f"{fact} must be one of {', '.join(map(str, values))}{hint}"

    def rule(self, name: str) -> AlertRule:
        """Return the rule, without its action."""
        return AlertRule(
            name=name,
            on=self.on,
            severity=Severity[self.severity],
            code=self.code,
            where=self.where,
            when=self.when,
            count=self.count,
            window=self.window,
            factor=self.factor,
            by=self.by,
            cool_down=self.cool_down,
            recover_after=self.recover_after,
            channels=self.channels,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHoursSettings(Section):
    """Hours in which less grave messages wait; they come as one summary at the end."""

    start: TimeOfDay = "22:00"
    """When they begin."""

    end: TimeOfDay = "07:00"
    """When they end; may be on the next day."""

    zone: str = "UTC"
    """Time zone, such as `Europe/Paris`."""

    below: SeverityName = "CRITICAL"
    """Messages of this severity and above are sent at once."""

    days: Annotated[frozenset[Day], Items(least=1, most=7)] = frozenset(_DAYS)
    """Days on which they begin. Default: each day."""

    def objections(self) -> Iterable[tuple[str, str]]:
        """Yield field and message for each broken rule between several fields."""
        try:
            _zone(self.zone)
        except (KeyError, OSError, ValueError):  # by what is wrong with the name
            yield "zone", "must be a time zone that this system knows, such as 'Europe/Paris'"

    def hours(self) -> QuietHours:
        """Return the hours."""
        return QuietHours(
            start=time.fromisoformat(self.start),
            end=time.fromisoformat(self.end),
            zone=_zone(self.zone),
            below=Severity[self.below],
            days=frozenset(_DAYS.index(day) for day in self.days),
        )


def _zone(name: str) -> tzinfo:
    from zoneinfo import ZoneInfo  # noqa: PLC0415  # loads a lot that few need

    return ZoneInfo(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetSettings(Section):
    """How many messages one channel is sent; it is told in one how many more there were."""

    messages: Annotated[int, Range(1, 1_000_000)] = 20
    """Messages within `window`, 1 to 1,000,000."""

    window: Annotated[float, Range(1, 604_800)] = 3600.0
    """Seconds, 1 to 604,800."""

    def budget(self) -> Budget:
        """Return the budget."""
        return Budget(self.messages, self.window)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsSettings(Section):
    """Who is told of events, when, and how often."""

    rules: Annotated[Mapping[str, AlertRuleSettings], Items(most=_MAX_RULES)] = field(
        default_factory=dict[str, AlertRuleSettings], hash=False
    )
    """Rules by name, at most 100. Default: none, and nothing is counted."""

    channels: Annotated[Mapping[str, ChannelSettings], Items(most=_MAX_CHANNELS)] = field(
        default_factory=dict[str, ChannelSettings], hash=False
    )
    """Channels by name, at most 20."""

    quiet_hours: QuietHoursSettings | None = None
    """When messages wait. Default: never."""

    budgets: Mapping[str, BudgetSettings] = field(
        default_factory=dict[str, BudgetSettings], hash=False
    )
    """Budgets by channel. Default: none."""

    shared: RedisURL = field(default="", repr=False)
    """Redis in which the processes of a service fold together, so that one of them tells for all.
    Default: each for itself."""

    state: Annotated[
        str, Matches(r"[^\x00-\x1f\x7f]{0,1000}", "the path of a folder, at most 1000 characters")
    ] = ""
    """Folder in which the processes of one host remember what was seen before. Default: in `shared`,
    else as long as the process lives."""

    def objections(self) -> Iterable[tuple[str, str]]:
        """Yield field and message for each broken rule between several fields."""
        for name, rule in self.rules.items():
            yield from (
                ("rules", f"{name!r} names the channel {channel!r}, {self._absent(channel)}")
                for channel in rule.channels
                if channel not in self.channels
            )
            if not (self.channels or rule.action):
                yield "rules", f"{name!r} tells nobody: there are no channels, and it has no action"
            if rule.when == "new_in_release" and not (self.shared or self.state):
                yield "rules", f"{name!r} needs a memory of releases: set shared or state"
        for channel in self.budgets:
            if channel not in self.channels:
                yield "budgets", f"is for the channel {channel!r}, {self._absent(channel)}"

    def _absent(self, channel: str) -> str:
        near = nearest(channel, self.channels)
        return "which there is not" + (f"; did you mean {near!r}?" if near else "")
