"""The servers, as subprocesses on a loopback port that this process listens on."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from benchmarks.probes.load import get

ROOT: Final = Path(__file__).parents[2]
SERVERS: Final[Mapping[str, tuple[str, ...]]] = {
    "sync": ("gunicorn", "--no-control-socket", "--workers=4"),
    "gthread": ("gunicorn", "--no-control-socket", "--workers=2", "--threads=4"),
    "uvicorn": ("uvicorn", "--lifespan=off", "--no-access-log"),
}
"""Commands, by the name of the server."""
_BACKLOG: Final = 2048
_TRIES, _TRY = 10, 3.0
_GRACE: Final = 3.0


@dataclass(frozen=True)
class Server:
    """One that runs."""

    port: int
    process: "subprocess.Popen[bytes]"
    output: Path

    def workers_begun(self) -> int:
        """Return how many workers gunicorn started so far, those included that it replaced."""
        return self.output.read_text(errors="replace").count("Booting worker")

    def family(self) -> list[psutil.Process]:
        """Return its processes."""
        try:
            parent = psutil.Process(self.process.pid)
            return [parent, *parent.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


@contextlib.asynccontextmanager
async def serving(
    name: str, application: str, output: Path, environment: Mapping[str, str]
) -> AsyncGenerator[Server]:
    """Serve an application until the block ends; all of its processes end with it."""
    with socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG) as listening:
        process = _started(name, application, listening, output, environment)
        server = Server(listening.getsockname()[1], process, output)
        try:
            await _up(server)
            yield server
        finally:
            await asyncio.to_thread(_end, server)


def _started(
    name: str,
    application: str,
    listening: socket.socket,
    output: Path,
    environment: Mapping[str, str],
) -> "subprocess.Popen[bytes]":
    module, *options = SERVERS[name]
    fd = listening.fileno()
    bind = f"--bind=fd://{fd}" if module == "gunicorn" else f"--fd={fd}"
    with output.open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", module, bind, *options, application],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=[fd],
        )


async def _up(server: Server) -> None:
    for _ in range(_TRIES):
        if server.process.poll() is not None:
            break
        # The socket takes connections before there is anybody to answer.
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(_TRY):
                if b" 200 " in await get(server.port, "/empty"):
                    return
    raise RuntimeError(f"it did not start:\n{server.output.read_text(errors='replace')[-2000:]}")


def _end(server: Server) -> None:
    """End by SIGTERM, and what is left of it after a while by SIGKILL: a check may hang."""
    family = server.family()
    with contextlib.suppress(ProcessLookupError):
        server.process.send_signal(signal.SIGTERM)
    _, left = psutil.wait_procs(family, _GRACE)
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    server.process.wait()
