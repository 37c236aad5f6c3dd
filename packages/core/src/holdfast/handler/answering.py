"""User code is asked about one error: the handlers registered for it, then the recover actions."""

import inspect
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from typing import TypeAlias

from holdfast.callables import is_async, name_of
from holdfast.classify import Classification, is_control_flow
from holdfast.clock import Clock
from holdfast.codes import Severity
from holdfast.events import Event, Scalar
from holdfast.flow import Flow
from holdfast.handler.asides import Asides, CrowdedError, OverdueError
from holdfast.handler.failures import is_failure
from holdfast.handler.pipeline import PATIENCE
from holdfast.handler.recovery import Attempt, Recovery
from holdfast.handler.routing import Handler, Recovered, Routes, Target
from holdfast.origin import ErrorContext
from holdfast.record import chain, failure_facts
from holdfast.redact import Redactor

Answered: TypeAlias = Recovered | BaseException | None
"""A value, an error in the error's place, or nothing."""


class _Answering:
    """One error that user code is asked about; what is handled meanwhile is recorded, and not routed."""

    going_on = True


_within: ContextVar[_Answering | None] = ContextVar("holdfast_answering", default=None)


class Answering:
    """Holds what is registered, and asks it; thread-safe.

    Args:
        redactor: Cleans what failures say.
        emit: Takes the events.
        clock: Measures pauses and durations.
        asides: Where coroutines run when nobody awaits.

    Attributes:
        anything: Whether anything is registered.
    """

    def __init__(
        self, redactor: Redactor, emit: Callable[[Event], None], clock: Clock, asides: Asides
    ) -> None:
        self._redactor = redactor
        self._emit = emit
        self._clock = clock
        self._asides = asides
        self._handlers: Routes[Handler] = Routes()
        self._recoveries: Routes[Recovery] = Routes()
        self.anything = False

    @property
    def asynchronous(self) -> bool:
        """Whether something may have to be awaited: a coroutine, or an action with a time limit."""
        return bool(self._recoveries) or any(map(is_async, self._handlers))

    def on(self, target: Target, handler: Handler) -> None:
        """Register a handler."""
        self.anything = True
        self._handlers.add(target, handler)

    def recover(self, target: Target, recovery: Recovery) -> None:
        """Register a recover action."""
        self.anything = True
        self._recoveries.add(target, recovery)

    def concerns(self, error: BaseException, said: Classification) -> bool:
        """Tell whether anybody is to be asked about an error."""
        if not (self._handlers.of(error, said) or self._recoveries.of(error, said)):
            return False
        within = _within.get()
        return within is None or not within.going_on

    def ask(
        self, error: BaseException, context: ErrorContext, said: Classification
    ) -> Flow[Answered]:
        """Ask the handlers, then, where the work may go on, the actions; the first that answers ends it."""
        with _inside():
            answered = yield from self._ask_handlers(error, context, said)
            if answered is None and context.origin.resumable:
                answered = yield from self._try_recoveries(error, context, said)
        return answered

    def _ask_handlers(
        self, error: BaseException, context: ErrorContext, said: Classification
    ) -> Flow[Answered]:
        for handler in self._handlers.of(error, said):
            as_it_was = _AsItWas(error)
            try:
                answered = _read((yield _Call(handler, error, context, said, self._asides)))
            except BaseException as failure:
                if not is_failure(failure):
                    raise
                if failure is not error:  # raised on, it is declined
                    self._tell_failed(handler, failure, said)
                continue
            finally:
                as_it_was.restore()
            if answered is not None:
                return answered
        return None

    def _try_recoveries(
        self, error: BaseException, context: ErrorContext, said: Classification
    ) -> Flow[Answered]:
        for recovery in self._recoveries.of(error, said):
            if not recovery.guard.admit(self._clock.monotonic()):
                continue
            as_it_was, began = _AsItWas(error), self._clock.monotonic()
            failure: BaseException | None = None
            answered: Answered = None
            try:
                answered = _read((yield Attempt(recovery, error, context, said)))
            except BaseException as raised:
                if not is_failure(raised):
                    raise
                failure = raised
            finally:
                as_it_was.restore()
            self._settle(recovery, said, began, failure)
            if answered is not None:
                return answered
        return None

    def _settle(
        self, recovery: Recovery, said: Classification, began: float, failure: BaseException | None
    ) -> None:
        now, crowded = self._clock.monotonic(), isinstance(failure, CrowdedError)
        # One that was not even begun says nothing of whether the action is well.
        pauses = not crowded and recovery.guard.settle(now, well=failure is None)
        facts: dict[str, Scalar] = {
            "recovery": recovery.name,
            "code": said.code,
            "duration": round(now - began, 3),
        }
        if failure is None:
            self._tell("recovery.succeeded", Severity.INFO, facts)
        elif isinstance(failure, OverdueError):
            self._tell("recovery.timed_out", Severity.WARNING, facts)
        elif crowded:
            self._tell("recovery.crowded", Severity.WARNING, facts)
        else:
            about = failure_facts(failure, self._redactor)
            self._tell("recovery.failed", Severity.WARNING, {**facts, **about})
        if pauses:
            self._tell("recovery.paused", Severity.WARNING, {**facts, "pause": recovery.pause})

    def _tell_failed(self, handler: Handler, failure: BaseException, said: Classification) -> None:
        about = failure_facts(failure, self._redactor)
        facts = {"handler": name_of(handler), "code": said.code, **about}
        self._tell("handler.failed", Severity.ERROR, facts)

    def _tell(self, name: str, severity: Severity, facts: dict[str, Scalar]) -> None:
        now = self._clock.now()
        self._emit(Event(name=name, severity=severity, time=now, attributes=facts))


