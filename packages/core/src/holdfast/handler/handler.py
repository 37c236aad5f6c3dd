"""`ErrorHandler`: classifies, records, reports and decides."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Protocol

from holdfast.classify import Classification, Classifier, Reading, is_control_flow
from holdfast.clock import Clock, SystemClock
from holdfast.envelope import Answer, answer_to
from holdfast.events import Event
from holdfast.handler.busy import handling
from holdfast.handler.complaints import complain
from holdfast.handler.marks import earlier, is_only_logged, is_open, mark, settled_by
from holdfast.handler.pipeline import Middleware, compose
from holdfast.handler.recording import Details, Linked, Recording, bare_record, event_of
from holdfast.handler.verdict import PROPAGATED, Action, Verdict, note
from holdfast.origin import Origin
from holdfast.record import ErrorRecord, chain
from holdfast.redact import Redactor


class Leaving(Protocol):
    """Says whether the process outlives an error."""

    def decide(self, record: ErrorRecord) -> bool:
        """Tell whether the process has to leave because of an error; asked once for each record."""
        ...

    def begin(self, record: ErrorRecord | None) -> None:
        """Have the process leave, as a verdict said; returns before it has left."""
        ...


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
        self._recording = Recording(redactor, clock or SystemClock())
        self._expose_learned = expose_learned
        self._pipeline = compose(middleware, self._decide)

    def handle(self, error: BaseException, origin: Origin) -> Verdict:
        """Decide about an exception, recording and reporting it unless that was done before.

        Args:
            error: The exception; it is marked, so that a second boundary gets the same verdict.
            origin: Where it became somebody's answer.
        """
        outer, handling.busy = handling.busy, True
        try:
            settled = settled_by(self, error)
            if settled is not None and not is_open(settled, origin.boundary):
                return settled
            if is_control_flow(error):
                return PROPAGATED
            verdict = self._pipeline(error, origin)
        except Exception as failure:  # noqa: BLE001  # the original must come out, whatever we did wrong
            verdict = self._emergency(error, origin, failure)
        finally:
            handling.busy = outer
        # A middleware may have replaced it, or stopped before the decision.
        mark(self, error, verdict)
        note(verdict)
        if verdict.action is Action.EXIT:
            self._leave(verdict)
        return verdict

    def saw(self, error: BaseException) -> bool:
        """Tell whether this handler has handled the exception, or one behind it."""
        return earlier(self, chain(error)) is not None

    def _decide(self, error: BaseException, origin: Origin) -> Verdict:
        # A middleware that failed after it had gone on leads here again.
        settled = settled_by(self, error)
        if settled is not None and not is_open(settled, origin.boundary):
            return settled
        linked = chain(error)
        reading = self.classifier.read(error)
        details, learned = self._recording.told(reading.spoken)
        shown = {**learned, **details} if learned and self._expose_learned else details
        before = earlier(self, linked)
        if before is not None and not _graver(reading.classification, before.classification):
            if not is_only_logged(before, origin.boundary):
                return self._settle(linked, reading, before, shown)
            reached = replace(before, origin=self._recording.clean_origin(origin))
            action = self._outcome(replace(reached, classification=reading.classification))
            return self._settle(linked, reading, reached, shown, action)
        known = {**learned, **details} if learned else details
        record = self._recording.record(linked, origin, reading.classification, known)
        verdict = self._settle(linked, reading, record, shown, self._outcome(record))
        self._emit(event_of(record))
        return verdict

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
            mark(self, behind, verdict)
        return verdict

    def _outcome(self, record: ErrorRecord) -> Action:
        if record.classification.trusted or self.leaving is None:
            return Action.RESPOND
        try:
            return Action.EXIT if self.leaving.decide(record) else Action.RESPOND
        except Exception as failure:  # noqa: BLE001  # in doubt, the process goes on
            complain(f"could not decide whether to leave: {type(failure).__name__}")
            return Action.RESPOND

    def _leave(self, verdict: Verdict) -> None:
        try:
            if self.leaving is not None:
                self.leaving.begin(verdict.record)
        except Exception as failure:  # noqa: BLE001  # the answer must come out
            complain(f"could not leave: {type(failure).__name__}")

    def _emergency(self, error: BaseException, origin: Origin, failure: Exception) -> Verdict:
        """Answer with as little code as possible: something on the usual path is broken."""
        complain(
            f"could not handle {type(error).__name__} at {origin.boundary}: "
            f"its handler raised {type(failure).__name__}"
        )
        record = bare_record(error, origin)
        answer = Answer(classification=record.classification, record=record)
        try:
            self._emit(event_of(record))
        except Exception as second:  # noqa: BLE001  # it may be what is broken
            complain(f"could not report it: {type(second).__name__}")
        return Verdict(action=self._outcome(record), record=record, answer=answer)


def _graver(now: Classification, earlier: Classification) -> bool:
    return (now.severity, not now.trusted) > (earlier.severity, not earlier.trusted)
