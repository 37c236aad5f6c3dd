"""`ErrorHandler`: classifies, records, routes, reports and decides."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Protocol

from holdfast.classify import Classification, Classifier, Reading, is_control_flow
from holdfast.clock import Clock, SystemClock
from holdfast.complaints import complain
from holdfast.context import current_context
from holdfast.envelope import answer_to
from holdfast.events import Event
from holdfast.flow import Flow, adrive, drive
from holdfast.frozen import constructor_of
from holdfast.handler.answering import Answered, Answering, stands_for
from holdfast.handler.asides import Asides
from holdfast.handler.busy import Busily, handling
from holdfast.handler.marks import (
    LOGGED,
    earlier,
    is_only_logged,
    is_open,
    mark,
    settled_by,
)
from holdfast.handler.pipeline import Middleware, Pipeline
from holdfast.handler.recording import (
    Details,
    Linked,
    Recording,
    bare_answer,
    event_of,
    unreported_event_of,
)
from holdfast.handler.recovery import Recovery
from holdfast.handler.routing import Handler, Recovered, Target
from holdfast.handler.verdict import PROPAGATED, Action, Verdict, note
from holdfast.origin import ErrorContext, Origin
from holdfast.record import ErrorRecord, chain
from holdfast.redact import Redactor
from holdfast.reporting.channel import turn

_make_verdict = constructor_of(Verdict)
_make_context = constructor_of(ErrorContext)

MAX_LEFT = 10
"""Coroutines of user code that may hang at once on threads of their own."""

MAX_AT_ONCE = 100
"""Calls of user code that may be under way at once on threads of their own, those that hang included."""


class Leaving(Protocol):
    """Says whether the process outlives an error."""

    def decide(self, record: ErrorRecord) -> bool:
        """Tell whether the process has to leave because of an error; asked once for each record."""
        ...

    def begin(self, record: ErrorRecord | None) -> None:
        """Have the process leave, as a verdict said; returns before it has left."""
        ...


class _Case:
    """One error that is being decided about: what it means, and what is known so far."""

    __slots__ = (
        "action",
        "context",
        "error",
        "is_new",
        "known",
        "linked",
        "reading",
        "record",
        "settled",
        "shown",
    )

    record: ErrorRecord

    def __init__(
        self,
        context: ErrorContext,
        linked: Linked,
        reading: Reading,
        shown: Details,
        known: Details,
    ) -> None:
        self.context = context
        self.error = linked[0][0]
        self.linked = linked
        self.reading = reading
        self.shown = shown
        self.known = known
        self.action = Action.RESPOND
        self.is_new = True
        self.settled: Verdict | None = None


class ErrorHandler:
    """Classifies, records, routes, reports and decides; thread-safe, and `handle` never raises.

    All that is user code is isolated: what it raises is told, and hides no error. Only an exit, an
    interrupt or a cancellation goes through, after the error was reported.

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
        told = clock or SystemClock()
        asides = Asides(most_left=MAX_LEFT, at_once=MAX_AT_ONCE)
        self.classifier = classifier
        self._redactor = redactor
        self._emit = emit
        self._recording = Recording(redactor, told)
        self._expose_learned = expose_learned
        self._answering = Answering(redactor, emit, told, asides)
        self._pipeline = Pipeline(
            middleware, self._decide, asides, lambda: self._answering.asynchronous
        )

    @property
    def may_recover(self) -> bool:
        """Whether there is user code that may go on from an error."""
        return self._answering.anything or bool(self._pipeline.steps)

    @property
    def asynchronous(self) -> bool:
        """Whether `ahandle` may have something to await, for which `handle` has to make its thread wait."""
        return self._answering.asynchronous or self._pipeline.asynchronous

    def add_middleware(self, step: Middleware) -> None:
        """Add a step before classification, inside of those that are there."""
        self._pipeline.add(step)

    def on(self, target: Target, handler: Handler) -> None:
        """Register a handler; see `Runtime.on`."""
        self._answering.on(target, handler)

    def recover(self, target: Target, recovery: Recovery) -> None:
        """Register a recover action; see `Runtime.recover`."""
        self._answering.recover(target, recovery)

    def handle(self, error: BaseException, origin: Origin) -> Verdict:
        """Decide about an exception, recording and reporting it unless that was done before.

        Coroutines of user code run on a thread with an event loop of its own, for at most 10
        seconds, while this one waits.

        Args:
            error: The exception; it is marked, so that a second boundary gets the same verdict.
            origin: Where it became somebody's answer.
        """
        outer, handling.busy = handling.busy, True
        try:
            known = self._known(error, origin)
            if known is not None:
                return known
            context = _make_context(origin, current_context())
            if self._pipeline.steps:
                verdict = drive(self._pipeline.run(error, context))
            else:
                verdict = self._decide_now(error, context)
        except Exception as failure:  # noqa: BLE001  # the original must come out, whatever we did wrong
            verdict = self._emergency(error, origin, failure)
        except BaseException:
            self._salvage(error, origin)
            raise
        finally:
            handling.busy = outer
        return self._finish(error, verdict)

    async def ahandle(self, error: BaseException, origin: Origin) -> Verdict:
        """Decide as `handle` does, with coroutines of user code awaited on the running event loop.

        The loop (asyncio's) goes on meanwhile; other user code is called on it, unless it stands
        around a coroutine or has a time limit: then it runs on a thread.

        Args:
            error: The exception.
            origin: Where it became somebody's answer.
        """
        if not self.asynchronous:
            return self.handle(error, origin)
        return await Busily(self._ahandle(error, origin))

    async def _ahandle(self, error: BaseException, origin: Origin) -> Verdict:
        try:
            known = self._known(error, origin)
            if known is not None:
                return known
            context = ErrorContext(origin, current_context())
            verdict = await adrive(self._pipeline.run(error, context))
        except Exception as failure:  # noqa: BLE001  # the original must come out, whatever we did wrong
            verdict = self._emergency(error, origin, failure)
        except BaseException:
            self._salvage(error, origin)
            raise
        return self._finish(error, verdict)

    def saw(self, error: BaseException) -> bool:
        """Tell whether this handler has handled the exception, or one behind it."""
        return self.record_of(error) is not None

    def record_of(self, error: BaseException) -> ErrorRecord | None:
        """Return the record of the exception, or of one behind it; None when this handler saw none."""
        return earlier(self, chain(error))

    def _known(self, error: BaseException, origin: Origin) -> Verdict | None:
        settled = settled_by(self, error)
        if settled is not None and not is_open(settled, origin.boundary):
            return settled
        return PROPAGATED if is_control_flow(error) else None

    def _salvage(self, error: BaseException, origin: Origin) -> None:
        """Record an error whose handling an exit, an interrupt or a cancellation ends."""
        try:
            case = self._open(error, ErrorContext(origin, current_context()))
            if not isinstance(case, Verdict):
                self._close(case)
        except Exception as failure:  # noqa: BLE001  # it is the other that has to come out
            self._emergency(error, origin, failure)

    def _finish(self, error: BaseException, verdict: Verdict) -> Verdict:
        # A middleware may have replaced it, or stopped before the decision.
        mark(self, error, verdict)
        note(verdict)
        if verdict.action is Action.EXIT:
            self._leave(verdict)
        return verdict

    def _decide_now(self, error: BaseException, context: ErrorContext) -> Verdict:
        case = self._open(error, context)
        if isinstance(case, Verdict):
            return case
        return drive(self._ask(case)) if self._is_asked(case) else self._close(case)

    def _decide(self, error: BaseException, context: ErrorContext) -> Flow[Verdict]:
        case = self._open(error, context)
        if isinstance(case, Verdict):
            return case
        return (yield from self._ask(case)) if self._is_asked(case) else self._close(case)

    def _open(self, error: BaseException, context: ErrorContext) -> _Case | Verdict:
        """Classify and record an error, unless it was decided about before."""
        # A middleware that failed after it had gone on leads here again.
        boundary, settled = context.origin.boundary, settled_by(self, error)
        if settled is not None and not is_open(settled, boundary):
            return settled
        case = self._case(error, context)
        said = case.reading.classification
        alone = settled is None and len(case.linked) == 1
        before = None if alone else earlier(self, case.linked)
        if before is None or _says_more(said, before):
            case.record = self._recording.record(case.linked, context.origin, said, case.known)
            case.action = self._outcome(case.record)
            return case
        case.record, case.is_new = before, False
        if not is_only_logged(before, boundary):
            return self._settle(case)
        case.record = replace(before, origin=self._recording.clean_origin(context.origin))
        case.action = self._outcome(replace(case.record, classification=said))
        return case

    def _case(self, error: BaseException, context: ErrorContext) -> _Case:
        reading = self.classifier.read(error, context)
        details, learned = self._recording.told(reading.spoken)
        both = {**learned, **details} if learned else details
        shown = both if self._expose_learned else details
        return _Case(context, chain(error), reading, shown, both)

    def _is_asked(self, case: _Case) -> bool:
        """Tell whether user code is asked: not when the process leaves, nor for what reporters cause."""
        return (
            self._answering.anything
            and case.action is Action.RESPOND
            and case.context.origin.boundary != LOGGED
            and not turn.busy
            and self._answering.concerns(case.error, case.reading.classification)
        )

    def _ask(self, case: _Case) -> Flow[Verdict]:
        # Settled first: should one of those asked handle the error itself, it gets an answer.
        self._settle(case)
        try:
            said, context = case.reading.classification, _up_to_date(case.context)
            answered = yield from self._answering.ask(case.error, context, said)
        except BaseException:
            self._report(case)
            raise
        if isinstance(answered, BaseException) and answered is not case.error:
            case = self._replaced(case, answered)
        return self._close(case, answered)

    def _replaced(self, case: _Case, answered: BaseException) -> _Case:
        """Return what is to be decided about the error that a handler gave for the one at hand."""
        made, origin = self._case(answered, case.context), case.context.origin
        made.linked, said = stands_for(answered, case.error), made.reading.classification
        raised = case.error.__traceback__
        record = self._recording.record(made.linked, origin, said, made.known, raised)
        made.record = replace(record, id=case.record.id, time=case.record.time)
        made.action = self._outcome(made.record)
        made.is_new, made.settled = case.is_new, case.settled
        made.linked = [*made.linked, *case.linked]
        return made

    def _close(self, case: _Case, answered: Answered = None) -> Verdict:
        """Settle what was opened, with what user code answered, and report it."""
        value: object = None
        if isinstance(answered, Recovered) and case.context.origin.resumable:
            case.record = replace(case.record, recovered=True)
            case.action, value = Action.RECOVERED, answered.value
        verdict = self._settle(case, value)
        self._report(case)
        return verdict

    def _report(self, case: _Case) -> None:
        if case.is_new:
            told = event_of if case.context.reported else unreported_event_of
            self._emit(told(case.record))

    def _settle(self, case: _Case, value: object = None) -> Verdict:
        answer = answer_to(case.reading, self._redactor, case.record, case.shown)
        verdict = _make_verdict(action=case.action, record=case.record, answer=answer, value=value)
        for behind, _ in case.linked:
            mark(self, behind, verdict, case.settled)
        case.settled = verdict
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
        answer = bare_answer(error, origin)
        record = answer.record
        try:
            self._emit(event_of(record))
        except Exception as second:  # noqa: BLE001  # it may be what is broken
            complain(f"could not report it: {type(second).__name__}")
        return Verdict(action=self._outcome(record), record=record, answer=answer)


def _says_more(now: Classification, before: ErrorRecord) -> bool:
    """Tell whether what an error means now is news beside the record of one that was handled before."""
    then = before.classification
    return before.recovered or (now.severity, not now.trusted) > (then.severity, not then.trusted)


def _up_to_date(context: ErrorContext) -> ErrorContext:
    """Return a context with the work as it is by now: a middleware may have bound fields to it."""
    work = current_context()
    return context if context.work is work else replace(context, work=work)
