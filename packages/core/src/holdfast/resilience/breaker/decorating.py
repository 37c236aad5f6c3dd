"""Guarded functions: woven, so that a call that succeeds costs next to nothing, or handed on."""

import inspect
import weakref
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, cast

from holdfast.callables import BINDING, is_async
from holdfast.resilience.breaker.calling import ends_later
from holdfast.resilience.circuit.circuit import Circuit
from holdfast.resilience.outcome import Outcome
from holdfast.resilience.weaving import Gate, Shape, weave

if TYPE_CHECKING:
    from holdfast.resilience.breaker.breaker import CircuitBreaker

_SHAPE: Final = Shape(counted=True, refused=True, nested=True)


class Gates:
    """The gates of the functions that one breaker guards."""

    def __init__(self) -> None:
        self._gates: weakref.WeakSet[Gate] = weakref.WeakSet()

    def add(self, gate: Gate, counted: int) -> None:
        """Take one more."""
        gate.counted = counted
        self._gates.add(gate)

    def count(self, counted: int) -> None:
        """Say how many failures there were."""
        for gate in tuple(self._gates):
            gate.counted = counted

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
    if type(function) in BINDING:
        return type(function)(decorated(breaker, function.__func__))
    if _is_generator(function):
        return handed_on(function, breaker.call)
    gate = Gate()
    ways = (_Awaited if is_async(function) else _Plain)(breaker, function, gate)
    gate.monotonic = breaker.clock.monotonic
    woven = weave(function, _SHAPE, gate, ways)
    breaker.watch(gate)
    return woven


def _is_generator(function: object) -> bool:
    call: object = getattr(type(function), "__call__", None)  # noqa: B004  # to look at it
    kinds = (inspect.isgeneratorfunction, inspect.isasyncgenfunction)
    return any(is_kind(function) or is_kind(call) for is_kind in kinds)


class _Ways:
    """The long way of one function's calls."""

    def __init__(self, breaker: "CircuitBreaker", function: Callable[..., Any], gate: Gate) -> None:
        self.breaker = breaker
        self.function = function
        self._gate = gate

    def unawaited(self, result: object, period: object) -> object:
        """Let the call end when what it returned does."""
        return self.breaker.use_in(period, self.breaker.counted).returned(result)

    def unseen(self, result: object) -> bool:
        """Tell whether a result is no value, so that the call goes on."""
        kind = type(result)
        if kind not in self.breaker.seen and ends_later(result):
            return True
        self._gate.kind = kind
        return False


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
        self.breaker.use_in(period, begun).failed(error)
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
        self.breaker.use_in(period, begun).failed(error)
        return Outcome(error)
