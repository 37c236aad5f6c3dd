"""Real servers as subprocesses, on loopback ports that the test itself listens on."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]
APP = "tests.flask_ext.served_app"

COMMANDS = {
    "gunicorn-sync": ("gunicorn", "--workers=1", "--no-control-socket", f"{APP}:app"),
    "gunicorn-gthread": (
        "gunicorn",
        "--workers=1",
        "--worker-class=gthread",
        "--threads=2",
        "--no-control-socket",
        f"{APP}:app",
    ),
    "uvicorn-asgi": ("uvicorn", "--lifespan=off", f"{APP}:asgi"),
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

    def recorded(self, trace_id: str) -> list[dict[str, object]]:
        """Return the records of one request, after everything before them was written."""
        mark = f"mark-{trace_id}"
        self.client.get("/no-such-route", headers={"X-Request-ID": mark})
        for _ in range(int(_DEADLINE / _PAUSE)):
            records = self._written()
            if any(record["trace_id"] == mark for record in records):
                return [record for record in records if record["trace_id"] == trace_id]
            self._pause()
        raise AssertionError(f"no record of {mark} within {_DEADLINE} s: {self.log.read_text()}")

    def _written(self) -> list[dict[str, object]]:
        if not self.records.exists():
            return []
        whole = self.records.read_text().rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines()]

    def _pause(self) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self.process.wait(_PAUSE)
            raise AssertionError(f"the server ended with {code}: {self.log.read_text()}")


@contextlib.contextmanager
def running(name: str, folder: Path) -> Generator[Server]:
    """Serve the application until the block ends."""
    records, log = folder / "records.jsonl", folder / "server.log"
    with socket.create_server(("127.0.0.1", 0)) as listening, log.open("wb") as output:
        module, *arguments = COMMANDS[name]
        fd = listening.fileno()
        bind = f"--bind=fd://{fd}" if module == "gunicorn" else f"--fd={fd}"
        process = subprocess.Popen(
            [sys.executable, "-m", module, bind, *arguments],
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
