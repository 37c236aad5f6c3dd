"""A cache: what it answers, and with what, whatever becomes of the function and of the store."""

import gc
import weakref
from typing import cast

import pytest

from holdfast import DependencyError, ResourceNotFoundError, environment
from holdfast.resilience.backoff import Constant
from holdfast.resilience.cache import Cache, Json, MemoryStore, SignedPickle, Source
from holdfast.resilience.deadline import deadline
from holdfast.resilience.degraded import collect_degradations
from holdfast.resilience.fallback import Fallback
from holdfast.resilience.policy import Policy
from holdfast.starting import configure
from holdfast.testing import FakeClock, RecordingRuntime
from tests.core.cache_stores import (
    Asking,
    AskingOnLoop,
    AskingOnThread,
    Factory,
    RemoteStore,
    finish_probes,
)

SECRET = b"sixteen bytes or"


@pytest.fixture(params=[AskingOnThread, AskingOnLoop], ids=["thread", "loop"])
def asking(request: pytest.FixtureRequest) -> Asking:
    """Ask on a thread, then on an event loop."""
    return cast("Asking", request.param())


@pytest.fixture
def clock(runtime: RecordingRuntime) -> FakeClock:
    """Give the clock of the test's runtime."""
    return cast("FakeClock", runtime.clock)


@pytest.fixture
def remote(clock: FakeClock) -> RemoteStore:
    """Give a store that may fail."""
    return RemoteStore(clock)


def told(runtime: RecordingRuntime) -> list[str]:
    """Return the names of the events so far."""
    return [event.name for event in runtime.recorded.events]


# Fresh and stale


def test_a_fresh_value_is_served_without_a_call(asking: Asking, runtime: RecordingRuntime) -> None:
    """The function is asked once within the time."""
    cache, factory = Cache("prices"), Factory()

    answers = [asking.answer(cache, "881", factory) for _ in range(3)]

    assert [answer.value for answer in answers] == ["value 1"] * 3
    assert [answer.source for answer in answers] == [Source.COMPUTED, Source.FRESH, Source.FRESH]
    assert factory.calls == 1


def test_after_its_time_a_value_is_computed_anew(asking: Asking, clock: FakeClock) -> None:
    """300 seconds are what a cache takes by default."""
    cache, factory = Cache("prices"), Factory()
    asking.get(cache, "881", factory)

    clock.advance(299.0)
    before = asking.get(cache, "881", factory)
    clock.advance(1.0)
    after = asking.get(cache, "881", factory)

    assert (before, after) == ("value 1", "value 2")


def test_a_value_may_have_a_time_of_its_own(asking: Asking, clock: FakeClock) -> None:
    """The time given with a call holds for what it computes."""
    cache, factory = Cache("prices", ttl=300.0), Factory()
    asking.get(cache, "881", factory, ttl=1.0)

    clock.advance(1.0)

    assert asking.get(cache, "881", factory) == "value 2"


def test_nothing_is_a_value(asking: Asking, runtime: RecordingRuntime) -> None:
    """A function that returned None is not asked again."""
    cache = Cache("prices")
    calls: list[None] = []

    for _ in range(2):
        asking.get(cache, "881", lambda: calls.append(None))

    assert len(calls) == 1


def test_a_look_finds_what_is_fresh_and_asks_nobody(asking: Asking, clock: FakeClock) -> None:
    """Without a factory there is a value, or None."""
    cache = Cache("prices")

    before = asking.look(cache, "881")
    asking.set(cache, "881", 12.5)
    after = asking.look(cache, "881")
    clock.advance(300.0)

    assert (before, after, asking.look(cache, "881")) == (None, 12.5, None)


def test_a_stale_value_stands_in_for_a_failure_with_its_provenance(
    asking: Asking, runtime: RecordingRuntime, clock: FakeClock
) -> None:
    """The first failure is answered, told and counted; the function is not asked again at once."""
    cache, factory = Cache("prices", ttl=10.0, stale=60.0, backoff=Constant(5.0)), Factory()
    asking.get(cache, "881", factory)
    factory.error = DependencyError("no prices today")
    clock.advance(12.0)

    answers = [asking.answer(cache, "881", factory) for _ in range(3)]

    assert [answer.value for answer in answers] == ["value 1"] * 3
    assert [answer.reason for answer in answers] == ["failed", "back-off", "back-off"]
    assert [(answer.degraded, answer.age) for answer in answers] == [(True, 12.0)] * 3
    assert factory.calls == 2
    (event,) = runtime.recorded.events
    assert event.name == "cache.stale_served"
    assert event.attributes["error_code"] == "DEPENDENCY_FAILED"
    assert "no prices" not in str(event)


