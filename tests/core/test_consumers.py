"""Messages: what becomes of one, by what its work ended with."""

import asyncio
import json
import math
import pickle
import random
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import (
    AppError,
    DependencyError,
    ErrorCode,
    IncomingMessage,
    Rule,
    Settle,
    Settlement,
    ValidationError,
    consumer,
    current_trace_id,
    error_boundary,
    trace_headers,
    work_context,
)
from holdfast.classify import UNKNOWN, Classification, classification_of
from holdfast.context import WorkContext, current_context
from holdfast.hooks.consumers import Consumer
from holdfast.testing import FakeClock, RecordingRuntime

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"

TRANSIENT = classification_of(ErrorCode.COMMUNICATION_ERROR)
FATAL = (
    UNKNOWN,
    classification_of(ErrorCode.VALIDATION_FAILED),
    classification_of(ErrorCode.MALFORMED_JSON),
    classification_of(ErrorCode.DEPENDENCY_FAILED),
)


@pytest.fixture
def runtime() -> Iterator[RecordingRuntime]:
    """The process's runtime, which keeps what it is told."""
    made = RecordingRuntime()
    made.install()
    yield made
    made.uninstall()


def events(runtime: RecordingRuntime) -> list[str]:
    """Return the names of everything that was reported."""
    return [event.name for event in runtime.recorded.events]


# the decision --------------------------------------------------------------------------------


@given(attempt=st.integers(-5, 10**6))
def test_work_that_went_well_is_acknowledged(attempt: int) -> None:
    """Whichever attempt it was."""
    assert Consumer("orders").settle(None, attempt=attempt) == Settlement(Settle.ACK)


@given(
    attempt=st.integers(1, 200),
    attempts=st.integers(1, 200),
    asked=st.floats(0, 7200),
    base=st.floats(0.001, 100),
    widening=st.floats(1, 1000),
    seed=st.integers(),
)
def test_a_transient_error_is_tried_again_until_the_attempts_are_used_up(
    attempt: int, attempts: int, asked: float, base: float, widening: float, seed: int
) -> None:
    """Never before the time the error asks for, and never later than that and the widest backoff."""
    orders = Consumer(
        "orders",
        attempts=attempts,
        base=base,
        ceiling=base * widening,
        chance=random.Random(seed),  # noqa: S311  # repeatable
    )

    settled = orders.settle(TRANSIENT, attempt=attempt, asked=asked)

    if attempt >= attempts or asked > orders.retry_after_limit:
        assert settled == Settlement(Settle.DEAD, code="COMMUNICATION_ERROR")
    else:
        assert settled.action is Settle.RETRY
        assert settled.code == "COMMUNICATION_ERROR"
        assert asked <= settled.delay <= asked + orders.ceiling
        assert settled.delay <= asked + base * 2.0 ** (attempt - 1)


@given(said=st.sampled_from(FATAL), attempt=st.integers(1, 100), asked=st.floats(0, 7200))
def test_any_other_error_is_a_dead_letter_at_once(
    said: Classification, attempt: int, asked: float
) -> None:
    """To try a bug, or a message that nobody can read, once more would change nothing."""
    settled = Consumer("orders", attempts=1000).settle(said, attempt=attempt, asked=asked)

    assert settled == Settlement(Settle.DEAD, code=said.code)


@given(said=st.sampled_from([*FATAL, TRANSIENT]), attempt=st.integers(1, 10), seed=st.integers())
def test_a_message_comes_to_its_end(said: Classification, attempt: int, seed: int) -> None:
    """However its work goes on failing, after so many attempts it is not delivered again."""
    chance = random.Random(seed)  # noqa: S311  # repeatable
    orders = Consumer("orders", attempts=attempt, chance=chance)

    actions = [orders.settle(said, attempt=n).action for n in range(1, attempt + 1)]

    assert actions[-1] is Settle.DEAD
    assert set(actions[:-1]) <= {Settle.RETRY, Settle.DEAD}


