"""One use of a policy, and the layers it goes through."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias, runtime_checkable

from holdfast.clock import Clock
from holdfast.flow import Flow
from holdfast.resilience.circuit.permit import Permit
from holdfast.resilience.deadline import refusal
from holdfast.resilience.drivers import Invoke
from holdfast.resilience.outcome import Outcome
from holdfast.resilience.scope import Attempt, current_scope


class Call:
    """One use of a policy.

    Attributes:
        function: What is called.
        args: Its arguments.
        kwargs: Those by name.
        outer: The attempt that this call is part of, when another policy retries around it.
        taken: How the first attempt ended, when it was made on the short way already.
        permit: The circuit's permit of that attempt.
    """

    __slots__ = ("args", "function", "kwargs", "outer", "permit", "taken")

    def __init__(
        self,
        function: Callable[..., object],
        args: tuple[object, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        outer: Attempt | None = None,
        taken: Outcome | None = None,
        permit: Permit | None = None,
    ) -> None:
        self.function = function
        self.args = args
        self.kwargs: Mapping[str, Any] = kwargs or {}
        self.outer = outer
        self.taken = taken
        self.permit = permit


Steps: TypeAlias = Flow[Outcome]
"""What a layer does for one call, as a flow that ends with the outcome."""

Inner: TypeAlias = Callable[[Call], Steps]
"""The rest of the way: the layers further in, and the call itself."""


class Layer(Protocol):
    """One protective layer, live; shared by all calls of a policy, so thread-safe."""

    def steps(self, call: Call, inner: Inner) -> Steps:
        """Do what the layer does around the rest of the way."""
        ...


@runtime_checkable
class Adjustable(Protocol):
    """A live layer whose state goes on under other options, as that of a circuit does."""

    def adjusted(self, spec: Any) -> Layer | None:  # noqa: ANN401  # of the layer's own class
        """Return the layer with other options, or None when it has to be made anew."""
        ...


def make_call(call: Call, clock: Clock) -> Steps:
    """Make the call itself, the innermost of the way, within the time that is left; refuse without any."""
    if call.taken is not None:
        taken, call.taken = call.taken, None
        return taken
    at = current_scope.get()[0]
    left = at if at == math.inf else at - clock.monotonic()
    if left <= 0.0:
        return Outcome(refusal())
    outcome = yield Invoke(call.function, call.args, call.kwargs, left)
    return outcome  # type: ignore[return-value]  # what an Invoke brings back
