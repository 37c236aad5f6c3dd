"""User code that may take its time, on threads of its own: waited for, but not for ever.

A thread that does not come to its end is left behind; it is a daemon, so that it holds up no exit.
"""

import importlib
import inspect
import threading
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import TYPE_CHECKING, TypeAlias, cast

from holdfast.handler.busy import handling

if TYPE_CHECKING:
    from concurrent.futures import Future

Work: TypeAlias = Callable[[], object]
"""A call without arguments; what it returns may have to be awaited."""


class OverdueError(Exception):
    """The time was over before the work was."""


class CrowdedError(Exception):
    """As many threads as may be are left behind already."""


class Asides:
    """Threads for the work of one owner; thread-safe.

    Args:
        most: Threads left behind at once, above which nothing is begun.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._left: tuple[threading.Thread, ...] = ()

    @property
    def crowded(self) -> bool:
        """Whether nothing can be begun until something that was left behind ends."""
        # Of a process that forked no thread but its own is alive.
        self._left = tuple(thread for thread in self._left if thread.is_alive())
        return len(self._left) >= self._most

    def call(self, work: Work, seconds: float) -> object:
        """Do work to its end, coroutines on an event loop of the thread's own; contextvars are the caller's.

        Raises:
            OverdueError: When the time was over before.
            CrowdedError: When too much is left behind.
        """
        thread, done = self._begin(work, seconds)
        try:
            return done.result(seconds)
        except TimeoutError:
            if done.done():  # it is the work's own
                raise
            raise OverdueError(f"not done within {seconds:g} s") from None
        finally:
            self._leave(thread, done)

    async def acall(self, work: Work, seconds: float) -> object:
        """Do the same without holding up the running event loop."""
        asyncio = importlib.import_module("asyncio")
        thread, done = self._begin(work, seconds)
        try:
            return await within(asyncio.wrap_future(done), seconds)
        finally:
            self._leave(thread, done)

    def _begin(self, work: Work, seconds: float) -> tuple[threading.Thread, "Future[object]"]:
        if self.crowded:
            raise CrowdedError(f"{self._most} calls before did not come to their end")
        # Loaded when user code waits: it brings `logging` with it.
        done: Future[object] = importlib.import_module("concurrent.futures").Future()
        done.set_running_or_notify_cancel()
        thread = threading.Thread(
            target=copy_context().run,
            args=(_do, work, seconds, done),
            name="holdfast-aside",
            daemon=True,
        )
        thread.start()
        return thread, done

    def _leave(self, thread: threading.Thread, done: "Future[object]") -> None:
        if not done.done():
            self._left = (*self._left, thread)


def _do(work: Work, seconds: float, done: "Future[object]") -> None:
    handling.busy = True
    try:
        answer = work()
        if inspect.isawaitable(answer):
            asyncio = importlib.import_module("asyncio")
            # Told before the loop is closed, which may wait for what the work left on it.
            asyncio.run(_settle(cast("Awaitable[object]", answer), seconds, done))
        else:
            done.set_result(answer)
    except BaseException as failure:  # noqa: BLE001  # for whoever waits
        if not done.done():
            done.set_exception(failure)


async def _settle(answer: Awaitable[object], seconds: float, done: "Future[object]") -> None:
    try:
        result = await within(answer, seconds)
    except BaseException as failure:
        done.set_exception(failure)
        raise
    done.set_result(result)


async def within(work: Awaitable[object], seconds: float) -> object:
    """Await something for a limited time; what does not let itself be cancelled is left behind.

    Raises:
        OverdueError: When the time was over before.
    """
    asyncio = importlib.import_module("asyncio")
    task: Future[object] = asyncio.ensure_future(work)
    try:
        await asyncio.wait([task], timeout=seconds)
        if not task.done():
            raise OverdueError(f"not done within {seconds:g} s")
        return task.result()
    finally:
        if not task.done():
            task.cancel()
            task.add_done_callback(_was_seen)


def _was_seen(task: "Future[object]") -> None:
    if not task.cancelled():
        task.exception()
