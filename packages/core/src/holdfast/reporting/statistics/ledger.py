"""Everything that was counted in one process, by what users ask for."""

from datetime import datetime
from typing import Final

from holdfast.record import ErrorRecord
from holdfast.reporting.statistics.series import OTHER, Seen, Table, label
from holdfast.reporting.statistics.sketch import Sketch
from holdfast.reporting.statistics.snapshot import LastError, StatisticsSnapshot, Tallies, Tally
from holdfast.reporting.statistics.tap import Labels
from holdfast.reporting.statistics.windows import Windows, share

MAX_CODES: Final = 500
MAX_OPERATIONS: Final = 500
MAX_FINGERPRINTS: Final = 1000
MAX_BOUNDARIES: Final = 100
MAX_EVENTS: Final = 100
"""Names of events whose durations are told apart: the first that come."""
_ENOUGH: Final = 50
"""More than there are kinds and faults."""


class Ledger:
    """Counts of errors, requests and durations; not safe for threads.

    Args:
        since: When it begins.
        now: The same, in slots with a fraction.
    """

    def __init__(self, since: datetime, now: float) -> None:
        self._since = since
        self._errors = self._recovered = 0
        self._recent_errors, self._recent_recovered = Windows(), Windows()
        self._requests = 0
        self._recent_requests = Windows()
        self._looked = now
        self._codes, self._operations = Table(MAX_CODES), Table(MAX_OPERATIONS)
        self._fingerprints, self._boundaries = Table(MAX_FINGERPRINTS), Table(MAX_BOUNDARIES)
        self._kinds, self._faults = Table(_ENOUGH), Table(_ENOUGH)
        self._durations: dict[str, Sketch] = {}

    def count(self, labels: Labels, fingerprint: str, seen: Seen) -> None:
        """Count errors that have everything in common."""
        self._errors += seen.number
        self._recent_errors.add(seen.slot, seen.number)
        if seen.recovered:
            self._recovered += seen.number
            self._recent_recovered.add(seen.slot, seen.number)
        self._codes.add(labels.code, seen)
        self._kinds.add(labels.kind, seen)
        self._faults.add(labels.fault, seen)
        self._boundaries.add(labels.boundary, seen)
        self._operations.add(labels.operation, seen)
        self._fingerprints.add(fingerprint, seen, labels.code)

    def look(self, now: float, requests: int) -> None:
        """Take note of how many requests there were by now.

        Args:
            now: In slots, with a fraction.
            requests: All since the beginning.
        """
        self._recent_requests.spread(self._looked, now, requests - self._requests)
        self._requests, self._looked = requests, now

    def took(self, event: str, seconds: float) -> None:
        """Count how long something took."""
        name = label(event)
        if name not in self._durations and len(self._durations) >= MAX_EVENTS:
            name = OTHER
        self._durations.setdefault(name, Sketch()).add(seconds)

    def snapshot(self, time: datetime, now: float, last: ErrorRecord | None) -> StatisticsSnapshot:
        """Return everything as values.

        Args:
            time: Present.
            now: The same, in slots with a fraction.
            last: The last error.
        """
        errors, recovered = self._recent_errors.recent(now), self._recent_recovered.recent(now)
        requests = self._recent_requests.recent(now)
        return StatisticsSnapshot(
            time=time,
            since=self._since,
            total_errors=self._errors,
            recovered_errors=self._recovered,
            requests=self._requests,
            error_rate=share(self._errors - self._recovered, self._requests),
            errors=errors,
            recovered=recovered,
            recent_requests=requests,
            error_rates=errors.minus(recovered).over(requests),
            by_code=_tallies(self._codes, now),
            by_kind=_tallies(self._kinds, now),
            by_fault=_tallies(self._faults, now),
            by_boundary=_tallies(self._boundaries, now),
            by_operation=_tallies(self._operations, now),
            by_fingerprint=_tallies(self._fingerprints, now),
            durations={name: took.summary() for name, took in self._durations.items()},
            last_error=None if last is None else LastError.of(last),
        )


def _tallies(table: Table, now: float) -> Tallies:
    return Tallies(
        {
            value: Tally(
                about=series.about,
                total=series.total,
                recovered=series.recovered,
                first_seen=series.first_seen,
                last_seen=series.last_seen,
                recent=series.windows.recent(now),
            )
            for value, series in table.items()
        },
        folded=table.folded,
    )
