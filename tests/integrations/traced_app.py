"""A Celery application without any runtime, whose tasks write down in which piece of work they run.

Told by its environment where messages and results are (see `transport`), and notes: `TEST_NOTES`.
"""

import json
import os
from pathlib import Path

from celery import Celery, Task

from holdfast.context import TRACEPARENT_HEADER, current_context
from holdfast.integrations.celery import propagation
from tests.integrations.celery_workers import look_often_for_lost_children, transport

NOTES = Path(os.environ["TEST_NOTES"])

app = Celery("traced", set_as_current=False)
app.conf.update(
    **transport(os.environ),
    worker_enable_remote_control=False,
    worker_hijack_root_logger=False,
    worker_lost_wait=0.2,
    result_chord_retry_interval=0.1,
    beat_schedule={"tick": {"task": "note", "schedule": 0.3, "args": ("tick",)}},
    beat_schedule_filename=f"{NOTES}.schedule",
    broker_connection_retry_on_startup=True,
)
propagation.connect(app)
look_often_for_lost_children()


def write(key: str, task: "Task[..., object]") -> None:
    """Write down what is known of the present piece of work."""
    work = current_context()
    said = {
        "key": key,
        "trace_id": "" if work is None else work.trace_id,
        "span_id": "" if work is None else work.span_id,
        "fields": {} if work is None else dict(work.fields),
        "parent": vars(task.request).get(TRACEPARENT_HEADER),
        "headers": task.request.headers,
        "retries": task.request.retries,
    }
    descriptor = os.open(NOTES, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, json.dumps(said, default=str).encode() + b"\n")
    os.close(descriptor)


@app.task(name="note", bind=True)
def note(self: "Task[..., object]", *arguments: object) -> str:
    """Write a note under the last argument: results of other tasks come before it."""
    write(str(arguments[-1]), self)
    return str(arguments[-1])


@app.task(name="twice", bind=True)
def twice(self: "Task[..., object]", key: str) -> None:
    """Write a note, and another when tried again."""
    write(key, self)
    if self.request.retries == 0:
        raise self.retry(countdown=0)


@app.task(name="sends", bind=True)
def sends(self: "Task[..., object]", key: str) -> None:
    """Write a note and send a task that does."""
    write(key, self)
    note.delay(f"{key}'s child")


@app.task(name="fails", bind=True)
def fails(self: "Task[..., object]", key: str) -> None:
    """Write a note and fail."""
    write(key, self)
    raise ValueError(key)


@app.task(name="exits", bind=True)
def exits(self: "Task[..., object]", key: str) -> None:
    """Write a note and leave as a script would."""
    write(key, self)
    raise SystemExit(3)


@app.task(name="dies", bind=True, max_retries=1, default_retry_delay=0, retry_on_worker_lost=True)
def dies(self: "Task[..., object]", key: str) -> None:
    """Write a note and die on the spot, as often as it is tried."""
    write(key, self)
    os._exit(7)
