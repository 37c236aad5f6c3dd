"""The load: probes at a steady rate, whatever becomes of those before, each on a connection of its own."""

import asyncio
import random
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

RATE: Final = 20
"""Probes per second in all."""
PATIENCE: Final = 10.0
"""Seconds that an answer is waited for."""
_REQUEST: Final = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: kube-probe/1.33\r\nAccept: */*\r\n"
    "Connection: close\r\n\r\n"
)


@dataclass(frozen=True, slots=True)
class Answered:
    """One probe."""

    path: str
    begun: float
    """Seconds from the beginning of the load."""
    seconds: float
    """From when it was sent to its last byte."""
    status: int
    """0: it was not answered."""


async def load(
    port: int, paths: Sequence[str], seconds: float, chance: random.Random
) -> list[Answered]:
    """Ask some paths in turn, in an order drawn for each turn, and wait for the last answer."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    turn: list[str] = []
    asked: list[asyncio.Task[Answered]] = []
    for number in range(round(seconds * RATE)):
        await asyncio.sleep(start + number / RATE - loop.time())
        turn = turn or chance.sample(paths, len(paths))
        asked.append(asyncio.create_task(_ask(port, turn.pop(), start)))
    return list(await asyncio.gather(*asked))


async def _ask(port: int, path: str, start: float) -> Answered:
    loop = asyncio.get_running_loop()
    begun, said = loop.time(), b""
    try:
        async with asyncio.timeout(PATIENCE):
            said = await get(port, path)
    except (OSError, TimeoutError):
        said = b""
    return Answered(path, begun - start, loop.time() - begun, _status(said))


async def get(port: int, path: str) -> bytes:
    """Return all that a server answers.

    Raises:
        OSError: There is none, or it hung up.
    """
    loop = asyncio.get_running_loop()
    with socket.socket() as connection:
        connection.settimeout(0)
        await loop.sock_connect(connection, ("127.0.0.1", port))
        await loop.sock_sendall(connection, _REQUEST.format(path=path).encode())
        said = b""
        while chunk := await loop.sock_recv(connection, 65_536):
            said += chunk
        return said


def _status(said: bytes) -> int:
    words = said.split(b" ", 2)
    return int(words[1]) if len(words) == 3 and words[1].isdigit() else 0
