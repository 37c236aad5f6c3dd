"""`Policy`: named, ordered layers around a call."""

import weakref
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from operator import attrgetter
from typing import Final, ParamSpec, Protocol, TypeVar, cast

from holdfast.resilience.binding import bound
from holdfast.resilience.block import AsyncBlock, Block
from holdfast.resilience.breaking import Breaker
from holdfast.resilience.bulkhead import Bulkhead
from holdfast.resilience.cached import Cached
from holdfast.resilience.call import Layer
from holdfast.resilience.chaos import Chaos
from holdfast.resilience.fallback import Fallback
from holdfast.resilience.hedge import Hedge
from holdfast.resilience.host import Host, current_host
from holdfast.resilience.rate_limit import RateLimit
from holdfast.resilience.retry import Retry
from holdfast.resilience.timeout import Deadline, Timeout

_Params = ParamSpec("_Params")
_Result = TypeVar("_Result")


class Spec(Protocol):
    """One layer as a value; knows how to become live."""

    def live(self, name: str, host: Host) -> Layer:
        """Return the live layer of one policy in one runtime."""
        ...


ORDER: Final[tuple[type[Spec], ...]] = (
    *(Deadline, Fallback, Cached, RateLimit, Retry, Hedge),
    *(Breaker, Bulkhead, Timeout, Chaos),
)
"""Outermost first, whatever order a policy was written in."""


_declared: "weakref.WeakValueDictionary[int, Policy]" = weakref.WeakValueDictionary()
"""Every policy that some code keeps: for commands and checks, which run no call."""


@dataclass(frozen=True, slots=True, init=False, weakref_slot=True)
class Policy:
    """Named layers of protection around a call; a value, whose live state the runtime keeps by name.

    The order of the layers is fixed: deadline, fallback, cache, rate limit, retry, hedge, breaker,
    bulkhead, time-out, chaos, whatever order they are given in. One definition serves plain functions,
    coroutine functions, and blocks.

    Args:
        name: Of what is called, such as `payments`; settings tune it by this name.
        layers: At most one of each kind.

    Raises:
        ValueError: For two layers of a kind, or an empty name.
        TypeError: For what is no layer, or no name.

    Example:
        >>> stock = Policy("stock", Retry(attempts=2), Timeout(1.0))
        >>> @stock
        ... def count_of(sku: str) -> int:
        ...     return len(sku)
        >>> count_of("881")
        3
    """

    name: str
    layers: tuple[Spec, ...]

    def __init__(self, name: str, *layers: Spec) -> None:
        if not isinstance(cast("object", name), str):
            raise TypeError(f"a policy needs a name before its layers, not {name!r:.100}")
        if not name:
            raise ValueError("a policy needs a name")
        for layer in layers:
            if type(layer) not in ORDER:
                known = ", ".join(kind.__name__ for kind in ORDER)
                raise TypeError(f"policy {name!r}: {layer!r} is no layer; there are {known}")
        kinds = [type(layer) for layer in layers]
        twice = next((kind for kind in kinds if kinds.count(kind) > 1), None)
        if twice is not None:
            raise ValueError(f"policy {name!r} has two layers of kind {twice.__name__}")
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "layers", in_order(*layers))
        _declared[id(self)] = self

    def __call__(self, function: Callable[_Params, _Result]) -> Callable[_Params, _Result]:
        """Return a function, plain or asynchronous, protected at every call.

        The runtime is looked for at each call: the current application's, else the process's default.
        """
        return cast("Callable[_Params, _Result]", bound(self, function))

    def call(
        self, function: Callable[_Params, _Result], *args: _Params.args, **kwargs: _Params.kwargs
    ) -> _Result:
        """Call a plain function, protected."""
        live = current_host().policies.of(self)
        return cast("_Result", live.run(function, args, kwargs))

    async def acall(
        self,
        function: Callable[_Params, Awaitable[_Result]],
        *args: _Params.args,
        **kwargs: _Params.kwargs,
    ) -> _Result:
        """Call a coroutine function, protected."""
        live = current_host().policies.of(self)
        return cast("_Result", await live.arun(function, args, kwargs))

    def calling(self) -> AbstractContextManager[None]:
        """Return a context manager for a block of code, which is protected as a call would be.

        Layers that admit the block or refuse it take part: deadline, rate limit, breaker, bulkhead and
        time-out. Those that would run it again or answer in its place cannot, and are left out: retry,
        hedge, fallback, cache and chaos. What the block raises comes out unchanged. Nothing interrupts
        it; what it calls sees the time that is left. On a thread that runs an event loop use
        `acalling`, which waits without blocking the loop.

        Example:
            >>> with Policy("stock-file", Timeout(1.0)).calling():
            ...     rows = ["881"]
        """
        return Block(current_host().policies.of(self))

    def acalling(self) -> AbstractAsyncContextManager[None]:
        """Return `calling` for an asynchronous block, which is cancelled when its time is over.

        What comes out of it then is `DeadlineExceededError`.
        """
        return AsyncBlock(current_host().policies.of(self))


def declared() -> list[Policy]:
    """Return the policies that code of this process keeps, by name."""
    # A copy of the references, made in one step: other threads may define policies meanwhile.
    kept = [policy for each in _declared.valuerefs() if (policy := each()) is not None]
    return sorted(kept, key=attrgetter("name"))


def in_order(*layers: Spec) -> tuple[Spec, ...]:
    """Return layers outermost first."""
    return tuple(sorted(layers, key=_place))


def _place(layer: Spec) -> int:
    return ORDER.index(type(layer))
