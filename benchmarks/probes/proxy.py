"""A TCP proxy that can be cut: silently, so that nobody hears of it, or by refusing."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator
from enum import Enum
from typing import Final

_CHUNK: Final = 65_536
_LOOK: Final = 0.05


class Link(Enum):
    """How the way to the service is."""

    UP = "up"
    STALLED = "stalled"
    """Nothing gets through, and nothing is refused: a cable is out, or a packet filter drops."""
    REFUSED = "refused"
    """Connections are reset, and new ones refused."""


class Proxy:
    """Stands in front of a port of the loopback address; belongs to the running event loop.

    Args:
        target: Port of the service.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._pipes: set[asyncio.Task[None]] = set()
        self._clients: set[asyncio.StreamWriter] = set()
        self._through = asyncio.Event()
        self._through.set()
        self._server: asyncio.Server | None = None
        self.port = 0

    @property
    def connections(self) -> int:
        """How many clients hold a connection."""
        return len(self._clients)

    async def open(self) -> None:
        """Listen on a free port, or on the same as before."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def become(self, link: Link) -> None:
        """Let through, stall, or refuse from now on."""
        if link is Link.REFUSED:
            self._through.clear()
            await self.close()
            return
        if self._server is None:
            await self.open()
        (self._through.set if link is Link.UP else self._through.clear)()

    async def close(self) -> None:
        """Reset every connection and listen no more."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for client in self._clients:
            transport = client.transport
            # Reset instead of a polite end, as from a service that was killed.
            sock = transport.get_extra_info("socket")
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            transport.abort()
        pipes = tuple(self._pipes)
        for pipe in pipes:
            pipe.cancel()
        await asyncio.gather(*pipes, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._pipes.add(task)
        self._clients.add(writer)
        try:
            await self._connect(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # the other end is gone, or this one is told to be
        finally:
            self._clients.discard(writer)
            self._pipes.discard(task)
            writer.close()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        try:
            ways = [self._pour(reader, back), self._pour(there, writer)]
            tasks = [asyncio.create_task(way) for way in ways]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            back.close()

    async def _pour(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while chunk := await source.read(_CHUNK):
            # Looked at again and again, so as to see a client that gives up meanwhile.
            while not self._through.is_set():
                if source.at_eof():
                    return
                await asyncio.sleep(_LOOK)
            target.write(chunk)
            await target.drain()


@contextlib.asynccontextmanager
async def proxied(target: int) -> AsyncGenerator[Proxy]:
    """Put a proxy in front of a port until the block ends."""
    proxy = Proxy(target)
    await proxy.open()
    try:
        yield proxy
    finally:
        await proxy.close()
