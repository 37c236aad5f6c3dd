"""Every error of a Flask application, raised for real: one record each."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest

from tests.flask_ext.servers import COMMANDS, ROOT, Server, running
from tests.paths.filing import VARIABLE, filed
from tests.paths.flask_broken import WHEN
from tests.paths.row import Row, assert_captured
from tests.paths.rows.flask_rows import (
    ASGI,
    COMMAND,
    COMMAND_ROWS,
    LIMITED,
    REQUEST_ROWS,
    STARTUP_ROWS,
    SYNC,
    THREADS,
)

APP = "tests.paths.flask_app"
BROKEN = "tests.paths.flask_broken"
HOSTS: dict[str, tuple[str, ...]] = {
    SYNC: ("gunicorn-sync",),
    THREADS: ("gunicorn-gthread",),
    ASGI: ("uvicorn-asgi",),
    LIMITED: ("gunicorn-sync", "--timeout=1"),
}
PATHS = {
    "propagate": "/propagate/view",
    "testing": "/testing/view",
    "blueprint-404": "/blueprint-404/nothing",
}
MOUNTS = ("", "/propagate", "/testing")
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
STATUSES = {"raises": 1, "of-blueprint": 1, "refuses": 1, "exits": 3, "aborts": 1, "arguments": 2}

pytestmark = pytest.mark.extra("gunicorn", "uvicorn", "asgiref", "httpx")  # a marker, no query


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Server]]:
    """Each server, started when it is first asked for."""
    with ExitStack() as stack:
        started: dict[str, Server] = {}

        def start(host: str) -> Server:
            if host not in started:
                name, *options = HOSTS[host]
                folder = tmp_path_factory.mktemp(name)
                started[host] = stack.enter_context(running(name, folder, *options, module=APP))
            return started[host]

        yield start


def cases(rows: tuple[Row, ...]) -> list[object]:
    """Return each row with each of its hosts."""
    return [
        pytest.param(row, host, id=f"{row.key}-{host}".replace(" ", "-"))
        for row in rows
        for host in row.hosts
    ]


@pytest.mark.parametrize(("row", "host"), cases(REQUEST_ROWS))
def test_an_error_of_a_request_leaves_one_record(
    row: Row, host: str, server: Callable[[str], Server]
) -> None:
    """Whatever part of a request fails, it is recorded once, with origin, code and the request's id."""
    served = server(host)
    trace_id = f"{row.key}.{served.process.pid}"

    ask(served, PATHS.get(row.key, f"/{row.key}"), trace_id)

    records = recorded(served, row, trace_id)
    assert_captured(row, records, None if row.boundary == "thread" else trace_id)


def ask(served: Server, path: str, trace_id: str) -> None:
    """Send a request; its answer may break off, or never come."""
    with suppress(httpx.RemoteProtocolError):
        served.client.get(path, headers={"X-Request-ID": trace_id})


def recorded(served: Server, row: Row, trace_id: str) -> list[dict[str, object]]:
    """Return the records of a request, once all that its process reported has been filed."""
    records = served.recorded(trace_id, MOUNTS)
    if row.boundary == "thread":
        return [r for r in served.written() if r["operation"] == without_digits(trace_id)]
    return records


def without_digits(name: str) -> str:
    """Return a thread's name as its record shows it."""
    word, _, _ = name.partition(".")
    return f"{word}.N"


@pytest.mark.parametrize(("row", "host"), cases(COMMAND_ROWS))
def test_a_failing_command_leaves_one_record(row: Row, host: str, tmp_path: Path) -> None:
    """However a command fails, it is recorded once under the id that started it, and exits as it would."""
    ended = started(
        ["flask", "--app", f"{APP}:site", row.key],
        tmp_path,
        TRACEPARENT=f"00-{TRACE_ID}-00f067aa0ba902b7-01",
    )

    assert ended.returncode == STATUSES[row.key], ended.stderr
    assert_captured(row, filed(tmp_path / "records"), TRACE_ID)


@pytest.mark.parametrize(("row", "host"), cases(STARTUP_ROWS))
def test_an_application_that_cannot_be_built_leaves_one_record(
    row: Row, host: str, tmp_path: Path
) -> None:
    """An error of a factory is recorded once, and the process exits as it would."""
    if host == COMMAND:
        command, status = ["flask", "--app", BROKEN, "routes"], 1
    else:
        command = [part.format(module=BROKEN) for part in COMMANDS[HOSTS[host][0]]]
        status = 3 if host == SYNC else 1

    ended = started(command, tmp_path, **{WHEN: row.key})

    assert ended.returncode == status, ended.stderr
    assert "LookupError" in ended.stderr
    assert_captured(row, filed(tmp_path / "records"))


def started(
    command: list[str], folder: Path, **environment: str
) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env={**os.environ, VARIABLE: str(folder / "records"), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=40,
    )


def test_the_rows_have_keys_of_their_own() -> None:
    """No scenario hides another."""
    keys = [row.key for row in (*REQUEST_ROWS, *COMMAND_ROWS, *STARTUP_ROWS)]

    assert sorted(set(keys)) == sorted(keys)
