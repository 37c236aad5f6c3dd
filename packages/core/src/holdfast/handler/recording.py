"""From an exception to its record and its event: redacted, bounded, immutable."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, TypeAlias, cast

from holdfast.classify import UNKNOWN, Classification
from holdfast.clock import Clock
from holdfast.codes import Severity
from holdfast.context import current_context, fresh_work, process_work
from holdfast.envelope import Answer
from holdfast.errors import AppError
from holdfast.events import Event
from holdfast.frozen import constructor_of
from holdfast.ids import long_id
from holdfast.origin import Origin, nothing
from holdfast.record import (
    ErrorHandled,
    ErrorRecord,
    causes_of,
    fingerprint,
    frames_of,
    text_of,
    type_name,
)
from holdfast.redact import JsonValue, Redactor

if TYPE_CHECKING:
    from holdfast.events import Scalar

MAX_NOTES = 10
MAX_KNOWN_OPERATIONS = 1000

Details: TypeAlias = Mapping[str, JsonValue]
Linked: TypeAlias = Sequence[tuple[BaseException, str]]
"""An exception and all behind it, as `record.chain` gives them."""

_make_record = constructor_of(ErrorRecord)
_make_event = constructor_of(ErrorHandled)


class Recording:
    """Makes the records of one handler; thread-safe.

    Args:
        redactor: Cleans everything that is recorded.
        clock: Source of the time of records.
    """

    def __init__(self, redactor: Redactor, clock: Clock) -> None:
        self._redactor = redactor
        self._clock = clock
        self._operations: dict[str, str] = {}

    def told(self, spoken: AppError | None) -> tuple[Details, Details]:
        """Return what the raiser said in details, and what the suite learned by itself; clean."""
        if spoken is None:
            return nothing(), nothing()
        clean = self._redactor
        details = clean.mapping(spoken.details) if spoken.details else nothing()
        return details, clean.mapping(spoken.learned) if spoken.learned else nothing()

    def record(
        self,
        linked: Linked,
        origin: Origin,
        said: Classification,
        details: Details,
        raised: TracebackType | None = None,
    ) -> ErrorRecord:
        """Return all that is known of an error.

        Args:
            linked: The error, and all behind it.
            origin: Where it became somebody's answer.
            said: What it means.
            details: What is known in particular; clean.
            raised: The way to it, should it not have been raised itself.
        """
        error, work = linked[0][0], current_context() or process_work()
        clean = self._redactor
        frames = frames_of(error.__traceback__ or raised)
        return _make_record(
            id=long_id(),
            time=self._clock.now(),
            trace_id=work.trace_id,
            span_id=work.span_id,
            origin=self.clean_origin(origin),
            classification=said,
            type=type_name(type(error)),
            message=clean.text(text_of(error)),
            causes=causes_of(linked, clean),
            notes=_notes(error, clean),
            details=details,
            fields=clean.mapping(work.fields) if work.fields else nothing(),
            frames=frames,
            fingerprint=fingerprint(said.code, error, frames, origin.operation),
        )

    def clean_origin(self, origin: Origin) -> Origin:
        """Return an origin without secrets."""
        clean = self._redactor
        operation = self._operations.get(origin.operation)
        if operation is None:
            operation = clean.text(origin.operation)
            if len(self._operations) < MAX_KNOWN_OPERATIONS:
                self._operations[origin.operation] = operation
        path = clean.text(origin.path) if origin.path else ""
        if not origin.attributes and operation == origin.operation and path == origin.path:
            return origin
        attributes = clean.mapping(origin.attributes)
        return replace(origin, operation=operation, path=path, attributes=attributes)


def bare_answer(error: BaseException, origin: Origin) -> Answer:
    """Return the answer to an error of which nothing is known, with next to no code; nothing is recorded."""
    work = current_context() or fresh_work()
    record = ErrorRecord(
        id=long_id(),
        time=datetime.now(UTC),  # noqa: TID251  # the clock may be what is broken
        trace_id=work.trace_id,
        span_id=work.span_id,
        origin=Origin(boundary=origin.boundary),
        classification=UNKNOWN,
        type=type_name(type(error)),
        message="",
        frames=(),
        fingerprint="",
    )
    return Answer(classification=UNKNOWN, record=record)


def _notes(error: BaseException, redactor: Redactor) -> tuple[str, ...]:
    notes: object = error.__dict__.get("__notes__")
    if not isinstance(notes, list):
        return ()
    return tuple(redactor.text(text_of(note)) for note in cast("list[object]", notes[:MAX_NOTES]))


def event_of(record: ErrorRecord) -> ErrorHandled:
    """Return the event that tells of a record; of a recovered error it is a warning at most."""
    severity = record.classification.severity
    return _make_event(
        name="error.handled",
        severity=min(severity, Severity.WARNING) if record.recovered else severity,
        time=record.time,
        attributes=_facts(record),
        record=record,
    )


def unreported_event_of(record: ErrorRecord) -> Event:
    """Return the event that tells of an error which is not to be reported; for counts alone."""
    facts = _facts(record)
    return Event(
        name="error.unreported", severity=Severity.DEBUG, time=record.time, attributes=facts
    )


def _facts(record: ErrorRecord) -> "dict[str, Scalar]":
    said = record.classification
    facts: dict[str, Scalar] = {
        "code": said.code,
        "kind": said.kind,
        "fault": said.fault,
        "status": said.status,
        "trusted": said.trusted,
        "fingerprint": record.fingerprint,
        "boundary": record.origin.boundary,
        "operation": record.origin.operation,
    }
    if record.recovered:
        facts["recovered"] = True
    return facts
