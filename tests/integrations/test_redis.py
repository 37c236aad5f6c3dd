"""Entries of Redis streams: done, again, dead, and left, with a real server."""

import asyncio
import os
import random
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeAlias, cast

import pytest

from holdfast import ValidationError, current_trace_id, trace_headers, work_context
from holdfast.hooks.consumers import Consumer, Settle, Settlement
from holdfast.testing import RecordingRuntime
from tests.integrations.conftest import need
from tests.integrations.proxy import proxied

need("redis")

import redis  # noqa: E402  # after the library is known to be there
import redis.asyncio  # noqa: E402
import redis.exceptions  # noqa: E402

from holdfast.integrations.redis import Entry, Reader  # noqa: E402

pytestmark = pytest.mark.service("redis")

PORT = 6379
SOON = 0.05
"""Seconds after which an entry of these tests is due again."""

Work: TypeAlias = Callable[[Entry], None]
Outcomes: TypeAlias = dict[str, list[BaseException | None]]
"""How the attempts at each order end, in turn."""


class Read(Protocol):
    """One round of either kind of reader."""

    def __call__(self, reader: Reader, orders: Consumer, work: Work) -> int:
        """Read and work."""
        ...


def read_sync(reader: Reader, orders: Consumer, work: Work) -> int:
    """Read with the synchronous client."""
    return reader.read(orders, work)


def read_async(reader: Reader, orders: Consumer, work: Work) -> int:
    """Read with the asynchronous client, in a loop of its own."""

    async def take() -> int:
        async def working(entry: Entry) -> None:
            work(entry)

        try:
            return await reader.read_async(orders, working)
        finally:
            client: Any = reader._client
            await getattr(client, "aclose", client.close)()

    return asyncio.run(take())


