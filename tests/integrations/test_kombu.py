"""Messages of kombu: done, again, dead, and left, with a real RabbitMQ."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from holdfast import ValidationError, current_trace_id, trace_headers, work_context
from holdfast.hooks.consumers import Consumer
from holdfast.testing import RecordingRuntime
from tests.integrations.conftest import need
from tests.integrations.proxy import proxied

need("kombu")

import kombu  # noqa: E402  # after the library is known to be there
from kombu import Connection, Message, Producer, Queue  # noqa: E402

from holdfast.integrations.kombu import ATTEMPTS, _attempt, listen, parking  # noqa: E402

pytestmark = pytest.mark.service("rabbitmq")

PORT = 5672
PATIENCE = 2.0
"""Seconds that a message may take to come."""


class Shop:
    """A queue of orders with a queue for dead letters, and what became of them."""

    def __init__(self, kind: str) -> None:
        name = f"holdfast-test-{os.urandom(6).hex()}"
        dead: dict[str, object] = {
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": f"{name}.dead",
            "x-queue-type": kind,
        }
        self.queue = Queue(name, durable=True, queue_arguments=dead)
        self.letters = Queue(f"{name}.dead", durable=True)
        self.park = parking(self.queue)
        self.connection = connect(PORT)
        self.runtime = RecordingRuntime()
        self.done: list[object] = []
        self.outcomes: list[BaseException] = []
        self.waited: list[float] = []
        self.headers: dict[str, object] = {}
        for queue in self.every():
            queue(self.connection.default_channel).declare()

    def every(self) -> list[Queue]:
        """Return the queues."""
        return [self.queue, self.letters, self.park]

    def order(self, body: object, **options: Any) -> None:  # noqa: ANN401  # those of kombu
        """Send an order."""
        Producer(self.connection.default_channel).publish(
            body, routing_key=self.queue.name, **options
        )

    def work(self, body: object, message: Message) -> None:
        """Fail as told, and then do well."""
        self.headers = dict(message.headers)
        if self.outcomes:
            raise self.outcomes.pop(0)
        self.done.append(body)

    def listen(
        self,
        connection: Connection,
        orders: Consumer,
        work: Callable[[Any, Message], object],
        **options: Any,  # noqa: ANN401  # those of listen
    ) -> kombu.Consumer:
        """Return kombu's consumer of the orders."""
        source = kombu.Consumer(
            connection.default_channel, queues=[self.queue], prefetch_count=1, accept=["json"]
        )
        return listen(source, orders, work, wait=self.waited.append, **options)

    def take(self, orders: Consumer, messages: int, **options: Any) -> None:  # noqa: ANN401  # those of listen
        """Work on so many deliveries, in a connection of their own."""
        with connect(PORT) as connection, self.listen(connection, orders, self.work, **options):
            for _ in range(messages):
                connection.drain_events(timeout=PATIENCE)

    def dead(self) -> int:
        """Return how many dead letters there are."""
        return self.length(self.letters)

    def waiting(self) -> int:
        """Return how many orders wait for somebody."""
        return self.length(self.queue)

    def length(self, queue: Queue) -> int:
        """Return how many messages are in a queue."""
        declared: Any = queue(self.connection.default_channel).queue_declare(passive=True)
        return int(declared.message_count)

    def events(self) -> list[str]:
        """Return the names of everything that was reported."""
        return [event.name for event in self.runtime.recorded.events]


def connect(port: int) -> Connection:
    """Connect to RabbitMQ."""
    return Connection(f"amqp://guest:guest@127.0.0.1:{port}//", connect_timeout=5)


@pytest.fixture(params=["quorum"])
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    """Queues of their own, with nothing left behind."""
    shop = Shop(request.param)
    shop.runtime.install()
    yield shop
    shop.runtime.uninstall()
    for queue in shop.every():
        queue(shop.connection.default_channel).delete()
    shop.connection.release()


classic = pytest.mark.parametrize("shop", ["classic"], indirect=True)
both = pytest.mark.parametrize("shop", ["quorum", "classic"], indirect=True)


