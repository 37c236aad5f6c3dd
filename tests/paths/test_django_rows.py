"""Every error of a Django project, raised for real under gunicorn, uvicorn and `manage.py`: one record each."""

import re
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import pytest

from tests.django_ext.servers import (
    DELIVERY,
    ROOT,
    START_UP,
    STEP,
    Reply,
    Server,
    free_port,
    serve,
    surroundings,
)
from tests.paths.filing import filed
from tests.paths.row import Row, assert_captured
from tests.paths.rows.django_rows import ROWS

pytestmark = [pytest.mark.extra("gunicorn"), pytest.mark.extra("uvicorn")]

SETTINGS = "tests.paths.django_project.settings"
ENTRY = "tests.paths.django_project.entry:application"
PROTOCOLS = {"gunicorn": "wsgi", "uvicorn": "asgi"}
PATHS = {
    "unknown-url": "/nowhere",
    "middleware-before": "/middleware/before",
    "middleware-after": "/middleware/after",
    "suspicious-own-view": "/own/suspicious",
    "handler500-raises": "/own/crash",
    "drf-render": "/drf/unserialisable",
    "drf-5xx": "/drf/out-of-order",
    "drf-other": "/drf/crash",
    "urlconf": "/broken/urlconf",
    "wsgi-callback": "/async-row/loop-callback",
} | {
    key: f"/async-row/{key}"
    for key in (
        *("async-view", "exception-group", "async-stream", "cancelled", "caller-left"),
        *("loop-callback", "background-task"),
    )
}
"""Where a row is not at `/row/<key>`."""
OUTSIDE = {"thread", "request-started", "request-finished", "wsgi-callback"}
"""Rows whose error arises outside of the request's context: what it says carries the id, its record does not."""
KINDS = {
    "propagated": "spare",
    "system-exit": "spare",
    "keyboard-interrupt": "spare",
    "worker-killed": "spare",
    "worker-time-out": "impatient",
}
"""Servers of their own, for rows that need other settings or may end the server."""
VARIABLES = {"spare": {"HOLDFAST_TEST_PROPAGATE": "1"}}
OPTIONS = {
    ("gunicorn", "spare"): ["--preload"],
    ("gunicorn", "impatient"): ["--preload", "--timeout=1"],
    ("gunicorn", "preloaded"): ["--preload", "--workers=2"],
}
"""Preloaded also where workers are replaced: a new one is there at once."""
COMMANDS: dict[str, tuple[list[str], int]] = {
    "command-raises": (["mishap", "crash"], 1),
    "command-error": (["mishap", "error"], 4),
    "command-exits": (["mishap", "exit"], 7),
    "command-misused": (["mishap", "nonsense"], 2),
    "command-unknown": (["mishapp"], 1),
    "command-of-django": (["migrate", "nowhere"], 1),
    "command-explained": (["mishap", "exit-explained"], 1),
    "command-interrupted": (["mishap", "interrupt"], -2),
    "command-answers": (["makemigrations", "project", "--check"], 1),
}
"""Arguments of a command, and its exit status."""
BREAKS = {
    "startup-models": {"HOLDFAST_TEST_BREAK": "models"},
    "startup-ready": {"HOLDFAST_TEST_BREAK": "ready"},
    "startup-entry": {"HOLDFAST_TEST_BREAK": "entry"},
    "startup-settings": {"HOLDFAST_TEST_EARLY": "1"},
}
LAUNCHES = {
    "gunicorn": (["-m", "gunicorn", "--bind=127.0.0.1:0", ENTRY], 3),
    "uvicorn": (["-m", "uvicorn", "--port=0", ENTRY], 1),
    "manage.py": (["-m", "django", "check"], 1),
}
"""How a project is started, and the exit status when it cannot be built."""


def cases(*hosts: str, prefix: str = "") -> list[tuple[Row, str]]:
    """Return rows and hosts, of those hosts, whose key begins so."""
    return [
        (row, host)
        for row in ROWS
        for host in row.hosts
        if host in hosts and row.key.startswith(prefix)
    ]


def named(value: object) -> str:
    """Name a case by its row and its host."""
    return value.key if isinstance(value, Row) else str(value)


