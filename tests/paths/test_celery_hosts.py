"""Celery with and without us: other pools see the same, and nothing of the host changes."""

import re
import uuid
from pathlib import Path

import pytest

from tests.integrations.conftest import need

need("celery")

from celery.result import AsyncResult  # noqa: E402  # not before it is known to be there

from tests.paths.celery_app.running import WORKER, Worker, running  # noqa: E402
from tests.paths.row import assert_captured  # noqa: E402
from tests.paths.rows.celery_rows import TASK_ROWS  # noqa: E402

ROWS = {row.key: row for row in TASK_ROWS}
POOLS: dict[str, tuple[tuple[str, ...], dict[str, str], tuple[str, ...]]] = {
    "solo": ((*WORKER, "--pool=solo"), {}, ("on-success",)),
    "threads": ((*WORKER, "--pool=threads"), {}, ("on-success", "on-failure", "exit", "cancelled")),
    "spawn": ((*WORKER, "--concurrency=1"), {"spawn": "1"}, ("on-success", "on-failure")),
}
"""Command, environment, and what is raised beside what every pool can stand."""
EVERYWHERE = ("raises", "unpicklable", "reject", "retry-always")


@pytest.mark.service("rabbitmq")
@pytest.mark.parametrize("pool", POOLS)
def test_every_pool_leaves_one_record_for_one_error(pool: str, tmp_path: Path) -> None:
    """Pools of one thread, of threads and of spawned children leave what the forked ones do."""
    command, environment, further = POOLS[pool]

    with running("RabbitMQ", tmp_path, command, environment) as worker:
        for key in (*EVERYWHERE, *further):
            trace_id = f"{key}-{uuid.uuid4().hex}"
            worker.send(key, trace_id=trace_id)
            assert_captured(ROWS[key], worker.outcome(), trace_id)

    assert not worker.unaccounted()


TASKS = (
    *("raises", "expected", "ignore", "reject", "retry-always", "unpicklable", "unserialisable"),
    *("on-failure", "on-success", "soft-limit", "hard-limit", "exit", "os-exit", "no-such-task"),
    "retry-once",
)
CHANGING = re.compile(
    r"^\[[-\d :,]+|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|0x[0-9a-f]+|holdfast-[0-9a-f]+|"
    r"(?<=PoolWorker-)\d+|(?<=pid:)\d+|(?<=Job: )\d+|\d+\.\d+(?=s: )"
)
"""What differs from run to run: times, ids, addresses, numbers of processes."""


def _run(*workers: Worker) -> list[list[tuple[str, str, str]]]:
    """Run the tasks one after the other, and return by worker what became of each when all are done.

    Of some failures the child and the parent store a result each, and the first is only the first.
    """
    ids: list[tuple[str, ...]] = []
    for name in TASKS:
        ids.append(tuple(worker.send(name) for worker in workers))
        for worker, task_id in zip(workers, ids[-1], strict=True):
            if name != "ignore":
                worker.wait_for(f"result of {name}", _result(worker, task_id).ready)
    return [
        [_told(name, _result(worker, of_all[i])) for name, of_all in zip(TASKS, ids, strict=True)]
        for i, worker in enumerate(workers)
    ]


def _result(worker: Worker, task_id: str) -> "AsyncResult[object]":
    return AsyncResult(task_id, app=worker.client)


def _told(name: str, result: "AsyncResult[object]") -> tuple[str, str, str]:
    return name, result.state, _lasting(f"{result.result!r} {result.traceback}")


def _lasting(text: str) -> str:
    return CHANGING.sub("", text)


@pytest.mark.service("redis")
def test_states_results_log_and_exit_are_what_they_were(tmp_path: Path) -> None:
    """A worker that is instrumented does, stores and says what it does without us."""
    command, bare = (*WORKER, "--concurrency=1"), {"HOLDFAST_TEST_BARE": "1"}
    with (
        running("Redis", tmp_path, command) as with_us,
        running("Redis", tmp_path, command, bare) as without,
    ):
        both = with_us, without

        ended = _run(*both)

        for worker in both:
            worker.ask_to_end()

    assert ended[0] == ended[1]
    said = [sorted(_lasting(line) for line in worker.said().splitlines()) for worker in both]
    assert said[0] == said[1]
    assert [worker.process.returncode for worker in both] == [0, 0]
    assert with_us.filed()
    assert not without.events()
