"""What a server takes while it is probed: threads, descriptors, memory, connections."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final

import psutil

from benchmarks.probes.proxy import Proxy
from benchmarks.probes.server import Server

_PERIOD: Final = 0.5


@dataclass(frozen=True, slots=True)
class Sample:
    """What all processes of a server took at one moment."""

    at: float
    """Seconds from the beginning of the load."""
    processes: int
    threads: int
    descriptors: int
    memory: int
    """Bytes; what processes share is counted in each."""
    connections: int
    """To the database, or to what stands in front of it."""


@contextlib.asynccontextmanager
async def sampled(server: Server, proxy: Proxy) -> AsyncGenerator[list[Sample]]:
    """Look again and again until the block ends."""
    samples: list[Sample] = []
    task = asyncio.create_task(_look(server, proxy, samples))
    try:
        yield samples
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _look(server: Server, proxy: Proxy, samples: list[Sample]) -> None:
    loop = asyncio.get_running_loop()
    start = loop.time()
    while True:
        at, connections = loop.time() - start, proxy.connections
        samples.append(await asyncio.to_thread(_sample, server, at, connections))
        await asyncio.sleep(_PERIOD)


def _sample(server: Server, at: float, connections: int) -> Sample:
    threads = descriptors = memory = count = 0
    for process in server.family():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied), process.oneshot():
            threads += process.num_threads()
            descriptors += process.num_fds()
            memory += process.memory_info().rss
            count += 1
    return Sample(at, count, threads, descriptors, memory, connections)
