"""Wrapping a function so that a call that succeeds costs next to nothing.

The wrapper is generated with the parameters of the function itself, since passing on `*args` and
`**kwargs` would be most of its cost. It asks one question, whether its gate is open, makes the call,
and counts the success; everything else is said in one place, by the flow of the policy's layers.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from functools import update_wrapper
from typing import Any, Final, NamedTuple, Protocol, cast

from holdfast.callables import is_async
from holdfast.resilience.circuit.period import EVERY
from holdfast.resilience.outcome import Outcome
from holdfast.resilience.scope import UNBOUNDED, Scope, current_scope
from holdfast.resilience.signature import SignatureSource, signature_source


class Shape(NamedTuple):
    """What a call on the short way has to do besides being made."""

    timed: bool = False
    """Set a deadline."""
    retried: bool = False
    """Say which attempt it is."""
    counted: bool = False
    """Count its success."""
    measured: bool = False
    """Tell the circuit how long it took."""
    refused: bool = False
    """Raise what an open circuit refuses it with, which nobody further out has an answer to."""
    nested: bool = False
    """Tell how many failures there were when it began; whatever it runs within."""


class Gate:
    """Whether calls of one function may take the short way, and what they need on it.

    Attributes:
        period: None sends calls the long way; else what counts their successes.
        leave: Has the circuit leave the gate alone.
        seconds: The time limit.
        monotonic: The clock of the limit.
        scope: What a first attempt runs within, but for the time limit.
        succeeded: Counts a success for the budget of further attempts.
        refusing: The period of an open circuit, which refuses calls until it ends; else None.
        counted: How many failures there were, for a nested shape.
        kind: The class of the latest result, which was a value.
    """

    __slots__ = (
        "__weakref__",
        "counted",
        "kind",
        "leave",
        "monotonic",
        "period",
        "refusing",
        "scope",
        "seconds",
        "succeeded",
    )

    def __init__(self) -> None:
        self.period: object = None
        self.counted = 0
        self.kind: type | None = None
        self.leave: Callable[[Gate], None] | None = None
        self.refusing: object = None
        self.seconds = 0.0
        self.monotonic: Callable[[], float] = float
        self.scope: Scope = UNBOUNDED
        self.succeeded: Callable[[], object] = int

    def shut(self) -> None:
        """Send calls the long way, whatever the circuit does."""
        if self.leave is not None:
            self.leave(self)
        self.period = None


class Ways(Protocol):
    """The long way of one function's calls."""

    def run(self, args: tuple[object, ...], kwargs: Mapping[str, Any]) -> object:
        """Make the call with all that belongs to it; an awaitable for a coroutine function."""
        ...

    def failed(
        self,
        error: BaseException,
        period: object,
        args: tuple[object, ...],
        kwargs: Mapping[str, Any],
    ) -> Outcome | Awaitable[Outcome]:
        """Go on after a first attempt on the short way that failed.

        For a nested shape there is one more argument: how many failures there were when it began.
        """
        ...

    def unseen(self, result: object) -> bool:
        """Tell whether a result is no value, because the call goes on; of a class not seen last time."""
        ...

    def unawaited(self, result: object, period: object) -> object:
        """Say what becomes of a result that is no value, as an awaitable: its call has not ended yet."""
        ...


def weave(
    function: Callable[..., object],
    shape: Shape,
    gate: Gate,
    ways: Ways,
) -> Callable[..., object]:
    """Return a wrapper of a function, plain or asynchronous, with its name and its signature.

    Args:
        function: What is called.
        shape: What the short way does.
        gate: Opens and shuts it.
        ways: Everything else.

    Raises:
        TypeError: For what cannot be called, and for a generator function: when its calls end, and how,
            only who iterates knows.
    """
    if not callable(function):
        raise TypeError(
            f"{function!r:.100} cannot be called, so there is nothing to protect; "
            "a decorator such as `property` belongs above the policy"
        )
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(
            f"{function!r} is a generator function; protect what it calls, or use `with policy.calling():`"
        )
    names: dict[str, object] = {
        "_h_function": function,
        "_h_gate": gate,
        "_h_run": ways.run,
        "_h_failed": ways.failed,
        "_h_get": current_scope.get,
        "_h_set": current_scope.set,
        "_h_reset": current_scope.reset,
        "_h_unawaited": ways.unawaited,
        "_h_unbounded": UNBOUNDED,
        "_h_with_traceback": BaseException.with_traceback,
        "_h_type": type,
        "_h_unseen": ways.unseen,
    }
    signature = signature_source(function, names)
    source = "\n".join(_lines(shape, signature, is_asynchronous=is_async(function)))
    exec(compile(source, f"<holdfast: {_name(function)}>", "exec"), names)  # noqa: S102  # made of parameter names alone
    guarded = cast("Callable[..., object]", names["guarded"])
    return update_wrapper(guarded, function)