def test_after_the_back_off_the_function_is_asked_again(asking: Asking, clock: FakeClock) -> None:
    """Each failure in a row makes one call; a success ends the row."""
    cache, factory = Cache("prices", ttl=10.0, backoff=Constant(5.0)), Factory()
    asking.get(cache, "881", factory)
    clock.advance(10.0)
    factory.error = DependencyError("no")
    asking.get(cache, "881", factory)
    factory.error = None

    within = asking.get(cache, "881", factory)
    clock.advance(5.0)
    after = asking.get(cache, "881", factory)

    assert (within, after) == ("value 1", "value 3")


def test_after_the_stale_window_the_error_itself_comes_out(
    asking: Asking, clock: FakeClock
) -> None:
    """The very same object, and nothing in its place."""
    cache, factory = Cache("prices", ttl=10.0, stale=60.0), Factory()
    asking.get(cache, "881", factory)
    clock.advance(70.0)
    factory.error = DependencyError("no")

    with pytest.raises(DependencyError) as raised:
        asking.get(cache, "881", factory)

    assert raised.value is factory.error


def test_a_store_that_keeps_longer_than_it_was_told_changes_nothing(
    asking: Asking, remote: RemoteStore, clock: FakeClock
) -> None:
    """The entry itself says until when it may be served."""
    cache, factory = Cache("prices", ttl=10.0, stale=60.0, store=remote), Factory()
    asking.get(cache, "881", factory)
    remote.kept.set(remote.entry_name(), remote.kept.get(remote.entry_name()), 900.0)
    clock.advance(70.0)
    factory.error = DependencyError("no")

    with pytest.raises(DependencyError):
        asking.get(cache, "881", factory)


def test_a_callers_fault_is_not_answered_by_a_stale_value(asking: Asking, clock: FakeClock) -> None:
    """What is not there any more is not there."""
    cache, factory = Cache("prices", ttl=10.0), Factory()
    asking.get(cache, "881", factory)
    clock.advance(10.0)
    factory.error = ResourceNotFoundError("no such article")

    with pytest.raises(ResourceNotFoundError):
        asking.get(cache, "881", factory)


def test_an_interrupt_is_neither_counted_nor_answered(
    runtime: RecordingRuntime, clock: FakeClock
) -> None:
    """Control flow passes, and the next caller asks."""
    cache = Cache("prices", ttl=10.0)
    cache.get("881", lambda: 1)
    clock.advance(10.0)

    def interrupted() -> int:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.get("881", interrupted)

    assert cache.get("881", lambda: 2) == 2
    assert cache.statistics().errors == 0


def test_with_less_time_than_the_function_takes_the_stale_value_is_served_at_once(
    asking: Asking, clock: FakeClock
) -> None:
    """How long it takes is known from before."""
    cache = Cache("prices", ttl=10.0)
    factory = Factory()

    def slow() -> str:
        clock.advance(5.0)
        return factory()

    asking.get(cache, "881", slow)
    clock.advance(10.0)
    with deadline(0.5):
        answer = asking.answer(cache, "881", slow)

    assert (answer.value, answer.reason) == ("value 1", "deadline")
    assert factory.calls == 1


def test_chosen_errors_are_answered_from_memory(asking: Asking, clock: FakeClock) -> None:
    """Each caller gets an error of his own, for as long as was said."""
    cache = Cache("prices", negative=(ResourceNotFoundError,), negative_ttl=30.0)
    factory = Factory(ResourceNotFoundError("no such article", details={"sku": "881"}))
    raised: list[ResourceNotFoundError] = []

    for _ in range(3):
        with pytest.raises(ResourceNotFoundError) as info:
            asking.get(cache, "881", factory)
        raised.append(info.value)

    assert factory.calls == 1
    assert [str(error.details) for error in raised] == ["{'sku': '881'}"] * 3
    assert len({id(error) for error in raised}) == 3
    clock.advance(30.0)
    factory.error = None
    assert asking.get(cache, "881", factory) == "value 2"


