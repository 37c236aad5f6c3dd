"""The same calls without protection."""

from collections.abc import Awaitable, Callable

from case import Case, Cases

from subjects import calls


class Refused(Exception):
    """What a refusal would raise."""

    def __init__(self, message: str) -> None:
        super().__init__(message)


def refuse() -> int:
    """Raise, as cheaply as that can be done."""
    raise Refused("open")


async def arefuse() -> int:
    """Raise, as cheaply as that can be done."""
    raise Refused("open")


def cases(_: str) -> Cases:
    """Return everything that peers are compared with."""
    table = {f"sku-{i}": i for i in range(100)}

    def block() -> None:
        work = calls.work
        for _ in range(calls.MANY):
            work()

    def look_up() -> int:
        return table["sku-81"]

    return {
        "call": Case(calls.work),
        "async call": calls.awaited(calls.awork),
        "block": Case(block, times=calls.MANY),
        "refusal": calls.rejected(refuse),
        "async refusal": calls.arejected(arefuse),
        "threads": calls.in_threads(calls.waiting),
        "two failures": Case(_until_it_succeeds(calls.Flaky())),
        "async two failures": calls.awaited(_auntil_it_succeeds(calls.Flaky()), calls.FEWER),
        "look up": Case(look_up),
    }


def _until_it_succeeds(flaky: calls.Flaky) -> Callable[[], int]:
    def call() -> int:
        while True:
            try:
                return flaky.call()
            except calls.NoConnection:
                continue

    return call


def _auntil_it_succeeds(flaky: calls.Flaky) -> Callable[[], Awaitable[int]]:
    async def call() -> int:
        while True:
            try:
                return await flaky.acall()
            except calls.NoConnection:
                continue

    return call
