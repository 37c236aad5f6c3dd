"""What a guarded call may return besides a value: an awaitable, a future, a generator; it ends with that."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import suppress
from functools import partial
from types import AsyncGeneratorType, GeneratorType
from typing import Any, Protocol, cast

import pybreaker


class Guarded(Protocol):
    """One call that was let through, and whose end is still to be told."""

    def succeeded(self) -> None:
        """Tell that it succeeded."""
        ...

    def failed(self, error: BaseException) -> None:
        """Tell what it raised; raises the error of a call that opened the circuit."""
        ...

    def ignored(self) -> None:
        """Tell that nobody knows how it ended."""
        ...


def ends_later(value: object) -> bool:
    """Tell whether a call that returned this goes on."""
    kind = type(value)
    return (
        kind is GeneratorType
        or kind is AsyncGeneratorType
        or hasattr(kind, "__await__")
        or hasattr(kind, "add_done_callback")
    )


def until_its_end(call: Guarded, value: object) -> object:
    """Return what a call returned, so that its end is told when it comes."""
    if type(value) is GeneratorType:
        return _generator(call, cast("Generator[Any, Any, Any]", value))
    if type(value) is AsyncGeneratorType:
        return _async_generator(call, cast("AsyncGenerator[Any, Any]", value))
    if hasattr(type(value), "__aenter__"):
        call.ignored()  # a client or a context manager, which may never be awaited
        return value
    if hasattr(type(value), "add_done_callback"):
        cast("Any", value).add_done_callback(partial(_future, call))
        return value
    return _awaited(call, cast("Awaitable[object]", value))


async def _awaited(call: Guarded, awaitable: Awaitable[object]) -> object:
    try:
        value = await awaitable
    except BaseException as error:
        call.failed(error)
        raise
    call.succeeded()
    return value


def _generator(call: Guarded, generator: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    try:
        value = yield from generator
    except BaseException as error:
        call.failed(error)
        raise
    call.succeeded()
    return value


async def _async_generator(
    call: Guarded, generator: AsyncGenerator[Any, Any]
) -> AsyncGenerator[Any, Any]:
    resume: Callable[[Any], Awaitable[Any]] = generator.asend
    value: Any = None
    try:
        while True:
            item: Any = await resume(value)
            try:
                value = yield item
                resume = generator.asend
            except GeneratorExit:
                await generator.aclose()
                raise
            except BaseException as thrown:  # noqa: BLE001  # it goes in
                resume, value = generator.athrow, thrown
    except StopAsyncIteration:
        call.succeeded()
    except BaseException as error:
        call.failed(error)
        raise


def _future(call: Guarded, future: Any) -> None:  # noqa: ANN401  # of asyncio, Tornado or a pool
    """Tell how a future ended; who waits for it gets its own error, even if that opened the circuit."""
    if future.cancelled():
        call.ignored()
        return
    error = future.exception()
    if error is None:
        call.succeeded()
    else:
        with suppress(pybreaker.CircuitBreakerError):
            call.failed(error)
