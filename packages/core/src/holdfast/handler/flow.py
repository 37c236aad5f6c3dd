"""Decisions that wait for user code: written once, as generators, and driven by two short drivers.

A flow yields each call it wants made and is sent what came of it; how that is waited for, on this
thread or on an event loop, is the driver's business.
"""

import sys
from collections.abc import Generator
from typing import Protocol, TypeAlias, TypeVar, cast

_Result = TypeVar("_Result")


class Ask(Protocol):
    """One call of user code that a flow waits for."""

    def now(self) -> object:
        """Make the call, and wait for its end on this thread."""
        ...

    async def later(self) -> object:
        """Make the call, and leave the running event loop to others until its end."""
        ...


Flow: TypeAlias = Generator[Ask, object, _Result]


def drive(flow: Flow[_Result]) -> _Result:
    """Run a flow to its end on this thread."""
    try:
        ask = next(flow)
        while True:
            try:
                answer = ask.now()
            except BaseException as failure:  # noqa: BLE001  # the flow says what it means
                ask = flow.throw(failure)
            else:
                ask = flow.send(answer)
    except StopIteration as end:
        return cast("_Result", end.value)


async def adrive(flow: Flow[_Result]) -> _Result:
    """Run a flow to its end on the running event loop."""
    try:
        ask = next(flow)
        while True:
            try:
                answer = await ask.later()
            except BaseException as failure:  # noqa: BLE001  # the flow says what it means
                ask = flow.throw(failure)
            else:
                ask = flow.send(answer)
    except StopIteration as end:
        return cast("_Result", end.value)


def is_failure(failure: BaseException) -> bool:
    """Tell whether user code failed, and nobody ends the work around it by an exit or a cancellation."""
    if isinstance(failure, Exception):
        return True
    # By name, so that importing the suite does not import asyncio.
    return type(failure).__name__ == "CancelledError" and not _is_being_cancelled()


def _is_being_cancelled() -> bool:
    asyncio = sys.modules.get("asyncio")
    try:
        task = None if asyncio is None else asyncio.current_task()
    except RuntimeError:  # no loop runs here
        return False
    return task is not None and task.cancelling() > 0
