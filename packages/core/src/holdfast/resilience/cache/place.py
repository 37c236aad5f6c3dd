"""Where a cache finds its live state at once, while there is one runtime in the process.

This module's set of places is global state.
"""

import weakref
from typing import TYPE_CHECKING

from holdfast import environment
from holdfast.resilience.host import current_host

if TYPE_CHECKING:
    from holdfast.resilience.cache.cache import Cache
    from holdfast.resilience.cache.live import LiveCache


class Place:
    """Keeps the live state of one cache at hand.

    Attributes:
        live: None while it has to be looked for at each call.
    """

    __slots__ = ("__weakref__", "live")

    def __init__(self) -> None:
        self.live: LiveCache | None = None
        _places.add(self)

    def find(self, cache: "Cache") -> "LiveCache":
        """Return the live state of a cache in the current runtime."""
        host = current_host()
        live = host.caches.of(cache)
        if environment.is_alone(host):
            self.live = live
        return live


_places: "weakref.WeakSet[Place]" = weakref.WeakSet()


def _clear() -> None:
    for place in tuple(_places):
        place.live = None


environment.at_crowd(_clear)
