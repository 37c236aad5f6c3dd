"""Rules: which events make an alert, what they are folded by, and how often one is told of it."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final, Literal, TypeAlias, get_args

from holdfast.events import Event, Scalar
from holdfast.kinds import Severity
from holdfast.record import ErrorHandled, ErrorRecord
from holdfast.reporting.alerts.message import AlertMessage

Condition: TypeAlias = Literal["count", "change", "first_seen", "new_in_release"]
"""What opens an alert."""

Key: TypeAlias = Literal["code", "fingerprint", "operation", "name", "none"]
"""What events are folded by."""

MAX_KEY: Final = 200
"""Characters of a key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """When to tell somebody of events, and whom.

    Patterns are those of file names, and mind the case: `PAYMENT_*`, `error.*`.

    Raises:
        ValueError: When a value is out of range.

    Example:
        >>> rule = AlertRule(name="storm", count=100, window=60.0, severity=Severity.ERROR)
        >>> rule.matches("error.handled", Severity.ERROR, {"code": "INTERNAL_ERROR"})
        True
        >>> rule.key_of("error.handled", {"code": "INTERNAL_ERROR"})
        'INTERNAL_ERROR'
    """

    name: str
    """Of the rule, as messages quote it."""
    on: str = "error.handled"
    """Pattern of the names of events."""
    severity: Severity = Severity.DEBUG
    """The least severity."""
    code: str = "*"
    """Pattern of the error's code."""
    where: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    """Patterns of further facts: the event's attributes, and of errors `category`, `transient`,
    `type` and `retried` (it was tried again, and nobody tries once more)."""
    when: Condition = "count"
    """`count`: there were `count` events within `window`; `change`: these were `factor` times as many
    as usual, too; `first_seen`: nobody has seen its key before; `new_in_release`: neither this nor the
    last release has."""
    count: int = 1
    window: float = 60.0
    """Seconds."""
    factor: float = 3.0
    """For `change`: how many times the usual number of events in a window is too many."""
    by: Key = "code"
    """What is folded into one alert. Events without that are folded by their name."""
    cool_down: float = 600.0
    """Seconds between messages of an alert that goes on."""
    recover_after: float = 600.0
    """Seconds for which the condition has not held when an alert is over."""
    channels: tuple[str, ...] = ()
    """Who is told, by name. Empty: every channel, unless there is an action."""
    action: Callable[[AlertMessage], object] | None = None
    """Called with each message, beside the channels; on a thread of its own."""

    def __post_init__(self) -> None:
        for objection in self._objections():
            raise ValueError(f"rule {self.name!r}: {objection}")

    def matches(self, name: str, severity: Severity, facts: Mapping[str, Scalar]) -> bool:
        """Tell whether the rule is about an event with these facts."""
        return (
            severity >= self.severity
            and fnmatchcase(name, self.on)
            and _fits(facts.get("code"), self.code)
            and all(_fits(facts.get(fact), pattern) for fact, pattern in self.where.items())
        )

    def key_of(self, name: str, facts: Mapping[str, Scalar]) -> str:
        """Return what an event is folded by, at most 200 characters; never empty but for `none`."""
        if self.by == "none":
            return ""
        said = None if self.by == "name" else facts.get(self.by)
        return str(said or name)[:MAX_KEY]

    def facts(self) -> frozenset[str]:
        """Return the names of the facts that the rule looks at."""
        asked = {"code", *self.where} if self.code != "*" else set(self.where)
        return frozenset(asked if self.by in {"name", "none"} else {*asked, self.by})

    def _objections(self) -> Iterable[str]:
        if self.when not in get_args(Condition):
            yield f"when must be one of {', '.join(get_args(Condition))}, not {self.when!r}"
        if self.by not in get_args(Key):
            yield f"by must be one of {', '.join(get_args(Key))}, not {self.by!r}"
        if self.count < 1:
            yield f"count must be at least 1, not {self.count!r}"
        for option in ("window", "cool_down", "recover_after"):
            seconds: float = getattr(self, option)
            if not (0 < seconds < math.inf):
                yield f"{option} must be seconds above 0, not {seconds!r}"
        if not 1 < self.factor < math.inf:
            yield f"factor must be above 1, not {self.factor!r}"


def fact(event: Event, name: str) -> Scalar:
    """Return one fact of an event; None when it has none by that name."""
    read = FACTS_OF_ERRORS.get(name)
    if read is None or name in event.attributes or not isinstance(event, ErrorHandled):
        return event.attributes.get(name)
    return read(event.record)


def _fits(value: Scalar, pattern: str) -> bool:
    return pattern == "*" or (value is not None and fnmatchcase(str(value), pattern))


def _retried(record: ErrorRecord) -> bool:
    """Tell whether work failed for good that was tried again before."""
    said = record.origin.attributes
    before, attempt = said.get("retries"), said.get("attempt")
    return (isinstance(before, int) and before > 0) or (isinstance(attempt, int) and attempt > 1)


FACTS_OF_ERRORS: Final[Mapping[str, Callable[[ErrorRecord], Scalar]]] = {
    "category": lambda record: record.classification.category,
    "transient": lambda record: record.classification.transient,
    "type": lambda record: record.type,
    "retried": _retried,
}
"""Facts of an error that are no attributes of its event."""