class _Call:
    """One call of a handler."""

    def __init__(
        self,
        handler: Handler,
        error: BaseException,
        context: ErrorContext,
        said: Classification,
        asides: Asides,
    ) -> None:
        self._call = partial(handler, error, context, said)
        self._is_async = is_async(handler)
        self._asides = asides

    def now(self) -> object:
        """Make it on this thread; a coroutine runs on another, with an event loop of its own."""
        if self._is_async:
            return self._asides.call(self._call, PATIENCE)
        answer = self._call()
        if inspect.isawaitable(answer):
            return self._asides.call(lambda: answer, PATIENCE)
        return answer

    async def later(self) -> object:
        """Make it on the loop."""
        answer = self._call()
        return await answer if inspect.isawaitable(answer) else answer


def _read(answer: object) -> Answered:
    """Return what a handler answered.

    Raises:
        TypeError: When it is no answer to an error.
    """
    if answer is None or isinstance(answer, Recovered):
        return answer
    recovered = Recovered(answer)
    if isinstance(answer, BaseException):
        if is_control_flow(answer):
            raise TypeError(f"a handler must not return {type(answer).__name__}, which is no error")
        return answer
    if isinstance(answer, type) and issubclass(answer, BaseException):
        raise TypeError(f"a handler returned the class {answer.__name__}, and not an error of it")
    return recovered


@contextmanager
def _inside() -> Generator[None, None, None]:
    """Keep errors that are handled in the middle of this from being routed: it would not end."""
    asked = _Answering()
    token = _within.set(asked)
    try:
        yield
    finally:
        asked.going_on = False  # for tasks that were begun meanwhile, and go on
        with suppress(ValueError):  # closed elsewhere, as the loop is gone
            _within.reset(token)


class _AsItWas:
    """What an error was before user code had it, which may raise it again."""

    __slots__ = ("_cause", "_context", "_error", "_quiet", "_traceback")

    def __init__(self, error: BaseException) -> None:
        self._error = error
        self._traceback = error.__traceback__
        self._context, self._cause = error.__context__, error.__cause__
        self._quiet = error.__suppress_context__

    def restore(self) -> None:
        """Make it that again."""
        _set(self._error, "__context__", self._context)
        _set(self._error, "__cause__", self._cause)
        _set(self._error, "__suppress_context__", self._quiet)  # the cause sets it
        self._error.with_traceback(self._traceback)


def stands_for(answered: BaseException, error: BaseException) -> list[tuple[BaseException, str]]:
    """Return an error that is answered in the place of another, all behind it, and the other one last.

    Nothing is written to either: one and the same object may be given for many errors.
    """
    own, others = chain(answered), chain(error)
    known = {id(one) for one, _ in own}
    if id(error) in known or any(one is answered for one, _ in others):
        return own
    added = [(one, relation) for one, relation in others[1:] if id(one) not in known]
    return [*own, (error, "cause"), *added]


def _set(error: BaseException, name: str, value: object) -> None:
    # A class may refuse to have attributes set: a frozen dataclass does.
    BaseException.__setattr__(error, name, value)
