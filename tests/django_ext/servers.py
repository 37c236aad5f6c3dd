"""Real servers for the project: started on a free port, asked, ended by their process."""

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
SETTINGS = "tests.django_ext.project.settings"
START_UP = 30.0
DELIVERY = 5.0
STEP = 0.02
"""Seconds: at most to wait for a server, at most for a record, and between two looks."""

COMMANDS = {
    "wsgi": ["gunicorn", "--workers=1", "--bind=127.0.0.1:{port}", "tests.django_ext.project.wsgi"],
    "asgi": [
        "uvicorn",
        "--port={port}",
        "--lifespan=off",
        "tests.django_ext.project.asgi:application",
    ],
}


@dataclass(frozen=True)
class Reply:
    """What a server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    broken: bool = False
    """Whether the server broke off in the middle."""

    def json(self) -> dict[str, object]:
        """Return the body, read as JSON."""
        read: dict[str, object] = json.loads(self.body)
        return read


@dataclass
class Server:
    """A running server."""

    protocol: str
    port: int
    folder: Path
    process: subprocess.Popen[bytes] | None = None
    seen: list[dict[str, object]] = field(default_factory=list[dict[str, object]])

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send one request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            try:
                return Reply(response.status, found, response.read())
            except http.client.HTTPException as broken:
                read = broken.partial if isinstance(broken, http.client.IncompleteRead) else b""
                return Reply(response.status, found, read, broken=True)
        finally:
            connection.close()

    def records_of(self, trace_id: str) -> list[dict[str, object]]:
        """Return every record of a request that was answered before.

        A later request's record is waited for: records are written in the order of their errors.
        """
        last = f"last-{uuid.uuid4().hex}"
        self.ask("GET", "/sync/not-found", headers={"X-Request-ID": last})
        for _ in range(int(DELIVERY / STEP)):
            written = self._written()
            if any(record["trace_id"] == last for record in written):
                return [record for record in written if record["trace_id"] == trace_id]
            threading.Event().wait(STEP)
        raise AssertionError("no record was written in time")

    def log(self) -> str:
        """Return what the server wrote to its standard output and error."""
        return (self.folder / "log").read_text()

    def _written(self) -> list[dict[str, object]]:
        path = self.folder / "records"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def surroundings(
    folder: Path, settings: str = SETTINGS, further: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the environment of a process that runs a project and files its records in a folder."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "DJANGO_SETTINGS_MODULE": settings,
        "HOLDFAST_TEST_RECORDS": str(folder / "records"),
        "PYTHONUNBUFFERED": "1",
        **(further or {}),
    }


@contextmanager
def serve(
    protocol: str,
    folder: Path,
    *,
    settings: str = SETTINGS,
    options: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Generator[Server, None, None]:
    """Run a server for the length of a block, with further options and variables."""
    port = free_port()
    command = [part.format(port=port) for part in (*COMMANDS[protocol], *options)]
    environ = surroundings(folder, settings, environment)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=ROOT, env=environ, stdout=log, stderr=log
        )
        try:
            wait_for(process, port, folder / "log")
            yield Server(protocol, port, folder, process)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


def free_port() -> int:
    """Return a port of the loopback address that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Return when the server listens; fail when it ends or takes too long."""
    for _ in range(int(START_UP / STEP)):
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            threading.Event().wait(STEP)
        else:
            return
    raise AssertionError(f"the server did not start:\n{log.read_text()}")
