"""A cache beside a model of it: dictionaries, a clock, and a store that comes and goes."""

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from holdfast import DependencyError, environment
from holdfast.resilience.backoff import Constant
from holdfast.resilience.cache import Cache
from holdfast.testing import FakeClock, RecordingRuntime
from tests.core.cache_stores import (
    Asking,
    AskingOnLoop,
    AskingOnThread,
    RemoteStore,
    finish_probes,
)

TTL, STALE, PAUSE, RECOVERY = 10.0, 20.0, 5.0, 5.0
KEYS = st.sampled_from(["a", "b", "c d"])
TAGS = st.sampled_from([(), ("x",), ("x", "y")])


@dataclass
class Entry:
    """A value, since when, and what the versions of its tags were."""

    value: str
    since: float
    versions: dict[str, int]


@dataclass
class Model:
    """What a cache in one process should do."""

    now: float = 0.0
    is_away: bool = False
    is_seen_away: bool = False
    stored: dict[str, Entry] = field(default_factory=dict[str, Entry])
    shadow: dict[str, Entry] = field(default_factory=dict[str, Entry])
    broken: set[str] = field(default_factory=set[str])
    versions: dict[str, int] = field(default_factory=lambda: {"x": 0, "y": 0})
    pauses: dict[str, float] = field(default_factory=dict[str, float])
    stored_pauses: dict[str, float] = field(default_factory=dict[str, float])
    owed: set[str] = field(default_factory=set[str])

    @property
    def is_down(self) -> bool:
        """Whether the cache does without the store."""
        self.is_seen_away |= self.is_away
        return self.is_seen_away

    def read(self, key: str) -> Entry | None:
        """Return the entry that the cache finds."""
        if self.is_down:
            return self.shadow.get(key)
        for name in self.owed:
            if name in self.versions:
                self.versions[name] += 1
            else:
                self._delete(name)
        self.owed.clear()
        if key in self.broken:
            self._drop(key)
        entry = self.stored.get(key)
        if entry is not None and any(self.versions[t] != v for t, v in entry.versions.items()):
            entry = None
        self.shadow.pop(key, None)
        if entry is not None:
            self.shadow[key] = entry
        return entry

    def get(
        self, key: str, new: str, tags: tuple[str, ...], *, fails: bool
    ) -> tuple[str | None, bool]:
        """Return what comes out, None for the error, and whether the function is asked."""
        entry = self.read(key)
        if entry is not None and self.now < entry.since + TTL:
            return entry.value, False
        stale = entry if entry is not None and self.now < entry.since + TTL + STALE else None
        is_paused = self.now < self.pauses.get(key, 0.0)
        is_paused |= not self.is_down and self.now < self.stored_pauses.get(key, 0.0)
        if stale is not None and is_paused:
            return stale.value, False
        if not fails:
            self.pauses.pop(key, None)
            self.write(key, new, tags)
            return new, True
        if stale is None:
            return None, True
        self.pauses[key] = self.now + PAUSE
        if not self.is_down:
            self.stored_pauses[key] = self.now + PAUSE
        return stale.value, True

    def write(self, key: str, value: str, tags: tuple[str, ...]) -> None:
        """Keep a value."""
        entry = Entry(value, self.now, {tag: self.versions[tag] for tag in tags})
        self.shadow[key] = entry
        if not self.is_down:
            self.stored[key] = entry
            self.broken.discard(key)

    def forget(self, key: str) -> None:
        """Forget a key."""
        self.pauses.pop(key, None)
        self.shadow.pop(key, None)
        if self.is_down:
            self.owed.add(key)
        else:
            self.owed.discard(key)
            self._drop(key)

    def forget_tag(self, tag: str) -> None:
        """Forget a tag."""
        self.pauses.clear()
        self.shadow.clear()
        if self.is_down:
            self.owed.add(tag)
        else:
            self.owed.discard(tag)
            self.versions[tag] += 1

    def _drop(self, key: str) -> None:
        self._delete(key)
        self.shadow.pop(key, None)

    def _delete(self, key: str) -> None:
        self.stored.pop(key, None)
        self.stored_pauses.pop(key, None)
        self.broken.discard(key)


