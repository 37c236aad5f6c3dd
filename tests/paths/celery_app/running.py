"""Real Celery workers as subprocesses, each with a queue of its own."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from celery import Celery
from kombu import Connection, Exchange, Queue

from tests.paths.filing import VARIABLE

if TYPE_CHECKING:
    from celery.canvas import Signature

ROOT = Path(__file__).parents[3]
BROKERS = {
    "RabbitMQ": "amqp://guest:guest@127.0.0.1:5672//",
    "Redis": "redis://127.0.0.1:6379/8",
}
BACKENDS = {"RabbitMQ": "cache+memory://", "Redis": "redis://127.0.0.1:6379/9"}
APP = "tests.paths.celery_app.app"
WORKER = (
    "worker",
    "--hostname={queue}@localhost",
    "--queues={queue}",
    "--concurrency=2",
    "--loglevel=INFO",
    "--without-gossip",
    "--without-mingle",
    "--without-heartbeat",
)
"""A worker with two forked children."""
DEADLINE = 20.0
_STEP = 0.01

Facts = dict[str, object]


@dataclass
class Worker:
    """One running worker, or beat."""

    process: "subprocess.Popen[bytes]"
    client: Celery
    queue: str
    records: Path
    """What its reporter filed, one JSON object a line."""
    log: Path
    """What it wrote to standard output and error."""
    accounted: list[object] = field(default_factory=list[object])
    """Ids of the records that tests have asked for."""
    asked_to_end: bool = False
    _events: list[Facts] = field(default_factory=list[Facts])
    _read: int = 0
    """Bytes of the records that were read before."""

    def ask_to_end(self) -> None:
        """Ask for a warm shutdown, without waiting; of several workers all first."""
        if not self.asked_to_end:
            self.asked_to_end = True
            self.process.send_signal(signal.SIGTERM)

    def send(
        self,
        name: str,
        *args: object,
        trace_id: str = "",
        task_id: str | None = None,
        expires: float | None = None,
        link_error: "Signature[object] | None" = None,
    ) -> str:
        """Send a task with a correlation id, and return the task's id."""
        sent = self.client.send_task(
            name,
            args,
            queue=self.queue,
            headers={"x-request-id": trace_id} if trace_id else {},
            task_id=task_id,
            expires=expires,
            link_error=link_error,
        )
        return str(sent.id)

    def publish(self, body: bytes, headers: Mapping[str, object]) -> None:
        """Publish a message that need not be a task's."""
        self.wait_for("queue", lambda: " ready." in self.said())  # which the worker declares
        with self.client.connection_for_write() as connection:
            connection.Producer().publish(
                body,
                routing_key=self.queue,
                content_type="application/json",
                content_encoding="utf-8",
                headers=dict(headers),
            )

    def revoke(self, task_id: str, **options: object) -> None:
        """Revoke a task, and return when the worker knows."""
        name, arguments = f"{self.queue}@localhost", {"task_id": task_id, **options}
        for _ in range(int(DEADLINE)):
            # Through Redis it hears nothing that is said before it listens.
            if self.client.control.broadcast(
                "revoke", arguments, [name], reply=True, limit=1, timeout=1.0
            ):
                return
        raise AssertionError(f"{name} did not answer: {self.said()}")

    def events(self) -> list[Facts]:
        """Return everything filed so far, oldest first."""
        if self.records.exists():
            with self.records.open("rb") as file:
                file.seek(self._read)
                whole = file.read().rpartition(b"\n")[0]
            self._events += [json.loads(line) for line in whole.splitlines()]
            self._read += len(whole) + bool(whole)
        return self._events

    def filed(self) -> list[Facts]:
        """Return the error records filed so far."""
        return [facts for facts in self.events() if facts["event"] == "error.handled"]

    def unaccounted(self) -> list[Facts]:
        """Return the error records that no test has asked for yet."""
        return [facts for facts in self.filed() if facts["record_id"] not in self.accounted]

    def wait_for(self, what: str, condition: Callable[[], object]) -> None:
        """Wait until something holds, or fail with the worker's log."""
        for _ in range(int(DEADLINE / _STEP)):
            if condition():
                return
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = self.process.wait(_STEP)
                if condition():
                    return
                raise AssertionError(f"it ended with {code}, without {what}: {self.said()}")
        raise AssertionError(f"no {what} within {DEADLINE} s: {self.said()}")

    def wait_for_event(self, name: str, **wanted: object) -> None:
        """Wait until an event with some attributes is filed."""
        expected = {"event": name, **wanted}.items()
        self.wait_for(
            f"{name} with {wanted}", lambda: any(expected <= one.items() for one in self.events())
        )

    def outcome(self, expected: int = 1) -> list[Facts]:
        """Return the records that came up since the last call, once a later task's is there.

        Waits for as many as are expected first; there may turn out to be more.
        """
        self.wait_for(f"{expected} records", lambda: len(self.unaccounted()) >= expected)
        mark = f"mark-{uuid.uuid4().hex}"
        self.send("raises", mark, trace_id=mark)
        self.wait_for("mark", lambda: any(one["trace_id"] == mark for one in self.unaccounted()))
        found = self.unaccounted()
        self.accounted += [one["record_id"] for one in found]
        return [one for one in found if one["trace_id"] != mark]

    def said(self) -> str:
        """Return what it wrote to standard output and error."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""


@contextlib.contextmanager
def running(
    broker: str,
    folder: Path,
    command: Sequence[str] = WORKER,
    environment: Mapping[str, str] | None = None,
) -> Generator[Worker]:
    """Run a command of Celery until the block ends; leaves nothing at the broker.

    Args:
        broker: Its name.
        folder: Where its files go.
        command: Its arguments, with `{queue}` for the queue of its own, and `{folder}`.
        environment: Further variables.
    """
    queue = f"holdfast-{uuid.uuid4().hex[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    records, log = folder / f"{queue}.jsonl", folder / f"{queue}.log"
    settings = {
        "HOLDFAST_TEST_BROKER": BROKERS[broker],
        "HOLDFAST_TEST_BACKEND": BACKENDS[broker],
        "HOLDFAST_TEST_QUEUE": queue,
        VARIABLE: str(records),
        **(environment or {}),
    }
    client = Celery(
        "client", broker=BROKERS[broker], backend=BACKENDS[broker], set_as_current=False
    )
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "celery",
                "-A",
                APP,
                *(part.format(queue=queue, folder=folder) for part in command),
            ],
            cwd=ROOT,
            env={**os.environ, **settings},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    worker = Worker(process, client, queue, records, log)
    try:
        yield worker
    finally:
        worker.ask_to_end()
        wait_for_end(process)
        client.close()
        clean_up(BROKERS[broker], queue)


def wait_for_end(process: "subprocess.Popen[bytes]") -> None:
    """Wait until a process has ended, else end it with all its children."""
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def clean_up(broker: str, queue: str) -> None:
    """Delete a queue with all that is in it."""
    with Connection(broker) as connection:
        channel: Any = connection.channel()
        if broker.startswith("redis"):
            keys = (queue, f"_kombu.binding.{queue}", f"_kombu.binding_permanent.{queue}")
            channel.client.delete(*keys)
            return
        for entity in (Queue(queue), Exchange(queue)):
            with contextlib.suppress(*connection.channel_errors):  # a broken worker declared none
                entity(connection.channel()).delete()
