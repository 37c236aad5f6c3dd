"""One monitor for the processes of a host: real workers, one of them killed, a server that forks.

Whatever happens to whoever monitors, people get one message of an outage and one when it is over.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path
from typing import cast

import pytest

from holdfast.clock import SystemClock
from tests.core.receiver import Inbox, receiving, status
from tests.django_ext.servers import ROOT, Server, free_port, wait_for

PATIENCE = 30.0
"""Seconds for what is to come; a bound against hanging, no measure."""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the seat is held by flock()")


def until(true: Callable[[], bool], what: str) -> None:
    """Wait for what is to come true."""
    clock = SystemClock()
    last = clock.monotonic() + PATIENCE
    while not true():
        assert clock.monotonic() < last, f"{what}: not in time"
        threading.Event().wait(0.02)


class Worker:
    """A process of the service."""

    def __init__(self, settings: dict[str, object], broken: Path) -> None:
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        script = Path(__file__).with_name("monitor_script.py")
        self.process = subprocess.Popen(
            [sys.executable, str(script), json.dumps(settings), str(broken)],
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @property
    def pid(self) -> int:
        """Of the process."""
        return self.process.pid

    def report(self) -> dict[str, object]:
        """Return what its monitor reports."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("report\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "a worker has ended"
        return cast("dict[str, object]", json.loads(line)["report"])

    def state(self) -> str:
        """Return how the service is, as this worker reports it."""
        services = cast("dict[str, dict[str, object]]", self.report()["services"])
        return str(services.get("database", {}).get("state", "UNKNOWN"))

    def kill(self) -> None:
        """End it by force, and leave nothing of it."""
        self.process.kill()
        self.process.communicate()

    def end(self) -> int:
        """Let it end as it should; return its status."""
        self.process.communicate(timeout=PATIENCE)
        return self.process.returncode


@pytest.fixture
def inbox() -> Generator[Inbox]:
    """Receive what a webhook posts."""
    with receiving(status(204)) as inbox:
        yield inbox


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """Name the file while which is there the service is out of order."""
    return tmp_path / "broken"


@pytest.fixture
def workers(tmp_path: Path, inbox: Inbox, broken: Path) -> Generator[list[Worker]]:
    """Run three workers of one service, with alerts to a webhook."""
    settings: dict[str, object] = {
        "SERVICE": "shop",
        "REPORTERS": [],
        "ALERTS": {"CHANNELS": {"hook": {"KIND": "webhook", "URL": inbox.url}}},
        "HEALTH": {"MONITOR": {"ENABLED": True, "INTERVAL": 0.1, "STATE": str(tmp_path / "state")}},
    }
    with ExitStack() as stack:
        made: list[Worker] = []
        for _ in range(3):
            worker = Worker(settings, broken)
            stack.callback(worker.kill)
            made.append(worker)
        yield made


def stages(inbox: Inbox) -> list[object]:
    """Return the stages of the messages that arrived."""
    return [got.json()["stage"] for got in inbox.got]


def test_a_killed_monitor_is_followed_and_nothing_is_told_twice(
    workers: list[Worker], inbox: Inbox, broken: Path
) -> None:
    """Three workers have one monitor; killed in the middle of an outage, another tells of its end."""
    until(lambda: all(worker.state() == "HEALTHY" for worker in workers), "all see it healthy")
    seen_by = {worker.report()["process"] for worker in workers}
    assert len(seen_by) == 1

    broken.touch()
    until(lambda: all(worker.state() == "UNHEALTHY" for worker in workers), "all see the outage")
    until(lambda: stages(inbox) == ["opened"], "one message")
    holder = next(worker for worker in workers if {worker.pid} == seen_by)
    # What has arrived is written down a moment later.
    until(lambda: not _unsettled(broken.parent / "state"), "it is settled")
    holder.kill()
    left = [worker for worker in workers if worker is not holder]
    until(lambda: left[0].report()["process"] in {worker.pid for worker in left}, "another goes on")
    until(lambda: cast("float", left[1].report()["age"]) < 5.0, "it looks")
    broken.unlink()
    until(lambda: all(worker.state() == "HEALTHY" for worker in left), "all see it is over")
    until(lambda: len(inbox.got) == 2, "a second message")

    assert [worker.end() for worker in left] == [0, 0]
    opened, recovered = (got.json() for got in inbox.got)
    assert (opened["stage"], recovered["stage"]) == ("opened", "recovered")
    assert opened["id"] == recovered["id"]
    assert opened["since"] == recovered["since"]
    assert (opened["rule"], opened["key"], opened["service"]) == ("monitor", "database", "shop")
    assert opened["title"] == "database does not work: ConnectionError"


def _unsettled(folder: Path) -> list[object]:
    (file,) = folder.glob("monitor-*.json")
    return cast("list[object]", json.loads(file.read_text())["unsettled"])


def test_who_ends_as_it_should_hands_over(
    workers: list[Worker], inbox: Inbox, broken: Path
) -> None:
    """A worker that is replaced takes neither the alert nor its end with it."""
    broken.touch()
    until(lambda: stages(inbox) == ["opened"], "one message")
    seen_by = workers[0].report()["process"]
    holder = next(worker for worker in workers if worker.pid == seen_by)

    ended = holder.end()
    left = [worker for worker in workers if worker is not holder]
    until(lambda: left[0].report()["process"] in {worker.pid for worker in left}, "another goes on")
    broken.unlink()
    until(lambda: len(inbox.got) == 2, "a second message")

    assert ended == 0
    assert [worker.end() for worker in left] == [0, 0]
    assert stages(inbox) == ["opened", "recovered"]


@pytest.mark.extra("gunicorn")
def test_under_a_server_that_forks_after_loading_a_worker_monitors(tmp_path: Path) -> None:
    """With `--preload` the monitor comes up in the workers by itself; the master leaves it to them."""
    port = free_port()
    options = ["--preload", "--workers=2", "--no-control-socket", f"--bind=127.0.0.1:{port}"]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environ = {**os.environ, "PYTHONPATH": path, "HOLDFAST_TEST_FOLDER": str(tmp_path)}
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", *options, "tests.paths.monitor_preloaded:app"],
            cwd=ROOT,
            env=environ,
            stdout=output,
            stderr=output,
        )
        try:
            wait_for(process, port, log)
            server = Server("wsgi", port, tmp_path)
            asked: list[dict[str, object]] = []

            def ask() -> dict[str, object]:
                asked.append(server.ask("GET", "/").json())
                return asked[-1]

            until(lambda: bool(ask()["process"]), "somebody monitors")
            first = cast("int", asked[-1]["process"])
            until((tmp_path / f"looked-{first}").exists, "it looks")
            os.kill(first, signal.SIGKILL)
            until(lambda: ask()["process"] not in {first, 0}, "another monitors")
            until(lambda: len(list(tmp_path.glob("looked-*"))) > 1, "the other looks")
        finally:
            process.terminate()
            process.wait(PATIENCE)

    looked = {int(file.name.partition("-")[2]) for file in tmp_path.glob("looked-*")}
    assert first != process.pid
    assert process.pid not in looked
    assert asked[-1]["process"] in looked
    assert {facts["running"] for facts in asked} == {True}
    assert process.returncode == 0