def test_a_degraded_answer_is_not_kept(asking: Asking, runtime: RecordingRuntime) -> None:
    """What a fallback said inside of the function is no value."""
    cache = Cache("prices")
    policy = Policy("price", Fallback(value=0.0))
    broken = Factory(DependencyError("no"))

    for _ in range(2):
        asking.get(cache, "881", lambda: policy.call(broken))

    assert broken.calls == 2


def test_who_collects_degradations_hears_of_a_stale_value(asking: Asking, clock: FakeClock) -> None:
    """As of a fallback's."""
    cache, factory = Cache("prices", ttl=10.0), Factory()
    asking.get(cache, "881", factory)
    clock.advance(10.0)
    factory.error = DependencyError("no")

    with collect_degradations() as degradations:
        asking.get(cache, "881", factory)

    assert [(each.policy, each.source, each.code) for each in degradations] == [
        ("prices", "stale", "DEPENDENCY_FAILED")
    ]


def test_chance_may_shorten_the_time(runtime: RecordingRuntime, clock: FakeClock) -> None:
    """So that what was computed together is not computed together again."""
    cache = Cache("prices", ttl=100.0, jitter=0.5)
    ends: set[float] = set()

    for number in range(20):
        cache.set(str(number), number)
        live = runtime.caches["prices"].peek(str(number))
        assert live is not None
        ends.add(live.fresh_until)

    assert len(ends) == 20
    assert all(50.0 <= end <= 100.0 for end in ends)


# Invalidation


def test_a_key_can_be_forgotten(asking: Asking, runtime: RecordingRuntime) -> None:
    """With its stale value."""
    cache, factory = Cache("prices"), Factory()
    asking.get(cache, "881", factory)

    assert asking.invalidate(cache, "881")

    factory.error = DependencyError("no")
    with pytest.raises(DependencyError):
        asking.get(cache, "881", factory)


@pytest.mark.parametrize("where", ["embedded", "remote"])
def test_what_has_a_tag_can_be_forgotten_together(
    asking: Asking, remote: RemoteStore, where: str
) -> None:
    """By a stamp that is compared when an entry is read."""
    cache = Cache("prices", store=remote if where == "remote" else None)
    factories = {key: Factory() for key in ("881", "882", "883")}
    tags = {"881": ("shoes", "sale"), "882": ("shoes",), "883": ("hats",)}

    def read() -> list[str]:
        return [asking.get(cache, key, factories[key], tags=tags[key]) for key in factories]

    first = [read(), read()][1]
    asking.invalidate_tag(cache, "shoes")
    second = [read(), read()][1]
    asking.invalidate_tag(cache, "sale")

    assert first == ["value 1", "value 1", "value 1"]
    assert second == ["value 2", "value 2", "value 1"]
    assert read() == ["value 3", "value 2", "value 1"]


def test_the_stamps_of_all_tags_are_read_in_one_go(remote: RemoteStore) -> None:
    """However many tags an entry has."""
    cache = Cache("prices", store=remote)
    cache.get("881", Factory(), tags=("shoes", "sale", "winter"))
    remote.calls.clear()

    cache.get("881", Factory())

    assert remote.calls == ["get", "get_many"]


def test_what_is_invalidated_while_it_is_computed_is_not_kept(
    asking: Asking, remote: RemoteStore
) -> None:
    """The value was computed from what is not true any more."""
    cache, factory = Cache("prices", store=remote), Factory()

    def overtaken() -> str:
        cache.invalidate("881")
        return factory()

    first = asking.get(cache, "881", overtaken)

    assert first == "value 1"
    assert asking.get(cache, "881", factory) == "value 2"


def test_a_tag_invalidated_meanwhile_counts_as_well(asking: Asking, remote: RemoteStore) -> None:
    """Stamps are taken before the function is asked."""
    cache, factory = Cache("prices", store=remote), Factory()

    def overtaken() -> str:
        cache.invalidate_tag("shoes")
        return factory()

    asking.get(cache, "881", overtaken, tags=("shoes",))

    assert asking.get(cache, "881", factory, tags=("shoes",)) == "value 2"


