"""Messages of NATS JetStream: done, again, dead, and left, with a real server."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, cast

import pytest

from holdfast import ValidationError, current_trace_id, trace_headers, work_context
from holdfast.hooks.consumers import Consumer
from holdfast.testing import RecordingRuntime
from tests.integrations.conftest import need
from tests.integrations.proxy import proxied

need("nats")

import nats  # noqa: E402  # after the library is known to be there
import nats.errors  # noqa: E402
from nats.aio.msg import Msg  # noqa: E402
from nats.js.api import ConsumerConfig, StreamConfig  # noqa: E402

from holdfast.integrations.nats import Work, listener  # noqa: E402

pytestmark = pytest.mark.service("nats")

PORT = 4222
PATIENCE = 5.0
"""Seconds that a message may take to come."""
SOON = 0.2
"""Seconds after which a message that was left comes again."""


class Shop:
    """A stream of orders, and what became of them."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401  # nats-py has half of its types
        self.name = f"holdfast-test-{os.urandom(6).hex()}"
        self.subject = f"{self.name}.orders"
        self.client = client
        self.stream = client.jetstream()
        self.runtime = RecordingRuntime()
        self.done: list[str] = []
        self.outcomes: list[BaseException] = []

    async def order(self, sku: str, **headers: str) -> None:
        """Send an order."""
        await self.stream.publish(self.subject, sku.encode(), headers=headers or None)

    async def work(self, message: Msg) -> None:
        """Fail as told, and then do well."""
        if self.outcomes:
            raise self.outcomes.pop(0)
        self.done.append(message.data.decode())

    async def take(
        self,
        orders: Consumer,
        messages: int,
        work: Work | None = None,
        *,
        client: Any = None,  # noqa: ANN401  # likewise
        patience: float = PATIENCE,
    ) -> None:
        """Fetch and work on so many deliveries."""
        take = listener(orders, work or self.work)
        stream = (client or self.client).jetstream()
        subscription = await stream.pull_subscribe(
            self.subject, durable="shipping", config=ConsumerConfig(ack_wait=SOON)
        )
        for _ in range(messages):
            (message,) = await subscription.fetch(1, timeout=patience)
            await take(message)

    async def unsettled(self) -> int:
        """Return how many orders wait for somebody, or for being settled, once the server has heard of all."""
        waiting = await self._waiting()
        with suppress(asyncio.TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while waiting:  # it counts a settlement some time after it came
                    waiting = await self._waiting()
        return waiting

    async def _waiting(self) -> int:
        await self.client.flush()
        about = await self.stream.consumer_info(self.name, "shipping")
        return (about.num_pending or 0) + (about.num_ack_pending or 0)

    def events(self) -> list[str]:
        """Return the names of everything that was reported."""
        return [event.name for event in self.runtime.recorded.events]


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    """A stream of its own, with nothing left behind."""
    client = await connect(PORT)
    shop = Shop(client)
    shop.runtime.install()
    try:
        await shop.stream.add_stream(StreamConfig(name=shop.name, subjects=[f"{shop.name}.>"]))
        yield shop
        await shop.stream.delete_stream(shop.name)
    finally:
        await client.close()
        shop.runtime.uninstall()


async def connect(port: int) -> Any:  # noqa: ANN401  # likewise
    """Connect to NATS, once: a connection that breaks stays broken."""

    async def ignore(error: Exception) -> None:
        """Leave what the client notices by itself to what it raises."""

    connecting = cast("Any", nats.connect)  # pyright: ignore[reportUnknownMemberType]
    return await connecting(
        f"nats://127.0.0.1:{port}", allow_reconnect=False, connect_timeout=5, error_cb=ignore
    )


def quick(**options: Any) -> Consumer:  # noqa: ANN401  # those of the consumer
    """Return a consumer that hardly waits."""
    return Consumer("orders", base=0.001, ceiling=0.01, **options)


async def test_a_message_that_went_well_is_acknowledged(shop: Shop) -> None:
    """It does not come again, and nothing is told."""
    await shop.order("881")

    await shop.take(quick(), 1)

    assert (shop.done, await shop.unsettled(), shop.events()) == (["881"], 0, [])


async def test_a_message_is_tried_again_until_it_goes_well(shop: Shop) -> None:
    """The server counts and waits: transient errors are events."""
    await shop.order("881", **{"X-Request-ID": "order-42"})
    shop.outcomes = [ConnectionError("no"), TimeoutError("slow")]

    await shop.take(quick(), 3)

    assert (shop.done, await shop.unsettled()) == (["881"], 0)
    assert shop.events() == ["message.retried", "message.retried"]
    told = [event.attributes for event in shop.runtime.recorded.events]
    assert [(facts["attempt"], facts["trace_id"]) for facts in told] == [
        (1, "order-42"),
        (2, "order-42"),
    ]


async def test_a_message_that_keeps_failing_is_terminated(shop: Shop) -> None:
    """After its attempts the server tells of it as dead, and it is recorded once."""
    letters = await shop.client.subscribe(
        f"$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.{shop.name}.shipping"
    )
    await shop.order("881")
    shop.outcomes = [ConnectionError("no") for _ in range(3)]

    await shop.take(quick(attempts=3), 3)

    await letters.next_msg(timeout=PATIENCE)
    (record,) = shop.runtime.recorded.records
    assert shop.events() == ["message.retried", "message.retried", "error.handled"]
    assert (record.origin.boundary, record.origin.operation) == ("consumer", "orders")
    assert dict(record.origin.attributes) == {
        "attempt": 3,
        "attempts": 3,
        "message_id": f"{shop.name}:1",
        "subject": shop.subject,
    }
    assert record.trace_id == f"{shop.name}:1"
    assert (shop.done, await shop.unsettled()) == ([], 0)


async def test_a_message_nobody_can_read_is_terminated_at_once(shop: Shop) -> None:
    """A caller's mistake and a bug are not tried again, and hold up nobody."""
    for sku in ("malformed", "bug", "fine"):
        await shop.order(sku)
    shop.outcomes = [ValidationError("no SKU"), KeyError("sku")]

    await shop.take(quick(), 3)

    codes = [record.classification.code for record in shop.runtime.recorded.records]
    assert codes == ["VALIDATION_FAILED", "INTERNAL_ERROR"]
    assert (shop.done, await shop.unsettled()) == (["fine"], 0)


async def test_a_message_whose_work_is_cancelled_is_left(shop: Shop) -> None:
    """Nothing is told of it, and it comes again."""
    await shop.order("881")
    begun = asyncio.Event()

    async def wait(message: Msg) -> None:
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.ensure_future(shop.take(quick(), 1, wait))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await shop.take(quick(), 1)

    assert (shop.done, await shop.unsettled(), shop.events()) == (["881"], 0, [])


async def test_a_message_that_ends_its_consumers_is_given_up(shop: Shop) -> None:
    """Delivered more often than it may be and never settled, it is terminated, and nobody works on it."""
    await shop.order("881")
    shop.outcomes = [asyncio.CancelledError(), asyncio.CancelledError()]
    for _ in range(2):
        with pytest.raises(asyncio.CancelledError):
            await shop.take(quick(attempts=2), 1)

    await shop.take(quick(attempts=2), 1)

    assert [record.classification.code for record in shop.runtime.recorded.records] == ["TASK_LOST"]
    assert (shop.done, await shop.unsettled()) == ([], 0)


async def test_a_server_gone_in_the_middle_is_recorded_once(shop: Shop) -> None:
    """The work is done and cannot be acknowledged: the loop hears of it, and the message comes again."""
    await shop.order("881", **{"X-Request-ID": "order-42"})
    with proxied(PORT) as proxy:
        client = await connect(proxy.port)

        async def work(message: Msg) -> None:
            shop.done.append(message.data.decode())
            await asyncio.to_thread(proxy.cut)
            while not client.is_closed:
                await asyncio.wait({asyncio.ensure_future(asyncio.Event().wait())}, timeout=0.01)

        with pytest.raises(nats.errors.ConnectionClosedError):
            await shop.take(quick(), 1, work, client=client)

    (record,) = shop.runtime.recorded.records
    assert (record.origin.boundary, record.trace_id) == ("consumer", "order-42")
    assert record.classification.code == "COMMUNICATION_ERROR"
    await shop.take(quick(), 1)
    assert (shop.done, await shop.unsettled()) == (["881", "881"], 0)


async def test_a_callback_of_a_subscription_settles_too(shop: Shop) -> None:
    """What works on fetched messages is a callback as it is."""
    shop.outcomes = [ConnectionError("no"), ValidationError("no SKU")]
    ended = asyncio.Event()

    async def work(message: Msg) -> None:
        try:
            await shop.work(message)
        finally:
            if not shop.outcomes:
                ended.set()

    await shop.stream.subscribe(
        shop.subject,
        durable="shipping",
        cb=listener(quick(), work),
        manual_ack=True,
    )
    await shop.order("881")
    await asyncio.wait_for(ended.wait(), PATIENCE)

    assert await shop.unsettled() == 0
    assert shop.events() == ["message.retried", "error.handled"]


async def test_a_trace_goes_through_the_stream(shop: Shop) -> None:
    """The headers of the work that sends a message are those of the work on it."""
    with work_context("0af7651916cd43dd8448eb211c80319c"):
        await shop.order("881", **trace_headers())
    seen: list[str] = []

    async def work(message: Msg) -> None:
        seen.append(current_trace_id())

    await shop.take(quick(), 1, work)

    assert seen == ["0af7651916cd43dd8448eb211c80319c"]


async def test_a_retry_waits_for_its_time(shop: Shop) -> None:
    """The server has the message back for as long as the settlement says."""
    await shop.order("881")
    shop.outcomes = [ConnectionError("no")]

    await shop.take(Consumer("orders", base=600, ceiling=600), 1)
    with pytest.raises(nats.errors.TimeoutError):
        await shop.take(quick(), 1, patience=2 * SOON)

    assert shop.done == []