def quick(**options: Any) -> Consumer:  # noqa: ANN401  # those of the consumer
    """Return a consumer that hardly waits."""
    return Consumer("orders", base=0.001, ceiling=0.01, **options)


@both
def test_a_message_that_went_well_is_acknowledged(shop: Shop) -> None:
    """It is gone, and nothing is told."""
    shop.order({"sku": "881"})

    shop.take(quick(), 1)

    assert (shop.done, shop.waiting(), shop.dead(), shop.events()) == ([{"sku": "881"}], 0, 0, [])


def test_a_message_is_tried_again_until_it_goes_well(shop: Shop) -> None:
    """It is put back after its time, and the broker counts: transient errors are events."""
    shop.order({"sku": "881"})
    shop.outcomes = [ConnectionError("no"), TimeoutError("slow")]

    shop.take(quick(), 3)

    assert (shop.done, shop.waiting(), shop.dead()) == ([{"sku": "881"}], 0, 0)
    assert shop.events() == ["message.retried", "message.retried"]
    told = [event.attributes for event in shop.runtime.recorded.events]
    assert [facts["attempt"] for facts in told] == [1, 2]
    assert shop.waited == [facts["delay"] for facts in told]


def test_a_message_is_not_held_for_longer_than_patience(shop: Shop) -> None:
    """Those behind it wait as well."""
    shop.order({"sku": "881"})
    shop.outcomes = [ConnectionError("no")]

    shop.take(Consumer("orders", base=600, ceiling=600), 2, patience=0.25)

    assert len(shop.waited) == 1
    assert shop.waited[0] <= 0.25


def deaths(*counts: int) -> list[dict[str, object]]:
    """Return what a broker says of queues that a message was moved out of."""
    return [{"queue": f"q{n}", "reason": "expired", "count": n} for n in counts]


@pytest.mark.parametrize(
    ("headers", "redelivered", "attempt"),
    [
        ({}, False, 1),
        ({}, True, 7),
        ({"x-delivery-count": 0}, False, 1),
        ({"x-delivery-count": 3}, True, 4),
        ({ATTEMPTS: 2}, False, 3),
        ({ATTEMPTS: 2, "x-death": deaths(1)}, False, 3),
        ({ATTEMPTS: 2, "x-delivery-count": 1}, True, 4),
        ({ATTEMPTS: 9}, True, 11),
        ({"x-death": deaths(2, 4)}, False, 5),
        ({"x-death": deaths(2), "x-delivery-count": 1}, True, 4),
        ({"x-death": "no list", ATTEMPTS: "no number", "x-delivery-count": "none"}, False, 1),
        ({"x-death": ["no table", {"count": "no number"}]}, False, 1),
    ],
)
def test_deliveries_are_counted_by_whoever_counts_them(
    headers: dict[str, object],
    redelivered: bool,  # noqa: FBT001  # what AMQP says
    attempt: int,
) -> None:
    """The broker, whoever parked the message, or the queues it was moved through."""
    orders = Consumer("orders", attempts=7)

    assert _attempt(headers, orders, redelivered=redelivered) == attempt


def test_a_compressed_message_waits_as_it_can_be_read(shop: Shop) -> None:
    """It is parked decompressed, and says so."""
    shop.order({"sku": "881"}, compression="gzip")
    shop.outcomes = [ConnectionError("no")]

    shop.take(quick(), 2, park=shop.park)

    assert (shop.done, shop.dead()) == ([{"sku": "881"}], 0)


@both
def test_a_message_may_wait_in_a_queue_of_its_own(shop: Shop) -> None:
    """It comes back when its time is over, on any kind of queue, with its headers and its count."""
    with work_context("order-42"):
        shop.order({"sku": "881"}, headers={**trace_headers(), "kind": "express"})
    shop.outcomes = [ConnectionError("no"), TimeoutError("slow")]
    orders = Consumer("orders", base=0.05, ceiling=0.05)

    shop.take(orders, 3, park=shop.park)

    assert (shop.done, shop.waiting(), shop.waited) == ([{"sku": "881"}], 0, [])
    told = [event.attributes for event in shop.runtime.recorded.events]
    assert [(facts["attempt"], facts["trace_id"]) for facts in told] == [
        (1, "order-42"),
        (2, "order-42"),
    ]
    # Later brokers take no account of deaths from those who publish.
    assert (shop.headers[ATTEMPTS], shop.headers["kind"]) == (2, "express")


