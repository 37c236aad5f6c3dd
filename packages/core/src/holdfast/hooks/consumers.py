"""`consumer`: the boundary of message loops of one's own; it knows no broker.

A message that was worked on is acknowledged, tried again, or given up as dead, as the
classification of its error says. Telling that to a broker is left to the loop, or to an adapter:
`holdfast.integrations.kombu`, `.nats` and `.redis`.
"""

import inspect
import math
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from enum import Enum
from functools import wraps
from types import TracebackType
from typing import Concatenate, Final, ParamSpec, Self, cast, overload

from holdfast.classify import Classification, is_control_flow
from holdfast.clock import Clock, SystemClock
from holdfast.codes import ErrorCode, Severity
from holdfast.context import (
    REQUEST_ID_HEADER,
    TRACEPARENT_HEADER,
    begin,
    current_context,
    end,
    headers_of,
    is_request_id,
)
from holdfast.environment import current
from holdfast.errors import AppError
from holdfast.events import Event, Scalar
from holdfast.handler import Action, Verdict
from holdfast.hooks.process import (
    capture,
    count_request,
    responsible,
    responsible_classifier,
)
from holdfast.origin import Origin
from holdfast.record import text_of, type_name
from holdfast.resilience.backoff import full_jitter

BOUNDARY: Final = "consumer"

_MAX_NAME: Final = 200
_Params = ParamSpec("_Params")


class Settle(Enum):
    """What a broker is told about a message."""

    ACK = "ack"
    """The work is done."""
    RETRY = "retry"
    """Deliver it again, after `Settlement.delay`."""
    DEAD = "dead"
    """Never deliver it again; keep it where dead letters are kept."""
    LEAVE = "leave"
    """Say nothing: the process ends or the work was cancelled, and the broker delivers it again."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """The answer about one message.

    Example:
        >>> Settlement(Settle.RETRY, delay=2.5)
        Settlement(action=<Settle.RETRY: 'retry'>, delay=2.5, code='', record_id='')
    """

    action: Settle
    _: KW_ONLY
    delay: float = 0.0
    """Seconds before the next delivery; 0 unless the action is RETRY."""
    code: str = ""
    """Code of the error; empty when there was none."""
    record_id: str = ""
    """Id of the error's record, for the dead letter; empty when none was made."""


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """What a consumer has to know of a message; its body is nobody's business here.

    Example:
        >>> IncomingMessage({"X-Request-ID": "order-42"}, attempt=2).attempt
        2
    """

    headers: Mapping[str, object] | Mapping[bytes, object] = field(
        default_factory=dict[str, object]
    )
    """May name the trace: `traceparent`, `x-request-id`, in any case, as text, bytes or a list."""
    _: KW_ONLY
    attempt: int = 1
    """How often it was delivered, this delivery included."""
    id: str = ""
    """The broker's; the id of the work where no header names one, so that attempts share it."""
    subject: str = ""
    """What the message is about: a routing key, a subject, a kind."""


