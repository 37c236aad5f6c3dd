"""Real servers as subprocesses, on loopback ports that the test itself listens on."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]
APP = "tests.flask_ext.served_app"

COMMANDS = {
    "gunicorn-sync": ("gunicorn", "--workers=1", "--no-control-socket", "{module}:app"),
    "gunicorn-gthread": (
        "gunicorn",
        "--workers=1",
        "--worker-class=gthread",
        "--threads=2",
        "--no-control-socket",
        "{module}:app",
    ),
    "uvicorn-asgi": ("uvicorn", "--lifespan=off", "{module}:asgi"),
}
# asgiref's adapter now and then loses a request that uvicorn reads while it ends the one before
# ("CurrentThreadExecutor already quit or is broken"): each request has a connection of its own.
_ONE_EACH = httpx.Limits(max_keepalive_connections=0)
_DEADLINE = 20.0
_PAUSE = 0.01


@dataclass(frozen=True)
class Server:
    """One running server."""

    client: httpx.Client
    process: "subprocess.Popen[bytes]"
    records: Path
    """What its reporter wrote, one JSON object a line."""
    log: Path
    """What it wrote to standard output and error."""

    def recorded(self, trace_id: str, mounts: Iterable[str] = ("",)) -> list[dict[str, object]]:
        """Return the records of one request, after everything before them was written.

        Args:
            trace_id: The request's id.
            mounts: Prefixes of the applications, each of which has a queue of its own.
        """
        marks = {f"mark{mount}-{trace_id}".replace("/", "."): mount for mount in mounts}
        for mark, mount in marks.items():
            self.client.get(f"{mount}/no-such-route", headers={"X-Request-ID": mark})
        for _ in range(int(_DEADLINE / _PAUSE)):
            records = self.written()
            if marks.keys() <= {record["trace_id"] for record in records}:
                return [record for record in records if record["trace_id"] == trace_id]
            self._pause()
        raise AssertionError(
            f"no records of {[*marks]} within {_DEADLINE} s: {self.log.read_text()}"
        )

    def written(self) -> list[dict[str, object]]:
        """Return the records that are in the file so far."""
        if not self.records.exists():
            return []
        whole = self.records.read_text().rpartition("\n")[0]
        lines: list[dict[str, object]] = [json.loads(line) for line in whole.splitlines()]
        return [line for line in lines if "trace_id" in line]

    def _pause(self) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self.process.wait(_PAUSE)
            raise AssertionError(f"the server ended with {code}: {self.log.read_text()}")


@contextlib.contextmanager
def running(name: str, folder: Path, *options: str, module: str = APP) -> Generator[Server]:
    """Serve the application of a module until the block ends.

    Args:
        name: Key of `COMMANDS`.
        folder: Where the server's files go.
        *options: Further ones of the server.
        module: Has an `app`, and for ASGI an `asgi`.
    """
    records, log = folder / "records.jsonl", folder / "server.log"
    with socket.create_server(("127.0.0.1", 0)) as listening, log.open("wb") as output:
        program, *arguments = (part.format(module=module) for part in COMMANDS[name])
        fd = listening.fileno()
        bind = f"--bind=fd://{fd}" if program == "gunicorn" else f"--fd={fd}"
        process = subprocess.Popen(
            [sys.executable, "-m", program, bind, *options, *arguments],
            cwd=ROOT,
            env={**os.environ, "HOLDFAST_TEST_RECORDS": str(records)},
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=[fd],
        )
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        try:
            # What is sent before the server is up waits in the backlog of the socket.
            with httpx.Client(
                base_url=address, timeout=_DEADLINE, trust_env=False, limits=_ONE_EACH
            ) as client:
                yield Server(client, process, records, log)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
