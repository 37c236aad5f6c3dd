"""Retries as the claims see them, whatever library they are of; and a time that goes by at once."""

import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NoReturn
from unittest import mock

from benchmarks.compared.answer import UnableError
from benchmarks.compared.circuits import NoConnection

ATTEMPTS = 3


class Time:
    """What has been waited."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def sleep(self, seconds: float) -> None:
        """Let time pass, at once."""
        self.waits.append(seconds)

    def monotonic(self) -> float:
        """Return the seconds that passed."""
        return 1000.0 + sum(self.waits)


@contextmanager
def told_time(library: "RetryLibrary") -> Iterator[Time]:
    """Have all that waits wait no longer than it takes to note it."""
    told = Time()
    with (
        mock.patch.object(time, "sleep", told.sleep),
        mock.patch.object(time, "monotonic", told.monotonic),
        library.follow(told),
    ):
        yield told


@dataclass
class Retries:
    """One way to retry.

    Attributes:
        call: Calls a plain function.
        acall: Awaits a coroutine function.
        said: What one has to know of it.
    """

    call: Callable[[Callable[[], object]], object]
    acall: Callable[[Callable[[], Awaitable[object]]], Awaitable[object]] = field(repr=False)
    said: str = ""


class RetryLibrary:
    """What a library of retries cannot do, unless it says that it can."""

    @contextmanager
    def follow(self, told: Time) -> Iterator[None]:
        """Follow a told time, where `time` alone does not do."""
        yield

    def retries(self, attempts: int = ATTEMPTS, wait: float = 0.0) -> Retries:
        """Retry errors of class `NoConnection`, all else as by default."""
        raise NotImplementedError

    def plainest(self) -> Retries:
        """Retry by default as far as that goes."""
        return self.retries()

    def unnamed(self) -> Retries:
        """Retry without saying what."""
        raise UnableError("what is retried has to be named")

    def limited(self, seconds: float, wait: float) -> Retries:
        """Retry within a time."""
        raise NotImplementedError

    def timed(self, seconds: float) -> Retries:
        """Give each attempt a time."""
        raise UnableError("")

    def budgeted(self) -> Retries:
        """Bound the attempts of all calls together."""
        return self.retries()

    def asked(self) -> Retries:
        """Wait as long as the error asks for."""
        raise UnableError("")

    def by_result(self, unwanted: Callable[[object], bool]) -> Retries:
        """Retry by what is returned."""
        raise UnableError("")

    def once_only(self) -> Retries:
        """Retry what must not be done twice."""
        raise UnableError("")

    def number(self) -> tuple[Retries, Callable[[], int]]:
        """Retry, and say within a call which attempt it is."""
        raise UnableError("")

    def trail(self, error: BaseException) -> bool:
        """Tell whether an error says what was tried."""
        return bool(getattr(error, "__notes__", None))

    def without_waiting(self, wait: float) -> Retries:
        """Retry, in a test, without the waits of a minute that are asked for."""
        raise UnableError("")

    def blocks(self, block: Callable[[], object]) -> NoReturn:
        """Retry the body of a block."""
        raise UnableError("")

    def open_circuit(self) -> tuple[Callable[[], object], Callable[[], int]]:
        """Retry over a circuit breaker that is open; and say how often that was asked."""
        raise UnableError("")


def counted(calls: list[int], error: type[Exception] = NoConnection) -> Callable[[], object]:
    """Return a function that fails, and counts its calls."""

    def fail() -> object:
        calls.append(1)
        raise error("no route")

    return fail
