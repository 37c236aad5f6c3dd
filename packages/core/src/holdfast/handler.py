"""The one handler: every error of the system arrives here, and what becomes of it is decided here.

Boundaries capture an exception, hand it over with its origin, and render the verdict. They never
classify, log, count, alert or decide.
"""

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from typing import Final, Protocol, TypeAlias, cast

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
from holdfast.context import current_context, fresh_work, process_work
from holdfast.envelope import Answer, answer_to
from holdfast.errors import MARK, AppError
from holdfast.events import Event, Scalar
from holdfast.origin import Origin, nothing
from holdfast.record import (
    ErrorHandled,
    ErrorRecord,
    causes_of,
    chain,
    fingerprint,
    frames_of,
    text_of,
    type_name,
)
from holdfast.redact import JsonValue, Redactor
from holdfast.statuses import SERVER_ERROR

MAX_NOTES = 10
MAX_KNOWN_OPERATIONS = 1000
LOGGED: Final = "log"
"""Boundary of errors that somebody logged; the same error may yet reach a boundary that decides."""


class Action(Enum):
    """What a boundary does with an error that was handled."""

    RESPOND = "respond"
    """Answer the caller with `Verdict.answer`."""
    PROPAGATE = "propagate"
    """Let the exception go on: it is control flow, or nobody waits for an answer."""
    RECOVERED = "recovered"
    """Go on with `Verdict.value`, as if nothing had happened."""
    EXIT = "exit"
    """Answer the caller with `Verdict.answer`, as for `RESPOND`: the process leaves, in its own time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the handler decided about one error."""

    action: Action
    record: ErrorRecord | None = None
    """None for control flow, which is no error."""
    answer: Answer | None = None
    value: object = None


class Leaving(Protocol):
    """Says whether the process outlives an error."""

    def decide(self, record: ErrorRecord) -> bool:
        """Tell whether the process has to leave because of an error; asked once for each record."""
        ...

    def begin(self, record: ErrorRecord | None) -> None:
        """Have the process leave, as a verdict said; returns before it has left."""
        ...


Next: TypeAlias = Callable[[BaseException, Origin], Verdict]
Middleware: TypeAlias = Callable[[BaseException, Origin, Next], Verdict]
"""A step before classification: enriches, replaces the error, or stops with a verdict of its own."""

Details: TypeAlias = Mapping[str, JsonValue]
Linked: TypeAlias = Sequence[tuple[BaseException, str]]
"""An exception and all behind it, as `record.chain` gives them."""

_CONTROL_FLOW = Verdict(action=Action.PROPAGATE)


class _Handling(threading.local):
    """Whether this thread is in the middle of handling an error: what a step of it logs is no further one."""

    busy = False


handling = _Handling()


class ErrorHandler:
    """Classifies, records, reports and decides; thread-safe, and `handle` never raises.

    Args:
        classifier: What exceptions mean.
        redactor: Cleans everything that is recorded or answered.
        emit: Takes the events; must neither block nor raise.
        clock: Source of the time of records.
        middleware: Steps before classification, outermost first.
        expose_learned: Show callers what the suite itself learned of a failure.

    Attributes:
        leaving: Says whether the process outlives an error; None: it does.
    """

    leaving: Leaving | None = None

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
        outer, handling.busy = handling.busy, True
        try:
            settled = self._settled(error)
            if settled is not None and not is_open(settled, origin.boundary):
                return settled
            if is_control_flow(error):
                return _CONTROL_FLOW
            verdict = self._pipeline(error, origin)
        except Exception as failure:  # noqa: BLE001  # the original must come out, whatever we did wrong
            verdict = self._emergency(error, origin, failure)
        finally:
            handling.busy = outer
        # A middleware may have replaced it, or stopped before the decision.
        self._mark(error, verdict)
        _note(verdict)
        if verdict.action is Action.EXIT:
            self._leave(verdict)
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
        # A middleware that failed after it had gone on leads here again.
        settled = self._settled(error)
        if settled is not None and not is_open(settled, origin.boundary):
            return settled
        linked = chain(error)
        reading = self.classifier.read(error)
        details, learned = self._told(reading.spoken)
        shown = {**learned, **details} if learned and self._expose_learned else details
        earlier = self._earlier(linked)
        if earlier is not None and not _graver(reading.classification, earlier.classification):
            if not _is_only_logged(earlier, origin.boundary):
                return self._settle(linked, reading, earlier, shown)
            reached = replace(earlier, origin=self._clean_origin(origin))
            action = self._outcome(replace(reached, classification=reading.classification))
            return self._settle(linked, reading, reached, shown, action)
        known = {**learned, **details} if learned else details
        record = self._record(linked, origin, reading.classification, known)
        verdict = self._settle(linked, reading, record, shown, self._outcome(record))
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
        """Let the exception, unless that was decided before, give this verdict when it comes again."""
        try:
            settled = self._settled(error)
            if settled is None or (
                verdict.record and is_open(settled, verdict.record.origin.boundary)
            ):
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
        error, work = linked[0][0], current_context() or process_work()
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
            fingerprint=fingerprint(said.code, error, frames, origin.operation),
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
        self,
        linked: Linked,
        reading: Reading,
        record: ErrorRecord,
        details: Details,
        action: Action = Action.RESPOND,
    ) -> Verdict:
        answer = answer_to(reading, self._redactor, record, details)
        verdict = Verdict(action=action, record=record, answer=answer)
        for behind, _ in linked:
            self._mark(behind, verdict)
        return verdict

    def _outcome(self, record: ErrorRecord) -> Action:
        if record.classification.trusted or self.leaving is None:
            return Action.RESPOND
        try:
            return Action.EXIT if self.leaving.decide(record) else Action.RESPOND
        except Exception as failure:  # noqa: BLE001  # in doubt, the process goes on
            _complain(f"could not decide whether to leave: {type(failure).__name__}")
            return Action.RESPOND

    def _leave(self, verdict: Verdict) -> None:
        try:
            if self.leaving is not None:
                self.leaving.begin(verdict.record)
        except Exception as failure:  # noqa: BLE001  # the answer must come out
            _complain(f"could not leave: {type(failure).__name__}")

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
        return Verdict(action=self._outcome(record), record=record, answer=answer)


def is_open(settled: Verdict, boundary: str) -> bool:
    """Tell whether a boundary has still to decide: the error was only logged before it came there."""
    return settled.record is not None and _is_only_logged(settled.record, boundary)


def _is_only_logged(record: ErrorRecord, boundary: str) -> bool:
    return record.origin.boundary == LOGGED != boundary


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


def verdict_of(error: BaseException) -> Verdict | None:
    """Return what any handler of this process has decided about the very exception in the work at hand, or None."""
    mark: object = error.__dict__.get(MARK)
    while isinstance(mark, _Mark):
        if mark.handler is not None and mark.holds():
            return mark.verdict
        mark = mark.before
    return None


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