def test_what_is_set_while_it_is_computed_stays(asking: Asking, remote: RemoteStore) -> None:
    """The result that comes later is the older one."""
    cache, factory = Cache("prices", store=remote), Factory()

    def overtaken() -> str:
        cache.set("881", "set")
        return factory()

    asking.get(cache, "881", overtaken)

    assert asking.look(cache, "881") == "set"


@pytest.mark.parametrize("where", ["embedded", "remote"])
def test_keys_that_match_a_pattern_can_be_forgotten(
    asking: Asking, remote: RemoteStore, where: str
) -> None:
    """Where the store can list its keys."""
    cache = Cache("prices", store=remote if where == "remote" else None)
    for key in ("user:1", "user:2", "User:3", "order:1"):
        asking.set(cache, key, key)

    removed = asking.invalidate_pattern(cache, "user:?")

    assert removed == 2
    assert [asking.look(cache, key) for key in ("user:1", "User:3", "order:1")] == [
        None,
        "User:3",
        "order:1",
    ]


class Mute:
    """A store that cannot list its keys."""

    blocking = False
    keeps_objects = False

    def __init__(self) -> None:
        self.kept = MemoryStore()
        self.get, self.set = self.kept.get, self.kept.set
        self.add, self.delete = self.kept.add, self.kept.delete


def test_a_pattern_is_refused_where_keys_cannot_be_listed(
    asking: Asking, runtime: RecordingRuntime
) -> None:
    """With what to do instead."""
    with pytest.raises(TypeError, match=r"Mute cannot list its keys.* a tag"):
        asking.invalidate_pattern(Cache("prices", store=Mute()), "user:*")


def test_tags_do_without_a_store_that_reads_many_at_once(
    asking: Asking, runtime: RecordingRuntime
) -> None:
    """Four methods are enough."""
    cache, factory = Cache("prices", store=Mute()), Factory()
    asking.get(cache, "881", factory, tags=("shoes",))
    before = asking.get(cache, "881", factory)

    asking.invalidate_tag(cache, "shoes")

    assert (before, asking.get(cache, "881", factory)) == ("value 1", "value 2")


# Broken entries, and values that cannot be written


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"hfc",
        b"hfc\x01",
        b"hfc\x02" + b"\x00" * 40,
        b"hfc\x01\x02" + b"\x00" * 40,
        b"hfc\x01\x01\x01" + b"\x00" * 40,
        b"hfc\x01\x01\x00" + b"\x00" * 24 + b"\x00\x00\x00\x00" + b"{",
        "text",
        7,
    ],
)
def test_an_entry_that_cannot_be_read_is_taken_for_missing(
    asking: Asking, remote: RemoteStore, runtime: RecordingRuntime, broken: object
) -> None:
    """It is counted, deleted and told, and the function is asked."""
    cache, factory = Cache("prices", store=remote), Factory()
    asking.get(cache, "881", factory)
    remote.kept.set(remote.entry_name(), broken, 60.0)

    value = asking.get(cache, "881", factory)

    assert value == "value 2"
    assert cache.statistics().decode_errors == 1
    assert told(runtime) == ["cache.decode_failed"]
    assert asking.get(cache, "881", factory) == "value 2"


def test_a_value_that_cannot_be_written_is_returned_uncached(
    asking: Asking, remote: RemoteStore, runtime: RecordingRuntime
) -> None:
    """It is the caller's all the same."""
    cache = Cache("prices", store=remote)
    value = object()

    found = asking.get(cache, "881", lambda: value)

    assert found is value
    assert cache.statistics().encode_errors == 1
    assert told(runtime) == ["cache.encode_failed"]
    assert not asking.set(cache, "882", value)


class Bomb:
    """Goes off where it is unpickled."""

    went_off = 0

    def __reduce__(self) -> tuple[object, tuple[()]]:
        return _go_off, ()


def _go_off() -> None:
    Bomb.went_off += 1


