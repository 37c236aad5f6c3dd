"""Where a circuit breaker of ours does on purpose what pybreaker's does not; each is told in the guide."""

import asyncio
import gc
from collections.abc import AsyncIterator, Generator, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from functools import partial
from threading import Event, Thread
from typing import Any, Self, cast

import pybreaker
import pytest

from holdfast import BulkheadFullError
from holdfast.resilience.breaker import CircuitBreaker, CircuitOpenError
from holdfast.testing import FakeClock
from tests.core.breakers import (
    USES,
    DownError,
    FailingStorage,
    Heard,
    Use,
    age,
    fail,
    outcome,
    succeed,
    trip,
)


def _handed_back(value: object) -> object:
    return value


def _raising(error: BaseException) -> object:
    raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_control_flow_is_neither_failure_nor_success(error: type[BaseException]) -> None:
    """pybreaker counts it as a failure; here it gives the permit back."""
    theirs, ours = pybreaker.CircuitBreaker(fail_max=2), CircuitBreaker(fail_max=2)
    for breaker in (theirs, ours):
        outcome(breaker.call, fail)

    with pytest.raises(pybreaker.CircuitBreakerError):
        theirs.call(_raising, error())
    with pytest.raises(error):
        ours.call(_raising, error())

    assert (ours.fail_counter, ours.current_state) == (1, "closed")


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_probe_that_is_cancelled_leaves_its_place_to_the_next(use: Use) -> None:
    """Nobody learned anything of the other side."""
    breaker = CircuitBreaker(fail_max=1)
    trip(breaker)
    age(breaker, 61)

    def cancelled() -> None:
        raise asyncio.CancelledError

    if use is USES["permit"]:
        breaker.acquire().ignore()
    else:
        assert outcome(use, breaker, cancelled) is asyncio.CancelledError
    assert breaker.current_state == "half-open"

    assert use(breaker, succeed) == "fine"
    assert breaker.current_state == "closed"


def test_a_time_out_of_green_threads_is_a_failure() -> None:
    """gevent's and eventlet's are no `Exception`, and yet the call failed."""
    kind = type("Timeout", (BaseException,), {"__module__": "gevent.timeout"})
    breaker = CircuitBreaker()

    outcome(breaker.call, _raising, kind())

    assert breaker.fail_counter == 1


def test_excluded_exceptions_may_change_nothing() -> None:
    """By default they count as successes, as with pybreaker; with `ignore_excluded` not at all."""
    breaker = CircuitBreaker(exclude=[KeyError], ignore_excluded=True, success_threshold=1)
    outcome(breaker.call, fail)

    outcome(breaker.call, _raising, KeyError())
    assert breaker.fail_counter == 1
    breaker.half_open()
    outcome(breaker.call, _raising, KeyError())

    assert breaker.current_state == "half-open"


def test_a_generator_that_is_closed_early_says_nothing() -> None:
    """pybreaker counts that as a failure, and may raise out of the garbage collection."""
    results: dict[type, int] = {}
    for kind in (pybreaker.CircuitBreaker, CircuitBreaker):
        breaker: Any = kind()

        @breaker  # type: ignore[untyped-decorator]  # pybreaker's
        def numbers() -> Iterator[int]:
            yield from range(9)

        values: Any = numbers()
        for number in values:
            if number == 2:
                break
        del values
        gc.collect()
        results[kind] = breaker.fail_counter

    assert results == {pybreaker.CircuitBreaker: 1, CircuitBreaker: 0}


def test_the_garbage_collection_may_close_a_generator_at_any_time() -> None:
    """It takes no lock for that, whoever holds one; a probe's place is free again."""
    breaker: Any = CircuitBreaker()
    breaker.half_open()

    @breaker  # type: ignore[untyped-decorator]  # of no class that mypy sees
    def numbers() -> Iterator[int]:
        yield from range(9)

    begun = numbers()
    next(begun)
    with pytest.raises(CircuitOpenError):
        breaker.call(succeed)
    with breaker.circuit._lock:
        del begun  # as the collection does, on whatever thread it is

    assert breaker.call(succeed) == "fine"
    assert breaker.current_state == "closed"


def test_an_asynchronous_generator_that_is_closed_early_says_nothing() -> None:
    """As a plain one."""
    breaker = CircuitBreaker()
    closed: list[bool] = []

    @breaker
    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            closed.append(True)

    async def take_one() -> None:
        values: Any = numbers()
        assert await anext(values) == 1
        await values.aclose()

    asyncio.run(take_one())

    assert closed == [True]
    assert breaker.fail_counter == 0