def test_the_wait_doubles_up_to_the_ceiling() -> None:
    """With chance at its most, the waits are those of the backoff itself."""
    orders = Consumer("orders", attempts=99, base=2.0, ceiling=20.0, chance=Most())

    delays = [orders.settle(TRANSIENT, attempt=n).delay for n in (1, 2, 3, 4, 5, 98)]

    assert delays == pytest.approx([2.0, 4.0, 8.0, 16.0, 20.0, 20.0])


class Most(random.Random):
    """Chance that is as great as it can be."""

    def random(self) -> float:
        """Return the greatest number below 1."""
        return math.nextafter(1.0, 0.0)


@pytest.mark.parametrize(
    "options",
    [
        {"name": ""},
        {"name": "a" * 201},
        {"name": "two\nlines"},
        {"attempts": 0},
        {"attempts": True},
        {"base": 0.0},
        {"base": math.nan},
        {"ceiling": math.inf},
        {"ceiling": 0.5},
        {"retry_after_limit": -1.0},
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, object]) -> None:
    """When the consumer is made, with the option and what it may be."""
    option = next(iter(options))

    with pytest.raises(ValueError, match=option):
        Consumer(**{"name": "orders", **options})  # type: ignore[arg-type]  # the mistake under test


def test_consumers_and_settlements_are_values() -> None:
    """Equal options make equal consumers, whatever draws their jitter; settlements can be sent on."""
    assert Consumer("orders", attempts=3) == Consumer("orders", attempts=3)
    assert len({Consumer("orders"), Consumer("orders"), Consumer("parcels")}) == 2
    assert repr(Consumer("orders")) == (
        "Consumer(name='orders', attempts=5, base=1.0, ceiling=600.0, retry_after_limit=3600.0)"
    )
    settlement = Settlement(Settle.DEAD, code="X")
    assert pickle.loads(pickle.dumps(settlement)) == settlement  # noqa: S301  # our own bytes


# the block -----------------------------------------------------------------------------------


def settled(error: BaseException | None, message: IncomingMessage, **options: object) -> Settlement:
    """Return the settlement of a message whose work ends with an error."""
    with Consumer("orders", **options).receive(message) as receipt:  # type: ignore[arg-type]  # options of every type
        if error is not None:
            raise error
    return receipt.settlement


def test_a_block_that_goes_well_tells_nobody(runtime: RecordingRuntime) -> None:
    """Success is acknowledged, without an event."""
    assert settled(None, IncomingMessage()) == Settlement(Settle.ACK)
    assert events(runtime) == []


def test_an_attempt_that_is_not_the_last_is_an_event(runtime: RecordingRuntime) -> None:
    """It says what failed, how often, and when the message comes again; no error is recorded."""
    message = IncomingMessage({"x-request-id": "order-42"}, attempt=2, id="m-7", subject="eu")

    settlement = settled(ConnectionRefusedError("stock.example"), message, clock=FakeClock())

    assert settlement.action is Settle.RETRY
    (event,) = runtime.recorded.events
    assert (event.name, event.severity.name, event.time) == (
        "message.retried",
        "INFO",
        FakeClock().now(),
    )
    assert dict(event.attributes) == {
        "consumer": "orders",
        "attempt": 2,
        "attempts": 5,
        "message_id": "m-7",
        "subject": "eu",
        "code": "COMMUNICATION_ERROR",
        "delay": settlement.delay,
        "error_type": "ConnectionRefusedError",
        "message": "stock.example",
        "trace_id": "order-42",
    }