@dataclass(frozen=True, slots=True)
class Consumer:
    """A consumer of messages, to decorate functions with or to put around a block; named `holdfast.consumer`.

    Each message is one piece of work with one trace id. An error that ends it is answered here and
    goes no further: a transient one is tried again, with exponential backoff and full jitter and
    never before `retry_after`, which is the event `message.retried`; every other error, and a
    transient one when the attempts are used up, is recorded once and makes the message a dead
    letter. Exits, interrupts and cancellations are no errors: the message is left, and they go on.

    A decorated function takes an `IncomingMessage` before its own arguments, and returns the
    `Settlement`. `def` and `async def` both work, and threads may share a consumer.

    Raises:
        ValueError: A name or number makes no sense.

    Example:
        >>> @Consumer("orders", attempts=3)
        ... def ship(order: dict[str, str]) -> None:
        ...     print("ship", order["sku"])
        >>> ship(IncomingMessage(), {"sku": "881"}).action
        ship 881
        <Settle.ACK: 'ack'>
        >>> with Consumer("orders").receive(IncomingMessage()) as receipt:
        ...     raise ConnectionRefusedError("stock.example")
        >>> receipt.settlement.action
        <Settle.RETRY: 'retry'>
    """

    name: str
    """Of the queue, stream or subject; the operation of its records."""
    _: KW_ONLY
    attempts: int = 5
    """Deliveries of one message, the first included."""
    base: float = 1.0
    """Seconds that the wait before the first retry does not exceed; doubles with each."""
    ceiling: float = 600.0
    """Seconds that no backoff exceeds."""
    retry_after_limit: float = 3600.0
    """Seconds that an error may ask to wait; one that asks for more makes the message a dead letter."""
    chance: random.Random = field(
        default_factory=random.SystemRandom, repr=False, compare=False, hash=False
    )
    """Draws the jitter."""
    clock: Clock = field(default_factory=SystemClock, repr=False, compare=False, hash=False)
    """Source of the time of events."""

    def __post_init__(self) -> None:
        if not (self.name and len(self.name) <= _MAX_NAME and self.name.isprintable()):
            raise ValueError(
                f"the name of a consumer is 1 to {_MAX_NAME} printable characters, not {self.name!r:.120}"
            )
        if isinstance(self.attempts, bool) or self.attempts < 1:
            self._refuse_option("attempts", "a whole number from 1")
        for option in ("base", "ceiling", "retry_after_limit"):
            seconds = cast("float", getattr(self, option))
            if not (math.isfinite(seconds) and seconds > 0):
                self._refuse_option(option, "a positive number of seconds")
        if self.ceiling < self.base:
            self._refuse_option("ceiling", "at least base")

    @overload
    def __call__(  # type: ignore[overload-overlap]  # a coroutine function is the more exact of the two
        self, function: Callable[_Params, Awaitable[object]]
    ) -> Callable[Concatenate[IncomingMessage, _Params], Awaitable[Settlement]]: ...
    @overload
    def __call__(
        self, function: Callable[_Params, object]
    ) -> Callable[Concatenate[IncomingMessage, _Params], Settlement]: ...
    def __call__(
        self, function: Callable[_Params, object]
    ) -> Callable[Concatenate[IncomingMessage, _Params], object]:
        """Make each call of a function the work on one message."""
        if inspect.iscoroutinefunction(function):
            return _coroutine(self, function)

        @wraps(function)
        def taken(
            message: IncomingMessage, /, *args: _Params.args, **kwargs: _Params.kwargs
        ) -> Settlement:
            refused = self.refuse(message)
            if refused is not None:
                return refused
            with self.receive(message) as receipt:
                function(*args, **kwargs)
            return receipt.settlement

        return taken

    def receive(self, message: IncomingMessage) -> "Receipt":
        """Return the block in which a message is worked on; `async` code uses the same."""
        return Receipt(self, message)

    def refuse(self, message: IncomingMessage) -> Settlement | None:
        """Give up a message that was delivered too often without ever being settled; None for any other.

        Whoever took it died of it, or could not tell the broker. Decorated functions and adapters
        ask by themselves; ask before `receive`.
        """
        if message.attempt <= self.attempts:
            return None
        lost = AppError(
            ErrorCode.TASK_LOST,
            f"a message was delivered {message.attempt} times and not settled: "
            "whoever took it died, or lost the broker",
        )
        receipt = self.receive(message)
        with receipt:
            raise lost
        return receipt.settlement

    def settle(
        self, said: Classification | None, *, attempt: int = 1, asked: float = 0.0
    ) -> Settlement:
        """Decide about a message, by nothing but the arguments and chance.

        Args:
            said: What its error means; None when there was none.
            attempt: How often it was delivered.
            asked: Seconds that the error asks to wait.

        Example:
            >>> Consumer("orders").settle(None).action
            <Settle.ACK: 'ack'>
        """
        if said is None:
            return Settlement(Settle.ACK)
        if not said.transient or attempt >= self.attempts or asked > self.retry_after_limit:
            return Settlement(Settle.DEAD, code=said.code)
        jitter = full_jitter(attempt - 1, base=self.base, ceiling=self.ceiling, chance=self.chance)
        return Settlement(Settle.RETRY, delay=asked + jitter, code=said.code)

    def answer(self, error: BaseException, message: IncomingMessage) -> Settlement:
        """Settle a message whose work ended by an exception, and tell of it; within its work.

        `receive` calls this; it is for loops that cannot have a block.
        """
        if is_control_flow(error):
            return Settlement(Settle.LEAVE)
        reading = responsible_classifier().read(error)
        settlement = self.settle(
            reading.classification, attempt=message.attempt, asked=reading.asked
        )
        if settlement.action is Settle.RETRY:
            self._tell_retry(error, message, settlement)
            return settlement
        verdict = self._handled(error, message, resumable=True)
        if verdict.action is Action.RECOVERED:
            settlement = self.settle(None)
        return replace(settlement, record_id=_id_of(verdict))

    def record(self, error: BaseException, message: IncomingMessage) -> str:
        """Have the handler decide about an error beside the work on a message; return its record's id.

        For adapters: the work is done, and the broker cannot be told.
        """
        token = begin(*_ids(message), BOUNDARY)
        try:
            return _id_of(self._handled(error, message, resumable=False))
        finally:
            end(token)

    def _handled(
        self, error: BaseException, message: IncomingMessage, *, resumable: bool
    ) -> Verdict:
        origin = Origin(
            boundary=BOUNDARY,
            operation=self.name,
            attributes=self._facts(message),
            resumable=resumable,
        )
        return capture(error, origin, resumable=resumable) or current().handle(error, origin)

    def _tell_retry(
        self, error: BaseException, message: IncomingMessage, settlement: Settlement
    ) -> None:
        owner, work = responsible() or current(), current_context()
        said = {"error_type": type_name(type(error)), "message": text_of(error)}
        clean = cast("dict[str, Scalar]", owner.redactor.mapping({**said, **self._facts(message)}))
        clean |= {"consumer": self.name, "code": settlement.code, "delay": settlement.delay}
        clean["trace_id"] = "" if work is None else work.trace_id
        owner.emit(
            Event(
                name="message.retried",
                severity=Severity.INFO,
                time=self.clock.now(),
                attributes=clean,
            )
        )

    def _facts(self, message: IncomingMessage) -> dict[str, str | int]:
        facts: dict[str, str | int] = {"attempt": message.attempt, "attempts": self.attempts}
        named = {"message_id": message.id, "subject": message.subject}
        return facts | {name: value for name, value in named.items() if value}

    def _refuse_option(self, option: str, wanted: str) -> None:
        raise ValueError(
            f"consumer {self.name!r}: {option} is {wanted}, not {getattr(self, option)!r:.100}"
        )


