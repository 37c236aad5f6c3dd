import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from holdfast.context import parse_traceparent, work_context
from tests.integrations.conftest import need

need("celery")
need("redis")
from celery import Celery, chain, chord, group  # noqa: E402  # needed above

from holdfast.integrations.celery import propagation  # noqa: E402
from tests.integrations.celery_workers import (  # noqa: E402
    RABBITMQ,
    REDIS,
    ROOT,
    end,
    forget,
    redis,
    sender,
    wait_for,
    worker,
)

if TYPE_CHECKING:
    from celery.canvas import Signature

Note = dict[str, object]
BROKERS = {"redis": REDIS, "rabbitmq": RABBITMQ}

pytestmark = pytest.mark.service("redis")


class Traced(NamedTuple):
    """A worker that runs, and what its tasks wrote."""

    app: Celery
    notes: Path

    def read(self, *keys: str) -> list[Note]:
        """Return the notes under some keys, once there is one under each."""

        def found() -> list[Note]:
            lines = self.notes.read_text().splitlines() if self.notes.exists() else []
            return [note for line in lines if (note := json.loads(line))["key"] in keys]

        wait_for(lambda: {note["key"] for note in found()} >= set(keys))
        return found()


@pytest.fixture(
    scope="module",
    params=["redis", pytest.param("rabbitmq", marks=pytest.mark.service("rabbitmq"))],
)
def traced(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Traced]:
    """Run a worker with two children, and give an application that sends to it."""
    folder, queue = tmp_path_factory.mktemp("traced"), f"traced-{uuid.uuid4().hex}"
    environment = {"TEST_BROKER": BROKERS[request.param], "TEST_QUEUE": queue}
    notes = folder / "notes"
    running = worker(
        "tests.integrations.traced_app",
        *(folder / "log", "--concurrency=2"),
        environment={**environment, "TEST_NOTES": str(notes)},
    )
    with running, sender(environment) as app:
        propagation.connect(app)
        yield Traced(app, notes)
        propagation.disconnect()
    forget(environment)


Send = Callable[[Celery, str], object]


def signed(app: Celery, name: str, *arguments: object) -> "Signature[object]":
    """Return the signature of a task that takes nothing from those before it but first."""
    return app.signature(name, arguments)


WAYS: dict[str, tuple[Send, tuple[str, ...]]] = {
    "one": (lambda app, key: signed(app, "note", key).delay(), ("",)),
    "retry": (lambda app, key: signed(app, "twice", key).delay(), ("",)),
    "child": (lambda app, key: signed(app, "sends", key).delay(), ("", "'s child")),
    "link": (
        lambda app, key: signed(app, "note", key).apply_async(
            link=signed(app, "note", f"{key} linked")
        ),
        ("", " linked"),
    ),
    "link_error": (
        lambda app, key: signed(app, "fails", key).apply_async(
            link_error=signed(app, "note", f"{key} failed")
        ),
        ("", " failed"),
    ),
    "chain": (
        lambda app, key: chain(
            *(signed(app, "note", f"{key}{i}") for i in range(3)), app=app
        ).delay(),
        ("0", "1", "2"),
    ),
    "group": (
        lambda app, key: group(
            (signed(app, "note", f"{key}{i}") for i in range(3)), app=app
        ).delay(),
        ("0", "1", "2"),
    ),
    "chord": (
        lambda app, key: chord(
            [signed(app, "note", f"{key}{i}") for i in range(2)],
            signed(app, "note", f"{key} body"),
            app=app,
        ).delay(),
        ("0", "1", " body"),
    ),
    "failing chord": (
        lambda app, key: chord(
            [signed(app, "note", f"{key}0"), signed(app, "fails", f"{key}1")],
            signed(app, "note", f"{key} body").on_error(signed(app, "note", f"{key} failed")),
            app=app,
        ).delay(),
        ("0", "1", " failed"),
    ),
}
LOST: dict[str, tuple[Send, tuple[str, ...]]] = {
    "lost": (
        lambda app, key: signed(app, "dies", key).apply_async(
            link_error=signed(app, "note", f"{key} lost")
        ),
        ("", " lost"),
    ),
    "exit": (
        lambda app, key: signed(app, "exits", key).apply_async(
            link_error=signed(app, "note", f"{key} left")
        ),
        ("", " left"),
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_request_and_all_that_comes_of_its_tasks_have_one_id(traced: Traced, way: str) -> None:
    """Retries, children, canvases and error callbacks belong to the work that sent the first task."""
    assert_one_id(traced, *WAYS[way])


@pytest.mark.parametrize("way", LOST)
def test_a_parent_speaks_with_the_id_of_the_task_it_lost(traced: Traced, way: str) -> None:
    """Error callbacks of a child that died are sent where no piece of work is going on."""
    assert_one_id(traced, *LOST[way])


def assert_one_id(traced: Traced, send: Send, parts: tuple[str, ...]) -> None:
    """Fail unless all notes that come of a request's tasks have its id, and a span each."""
    key = uuid.uuid4().hex

    with work_context() as request:
        send(traced.app, key)
    notes = traced.read(*(f"{key}{part}" for part in parts))

    assert len(notes) >= len(parts)
    assert {note["trace_id"] for note in notes} == {request.trace_id}
    assert len({note["span_id"] for note in notes}) == len(notes)
    for note in notes:
        assert parse_traceparent(str(note["parent"])) == (request.trace_id, "00")


def test_a_task_that_is_tried_again_by_the_parent_keeps_its_id(traced: Traced) -> None:
    """`retry_on_worker_lost` sends from a process in which no piece of work is going on."""
    key = uuid.uuid4().hex

    with work_context() as request:
        signed(traced.app, "dies", key).apply_async(
            link_error=signed(traced.app, "note", f"{key}!")
        )
    traced.read(f"{key}!")
    notes = traced.read(key)

    assert [note["retries"] for note in notes] == [0, 1]
    assert {note["trace_id"] for note in notes} == {request.trace_id}


def test_tasks_of_different_requests_have_different_ids(traced: Traced) -> None:
    """One child runs many tasks after each other, and no id stays behind."""
    keys = [uuid.uuid4().hex for _ in range(20)]
    ids = {}

    for key in keys:
        with work_context() as request:
            signed(traced.app, "note", key).delay()
            ids[key] = request.trace_id
    notes = traced.read(*keys)

    assert {str(note["key"]): note["trace_id"] for note in notes} == ids


def test_every_run_of_a_schedule_begins_a_trace(tmp_path: Path) -> None:
    """What beat sends has an id that no other run has."""
    queue = f"beat-{uuid.uuid4().hex}"
    environment = {"TEST_BROKER": REDIS, "TEST_QUEUE": queue, "TEST_NOTES": str(tmp_path / "notes")}
    client = redis()

    with (tmp_path / "log").open("wb") as log:
        beat = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "tests.integrations.traced_app", "beat"],
            stdout=log,
            stderr=log,
            cwd=ROOT,
            env={**os.environ, **environment},
        )
        wait_for(lambda: client.llen(f"{queue}:{queue}") >= 3)
        end(beat)
    messages: list[bytes] = client.lrange(f"{queue}:{queue}", 0, -1)
    client.close()
    forget(environment)

    headers = [json.loads(message)["headers"] for message in messages]
    assert len(headers) >= 3
    assert len({header["x-request-id"] for header in headers}) == len(headers)
    assert all(header["celery_beat_task"] for header in headers)