def test_the_last_attempt_is_recorded(runtime: RecordingRuntime) -> None:
    """One record, with the consumer, the attempt and the message's id; the settlement names it."""
    message = IncomingMessage({"x-request-id": "order-42"}, attempt=5, id="m-7")

    settlement = settled(ConnectionRefusedError("stock.example"), message)

    (record,) = runtime.recorded.records
    assert settlement == Settlement(Settle.DEAD, code="COMMUNICATION_ERROR", record_id=record.id)
    assert (record.origin.boundary, record.origin.operation) == ("consumer", "orders")
    assert dict(record.origin.attributes) == {"attempt": 5, "attempts": 5, "message_id": "m-7"}
    assert record.trace_id == "order-42"
    assert events(runtime) == ["error.handled"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ValidationError("no SKU"), "VALIDATION_FAILED"),
        (KeyError("sku"), "INTERNAL_ERROR"),
        (json.JSONDecodeError("no JSON", "{", 1), "INTERNAL_ERROR"),
        (DependencyError("refused", upstream_status=400), "DEPENDENCY_FAILED"),
        (ExceptionGroup("two", [ConnectionError("no"), KeyError("sku")]), "INTERNAL_ERROR"),
    ],
)
def test_what_trying_again_cannot_help_is_recorded_at_once(
    runtime: RecordingRuntime, error: Exception, code: str
) -> None:
    """A message nobody can read, a bug, a refusal: dead at the first attempt."""
    settlement = settled(error, IncomingMessage())

    assert (settlement.action, settlement.code) == (Settle.DEAD, code)
    assert [record.classification.code for record in runtime.recorded.records] == [code]


def test_an_error_says_when_to_come_again(runtime: RecordingRuntime) -> None:
    """`retry_after` is waited for; one beyond the limit is no time to wait, and the message is dead."""
    soon = AppError(ErrorCode.RATE_LIMIT_EXCEEDED, "slow down", retry_after=30)
    late = AppError(ErrorCode.RATE_LIMIT_EXCEEDED, "slow down", retry_after=3601)

    waiting, given_up = (settled(error, IncomingMessage()) for error in (soon, late))

    assert waiting.action is Settle.RETRY
    assert 30 <= waiting.delay <= 31
    assert given_up.action is Settle.DEAD
    assert events(runtime) == ["message.retried", "error.handled"]


@pytest.mark.parametrize(
    "leaving",
    [
        KeyboardInterrupt(),
        SystemExit(3),
        asyncio.CancelledError(),
        BaseExceptionGroup("both", [asyncio.CancelledError(), KeyboardInterrupt()]),
    ],
)
def test_leaving_is_no_error_and_goes_on(runtime: RecordingRuntime, leaving: BaseException) -> None:
    """The message is left to the broker, which delivers it to somebody else."""
    receipt = Consumer("orders").receive(IncomingMessage(attempt=5))

    with pytest.raises(type(leaving)) as caught, receipt:
        raise leaving

    assert caught.value is leaving
    assert receipt.settlement == Settlement(Settle.LEAVE)
    assert events(runtime) == []
    assert current_context() is None


def test_a_group_with_a_cancellation_is_answered_and_goes_on(runtime: RecordingRuntime) -> None:
    """Neither is its error lost, nor its cancellation."""
    group = BaseExceptionGroup("both", [asyncio.CancelledError(), KeyError("sku")])
    receipt = Consumer("orders").receive(IncomingMessage())

    with pytest.raises(BaseExceptionGroup), receipt:
        raise group

    assert receipt.settlement.action is Settle.DEAD
    assert len(runtime.recorded.records) == 1


def test_an_error_that_a_boundary_inside_has_handled_counts_once(
    runtime: RecordingRuntime,
) -> None:
    """The settlement names the record that is there."""

    def fail() -> Settlement:
        with Consumer("orders").receive(IncomingMessage()) as receipt:
            with error_boundary("rows", reraise=False) as rows:
                int("x")
            assert rows.error is not None
            raise rows.error
        return receipt.settlement

    settlement = fail()

    (record,) = runtime.recorded.records
    assert settlement.record_id == record.id
    assert record.origin.boundary == "block"


def test_one_error_object_is_recorded_for_each_message(runtime: RecordingRuntime) -> None:
    """Two messages that fail with the same object are two failures."""
    error = KeyError("sku")

    for _ in range(2):
        settled(error, IncomingMessage())

    assert len(runtime.recorded.records) == 2


