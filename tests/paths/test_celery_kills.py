"""Children of a Celery worker that die in every way, many times over: one record each, and the worker serves on."""

import os
import signal
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import cycle, islice
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.integrations.conftest import need

need("celery")

from kombu import Connection  # noqa: E402  # not before it is known to be there

from tests.paths.celery_app.running import (  # noqa: E402
    BROKERS,
    DEADLINE,
    WORKER,
    Facts,
    Worker,
    running,
)

KILLS = int(os.environ.get("HOLDFAST_TEST_KILLS", "20"))
"""Children that are killed in a row; the session `kills` asks for 200."""
BATCH = 20
EXITED = " exited with '"
"""In what Celery logs of each child that died."""
SERVICES = {"RabbitMQ": "rabbitmq", "Redis": "redis"}
KILLABLE = (*WORKER, "--include=tests.paths.celery_app.killing")


class Death(NamedTuple):
    """A way for a child to die."""

    task: str
    argument: int | None
    code: str
    how: str
    """What the record says of it."""

    def send(self, worker: Worker, trace_id: str) -> None:
        """Have a child of the worker die."""
        arguments = () if self.argument is None else (self.argument,)
        worker.send(self.task, *arguments, trace_id=trace_id)


DEATHS = {
    "os._exit": Death("os-exit", 7, "TASK_LOST", "exitcode 7"),
    "SIGKILL, as of the kernel without memory": Death("kill", 9, "TASK_LOST", "signal 9 (SIGKILL)"),
    "SIGSEGV": Death("kill", 11, "TASK_LOST", "signal 11 (SIGSEGV)"),
    "SIGTERM from outside": Death("kill", 15, "TASK_LOST", "signal 15 (SIGTERM)"),
    "hard limit": Death("hard-limit", None, "TASK_TIMED_OUT", "TimeLimitExceeded"),
}
on_both_brokers = pytest.mark.parametrize(
    "broker", [pytest.param(name, marks=pytest.mark.service(SERVICES[name])) for name in SERVICES]
)


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Worker]]:
    """Run one worker for all deaths on a broker; it has to end by itself, and leave no record unexplained."""
    started: dict[str, Worker] = {}
    with ExitStack() as stack:

        def worker(broker: str) -> Worker:
            if broker not in started:
                folder = tmp_path_factory.mktemp(broker)
                started[broker] = stack.enter_context(running(broker, folder, KILLABLE))
            return started[broker]

        yield worker
        for one in started.values():
            one.ask_to_end()
        codes = [one.process.wait(DEADLINE) for one in started.values()]
    assert codes == [0] * len(codes)
    assert not [record for one in started.values() for record in one.unaccounted()]


def serve(worker: Worker) -> None:
    """Have tasks run until both children of the worker have run one; fail unless all succeed."""
    children: set[object] = set()
    for _ in range(20):
        tasks = {worker.send("sleep", 0.05) for _ in range(4)}

        def done(tasks: set[str] = tasks) -> list[Facts]:
            return [one for one in worker.events() if ended(one) in tasks]

        worker.wait_for("all tasks", lambda: len(done()) == len(tasks))  # noqa: B023  # called now
        children |= {one["pid"] for one in done()}
        if len(children) > 1:
            return
    raise AssertionError(f"one child alone has run all tasks: {worker.said()}")


def ended(event: Facts) -> object:
    """Return the id of the task that succeeded, if the event says that one did."""
    succeeded = event["event"] == "test.ended" and event["state"] == "SUCCESS"
    return event["task_id"] if succeeded else None


def wait_for_deaths(worker: Worker, requests: set[object]) -> None:
    """Wait until each request has a record, the worker has nothing in hand, and each death its record."""
    found = worker.unaccounted
    worker.wait_for("a record each", lambda: requests <= {one["trace_id"] for one in found()})
    worker.wait_for("rest", lambda: not in_hand(worker))
    worker.wait_for("all deaths", lambda: len(deaths_of(worker)) == len(exits(worker)))


def deaths_of(worker: Worker) -> list[Facts]:
    """Return the records of children that died."""
    codes = {"PROCESS_CRASHED", *(death.code for death in DEATHS.values())}
    return [record for record in worker.filed() if record["code"] in codes]


def exits(worker: Worker) -> list[str]:
    """Return what Celery logged of children that died."""
    return [line for line in worker.said().splitlines() if EXITED in line]


@on_both_brokers
@pytest.mark.parametrize("death", DEATHS)
def test_a_child_that_dies_leaves_one_record_and_the_worker_serves_on(
    workers: Callable[[str], Worker], broker: str, death: str
) -> None:
    """The record says how it died and carries the request's id, and another child takes its place."""
    worker, trace_id = workers(broker), f"{uuid.uuid4().hex}"

    DEATHS[death].send(worker, trace_id)
    (record,) = worker.outcome()

    assert (record["origin"], record["code"]) == ("celery.task", DEATHS[death].code)
    assert record["trace_id"] == trace_id
    assert DEATHS[death].how in f"{record['error_type']} {record['message']}"
    serve(worker)


