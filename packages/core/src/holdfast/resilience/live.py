"""A policy at work in one runtime: its live layers, joined once."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from holdfast.flow import adrive, drive
from holdfast.resilience.breaking import BreakerLayer
from holdfast.resilience.call import Adjustable, Call, Inner, Layer, Steps, make_call
from holdfast.resilience.fallback import FallbackLayer
from holdfast.resilience.hedge import HedgeLayer
from holdfast.resilience.outcome import Outcome
from holdfast.resilience.retry import RetryLayer
from holdfast.resilience.scope import UNBOUNDED, current_scope
from holdfast.resilience.timeout import DeadlineLayer, TimeLayer
from holdfast.resilience.weaving import Gate, Shape

if TYPE_CHECKING:
    from holdfast.resilience.host import Host
    from holdfast.resilience.policy import Policy, Spec

_Layer = TypeVar("_Layer")
_PASSED = (BreakerLayer, FallbackLayer, RetryLayer, TimeLayer)
"""Layers that the short way knows, or that have nothing to do when a call succeeds."""


class LivePolicy:
    """One policy in one runtime; thread-safe.

    Args:
        policy: As the code has it.
        host: The runtime.
        specs: Its layers as the settings have them; by default those of the code.
        before: The policy whose place it takes: layers that are the same go on as they are, and so
            does the circuit, with other options.

    Attributes:
        layers: Live, by the specs.
        is_short: Whether the short way knows all of them; else no call needs to ask for it.
    """

    def __init__(
        self,
        policy: "Policy",
        host: "Host",
        specs: "Sequence[Spec] | None" = None,
        before: "LivePolicy | None" = None,
    ) -> None:
        self.policy = policy
        self.host = host
        self.specs = tuple(policy.layers if specs is None else specs)
        self.layers: list[Layer] = [
            _kept(spec, before) or spec.live(policy.name, host) for spec in self.specs
        ]
        self.breaker = self._one(BreakerLayer)
        self.retry = self._one(RetryLayer)
        hedge = self._one(HedgeLayer)
        if hedge is not None:
            hedge.tokens = None if self.retry is None else self.retry.bucket
        self._time = self._one(TimeLayer)
        self.is_short = (
            all(isinstance(each, _PASSED) for each in self.layers)
            and self._one(DeadlineLayer) is None
            and not (self.retry is not None and self.retry.is_judging)
        )
        way: Inner = partial(make_call, clock=host.clock)
        for layer in reversed(self.layers):
            way = partial(layer.steps, inner=way)
        self._way = way

    def run(
        self, function: Callable[..., object], args: tuple[object, ...], kwargs: Mapping[str, Any]
    ) -> object:
        """Call a plain function through all layers."""
        return _ended(drive(self._steps(Call(function, args, kwargs))))

    async def arun(
        self, function: Callable[..., object], args: tuple[object, ...], kwargs: Mapping[str, Any]
    ) -> object:
        """Call a coroutine function through all layers."""
        return _ended(await adrive(self._steps(Call(function, args, kwargs))))

    def resumed(
        self,
        function: Callable[..., object],
        args: tuple[object, ...],
        kwargs: Mapping[str, Any],
        error: BaseException,
        period: object,
    ) -> Steps:
        """Return the steps of a call whose first attempt was made, and failed, on the short way."""
        permit = None
        if self.breaker is not None:
            permit = self.breaker.permit_of(period)
        return self._steps(Call(function, args, kwargs, taken=Outcome(error), permit=permit))

    def open(self, gate: Gate) -> None:
        """Let calls of a function take the short way, which does all that this policy asks for."""
        gate.scope = UNBOUNDED if self.retry is None else (math.inf, self.retry.first)
        gate.succeeded = int if self.retry is None else self.retry.succeeded
        gate.seconds = 0.0 if self._time is None else self._time.seconds
        gate.monotonic = self.host.clock.monotonic
        if self.breaker is None:
            gate.period = True
        else:
            circuit = self.breaker.breaker.circuit
            gate.leave = circuit.unwatch
            circuit.watch(gate)

    def shape(self) -> Shape:
        """Return what the short way has to do."""
        return Shape(
            timed=self._time is not None,
            retried=self.retry is not None,
            counted=self.breaker is not None,
            measured=self.breaker is not None and self.breaker.is_timed,
            refused=all(isinstance(each, (BreakerLayer, TimeLayer)) for each in self.layers),
        )

    def _steps(self, call: Call) -> Steps:
        call.outer = current_scope.get()[1]
        return self._way(call)

    def _one(self, kind: type[_Layer]) -> _Layer | None:
        return next((layer for layer in self.layers if isinstance(layer, kind)), None)


def _kept(spec: "Spec", before: LivePolicy | None) -> Layer | None:
    """Return the layer that is there already, when its options are the same or it can change them."""
    if before is None:
        return None
    for told, layer in zip(before.specs, before.layers, strict=True):
        if told == spec:
            return layer
        if type(told) is type(spec) and isinstance(layer, Adjustable):
            return layer.adjusted(spec)
    return None


def _ended(outcome: Outcome) -> object:
    if outcome.error is None:
        return outcome.value
    try:
        raise outcome.error
    finally:
        del outcome  # or the error would hold itself by its traceback