def test_the_projects_rules_decide(runtime: RecordingRuntime) -> None:
    """What the runtime's classifier says of an error holds for messages too."""
    runtime.uninstall()
    rule = Rule(match=LookupError, code=ErrorCode.SERVICE_UNAVAILABLE)
    other = RecordingRuntime(rules=[rule]).install()

    try:
        assert settled(KeyError("sku"), IncomingMessage()).action is Settle.RETRY
    finally:
        other.uninstall()


def test_without_a_runtime_the_built_in_rules_decide() -> None:
    """A loop whose process installed nothing gets the same answers, and its errors are logged."""
    assert settled(ConnectionError("no"), IncomingMessage()).action is Settle.RETRY
    dead = settled(KeyError("sku"), IncomingMessage())

    assert dead.action is Settle.DEAD
    assert dead.record_id


def test_nothing_that_is_told_of_a_retry_is_secret(runtime: RecordingRuntime) -> None:
    """The event's attributes are redacted, as records are."""
    error = ConnectionError("no route to postgres://shop:hunter2@db.example/orders")

    settled(error, IncomingMessage(subject="password=hunter2", id="m-7"))

    assert "hunter2" not in str(runtime.recorded.events)


# the trace -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "trace_id"),
    [
        (IncomingMessage({"traceparent": PARENT, "x-request-id": "order-42"}), TRACE),
        (IncomingMessage({"Traceparent": PARENT}), TRACE),
        (IncomingMessage({"X-Request-ID": "order-42"}), "order-42"),
        (IncomingMessage({b"x-request-id": b"order-42"}), "order-42"),
        (IncomingMessage({"x-request-id": ["order-42", "other"]}), "order-42"),
        (IncomingMessage({"x-request-id": "order-42"}, id="m-7"), "order-42"),
        (IncomingMessage({"x-request-id": "no\nid"}, id="m-7"), "m-7"),
        (IncomingMessage({"x-request-id": []}, id="1526919030474-55"), "1526919030474-55"),
        (IncomingMessage({"x-request-id": 7}, id="m-7"), "m-7"),
    ],
)
def test_a_message_is_one_piece_of_work(message: IncomingMessage, trace_id: str) -> None:
    """With the id that its headers name, else that of the message, so that attempts share it."""
    works: list[WorkContext | None] = []
    with Consumer("orders").receive(message):
        works.append(current_context())

    (work,) = works
    assert work is not None
    assert (work.trace_id, work.boundary) == (trace_id, "consumer")
    assert current_context() is None


def test_a_message_without_any_id_gets_one() -> None:
    """Each of them another."""
    seen: list[str] = []
    for _ in range(2):
        with Consumer("orders").receive(IncomingMessage()):
            seen.append(current_trace_id())

    assert len(set(seen)) == 2
    assert all(len(trace_id) == 32 for trace_id in seen)


def test_a_trace_goes_on_from_sender_to_consumer() -> None:
    """The headers of the sender's work make the consumer's work part of it."""
    for name in ("order-42", "0af7651916cd43dd8448eb211c80319c", ""):
        with work_context(name) as sent:
            headers = trace_headers()
        with Consumer("orders").receive(IncomingMessage(headers)):
            assert current_trace_id() == sent.trace_id

    assert trace_headers() == {}


# decorated functions -------------------------------------------------------------------------


def test_a_decorated_function_returns_the_settlement(runtime: RecordingRuntime) -> None:
    """It takes the message before its own arguments, and keeps its name."""
    done: list[tuple[str, int]] = []

    @consumer("orders", attempts=2)
    def ship(sku: str, *, count: int) -> str:
        """Ship an order."""
        done.append((sku, count))
        if count > 1:
            raise ConnectionError("no")
        return "what nobody reads"

    assert ship(IncomingMessage(), "881", count=1) == Settlement(Settle.ACK)
    assert ship(IncomingMessage(), "881", count=2).action is Settle.RETRY
    assert ship(IncomingMessage(attempt=2), "881", count=3).action is Settle.DEAD
    assert done == [("881", 1), ("881", 2), ("881", 3)]
    assert (ship.__name__, ship.__doc__) == ("ship", "Ship an order.")
    assert events(runtime) == ["message.retried", "error.handled"]


