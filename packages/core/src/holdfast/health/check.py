"""What is looked at, and what it said."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeAlias, cast

from holdfast.health.status import HealthStatus
from holdfast.redact import JsonValue

CheckFunction: TypeAlias = Callable[[], object]
"""Looks at one thing; may be a coroutine function, or an instance of a class with `__call__`.

False fails, a mapping passes with details, an exception fails, a `Finding` says it all; anything else
passes."""

DEFAULT_TIMEOUT: Final = 5.0
LONGEST: Final = 86_400.0
"""Seconds that a check may take, and between two looks at it, at most: no thread can wait without end."""

LIVE: Final = "live"
READY: Final = "ready"
STARTUP: Final = "startup"
BUILT_IN_GROUPS: Final = frozenset({LIVE, READY, STARTUP})
"""Groups that can be asked for without any check in them, as Kubernetes knows them."""
RESERVED_GROUPS: Final = frozenset({"metrics"})
"""What the addresses of groups cannot be called."""

_GROUP: Final = re.compile(r"[a-z][a-z0-9_-]{0,49}")
_MAX_NAME: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Ttl:
    """For how long what a check said answers further probes, by its status; in seconds, 0 and above.

    Raises:
        ValueError: When a time is below 0.

    Example:
        >>> Ttl(passing=10.0).of(HealthStatus.PASS)
        10.0
    """

    passing: float = 1.0
    warning: float = 1.0
    failing: float = 1.0

    def __post_init__(self) -> None:
        for name in ("passing", "warning", "failing"):
            seconds: float = getattr(self, name)
            if not seconds >= 0:
                raise ValueError(f"{name} of a Ttl must be 0 seconds or more, not {seconds}")

    def of(self, status: HealthStatus) -> float:
        """Return the seconds for a status."""
        by_status = {HealthStatus.PASS: self.passing, HealthStatus.WARN: self.warning}
        return by_status.get(status, self.failing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that can be looked at.

    Raises:
        ValueError: When an option makes no sense.
    """

    name: str
    """Under which it is reported: 1 to 200 printable characters."""
    run: CheckFunction
    critical: bool = True
    """Whether its failure fails the whole; otherwise it is a warning."""
    timeout: float = DEFAULT_TIMEOUT
    """Seconds, above 0 and up to a day, after which it counts as failed."""
    groups: frozenset[str] = frozenset({READY})
    """Probes that ask it: `live`, `ready`, `startup`, or groups of one's own."""
    tags: frozenset[str] = frozenset()
    """Words by which whoever may see details picks some of the checks."""
    ttl: Ttl | None = None
    """For how long its answer is kept for further probes. Default: as the settings say."""
    every: float | None = None
    """Seconds, above 0 and up to a day, between two looks in the background: probes then never wait for
    it once it has answered. Default: probes look themselves."""

    def __post_init__(self) -> None:
        for objection in self._objections():
            raise ValueError(f"check {self.name!r}: {objection}")

    def _objections(self) -> "list[str]":
        found: list[str] = []
        if not (0 < len(self.name) <= _MAX_NAME and self.name.isprintable()):
            found.append(f"its name must be 1 to {_MAX_NAME} printable characters")
        if not callable(cast("object", self.run)):
            found.append(
                f"run must be what is called to look, such as a function, not {self.run!r}"
            )
        found += [
            f"{option} must be above 0 seconds and at most {LONGEST:,.0f}, not {seconds}"
            for option, seconds in (("timeout", self.timeout), ("every", self.every))
            if seconds is not None and not 0 < seconds <= LONGEST
        ]
        found += [
            f"{group!r} cannot be a group: letters, digits, '-' and '_' in lower case, a letter first, "
            "and not 'metrics'"
            for group in sorted(self.groups)
            if group in RESERVED_GROUPS or not _GROUP.fullmatch(group)
        ]
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check may return when it has more to say than yes or no.

    Raises:
        ValueError: When the status is none; the word for one will do.

    Example:
        >>> Finding(status=HealthStatus.WARN, output="2 of 3 replicas answer").status.value
        'warn'
    """

    status: HealthStatus
    """`fail` counts as `warn` where the check is not critical."""
    output: str = ""
    """Why it is not well, in a sentence."""
    details: Mapping[str, object] = field(default_factory=dict[str, object])
    """Facts; redacted before anybody sees them."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "status", HealthStatus(self.status))


def degraded(output: str, **details: object) -> Finding:
    """Return the finding of a check whose subject is not well but serves.

    Args:
        output: Why, in a sentence.
        details: Facts.

    Example:
        >>> degraded("lags behind", seconds=42).status.value
        'warn'
    """
    return Finding(status=HealthStatus.WARN, output=output, details=details)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What one check said."""

    name: str
    status: HealthStatus
    time: datetime
    """When it was said; aware, UTC."""
    duration: float
    """Seconds."""
    output: str = ""
    """Why it is not well: a sentence of the check's, or the class of an exception, never its text."""
    details: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    """What the check returned, or the text of the exception under `error`; redacted."""
    critical: bool = True
    """Whether its failure fails the whole."""
    tolerated: bool = False
    """Whether it failed, and is told as a warning because it is not critical."""

    @property
    def has_failed(self) -> bool:
        """Whether the check failed, critical or not; a warning of its own is no failure."""
        return self.tolerated or self.status is HealthStatus.FAIL
