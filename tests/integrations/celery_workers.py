"""Real Celery workers, on transports that need no service or that do, and waiting for what they did."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

from celery import Celery
from celery.concurrency.asynpool import AsynPool
from kombu import Connection, Exchange, Queue
from redis import Redis

STEP: Final = 0.02
"""Seconds between two looks."""
REDIS: Final = "redis://127.0.0.1:6379/0"
RABBITMQ: Final = "amqp://guest:guest@127.0.0.1:5672//"
ROOT: Final = Path(__file__).parents[2]


def transport(environment: Mapping[str, str]) -> dict[str, object]:
    """Return the settings of an application for where messages and results are.

    `TEST_BROKER` is a transport's address, `TEST_QUEUE` the queue, and what all names in Redis
    begin with. Results are always in Redis.
    """
    queue = environment["TEST_QUEUE"]
    prefix = {"global_keyprefix": f"{queue}:"}
    broker = environment["TEST_BROKER"]
    return {
        "broker_url": broker,
        "broker_transport_options": prefix if broker == REDIS else {},
        "result_backend": REDIS,
        "result_backend_transport_options": prefix,
        "result_expires": 300,
        "task_default_queue": queue,
        "task_queues": [Queue(queue, durable=False, auto_delete=broker != REDIS)],
    }


def redis() -> Any:  # noqa: ANN401  # redis-py's annotations do not say what comes back
    """Return a client of the Redis under test, to be closed."""
    return cast("Any", Redis).from_url(REDIS)


def forget(environment: Mapping[str, str]) -> None:
    """Delete all that a worker or beat left at its broker and in Redis."""
    queue = environment["TEST_QUEUE"]
    client = redis()
    for key in (*client.scan_iter(f"{queue}:*"), *client.scan_iter(f"_kombu.binding*.{queue}")):
        client.delete(key)
    client.close()
    if environment["TEST_BROKER"] == RABBITMQ:
        with Connection(RABBITMQ) as connection:
            Exchange(queue)(connection.channel()).delete()


@contextmanager
def sender(environment: Mapping[str, str]) -> Generator[Celery]:
    """Give an application that sends tasks and waits for no result; close its connections after it."""
    app = Celery("sender", set_as_current=False)
    app.conf.update(**transport(environment))
    backend = cast("Any", app.backend)
    # These subscribe, and connect again whenever a result is collected.
    backend.on_task_call = backend.remove_pending_result = _pass_over
    yield app
    backend.client.connection_pool.disconnect()
    app.close()


def _pass_over(*_: object) -> None:
    """Do nothing."""


def look_often_for_lost_children() -> None:
    """Have the parent of this process's pool look every tenth of a second, not every five seconds."""
    setattr(AsynPool, "timers", property(lambda pool: {pool.maintain_pool: 0.1}))  # noqa: B010  # has no setter


@contextmanager
def worker(
    application: str, log: Path, *options: str, environment: dict[str, str]
) -> Generator["subprocess.Popen[bytes]"]:
    """Run a worker until the block ends, then see it end by itself.

    Args:
        application: What `-A` names.
        log: Takes what the worker writes.
        options: Further options of `celery worker`.
        environment: Beside that of the tests.
    """
    command = [sys.executable, "-m", "celery", "-A", application, "worker", "--loglevel=INFO"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, *quiet, *options],
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env={**os.environ, **environment},
        )
    try:
        wait_for(lambda: b" ready." in log.read_bytes() or process.poll() is not None, 30)
        yield process
    finally:
        end(process)


def end(process: "subprocess.Popen[bytes]", patience: float = 15.0) -> None:
    """Ask a process to end, and make it."""
    process.terminate()
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(patience)
        raise


def wait_for(condition: Callable[[], object], seconds: float = 15.0) -> bool:
    """Wait until a condition holds, at most so many seconds; tell whether it came to hold."""
    pause = threading.Event()
    for _ in range(int(seconds / STEP)):
        if condition():
            return True
        pause.wait(STEP)
    return bool(condition())