def test_calls_over_the_limit_of_a_half_open_circuit_are_refused() -> None:
    """pybreaker has them wait for the probe, and then be made."""
    breaker = CircuitBreaker(fail_max=1)
    trip(breaker)
    age(breaker, 61)
    probing, over = Event(), Event()

    def probe() -> None:
        probing.set()
        over.wait(20)

    thread = Thread(target=breaker.call, args=(probe,))
    thread.start()
    probing.wait(20)
    refused: list[str] = []
    for _ in range(9):
        with pytest.raises(CircuitOpenError) as caught:
            breaker.call(succeed)
        refused.append(caught.value.reason)
    over.set()
    thread.join()

    assert refused == ["half-open"] * 9
    assert breaker.current_state == "closed"


def test_a_probe_that_never_ends_gives_up_its_place() -> None:
    """After `probe_timeout`; what it says later concerns nobody."""
    clock = FakeClock()
    breaker = CircuitBreaker(fail_max=1, probe_timeout=10, clock=clock)
    trip(breaker)
    clock.advance(60)
    hung = breaker.acquire()
    with pytest.raises(CircuitOpenError):
        breaker.acquire()

    clock.advance(10)
    breaker.call(succeed)
    hung.failure(DownError())

    assert breaker.current_state == "closed"
    assert breaker.fail_counter == 0


def test_a_listener_that_fails_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """With pybreaker the circuit never opens, or a good result is lost; here it is complained of once."""

    class Broken(pybreaker.CircuitBreakerListener):
        """Fails."""

        def success(self, cb: Any) -> None:  # noqa: ANN401  # pybreaker's
            """Fail."""
            raise RuntimeError("no metrics")

        def state_change(self, cb: Any, old_state: Any, new_state: Any) -> None:  # noqa: ANN401  # pybreaker's
            """Fail."""
            raise RuntimeError("no metrics")

    heard = Heard()
    breaker = CircuitBreaker(fail_max=1, listeners=[Broken(), heard])

    assert breaker.call(succeed) == "fine"
    assert breaker.call(succeed) == "fine"
    trip(breaker)

    assert heard.told[-1] == "closed -> open"
    said = capsys.readouterr().err
    assert said.count("Broken.success") == 1
    assert said.count("Broken.state_change") == 1


def test_the_storage_is_written_before_listeners_hear() -> None:
    """pybreaker tells them while the storage still holds the old state."""
    seen: dict[type, list[str]] = {}

    for kind in (pybreaker.CircuitBreaker, CircuitBreaker):
        storage = pybreaker.CircuitMemoryStorage("closed")
        states = seen[kind] = []

        class Looking(pybreaker.CircuitBreakerListener):
            """Looks at the storage."""

            storage_seen = storage
            states_seen = states

            def state_change(self, cb: Any, old_state: Any, new_state: Any) -> None:  # noqa: ANN401  # pybreaker's
                """Look."""
                self.states_seen.append(self.storage_seen.state)

        breaker = kind(fail_max=1, state_storage=storage, listeners=[Looking()])
        trip(breaker)

    assert seen == {pybreaker.CircuitBreaker: ["closed"], CircuitBreaker: ["open"]}


def test_what_a_call_returns_to_be_awaited_is_awaited_before_it_counts() -> None:
    """pybreaker books a success when a coroutine is made."""

    async def down() -> None:
        fail()

    class Client:
        """Its call is a coroutine function."""

        async def __call__(self) -> None:
            """Fail."""
            fail()

    def returning() -> Any:  # noqa: ANN401  # a coroutine
        return down()

    for function in (down, partial(down), Client(), returning):
        breaker: Any = CircuitBreaker(fail_max=9)

        for make in (
            breaker(function),
            partial(breaker.call, function),
            partial(breaker.acall, function),
        ):
            before = breaker.fail_counter
            awaitable = make()
            assert breaker.fail_counter == before

            async def wait(awaited: Any) -> None:  # noqa: ANN401  # a coroutine
                await awaited

            with pytest.raises(DownError):
                asyncio.run(wait(awaitable))
            assert breaker.fail_counter == before + 1


def test_a_future_counts_when_it_is_done() -> None:
    """Of a pool or of an event loop; the same object comes back."""
    breaker = CircuitBreaker(fail_max=2)
    good, bad, cancelled = Future[str](), Future[str](), Future[str]()

    for future in (good, bad, cancelled):
        assert breaker.call(_handed_back, future) is future
    assert breaker.fail_counter == 0
    bad.set_exception(DownError())
    assert breaker.fail_counter == 1
    cancelled.cancel()
    assert breaker.fail_counter == 1
    good.set_result("fine")

    assert breaker.fail_counter == 0


