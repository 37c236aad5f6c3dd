"""What a circuit goes by: when it opens, for how long, and how it comes back; a value."""

import math
import random
from dataclasses import dataclass
from typing import Final, cast

from holdfast.resilience.circuit.rules import Consecutive, Rule

SHORTEST: Final = 1.0
"""Seconds below which no `Retry-After` shortens the time open."""

_NUMBERS: Final = (
    "failure_threshold",
    "recovery_timeout",
    "success_threshold",
    "recovery_factor",
    "jitter",
    "probe_timeout",
    "ramp_step",
    "metrics_window",
)


@dataclass(frozen=True, slots=True)
class Terms:
    """When a circuit opens, for how long, and how it comes back.

    Args:
        failure_threshold: Failures in a row after which it opens; at least 1.
        recovery_timeout: Seconds until a probe is let through; at least 0.
        success_threshold: Probes that have to succeed before it closes, or widens; at least 1.
        rule: When it opens, in the place of `failure_threshold`.
        recovery_factor: By what the time open grows each time that it opens again without having
            stayed closed for as long as it was open; at least 1.
        max_recovery_timeout: Seconds it stays open at most, whatever the factor and `Retry-After`
            say; ten times `recovery_timeout` by default.
        jitter: Share of the time open that chance may take away, from 0 to 1.
        probe_timeout: Seconds after which a probe that did not come back gives up its place.
        ramp: Shares of calls let through, one after the other, once the probes have succeeded, if
            calls were refused meanwhile; each above 0 and at most 1. Empty: it closes at once.
        ramp_step: Seconds that each share lasts.
        metrics_window: Seconds that the counts of a snapshot look back.
        durations: Measure how long calls take, even if the rule does not ask for it.

    Raises:
        ValueError: For an option out of its range.
        TypeError: For one that is no number, a ramp that is no tuple of numbers, a rule that is none.
    """

    failure_threshold: int = 5
    recovery_timeout: float = 60.0
    success_threshold: int = 2
    rule: Rule | None = None
    recovery_factor: float = 1.0
    max_recovery_timeout: float | None = None
    jitter: float = 0.0
    probe_timeout: float = 10.0
    ramp: tuple[float, ...] = (0.1, 0.25, 0.5)
    ramp_step: float = 5.0
    metrics_window: float = 60.0
    durations: bool = False

    def __post_init__(self) -> None:
        self._check_kinds()
        for name in ("failure_threshold", "success_threshold"):
            self._check(name, getattr(self, name) >= 1, "at least 1")
        self._check("recovery_timeout", 0 <= self.recovery_timeout < math.inf, "0 or more seconds")
        self._check("recovery_factor", 1 <= self.recovery_factor < math.inf, "at least 1")
        self._check("jitter", 0 <= self.jitter <= 1, "a share, from 0 to 1")
        for name in ("probe_timeout", "ramp_step", "metrics_window"):
            self._check(name, 0 < getattr(self, name) < math.inf, "more than 0 seconds, and finite")
        shares = all(0 < share <= 1 for share in self.ramp)
        self._check("ramp", shares, "shares, each above 0 and at most 1")
        self._check("ramp", list(self.ramp) == sorted(self.ramp), "shares that grow")
        most = self.max_recovery_timeout
        self._check(
            "max_recovery_timeout",
            most is None or self.recovery_timeout <= most < math.inf,
            f"at least recovery_timeout ({self.recovery_timeout}), and finite",
        )

    def trip_rule(self) -> Rule:
        """Return when it opens."""
        return self.rule or Consecutive(self.failure_threshold)

    def timed(self) -> bool:
        """Tell whether calls have to be measured."""
        return self.durations or self.trip_rule().slower_than < math.inf

    def open_for(self, times: int, asked: float, chance: random.Random) -> float:
        """Return how many seconds it stays open.

        Args:
            times: How often it opened before without staying closed in between.
            asked: Seconds for which the other side asked to be left alone; 0 when it did not.
            chance: Draws the jitter.
        """
        most = self.max_recovery_timeout
        most = 10 * self.recovery_timeout if most is None else most
        if asked > 0:
            return min(max(asked, min(SHORTEST, self.recovery_timeout)), most)
        try:
            seconds = min(self.recovery_timeout * self.recovery_factor**times, most)
        except OverflowError:
            seconds = most
        return seconds * (1 - self.jitter * chance.random()) if self.jitter else seconds

    def _check_kinds(self) -> None:
        name, ramp = type(self).__name__, cast("object", self.ramp)
        if not isinstance(ramp, tuple):
            raise TypeError(f"{name}.ramp must be a tuple of numbers, not {ramp!r}")
        if self.rule is not None and not callable(getattr(self.rule, "begin", None)):
            raise TypeError(
                f"{name}.rule must be a rule such as TimeWindow(), not {self.rule!r:.100}"
            )
        given: list[tuple[str, object]] = [(option, getattr(self, option)) for option in _NUMBERS]
        for option, value in [*given, *(("ramp", share) for share in self.ramp)]:
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise TypeError(f"{name}.{option} must be a number, not {value!r}")

    def _check(self, name: str, is_right: bool, wanted: str) -> None:  # noqa: FBT001  # what was found
        if not is_right:
            raise ValueError(
                f"{type(self).__name__}.{name} must be {wanted}, not {getattr(self, name)!r}"
            )
