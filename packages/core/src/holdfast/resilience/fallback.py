"""What to answer when a call fails."""

import inspect
import math
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast

from holdfast.codes import Fault, Severity
from holdfast.events import Event
from holdfast.forks import ForkSafeLock
from holdfast.resilience.call import Call, Inner, Steps
from holdfast.resilience.deadline import remaining_by
from holdfast.resilience.degraded import Degradation, note_degradation
from holdfast.resilience.drivers import Invoke
from holdfast.resilience.host import Host
from holdfast.resilience.outcome import Outcome
from holdfast.resilience.scope import current_attempt, current_scope, restore

TOLD_EVERY: Final = 60.0
"""Seconds between two events of one policy: while a dependency is down, every call uses a fallback."""
_LONGEST_NOTE: Final = 300


class _Unset:
    """Stands for a value that was not given, since None may be one."""

    def __repr__(self) -> str:
        return "not given"


_UNSET: Final = _Unset()

Alternative: TypeAlias = Callable[..., object]
"""A function with the parameters of the call, plain or asynchronous; with a keyword-only parameter
`error` it is given the error in whose place it answers."""

Failure: TypeAlias = type[Exception] | Callable[[Exception], bool]
"""What is answered for: a class of exceptions, or a function that says yes."""


@dataclass(frozen=True, slots=True, init=False)
class Fallback:
    """Answers in the place of a call that failed; never for what the caller did wrong.

    Asked in this order, until one answers: the function of the call's key, the alternatives, the value.
    What fails among them is noted on the error of the call, which comes out when nothing answers. They
    may answer after the deadline: then they run without one, so give what may hang a policy of its own.
    An asynchronous alternative needs a coroutine function to stand in for. Each use is seen by
    `collect_degradations()`, and told as an event `fallback.used`, at most one a minute and policy.

    Args:
        alternatives: Functions with the parameters of the call; with a keyword-only parameter `error`
            they are given the error.
        by_key: Further ones by key of the call, asked first.
        key: Returns the key of a call from its arguments; None: the name of the function called.
        value: Answers when no function does; the same object for every call.
        on: Classes of exceptions, or functions of one, that are answered for; empty: every failure that
            is not the caller's fault.

    Raises:
        TypeError: For an alternative that cannot be called.
        ValueError: When there is nothing to answer with.

    Example:
        >>> from holdfast.resilience.policy import Policy
        >>> def guess(sku: str, *, error: Exception) -> str:
        ...     return f"{sku}: unknown, for {type(error).__name__}"
        >>> Policy("stock-guess", Fallback(guess)).call(lambda sku: 1 / 0, "881")
        '881: unknown, for ZeroDivisionError'
    """

    alternatives: tuple[Alternative, ...]
    by_key: tuple[tuple[str, Alternative], ...]
    key: Callable[..., str] | None
    value: object
    on: tuple[Failure, ...]

    def __init__(
        self,
        *alternatives: Alternative,
        by_key: Mapping[str, Alternative] | Iterable[tuple[str, Alternative]] = (),
        key: Callable[..., str] | None = None,
        value: object = _UNSET,
        on: Failure | tuple[Failure, ...] = (),
    ) -> None:
        keyed = tuple(dict(by_key).items())
        for alternative in (*alternatives, *(each for _, each in keyed)):
            if not callable(alternative):
                raise TypeError(
                    f"Fallback takes functions, not {alternative!r}; use value= for what is one"
                )
        if not alternatives and not keyed and value is _UNSET:
            raise ValueError("Fallback needs a function, by_key= or value= to answer with")
        object.__setattr__(self, "alternatives", alternatives)
        object.__setattr__(self, "by_key", keyed)
        object.__setattr__(self, "key", key)
        object.__setattr__(self, "value", value)
        object.__setattr__(self, "on", on if isinstance(on, tuple) else (on,))

    def live(self, name: str, host: Host) -> "FallbackLayer":
        """Return the layer of one policy."""
        return FallbackLayer(self, name, host)


