"""A cache at work in one runtime."""

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING, Any

from holdfast.flow import Flow
from holdfast.resilience.cache.answer import Answer
from holdfast.resilience.cache.codecs import Codec, Json
from holdfast.resilience.cache.counting import CacheStatistics
from holdfast.resilience.cache.entry import Entry
from holdfast.resilience.cache.envelope import Packing
from holdfast.resilience.cache.failures import Failures
from holdfast.resilience.cache.fetching import Fetching, Limits, Order, answer_in
from holdfast.resilience.cache.guard import Guard
from holdfast.resilience.cache.keys import plain_key
from holdfast.resilience.cache.memory import MemoryStore
from holdfast.resilience.cache.shelf import Shelf
from holdfast.resilience.cache.store import Counts, Purges
from holdfast.resilience.cache.telling import Telling
from holdfast.resilience.call import Steps
from holdfast.resilience.drivers import Invoke
from holdfast.resilience.host import Host
from holdfast.resilience.outcome import Outcome
from holdfast.resilience.validity import check_seconds

if TYPE_CHECKING:
    from holdfast.resilience.cache.cache import Cache


class LiveCache:
    """One cache in one runtime; thread-safe. What waits is a flow, for either driver.

    Args:
        spec: What it goes by.
        host: The runtime.
    """

    def __init__(self, spec: "Cache", host: Host) -> None:
        self.spec = spec
        store = spec.store
        if store is None:
            store = MemoryStore(spec.max_entries, host.clock)
        codec = _codec(spec, keeps_objects=store.keeps_objects)
        self._host = host
        self._time = host.clock.monotonic if codec is None else _wall(host)
        self._telling = Telling(spec.name, host)
        self._tallies = self._telling.tallies
        self._store = store
        shadow = MemoryStore(spec.shadow, host.clock) if spec.shadow and store.blocking else None
        guard = Guard(store, spec.recovery, host, self._telling)
        packing = Packing(codec, spec.compress_above)
        self._shelf = Shelf(spec.name, store, packing, guard, shadow, self._telling)
        self._failures = Failures(spec.negative, spec.negative_ttl, spec.backoff, host)
        limits = Limits(spec.lease, spec.wait)
        self._fetching = Fetching(
            self._shelf, limits, self._failures, host, self._time, self._telling
        )
        self._prefix = self._shelf.prefix
        self._near = store.get if codec is None else _nothing

    def peek(self, key: str) -> Entry | None:
        """Return a fresh entry without tags that is kept as it is, and count the hit; else None."""
        try:
            entry: Any = self._near(self._prefix + key)
        except TypeError:
            plain_key(key)  # which says it in better words
            raise
        if entry.__class__ is Entry and entry.stamps is None and self._time() < entry.fresh_until:
            self._tallies.hit()
            return entry
        return None

    def answer(
        self,
        key: str,
        function: Callable[..., object],
        args: tuple[object, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        ttl: float | None = None,
        tags: tuple[str, ...] = (),
    ) -> Steps:
        """Return the outcome of asking a function: an `Answer`, or its error."""
        return self.fetch(key, partial(_invoke, function, args, kwargs), ttl=ttl, tags=tags)

    def fetch(
        self,
        key: str,
        compute: Callable[[], Steps],
        *,
        ttl: float | None = None,
        stale: float | None = None,
        tags: tuple[str, ...] = (),
    ) -> Steps:
        """Return the outcome of a flow that ends with a value: an `Answer`, or its error."""
        _check_tags(tags)
        entry = partial(self._entry, self._ttl(ttl), self.spec.stale if stale is None else stale)
        return self._fetching.answer(Order(key, compute, entry, tags))

    def look(self, key: str) -> Flow[object]:
        """Return the fresh value of a key, or None."""
        entry = yield from self._shelf.read(key)
        if entry is None or self._time() >= entry.fresh_until:
            self._tallies.add("misses")
            return None
        self._tallies.hit()
        return entry.value

    def put(self, key: str, value: object, ttl: float | None, tags: tuple[str, ...]) -> Flow[bool]:
        """Keep a value, whoever computes one at the moment; False when that could not be done."""
        _check_tags(tags)
        self._failures.forget(key)
        stamps = yield from self._shelf.stamps(tags)
        entry = self._entry(self._ttl(ttl), self.spec.stale, value, stamps)
        if not (yield from self._shelf.remove(key)):
            self._telling.tell("invalidation_lost")
        return (yield from self._shelf.write(key, entry, entry.stale_until - self._time()))

    def invalidate(self, key: str) -> Flow[bool]:
        """Forget a key; False when the store could not be told."""
        self._failures.forget(key)
        return self._settled((yield from self._shelf.remove(key)))

    def invalidate_tag(self, tag: str) -> Flow[bool]:
        """Forget what has a tag; False when the store could not be told."""
        self._failures.clear()
        return self._settled((yield from self._shelf.restamp(tag)))

    def invalidate_pattern(self, pattern: str) -> Flow[int]:
        """Forget the keys that match a pattern; return how many there were."""
        self._failures.clear()
        listed = yield from self._shelf.keys()
        matching = [key for key in listed or () if fnmatchcase(key, pattern)]
        removed = yield from self._shelf.remove_all(matching)
        self._settled(listed is not None and removed)
        return len(matching)

    def purge(self) -> int:
        """Forget what has expired; return how many entries that were."""
        return self._store.purge() if isinstance(self._store, Purges) else 0

    def statistics(self) -> CacheStatistics:
        """Return what happened so far."""
        size = len(self._store) if isinstance(self._store, Counts) else None
        return self._tallies.snapshot(size, "store" if self._store.blocking else "process")

    def _settled(self, done: bool) -> bool:  # noqa: FBT001  # what came of it
        self._tallies.add("invalidated")
        if not done:
            self._telling.tell("invalidation_lost")
        return done

    def _ttl(self, ttl: float | None) -> float:
        seconds = self.spec.ttl if ttl is None else ttl
        check_seconds("ttl", seconds)
        jitter = self.spec.jitter
        return seconds * (1.0 - jitter * self._host.chance.random()) if jitter else seconds

    def _entry(
        self, ttl: float, stale: float, value: object, stamps: Mapping[str, str] | None
    ) -> Entry:
        now = self._time()
        return Entry(value, now, now + ttl, now + ttl + stale, stamps)


def value_of(outcome: Outcome) -> Answer[Any]:
    """Return the answer that an outcome holds, or raise its error, unchanged."""
    answer = answer_in(outcome)
    if answer is not None:
        return answer
    try:
        raise outcome.error or TypeError("no answer")
    finally:
        del outcome  # or the error would hold itself by its traceback


def _codec(spec: "Cache", *, keeps_objects: bool) -> Codec | None:
    if spec.codec is None and (not keeps_objects or spec.compress_above is not None):
        return Json()
    return spec.codec


def _check_tags(tags: object) -> None:
    if isinstance(tags, str):
        raise TypeError("tags must be several texts, not one: write tags=(...,)")


def _wall(host: Host) -> Callable[[], float]:
    """Return the clock of what several processes read."""
    now = host.clock.now
    return lambda: now().timestamp()


def _nothing(_key: str) -> object:
    return None


def _invoke(
    function: Callable[..., object], args: tuple[object, ...], kwargs: Mapping[str, Any] | None
) -> Steps:
    outcome = yield Invoke(function, args, kwargs or {})
    return outcome  # type: ignore[return-value]  # what an Invoke brings back
