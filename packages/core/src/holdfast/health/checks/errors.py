"""Whether there are more errors than usual."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Final, Protocol, cast

from holdfast.environment import current
from holdfast.health.check import Finding, degraded
from holdfast.kinds import Fault

if TYPE_CHECKING:
    from holdfast.reporting.statistics import ErrorStatistics, Recent, StatisticsSnapshot, Tally

_WINDOWS: Final[Mapping[float, str]] = {
    60.0: "minute",
    300.0: "five_minutes",
    900.0: "fifteen_minutes",
    3600.0: "hour",
}
_OURS: Final = (Fault.SERVICE.value, Fault.DEPENDENCY.value)
_MAX_TOLD: Final = 10


class _Counting(Protocol):
    @property
    def statistics(self) -> "ErrorStatistics": ...


@dataclass(frozen=True, slots=True)
class ErrorRateCheck:
    """Is degraded while errors are more than so many of the requests, or than so many a minute.

    Counted are errors of the service and of what it depends on, not those of callers, in this
    process, by the statistics of the current runtime; those that were recovered from as well: what
    had to be replaced is not well. It never fails.

    Raises:
        ValueError: When an option makes no sense.

    Example:
        >>> ErrorRateCheck(share=None, per_minute=30, codes=("PAYMENT_REFUSED",)).least
        10
    """

    _: KW_ONLY
    share: float | None = 0.1
    """Errors by request, above 0, from which on it warns; None: as many as there are."""
    per_minute: float | None = None
    """Errors, above 0, from which on it warns; None: as many as there are."""
    window: float = 300.0
    """Seconds that are looked back on: 60, 300, 900 or 3600."""
    least: int = 10
    """Errors in the window, at least 1, below which it says nothing."""
    codes: Sequence[str] = ()
    """Only errors with one of these codes, whoever is at fault. Default: all but those of callers."""

    def __post_init__(self) -> None:
        if self.share is None and self.per_minute is None:
            raise ValueError("either share or per_minute must be given: else it would never warn")
        for name in ("share", "per_minute"):
            limit: float | None = getattr(self, name)
            if limit is not None and not limit > 0:
                raise ValueError(f"{name} must be above 0, or None, not {limit}")
        if self.window not in _WINDOWS:
            raise ValueError(f"window must be 60, 300, 900 or 3600 seconds, not {self.window:g}")
        if self.least < 1:
            raise ValueError(f"least must be 1 or more, not {self.least}")
        if isinstance(self.codes, str):
            raise ValueError(f"codes must be several, such as ({self.codes!r},)")  # noqa: TRY004

    def __call__(self) -> dict[str, object] | Finding:
        """Look at the statistics."""
        seen = cast("_Counting", current()).statistics.snapshot()
        requests = self._lately(seen.recent_requests)
        errors = sum(self._lately(tally.recent) for _, tally in self._counted(seen))
        rate = errors * 60 / self.window
        facts: dict[str, object] = {
            "errors": round(errors),
            "requests": round(requests),
            "per_minute": round(rate, 2),
        }
        if errors < self.least or not self._is_much(errors, requests, rate):
            return facts
        codes = sorted(seen.by_code.items(), key=lambda pair: -self._lately(pair[1].recent))
        return degraded(
            f"{errors:.0f} errors in {requests:.0f} requests of the last {self.window:g} s",
            **facts,
            codes={code: round(self._lately(tally.recent)) for code, tally in codes[:_MAX_TOLD]},
        )

    def _counted(self, seen: "StatisticsSnapshot") -> "Iterator[tuple[str, Tally]]":
        tallies, wanted = (seen.by_code, self.codes) if self.codes else (seen.by_fault, _OURS)
        return ((name, tally) for name, tally in tallies.items() if name in wanted)

    def _is_much(self, errors: float, requests: float, rate: float) -> bool:
        is_share = self.share is not None and requests > 0 and errors >= self.share * requests
        return is_share or (self.per_minute is not None and rate >= self.per_minute)

    def _lately(self, recent: "Recent") -> float:
        return cast("float", getattr(recent, _WINDOWS[self.window]))