@pytest.mark.parametrize("how", ["another secret", "another key", "no signature", "changed"])
def test_what_is_not_signed_for_its_key_is_never_unpickled(remote: RemoteStore, how: str) -> None:
    """It counts as broken, and no code of it runs."""
    Bomb.went_off = 0
    cache = Cache("prices", store=remote, codec=SignedPickle(SECRET))
    other = SignedPickle(b"another secret of 16" if how == "another secret" else SECRET)
    Cache("elsewhere", store=remote, codec=other).set(
        "882" if how == "another key" else "881", Bomb()
    )
    name = remote.entry_name()
    raw = remote.kept.get(name)
    assert isinstance(raw, bytes)
    remote.kept.delete(name)
    if how == "no signature":
        raw = raw[:4] + raw[36:]
    if how == "changed":
        raw = raw[:-1] + bytes([raw[-1] ^ 1])
    remote.kept.set("hf:prices:v:881", raw, 60.0)

    assert cache.get("881") is None
    assert Bomb.went_off == 0
    assert cache.statistics().decode_errors == 1


def test_signed_pickle_keeps_what_json_cannot_say(asking: Asking, remote: RemoteStore) -> None:
    """And takes the signatures of former secrets."""
    value = {("a", 1): {1, 2}}
    with environment.activated(RecordingRuntime()):
        asking.set(Cache("prices", store=remote, codec=SignedPickle(SECRET)), "881", value)
    rotated = SignedPickle(b"the new secret, which is long", former=(SECRET,))

    found = asking.look(Cache("prices", store=remote, codec=rotated), "881")

    assert found == value


def test_a_short_secret_is_refused() -> None:
    """It could be guessed."""
    with pytest.raises(ValueError, match="at least 16 bytes"):
        SignedPickle(b"short")


def test_a_secret_is_not_printed() -> None:
    """A cache can be printed."""
    assert "sixteen" not in repr(Cache("prices", codec=SignedPickle(SECRET)))


def test_large_values_are_compressed_where_that_is_asked_for(remote: RemoteStore) -> None:
    """Above the threshold alone."""
    cache = Cache("prices", store=remote, compress_above=500)
    sizes: list[int] = []

    for key, value in (("short", "a" * 400), ("long", "a" * 4_000)):
        cache.set(key, value)
        raw = remote.kept.get(f"hf:prices:v:{key}")
        assert isinstance(raw, bytes)
        sizes.append(len(raw))
        assert cache.get(key) == value

    assert sizes[0] > 400
    assert sizes[1] < 200


