"""The entries of one cache in its store: written and read whatever becomes of them on the way."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, cast

from holdfast.flow import Flow
from holdfast.resilience.cache.entry import Entry
from holdfast.resilience.cache.envelope import Packing
from holdfast.resilience.cache.guard import DOWN, UNREADABLE, Guard, Visit
from holdfast.resilience.cache.keys import plain_key, safe_key, safe_name
from holdfast.resilience.cache.memory import MemoryStore
from holdfast.resilience.cache.store import Iterates, ReadsMany, Store
from holdfast.resilience.cache.telling import Telling

STAMP_TTL: Final = 30 * 86_400.0
"""Seconds that a tag's stamp lives; entries that outlive it are taken for invalidated."""
MAX_OWED: Final = 1_000
"""Names to delete that are remembered while the store is down."""
PAUSED: Final = b"paused"
"""In the place of a lease's holder: the function has just failed, and is left alone."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to ask on behalf of all processes."""

    token: str
    """Tells holders apart; empty when somebody else has it."""

    @property
    def is_ours(self) -> bool:
        """Whether it is the caller's."""
        return bool(self.token)


_OF_ANOTHER: Final = Lease("")


class Shelf:
    """Entries, leases and stamps of tags, in one store; every method is a flow that never fails.

    Args:
        name: Of the cache; keys begin with it.
        store: Where they are kept.
        packing: How they are written.
        guard: Calls the store.
        shadow: Recent entries for when the store is down; None where that cannot be.
        telling: Counts what could not be written or read.
    """

    def __init__(
        self,
        name: str,
        store: Store,
        packing: Packing,
        guard: Guard,
        shadow: MemoryStore | None,
        telling: Telling,
    ) -> None:
        self.store = store
        named = safe_name(name)
        self.prefix = f"hf:{named}:v:"
        self._leases = f"hf:{named}:l:"
        self._tags = f"hf:{named}:t:"
        self._safe: Callable[[str], str] = plain_key if store.keeps_objects else safe_key
        self._is_shared = store.blocking
        self._packing = packing
        self._guard = guard
        self._shadow = shadow
        self._telling = telling
        self._owed: dict[str, None] = {}

    @property
    def is_down(self) -> bool:
        """Whether the store is out of order."""
        return self._guard.is_down

    def read(self, key: str) -> Flow[Entry | None]:
        """Return the entry of a key whose tags still hold, or None."""
        if self._owed and not self._guard.is_down:
            yield from self._make_up()
        name = self._name(key)
        raw = yield from self._visit(self.store.get, name)
        if raw is DOWN:
            raw = None if self._shadow is None else self._shadow.get(name)
        entry = None if raw is None else self._opened(raw, name)
        if raw is not None and entry is None:
            yield from self._visit(self.store.delete, name)
        if entry is not None and entry.stamps and not (yield from self._holds(entry.stamps)):
            entry = None
        if self._shadow is not None:
            self._remember(self._shadow, name, raw, is_good=entry is not None)
        return entry

    def write(self, key: str, entry: Entry, ttl: float) -> Flow[bool]:
        """Keep an entry for so many seconds; False when that could not be done."""
        name = self._name(key)
        try:
            packed = self._packing.pack(entry, name)
        except Exception as error:  # noqa: BLE001  # the value is returned all the same
            self._telling.tallies.add("encode_errors")
            self._telling.tell("encode_failed", error=error)
            return False
        if self._shadow is not None:
            self._shadow.set(name, packed, ttl)
        return (yield from self._visit(self.store.set, name, packed, ttl)) is not DOWN

    def remove(self, key: str) -> Flow[bool]:
        """Forget a key, and let nobody write it who began to compute it before."""
        if self._shadow is not None:
            self._shadow.delete(self._name(key))
        done = True
        for name in (self._name(key), self._lease_name(key)):
            if (yield from self._visit(self.store.delete, name)) is DOWN:
                done = False
                self._owe(name)
            else:
                self._owed.pop(name, None)
        return done

    def remove_all(self, keys: Iterable[str]) -> Flow[bool]:
        """Forget several keys."""
        done = True
        for key in keys:
            done = (yield from self.remove(key)) and done
        return done

    def keys(self) -> Flow[list[str] | None]:
        """Return every key that has an entry; None when the store is down.

        Raises:
            TypeError: When the store cannot list its keys.
        """
        store = self.store
        if not isinstance(store, Iterates):
            raise TypeError(
                f"{type(store).__qualname__} cannot list its keys, so nothing can be invalidated by "
                "pattern; give what belongs together a tag, and invalidate that"
            )
        listed = yield from self._visit(lambda: [*store.iterate(self.prefix)])
        if listed is DOWN or listed is UNREADABLE:
            return None
        return [key.removeprefix(self.prefix) for key in cast("list[str]", listed)]

    def take(self, key: str, seconds: float) -> Flow[Lease | None]:
        """Take the lease of a key, or see that another has it; None when nobody can tell."""
        lease = Lease(_token())
        name = self._lease_name(key)
        left: list[bool] = []

        def add() -> bool:
            added = self.store.add(name, lease.token.encode(), seconds)
            if added and left:  # nobody waits for it any more
                self.store.delete(name)
            return added

        try:
            added = yield from self._visit(add)
        except BaseException:
            left.append(True)
            self.drop(key, lease)
            raise
        if added is DOWN or added is UNREADABLE:
            return None
        return lease if added else _OF_ANOTHER

    def drop(self, key: str, lease: Lease) -> None:
        """Give the lease of a call back that was cancelled; returns at once."""
        name = self._lease_name(key)

        def delete() -> None:
            if self.store.get(name) == lease.token.encode():
                self.store.delete(name)

        if lease.is_ours:
            self._guard.aside(delete)

    def holds(self, key: str, lease: Lease) -> Flow[bool]:
        """Tell whether a lease was not taken away, as by an invalidation."""
        there = yield from self._visit(self.store.get, self._lease_name(key))
        return there is DOWN or there == lease.token.encode()

    def is_paused(self, key: str) -> Flow[bool]:
        """Tell whether nobody asks, because the function has just failed."""
        return (yield from self._visit(self.store.get, self._lease_name(key))) == PAUSED

    def pause(self, key: str, lease: Lease | None, seconds: float) -> Flow[None]:
        """Keep the lease, so that nobody asks for a while, in any process."""
        if lease is not None and lease.is_ours and seconds > 0.0:
            yield from self._visit(self.store.set, self._lease_name(key), PAUSED, seconds)
        else:
            yield from self.release(key, lease)

    def release(self, key: str, lease: Lease | None) -> Flow[None]:
        """Give the lease back, if it is the caller's."""
        if lease is not None and lease.is_ours:
            yield from self._visit(self.store.delete, self._lease_name(key))

    def stamps(self, tags: Sequence[str]) -> Flow[Mapping[str, str] | None]:
        """Return the stamps of tags as they are, made where there are none; None without tags."""
        if not tags:
            return None
        found = dict((yield from self._stamps_of(tags)) or {})
        for tag in tags:
            if tag not in found:
                found[tag] = token = _token()
                name = self._tag_name(tag)
                if (
                    yield from self._visit(self.store.add, name, token.encode(), STAMP_TTL)
                ) is False:
                    found.update((yield from self._stamps_of((tag,))) or {})
        return found

    def restamp(self, tag: str) -> Flow[bool]:
        """Invalidate every entry of a tag."""
        if self._shadow is not None:
            self._shadow.clear()
        name = self._tag_name(tag)
        done = yield from self._visit(self.store.set, name, _token().encode(), STAMP_TTL)
        if done is DOWN:
            self._owe(name)  # without a stamp no entry of the tag holds, either
        else:
            self._owed.pop(name, None)
        return done is not DOWN

    def _remember(self, shadow: MemoryStore, name: str, raw: object, *, is_good: bool) -> None:
        """Have the shadow show what the store does."""
        if is_good:
            shadow.set(name, raw, STAMP_TTL)
        else:
            shadow.delete(name)

    def _owe(self, name: str) -> None:
        """Have a name deleted when the store is back."""
        if len(self._owed) < MAX_OWED:
            self._owed[name] = None

    def _make_up(self) -> Flow[None]:
        """Tell the store of what was forgotten while it was down, by this process."""
        while self._owed:
            name = next(iter(self._owed), "")
            if (yield from self._visit(self.store.delete, name)) is DOWN:
                return
            self._owed.pop(name, None)

    def _holds(self, stamps: Mapping[str, str]) -> Flow[bool]:
        found = yield from self._stamps_of([*stamps])
        return found is None or found == stamps

    def _stamps_of(self, tags: Sequence[str]) -> Flow[Mapping[str, str] | None]:
        """Return the stamps of those tags that have one; None when the store is down."""
        names = {self._tag_name(tag): tag for tag in tags}
        found = yield from self._visit(lambda: _get_many(self.store, [*names]))
        if found is DOWN or found is UNREADABLE:
            return None if found is DOWN else {}
        stamps = cast("Mapping[str, object]", found)
        return {
            names[name]: stamp.decode("ascii", "replace")
            for name, stamp in stamps.items()
            if isinstance(stamp, bytes)
        }

    def _opened(self, raw: object, name: str) -> Entry | None:
        try:
            return self._packing.unpack(raw, name)
        except Exception as error:  # noqa: BLE001  # bytes of anybody's making
            self._telling.tallies.add("decode_errors")
            self._telling.tell("decode_failed", error=error)
            return None

    def _visit(self, function: Any, *args: object) -> Flow[object]:  # noqa: ANN401  # a method of the store
        return (yield Visit(self._guard, partial(function, *args) if args else function))

    def _name(self, key: str) -> str:
        return f"{self.prefix}{self._safe(key)}"

    def _lease_name(self, key: str) -> str:
        # A forked child finds the leases of a process that asks without it.
        whose = "" if self._is_shared else f"{os.getpid()}:"
        return f"{self._leases}{whose}{self._safe(key)}"

    def _tag_name(self, tag: str) -> str:
        return f"{self._tags}{self._safe(tag)}"


def _get_many(store: Store, keys: Sequence[str]) -> Mapping[str, object]:
    if isinstance(store, ReadsMany):
        return store.get_many(keys)
    found = {key: store.get(key) for key in keys}
    return {key: value for key, value in found.items() if value is not None}


def _token() -> str:
    # Not of the runtime's chance: forked processes would draw the same ones.
    return os.urandom(8).hex()
