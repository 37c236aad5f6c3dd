"""Errors of event loops."""

import asyncio
import gc
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine

from holdfast import spawn, watch_loop
from tests.paths.python_script.kinds import fail, row, scenario

held: list[object] = []


def _loop() -> asyncio.AbstractEventLoop:
    return watch_loop(asyncio.new_event_loop())


def _run(main: Callable[[], Coroutine[object, object, None]]) -> None:
    with asyncio.Runner(loop_factory=_loop) as runner:
        runner.run(main())


async def _fails() -> None:
    raise LookupError("no such row")


async def _turns(count: int = 3) -> None:
    """Let the loop do what is due."""
    loop = asyncio.get_running_loop()
    for _ in range(count):
        turned = loop.create_future()
        loop.call_soon(turned.set_result, None)
        await turned


@scenario("task-forgotten")
def task_forgotten() -> None:
    """Forget a task that fails."""

    async def main() -> None:
        with row("task-forgotten"):
            asyncio.create_task(_fails())  # noqa: RUF006  # forgotten on purpose
        await _turns()
        gc.collect()

    _run(main)


@scenario("task-unwatched")
def task_unwatched() -> None:
    """Forget a task that fails, on a loop nobody told us of."""

    async def fails() -> None:
        fail("task-unwatched")

    async def main() -> None:
        asyncio.create_task(fails())  # noqa: RUF006  # forgotten on purpose
        await _turns()
        gc.collect()

    asyncio.run(main())


@scenario("task-spawned", plain=False)
def task_spawned() -> None:
    """Fail in a coroutine that nobody waits for."""

    async def main() -> None:
        with row("task-spawned"):
            spawn(_fails())
        await _turns()

    asyncio.run(main())


@scenario("task-cancelled")
def task_cancelled() -> None:
    """Cancel a task."""

    async def main() -> None:
        task = asyncio.create_task(asyncio.Event().wait())
        await _turns()
        task.cancel()
        await _turns()

    _run(main)


@scenario("task-destroyed")
def task_destroyed() -> None:
    """Lose a task that is waiting, as one that nobody holds."""

    async def waits() -> None:
        await asyncio.get_running_loop().create_future()

    async def main() -> None:
        asyncio.create_task(waits())  # noqa: RUF006  # forgotten on purpose
        await _turns()
        gc.collect()

    _run(main)


@scenario("task-group")
def task_group() -> None:
    """Fail in a task of a group."""

    async def main() -> None:
        with row("task-group"):
            async with asyncio.TaskGroup() as group:
                group.create_task(_fails())

    _run(main)


@scenario("future-forgotten")
def future_forgotten() -> None:
    """Forget a future that fails."""

    async def main() -> None:
        with row("future-forgotten"):
            future = asyncio.get_running_loop().create_future()
            try:
                fail("future-forgotten")
            except LookupError as error:
                future.set_exception(error)
        del future
        gc.collect()

    _run(main)


@scenario("gathered")
def gathered() -> None:
    """Fail in what is gathered with its errors, and look at nothing."""

    async def main() -> None:
        with row("gathered"):
            await asyncio.gather(_fails(), return_exceptions=True)
        gc.collect()

    _run(main)


@scenario("loop-callback")
def loop_callback() -> None:
    """Fail in a callback of the loop."""

    async def main() -> None:
        with row("loop-callback"):
            asyncio.get_running_loop().call_soon(int, "seven")
        await _turns()

    _run(main)


@scenario("task-callback")
def task_callback() -> None:
    """Fail in the callback of a task."""

    async def main() -> None:
        with row("task-callback"):
            task = asyncio.create_task(_turns(1))
            task.add_done_callback(lambda _: fail("task-callback"))
        await task
        await _turns()

    _run(main)


@scenario("loop-signal")
def loop_signal() -> None:
    """Fail in the loop's handler of a signal."""

    async def main() -> None:
        handled = asyncio.Event()

        def handle() -> None:
            handled.set()
            fail("loop-signal")

        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, handle)
        os.kill(os.getpid(), signal.SIGUSR1)
        await handled.wait()

    _run(main)


@scenario("async-generator")
def async_generator() -> None:
    """Fail in an async generator that is closed when its loop ends."""

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            fail("async-generator")

    async def main() -> None:
        unfinished = numbers()
        held.append(unfinished)
        await anext(unfinished)

    _run(main)


@scenario("loop-handler")
def loop_handler() -> None:
    """Fail in the handler that a loop has for errors."""

    def broken(_: asyncio.AbstractEventLoop, __: dict[str, object]) -> None:
        fail("loop-handler")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(broken)
        watch_loop()
        loop.call_exception_handler({"message": "something without an exception"})

    asyncio.run(main())


@scenario("async-main")
def async_main() -> None:
    """Fail in the coroutine that a loop runs."""

    async def main() -> None:
        fail("async-main")

    asyncio.run(main())


@scenario("executor-awaited")
def executor_awaited() -> None:
    """Fail in a thread whose result a task waits for that nobody awaits."""

    async def main() -> None:
        with row("executor-awaited"):
            task = asyncio.create_task(asyncio.to_thread(int, "seven"))
        await asyncio.wait([task])
        del task
        gc.collect()

    _run(main)