def test_what_is_too_large_when_it_is_unpacked_is_not_unpacked(
    remote: RemoteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few bytes could fill the memory."""
    cache = Cache("prices", store=remote, compress_above=500)
    cache.set("881", "a" * 4_000)
    monkeypatch.setattr("holdfast.resilience.cache.envelope.MAX_VALUE", 1_000)

    assert cache.get("881") is None
    assert cache.statistics().decode_errors == 1


def test_with_a_codec_the_embedded_store_gives_copies(runtime: RecordingRuntime) -> None:
    """Without one values are kept as they are."""
    given = {"price": 12.5}
    as_it_is, copied = Cache("prices"), Cache("copies", codec=Json())
    for cache in (as_it_is, copied):
        cache.set("881", given)

    assert as_it_is.get("881") is given
    assert copied.get("881") == given
    assert copied.get("881") is not given


def test_keys_may_be_any_text(asking: Asking, remote: RemoteStore) -> None:
    """What a store could not take is hashed."""
    cache = Cache("prices of the shop " * 9, store=remote)
    keys = ["", " ", "é", "\n", "k" * 500, "k" * 501, "\ud800", "a:b"]

    for key in keys:
        asking.set(cache, key, key if key != "\ud800" else "surrogate")

    assert [asking.look(cache, key) for key in keys[:6]] == keys[:6]
    names = [*remote.kept.iterate("hf:")]
    assert len(names) == len(keys)
    assert all(len(name) <= 250 and name.isascii() and " " not in name for name in names)


# A store that is down


def test_a_store_that_fails_is_not_asked_again_until_it_is_back(
    asking: Asking, remote: RemoteStore, runtime: RecordingRuntime, clock: FakeClock
) -> None:
    """One call of it for the outage, and one on another thread for each look at it."""
    cache, factory = Cache("prices", store=remote, recovery=5.0), Factory()
    remote.error = ConnectionError("refused")

    values = [asking.get(cache, str(number), factory) for number in range(50)]

    assert values == [f"value {number}" for number in range(1, 51)]
    assert remote.calls == ["get"]
    assert told(runtime) == ["cache.store_failed"]
    remote.threads.clear()
    clock.advance(5.0)
    for number in range(50):
        asking.get(cache, str(number), factory)
        finish_probes()
    assert remote.calls == ["get", "get"]
    assert remote.threads == {"holdfast-cache-probe"}


def test_values_of_before_and_of_meanwhile_are_served_during_an_outage(
    asking: Asking, remote: RemoteStore, clock: FakeClock
) -> None:
    """From this process, with the reason; they get stale as ever."""
    cache, factory = Cache("prices", ttl=10.0, store=remote, recovery=60.0), Factory()
    asking.get(cache, "before", factory)
    remote.error = ConnectionError("refused")
    asking.get(cache, "meanwhile", factory)

    answers = [asking.answer(cache, key, factory) for key in ("before", "meanwhile")]
    clock.advance(10.0)
    factory.error = DependencyError("no")
    late = asking.answer(cache, "before", factory)

    assert [answer.value for answer in answers] == ["value 1", "value 2"]
    assert [answer.reason for answer in answers] == ["store down", "store down"]
    assert (late.value, late.source, late.reason) == ("value 1", Source.STALE, "failed")


def test_a_store_that_is_back_is_used_again(
    asking: Asking, remote: RemoteStore, runtime: RecordingRuntime, clock: FakeClock
) -> None:
    """Nobody has to do anything for it."""
    cache, factory = Cache("prices", store=remote, recovery=5.0), Factory()
    remote.error = ConnectionError("refused")
    asking.get(cache, "881", factory)
    remote.error = None
    clock.advance(5.0)

    asking.get(cache, "882", factory)
    finish_probes()
    asking.get(cache, "883", factory)

    assert told(runtime) == ["cache.store_failed", "cache.store_recovered"]
    assert "hf:prices:v:883" in remote.kept.iterate("hf:prices:v:")


def test_what_is_forgotten_during_an_outage_stays_forgotten(
    asking: Asking, remote: RemoteStore, clock: FakeClock
) -> None:
    """The store is told when it is back, before it is read."""
    cache, factory = Cache("prices", ttl=900.0, store=remote, recovery=5.0), Factory()
    asking.get(cache, "key", factory)
    asking.get(cache, "set", factory)
    asking.get(cache, "tagged", factory, tags=("shoes",))
    remote.error = ConnectionError("refused")

    forgotten = [
        asking.invalidate(cache, "key"),
        asking.set(cache, "set", "new"),
        asking.invalidate_tag(cache, "shoes"),
    ]
    remote.error = None
    clock.advance(5.0)
    asking.look(cache, "anything")
    finish_probes()

    assert forgotten == [False, False, False]
    assert [asking.look(cache, key) for key in ("key", "set", "tagged")] == [None, None, None]


def test_what_is_kept_after_an_outage_stays(
    asking: Asking, remote: RemoteStore, clock: FakeClock
) -> None:
    """What was forgotten during the outage is not forgotten twice."""
    cache = Cache("prices", store=remote, recovery=5.0)
    remote.error = ConnectionError("refused")
    asking.invalidate(cache, "881")
    remote.error = None
    clock.advance(5.0)
    asking.invalidate(cache, "882")
    finish_probes()

    asking.set(cache, "881", "new")

    assert asking.look(cache, "881") == "new"


def test_what_another_process_has_forgotten_is_not_served_during_an_outage(
    asking: Asking, remote: RemoteStore
) -> None:
    """If this one has seen it."""
    cache = Cache("prices", store=remote)
    asking.set(cache, "881", 1)
    asking.set(cache, "882", 2, tags=("shoes",))
    remote.kept.delete("hf:prices:v:881")
    remote.kept.delete("hf:prices:t:shoes")
    for key in ("881", "882"):
        asking.look(cache, key)

    remote.error = ConnectionError("refused")

    assert [asking.look(cache, key) for key in ("881", "882")] == [None, None]


def test_a_function_is_left_alone_during_an_outage_as_well(
    asking: Asking, remote: RemoteStore, clock: FakeClock
) -> None:
    """Each process remembers for itself what failed."""
    cache = Cache("prices", ttl=10.0, store=remote, backoff=Constant(5.0), recovery=60.0)
    factory = Factory()
    asking.get(cache, "881", factory)
    clock.advance(10.0)
    remote.error = ConnectionError("refused")
    factory.error = DependencyError("no")

    values = [asking.get(cache, "881", factory) for _ in range(3)]

    assert values == ["value 1"] * 3
    assert factory.calls == 2


def test_what_another_process_has_just_computed_is_taken(
    asking: Asking, remote: RemoteStore, runtime: RecordingRuntime
) -> None:
    """It was not there when it was looked for, and is when the lease is given."""
    cache, factory = Cache("prices", store=remote), Factory()
    cache.set("881", "theirs")
    name = remote.entry_name()
    theirs = remote.kept.get(name)
    remote.kept.delete(name)
    add = remote.add

    def late(key: str, value: object, ttl: float) -> bool:
        remote.kept.set(name, theirs, 60.0)
        return add(key, value, ttl)

    remote.add = late  # type: ignore[method-assign]  # another process, between two calls of this one

    assert asking.get(cache, "881", factory) == "theirs"
    assert factory.calls == 0
    assert remote.kept.get("hf:prices:l:881") is None


def test_a_store_that_is_empty_is_a_store(runtime: RecordingRuntime) -> None:
    """Although it has a length of none."""
    store = MemoryStore(10)

    Cache("prices", store=store).set("881", 1)

    assert len(store) == 1


def test_a_pattern_reaches_nobody_during_an_outage(
    asking: Asking, remote: RemoteStore, runtime: RecordingRuntime
) -> None:
    """And that is told."""
    cache = Cache("prices", store=remote)
    remote.error = ConnectionError("refused")

    assert asking.invalidate_pattern(cache, "*") == 0
    assert told(runtime) == ["cache.store_failed", "cache.invalidation_lost"]


def test_events_of_a_kind_are_summed_up(
    runtime: RecordingRuntime, remote: RemoteStore, clock: FakeClock
) -> None:
    """One in ten seconds, with how many there were since."""
    cache = Cache("prices", store=remote)
    for _ in range(5):
        cache.set("881", object())
    clock.advance(10.0)

    cache.set("881", object())

    assert [event.attributes["suppressed"] for event in runtime.recorded.events] == [0, 4]


# The embedded store, and what is counted


def test_the_embedded_store_is_bounded(runtime: RecordingRuntime) -> None:
    """1,000 entries by default."""
    cache = Cache("prices")

    for number in range(1_500):
        cache.set(str(number), number)

    assert cache.statistics().size == 1_000
    assert cache.get("1499") == 1499
    assert cache.get("0") is None


def test_what_is_used_outlives_what_is_not() -> None:
    """An entry that was read since it was last looked at gets a second chance."""
    store = MemoryStore(max_entries=10)
    store.set("used", 1, 60.0)

    for number in range(100):
        store.set(str(number), number, 60.0)
        assert store.get("used") == 1

    assert len(store) == 10


def test_expired_entries_can_be_purged(runtime: RecordingRuntime, clock: FakeClock) -> None:
    """Those that could not even be served stale."""
    cache = Cache("prices", ttl=10.0, stale=10.0)
    cache.set("old", 1)
    clock.advance(15.0)
    cache.set("young", 2)
    clock.advance(5.0)

    assert cache.purge() == 1
    assert cache.statistics().size == 1


def test_statistics_say_what_happened(asking: Asking, clock: FakeClock) -> None:
    """In numbers that add up."""
    cache, factory = Cache("prices", ttl=10.0), Factory()
    for _ in range(3):
        asking.get(cache, "881", factory)
    clock.advance(10.0)
    factory.error = DependencyError("no")
    for _ in range(2):
        asking.get(cache, "881", factory)
    asking.invalidate(cache, "881")

    seen = cache.statistics()

    assert (seen.hits, seen.stale, seen.misses) == (2, 2, 2)
    assert (seen.computed, seen.errors, seen.invalidated) == (1, 1, 1)
    assert seen.single_flight == "process"


# Names, runtimes, decorated functions


def test_a_function_can_be_decorated(asking: Asking, runtime: RecordingRuntime) -> None:
    """Its calls are told apart by their arguments, however they are passed."""
    cache, factory = Cache("prices"), Factory()
    price_of = asking.decorate(cache, factory.__call__)

    values = [price_of("881", 1), price_of("881", 1), price_of("881", True), price_of("882", 1)]

    assert values == ["value 1", "value 1", "value 2", "value 3"]


def test_arguments_by_name_and_by_position_make_one_key(runtime: RecordingRuntime) -> None:
    """By the function's signature."""
    calls: list[tuple[str, int]] = []

    @Cache("prices").cached()
    def price_of(sku: str, number: int, *, vip: bool = False) -> float:
        calls.append((sku, number))
        return 12.5

    price_of("881", 1)
    price_of("881", number=1)
    price_of(number=1, sku="881")
    price_of("881", 1, vip=True)

    assert calls == [("881", 1), ("881", 1)]


def test_arguments_that_might_look_alike_are_refused(runtime: RecordingRuntime) -> None:
    """An object of a class of one's own needs a function that makes the key."""

    @Cache("prices").cached()
    def price_of(sku: object) -> float:
        return 12.5

    with pytest.raises(TypeError, match="key="):
        price_of(object())


def test_tags_may_depend_on_the_arguments(runtime: RecordingRuntime) -> None:
    """As keys may."""
    cache = Cache("prices")
    calls: list[str] = []

    def article(sku: str) -> tuple[str, ...]:
        return (f"article:{sku}",)

    @cache.cached(key="price:{}".format, tags=article, ttl=60.0)
    def price_of(sku: str) -> float:
        calls.append(sku)
        return 12.5

    for sku in ("881", "882", "881"):
        price_of(sku)
    cache.invalidate_tag("article:881")
    for sku in ("881", "882"):
        price_of(sku)

    assert calls == ["881", "882", "881"]


def test_each_runtime_has_entries_of_its_own() -> None:
    """A test makes a fresh runtime, and nothing needs resetting."""
    cache = Cache("prices")
    with environment.activated(RecordingRuntime()):
        cache.set("881", 1)

    with environment.activated(RecordingRuntime()):
        assert cache.get("881") is None


def test_a_runtime_in_the_place_of_a_closed_one_begins_anew() -> None:
    """What is kept at hand belongs to the runtime of before."""
    cache = Cache("prices")
    first = configure(reporters=[])
    with environment.activated(first):
        cache.set("881", 1)
        assert cache.get("881") == 1
    first.close()

    second = configure(reporters=[])
    with environment.activated(second):
        found = cache.get("881")
    second.close()

    assert found is None


def test_two_caches_of_a_name_are_refused(runtime: RecordingRuntime) -> None:
    """They would read each other's entries."""
    Cache("prices", ttl=10.0).set("881", 1)

    with pytest.raises(ValueError, match="two caches are named 'prices'"):
        Cache("prices", ttl=20.0).get("881")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"name": ""}, "needs a name"),
        ({"ttl": 0.0}, "Cache.ttl must be more than 0"),
        ({"stale": -1.0}, "Cache.stale must be at least 0"),
        ({"ttl": 1e300}, "at most 31536000 seconds"),
        ({"max_entries": 0}, "Cache.max_entries must be at least 1"),
        ({"jitter": 1.5}, "Cache.jitter must be a share"),
        ({"compress_above": -1}, "Cache.compress_above must be"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, object], said: str) -> None:
    """When the cache is made, with what they may be."""
    with pytest.raises(ValueError, match=said):
        Cache(**{"name": "prices", **options})  # type: ignore[arg-type]  # as a setting might be


def test_a_failure_that_was_answered_is_let_go_of(
    runtime: RecordingRuntime, clock: FakeClock
) -> None:
    """No error keeps the frames it came through."""

    class Large(DependencyError):
        """Has a traceback that holds something large."""

    cache = Cache("prices", ttl=10.0)
    cache.get("881", lambda: 1)
    clock.advance(10.0)
    gone: list[weakref.ref[Large]] = []

    def fail() -> int:
        error = Large("no")
        gone.append(weakref.ref(error))
        raise error

    cache.get("881", fail)
    gc.collect()

    assert gone[0]() is None