class Servers:
    """The servers of these rows, each started when it is first asked for, and again when it has ended."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._running: dict[tuple[str, str], Server] = {}
        self._numbers = count()

    def get(self, host: str, kind: str = "usual") -> Server:
        """Return a server that runs."""
        found = self._running.get((host, kind))
        if found is None or has_ended(found):
            folder = self._folder / f"{host}-{kind}-{next(self._numbers)}"
            folder.mkdir()
            serving = serve(
                PROTOCOLS[host],
                folder,
                settings=SETTINGS,
                options=OPTIONS.get((host, kind), ()),
                environment=VARIABLES.get(kind),
            )
            found = self._running[host, kind] = self._stack.enter_context(serving)
        return found


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Start servers, and end them with the module."""
    with ExitStack() as stack:
        yield Servers(tmp_path_factory.mktemp("servers"), stack)


def has_ended(server: Server) -> bool:
    """Tell whether a server's process is gone."""
    return server.process is not None and server.process.poll() is not None


def records_about(server: Server, name: str, expected: int) -> list[dict[str, object]]:
    """Return the records of a request, or that tell of it, when all there will be are filed."""
    path = server.folder / "records"

    def told() -> list[dict[str, object]]:
        return [r for r in filed(path) if name in (r["trace_id"], *re.findall(r"\w+", _said(r)))]

    wait_until(lambda: len(told()) >= expected)
    last = uuid.uuid4().hex
    if ask(server, "/nowhere-else", last) is not None:
        wait_until(lambda: any(record["trace_id"] == last for record in filed(path)))
    return told()


def _said(record: dict[str, object]) -> str:
    return str(record["message"])


def wait_until(so: Callable[[], object], seconds: float = DELIVERY) -> None:
    """Wait for something, a limited time."""
    for _ in range(int(seconds / STEP)):
        if so():
            return
        threading.Event().wait(STEP)


def ask(server: Server, path: str, name: str) -> Reply | None:
    """Send a request under an id; None when the server broke off without an answer."""
    try:
        return server.ask("GET", path, headers={"X-Request-ID": name})
    except OSError:
        return None


def leave(server: Server, path: str, name: str) -> None:
    """Send a request, and leave before it is answered."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Request-ID: {name}\r\n\r\n"
        connection.sendall(head.encode())
        threading.Event().wait(0.2)


@pytest.mark.parametrize(
    ("row", "host"),
    [case for case in cases("gunicorn", "uvicorn") if not case[0].key.startswith("startup")],
    ids=named,
)
def test_an_error_in_a_served_project_leaves_one_record(
    row: Row, host: str, servers: Servers
) -> None:
    """Whatever raises it, under WSGI and ASGI: once, from the right boundary, under the request's id."""
    if row.key.startswith("task-") and find_spec("django.tasks") is None:
        pytest.skip("this Django has no django.tasks")
    server = servers.get(host, KINDS.get(row.key, "usual"))
    name = uuid.uuid4().hex
    path = PATHS.get(row.key, f"/row/{row.key}")

    (leave if row.key == "caller-left" else ask)(server, path, name)

    records = records_about(server, name, row.records)
    assert_captured(row, records, None if row.key in OUTSIDE else name)


def test_both_workers_of_a_preloaded_project_deliver(servers: Servers) -> None:
    """The runtime was made before gunicorn forked: each worker reports by a thread of its own."""
    server = servers.get("gunicorn", "preloaded")
    names = [uuid.uuid4().hex for _ in range(2)]

    # Both at once, and each takes a while: a worker has one request at a time.
    with ThreadPoolExecutor() as callers:
        for name in names:
            callers.submit(ask, server, "/row/slow", name)

    wait_until(lambda: len(filed(server.folder / "records")) == len(names))
    records = filed(server.folder / "records")
    assert len({record["pid"] for record in records}) == 2
    assert sorted(str(record["trace_id"]) for record in records) == sorted(names)


def test_gunicorn_replaces_a_worker_whose_time_is_over(servers: Servers) -> None:
    """Nothing of ours holds it up: the caller is answered, and the next request by another worker."""
    server = servers.get("gunicorn", "impatient")
    names = [uuid.uuid4().hex for _ in range(2)]

    ask(server, "/row/worker-time-out", names[0])
    ask(server, "/row/view", names[1])

    (ended,) = records_about(server, names[0], 1)
    (next_one,) = records_about(server, names[1], 1)
    assert ended["pid"] != next_one["pid"]


