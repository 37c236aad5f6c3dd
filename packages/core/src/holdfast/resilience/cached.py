"""The cache as a layer of a policy; what it is made of is loaded when the first is made."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from holdfast.resilience.call import Layer
from holdfast.resilience.host import Host
from holdfast.resilience.validity import check_seconds

if TYPE_CHECKING:
    from holdfast.resilience.cache.cache import Cache


@dataclass(frozen=True, slots=True)
class Cached:
    """Serves fresh results without a call, and stale ones when a call fails.

    A call fails, too, when its circuit is open, its rate or its bulkhead full, or its time is over: a
    stale result is served then at once. What is the caller's fault comes out as it is.

    Args:
        ttl: Seconds that a result is fresh; None: as the cache has it.
        stale: Seconds after these that it may be served instead of a failure; None: as the cache has it.
        key: Makes the key of the arguments; by default it is made of the function's dotted name and
            the arguments, which have to be plain values then.
        tags: What results can be invalidated by.
        cache: Where they are kept; by default a cache in this process, named as the policy.

    Raises:
        ValueError: For a time out of bounds; a year at most.
        TypeError: For what is no number.

    Example:
        >>> from holdfast.resilience.policy import Policy
        >>> asked = []
        >>> @Policy("stock-cached", Cached(ttl=10.0))
        ... def count_of(sku: str) -> int:
        ...     asked.append(sku)
        ...     return 7
        >>> count_of("881"), count_of("881"), asked
        (7, 7, ['881'])
    """

    ttl: float | None = None
    stale: float | None = None
    key: Callable[..., str] | None = None
    tags: tuple[str, ...] = ()
    cache: "Cache | None" = None

    def __post_init__(self) -> None:
        if self.ttl is not None:
            check_seconds("Cached.ttl", self.ttl, above=True)
        if self.stale is not None:
            check_seconds("Cached.stale", self.stale)

    def live(self, name: str, host: Host) -> Layer:
        """Return the layer of one policy."""
        made = importlib.import_module("holdfast.resilience.cache.layer").CachedLayer
        return cast("Layer", made(self, name, host))