@on_both_brokers
@pytest.mark.timeout(60 + 3 * KILLS)
def test_many_children_die_among_tasks_that_succeed_and_nothing_hangs(
    workers: Callable[[str], Worker], broker: str
) -> None:
    """Each death has its one record, every other task its success, and the last child works as the first.

    A task whose child dies together with another may be run twice by Celery, and is then twice a death.
    """
    worker, deaths = workers(broker), list(islice(cycle(DEATHS.values()), KILLS))

    for start in range(0, KILLS, BATCH):
        expected: dict[object, object] = {}
        for death in deaths[start : start + BATCH]:
            trace_id = uuid.uuid4().hex
            expected[trace_id] = death.code
            death.send(worker, trace_id)
            worker.send("sleep", 0, trace_id=trace_id)
        wait_for_deaths(worker, {*expected})
        records = worker.outcome(len(expected))
        assert {record["trace_id"]: record["code"] for record in records} == expected

    serve(worker)
    assert (worker.unaccounted(), len(deaths_of(worker))) == ([], len(exits(worker)))


@pytest.mark.service("rabbitmq")
def test_locks_that_were_held_when_a_child_was_forked_are_open_in_it(tmp_path: Path) -> None:
    """A child forked while threads of the parent held every lock of the suite and of logging reports."""
    with running("RabbitMQ", tmp_path, KILLABLE, {"hold": "1"}) as worker:
        lost: list[Facts] = []
        for _ in range(
            4
        ):  # one after the other: Celery may run one twice whose child dies with another
            worker.send("os-exit")
            lost += worker.outcome()
        for number in range(6):
            worker.send("raises", f"failure {number}")
        failed = worker.outcome(6)
        held = [one["locks"] for one in worker.events() if one["event"] == "test.held"]

    assert [record["code"] for record in lost] == ["TASK_LOST"] * 4
    assert {record["message"] for record in failed} == {f"failure {n}" for n in range(6)}
    assert len(held) >= 6  # two children at the start, and four that took others' places
    assert all(isinstance(locks, int) and locks >= 5 for locks in held)


@pytest.mark.service("rabbitmq")
def test_a_task_without_memory_leaves_one_record_and_celery_ends_the_worker(tmp_path: Path) -> None:
    """The task's record is one; that Celery gives up the whole worker is an error of its own."""
    with running("RabbitMQ", tmp_path, KILLABLE) as worker:
        worker.send("eat", trace_id="hungry")
        code = worker.process.wait(DEADLINE)
        records = {str(record["origin"]): record for record in worker.filed()}
        count = len(worker.filed())

    assert (count, set(records)) == (2, {"celery.task", "celery.worker"})
    assert records["celery.task"]["trace_id"] == "hungry"
    assert {record["error_type"] for record in records.values()} == {"MemoryError"}
    assert code == 1


@pytest.mark.service("redis")
def test_a_child_that_can_get_no_memory_at_all_is_heard_of(tmp_path: Path) -> None:
    """With nothing left to report with, a record comes from the child or from its parent, and the worker serves on."""
    with running("Redis", tmp_path, KILLABLE) as worker:
        worker.send("hoard", trace_id="hungry")
        records = worker.outcome()

        assert "hungry" in {record["trace_id"] for record in records}
        serve(worker)


@on_both_brokers
def test_a_warm_shutdown_lets_the_task_finish(broker: str, tmp_path: Path) -> None:
    """`SIGTERM` during a task is no error: the task succeeds, and the worker ends."""
    with running(broker, tmp_path, KILLABLE) as worker:
        task_id = worker.send("sleep", 0.5)
        worker.wait_for_event("test.began", task_id=task_id)
        worker.ask_to_end()
        code = worker.process.wait(DEADLINE)

        assert task_id in [ended(event) for event in worker.events()]
        assert (code, worker.filed()) == (0, [])


@on_both_brokers
def test_a_cold_shutdown_leaves_a_record_or_the_message(broker: str, tmp_path: Path) -> None:
    """A task that was acknowledged is lost, and said to be; one that was not is delivered again."""
    with running(broker, tmp_path, KILLABLE) as worker:
        tasks = {
            worker.send("sleep", 20, trace_id="acknowledged"),
            worker.send("late", 20, trace_id="not acknowledged"),
        }
        worker.wait_for("parent that knows of both", lambda: tasks <= active(worker))
        worker.asked_to_end = True
        worker.process.send_signal(signal.SIGQUIT)
        worker.process.wait(DEADLINE)

        told = [(record["code"], record["trace_id"]) for record in worker.filed()]
        assert told == [("TASK_LOST", "acknowledged")]
        assert waiting(broker, worker.queue) == 1


def active(worker: Worker) -> set[str]:
    """Return the tasks of which the parent knows that a child runs them."""
    return asked(worker, "active") or set()


def in_hand(worker: Worker) -> bool:
    """Tell whether the parent has a task that is not over, or does not answer."""
    return asked(worker, "active") != set() or asked(worker, "reserved") != set()


def asked(worker: Worker, what: str) -> set[str] | None:
    """Return the tasks that the parent says are active or reserved, if it answers in time."""
    name = f"{worker.queue}@localhost"
    replies = worker.client.control.broadcast(what, {}, [name], reply=True, limit=1, timeout=1)
    return {task["id"] for task in replies[0][name]} if replies else None


def waiting(broker: str, queue: str) -> int:
    """Return how many messages a queue holds."""
    with Connection(BROKERS[broker]) as connection:
        channel: Any = connection.channel()
        if broker == "Redis":
            return int(channel.client.llen(queue))
        return int(channel.queue_declare(queue, passive=True).message_count)
