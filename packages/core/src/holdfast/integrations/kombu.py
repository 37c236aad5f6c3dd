"""Messages of kombu: what they say of themselves, and how they are settled.

Extra: `pip install "holdfast[kombu]"`.

AMQP counts deliveries on quorum queues only, and knows no delay. A message that is to be tried
again waits in the consumer's hands, which holds up those behind it, or in a queue of its own:
`parking`, for which a broker has to speak AMQP. A dead letter goes where its queue was told to send it (`x-dead-letter-exchange`);
without that, the broker drops it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Event
from typing import Any, Final, TypeAlias, cast

try:
    from kombu import Consumer as Source
    from kombu import Message, Producer, Queue
except ImportError as error:  # say what to install
    raise ImportError('consumers of kombu need it: pip install "holdfast[kombu]"') from error

from holdfast.hooks.consumers import Consumer, IncomingMessage, Settle, Settlement

ATTEMPTS: Final = "x-holdfast-attempts"
"""Header that counts the deliveries of a message before it was parked."""
PATIENCE: Final = 5.0
"""Seconds that a message is held before it is put back."""

_RESTATED: Final = frozenset(
    {
        "application_headers",
        "content_encoding",
        "content_type",
        "delivery_mode",
        "expiration",
        "headers",
        "user_id",  # the broker lets nobody name another user
    }
)
"""Properties of a message that its parked copy does not take over as they are."""
_COUNTED: Final = re.compile(r"x-delivery-count|x-acquired-count|x-death|x-(first|last)-death-.*")
"""Headers in which brokers count; those of the deliveries before are in `ATTEMPTS`."""
_COMPRESSION: Final = "compression"
_AMQP: Final = "amqp"
_AGAIN: Final = 2

Work: TypeAlias = Callable[[Any, Message], object]
"""Takes the decoded body and the message, as kombu's callbacks do."""


def listen(
    source: Source,
    consumer: Consumer,
    work: Work,
    *,
    park: Queue | None = None,
    patience: float = PATIENCE,
    wait: Callable[[float], object] | None = None,
) -> Source:
    """Have the messages of a `kombu.Consumer` worked on and settled, and return it.

    They are decoded within the work, so that one that cannot be is a dead letter. What the broker
    cannot be told is recorded and goes on: the connection is gone, and whoever has the loop makes a
    new one.

    Args:
        source: The consumer of kombu's; its `on_message` and `on_decode_error` are set.
        consumer: Decides.
        work: What is done with a message.
        park: Where a message waits that is to be tried again; see `parking`. Only with AMQP: other
            transports of kombu (Redis, `memory://`) never bring a parked message back.
        patience: Seconds, at most, that a message is held here before it is put back, without `park`.
        wait: Holds it; for tests.

    Raises:
        ValueError: `park` is given, and the consumer's connection is not to an AMQP broker.
    """
    if park is not None:
        _check_parking(source, park)
    settler = _Settler(consumer, park, patience, wait or Event().wait)

    @consumer
    def taken(message: Message) -> None:
        work(cast("object", message.payload), message)

    @consumer
    def undecodable(error: Exception) -> None:
        raise error

    def on_message(message: Message) -> None:
        incoming = _incoming(message, consumer)
        settler.settle(message, taken(incoming, message), incoming)

    def on_decode_error(message: Message, error: Exception) -> None:
        incoming = _incoming(message, consumer)
        settler.settle(message, undecodable(incoming, error), incoming)

    source.on_message, source.on_decode_error = on_message, on_decode_error
    return source


def _check_parking(source: Source, park: Queue) -> None:
    """Refuse to park where nothing ends a message's time to wait, or sends it back."""
    connection = cast("Any", source).connection
    spoken = None if connection is None else connection.transport.driver_type
    if spoken != _AMQP:
        raise ValueError(
            f"park={park.name!r} needs a consumer with a connection to an AMQP broker, and this one's "
            f"transport is {spoken!r}, which would never deliver a parked message again: "
            "leave park out, and messages are held for up to `patience` seconds"
        )


def parking(queue: Queue, name: str = "") -> Queue:
    """Return the queue in which messages of another wait until they are delivered to it again.

    Every message has its own time to wait, and leaves when those before it have left.

    Args:
        queue: Where they come from and go back to; it has a name.
        name: Of the queue to return; by default the other's with `.parked`.

    Example:
        >>> parking(Queue("orders")).name
        'orders.parked'
    """
    back: dict[str, object] = {
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": queue.name,
    }
    return Queue(name or f"{queue.name}.parked", durable=True, queue_arguments=back)


@dataclass(frozen=True, slots=True)
class _Settler:
    """Tells the broker about messages."""

    consumer: Consumer
    park: Queue | None
    patience: float
    wait: Callable[[float], object]

    def settle(self, message: Message, settlement: Settlement, incoming: IncomingMessage) -> None:
        try:
            self._settle(message, settlement, incoming.attempt)
        except Exception as error:
            self.consumer.record(error, incoming)
            raise

    def _settle(self, message: Message, settlement: Settlement, attempt: int) -> None:
        if settlement.action is Settle.ACK:
            message.ack()
        elif settlement.action is Settle.DEAD:
            message.reject()
        elif settlement.action is Settle.RETRY and self.park is not None:
            _park(message, self.park, settlement.delay, attempt)
            message.ack()
        elif settlement.action is Settle.RETRY:
            self.wait(min(settlement.delay, self.patience))
            message.requeue()


def _park(message: Message, park: Queue, delay: float, attempt: int) -> None:
    said = cast("Mapping[str, Any]", message.properties)
    headers = {name: value for name, value in message.headers.items() if _is_kept(name)}
    Producer(cast("Any", message.channel)).publish(
        message.body,
        exchange="",
        routing_key=park.name,
        declare=[park],
        headers={**headers, ATTEMPTS: attempt},
        content_type=message.content_type,
        content_encoding=message.content_encoding,
        delivery_mode=2,
        expiration=delay,
        **{name: value for name, value in said.items() if name not in _RESTATED},
    )


def _is_kept(header: str) -> bool:
    return header != _COMPRESSION and _COUNTED.fullmatch(header) is None


def _incoming(message: Message, consumer: Consumer) -> IncomingMessage:
    about = cast("Mapping[str, object]", message.delivery_info)
    properties = cast("Mapping[str, object]", message.properties)
    return IncomingMessage(
        cast("Mapping[str, object]", message.headers),
        attempt=_attempt(message.headers, consumer, redelivered=bool(about.get("redelivered"))),
        id=str(properties.get("message_id") or ""),
        subject=str(about.get("routing_key") or ""),
    )


def _attempt(headers: Mapping[str, object], consumer: Consumer, *, redelivered: bool) -> int:
    """Return how often a message was delivered, this time included.

    A quorum queue counts; so do we where a message was parked; so does a broker that moved it from
    queue to queue. A classic queue says of a message that it was delivered before, and not how
    often: it gets one more attempt, or it would come for ever.
    """
    counted = headers.get("x-delivery-count")
    parked, moved = headers.get(ATTEMPTS), _moves(headers.get("x-death"))
    before = parked if isinstance(parked, int) else moved
    if isinstance(counted, int):
        return before + counted + 1
    if redelivered:
        return max(before + _AGAIN, consumer.attempts)
    return before + 1


def _moves(deaths: object) -> int:
    """Return how often a message was moved out of the queue it was moved out of most often."""
    told = cast("list[object]", deaths) if isinstance(deaths, list) else []
    counts = [
        cast("dict[str, object]", death).get("count") for death in told if isinstance(death, dict)
    ]
    return max((count for count in counts if isinstance(count, int)), default=0)
