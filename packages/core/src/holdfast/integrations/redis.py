"""Entries of Redis streams: read by a group, and settled.

Extra: `pip install "holdfast[redis]"`.

Redis keeps what a group has read until it is acknowledged, and counts how often it was delivered. It
neither delivers again by itself nor keeps dead letters: a reader claims what is due, its own and
what others left, and moves dead letters to a stream of their own.
"""

import os
import socket
from collections.abc import Awaitable, Callable, Generator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, cast

try:
    from redis.exceptions import ResponseError
except ImportError as error:  # say what to install
    raise ImportError('consumers of Redis need redis: pip install "holdfast[redis]"') from error

from holdfast.hooks.consumers import Consumer, IncomingMessage, Settle, Settlement

if TYPE_CHECKING:
    import redis
    import redis.asyncio

VISIBILITY: Final = 60.0
BLOCK: Final = 1.0
CODE: Final = "holdfast-code"
RECORD: Final = "holdfast-record"
ENTRY: Final = "holdfast-entry"
"""Fields of a dead letter beside its own: the error's code, its record, and the entry's first id."""

Fields: TypeAlias = Mapping[str, Any] | Mapping[bytes, Any]
_Step: TypeAlias = Callable[[], object]
_Steps: TypeAlias = Generator[_Step, Any, int]
_Raw: TypeAlias = tuple[object, Fields]


class Entry(NamedTuple):
    """One entry of a stream, as the client decodes it."""

    id: str
    fields: Fields
    """May have the headers of the trace among them: `traceparent`, `x-request-id`."""


