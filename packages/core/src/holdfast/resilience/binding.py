"""A policy around one function: finds the runtime at each call, or the short way when there is but one."""

import weakref
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from holdfast import environment
from holdfast.callables import BINDING, is_async
from holdfast.flow import adrive, drive
from holdfast.forks import ForkSafeLock
from holdfast.resilience.breaking import Breaker
from holdfast.resilience.call import Steps
from holdfast.resilience.drivers import refuse_awaitable
from holdfast.resilience.host import Host, current_host
from holdfast.resilience.live import LivePolicy
from holdfast.resilience.outcome import Outcome
from holdfast.resilience.weaving import Gate, Shape, weave

if TYPE_CHECKING:
    from holdfast.resilience.policy import Policy

_gates: "weakref.WeakSet[Gate]" = weakref.WeakSet()
_gates_lock = ForkSafeLock()


def bound(policy: "Policy", function: Callable[..., object]) -> Callable[..., object]:
    """Return a function that makes its calls through a policy; a method stays of the kind it is."""
    if type(function) in BINDING:
        method: Any = function
        return cast("Callable[..., object]", type(method)(bound(policy, method.__func__)))
    gate = Gate()
    shape = _shape(policy)
    kind = _Awaited if is_async(function) else _Plain
    return weave(function, shape, gate, kind(policy, function, gate, shape))


def _shape(policy: "Policy") -> Shape:
    kinds = {type(layer).__name__: layer for layer in policy.layers}
    breaker = kinds.get("Breaker")
    return Shape(
        timed="Timeout" in kinds,
        retried="Retry" in kinds,
        counted=breaker is not None,
        measured=isinstance(breaker, Breaker) and breaker.timed(),
        refused=kinds.keys() <= {"Breaker", "Timeout"},
    )


class _Bound:
    """The long way of one function's calls."""

    def __init__(
        self, policy: "Policy", function: Callable[..., object], gate: Gate, shape: Shape
    ) -> None:
        self.policy = policy
        self.function = function
        self.gate = gate
        self.shape = shape
        self._opened: LivePolicy | None = None

    @property
    def is_short(self) -> bool:
        """Whether the short way does all that a call needs."""
        return True

    def live(self) -> LivePolicy:
        """Return the policy at work in the current runtime; opens the gate when there is no other."""
        host: Host = current_host()
        live = host.policies.of(self.policy)
        short = live.is_short and self.is_short and live.shape() == self.shape
        if short and self.gate.period is None and environment.is_alone(host):
            self._opened = live
            live.open(self.gate)
            with _gates_lock:
                _gates.add(self.gate)
            # Those that shut all gates may have passed this one by, a moment ago.
            if host.policies.of(self.policy) is not live or not environment.is_alone(host):
                self.gate.shut()
        return live

    def resumed(
        self,
        error: BaseException,
        period: object,
        args: tuple[object, ...],
        kwargs: Mapping[str, Any],
    ) -> Steps:
        """Return what comes after a first attempt that failed: in the runtime that opened the gate."""
        live = self._opened or self.live()
        return live.resumed(self.function, args, kwargs, error, period)

    def unseen(self, result: object) -> bool:
        """Tell whether a result has to be awaited."""
        kind = type(result)
        if hasattr(kind, "__await__"):
            return True
        self.gate.kind = kind
        return False

    def unawaited(self, result: object, period: object) -> object:  # noqa: ARG002  # as `Ways` says
        """Refuse: nobody can tell yet how the call ends."""
        refuse_awaitable(result)


class _Plain(_Bound):
    def run(self, args: tuple[object, ...], kwargs: Mapping[str, Any]) -> object:
        """Make the call."""
        return self.live().run(self.function, args, kwargs)

    def failed(
        self,
        error: BaseException,
        period: object,
        args: tuple[object, ...],
        kwargs: Mapping[str, Any],
    ) -> Outcome:
        """Go on after the first attempt."""
        return drive(self.resumed(error, period, args, kwargs))


class _Awaited(_Bound):
    @property
    def is_short(self) -> bool:
        """Whether nothing has to be cancelled when its time is over."""
        return not self.shape.timed

    async def run(self, args: tuple[object, ...], kwargs: Mapping[str, Any]) -> object:
        """Make the call."""
        return await self.live().arun(
            cast("Callable[..., Awaitable[object]]", self.function), args, kwargs
        )

    async def failed(
        self,
        error: BaseException,
        period: object,
        args: tuple[object, ...],
        kwargs: Mapping[str, Any],
    ) -> Outcome:
        """Go on after the first attempt."""
        return await adrive(self.resumed(error, period, args, kwargs))


def shut_gates() -> None:
    """Send every call the long way, once: it finds its runtime, and the policy there, anew.

    When there comes to be more than one runtime, and when the settings of policies change.
    """
    with _gates_lock:
        gates = tuple(_gates)
        _gates.clear()
    for gate in gates:
        gate.shut()


environment.at_crowd(shut_gates)