def test_deliveries_before_a_message_was_parked_are_counted_once(shop: Shop) -> None:
    """A quorum queue's count starts again with the parked copy, beside our own of those before."""
    shop.order({"sku": "881"})
    shop.outcomes = [SystemExit(9)]
    with pytest.raises(SystemExit):
        shop.take(quick(), 1)
    shop.outcomes = [ConnectionError("no"), TimeoutError("slow"), ConnectionError("no")]

    shop.take(quick(attempts=5), 4, park=shop.park)

    told = [event.attributes.get("attempt") for event in shop.runtime.recorded.events]
    assert told == [2, 3, 4]
    assert (shop.done, shop.dead()) == ([{"sku": "881"}], 0)


def test_a_parked_message_keeps_its_properties(shop: Shop) -> None:
    """Whoever is to answer it, and how urgent it is, stands in them."""
    sent = {
        "message_id": "m-1",
        "correlation_id": "c-1",
        "reply_to": "answers",
        "priority": 3,
        "type": "order",
        "timestamp": 1_700_000_000,
        "app_id": "shop",
    }
    shop.order({"sku": "881"}, **sent)
    seen: list[dict[str, Any]] = []

    def work(order: object, message: Message) -> None:
        seen.append(dict(message.properties))
        shop.work(order, message)

    shop.outcomes = [ConnectionError("no")]
    with connect(PORT) as connection, shop.listen(connection, quick(), work, park=shop.park):
        for _ in range(2):
            connection.drain_events(timeout=PATIENCE)

    first, again = ({name: one.get(name) for name in sent} for one in seen)
    assert first == again
    assert again["reply_to"] == "answers"
    assert "expiration" not in seen[1]


def test_parking_is_refused_where_a_message_would_not_come_back() -> None:
    """Only AMQP has a time to live of each message, and a queue to go to when it is over."""
    queue = Queue("orders")
    with Connection("memory://") as connection:
        source = kombu.Consumer(connection, queues=[queue])

        with pytest.raises(ValueError, match=r"park='orders\.parked' needs .* AMQP broker"):
            listen(source, quick(), lambda order, message: None, park=parking(queue))
        listen(source, quick(), lambda order, message: None)


@pytest.mark.parametrize("parked", [False, True], ids=["held", "parked"])
def test_a_message_that_keeps_failing_is_a_dead_letter(shop: Shop, parked: bool) -> None:  # noqa: FBT001  # a parameter of the test
    """After its attempts it is where dead letters are kept, and recorded once."""
    shop.order({"sku": "881"}, headers={"x-request-id": "order-42"})
    shop.outcomes = [ConnectionError("no") for _ in range(3)]

    shop.take(quick(attempts=3), 3, park=shop.park if parked else None)

    (record,) = shop.runtime.recorded.records
    letter = shop.letters(shop.connection.default_channel).get(no_ack=True)
    assert shop.events() == ["message.retried", "message.retried", "error.handled"]
    assert (record.origin.boundary, record.origin.operation) == ("consumer", "orders")
    assert (record.trace_id, record.origin.attributes["attempt"]) == ("order-42", 3)
    assert letter is not None
    assert letter.payload == {"sku": "881"}
    assert (shop.done, shop.waiting()) == ([], 0)


@classic
def test_a_queue_that_does_not_count_gives_a_message_one_more_attempt(shop: Shop) -> None:
    """A classic queue says that a message was delivered before, and not how often."""
    shop.order({"sku": "881"})
    shop.outcomes = [ConnectionError("no") for _ in range(9)]

    shop.take(quick(attempts=5), 2)

    assert shop.events() == ["message.retried", "error.handled"]
    assert shop.dead() == 1