@pytest.fixture(params=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> str:
    """Which client a test reads with."""
    return cast("str", request.param)


@pytest.fixture
def read(kind: str) -> Read:
    """One round of the reader."""
    return read_sync if kind == "sync" else read_async


class Shop:
    """A stream of orders, and what became of them."""

    def __init__(self, kind: str, stream: str) -> None:
        self.kind = kind
        self.stream = stream
        self.client = redis.Redis(port=PORT, decode_responses=True)
        self.runtime = RecordingRuntime()
        self.done: list[str] = []

    def reader(self, port: int = PORT, **options: Any) -> Reader:  # noqa: ANN401  # those of the reader
        """Make a reader."""
        make: Any = redis.Redis if self.kind == "sync" else redis.asyncio.Redis
        options = {"visibility": SOON, "block": SOON, **options}
        return Reader(make(port=port, retry=None), self.stream, "shipping", **options)

    def order(self, sku: str, **headers: str) -> str:
        """Send an order."""
        fields: dict[Any, Any] = {"sku": sku, **headers}
        return str(self.client.xadd(self.stream, fields))

    def pending(self) -> int:
        """Return how many entries are read and not acknowledged."""
        pending: Any = self.client.xpending(self.stream, "shipping")
        return int(pending["pending"])

    def dead(self) -> list[dict[str, str]]:
        """Return the fields of the dead letters."""
        entries: Any = self.client.xrange(f"{self.stream}:dead")
        return [fields for _, fields in entries]

    def events(self) -> list[str]:
        """Return the names of everything that was reported."""
        return [event.name for event in self.runtime.recorded.events]


@pytest.fixture
def shop(kind: str) -> Iterator[Shop]:
    """A stream of its own, with nothing left behind."""
    shop = Shop(kind, f"holdfast-test:{os.urandom(6).hex()}")
    shop.runtime.install()
    yield shop
    shop.runtime.uninstall()
    shop.client.delete(shop.stream, f"{shop.stream}:dead")
    shop.client.close()


def sku_of(entry: Entry) -> str:
    """Return what an entry orders, however its client decodes it."""
    fields = {str(k, "ascii") if isinstance(k, bytes) else k: v for k, v in entry.fields.items()}
    value: object = fields["sku"]
    return value.decode() if isinstance(value, bytes) else str(value)


def failing(shop: Shop, outcomes: Outcomes) -> Work:
    """Return work whose attempts end as told, and then well."""

    def work(entry: Entry) -> None:
        sku = sku_of(entry)
        error = outcomes[sku].pop(0) if outcomes.get(sku) else None
        if error is not None:
            raise error
        shop.done.append(sku)

    return work


def rounds(read: Read, reader: Reader, orders: Consumer, work: Work, until: int) -> int:
    """Read until so many entries were worked on; return how many that were."""
    worked = 0
    for _ in range(100):
        worked += read(reader, orders, work)
        if worked >= until:
            break
    return worked


def quick(**options: Any) -> Consumer:  # noqa: ANN401  # those of the consumer
    """Return a consumer that hardly waits."""
    return Consumer("orders", base=0.001, ceiling=0.01, **options)


def test_an_entry_that_went_well_is_acknowledged(shop: Shop, read: Read) -> None:
    """It is not delivered again, and nothing is told."""
    shop.order("881")
    reader = shop.reader()

    assert rounds(read, reader, quick(), failing(shop, {}), 1) == 1
    assert read(reader, quick(), failing(shop, {})) == 0

    assert (shop.done, shop.pending(), shop.dead(), shop.events()) == (["881"], 0, [], [])


def test_an_entry_is_tried_again_until_it_goes_well(shop: Shop, read: Read) -> None:
    """Transient errors are events, one for each attempt, and no record."""
    shop.order("881")
    outcomes: Outcomes = {"881": [ConnectionError("no"), TimeoutError("slow")]}

    worked = rounds(read, shop.reader(), quick(), failing(shop, outcomes), 3)

    assert (worked, shop.done, shop.pending(), shop.dead()) == (3, ["881"], 0, [])
    assert shop.events() == ["message.retried", "message.retried"]
    attempts = [event.attributes["attempt"] for event in shop.runtime.recorded.events]
    assert attempts == [1, 2]


def test_an_entry_that_keeps_failing_is_a_dead_letter(shop: Shop, read: Read) -> None:
    """After its attempts it is in the other stream, with its record, and recorded once."""
    number = shop.order("881")
    outcomes: Outcomes = {"881": [ConnectionError("no")] * 9}

    rounds(read, shop.reader(), quick(attempts=3), failing(shop, outcomes), 3)

    (record,) = shop.runtime.recorded.records
    assert (len(outcomes["881"]), shop.done, shop.pending()) == (6, [], 0)
    assert shop.events() == ["message.retried", "message.retried", "error.handled"]
    assert shop.dead() == [
        {
            "sku": "881",
            "holdfast-code": "COMMUNICATION_ERROR",
            "holdfast-record": record.id,
            "holdfast-entry": number,
        }
    ]
    assert (record.origin.boundary, record.origin.operation) == ("consumer", "orders")
    assert record.trace_id == number


def test_an_entry_nobody_can_read_is_a_dead_letter_at_once(shop: Shop, read: Read) -> None:
    """A caller's mistake and a bug are not tried again, and hold up nobody."""
    for sku in ("malformed", "bug", "fine"):
        shop.order(sku)
    outcomes: Outcomes = {"malformed": [ValidationError("no SKU")], "bug": [KeyError("sku")]}

    worked = rounds(read, shop.reader(), quick(), failing(shop, outcomes), 3)

    assert (worked, shop.done, shop.pending()) == (3, ["fine"], 0)
    codes = [record.classification.code for record in shop.runtime.recorded.records]
    assert codes == ["VALIDATION_FAILED", "INTERNAL_ERROR"]
    assert [letter["holdfast-code"] for letter in shop.dead()] == codes


def test_an_entry_that_is_left_is_not_acknowledged(shop: Shop) -> None:
    """Redis is told nothing of it: it stays pending until somebody claims it."""
    entry = Entry(shop.order("881"), {"sku": "881"})

    assert list(shop.reader()._settle(entry, Settlement(Settle.LEAVE))) == []


def test_a_cancelled_entry_is_left_to_others(shop: Shop, read: Read) -> None:
    """Nothing is told of it, and another reader works on it."""
    shop.order("881")
    leaving: type[BaseException] = (
        KeyboardInterrupt if shop.kind == "sync" else asyncio.CancelledError
    )
    outcomes: Outcomes = {"881": [leaving()]}

    with pytest.raises(leaving):
        rounds(read, shop.reader(name="first"), quick(), failing(shop, outcomes), 1)
    left = shop.pending()
    rounds(read, shop.reader(name="second"), quick(), failing(shop, outcomes), 1)

    assert (left, shop.pending(), shop.done, shop.events()) == (1, 0, ["881"], [])


def test_an_entry_that_ends_its_readers_is_given_up(shop: Shop, read: Read) -> None:
    """Delivered more often than it may be and never settled, it is a dead letter nobody works on."""
    shop.order("881")
    shop.client.xgroup_create(shop.stream, "shipping", id="0")
    shop.client.xreadgroup("shipping", "first", {shop.stream: ">"})
    for _ in range(2):
        shop.client.xautoclaim(shop.stream, "shipping", "second", 0)

    rounds(read, shop.reader(), quick(attempts=3), failing(shop, {}), 1)

    assert (shop.done, shop.pending()) == ([], 0)
    assert [record.classification.code for record in shop.runtime.recorded.records] == ["TASK_LOST"]


def test_redis_gone_in_the_middle_is_recorded_once(shop: Shop, read: Read) -> None:
    """The work is done and cannot be acknowledged: the loop hears of it, and the entry comes again."""
    shop.order("881")
    with proxied(PORT) as proxy:

        def work(entry: Entry) -> None:
            shop.done.append(sku_of(entry))
            proxy.cut()

        with pytest.raises(redis.exceptions.ConnectionError):
            rounds(read, shop.reader(proxy.port), quick(), work, 1)

    (record,) = shop.runtime.recorded.records
    assert record.classification.code == "COMMUNICATION_ERROR"
    assert record.origin.boundary == "consumer"
    assert record.trace_id == record.origin.attributes["message_id"]
    assert rounds(read, shop.reader(), quick(), failing(shop, {}), 1) == 1
    assert (shop.done, shop.pending()) == (["881", "881"], 0)


def test_a_trace_goes_through_the_stream(shop: Shop, read: Read) -> None:
    """An entry has the headers of the work that sent it among its fields."""
    with work_context("order-42"):
        shop.order("881", **trace_headers())
    seen: list[str] = []

    rounds(read, shop.reader(), quick(), lambda entry: seen.append(current_trace_id()), 1)

    assert seen == ["order-42"]


def test_a_retry_waits_for_its_time(shop: Shop, read: Read) -> None:
    """An entry is put off by as much as the settlement says, and no reader has it before."""
    shop.order("881")
    late = Consumer("orders", base=600, ceiling=600, chance=Half())
    outcomes: Outcomes = {"881": [ConnectionError("no")]}
    reader = shop.reader(visibility=600.0)

    rounds(read, reader, late, failing(shop, outcomes), 1)

    (pending,) = cast("list[Any]", shop.client.xpending_range(shop.stream, "shipping", "-", "+", 9))
    assert pending["time_since_delivered"] == pytest.approx(300_000, abs=5000)
    assert pending["times_delivered"] == 1
    assert read(reader, late, failing(shop, outcomes)) == 0


class Half(random.Random):
    """Chance that is always in the middle."""

    def random(self) -> float:
        """Return a half."""
        return 0.5
