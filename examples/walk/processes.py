"""The processes of the demo: shops under real servers, what stands beside them, and what is behind."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from threading import Event

from examples.walk.brokers import MEMORY, Broker

ROOT = Path(__file__).resolve().parents[2]
DJANGO = {"DJANGO_SETTINGS_MODULE": "examples.shop_django.settings"}
START_TIMEOUT, STOP_TIMEOUT = 30.0, 5.0
"""Seconds that a process may take to answer, and to end once it was asked to."""
LOOK_AGAIN = 0.02
NO_PROXY = {"no_proxy": "127.0.0.1"}
"""Everybody talks to this machine alone, whatever the way to the world."""

GUNICORN = (
    "-m gunicorn --bind fd://{fd} --workers 1 --threads 4 --no-control-socket --log-level warning"
)
UVICORN = "-m uvicorn --fd {fd} --log-level warning --no-access-log --no-server-header"
CELERY = "-m celery -A examples.shop_worker.worker"

SHOPS = {
    "Django, WSGI": f"{GUNICORN} examples.shop_django.wsgi",
    "Flask, WSGI": f"{GUNICORN} examples.shop_flask.app:wsgi",
    "Django, ASGI": f"{UVICORN} examples.shop_django.asgi:application",
    "Flask, ASGI": f"{UVICORN} examples.shop_flask.app:asgi",
}
"""Arguments for Python by the name of the shop. One worker each: metrics are kept by process."""

NEIGHBOURS = "-m examples.gateway.server --fd {fd}"
WORKER = (
    f"{CELERY} worker --concurrency 2 --loglevel INFO --hostname {{queue}}@localhost"
    " --without-gossip --without-mingle --without-heartbeat"
)
BEAT = f"{CELERY} beat --loglevel INFO"


@dataclass(frozen=True, slots=True)
class Running:
    """A process that was started."""

    name: str
    log: Path
    """What it writes to standard output and standard error."""
    process: "subprocess.Popen[bytes]"

    def said(self) -> str:
        """Return what it has written so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait_until_it_says(self, text: str) -> None:
        """Return when it has written a text.

        Raises:
            RuntimeError: When it ended instead, or did not write it in time.
        """
        for _ in range(int(START_TIMEOUT / LOOK_AGAIN)):
            if text in self.said():
                return
            if self.process.poll() is not None:
                break
            Event().wait(LOOK_AGAIN)
        raise RuntimeError(f"{self.name} does not start; it said:\n{self.said()[-2000:]}")


@dataclass(frozen=True, slots=True)
class Server(Running):
    """A process that answers on a port."""

    port: int

    @property
    def key(self) -> str:
        """The name as a part of file names and addresses."""
        return key_of(self.name)

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
            said = self.said()[-2000:]
            raise RuntimeError(f"{self.name} does not answer; it said:\n{said}") from error


@dataclass(frozen=True, slots=True)
class Site:
    """Everything that runs."""

    folder: Path
    """Where databases and logs are kept."""
    shops: list[Server]
    neighbours: Server
    """Payments, mail, warehouse, supplier, carrier, and whoever takes alerts."""
    worker: Running | None = None
    """None: whoever sends a task runs it, in a thread."""
    beat: Running | None = None

    def works_for(self, sender: Running) -> Running:
        """Return the process that runs the tasks another sends."""
        return self.worker or sender

    def behind(self) -> list[Running]:
        """Return the processes that work by the clock."""
        return [running for running in (self.worker, self.beat) if running]


def key_of(name: str) -> str:
    """Return a name as a part of file names and addresses."""
    return re.sub(r"\W+", "-", name.lower())


def _silent(_: str) -> None:
    """Tell nobody."""


@contextmanager
def running(
    folder: Path,
    broker: Broker = Broker(MEMORY, "shop"),  # noqa: B008  # is frozen
    *,
    scheduled: bool = False,
    tell: Callable[[str], None] = _silent,
) -> Generator[Site]:
    """Start everything, and end it when the block is left.

    Args:
        folder: Where databases and logs are kept.
        broker: What carries tasks; with one in memory there is no process for them alone.
        scheduled: Also start what sends tasks by the clock.
        tell: Is told the name of what is there.
    """
    cast = _Cast(folder, {**broker.environment, **NO_PROXY})
    try:
        neighbours = cast.serve("Payments, mail, warehouse, supplier, carrier, on-call", NEIGHBOURS)
        cast.variables["SHOP_GATEWAY"] = neighbours.address
        arguments = WORKER.format(queue=broker.queue)
        worker = None if broker.in_memory else cast.start("Celery worker", arguments)
        beat = cast.start("Celery beat", BEAT) if scheduled else None
        shops = [cast.serve(name, arguments) for name, arguments in SHOPS.items()]
        neighbours.wait_until_ready()
        tell(neighbours.name)
        for shop in shops:
            shop.wait_until_ready("/products")
            tell(shop.name)
        for behind, text in ((beat, "beat: Starting..."), (worker, " ready.")):
            if behind:
                behind.wait_until_it_says(text)
                tell(behind.name)
        yield Site(folder, shops, neighbours, worker, beat)
    finally:
        cast.end()


class _Cast:
    """The processes that were started, and what they are told."""

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        self.variables = {**os.environ, **variables}
        self._folder = folder
        self._started: list[Running] = []

    def serve(self, name: str, arguments: str) -> Server:
        """Start a server; its socket is open before, so that nobody takes the port."""
        with socket.create_server(("127.0.0.1", 0)) as listening:
            fd = listening.fileno()
            started = self.start(name, arguments.format(fd=fd), pass_fds=[fd])
            port: int = listening.getsockname()[1]
        return Server(started.name, started.log, started.process, port)

    def start(self, name: str, arguments: str, pass_fds: list[int] | None = None) -> Running:
        """Start a process of Python."""
        key = key_of(name)
        database, log = self._folder / f"{key}.sqlite3", self._folder / f"{key}.log"
        state = self._folder / f"{key}-state"
        variables = {**self.variables, "SHOP_DATABASE": str(database), "SHOP_STATE": str(state)}
        if "SHOP_GATEWAY" in variables:
            variables["SHOP_ALERTS"] = f"{variables['SHOP_GATEWAY']}/alerts/{key}"
        if name.startswith("Django"):  # alone: a Celery that sees this makes itself part of Django
            variables |= DJANGO
            shutil.copy(self._migrated(), database)
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, *arguments.split()],
                cwd=ROOT,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=pass_fds or [],
                start_new_session=True,  # Ctrl-C is for the demo, which ends its children in order
            )
        started = Running(name, log, process)
        self._started.append(started)
        return started

    def _migrated(self) -> Path:
        """Return a database with the tables that Django needs; made once, as that takes its time."""
        database = self._folder / "django.sqlite3"
        if not database.exists():
            variables = {**self.variables, **DJANGO, "SHOP_DATABASE": str(database)}
            command = [sys.executable, "-m", "django", "migrate", "--verbosity", "0"]
            subprocess.run(command, cwd=ROOT, env=variables, check=True, timeout=START_TIMEOUT)
        return database

    def end(self) -> None:
        """Ask all to end at once, and use force with those that do not, and with their children."""
        for started in self._started:
            started.process.terminate()
        for started in self._started:
            try:
                started.process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                os.killpg(started.process.pid, signal.SIGKILL)
                started.process.wait(STOP_TIMEOUT)
