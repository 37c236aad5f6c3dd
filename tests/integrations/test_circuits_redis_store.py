"""What Redis keeps of circuits: one record each by compare-and-set, times of its own, and nothing for ever."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from holdfast.resilience.circuit.period import State
from holdfast.resilience.circuit.sharing import Fleet, Stock
from tests.integrations.conftest import need
from tests.integrations.redis_server import RedisServer, own_redis

need("redis")

import redis  # noqa: E402  # after it is known to be there

from holdfast.integrations.redis_circuits import MEMBER, RedisStore  # noqa: E402  # where redis is

NAME = "payments"
PREFIX = "holdfast:circuits:{shop:payments}"
OPEN, HALF_OPEN, CLOSED = State.OPEN, State.HALF_OPEN, State.CLOSED


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Give a Redis that this module alone uses."""
    with own_redis(tmp_path_factory.mktemp("redis")) as started:
        yield started


@pytest.fixture
def client(server: RedisServer) -> Iterator["redis.Redis"]:
    """Give a client of that Redis, which is empty."""
    with redis.Redis.from_url(server.url, decode_responses=True) as made:  # pyright: ignore[reportUnknownMemberType]
        made.flushall()  # pyright: ignore[reportUnknownMemberType]
        yield made


@pytest.fixture
def store(server: RedisServer, client: "redis.Redis") -> Iterator[RedisStore]:
    """Give a store that no pybreaker listens to."""
    made = RedisStore(server.url, "shop")
    yield made
    made.leave("", [])


@pytest.fixture
def mixed(server: RedisServer, client: "redis.Redis") -> Iterator[RedisStore]:
    """Give a store beside workers of pybreaker."""
    made = RedisStore(server.url, "shop", {NAME: "shop", "orders": ""})
    yield made
    made.leave("", [])


def test_an_empty_store_says_that_all_is_closed(store: RedisStore) -> None:
    """A worker is told of itself, and of a record that nobody has written."""
    heard = store.exchange("a", {NAME: False})[NAME]

    assert (heard.fleet, heard.live, heard.failing, heard.stock) == (Fleet(), 1, 0, None)


def test_a_record_comes_back_as_it_was_written(store: RedisStore) -> None:
    """State, version, time, holder and reason."""
    fleet = Fleet(HALF_OPEN, 3, 1_700_000_000.5, holder="a", reason="4 of 8 workers opened it")
    store.settle(NAME, 0, fleet)

    assert store.exchange("a", {NAME: False})[NAME].fleet == fleet


def test_workers_are_counted_as_they_are_heard_of(store: RedisStore, client: "redis.Redis") -> None:
    """Those that see failures among them; who was not heard of for some seconds is not."""
    for member in "abc":
        store.exchange(member, {NAME: member != "a"})
    heard = store.exchange("d", {NAME: False})[NAME]
    client.zincrby(f"{PREFIX}:live", -MEMBER, "b")
    client.zincrby(f"{PREFIX}:failing", -MEMBER, "b")
    later = store.exchange("d", {NAME: False})[NAME]
    store.exchange("c", {NAME: False})
    recovered = store.exchange("d", {NAME: False})[NAME]

    assert (heard.live, heard.failing) == (4, 2)
    assert (later.live, later.failing) == (3, 1)
    assert (recovered.live, recovered.failing) == (3, 0)


def test_time_is_the_servers(store: RedisStore, client: "redis.Redis") -> None:
    """Whatever the clocks of workers say."""
    seconds, micros = client.time()  # pyright: ignore[reportUnknownMemberType]

    heard = store.exchange("a", {NAME: False})[NAME]

    assert 0 <= heard.now - (seconds + micros / 1e6) + 0.001 < 60


def test_of_many_that_write_one_is_kept(server: RedisServer, client: "redis.Redis") -> None:
    """Whoever read the same version is refused once another has written."""
    stores = [RedisStore(server.url, "shop") for _ in range(8)]
    fleets = [Fleet(OPEN, 1, 100.0 + number) for number in range(8)]

    def write(number: int) -> bool:
        return stores[number].settle(NAME, 0, fleets[number])

    with ThreadPoolExecutor(8) as pool:
        kept = list(pool.map(write, range(8)))

    assert kept.count(True) == 1
    assert stores[0].exchange("a", {NAME: False})[NAME].fleet == fleets[kept.index(True)]
    assert not stores[0].settle(NAME, 0, Fleet(CLOSED, 9))
    for store in stores:
        store.leave("a", [])