def run(
    folder: Path, arguments: Sequence[str], settings: str = SETTINGS, **variables: str
) -> tuple[subprocess.CompletedProcess[str], list[dict[str, object]]]:
    """Run a Python program to its end; return it, and the records it filed."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=surroundings(folder, settings, variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    return done, filed(folder / "records")


@pytest.mark.parametrize(("row", "host"), cases("manage.py", prefix="command"), ids=named)
def test_what_ends_a_command_leaves_one_record(row: Row, host: str, tmp_path: Path) -> None:
    """Under the command's name; its exit status is what it is without us."""
    arguments, status = COMMANDS[row.key]

    done, records = run(tmp_path, ["-m", "django", *arguments])

    assert done.returncode == status
    assert_captured(row, records)
    if row.boundary == "django.command":
        expected = "(unknown)" if row.key == "command-unknown" else arguments[0]
        assert records[0]["operation"] == expected


@pytest.mark.parametrize(("row", "host"), cases(*LAUNCHES, prefix="startup"), ids=named)
def test_what_keeps_a_project_from_starting_leaves_one_record(
    row: Row, host: str, tmp_path: Path
) -> None:
    """Whoever starts it; and the process ends as it would have."""
    arguments, status = LAUNCHES[host]
    settings = SETTINGS
    if row.key == "startup-settings":
        settings = "nowhere.settings"
        if host == "manage.py":
            arguments = ["tests/paths/django_project/manage.py", "check"]

    done, records = run(tmp_path, arguments, settings, HOLDFAST_TEST_SERVER=host, **BREAKS[row.key])

    assert done.returncode == status, done.stderr
    assert "Traceback" in done.stderr
    assert_captured(row, records)


@pytest.mark.parametrize(("row", "host"), cases("runserver"), ids=named)
def test_what_runserver_finds_broken_leaves_one_record(row: Row, host: str, tmp_path: Path) -> None:
    """Django raises it in the reloader's parent, in its child, and there again in a thread."""
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "django", host, str(free_port())],
            cwd=ROOT,
            env=surroundings(tmp_path, SETTINGS, BREAKS["startup-ready"]),
            stdout=log,
            stderr=log,
        )
        try:
            # The child has said all there is to say when it watches for changes.
            wait_until(lambda: filed(tmp_path / "records"), START_UP)
            threading.Event().wait(0.5)
        finally:
            process.terminate()
            process.wait(10)

    records = filed(tmp_path / "records")
    assert_captured(row, records)
    assert records[0]["pid"] != process.pid


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, object]]]:
    """Enqueue tasks, let a worker of another process run them, and return the records of each by its name."""
    for library in ("django.tasks", "django_tasks_db"):
        if find_spec(library) is None:
            pytest.skip(f"{library} is not installed")
    folder = tmp_path_factory.mktemp("tasks")
    variables = {"HOLDFAST_TEST_DATABASE": str(folder / "tasks.sqlite3")}
    names = [row.key.removeprefix("task-") for row, _ in cases("db_worker")]
    calls = "; ".join(f"print(work.{name.replace('-', '_')}.enqueue().id)" for name in names)
    enqueue = f"from tests.paths.django_project import work; {calls}"
    django = ["-m", "django"]
    run(folder, [*django, "migrate"], **variables)
    told, _ = run(folder, [*django, "shell", "--no-imports", "-c", enqueue], **variables)
    _, records = run(folder, [*django, "db_worker", "--batch", "--no-startup-delay"], **variables)
    return {
        name: [record for record in records if record["trace_id"] == identifier]
        for name, identifier in zip(names, told.stdout.split(), strict=True)
    } | {"all": records}


@pytest.mark.parametrize(("row", "host"), cases("db_worker"), ids=named)
def test_a_task_that_fails_in_a_worker_leaves_one_record(
    row: Row, host: str, worked: dict[str, list[dict[str, object]]]
) -> None:
    """Under the id that its enqueuer was given."""
    others = {name: records for name, records in worked.items() if name != "all"}

    assert_captured(row, worked[row.key.removeprefix("task-")])
    assert len(worked["all"]) == len(others)


def test_every_row_is_raised() -> None:
    """No row is in the table alone: each of its hosts has a test above."""
    tested = {*cases("gunicorn", "uvicorn", "manage.py", "runserver", "db_worker")}

    assert tested == {(row, host) for row in ROWS for host in row.hosts}
    assert len({row.key for row in ROWS}) == len(ROWS)