class Reader:
    """Reads a stream as a member of a group, one round at a time; makes the group if there is none.

    For one thread or task; others have readers of their own, of the same group.

    Args:
        client: `redis.Redis` for `read`, `redis.asyncio.Redis` for `read_async`.
        stream: Name of the stream.
        group: Name of the group.
        name: Of this member; by default the host and the process.
        dead_letters: Stream for dead letters; by default the other's name with `:dead`.
        visibility: Seconds after which an entry that was not settled is delivered again, to
            whoever claims it. Longer than any work takes. No retry waits for longer.
        block: Seconds that a round waits for entries; less than the client's `socket_timeout`.

    Example:
        >>> # reader = Reader(redis.Redis(), "orders", "shipping")
        >>> # while not stopping:
        >>> #     reader.read(consumer("orders"), ship)
    """

    def __init__(  # noqa: PLR0913  # all but the first three are keywords
        self,
        client: "redis.Redis | redis.asyncio.Redis",
        stream: str,
        group: str,
        *,
        name: str = "",
        dead_letters: str = "",
        visibility: float = VISIBILITY,
        block: float = BLOCK,
    ) -> None:
        if visibility <= 0 or block <= 0:
            raise ValueError("visibility and block are seconds above 0")
        self._client = cast("Any", client)
        self._stream = stream
        self._group = group
        self._name = name or f"{socket.gethostname()}.{os.getpid()}"
        self._dead_letters = dead_letters or f"{stream}:dead"
        self._visibility = round(visibility * 1000)
        self._block = max(1, round(block * 1000))
        self._cursor = "0-0"

    def read(self, consumer: Consumer, work: Callable[[Entry], object]) -> int:
        """Work on what is due, or else on the next new entry; return how many that were, if any.

        What Redis cannot be told of an entry is recorded and goes on, as does what it cannot be
        asked: the loop decides how to go on.
        """
        return _drive(self._round(consumer, consumer(work)))

    async def read_async(
        self, consumer: Consumer, work: Callable[[Entry], Awaitable[object]]
    ) -> int:
        """Do the same in an event loop; an entry whose work is cancelled is left."""
        return await _drive_async(self._round(consumer, consumer(work)))

    def _round(
        self, consumer: Consumer, taken: Callable[[IncomingMessage, Entry], object]
    ) -> _Steps:
        due = yield from self._due()
        if due is None:
            return 0
        entry, attempt = due
        incoming = IncomingMessage(entry.fields, attempt=attempt, id=entry.id)
        settlement = yield partial(taken, incoming, entry)
        try:
            yield from self._settle(entry, cast("Settlement", settlement))
        except Exception as error:
            consumer.record(error, incoming)
            raise
        return 1

    def _due(self) -> Generator[_Step, Any, tuple[Entry, int] | None]:
        """Return the entry to work on next, with how often it was delivered; None when there is none."""
        try:
            claimed = yield from self._claimed()
            if claimed is not None:
                return claimed
            found = yield partial(
                self._client.xreadgroup,
                self._group,
                self._name,
                {self._stream: ">"},
                count=1,
                block=self._block,
            )
        except ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
            yield partial(
                self._client.xgroup_create, self._stream, self._group, id="0", mkstream=True
            )
            return None
        entry = _new(found)
        return None if entry is None else (entry, 1)

    def _claimed(self) -> Generator[_Step, Any, tuple[Entry, int] | None]:
        """Claim the next entry that nobody has settled in time."""
        answer = yield partial(
            self._client.xautoclaim,
            self._stream,
            self._group,
            self._name,
            self._visibility,
            start_id=self._cursor,
            count=1,
        )
        self._cursor = _text(answer[0])
        entry = _first(answer[1])
        if entry is None:
            return None
        pending = yield partial(
            self._client.xpending_range,
            self._stream,
            self._group,
            min=entry.id,
            max=entry.id,
            count=1,
        )
        return entry, int(pending[0]["times_delivered"]) if pending else 1

    def _settle(self, entry: Entry, settlement: Settlement) -> Generator[_Step, Any, None]:
        if settlement.action is Settle.LEAVE:
            return  # it stays pending, and is claimed when its visibility is over
        if settlement.action is Settle.RETRY:
            yield partial(self._put_off, entry, settlement.delay)
            return
        if settlement.action is Settle.DEAD:
            told = {CODE: settlement.code, RECORD: settlement.record_id, ENTRY: entry.id}
            letter = {**cast("Mapping[str, object]", entry.fields), **told}
            yield partial(self._client.xadd, self._dead_letters, letter)
        yield partial(self._client.xack, self._stream, self._group, entry.id)

    def _put_off(self, entry: Entry, delay: float) -> object:
        """Let an entry be due after a delay: as if it had been idle for the rest of the time."""
        idle = max(0, self._visibility - round(delay * 1000))
        return self._client.xclaim(
            self._stream,
            self._group,
            self._name,
            min_idle_time=0,
            message_ids=[entry.id],
            idle=idle,
            justid=True,
        )


def _drive(steps: _Steps) -> int:
    """Take one step after the other."""
    step = next(steps)
    try:
        while True:
            try:
                value = step()
            except BaseException as error:  # noqa: BLE001  # the steps decide
                step = steps.throw(error)
            else:
                step = steps.send(value)
    except StopIteration as done:
        return int(done.value)


async def _drive_async(steps: _Steps) -> int:
    """Await one step after the other."""
    step = next(steps)
    try:
        while True:
            try:
                value = await cast("Awaitable[object]", step())
            except BaseException as error:  # noqa: BLE001  # the steps decide
                step = steps.throw(error)
            else:
                step = steps.send(value)
    except StopIteration as done:
        return int(done.value)


def _new(found: object) -> Entry | None:
    """Return the entry in an answer of XREADGROUP, in the form of either protocol of Redis."""
    if not found:
        return None
    if isinstance(found, dict):
        (batches,) = cast("dict[object, list[list[_Raw]]]", found).values()
        return _first(batches[0])
    ((_, entries),) = cast("list[tuple[object, list[_Raw]]]", found)
    return _first(entries)


def _first(entries: list[_Raw]) -> Entry | None:
    """Return the first entry; None for one that was deleted from its stream since it was read."""
    if not entries or not entries[0][1]:
        return None
    return Entry(_text(entries[0][0]), entries[0][1])


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
