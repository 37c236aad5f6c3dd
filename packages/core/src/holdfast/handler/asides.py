"""User code that may take its time, on threads of its own: waited for, but not for ever.

A thread that does not come to its end is left behind; it is a daemon, so that it holds up no exit.
"""

import importlib
import inspect
import os
import threading
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import TYPE_CHECKING, TypeAlias, cast

from holdfast.forks import ForkSafeLock
from holdfast.handler.busy import handling

if TYPE_CHECKING:
    from concurrent.futures import Future

Work: TypeAlias = Callable[[], object]
"""A call without arguments; what it returns may have to be awaited."""


class OverdueError(Exception):
    """The time was over before the work was."""


class CrowdedError(Exception):
    """As many threads as may be are under way, or left behind, already."""


class Asides:
    """Threads for the work of one owner; thread-safe. The child of a fork begins with none.

    Args:
        most_left: Threads left behind, from which on nothing is begun.
        at_once: Threads under way, those left behind included, from which on nothing is begun.
    """

    def __init__(self, *, most_left: int, at_once: int) -> None:
        self._most_left = most_left
        self._at_once = at_once
        self._lock = ForkSafeLock()
        self._clear()

    def _clear(self) -> None:
        self._process = os.getpid()
        self._under_way: set[Future[object]] = set()
        self._left: set[Future[object]] = set()

    def call(self, work: Work, seconds: float) -> object:
        """Do work to its end, coroutines on an event loop of the thread's own; contextvars are the caller's.

        Raises:
            OverdueError: When the time was over before.
            CrowdedError: When too much is under way or left behind.
        """
        done = self._begin(work, seconds)
        try:
            return done.result(seconds)
        except TimeoutError:
            if done.done():  # it is the work's own
                raise
            raise OverdueError(f"not done within {seconds:g} s") from None
        finally:
            self._leave(done)

    async def acall(self, work: Work, seconds: float) -> object:
        """Do the same without holding up the running event loop."""
        asyncio = importlib.import_module("asyncio")
        done = self._begin(work, seconds)
        try:
            return await within(asyncio.wrap_future(done), seconds)
        finally:
            self._leave(done)

    def _begin(self, work: Work, seconds: float) -> "Future[object]":
        # Loaded when user code waits: it brings `logging` with it.
        done: Future[object] = importlib.import_module("concurrent.futures").Future()
        done.set_running_or_notify_cancel()
        self._enter(done)
        thread = threading.Thread(
            target=copy_context().run,
            args=(self._do, work, seconds, done),
            name="holdfast-aside",
            daemon=True,
        )
        try:
            thread.start()
        except BaseException:
            self._end(done)
            raise
        return done

    def _enter(self, done: "Future[object]") -> None:
        with self._lock:
            if self._process != os.getpid():  # of the threads none came along
                self._clear()
            if len(self._left) >= self._most_left:
                raise CrowdedError(f"{len(self._left)} calls before did not come to their end")
            if len(self._under_way) >= self._at_once:
                raise CrowdedError(f"{len(self._under_way)} calls are under way")
            self._under_way.add(done)

    def _leave(self, done: "Future[object]") -> None:
        with self._lock:
            if not done.done() and done in self._under_way:
                self._left.add(done)

    def _end(self, done: "Future[object]") -> None:
        with self._lock:
            self._under_way.discard(done)
            self._left.discard(done)

    def _do(self, work: Work, seconds: float, done: "Future[object]") -> None:
        try:
            _do(work, seconds, done)
        finally:
            self._end(done)


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
