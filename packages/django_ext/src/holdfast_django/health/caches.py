"""The project's caches as health checks."""

import uuid
from dataclasses import dataclass

from django.core.cache import caches
from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.dummy import DummyCache

from holdfast.health import Finding, HealthStatus
from holdfast.once import once

KEPT = 60
"""Seconds after which a key goes that could not be deleted."""


@dataclass(frozen=True)
class CacheCheck:
    """Writes a key to a cache, reads it, and deletes it; with a client of its own, for any backend.

    The client stays with the check: that of Redis does not close its connections by itself.

    Example:
        >>> CacheCheck("sessions")
        CacheCheck(alias='sessions')
    """

    alias: str = "default"
    """Of the cache, in `CACHES`."""

    def __call__(self) -> Finding | None:
        """Look; an exception of the backend's is for whoever runs the check."""
        cache = self._cache
        if isinstance(cache, DummyCache):
            return None  # keeps nothing, on purpose
        key = value = f"holdfast-health-{uuid.uuid4().hex}"
        try:
            cache.set(key, value, KEPT)
            found = cache.get(key)
            cache.delete(key)
        finally:
            cache.close()  # as Django does after a request
        if found != value:
            return Finding(status=HealthStatus.FAIL, output="did not give back what it was given")
        return None

    @once
    def _cache(self) -> BaseCache:
        # Not the one of the requests, which a backend may not lend to another thread.
        return caches.create_connection(self.alias)
