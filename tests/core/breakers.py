"""Circuit breakers for tests: pybreaker's and ours, the ways to use one, and storages of all sorts."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import pybreaker

from holdfast.resilience.breaker import CircuitBreaker


class DownError(Exception):
    """The other side is away."""


def fail() -> None:
    """Fail."""
    raise DownError("no route to 10.0.0.7")


def succeed() -> str:
    """Succeed."""
    return "fine"


def outcome(function: Callable[..., object], *arguments: object) -> object:
    """Return what a call returns, or the class of what it raises."""
    try:
        return function(*arguments)
    except BaseException as error:  # noqa: BLE001  # its class is the answer
        return type(error)


def is_refused(breaker: pybreaker.CircuitBreaker) -> bool:
    """Tell whether a call is not made at all."""
    calls: list[int] = []
    try:
        breaker.call(calls.append, 1)
    except pybreaker.CircuitBreakerError:
        assert not calls
        return True
    return False


def age(breaker: pybreaker.CircuitBreaker, seconds: float) -> None:
    """Have a breaker be open for some time already."""
    breaker._state_storage.opened_at = datetime.now(UTC) - timedelta(seconds=seconds)  # noqa: TID251  # pybreaker has no other clock


def trip(breaker: pybreaker.CircuitBreaker) -> None:
    """Let calls fail until it opens."""
    for _ in range(breaker.fail_max):
        outcome(breaker.call, fail)
    assert breaker.current_state == "open"


class Heard(pybreaker.CircuitBreakerListener):
    """Keeps what a listener is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def before_call(self, cb: Any, func: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # pybreaker's
        """Keep it."""
        self.told.append("before_call")

    def success(self, cb: Any) -> None:  # noqa: ANN401  # pybreaker's
        """Keep it."""
        self.told.append("success")

    def failure(self, cb: Any, exc: BaseException) -> None:  # noqa: ANN401  # pybreaker's
        """Keep it."""
        self.told.append("failure")

    def state_change(self, cb: Any, old_state: Any, new_state: Any) -> None:  # noqa: ANN401  # pybreaker's
        """Keep it."""
        self.told.append(f"{old_state.name} -> {new_state.name}")


# the ways to use one ------------------------------------------------------------------------------


class Use(Protocol):
    """Makes one guarded call in some way, plain to the caller."""

    def __call__(
        self, breaker: CircuitBreaker, function: Callable[..., object], *arguments: object
    ) -> object:
        """Make it; returns what the function does, raises what it or the breaker raises."""
        ...


def by_call(breaker: CircuitBreaker, function: Callable[..., object], *arguments: object) -> object:
    """`breaker.call`."""
    return breaker.call(function, *arguments)


def by_decorator(
    breaker: CircuitBreaker, function: Callable[..., object], *arguments: object
) -> object:
    """`@breaker`."""
    decorated: Callable[..., object] = breaker(function)
    return decorated(*arguments)


def by_calling(
    breaker: CircuitBreaker, function: Callable[..., object], *arguments: object
) -> object:
    """`with breaker.calling()`."""
    with breaker.calling():
        return function(*arguments)


def by_acall(
    breaker: CircuitBreaker, function: Callable[..., object], *arguments: object
) -> object:
    """`await breaker.acall`."""

    async def asynchronous() -> object:
        await asyncio.sleep(0)  # noqa: TID251  # a turn of the loop
        return function(*arguments)

    return asyncio.run(breaker.acall(asynchronous))


def by_coroutine(
    breaker: CircuitBreaker, function: Callable[..., object], *arguments: object
) -> object:
    """`@breaker` on `async def`."""

    @breaker
    async def asynchronous() -> object:
        await asyncio.sleep(0)  # noqa: TID251  # a turn of the loop
        return function(*arguments)

    return asyncio.run(asynchronous())


def by_acalling(
    breaker: CircuitBreaker, function: Callable[..., object], *arguments: object
) -> object:
    """`async with breaker.acalling()`."""

    async def asynchronous() -> object:
        async with breaker.acalling():
            return function(*arguments)

    return asyncio.run(asynchronous())


def by_generator(
    breaker: CircuitBreaker, function: Callable[..., object], *arguments: object
) -> object:
    """`@breaker` on a generator function."""

    @breaker
    def values() -> Iterator[object]:
        yield function(*arguments)

    (value,) = values()
    return value


def by_async_generator(
    breaker: CircuitBreaker, function: Callable[..., object], *arguments: object
) -> object:
    """`@breaker` on an asynchronous generator function."""

    @breaker
    async def values() -> AsyncIterator[object]:
        yield function(*arguments)

    async def collect() -> object:
        (value,) = [value async for value in values()]
        return value

    return asyncio.run(collect())


def by_permit(
    breaker: CircuitBreaker, function: Callable[..., object], *arguments: object
) -> object:
    """`breaker.acquire`."""
    permit = breaker.acquire()
    try:
        value = function(*arguments)
    except Exception as error:
        permit.failure(error)
        raise
    permit.success()
    return value


USES: dict[str, Use] = {
    "call": by_call,
    "decorator": by_decorator,
    "calling": by_calling,
    "acall": by_acall,
    "coroutine": by_coroutine,
    "acalling": by_acalling,
    "generator": by_generator,
    "async generator": by_async_generator,
    "permit": by_permit,
}


# storages -----------------------------------------------------------------------------------------


class OldStorage(pybreaker.CircuitBreakerStorage):
    """A user's storage from before there were counters of successes."""

    def __init__(self, state: str = "closed") -> None:
        super().__init__("old")
        self.kept: dict[str, Any] = {"state": state, "counter": 0, "opened_at": None}

    @property
    def state(self) -> str:
        """The state."""
        return str(self._get("state"))

    @state.setter
    def state(self, state: str) -> None:
        self._set("state", state)

    @property
    def counter(self) -> int:
        """Failures in a row."""
        return int(self._get("counter"))

    def increment_counter(self) -> None:
        """Count a failure."""
        self._set("counter", self._get("counter") + 1)

    def reset_counter(self) -> None:
        """Count anew."""
        self._set("counter", 0)

    @property
    def opened_at(self) -> datetime | None:
        """When it was opened."""
        at: datetime | None = self._get("opened_at")
        return at

    @opened_at.setter
    def opened_at(self, datetime: datetime) -> None:
        self._set("opened_at", datetime)

    if TYPE_CHECKING:  # it really has none, which Python does not mind

        @property
        def success_counter(self) -> int: ...

    def _get(self, name: str) -> Any:  # noqa: ANN401  # whatever it keeps
        return self.kept[name]

    def _set(self, name: str, value: object) -> None:
        self.kept[name] = value


class SlowStorage(OldStorage):
    """Runs code of the test at every access, in the place of waiting for a network."""

    def __init__(self, state: str = "closed") -> None:
        super().__init__(state)
        self.accessed: Callable[[str], object] = str

    def _get(self, name: str) -> Any:  # noqa: ANN401  # whatever it keeps
        self.accessed(f"get {name}")
        return super()._get(name)

    def _set(self, name: str, value: object) -> None:
        self.accessed(f"set {name}")
        super()._set(name, value)


class FailingStorage(OldStorage):
    """Fails when it is told to."""

    is_away = False

    def _get(self, name: str) -> Any:  # noqa: ANN401  # whatever it keeps
        self._fail()
        return super()._get(name)

    def _set(self, name: str, value: object) -> None:
        self._fail()
        super()._set(name, value)

    def _fail(self) -> None:
        if self.is_away:
            raise ConnectionError("the storage is away")
