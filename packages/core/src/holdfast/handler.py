"""The one handler: every error of the system arrives here, and what becomes of it is decided here.

Boundaries capture an exception, hand it over with its origin, and render the verdict. They never
classify, log, count, alert or decide.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from typing import TypeAlias, cast

from holdfast.classify import (
    UNKNOWN,
    Classification,
    Classifier,
    Reading,
    as_group,
    is_control_flow,
    leaves,
)
from holdfast.clock import Clock, SystemClock
from holdfast.context import current_context, fresh_work
from holdfast.envelope import Answer, answer_to
from holdfast.errors import MARK, AppError
from holdfast.events import Event, Scalar
from holdfast.record import (
    ErrorHandled,
    ErrorRecord,
    Origin,
    causes_of,
    chain,
    fingerprint,
    frames_of,
    nothing,
    text_of,
    type_name,
)
from holdfast.redact import JsonValue, Redactor
from holdfast.statuses import SERVER_ERROR

MAX_NOTES = 10
MAX_KNOWN_OPERATIONS = 1000


class Action(Enum):
    """What a boundary does with an error that was handled."""

    RESPOND = "respond"
    """Answer the caller with `Verdict.answer`."""
    PROPAGATE = "propagate"
    """Let the exception go on: it is control flow, or nobody waits for an answer."""
    RECOVERED = "recovered"
    """Go on with `Verdict.value`, as if nothing had happened."""
    EXIT = "exit"
    """End the process in an orderly way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the handler decided about one error."""

    action: Action
    record: ErrorRecord | None = None
    """None for control flow, which is no error."""
    answer: Answer | None = None
    value: object = None


Next: TypeAlias = Callable[[BaseException, Origin], Verdict]
Middleware: TypeAlias = Callable[[BaseException, Origin, Next], Verdict]
"""A step before classification: enriches, replaces the error, or stops with a verdict of its own."""

Details: TypeAlias = Mapping[str, JsonValue]
Linked: TypeAlias = Sequence[tuple[BaseException, str]]
"""An exception and all behind it, as `record.chain` gives them."""

_CONTROL_FLOW = Verdict(action=Action.PROPAGATE)


class ErrorHandler:
    """Classifies, records, reports and decides; thread-safe, and `handle` never raises.

    Args:
        classifier: What exceptions mean.
        redactor: Cleans everything that is recorded or answered.
        emit: Takes the events; must neither block nor raise.
        clock: Source of the time of records.
        middleware: Steps before classification, outermost first.
        expose_learned: Show callers what the suite itself learned of a failure.
    """

    def __init__(
        self,
        *,
        classifier: Classifier,
        redactor: Redactor,
        emit: Callable[[Event], None],
        clock: Clock | None = None,
        middleware: Iterable[Middleware] = (),
        expose_learned: bool = False,
    ) -> None:
        self.classifier = classifier
        self._redactor = redactor
        self._emit = emit
        self._clock = clock or SystemClock()
        self._expose_learned = expose_learned
        self._operations: dict[str, str] = {}
        self._pipeline = self._compose(tuple(middleware))

    def handle(self, error: BaseException, origin: Origin) -> Verdict:
        """Decide about an exception, recording and reporting it unless that was done before.

        Args:
            error: The exception; it is marked, so that a second boundary gets the same verdict.
            origin: Where it became somebody's answer.
        """
        try:
            settled = self._settled(error)
            if settled is not None:
                return settled
            if is_control_flow(error):
                return _CONTROL_FLOW
            verdict = self._pipeline(error, origin)
        except Exception as failure:  # noqa: BLE001  # the original must come out, whatever we did wrong
            verdict = self._emergency(error, origin, failure)
        # A middleware may have replaced it, or stopped before the decision.
        self._mark(error, verdict)
        _note(verdict)
        return verdict

    def saw(self, error: BaseException) -> bool:
        """Tell whether this handler has handled the exception, or one behind it."""
        return self._earlier(chain(error)) is not None

    def _compose(self, middleware: tuple[Middleware, ...]) -> Next:
        step: Next = self._decide
        for outer in reversed(middleware):
            step = _guarded(outer, step)
        return step

    def _decide(self, error: BaseException, origin: Origin) -> Verdict:
        settled = self._settled(error)
        if settled is not None:  # a middleware that failed afterwards leads here again
            return settled
        linked = chain(error)
        reading = self.classifier.read(error)
        details, learned = self._told(reading.spoken)
        shown = {**learned, **details} if learned and self._expose_learned else details
        earlier = self._earlier(linked)
        if earlier is not None and not _graver(reading.classification, earlier.classification):
            return self._settle(linked, reading, earlier, shown)
        known = {**learned, **details} if learned else details
        record = self._record(linked, origin, reading.classification, known)
        verdict = self._settle(linked, reading, record, shown)
        self._emit(_event(record))
        return verdict

    def _told(self, spoken: AppError | None) -> tuple[Details, Details]:
        """Return what the raiser said in details, and what the suite learned by itself; clean."""
        if spoken is None:
            return nothing(), nothing()
        clean = self._redactor
        details = clean.mapping(spoken.details) if spoken.details else nothing()
        return details, clean.mapping(spoken.learned) if spoken.learned else nothing()

    def _settled(self, error: BaseException) -> Verdict | None:
        """Return what this handler decided about the very exception before."""
        # Not by `getattr`: what a class does with unknown names is its own business.
        mark: object = error.__dict__.get(MARK)
        while isinstance(mark, _Mark):
            if mark.handler is self and mark.holds():
                return mark.verdict
            mark = mark.before
        return None

    def _mark(self, error: BaseException, verdict: Verdict) -> None:
        """Let the exception, unless it was handled before, give this verdict when it comes again."""
        try:
            if self._settled(error) is None:
                error.__dict__[MARK] = _Mark(self, verdict, self._others(error))
        except Exception:  # noqa: BLE001, S110  # a class may hide its attributes
            pass

    def _others(self, error: BaseException) -> object:
        """Return the newest mark of another handler, or None."""
        mark: object = error.__dict__.get(MARK)
        while isinstance(mark, _Mark) and mark.handler is self:
            mark = mark.before
        return mark

    def _earlier(self, linked: Linked) -> ErrorRecord | None:
        """Return the record of an exception in the same chain that was handled before.

        A group counts as handled when all of its members are: one that is not may be another error.
        """
        group = as_group(linked[0][0])
        if group is not None and not all(self._earlier(chain(leaf)) for leaf in leaves(group)):
            return None
        for behind, _ in linked:
            settled = self._settled(behind)
            if settled is not None:
                return settled.record
        return None

    def _record(
        self, linked: Linked, origin: Origin, said: Classification, details: Details
    ) -> ErrorRecord:
        error, work = linked[0][0], current_context() or fresh_work()
        clean = self._redactor
        frames = frames_of(error.__traceback__)
        return ErrorRecord(
            id=os.urandom(16).hex(),
            time=self._clock.now(),
            trace_id=work.trace_id,
            span_id=work.span_id,
            origin=self._clean_origin(origin),
            classification=said,
            type=type_name(type(error)),
            message=clean.text(text_of(error)),
            causes=causes_of(linked, clean),
            notes=_notes(error, clean),
            details=details,
            fields=clean.mapping(work.fields) if work.fields else nothing(),
            frames=frames,
            fingerprint=fingerprint(said.code, error, frames),
        )

    def _clean_origin(self, origin: Origin) -> Origin:
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

    def _settle(
        self, linked: Linked, reading: Reading, record: ErrorRecord, details: Details
    ) -> Verdict:
        answer = answer_to(reading, self._redactor, record, details)
        verdict = Verdict(action=Action.RESPOND, record=record, answer=answer)
        for behind, _ in linked:
            self._mark(behind, verdict)
        return verdict

    def _emergency(self, error: BaseException, origin: Origin, failure: Exception) -> Verdict:
        """Answer with as little code as possible: something on the usual path is broken."""
        _complain(
            f"could not handle {type(error).__name__} at {origin.boundary}: "
            f"its handler raised {type(failure).__name__}"
        )
        record = _bare_record(error, origin)
        answer = Answer(classification=record.classification, record=record)
        try:
            self._emit(_event(record))
        except Exception as second:  # noqa: BLE001  # it may be what is broken
            _complain(f"could not report it: {type(second).__name__}")
        return Verdict(action=Action.RESPOND, record=record, answer=answer)


def _bare_record(error: BaseException, origin: Origin) -> ErrorRecord:
    work = current_context() or fresh_work()
    return ErrorRecord(
        id=os.urandom(16).hex(),
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


def _note(verdict: Verdict) -> None:
    """Keep what explains a server error's status, should the work end with one; not a caller's mistake."""
    work = current_context()
    if work is None or work.noted is None or verdict.answer is None:
        return
    if verdict.answer.classification.kind.status >= SERVER_ERROR:
        work.noted[:] = [verdict]


def last_server_error() -> Verdict | None:
    """Return the verdict about the latest server error of the current piece of work, if there was one.

    It explains an answer with such a status even if the code that caught the error went on from it.
    """
    work = current_context()
    noted = work.noted[-1] if work is not None and work.noted else None
    return noted if isinstance(noted, Verdict) else None


class _Mark:
    """Put on an exception that was handled; it does not travel to other processes.

    It holds within the piece of work that the exception was handled in, and those around it: an
    exception may be an object that is raised again and again. A handler's mark keeps those of other
    handlers, which belong to other applications.
    """

    __slots__ = ("before", "handler", "spans", "verdict")

    def __init__(self, handler: ErrorHandler | None, verdict: Verdict, before: object) -> None:
        work = current_context()
        self.spans = () if work is None else (work.span_id, *work.within)
        self.handler = handler
        self.verdict = verdict
        self.before = before

    def holds(self) -> bool:
        """Tell whether the present piece of work is one that the mark was put on in; or none is."""
        work = current_context()
        return work is None or work.span_id in self.spans

    def __reduce__(self) -> tuple[object, ...]:
        return _Mark, (None, _CONTROL_FLOW, None)


def _complain(text: str) -> None:
    """Say on standard error what reporters cannot be told; it may be closed, or None."""
    with contextlib.suppress(Exception):
        sys.stderr.write(f"holdfast: {text}\n")


def _guarded(outer: Middleware, step: Next) -> Next:
    """Make one step; a middleware that raises is passed over, its failure noted on standard error."""

    def guarded(error: BaseException, origin: Origin) -> Verdict:
        decided: list[Verdict] = []

        def following(error: BaseException, origin: Origin) -> Verdict:
            decided.append(step(error, origin))
            return decided[-1]

        try:
            return _checked(outer(error, origin, following))
        except Exception as failure:  # noqa: BLE001  # user code must not hide the error
            name = getattr(outer, "__qualname__", type(outer).__qualname__)
            _complain(f"middleware {name} raised {type(failure).__name__}")
            return decided[-1] if decided else step(error, origin)

    return guarded


def _checked(verdict: object) -> Verdict:
    if isinstance(verdict, Verdict):
        return verdict
    raise TypeError(f"a middleware must return a Verdict, not {type(verdict).__name__}")


def _graver(now: Classification, earlier: Classification) -> bool:
    return (now.severity, not now.trusted) > (earlier.severity, not earlier.trusted)


def _notes(error: BaseException, redactor: Redactor) -> tuple[str, ...]:
    notes: object = error.__dict__.get("__notes__")
    if not isinstance(notes, list):
        return ()
    return tuple(redactor.text(text_of(note)) for note in cast("list[object]", notes[:MAX_NOTES]))


def _event(record: ErrorRecord) -> ErrorHandled:
    said = record.classification
    attributes: dict[str, Scalar] = {
        "code": said.code,
        "kind": said.kind,
        "fault": said.fault,
        "status": said.status,
        "trusted": said.trusted,
        "fingerprint": record.fingerprint,
        "boundary": record.origin.boundary,
        "operation": record.origin.operation,
    }
    return ErrorHandled(
        name="error.handled",
        severity=said.severity,
        time=record.time,
        attributes=attributes,
        record=record,
    )
