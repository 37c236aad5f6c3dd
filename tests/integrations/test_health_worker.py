"""Probes of a real Celery worker: while it works, when its broker is gone, and while it ends."""

import contextlib
import json
import signal
import socket
import uuid
from collections.abc import Generator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from tests.integrations.conftest import need

need("celery")

from tests.integrations.celery_workers import (  # noqa: E402  # needed above
    RABBITMQ,
    forget,
    sender,
    wait_for,
    worker,
)
from tests.integrations.proxy import Proxy, proxied  # noqa: E402

if TYPE_CHECKING:
    import subprocess

pytestmark = [pytest.mark.service("rabbitmq"), pytest.mark.service("redis")]


@dataclass(frozen=True)
class Worker:
    """A worker with a task under way."""

    process: "subprocess.Popen[bytes]"
    proxy: Proxy
    notes: Path

    @property
    def port(self) -> int:
        """Where it answers."""
        return int((self.notes / "port").read_text())

    def ask(self, group: str) -> tuple[int, dict[str, str]]:
        """Return the status of an answer, and what each check said."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        with contextlib.closing(connection):
            connection.request("GET", f"/health/{group}")
            answer = connection.getresponse()
            checks: dict[str, Any] = json.loads(answer.read()).get("checks", {})
        return answer.status, {name: said[0]["status"] for name, said in checks.items()}


@pytest.fixture
def working(tmp_path: Path) -> Generator[Worker]:
    """A worker behind a proxy, in whose pool a child is at work."""
    with proxied(5672) as proxy:
        own = {
            "TEST_QUEUE": f"health-{uuid.uuid4()}",
            "TEST_BROKER": RABBITMQ.replace("5672", str(proxy.port)),
            "TEST_NOTES": str(tmp_path),
        }
        options = ("--pool=prefork", "--concurrency=1")
        app = "tests.integrations.health_worker"
        with worker(app, tmp_path / "log", *options, environment=own) as process:
            with sender({**own, "TEST_BROKER": RABBITMQ}) as sending:
                cast("Any", sending).send_task("work")
            assert wait_for((tmp_path / "begun").exists), (tmp_path / "log").read_text()
            yield Worker(process, proxy, tmp_path)
            (tmp_path / "end").touch()
        forget({**own, "TEST_BROKER": RABBITMQ})


def test_a_worker_is_alive_until_its_last_task_is_done(working: Worker) -> None:
    """It wants no more work without its broker, nor from SIGTERM on; starting it anew would lose its task.

    One worker for all of it, because starting one takes seconds.
    """
    port = working.port
    at_work = working.ask("live"), working.ask("ready")
    working.proxy.cut()
    is_cut = wait_for(lambda: working.ask("ready")[0] == 503)
    cut = working.ask("live"), working.ask("ready")
    working.process.send_signal(signal.SIGTERM)
    is_ending = wait_for(lambda: "process:readiness" in working.ask("ready")[1])
    ending = working.ask("live"), working.ask("ready")
    (working.notes / "end").touch()
    working.process.wait(15)

    assert at_work == ((200, {}), (200, {"broker": "pass"}))
    assert is_cut
    assert cut == ((200, {}), (503, {"broker": "fail"}))
    assert is_ending
    assert ending == ((200, {}), (503, {"process:readiness": "fail", "broker": "fail"}))
    with pytest.raises(ConnectionRefusedError):  # nor does a child hold the port
        socket.create_connection(("127.0.0.1", port), 5)