def test_every_key_expires_and_lies_in_one_slot(store: RedisStore, client: "redis.Redis") -> None:
    """Nothing stays for ever, and a cluster may run the scripts."""
    store.settle(NAME, 0, Fleet(OPEN, 1, 100.0))
    store.exchange("a", {NAME: True})

    keys: list[str] = client.keys("*")  # type: ignore[assignment]  # not awaited: this client does not

    assert sorted(keys) == [f"{PREFIX}:failing", f"{PREFIX}:fleet", f"{PREFIX}:live"]
    assert all(client.pttl(key) > 0 for key in keys)


def test_who_leaves_is_counted_no_more(store: RedisStore, server: RedisServer) -> None:
    """At once, and not only after some seconds."""
    other = RedisStore(server.url, "shop")
    other.exchange("b", {NAME: True})

    other.leave("b", [NAME])

    assert store.exchange("a", {NAME: False})[NAME].live == 1


def test_circuits_and_services_do_not_meet(store: RedisStore, server: RedisServer) -> None:
    """A name is a circuit within one service."""
    store.settle(NAME, 0, Fleet(OPEN, 1, 100.0))
    other = RedisStore(server.url, "bank")

    heard = store.exchange("a", {NAME: True, "orders": False})
    elsewhere = other.exchange("a", {NAME: False})
    other.leave("a", [])

    assert heard["orders"].fleet == elsewhere[NAME].fleet == Fleet()
    assert heard[NAME].fleet.state is OPEN


# pybreaker beside


def test_what_the_fleet_does_is_written_for_pybreaker(
    mixed: RedisStore, client: "redis.Redis"
) -> None:
    """In its words: an opening with its time, a closing with counts of nothing; no fourth state."""
    before = mixed.exchange("a", {NAME: True})[NAME].stock
    mixed.settle(NAME, 0, Fleet(OPEN, 1, 100.0))
    opened = client.mget("shop:pybreaker:state", "shop:pybreaker:opened_at")
    mixed.settle(NAME, 1, Fleet(HALF_OPEN, 2, 100.0, holder="a"))
    probing = client.get("shop:pybreaker:state")
    client.set("shop:pybreaker:fail_counter", 5)
    mixed.settle(NAME, 2, Fleet(CLOSED, 3))

    assert before is None
    assert opened[0] == probing == "open"
    assert int(opened[1] or 0) > 1_700_000_000
    assert client.get("shop:pybreaker:state") == "closed"
    assert client.get("shop:pybreaker:fail_counter") == "0"


def test_the_time_of_an_opening_never_goes_back(mixed: RedisStore, client: "redis.Redis") -> None:
    """As with pybreaker, whose workers may have clocks that are fast."""
    client.set("shop:pybreaker:opened_at", 4_000_000_000)

    mixed.settle(NAME, 0, Fleet(OPEN, 1, 100.0))

    assert client.get("shop:pybreaker:opened_at") == "4000000000"


@pytest.mark.parametrize(
    ("state", "opened_at", "heard"),
    [
        ("open", "1700000000", Stock(OPEN, 1_700_000_000.0)),
        ("half-open", "1700000000", Stock(HALF_OPEN, 1_700_000_000.0)),
        ("closed", None, Stock(CLOSED)),
        (None, "1700000000", None),
        ("of another time", None, None),
    ],
)
def test_what_pybreaker_says_is_heard(
    mixed: RedisStore,
    client: "redis.Redis",
    state: str | None,
    opened_at: str | None,
    heard: Stock | None,
) -> None:
    """Its keys with or without a namespace; what makes no sense is passed over."""
    for key, value in (("state", state), ("opened_at", opened_at)):
        if value is not None:
            client.set(f"pybreaker:{key}", value)

    assert mixed.exchange("a", {"orders": False})["orders"].stock == heard