async def test_a_decorated_coroutine_function_is_one(runtime: RecordingRuntime) -> None:
    """`async def` gets the same answers, and a cancellation goes on."""

    @consumer("orders")
    async def ship(error: BaseException | None) -> None:
        assert current_trace_id() == "order-42"
        if error is not None:
            raise error

    message = IncomingMessage({"x-request-id": "order-42"})
    assert await ship(message, None) == Settlement(Settle.ACK)
    assert (await ship(message, ConnectionError("no"))).action is Settle.RETRY
    assert (await ship(message, KeyError("sku"))).action is Settle.DEAD
    with pytest.raises(asyncio.CancelledError):
        await ship(message, asyncio.CancelledError())

    assert events(runtime) == ["message.retried", "error.handled"]


async def test_messages_that_are_worked_on_at_once_do_not_mix(runtime: RecordingRuntime) -> None:
    """Tasks of one loop each have their own work and settlement."""
    seen: dict[int, str] = {}

    @consumer("orders")
    async def ship(number: int, turn: asyncio.Event, following: asyncio.Event) -> None:
        await turn.wait()
        seen[number] = current_trace_id()
        following.set()
        if number % 2:
            raise KeyError(number)

    turns = [asyncio.Event() for _ in range(11)]
    tasks = [
        asyncio.ensure_future(
            ship(IncomingMessage({"x-request-id": f"order-{n}"}), n, turns[n], turns[n + 1])
        )
        for n in reversed(range(10))
    ]
    turns[0].set()
    settlements = await asyncio.gather(*tasks)

    assert seen == {n: f"order-{n}" for n in range(10)}
    dead = [settlement.action is Settle.DEAD for settlement in settlements]
    assert dead == [bool(n % 2) for n in reversed(range(10))]
    assert len(runtime.recorded.records) == 5


def test_threads_may_share_a_consumer(runtime: RecordingRuntime) -> None:
    """It holds nothing of a message."""
    found: list[Settlement] = []

    @consumer("orders")
    def ship(number: int) -> None:
        if number % 2:
            raise KeyError(number)

    def take(number: int) -> None:
        found.append(ship(IncomingMessage(), number))

    threads = [threading.Thread(target=take, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(s.action.value for s in found) == ["ack"] * 10 + ["dead"] * 10
    assert len(runtime.recorded.records) == 10


def test_a_message_that_is_never_settled_is_given_up_unseen(runtime: RecordingRuntime) -> None:
    """It ends whoever takes it: delivered once too often, it is recorded and taken by nobody."""

    @consumer("orders", attempts=3)
    def ship() -> None:
        raise AssertionError("taken")

    settlement = ship(IncomingMessage({"x-request-id": "order-42"}, attempt=4, id="m-7"))

    (record,) = runtime.recorded.records
    assert settlement == Settlement(Settle.DEAD, code="TASK_LOST", record_id=record.id)
    assert (record.trace_id, record.origin.attributes["message_id"]) == ("order-42", "m-7")


async def test_a_coroutine_function_is_spared_such_a_message_too(
    runtime: RecordingRuntime,
) -> None:
    """The decision is one for both."""

    @consumer("orders", attempts=3)
    async def ship() -> None:
        raise AssertionError("taken")

    assert (await ship(IncomingMessage(attempt=4))).code == "TASK_LOST"


def test_what_a_classification_says_in_vain_changes_nothing() -> None:
    """Severity, status and trust are others' business: transience alone decides."""
    orders = Consumer("orders")
    grave = replace(TRANSIENT, trusted=False, status=500)

    assert orders.settle(grave).action is Settle.RETRY