@pytest.mark.parametrize(
    ("body", "options", "code"),
    [
        ({"sku": None}, {}, "VALIDATION_FAILED"),
        (b"{", {"content_type": "application/json", "content_encoding": "utf-8"}, "TASK_REJECTED"),
        (b"\x80", {"content_type": "application/x-python-serialize"}, "TASK_REJECTED"),
        (
            b"no zlib",
            {
                "content_type": "application/json",
                "content_encoding": "utf-8",
                "headers": {"compression": "application/x-gzip"},
            },
            "INTERNAL_ERROR",
        ),
    ],
    ids=["invalid", "no JSON", "not accepted", "not compressed"],
)
def test_a_message_nobody_can_read_is_a_dead_letter_at_once(
    shop: Shop, body: object, options: dict[str, Any], code: str
) -> None:
    """Wherever reading it fails, it is recorded once, and the next message comes."""
    shop.order(body, **options)
    shop.order({"sku": "881"})

    def work(order: dict[str, str | None], message: Message) -> None:
        if order["sku"] is None:
            raise ValidationError("no SKU")
        shop.done.append(order)

    with connect(PORT) as connection, shop.listen(connection, quick(), work):
        for _ in range(2):
            connection.drain_events(timeout=PATIENCE)

    assert [record.classification.code for record in shop.runtime.recorded.records] == [code]
    assert shop.done == [{"sku": "881"}]
    assert shop.dead() == 1


@pytest.mark.parametrize("leaving", [KeyboardInterrupt, SystemExit])
def test_a_message_in_hand_is_left_when_the_process_ends(
    shop: Shop, leaving: type[BaseException]
) -> None:
    """Nothing is told of it, and whoever comes next works on it."""
    shop.order({"sku": "881"})
    shop.outcomes = [leaving()]

    with pytest.raises(leaving):
        shop.take(quick(), 1)
    shop.take(quick(), 1)

    assert (shop.done, shop.waiting(), shop.events()) == ([{"sku": "881"}], 0, [])


def test_a_message_that_ends_its_consumers_is_given_up(shop: Shop) -> None:
    """Delivered more often than it may be and never settled, it is a dead letter nobody works on."""
    shop.order({"sku": "881"})
    shop.outcomes = [SystemExit(9), SystemExit(9)]
    for _ in range(2):
        with pytest.raises(SystemExit):
            shop.take(quick(attempts=2), 1)

    shop.take(quick(attempts=2), 1)

    assert [record.classification.code for record in shop.runtime.recorded.records] == ["TASK_LOST"]
    assert (shop.done, shop.dead()) == ([], 1)


def test_a_broker_gone_in_the_middle_is_recorded_once(shop: Shop) -> None:
    """The work is done and cannot be acknowledged: the loop hears of it, and the message comes again."""
    shop.order({"sku": "881"}, headers={"x-request-id": "order-42"})
    with proxied(PORT) as proxy:
        connection = connect(proxy.port)

        def work(order: object, message: Message) -> None:
            shop.done.append(order)
            proxy.cut()

        source = shop.listen(connection, quick(), work)
        source.consume()
        with pytest.raises(connection.recoverable_connection_errors):
            connection.drain_events(timeout=PATIENCE)
        connection.release()

    (record,) = shop.runtime.recorded.records
    assert (record.origin.boundary, record.trace_id) == ("consumer", "order-42")
    assert record.classification.code == "COMMUNICATION_ERROR"
    shop.take(quick(), 1)
    assert (shop.done, shop.waiting()) == ([{"sku": "881"}] * 2, 0)


def test_a_trace_goes_through_the_queue(shop: Shop) -> None:
    """The headers of the work that sends a message are those of the work on it."""
    with work_context("0af7651916cd43dd8448eb211c80319c"):
        shop.order({"sku": "881"}, headers=trace_headers())
    seen: list[str] = []

    with (
        connect(PORT) as connection,
        shop.listen(connection, quick(), lambda order, message: seen.append(current_trace_id())),
    ):
        connection.drain_events(timeout=PATIENCE)

    assert seen == ["0af7651916cd43dd8448eb211c80319c"]