def _lines(shape: Shape, signature: SignatureSource, *, is_asynchronous: bool) -> Iterator[str]:
    """Yield the source of a wrapper."""
    waiting, defined = ("await ", "async def") if is_asynchronous else ("", "def")
    is_scoped = shape.timed or shape.retried
    yield f"{defined} guarded({signature.declared}):"
    yield " _h_period = _h_gate.period"
    scope = "" if shape.nested else " or _h_get() is not _h_unbounded"
    yield f" if _h_period is None{scope}:"
    yield from _REFUSING if shape.refused else ()
    yield f"  return {waiting}_h_run({signature.args}, {signature.kwargs})"
    setting = f" _h_token = _h_set({_TIMED_SCOPE if shape.timed else '_h_gate.scope'})"
    if is_scoped and is_asynchronous:
        yield setting
    yield from _STARTING if shape.measured else ()
    if shape.nested:
        yield " _h_begun = _h_gate.counted"
    yield " try:"
    if is_scoped and not is_asynchronous:
        yield f" {setting}"
    yield f"  _h_result = {waiting}_h_function({signature.passed})"
    reset = _LEAVING[is_asynchronous] if is_scoped else ()
    left = _LEFT[is_asynchronous] if is_scoped else ()
    period = _MEASURED_PERIOD if shape.measured else "_h_period"
    begun = ", _h_begun" if shape.nested else ""
    arguments = f"{period}, {signature.args}, {signature.kwargs}{begun}"
    failed = f" _h_outcome = {waiting}_h_failed(_h_error, {arguments})"
    succeeded = (*reset, *_succeeded(shape, is_asynchronous=is_asynchronous))
    if shape.retried:
        yield from (*_KEEPING, *_inside(succeeded), *left, _KEPT, failed, *_APART)
    else:
        yield from (_CAUGHT, *_inside((*left, failed)), *_ENDING, *succeeded)


def _succeeded(shape: Shape, *, is_asynchronous: bool) -> Iterator[str]:
    """Yield what is done after a call that succeeded."""
    if not is_asynchronous:
        yield from _UNSEEN
    if shape.retried:
        yield " _h_gate.succeeded()"
    if shape.counted:
        yield from _COUNTING
    yield from _MEASURING if shape.measured else ()
    yield " return _h_result"


def _inside(lines: Iterable[str]) -> Iterator[str]:
    """Yield lines one level further in."""
    return (f" {line}" for line in lines)


_RESET: Final = " _h_reset(_h_token)"
_ANYWHERE: Final = (
    # A coroutine may be closed in a context that never had its scope.
    " try:",
    f" {_RESET}",
    " except ValueError:",
    "  pass",
)
_LEAVING: Final = ((_RESET,), _ANYWHERE)
"""Takes the scope away after a success: of plain functions, of asynchronous ones."""
_LEFT: Final = ((" _h_set(_h_unbounded)",), _ANYWHERE)
"""The same after a failure. A plain function may be interrupted between any two steps, as by Celery's
soft time limit, and has no token then to take its scope away by."""
_CAUGHT: Final = " except BaseException as _h_error:"
_KEEPING: Final = (_CAUGHT, "  _h_first = _h_error", " else:")
_KEPT: Final = " _h_error = _h_first"
_APART: Final = (
    # Out of the `except`, in which every further attempt would be handling the first error.
    " _h_first, (_h_last, _h_value) = None, _h_outcome",
    " _h_outcome = None",
    " if _h_last is None:",
    "  return _h_value",
    " try:",
    "  if _h_last is _h_error and _h_error.__traceback__ is not None:",
    # Not assigned: a frozen dataclass may be an exception.
    "   _h_with_traceback(_h_error, _h_error.__traceback__.tb_next)",
    "  raise _h_last",
    " finally:",
    "  del _h_error, _h_last",
)
_TIMED_SCOPE: Final = "(_h_gate.monotonic() + _h_gate.seconds, _h_gate.scope[1])"
_ENDING: Final = (
    "  _h_last, _h_value = _h_outcome",
    "  _h_outcome = None",
    "  if _h_last is None:",
    "   return _h_value",
    "  try:",
    "   if _h_last is _h_error:",
    "    raise",
    "   raise _h_last",
    "  finally:",
    "   del _h_last",
)
_UNSEEN: Final = (
    " if _h_type(_h_result) is not _h_gate.kind and _h_unseen(_h_result):",
    "  return _h_unawaited(_h_result, _h_period)",
)
_REFUSING: Final = (
    "  _h_open = _h_gate.refusing",
    "  if _h_open is not None:",
    "   _h_left = _h_open.until - _h_gate.monotonic()",
    "   if _h_left > 0.0:",
    f"    if not _h_open.rejected() & {EVERY - 1}:",
    "     _h_open.tick()",
    "    raise _h_open.refusal('open', _h_left)",
)
_STARTING: Final = (" _h_started = _h_gate.monotonic()",)
_MEASURED_PERIOD: Final = "(_h_period, _h_gate.monotonic() - _h_started)"
_MEASURING: Final = (
    " _h_seconds = _h_gate.monotonic() - _h_started",
    " _h_period.took(_h_seconds)",
    " if _h_seconds >= _h_period.slower_than:",
    "  _h_period.slow(_h_seconds)",
)
_COUNTING: Final = (
    f" if not _h_period.succeeded() & {EVERY - 1}:",
    "  _h_period.tick()",
)


def _name(function: object) -> str:
    return str(getattr(function, "__qualname__", type(function).__qualname__))
