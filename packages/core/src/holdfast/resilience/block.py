"""A policy around a block of code instead of a function.

The layers are those of every call: their flow is driven as far as the call itself, the block runs in
its place, and its outcome goes back into the flow.
"""

import math
import sys
from contextvars import Context, Token, copy_context
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Final, NoReturn, cast

from holdfast.flow import Flow, adrive, drive
from holdfast.resilience.breaking import BreakerLayer
from holdfast.resilience.bulkhead import BulkheadLayer
from holdfast.resilience.call import Call, Inner, Steps
from holdfast.resilience.deadline import overrun, refusal, remaining_by
from holdfast.resilience.outcome import Outcome
from holdfast.resilience.rate_limit import RateLayer
from holdfast.resilience.scope import Scope, current_attempt, current_scope, restore
from holdfast.resilience.timeout import TimeLayer

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from holdfast.errors import DeadlineExceededError
    from holdfast.resilience.live import LivePolicy

ADMITTING: Final = (TimeLayer, RateLayer, BreakerLayer, BulkheadLayer)
"""Layers that let something happen or refuse it, and look at how it ends: all that a block can use."""


class _TheBlock:
    """Stands for the block among the things that a flow asks for: whoever drives the flow runs it."""

    def now(self) -> NoReturn:
        raise NotImplementedError

    async def later(self) -> NoReturn:
        raise NotImplementedError


_THE_BLOCK: Final = _TheBlock()


class Passage:
    """One way through the layers of a policy: to the block, and back with its outcome.

    The flow has a context of its own, because a generator that holds the block open may be closed in
    another one than it began in; the block is given the scope that the flow has set there.

    Args:
        live: The policy at work.
    """

    __slots__ = ("_begun", "_clock", "_context", "_ended", "_steps", "_token")

    def __init__(self, live: "LivePolicy") -> None:
        self._clock = live.host.clock
        self._context: Context = copy_context()
        self._begun = False
        self._ended: Outcome | None = None
        self._token: Token[Scope] | None = None
        way: Inner = self._run_the_block
        for layer in reversed(live.layers):
            if isinstance(layer, ADMITTING):
                way = partial(layer.steps, inner=way)
        self._steps = way(Call(_nothing, outer=current_attempt()))

    def onward(self, outcome: Outcome | None = None) -> Flow[None]:
        """Go on to the block, or with its outcome to the end.

        Raises:
            RuntimeError: It went to the block before.
        """
        if outcome is None and self._begun:
            raise RuntimeError("this block was entered before: call `policy.calling()` for each")
        self._begun = True
        try:
            ask = self._context.run(self._steps.send, outcome)
            while ask is not _THE_BLOCK:
                try:
                    answer = yield ask
                except BaseException as failure:  # noqa: BLE001  # the layers say what it means
                    ask = self._context.run(self._steps.throw, failure)
                else:
                    ask = self._context.run(self._steps.send, answer)
        except StopIteration as end:
            self._ended = cast("Outcome", end.value)

    def enter(self) -> float:
        """Give the block its scope; return the seconds it has.

        Raises:
            Exception: The policy refused.
        """
        ended, self._ended = self._ended, None
        if ended is not None and ended.error is not None:
            try:
                raise ended.error
            finally:
                del ended  # or the error would hold itself by its traceback
        self._token = current_scope.set(self._context.run(current_scope.get))
        return remaining_by(self._clock)

    def leave(self) -> None:
        """Take the scope away again."""
        token, self._token = self._token, None
        if token is not None:
            restore(token)

    def _run_the_block(self, call: Call) -> Steps:  # noqa: ARG002  # as any innermost of a way
        """Be the innermost of the way: refuse when no time is left, as for a call."""
        if remaining_by(self._clock) <= 0.0:
            return Outcome(refusal())
        return cast("Outcome", (yield _THE_BLOCK))


class Block:
    """A plain block under a policy; to be entered once."""

    __slots__ = ("_passage",)

    def __init__(self, live: "LivePolicy") -> None:
        self._passage = Passage(live)

    def __enter__(self) -> None:
        drive(self._passage.onward())
        self._passage.enter()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._passage.leave()
        drive(self._passage.onward(Outcome(error)))


class AsyncBlock:
    """An asynchronous block under a policy, cancelled when its time is over; to be entered once."""

    __slots__ = ("_limit", "_passage", "_seconds")

    def __init__(self, live: "LivePolicy") -> None:
        self._passage = Passage(live)
        self._limit: AbstractAsyncContextManager[object] | None = None
        self._seconds = math.inf

    async def __aenter__(self) -> None:
        await adrive(self._passage.onward())
        self._seconds = self._passage.enter()
        if self._seconds != math.inf:
            asyncio = sys.modules["asyncio"]  # who runs a loop has loaded it
            limit: AbstractAsyncContextManager[object] = asyncio.timeout(self._seconds)
            await limit.__aenter__()
            self._limit = limit

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._passage.leave()
        late: DeadlineExceededError | None = None
        if self._limit is not None:
            try:
                await self._limit.__aexit__(kind, error, traceback)
            except TimeoutError as ended:  # ours alone: that of the block would go on after this
                late = overrun(self._seconds)
                late.__cause__ = ended
        await adrive(self._passage.onward(Outcome(late or error)))
        if late is not None:
            raise late


def _nothing() -> None:
    """Stand for the function of a call that has none."""
