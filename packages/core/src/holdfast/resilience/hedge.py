"""A further attempt while the first one is slow: the tail of a distribution for a few more calls."""

import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NoReturn, Protocol, TypeVar, cast

from holdfast.clock import Clock
from holdfast.flow import adrive
from holdfast.resilience.call import Call, Inner, Steps
from holdfast.resilience.host import Host
from holdfast.resilience.outcome import Outcome
from holdfast.resilience.validity import check_count, check_seconds

if TYPE_CHECKING:
    from asyncio import Task

_Result = TypeVar("_Result")

MOST: Final = 10
"""Further attempts that make sense; each is load on a dependency that is slow already."""


@dataclass(frozen=True, slots=True)
class Hedge:
    """Makes a further attempt when the first has not answered in time; the first success wins.

    For coroutine functions, and for calls that are idempotent: both attempts may reach the other side.
    The others are cancelled, and waited for, before the answer is given; circuits do not count them.
    Each attempt goes through the circuit, the bulkhead and the time-out by itself. A further attempt
    takes a token of the retry's budget when the policy has one; without a token it is not made. An
    attempt that fails before a further one has begun is the outcome, for `Retry` to judge; later the
    first failure is, once all have failed.

    Args:
        delay: Seconds without an answer after which a further attempt begins: about the 95th percentile
            of what the call takes, so that one call in twenty is made twice. More than 0.
        extra: Further attempts at most, each after a further delay; 1 to 10.

    Raises:
        ValueError: For values out of range.
        TypeError: For what is no number; and at the first plain call, which nobody can hedge.
    """

    delay: float
    extra: int = 1

    def __post_init__(self) -> None:
        check_seconds("Hedge.delay", self.delay, above=True)
        check_count("Hedge.extra", self.extra, least=1, most=MOST)

    def live(self, name: str, host: Host) -> "HedgeLayer":
        """Return the layer of one policy."""
        return HedgeLayer(self, name, host)


class Tokens(Protocol):
    """What further attempts cost."""

    def take(self) -> bool:
        """Take a token; False when none is left."""
        ...


class HedgeLayer:
    """Hedged calls, live.

    Attributes:
        tokens: What a further attempt costs; None: nothing.
    """

    def __init__(self, spec: Hedge, name: str, host: Host) -> None:
        self.tokens: Tokens | None = None
        self._spec = spec
        self._name = name
        self._clock = host.clock

    def steps(self, call: Call, inner: Inner) -> Steps:
        """Make the call, and again while it has not answered."""
        outcome = yield Race(
            lambda: inner(copy(call)), self._spec, self._name, self._clock, self.tokens
        )
        return cast("Outcome", outcome)


class Race:
    """Attempts that run beside each other; brings back the outcome of the first that succeeds.

    Args:
        attempt: Begins one, as a flow.
        spec: When others begin.
        name: Of the policy, for the message to plain calls.
        clock: What the delay is measured by.
        tokens: What a further attempt costs.
    """

    __slots__ = ("_attempt", "_clock", "_name", "_spec", "_tokens")

    def __init__(
        self,
        attempt: Callable[[], Steps],
        spec: Hedge,
        name: str,
        clock: Clock,
        tokens: Tokens | None,
    ) -> None:
        self._attempt = attempt
        self._spec = spec
        self._name = name
        self._clock = clock
        self._tokens = tokens

    def now(self) -> NoReturn:
        """Refuse: one thread cannot make two attempts.

        Raises:
            TypeError: Always.
        """
        raise TypeError(
            f"policy {self._name!r} has a Hedge, which only coroutine functions can use: "
            "call one with `await policy.acall(...)`, or leave Hedge out"
        )

    async def later(self) -> Outcome:
        """Run attempts as tasks until one succeeds; when this ends, none of them is left."""
        asyncio = sys.modules["asyncio"]  # who runs a loop has loaded it
        tasks: list[Task[object]] = []
        try:
            return await self._won(tasks)
        except GeneratorExit:  # abandoned, and closed on any thread: nothing can be waited for
            for task in tasks:
                with suppress(RuntimeError):  # its loop is closed
                    task.get_loop().call_soon_threadsafe(task.cancel)
            tasks.clear()
            raise
        finally:
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _won(self, tasks: "list[Task[object]]") -> Outcome:
        asyncio = sys.modules["asyncio"]

        def begin(work: Coroutine[object, object, _Result]) -> "Task[_Result]":
            task: Task[_Result] = asyncio.create_task(work)
            tasks.append(task)
            return task

        running = [begin(adrive(self._attempt()))]
        pause: Task[None] | None = begin(self._clock.asleep(self._spec.delay))
        begun, lost = 1, list[Outcome]()
        while True:
            waited = running if pause is None else [*running, pause]
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            for task in [task for task in running if task.done()]:
                running.remove(task)
                outcome = task.result()
                if not outcome.failed:  # a success, an exit or a cancellation
                    return outcome
                lost.append(outcome)
            if not running:
                return lost[0]
            if pause is not None and pause.done():
                pause = None
                if self._may_begin(begun):
                    begun += 1
                    running.append(begin(adrive(self._attempt())))
                    pause = begin(self._clock.asleep(self._spec.delay))

    def _may_begin(self, begun: int) -> bool:
        return begun <= self._spec.extra and (self._tokens is None or self._tokens.take())
