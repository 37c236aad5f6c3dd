"""The steps before classification: user code that enriches, samples, ignores or replaces errors."""

import importlib
import inspect
import threading
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from math import inf
from typing import TYPE_CHECKING, TypeAlias, cast

from holdfast.callables import is_async, name_of
from holdfast.classify import is_control_flow
from holdfast.complaints import complain
from holdfast.flow import Flow, adrive, drive
from holdfast.forks import ForkSafeLock
from holdfast.handler.asides import Asides
from holdfast.handler.busy import Busily
from holdfast.handler.failures import is_failure
from holdfast.handler.verdict import Verdict
from holdfast.origin import ErrorContext

if TYPE_CHECKING:
    from concurrent.futures import Future

Next: TypeAlias = Callable[[BaseException, ErrorContext], Verdict]
"""Goes on with an error and its circumstances, the same or others, and returns what was decided."""
AsyncNext: TypeAlias = Callable[[BaseException, ErrorContext], Awaitable[Verdict]]
"""The same for a coroutine function."""
SyncMiddleware: TypeAlias = Callable[[BaseException, ErrorContext, Next], Verdict]
AsyncMiddleware: TypeAlias = Callable[[BaseException, ErrorContext, AsyncNext], Awaitable[Verdict]]
Middleware: TypeAlias = SyncMiddleware | AsyncMiddleware
"""A step before classification, `def` or `async def`: goes on by its last argument, or stops with a
verdict of its own."""

Last: TypeAlias = Callable[[BaseException, ErrorContext], Flow[Verdict]]
"""What all the steps lead to."""

PATIENCE = 10.0
"""Seconds that `handle` waits for each call of user code that is a coroutine."""


class Pipeline:
    """The steps in order, outermost first; steps may be added while errors are handled.

    Args:
        steps: From the settings.
        last: Decides, after all of them.
        asides: Where coroutines run when nobody awaits.
        is_async_below: Whether the last may have something to await.

    Attributes:
        steps: Those there are by now.
    """

    def __init__(
        self,
        steps: Iterable[Middleware],
        last: Last,
        asides: Asides,
        is_async_below: Callable[[], bool],
    ) -> None:
        self._lock = ForkSafeLock()
        self.steps = tuple(steps)
        self._last = last
        self._asides = asides
        self._is_async_below = is_async_below

    @property
    def asynchronous(self) -> bool:
        """Whether one of the steps is a coroutine function."""
        return any(map(is_async, self.steps))

    def add(self, step: Middleware) -> None:
        """Add a step, inside of those that are there."""
        with self._lock:
            self.steps = (*self.steps, step)

    def run(self, error: BaseException, context: ErrorContext) -> Flow[Verdict]:
        """Take an error through the steps, and the last."""
        return self._from(self.steps, error, context)

    def _from(
        self, steps: tuple[Middleware, ...], error: BaseException, context: ErrorContext
    ) -> Flow[Verdict]:
        if not steps:
            return (yield from self._last(error, context))
        outer, *inner = steps
        below = partial(self._from, tuple(inner))
        waits = any(map(is_async, inner)) or self._is_async_below()
        step = _Step(outer, error, context, below, self._asides, waits=waits)
        try:
            return _checked((yield step))
        except BaseException as failure:
            if not is_failure(failure):
                raise
            complain(f"middleware {name_of(outer)} raised {type(failure).__name__}")
        return step.decided or (yield from below(error, context))


class _Step:
    """One step, which calls for what is below it."""

    def __init__(
        self,
        middleware: Middleware,
        error: BaseException,
        context: ErrorContext,
        below: Last,
        asides: Asides,
        *,
        waits: bool,
    ) -> None:
        self.decided: Verdict | None = None
        self._call = partial(cast("Callable[..., object]", middleware), error, context)
        self._below = below
        self._asides = asides
        self._waits = waits
        self._asynchronous = is_async(middleware)

    def now(self) -> object:
        """Run it on this thread; a coroutine on another, with an event loop of its own."""
        if self._asynchronous:
            return self._asides.call(partial(self._call, self._afollowing), PATIENCE)
        answer = self._call(self._following)
        if inspect.isawaitable(answer):
            return self._asides.call(lambda: answer, PATIENCE)
        return answer

    async def later(self) -> object:
        """Run it on the loop; where it is synchronous and something below is not, on a thread."""
        if self._waits and not self._asynchronous:
            return await self._on_thread()
        answer = self._call(self._afollowing if self._asynchronous else self._following)
        return await answer if inspect.isawaitable(answer) else answer

    async def _on_thread(self) -> object:
        asyncio = importlib.import_module("asyncio")
        loop = asyncio.get_running_loop()
        goings: list[Future[Verdict]] = []
        ended = threading.Event()

        def following(error: BaseException, context: ErrorContext) -> Verdict:
            going = asyncio.run_coroutine_threadsafe(self._afollowing(error, context), loop)
            goings.append(going)
            if ended.is_set():
                going.cancel()
            return cast("Verdict", going.result())

        # Not one of the loop's own threads, which are few: what is below may wait for one of those.
        try:
            return await self._asides.acall(partial(self._call, following), inf)
        finally:
            ended.set()
            for going in goings:
                going.cancel()  # where this was: else the thread would wait on

    def _following(self, error: BaseException, context: ErrorContext) -> Verdict:
        self.decided = decided = drive(self._below(_an_error(error), context))
        return decided

    async def _afollowing(self, error: BaseException, context: ErrorContext) -> Verdict:
        self.decided = decided = await Busily(adrive(self._below(_an_error(error), context)))
        return decided


def _an_error(given: BaseException) -> BaseException:
    if is_control_flow(given):
        raise TypeError(
            f"a middleware must not go on with {type(given).__name__}, which is no error"
        )
    return given


def _checked(verdict: object) -> Verdict:
    if isinstance(verdict, Verdict):
        return verdict
    raise TypeError(f"a middleware must return a Verdict, not {type(verdict).__name__}")
