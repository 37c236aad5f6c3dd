"""The project's caches as health checks."""

import uuid
from dataclasses import dataclass

from django.core.cache import caches
from django.core.cache.backends.dummy import DummyCache

from holdfast.health import Finding, HealthStatus

KEPT = 60
"""Seconds after which a key goes that could not be deleted."""


@dataclass(frozen=True, slots=True)
class CacheCheck:
    """Writes a key to a cache, reads it, and deletes it; with a client of its own, for any backend.

    Example:
        >>> CacheCheck("sessions")
        CacheCheck(alias='sessions')
    """

    alias: str = "default"
    """Of the cache, in `CACHES`."""

    def __call__(self) -> Finding | None:
        """Look; an exception of the backend's is for whoever runs the check."""
        # Not the one of this thread's requests, which the backend may not lend to another thread.
        cache = caches.create_connection(self.alias)
        if isinstance(cache, DummyCache):
            return None  # keeps nothing, on purpose
        key = value = f"holdfast-health-{uuid.uuid4().hex}"
        try:
            cache.set(key, value, KEPT)
            found = cache.get(key)
            cache.delete(key)
        finally:
            cache.close()
        if found != value:
            return Finding(status=HealthStatus.FAIL, output="did not give back what it was given")
        return None
