"""What to answer when a call fails."""

from collections.abc import Callable
from dataclasses import dataclass

from holdfast.codes import Fault
from holdfast.resilience.call import Call, Inner, Steps
from holdfast.resilience.drivers import Invoke
from holdfast.resilience.host import Host


@dataclass(frozen=True, slots=True, init=False)
class Fallback:
    """Answers in the place of a call that failed; never for what the caller did wrong.

    Args:
        alternatives: Functions with the parameters of the call, plain or asynchronous; the next is
            asked when one fails.
    """

    alternatives: tuple[Callable[..., object], ...]

    def __init__(self, *alternatives: Callable[..., object]) -> None:
        object.__setattr__(self, "alternatives", alternatives)

    def live(self, name: str, host: Host) -> "FallbackLayer":
        """Return the layer of one policy."""
        return FallbackLayer(self, host)


class FallbackLayer:
    """Fallbacks, live."""

    def __init__(self, spec: Fallback, host: Host) -> None:
        self._spec = spec
        self._host = host

    def steps(self, call: Call, inner: Inner) -> Steps:
        """Make the call, and answer in its place when it fails."""
        outcome = yield from inner(call)
        if not isinstance(outcome.error, Exception):
            return outcome
        if self._host.read(outcome.error).classification.fault is Fault.CALLER:
            return outcome
        for alternative in self._spec.alternatives:
            answer = yield Invoke(alternative, call.args, call.kwargs)
            if answer.error is None:  # type: ignore[attr-defined]  # what an Invoke brings back
                return answer  # type: ignore[return-value]
        return outcome