class CacheMachine(RuleBasedStateMachine):
    """Does to a cache what it does to the model, and compares what comes out."""

    asking: Asking = AskingOnThread()

    def __init__(self) -> None:
        super().__init__()
        self.runtime = RecordingRuntime()
        assert isinstance(self.runtime.clock, FakeClock)
        self.clock = self.runtime.clock
        self.store = RemoteStore(self.clock)
        self.cache = Cache(
            "machine",
            ttl=TTL,
            stale=STALE,
            store=self.store,
            backoff=Constant(PAUSE),
            recovery=RECOVERY,
        )
        self.model = Model()
        self.number = 0
        self._entered = environment.activated(self.runtime)
        self._entered.__enter__()

    def teardown(self) -> None:
        """Leave the runtime."""
        self._entered.__exit__(None, None, None)

    @rule(key=KEYS, tags=TAGS, fails=st.booleans())
    def get(self, key: str, tags: tuple[str, ...], *, fails: bool) -> None:
        """Ask for a value."""
        self.number += 1
        new, asked = f"value {self.number}", list[str]()

        def factory() -> str:
            asked.append(key)
            if fails:
                raise DependencyError("no")
            return new

        expected = self.model.get(key, new, tags, fails=fails)
        try:
            found: str | None = self.asking.get(self.cache, key, factory, tags=tags)
        except DependencyError:
            found = None

        assert (found, bool(asked)) == expected
        finish_probes()

    @rule(key=KEYS, tags=TAGS)
    def set(self, key: str, tags: tuple[str, ...]) -> None:
        """Keep a value."""
        self.number += 1
        value = f"value {self.number}"
        self.model.forget(key)
        self.model.write(key, value, tags)

        kept = self.asking.set(self.cache, key, value, tags=tags)

        assert kept is not self.model.is_down
        finish_probes()

    @rule(key=KEYS)
    def invalidate(self, key: str) -> None:
        """Forget a key."""
        self.model.forget(key)

        assert self.asking.invalidate(self.cache, key) is not self.model.is_down
        finish_probes()

    @rule(tag=st.sampled_from(["x", "y"]))
    def invalidate_tag(self, tag: str) -> None:
        """Forget a tag."""
        self.model.forget_tag(tag)

        assert self.asking.invalidate_tag(self.cache, tag) is not self.model.is_down
        finish_probes()

    @rule(seconds=st.sampled_from([1.0, 5.0, 10.0, 20.0]))
    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.advance(seconds)
        self.model.now += seconds

    @precondition(lambda self: not self.model.is_away and bool(self.model.stored))
    @rule(data=st.data(), junk=st.binary(max_size=60))
    def damage(self, data: st.DataObject, junk: bytes) -> None:
        """Put bytes in the place of an entry."""
        names = sorted(key for key in self.store.kept.iterate("hf:machine:v:"))
        keys = {self._name(key): key for key in self.model.stored}
        name = data.draw(st.sampled_from(sorted(keys)))
        if name in names:
            self.store.kept.set(name, junk, 60.0)
            self.model.broken.add(keys[name])

    @precondition(lambda self: not self.model.is_away)
    @rule()
    def lose_the_store(self) -> None:
        """Let every call of the store fail."""
        self.store.error = ConnectionError("refused")
        self.model.is_away = True

    @precondition(lambda self: self.model.is_away)
    @rule()
    def find_the_store(self) -> None:
        """Let the store be back, and be found so."""
        self.store.error = None
        self.model.is_away = False
        if self.model.is_seen_away:
            self.advance(RECOVERY)
            self.cache.get("nobody asks for this")
            finish_probes()
            self.model.is_seen_away = False

    @invariant()
    def adds_up(self) -> None:
        """Every entry has its place, and nothing else is left behind."""
        assert len(self.store.kept) <= 2 * 3 + 2 + 1

    def _name(self, key: str) -> str:
        shelf = self.runtime.caches.of(self.cache)._shelf
        return shelf._name(key)


class CacheMachineOnLoop(CacheMachine):
    """The same on event loops."""

    asking = AskingOnLoop()


TestCacheOnThread = CacheMachine.TestCase
TestCacheOnThread.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestCacheOnLoop = CacheMachineOnLoop.TestCase
TestCacheOnLoop.settings = settings(max_examples=20, stateful_step_count=30, deadline=None)
