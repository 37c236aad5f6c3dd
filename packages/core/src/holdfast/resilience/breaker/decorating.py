"""Guarded functions: woven, so that a call that succeeds costs next to nothing, or handed on."""

import inspect
import weakref
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, cast

from holdfast.callables import is_async
from holdfast.resilience.breaker.calling import ends_later
from holdfast.resilience.circuit.circuit import Circuit
from holdfast.resilience.circuit.circuit import Gate as AnyGate
from holdfast.resilience.circuit.period import Period
from holdfast.resilience.circuit.permit import Permit
from holdfast.resilience.outcome import Outcome
from holdfast.resilience.weaving import Gate, Shape, weave

if TYPE_CHECKING:
    from holdfast.resilience.breaker.breaker import CircuitBreaker
    from holdfast.resilience.breaker.use import Use

_MOST: Final = 64
"""Classes of results that one function is known to return."""
_SHAPE: Final = Shape(counted=True, refused=True, nested=True)


class Gates:
    """The gates of the functions that one breaker guards."""

    def __init__(self) -> None:
        self._gates: weakref.WeakSet[AnyGate] = weakref.WeakSet()
        self._is_short = False

    def add(self, gate: AnyGate) -> None:
        """Take one more."""
        self._gates.add(gate)

    def aim(self, circuit: Circuit, *, is_short: bool) -> None:
        """Have the circuit keep them open, or shut them."""
        for gate in tuple(self._gates):
            (circuit.watch if is_short else circuit.unwatch)(gate)


def handed_on(function: Callable[..., Any], how: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that hands its calls on."""

    @wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # those of the function
        return how(function, *args, **kwargs)

    return guarded


def decorated(breaker: "CircuitBreaker", function: Any) -> object:  # noqa: ANN401  # or a static method
    """Return a guarded function."""
    if isinstance(function, staticmethod | classmethod):
        return type(function)(cast("Any", decorated(breaker, function.__func__)))
    if _is_generator(function):
        return handed_on(function, breaker.call)
    gate = Gate()
    ways = (_Awaited if is_async(function) else _Plain)(breaker, function)
    gate.monotonic = breaker.clock.monotonic
    woven = weave(function, _SHAPE, gate, ways, counted=breaker.counted, seen=ways.seen)
    breaker.watch(gate)
    return woven


def _is_generator(function: object) -> bool:
    call: object = getattr(type(function), "__call__", None)  # noqa: B004  # to look at it
    kinds = (inspect.isgeneratorfunction, inspect.isasyncgenfunction)
    return any(is_kind(function) or is_kind(call) for is_kind in kinds)


class _Ways:
    """The long way of one function's calls."""

    def __init__(self, breaker: "CircuitBreaker", function: Callable[..., Any]) -> None:
        self.breaker = breaker
        self.function = function
        self.seen: set[type] = set()
        """Classes of results that are values; the woven wrapper asks about others."""

    def use(self, period: object, begun: int) -> "Use":
        """Return the use of a call that was made on the short way."""
        permit = Permit(self.breaker.circuit, cast("Period", period))
        return self.breaker.began(permit, begun)

    def unawaited(self, result: object, period: object) -> object:
        """Let the call end when what it returned does."""
        if not ends_later(result) and len(self.seen) < _MOST:
            self.seen.add(type(result))
        return self.use(period, self.breaker.counted[0]).returned(result)


class _Plain(_Ways):
    def run(self, args: tuple[object, ...], kwargs: Mapping[str, Any]) -> object:
        """Make the call."""
        return self.breaker.call(self.function, *args, **kwargs)

    def failed(
        self,
        error: BaseException,
        period: object,
        args: tuple[object, ...],  # noqa: ARG002  # as `Ways` says
        kwargs: Mapping[str, Any],  # noqa: ARG002  # as `Ways` says
        begun: int = 0,
    ) -> Outcome:
        """Count the failure; raises the error of a call that opened the circuit."""
        self.use(period, begun).failed(error)
        return Outcome(error)


class _Awaited(_Ways):
    async def run(self, args: tuple[object, ...], kwargs: Mapping[str, Any]) -> object:
        """Make the call."""
        function = cast("Callable[..., Awaitable[object]]", self.function)
        return await self.breaker.acall(function, *args, **kwargs)

    async def failed(
        self,
        error: BaseException,
        period: object,
        args: tuple[object, ...],  # noqa: ARG002  # as `Ways` says
        kwargs: Mapping[str, Any],  # noqa: ARG002  # as `Ways` says
        begun: int = 0,
    ) -> Outcome:
        """Count the failure; raises the error of a call that opened the circuit."""
        self.use(period, begun).failed(error)
        return Outcome(error)
