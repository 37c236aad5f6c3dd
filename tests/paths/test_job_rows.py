"""Every error of a job, raised for real: in commands as cron starts them, and in scripts."""

import os
import shlex
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest

from holdfast.hooks.jobs import JobLateError, job_check
from tests.paths.filing import VARIABLE, events, filed
from tests.paths.job_script import SCENARIOS
from tests.paths.row import Row, assert_captured
from tests.paths.rows.job_rows import COMMANDS, FUNCTIONS, ROWS

ROOT = Path(__file__).parents[2]
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
REPORTERS = "--reporters tests.paths.filing:reporter --grace 0.3"
APART = {"uncaught": (1, "LookupError"), "thread": (0, "LookupError")}
"""Scenarios that have a process of their own, with its exit status and what it prints."""


def environment(folder: Path) -> dict[str, str]:
    """Return what cron gives a command, and where records and state are kept."""
    return {
        "HOME": str(folder),
        "LOGNAME": "shop",
        "PATH": "/usr/bin:/bin",
        "SHELL": "/bin/sh",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")])),
        "TRACEPARENT": f"00-{TRACE}-00f067aa0ba902b7-01",
        VARIABLE: str(folder / "records"),
        "HOLDFAST_STATE": str(folder / "state"),
    }


@dataclass
class Cron:
    """Starts a line of a crontab as cron does: by a shell, without a terminal, in the home."""

    folder: Path
    key: str
    more: dict[str, str] = field(default_factory=dict[str, str])

    def line(self, command: str, options: str = "") -> str:
        """Return the line of a crontab."""
        python = shlex.quote(sys.executable)
        return f"{python} -m holdfast run --name {self.key} {REPORTERS} {options} -- {command}"

    def start(self, command: str, options: str = "") -> "subprocess.Popen[bytes]":
        """Start it."""
        return subprocess.Popen(
            ["/bin/sh", "-c", f"exec {self.line(command, options)}"],
            cwd=self.folder,
            env=environment(self.folder) | self.more,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def run(self, command: str, options: str = "") -> int:
        """Run it to its end and return its status."""
        with self.start(command, options) as process:
            process.communicate(timeout=30)
        return process.returncode

    def begun(self, command: str, options: str = "") -> "subprocess.Popen[bytes]":
        """Start a command that says when it has begun."""
        process = self.start(f"sh -c 'echo begun; {command}'", options)
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        return process

    def script(self, key: str) -> int:
        """Run a Python command."""
        return self.run(f"{shlex.quote(sys.executable)} -m tests.paths.job_script {key}")

    @property
    def told(self) -> list[str]:
        """The names of the events so far."""
        return [str(event["event"]) for event in events(self.folder / "records")]


def _ended(process: "subprocess.Popen[bytes]") -> int:
    process.communicate(timeout=30)
    return process.returncode


def _sent(cron: Cron, number: int) -> int:
    process = cron.begun("sleep 60")
    process.send_signal(number)
    return _ended(process)


def _locked(cron: Cron) -> int:
    first = cron.begun("read _ || sleep 60")
    status = cron.run("true")
    first.send_signal(signal.SIGINT)
    _ended(first)
    return status


def _lease_lost(cron: Cron) -> int:
    path = cron.folder / "leases.db"
    process = cron.begun("sleep 60", f"--lock sql:sqlite:///{path} --lease 1")
    connection = sqlite3.connect(path, timeout=5)
    connection.execute("update holdfast_leases set owner = 'another'")
    connection.commit()
    connection.close()
    return _ended(process)


def _run_killed(cron: Cron) -> int:
    process = cron.begun("echo $$; sleep 60")
    assert process.stdout is not None
    group = int(process.stdout.readline())
    process.kill()
    os.killpg(group, signal.SIGKILL)
    return _ended(process)


def _state_fails(cron: Cron) -> int:
    (cron.folder / "state").touch()
    return cron.run("true", "--lock none")


def _not_started(cron: Cron) -> int:
    cron.run("true")
    check = job_check(cron.key, _Passed(), grace=0, state=cron.folder / "state")
    with pytest.raises(JobLateError):
        check()
    return 0


class _Passed:
    """A schedule by which a job should have run just now."""

    def next_after(self, moment: datetime) -> datetime:
        """Return when that was."""
        return moment - timedelta(seconds=30)


RUNS: dict[str, tuple[Callable[[Cron], int], int]] = {
    "status": (lambda cron: cron.run("sh -c 'exit 3'"), 1),
    "killed": (lambda cron: cron.run("sh -c 'kill -KILL $$'"), 137),
    "crashed": (lambda cron: cron.run("sh -c 'kill -SEGV $$'"), 139),
    "time-over": (lambda cron: cron.run("sleep 60", "--within 0.2"), 124),
    "time-ignored": (
        lambda cron: cron.run("sh -c 'trap \"\" TERM; sleep 60; sleep 60'", "--within 0.2"),
        124,
    ),
    "not-found": (lambda cron: cron.run("no-such-command"), 1),
    "not-executable": (lambda cron: cron.run("/etc/hostname"), 1),
    "stopped": (lambda cron: _sent(cron, signal.SIGTERM), 143),
    "exited": (lambda cron: cron.script("exited"), 1),
    "lock-away": (lambda cron: cron.run("true", "--lock sql:sqlite:////no/such/folder/x.db"), 75),
    "lease-lost": (_lease_lost, 1),
    "python": (lambda cron: cron.script("python"), 1),
    "python-job": (lambda cron: cron.script("python-job"), 1),
    "python-status": (lambda cron: cron.script("python-status"), 1),
    "inner-run": (lambda cron: cron.run(Cron(cron.folder, "inner").line("false")), 1),
    "interrupted": (lambda cron: _sent(cron, signal.SIGINT), 130),
    "locked": (_locked, 75),
    "run-killed": (_run_killed, -9),
    "pipeline": (lambda cron: cron.run("sh -c 'false | true'"), 0),
    "background": (lambda cron: cron.run("sh -c 'false & sleep 0.1'"), 0),
    "ping-fails": (lambda cron: cron.run("true", "--ping http://127.0.0.1:1/uuid"), 0),
    "state-fails": (_state_fails, 0),
    "not-started": (_not_started, 0),
}


@pytest.mark.parametrize("row", COMMANDS, ids=lambda row: str(row.key))
def test_an_error_of_a_command_is_captured_once(row: Row, tmp_path: Path) -> None:
    """Each leaves its one record, of the trace that cron's environment named, or none for a reason."""
    run, status = RUNS[row.key]
    cron = Cron(tmp_path, row.key)

    left = run(cron)

    assert left == status
    assert_captured(row, filed(tmp_path / "records"), TRACE)
    if row.key == "ping-fails":
        assert "job.ping_failed" in cron.told
    if row.key == "state-fails":
        assert "job.state_failed" in cron.told


@cache
def together() -> list[dict[str, object]]:
    """Run the scenarios of scripts one after the other in one process and return all records."""
    folder = Path(mkdtemp())
    keys = [row.key for row in FUNCTIONS if row.key not in APART]
    _script(folder, *keys)
    return filed(folder / "records")


def _script(folder: Path, *keys: str) -> "subprocess.CompletedProcess[str]":
    """Run scenarios in a process of their own."""
    return subprocess.run(
        [sys.executable, "-m", "tests.paths.job_script", *keys],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )


@pytest.mark.parametrize(
    "row", [row for row in FUNCTIONS if row.key not in APART], ids=lambda row: str(row.key)
)
def test_an_error_of_a_function_is_captured_once(row: Row) -> None:
    """Each leaves its one record, with the id of the work it was of, or none for a reason."""
    trace = f"row-{row.key}"

    assert_captured(row, [r for r in together() if r["trace_id"] == trace], trace)


@pytest.mark.parametrize(
    "row", [row for row in FUNCTIONS if row.key in APART], ids=lambda row: str(row.key)
)
def test_an_error_beside_the_job_is_captured_once(row: Row, tmp_path: Path) -> None:
    """The process prints and ends as it would have; the record is of its trace."""
    done = _script(tmp_path, row.key)

    status, printed = APART[row.key]
    assert done.returncode == status
    assert printed in done.stderr
    assert_captured(row, filed(tmp_path / "records"), TRACE)


def test_nothing_was_recorded_beside_the_rows() -> None:
    """Each record of the script belongs to one of its rows."""
    traces = {f"row-{row.key}" for row in FUNCTIONS}

    assert {record["trace_id"] for record in together()} <= traces


def test_every_scenario_has_a_row() -> None:
    """None is forgotten in the tables."""
    keys = [row.key for row in ROWS]

    assert len(set(keys)) == len(keys)
    assert set(RUNS) == {row.key for row in COMMANDS}
    assert {row.key for row in FUNCTIONS} <= set(SCENARIOS) <= set(keys)