def test_a_client_that_may_be_awaited_comes_back_as_it_is() -> None:
    """Clients and sessions may be awaited or entered, or neither: that says nothing, and is no coroutine."""

    class Client:
        """Like those of aiohttp, asyncpg and Redis."""

        def __await__(self) -> Generator[None, None, "Client"]:
            yield
            return self

        async def __aenter__(self) -> Self:
            return self

        async def __aexit__(self, *_: object) -> None:
            """Leave."""

    breaker = CircuitBreaker()
    outcome(breaker.call, fail)

    assert isinstance(breaker.call(Client), Client)
    assert isinstance(breaker(lambda: Client())(), Client)  # noqa: PLW0108  # a plain function

    assert breaker.fail_counter == 1


def test_errors_of_a_storage_never_come_out(capsys: pytest.CaptureFixture[str]) -> None:
    """A user's own storage may fail like Redis; it is complained of once, not at every call."""
    storage = FailingStorage()
    breaker = CircuitBreaker(state_storage=storage)
    storage.is_away = True

    for _ in range(3):
        assert breaker.call(succeed) == "fine"
        assert outcome(breaker.call, fail) is DownError
    assert breaker.fail_counter == 1
    breaker.open()
    assert breaker.state.name == breaker.current_state == "open"

    assert capsys.readouterr().err.count("the storage is away") == 1


class Sparse:
    """A storage of a user who knows of no more than he needs."""

    name = "sparse"
    state = "closed"
    counter = 0
    opened_at = None


def test_a_storage_may_lack_what_it_does_not_know_of(capsys: pytest.CaptureFixture[str]) -> None:
    """What this process knows goes on in its place."""
    breaker = CircuitBreaker(fail_max=2, reset_timeout=0, state_storage=cast("Any", Sparse()))

    assert outcome(breaker.call, fail) is DownError
    assert breaker.call(succeed) == "fine"

    assert "has no attribute" in capsys.readouterr().err


def test_what_is_complained_of_holds_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    """Standard error is collected, too."""

    class Telling(pybreaker.CircuitBreakerListener):
        """Fails with the address of a server."""

        def success(self, cb: Any) -> None:  # noqa: ANN401  # pybreaker's
            """Fail."""
            raise RuntimeError("no answer of redis://:s3cr3t@cache:6379/0")

    CircuitBreaker(listeners=[Telling()]).call(succeed)

    said = capsys.readouterr().err
    assert "Telling.success" in said
    assert "s3cr3t" not in said


def test_a_refusal_further_in_says_nothing_of_the_other_side() -> None:
    """pybreaker counts the inner breaker's refusal as a failure of the outer call."""
    inner, stock = CircuitBreaker(), pybreaker.CircuitBreaker()
    inner.open()
    stock.open()
    outer = CircuitBreaker()

    outcome(outer.call, inner.call, succeed)
    outcome(outer.call, stock.call, succeed)
    outcome(outer.call, _raising, BulkheadFullError("full"))
    assert outer.fail_counter == 0
    trips = CircuitBreaker(fail_max=1)
    outcome(outer.call, trips.call, fail)

    assert outer.fail_counter == 1


def test_an_error_that_a_generator_handles_is_none() -> None:
    """What comes out of a guarded generator counts, not what was thrown in; pybreaker's breaks there."""
    breaker = CircuitBreaker()

    @contextmanager
    @breaker
    def forgiving() -> Generator[None]:
        with suppress(DownError):
            yield

    with forgiving():
        fail()

    assert breaker.fail_counter == 0


@pytest.mark.parametrize(
    "wrong", [{"fail_max": 0}, {"reset_timeout": -1}, {"success_threshold": 0}]
)
def test_a_limit_out_of_its_range_is_refused(wrong: dict[str, Any]) -> None:
    """With pybreaker, `fail_max=0` opens at the first failure."""
    (option,) = wrong

    with pytest.raises(ValueError, match=option):
        CircuitBreaker(**wrong)
    breaker = CircuitBreaker()
    with pytest.raises(ValueError, match=option):
        setattr(breaker, option, wrong[option])


def test_an_exception_with_a_metaclass_excludes_itself_alone() -> None:
    """pybreaker takes it for a function, and then nothing is a failure."""

    class Meta(type):
        """A metaclass."""

    class Odd(Exception, metaclass=Meta):  # under test
        """An odd exception."""

    theirs = pybreaker.CircuitBreaker(exclude=[Odd])
    ours = CircuitBreaker(exclude=[Odd])
    for breaker in (theirs, ours):
        outcome(breaker.call, fail)

    assert (theirs.fail_counter, ours.fail_counter) == (0, 1)
    assert not ours.is_system_error(Odd())
