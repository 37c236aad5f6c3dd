"""A run of a coroutine: its reading and writing is done on threads, its time kept by the event loop.

Loaded by name, because importing the suite does not import asyncio.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from holdfast.hooks.jobs.limit import timed_out
from holdfast.hooks.jobs.run import JobRun, JobSpec, ending_of

_Result = TypeVar("_Result")


async def run(job: JobSpec, work: Callable[[], Awaitable[object]]) -> object:
    """Do a job's work once."""
    going = JobRun(job)
    going.enter()
    try:
        return await _ran(going, work)
    finally:
        going.leave()


async def _ran(going: JobRun, work: Callable[[], Awaitable[object]]) -> object:
    await _opened(going)
    try:
        result = await _limited(going.job, work)
    except GeneratorExit as error:  # the loop is gone: nothing can be awaited
        going.close(ending_of(error))
        raise
    except BaseException as error:
        await _aside(partial(going.close, ending_of(error)))
        if going.recovered is not None:
            return going.recovered.value
        raise
    await _aside(partial(going.close, ending_of(None)))
    return result


async def _opened(going: JobRun) -> None:
    try:
        await _aside(going.open)
    except asyncio.CancelledError as error:
        if going.opened:
            await _aside(partial(going.close, ending_of(error)))
        raise


async def _limited(job: JobSpec, work: Callable[[], Awaitable[object]]) -> object:
    if job.within is None:
        return await work()
    limit = asyncio.timeout(job.within)
    try:
        async with limit:
            return await work()
    except TimeoutError as error:
        if limit.expired():
            raise timed_out(job.name, job.within) from error
        raise


async def _aside(call: Callable[[], _Result]) -> _Result:
    """Call something that blocks on a thread, and to its end even if the task is cancelled meanwhile."""
    task = asyncio.ensure_future(asyncio.to_thread(call))
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        task.exception()  # was looked at
        raise cancelled
    return task.result()
