"""Messages of NATS JetStream: what they say of themselves, and how they are settled.

Extra: `pip install "holdfast[nats]"`.

JetStream counts deliveries and delays the next one itself. A dead letter is terminated: it stays in
its stream, and the server tells of it on `$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED`.
"""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

try:
    from nats.aio.msg import Msg
except ImportError as error:  # say what to install
    raise ImportError('consumers of NATS need nats-py: pip install "holdfast[nats]"') from error

from holdfast.hooks.consumers import Consumer, IncomingMessage, Settle, Settlement

Work: TypeAlias = Callable[[Msg], Awaitable[object]]
"""Takes a message, as the callbacks of nats-py do."""


def listener(consumer: Consumer, work: Work) -> Callable[[Msg], Awaitable[None]]:
    """Return what works on a message and settles it: a callback, or to be awaited for each fetched one.

    What the server cannot be told is recorded and goes on: the connection is gone, and the message
    is delivered again. A message whose work is cancelled is left.

    Args:
        consumer: Decides; its `attempts` count, and the stream's `max_deliver` should be greater.
        work: What is done with a message.

    Example:
        >>> from holdfast import consumer
        >>> async def ship(message: Msg) -> None:
        ...     print(message.data)
        >>> take = listener(consumer("orders"), ship)
        >>> # await js.subscribe("orders.*", cb=take, manual_ack=True)
    """

    @consumer
    async def taken(message: Msg) -> None:
        await work(message)

    async def on_message(message: Msg) -> None:
        incoming = _incoming(message)
        settlement = await taken(incoming, message)
        try:
            await _settle(message, settlement)
        except Exception as error:
            consumer.record(error, incoming)
            raise

    return on_message


async def _settle(message: Msg, settlement: Settlement) -> None:
    if settlement.action is Settle.ACK:
        await message.ack()
    elif settlement.action is Settle.RETRY:
        await message.nak(settlement.delay)
    elif settlement.action is Settle.DEAD:
        await message.term()


def _incoming(message: Msg) -> IncomingMessage:
    about = message.metadata
    return IncomingMessage(
        message.headers or {},
        attempt=about.num_delivered,
        id=f"{about.stream}:{about.sequence.stream}",
        subject=message.subject,
    )
