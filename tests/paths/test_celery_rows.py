"""Every error of a Celery system, raised for real: one record each."""

import os
import signal
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.integrations.conftest import need

need("celery")

from celery import signature  # noqa: E402  # not before it is known to be there

from tests.paths.celery_app.running import DEADLINE, WORKER, Worker, running  # noqa: E402
from tests.paths.row import Row, assert_captured  # noqa: E402
from tests.paths.rows.celery_rows import (  # noqa: E402
    BEAT_ROWS,
    CHILD_ROWS,
    MESSAGE_ROWS,
    ROWS,
    TASK_ROWS,
    WORKER_ROWS,
)

HOSTS = {
    "prefork worker on RabbitMQ": ("RabbitMQ", "rabbitmq"),
    "prefork worker on Redis": ("Redis", "redis"),
}
NOWHERE = {"HOLDFAST_TEST_BROKER": "amqp://guest:guest@127.0.0.1:1//"}
BEAT = ("beat", "--schedule={folder}/schedule")
BROKEN_LOOP = (*BEAT, "--scheduler=tests.paths.celery_app.app:BrokenScheduler")


Scenario = Callable[[Worker, str], str]
"""Raises a row's error in a piece of work of a given id; returns the id of its task."""


def _sends(name: str, *args: object, expires: float | None = None) -> Scenario:
    return lambda worker, trace_id: worker.send(name, *args, trace_id=trace_id, expires=expires)


def _publishes(body: bytes = b"[[], {}, {}]", **headers: object) -> Scenario:
    def publish(worker: Worker, trace_id: str) -> str:
        worker.publish(body, {"x-request-id": trace_id, "id": trace_id, **headers})
        return trace_id

    return publish


def _errback(worker: Worker, trace_id: str) -> str:
    errback = signature("errback", app=worker.client, queue=worker.queue)
    return worker.send("raises", trace_id=trace_id, link_error=errback)


def _revoked(worker: Worker, trace_id: str) -> str:
    task_id = str(uuid.uuid4())
    worker.revoke(task_id)
    return worker.send("sleep", trace_id=trace_id, task_id=task_id)


def _terminated(worker: Worker, trace_id: str) -> str:
    task_id = worker.send("sleep", trace_id=trace_id)
    worker.wait_for_event("test.began", task_id=task_id)
    worker.revoke(task_id, terminate=True, signal="SIGTERM")
    return task_id


def _idle(worker: Worker, trace_id: str) -> str:
    task_id = worker.send("sleep", 0, trace_id=trace_id)
    worker.wait_for_event("test.ended", task_id=task_id)
    (child,) = (
        one["pid"]
        for one in worker.events()
        if one.get("task_id") == task_id and one["event"] == "test.ended"
    )
    assert isinstance(child, int)
    os.kill(child, signal.SIGKILL)
    return task_id


SCENARIOS: dict[str, Scenario] = {
    "arguments": _sends("arguments", 1, 2),
    "sigkill": _sends("kill", int(signal.SIGKILL)),
    "sigsegv": _sends("kill", int(signal.SIGSEGV)),
    "errback": _errback,
    "expired": _sends("sleep", expires=-10),
    "revoked": _revoked,
    "terminated": _terminated,
    "bad-time": _publishes(task="raises", eta="0001-01-01T00:00:00+14:00"),
    "internal": _publishes(b"[[], [], {}]", task="raises"),
    "idle": _idle,
    "unknown": _sends("no-such-task"),
    "invalid": _publishes(task="raises", eta="no time at all"),
    "stranger": _publishes(b'"hello"'),
    "undecodable": _publishes(b"[[", task="raises"),
}
"""How the rows are raised that are no task of their key's name."""

ENDS = {
    "expected": "FAILURE",
    "retry-once": "SUCCESS",
    "ignore": "IGNORED",
    "reject-once": "SUCCESS",
}
"""How the tasks end that leave no record, so that there is something to wait for."""


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Worker]]:
    """Run one worker for all rows on a broker; no record of it may be left that no row explains."""
    started: dict[str, Worker] = {}
    with ExitStack() as stack:

        def worker(broker: str) -> Worker:
            if broker not in started:
                folder = tmp_path_factory.mktemp(broker)
                started[broker] = stack.enter_context(running(broker, folder))
            return started[broker]

        yield worker
        for running_one in started.values():
            running_one.ask_to_end()
    assert not [record for worker in started.values() for record in worker.unaccounted()]


@pytest.mark.parametrize(
    ("broker", "row"),
    [
        pytest.param(
            HOSTS[host][0],
            row,
            id=f"{row.key}-{HOSTS[host][0]}",
            marks=pytest.mark.service(HOSTS[host][1]),
        )
        for row in (*TASK_ROWS, *CHILD_ROWS, *MESSAGE_ROWS)
        for host in row.hosts
    ],
)
def test_an_error_of_a_task_or_message_leaves_what_its_row_says(
    workers: Callable[[str], Worker], broker: str, row: Row
) -> None:
    """Each error of a task or a message leaves one record, with its origin, code and correlation id."""
    worker, trace_id = workers(broker), f"{row.key}-{uuid.uuid4().hex}"

    task_id = SCENARIOS.get(row.key, _sends(row.key))(worker, trace_id)
    if row.key in ENDS:
        worker.wait_for_event("test.ended", task_id=task_id, state=ENDS[row.key])

    # A thread's context is its own, and a child without a task is in no piece of work.
    expected_id = None if row.key in {"thread", "idle"} else trace_id
    assert_captured(row, worker.outcome(row.records), expected_id)


class Process(NamedTuple):
    """A process of its own that shows an error."""

    command: Sequence[str]
    environment: dict[str, str]
    again: str = ""
    """What it says when it meets the error; empty when it ends by it."""
    times: int = 2
    """How often it meets the error."""


PROCESSES = {
    "crash": Process(WORKER, {"crash": "1"}),
    "worker-without-broker": Process(WORKER, NOWHERE, "Cannot connect"),
    "unsendable": Process(BEAT, {"unsendable": "1"}, "Message Error", 1),
    "incalculable": Process((*BEAT, "--max-interval=1"), {"incalculable": "1"}, "Cannot calculate"),
    "loop": Process(BROKEN_LOOP, {}),
    "beat-without-broker": Process(BEAT, {**NOWHERE, "due": "1"}, "Connection error"),
}


@pytest.mark.service("rabbitmq")
@pytest.mark.parametrize(
    "row", [pytest.param(row, id=row.key) for row in (*WORKER_ROWS, *BEAT_ROWS)]
)
def test_an_error_of_a_worker_or_beat_leaves_what_its_row_says(row: Row, tmp_path: Path) -> None:
    """Each error of a worker or of beat leaves one record, with its origin and code, and changes no exit."""
    shown = PROCESSES[row.key]

    with running("RabbitMQ", tmp_path, shown.command, shown.environment) as process:
        if shown.again:
            process.wait_for(shown.again, lambda: process.said().count(shown.again) == shown.times)
            process.wait_for("record", process.filed)
        else:
            assert process.process.wait(DEADLINE) == 1

    assert_captured(row, process.filed())


def test_every_row_is_raised() -> None:
    """Each row of the table has a test, and each scenario a row."""
    keys = [row.key for row in ROWS]

    assert len(set(keys)) == len(keys)
    assert {*SCENARIOS, *ENDS, *PROCESSES} <= set(keys)
    assert {row.key for row in (*WORKER_ROWS, *BEAT_ROWS)} == set(PROCESSES)
