"""Nothing of the host changes: what others see of an application is the same with us and without."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.flask_ext.host import MODE
from tests.flask_ext.servers import ROOT

pytestmark = pytest.mark.extra("sentry_sdk")  # a marker, no query

_CHANGING = re.compile(
    r"\[?\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[,0-9 +]*\]?|\[\d+\]|\(pid:? ?\d+\)|pid:? \d+|\(\d+\)|127\.0\.0\.1:\d+|0x[0-9a-f]+"
)
"""Times, processes, addresses and ports."""


def ended(*command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a program to its end."""
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=40,
    )


def said(text: str) -> list[str]:
    """Return lines without what differs from run to run."""
    return [_CHANGING.sub("…", line) for line in text.splitlines()]


@dataclass(frozen=True)
class Host:
    """One host that has ended, and what it left."""

    status: int
    stderr: list[str]
    sentry: list[object]
    """Events, in order."""
    seen: dict[str, list[str]]
    """What Flask told of each request."""


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Host, Host]:
    """The host without us and the host with us."""
    plain, connected = (
        host(mode, tmp_path_factory.mktemp(mode)) for mode in ("plain", "connected")
    )
    return plain, connected


def host(mode: str, folder: Path) -> Host:
    """Run a host to its end."""
    done = ended("tests.flask_ext.host", mode, str(folder))
    events = (folder / "sentry").read_text().splitlines()
    return Host(
        done.returncode,
        said(done.stderr),
        [json.loads(event) for event in events],
        json.loads((folder / "seen").read_text()),
    )


def test_sentry_has_the_events_it_had(hosts: tuple[Host, Host]) -> None:
    """As many, of the same errors with the same traces, from requests, threads and commands."""
    plain, connected = hosts

    assert connected.sentry == plain.sentry
    assert len(plain.sentry) > 10


def test_signal_and_teardown_get_what_they_got(hosts: tuple[Host, Host]) -> None:
    """The same errors in the same order, and what the server sees of a request is the same."""
    plain, connected = hosts

    assert connected.seen == plain.seen
    assert plain.seen["/view"][0] == "signal: ValueError('no stock')"


def test_standard_error_and_exit_status_are_as_they_were(hosts: tuple[Host, Host]) -> None:
    """Log lines, tracebacks of threads and of the command, what click says, and how the process ends."""
    plain, connected = hosts

    assert connected.stderr == plain.stderr
    assert connected.status == plain.status == 1
    expected = {"Exception in thread of-view:", "refuses left with 1", "unknown left with 2"}
    assert expected <= set(plain.stderr)


@pytest.mark.extra("gunicorn")
def test_a_worker_that_cannot_boot_ends_as_it_did() -> None:
    """gunicorn says the same and leaves with the same status."""
    server = ("gunicorn", "--workers=1", "--no-control-socket", "--bind=127.0.0.1:0")

    plain, connected = (
        ended(*server, "tests.flask_ext.host:broken()", **{MODE: mode})
        for mode in ("plain", "connected")
    )

    assert connected.returncode == plain.returncode == 3
    assert said(connected.stderr) == said(plain.stderr)
    assert "LookupError: no catalogue" in said(plain.stderr)
