"""Decisions that wait: written once, as generators, and driven by two short drivers.

A flow yields each thing it waits for and is sent what came of it; whether that is waited for on this
thread or on an event loop is the driver's business.
"""

from collections.abc import Generator
from typing import Protocol, TypeAlias, TypeVar, cast

_Result = TypeVar("_Result")


class Ask(Protocol):
    """One thing that a flow waits for: a call of user code, a delay, a signal."""

    def now(self) -> object:
        """Do it, and wait for its end on this thread."""
        ...

    async def later(self) -> object:
        """Do it, and leave the running event loop to others until its end."""
        ...


Flow: TypeAlias = Generator[Ask, object, _Result]


def drive(flow: Flow[_Result]) -> _Result:
    """Run a flow to its end on this thread."""
    answer: object = None
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
    except BaseException:
        flow.close()  # a driver that is interrupted itself has not told the flow
        raise
    finally:
        del answer  # or an error in it would hold itself, by the frames that called what raised it


async def adrive(flow: Flow[_Result]) -> _Result:
    """Run a flow to its end on the running event loop."""
    answer: object = None
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
    except BaseException:
        flow.close()  # a driver that is interrupted itself has not told the flow
        raise
    finally:
        del answer  # as above