consumer = Consumer


def _id_of(verdict: Verdict) -> str:
    return "" if verdict.record is None else verdict.record.id


class Receipt:
    """One message in hand: the block around its work, and afterwards what to tell the broker.

    Attributes:
        message: What was received.
        settlement: Known after the block; LEAVE until then.
    """

    __slots__ = ("_consumer", "_token", "message", "settlement")

    def __init__(self, consumer: Consumer, message: IncomingMessage) -> None:
        self._consumer = consumer
        self.message = message
        self.settlement = Settlement(Settle.LEAVE)

    def __enter__(self) -> Self:
        count_request(responsible())
        self._token = begin(*_ids(self.message), BOUNDARY)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        """Settle the message; an error stays here, whatever else ends the block goes on."""
        try:
            if error is None:
                self.settlement = self._consumer.settle(None)
            else:
                self.settlement = self._consumer.answer(error, self.message)
        finally:
            end(self._token)
        # Not a group that a cancellation is in, which is no `Exception`.
        return isinstance(error, Exception)


def trace_headers() -> dict[str, str]:
    """Return the headers by which a message continues the present work; empty outside of any.

    Example:
        >>> from holdfast import work_context
        >>> with work_context("order-42"):
        ...     trace_headers()
        {'x-request-id': 'order-42'}
    """
    work = current_context()
    return {} if work is None else headers_of(work)


def _coroutine(
    consumer: Consumer, function: Callable[..., object]
) -> Callable[..., Awaitable[Settlement]]:
    @wraps(function)
    async def taken(message: IncomingMessage, /, *args: object, **kwargs: object) -> Settlement:
        refused = consumer.refuse(message)
        if refused is not None:
            return refused
        with consumer.receive(message) as receipt:
            await cast("Awaitable[object]", function(*args, **kwargs))
        return receipt.settlement

    return taken


def _ids(message: IncomingMessage) -> tuple[str | None, str | None]:
    """Return the trace parent and the id of a message's work, so far as it says."""
    named = {
        name: _text(value)
        for name, value in ((_text(key).lower(), value) for key, value in message.headers.items())
        if name in {TRACEPARENT_HEADER, REQUEST_ID_HEADER}
    }
    request_id = named.get(REQUEST_ID_HEADER, "")
    return named.get(TRACEPARENT_HEADER), request_id if is_request_id(request_id) else message.id


def _text(value: object) -> str:
    """Return a header's name or value as text; libraries differ in what they make of it."""
    if isinstance(value, (list, tuple)):
        several = cast("Sequence[object]", value)
        return _text(several[0]) if several else ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else ""
