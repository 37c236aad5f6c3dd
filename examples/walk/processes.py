"""The processes of the demo: the gateway and the shops under real servers, on loopback ports."""

import os
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DJANGO = {"DJANGO_SETTINGS_MODULE": "examples.shop_django.settings"}
START_TIMEOUT, STOP_TIMEOUT = 30.0, 5.0
"""Seconds that a process may take to answer, and to end once it was asked to."""

GUNICORN = (
    "-m gunicorn --bind fd://{fd} --workers 1 --threads 4 --no-control-socket --log-level warning"
)
UVICORN = "-m uvicorn --fd {fd} --log-level warning --no-access-log --no-server-header"

SHOPS = {
    "Django, WSGI": f"{GUNICORN} examples.shop_django.wsgi",
    "Flask, WSGI": f"{GUNICORN} examples.shop_flask.app:wsgi",
    "Django, ASGI": f"{UVICORN} examples.shop_django.asgi:application",
    "Flask, ASGI": f"{UVICORN} examples.shop_flask.app:asgi",
}
"""Arguments for Python by the name of the shop. One worker each: metrics are kept by process."""


@dataclass(frozen=True, slots=True)
class Server:
    """A process that answers on a port."""

    name: str
    port: int
    log: Path
    """What it writes to standard output and standard error."""
    process: "subprocess.Popen[bytes]"

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def wait_until_ready(self, path: str = "/") -> None:
        """Return when it has answered, whatever the answer.

        Raises:
            RuntimeError: When it ended instead, or did not answer in time.
        """
        try:
            connection = HTTPConnection("127.0.0.1", self.port, timeout=START_TIMEOUT)
            connection.request("GET", path)
            connection.getresponse().read()
            connection.close()
        except OSError as error:
            said = self.log.read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{self.name} does not answer; it said:\n{said}") from error


@contextmanager
def running(folder: Path, names: tuple[str, ...] = tuple(SHOPS)) -> Generator[list[Server]]:
    """Start the gateway and the shops, and end them when the block is left.

    Args:
        folder: Where databases and logs are kept.
        names: Which shops to start.
    """
    with ExitStack() as stack:
        gateway = stack.enter_context(
            _started("gateway", "-m examples.gateway.server --fd {fd}", folder, {})
        )
        shops = [
            stack.enter_context(
                _started(name, SHOPS[name], folder, {"SHOP_GATEWAY": gateway.address})
            )
            for name in names
        ]
        gateway.wait_until_ready()
        for shop in shops:
            shop.wait_until_ready("/products")
        yield shops


@contextmanager
def _started(
    name: str, arguments: str, folder: Path, environment: dict[str, str]
) -> Generator[Server]:
    """Start a process on a free port; the socket is open before, so that nobody takes the port."""
    database = folder / f"{name.lower().replace(', ', '-')}.sqlite3"
    variables = {**os.environ, **DJANGO, **environment, "SHOP_DATABASE": str(database)}
    if name.startswith("Django"):
        _migrate(variables)
    log = database.with_suffix(".log")
    with socket.create_server(("127.0.0.1", 0)) as listening, log.open("wb") as output:
        port: int = listening.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, *arguments.format(fd=listening.fileno()).split()],
            cwd=ROOT,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=[listening.fileno()],
            start_new_session=True,  # Ctrl-C is for the demo, which ends its children in order
        )
    try:
        yield Server(name, port, log, process)
    finally:
        _stop(process)


def _migrate(variables: dict[str, str]) -> None:
    command = [sys.executable, "-m", "django", "migrate", "--verbosity", "0"]
    subprocess.run(command, cwd=ROOT, env=variables, check=True, timeout=START_TIMEOUT)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """End a process, by force when it does not end by itself."""
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(STOP_TIMEOUT)
