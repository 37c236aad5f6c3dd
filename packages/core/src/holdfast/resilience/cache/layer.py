"""A cache in the way of a policy's calls."""

from functools import partial

from holdfast.resilience.cache.cache import Cache
from holdfast.resilience.cache.counting import CacheStatistics
from holdfast.resilience.cache.fetching import answer_in
from holdfast.resilience.cache.keys import key_of
from holdfast.resilience.cached import Cached
from holdfast.resilience.call import Call, Inner, Steps
from holdfast.resilience.host import Host
from holdfast.resilience.outcome import Outcome


class CachedLayer:
    """A cache in the way of calls, live; thread-safe.

    Args:
        spec: What it goes by.
        name: Of the policy.
        host: The runtime.
    """

    def __init__(self, spec: Cached, name: str, host: Host) -> None:
        self.cache = host.caches.of(spec.cache or Cache(name))
        self._spec = spec

    def snapshot(self) -> CacheStatistics:
        """Return what the cache did in this process."""
        return self.cache.statistics()

    def steps(self, call: Call, inner: Inner) -> Steps:
        """Answer from the cache, or make the call for all who want the same."""
        spec = self._spec
        key = key_of(call.function, spec.key, call.args, call.kwargs)
        entry = self.cache.peek(key)
        if entry is not None:
            return Outcome(None, entry.value)
        steps = self.cache.fetch(
            key, partial(inner, call), ttl=spec.ttl, stale=spec.stale, tags=spec.tags
        )
        outcome = yield from steps
        answer = answer_in(outcome)
        return outcome if answer is None else Outcome(None, answer.value)