class FallbackLayer:
    """Fallbacks, live."""

    def __init__(self, spec: Fallback, name: str, host: Host) -> None:
        self._spec = spec
        self._name = name
        self._host = host
        self._sources = tuple(map(_Source, spec.alternatives))
        self._by_key = {key: _Source(each) for key, each in spec.by_key}
        self._telling = _Telling(name, host)

    def steps(self, call: Call, inner: Inner) -> Steps:
        """Make the call, and answer in its place when it fails."""
        outcome = yield from inner(call)
        error = outcome.error
        if not isinstance(error, Exception):
            return outcome
        said = self._host.read(error).classification
        if said.fault is Fault.CALLER or not self._is_meant(error):
            return outcome
        answer, source = yield from self._answered(call, error)
        if answer is None:
            return outcome
        if answer.error is None:
            note_degradation(Degradation(policy=self._name, source=source, code=said.code))
            self._telling.tell(source, said.code)
        return answer

    def _is_meant(self, error: Exception) -> bool:
        named = self._spec.on
        try:
            return not named or any(
                isinstance(error, each) if isinstance(each, type) else each(error) for each in named
            )
        except Exception as failure:  # noqa: BLE001  # the call's own error has to come out
            _note(error, "Fallback.on", failure)
            return False

    def _answered(
        self, call: Call, error: Exception
    ) -> Generator[Invoke, object, tuple[Outcome | None, str]]:
        """Ask one after the other; an exit or a cancellation in the middle comes out."""
        for source in self._sources_of(call, error):
            with self._time_to_answer() as seconds:
                answer = cast("Outcome", (yield source.asked(call, error, seconds)))
            if not isinstance(answer.error, Exception):
                return answer, source.name
            _note(error, f"fallback {source.name}", answer.error)
        if self._spec.value is _UNSET:
            return None, ""
        return Outcome(None, self._spec.value), "value"

    def _sources_of(self, call: Call, error: Exception) -> "tuple[_Source, ...]":
        if not self._by_key:
            return self._sources
        try:
            keyed = self._by_key.get(self._key_of(call))
        except Exception as failure:  # noqa: BLE001  # the call's own error has to come out
            _note(error, "Fallback.key", failure)
            return self._sources
        return self._sources if keyed is None else (keyed, *self._sources)

    def _key_of(self, call: Call) -> str:
        if self._spec.key is None:
            return str(getattr(call.function, "__name__", ""))
        return self._spec.key(*call.args, **call.kwargs)

    @contextmanager
    def _time_to_answer(self) -> Generator[float, None, None]:
        """Take the deadline away once it has passed: what is left then is to answer, late, or to fail."""
        left = remaining_by(self._host.clock)
        if left > 0.0:
            yield left
            return
        token = current_scope.set((math.inf, current_attempt()))
        try:
            yield math.inf
        finally:
            restore(token)


class _Source:
    """One alternative, and whether it wants to know the error."""

    def __init__(self, function: Alternative) -> None:
        self.name = str(getattr(function, "__name__", type(function).__name__))
        self._function = function
        self._wants_error = _declares_error(function)

    def asked(self, call: Call, error: Exception, seconds: float) -> Invoke:
        """Return the call of it."""
        kwargs: Mapping[str, Any] = call.kwargs
        if self._wants_error:
            kwargs = {**kwargs, "error": error}
        return Invoke(self._function, call.args, kwargs, seconds)


def _declares_error(function: Alternative) -> bool:
    try:
        parameter = inspect.signature(function).parameters.get("error")
    except (TypeError, ValueError):  # built in, and says nothing
        return False
    return parameter is not None and parameter.kind is inspect.Parameter.KEYWORD_ONLY


class _Telling:
    """Tells the reporters of fallbacks in use, now and then."""

    def __init__(self, name: str, host: Host) -> None:
        self._name = name
        self._host = host
        self._lock = ForkSafeLock()
        self._untold = 0
        self._quiet_until = 0.0

    def tell(self, source: str, code: str) -> None:
        """Count one use, and emit an event if there was none of late."""
        now = self._host.clock.monotonic()
        with self._lock:
            self._untold += 1
            if now < self._quiet_until:
                return
            uses, self._untold = self._untold, 0
            self._quiet_until = now + TOLD_EVERY
        self._host.emit(
            Event(
                name="fallback.used",
                severity=Severity.WARNING,
                time=self._host.clock.now(),
                attributes={"policy": self._name, "source": source, "code": code, "uses": uses},
            )
        )


def _note(error: Exception, what: str, failure: Exception) -> None:
    with suppress(Exception):  # the text of a failure, and where notes go, may be anybody's code
        said = f"{what} failed, too: {type(failure).__name__}: {failure}"[:_LONGEST_NOTE]
        if said not in getattr(error, "__notes__", ()):  # one error may be raised many times
            error.add_note(said)
