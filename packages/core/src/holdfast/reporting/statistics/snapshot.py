"""What the statistics say at one moment, as values and as JSON."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from holdfast.record import ErrorRecord
from holdfast.redact import JsonValue
from holdfast.reporting.statistics.series import label
from holdfast.reporting.statistics.sketch import DurationSummary
from holdfast.reporting.statistics.windows import Recent


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Errors that have something in common, such as their code."""

    total: int
    """Since the process began, those included that were recovered from."""
    recovered: int
    """Those that came to nobody: something else was returned in their place."""
    first_seen: datetime
    last_seen: datetime
    """Aware, UTC."""
    recent: Recent
    about: str = ""
    """Of a fingerprint, the code that its errors have; empty otherwise."""

    def as_json(self) -> dict[str, JsonValue]:
        """Return the facts as a dictionary."""
        facts: dict[str, JsonValue] = {
            "total": self.total,
            "recovered": self.recovered,
            "first_seen": self.first_seen.isoformat(),
            "last_seen": self.last_seen.isoformat(),
            "recent": _json_of(self.recent),
        }
        return {**facts, "code": self.about} if self.about else facts


class Tallies(Mapping[str, Tally]):
    """Tallies by value; `other` is what the values beyond the bound have together.

    Attributes:
        folded: How often a value was folded into `other`.
    """

    __slots__ = ("_tallies", "folded")

    def __init__(self, tallies: Mapping[str, Tally], *, folded: int = 0) -> None:
        self._tallies = tallies
        self.folded = folded

    def __getitem__(self, value: str) -> Tally:
        return self._tallies[value]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tallies)

    def __len__(self) -> int:
        return len(self._tallies)

    def __repr__(self) -> str:
        return f"Tallies({self._tallies!r}, folded={self.folded})"

    def totals(self) -> dict[str, int]:
        """Return the number of errors by value."""
        return {value: tally.total for value, tally in self.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class LastError:
    """The error that was handled last."""

    time: datetime
    code: str
    type: str
    status: int
    boundary: str
    operation: str
    trace_id: str
    record_id: str
    fingerprint: str

    @classmethod
    def of(cls, record: ErrorRecord) -> "LastError":
        """Return what is said of a record."""
        said, origin = record.classification, record.origin
        return cls(
            time=record.time,
            code=label(said.code),
            type=label(record.type),
            status=said.status,
            boundary=label(origin.boundary),
            operation=label(origin.operation),
            trace_id=label(record.trace_id),
            record_id=record.id,
            fingerprint=record.fingerprint,
        )

    def as_json(self) -> dict[str, JsonValue]:
        """Return the facts as a dictionary."""
        facts = {name: cast("JsonValue", getattr(self, name)) for name in self.__slots__}
        return {**facts, "time": self.time.isoformat()}


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsSnapshot:
    """The statistics of one process at one moment.

    `error_rate` counts what came to somebody: errors that were recovered from are none of it. As errors
    outside of any request count as well, it may be above 1; it is 0 where no request was counted.
    """

    time: datetime
    since: datetime
    """When counting began: with the runtime, or with the process where that was forked later."""
    total_errors: int
    recovered_errors: int
    requests: int
    """Requests, tasks, runs of jobs and messages that began."""
    error_rate: float
    """Errors by request, since counting began."""
    errors: Recent
    recovered: Recent
    recent_requests: Recent
    """Between two looks at the counter (an error looks once in five seconds) taken to be spread evenly."""
    error_rates: Recent
    """Errors by request, of each window."""
    by_code: Tallies
    by_kind: Tallies
    by_fault: Tallies
    by_boundary: Tallies
    by_operation: Tallies
    by_fingerprint: Tallies
    durations: Mapping[str, DurationSummary]
    """By name of the events that told them."""
    last_error: LastError | None

    def as_json(self) -> dict[str, JsonValue]:
        """Return everything as what `json.dumps` takes; names of the totals are stable."""
        return {
            "time": self.time.isoformat(),
            "since": self.since.isoformat(),
            "total_errors": self.total_errors,
            "recovered_errors": self.recovered_errors,
            "requests": self.requests,
            "error_rate": self.error_rate,
            "last_error_time": None
            if self.last_error is None
            else self.last_error.time.isoformat(),
            "last_error": None if self.last_error is None else self.last_error.as_json(),
            "errors_by_code": dict[str, JsonValue](self.by_code.totals()),
            "errors_by_kind": dict[str, JsonValue](self.by_kind.totals()),
            "errors_by_fault": dict[str, JsonValue](self.by_fault.totals()),
            "errors_by_boundary": dict[str, JsonValue](self.by_boundary.totals()),
            "errors_by_endpoint": dict[str, JsonValue](self.by_operation.totals()),
            "recent": self._recent(),
            "codes": _described(self.by_code),
            "endpoints": _described(self.by_operation),
            "fingerprints": _described(self.by_fingerprint),
            "durations": {name: _summary(told) for name, told in self.durations.items()},
        }

    def _recent(self) -> dict[str, JsonValue]:
        return {
            "errors": _json_of(self.errors),
            "errors_per_second": _json_of(self.errors.per_second()),
            "recovered": _json_of(self.recovered),
            "requests": _json_of(self.recent_requests),
            "error_rate": _json_of(self.error_rates),
        }


def _json_of(recent: Recent) -> dict[str, JsonValue]:
    return {name: round(value, 6) for name, value in zip(recent._fields, recent, strict=True)}


def _described(tallies: Tallies) -> dict[str, JsonValue]:
    return {value: tally.as_json() for value, tally in tallies.items()}


def _summary(told: DurationSummary) -> dict[str, JsonValue]:
    return {
        "count": told.count,
        "mean": told.mean,
        "p95": told.p95,
        "longest": told.longest,
    }
