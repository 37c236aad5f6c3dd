"""Tasks of `django.tasks`: a failure is handled once, in a piece of work of its own."""

import asyncio
import importlib
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from django.test import Client, override_settings
from django.urls import path

from holdfast.context import current_context, work_context
from holdfast_django import tasks
from tests.django_ext.conftest import RecordingProject

try:
    django_tasks: ModuleType | None = importlib.import_module("django.tasks")
except ImportError:
    django_tasks = None

needs_tasks = pytest.mark.skipif(django_tasks is None, reason="this Django has no django.tasks")
IDS: list[str] = []


def note() -> None:
    """Note the id of the work that this is part of."""
    work = current_context()
    IDS.append("" if work is None else f"{work.boundary} {work.trace_id}")


def fail() -> None:
    """Fail."""
    note()
    raise KeyError("sku")


async def fail_later() -> None:
    """Fail in a coroutine."""
    await asyncio.get_running_loop().run_in_executor(None, int)
    fail()


def leave() -> None:
    """Leave the process."""
    sys.exit(3)


def enqueue_another() -> None:
    """Enqueue a task within a task."""
    enqueue(fail)
    note()


def view(_: object) -> Any:  # noqa: ANN401  # a response
    """Enqueue a task that fails."""
    from django.http import HttpResponse  # noqa: PLC0415

    enqueue(fail)
    note()
    return HttpResponse("enqueued")


urlpatterns = [path("", view)]


def enqueue(function: Callable[[], object]) -> Any:  # noqa: ANN401  # of a Django that may not be here
    """Enqueue a function of this module as a task."""
    assert django_tasks is not None
    return django_tasks.task(function).enqueue()


@pytest.fixture(autouse=True)
def _no_ids() -> Iterator[None]:
    """Begin without ids."""
    IDS.clear()
    yield
    assert tasks._running == {}


@needs_tasks
@pytest.mark.parametrize("function", [fail, fail_later])
def test_a_task_that_fails_at_once_is_recorded_within_the_work_that_enqueued_it(
    function: Callable[[], object], project: RecordingProject
) -> None:
    """Once, though Django logs it as well; whoever enqueued it goes on."""
    with work_context("order-42"):
        result = enqueue(function)

    (record,) = project.recorded.records
    assert (record.origin.boundary, record.type) == ("django.task", "KeyError")
    assert record.origin.operation == f"{__name__}.{function.__name__}"
    assert dict(record.origin.attributes) == {"task": result.id, "queue": "default"}
    assert record.trace_id == "order-42"
    assert IDS == ["django.task order-42"]


@needs_tasks
@override_settings(ROOT_URLCONF=__name__)
def test_a_request_goes_on_after_the_task_it_enqueued(project: RecordingProject) -> None:
    """Its work is the current one again."""
    Client().get("/", headers={"X-Request-ID": "order-42"})

    assert IDS == ["django.task order-42", "django.request order-42"]
    assert [record.trace_id for record in project.recorded.records] == ["order-42"]


@needs_tasks
def test_a_task_within_a_task_ends_before_it(project: RecordingProject) -> None:
    """Each is a piece of work, and the outer one goes on."""
    with work_context("order-42"):
        enqueue(enqueue_another)

    assert IDS == ["django.task order-42"] * 2
    assert len(project.recorded.records) == 1


@needs_tasks
def test_an_exit_that_the_backend_swallows_is_a_failure(project: RecordingProject) -> None:
    """Nobody would hear of it: the process goes on, and the task did not."""
    enqueue(leave)

    (record,) = project.recorded.records
    assert record.classification.code == "UNEXPLAINED_FAILURE"
    assert record.message == "the task ended by SystemExit: 3"
    assert record.frames[-1].function == "leave"


def signal(name: str, result: Any) -> None:  # noqa: ANN401  # of a Django that may not be here
    """Send a signal as a backend does."""
    signals = importlib.import_module("django.tasks.signals")
    getattr(signals, name).send(sender=object, task_result=result)


def result_of(function: Callable[[], object], *, failed: bool) -> Any:  # noqa: ANN401  # of a Django that may not be here
    """Return what a backend knows of a task."""
    base = importlib.import_module("django.tasks.base")
    error = base.TaskError(exception_class_path="shop.errors.Gone", traceback="…")
    return base.TaskResult(
        task=base.Task(func=function),
        id="a1b2c3",
        status=base.TaskResultStatus.FAILED if failed else base.TaskResultStatus.SUCCESSFUL,
        **dict.fromkeys(("enqueued_at", "started_at", "last_attempted_at", "finished_at")),
        args=[],
        kwargs={},
        backend="default",
        errors=[error] if failed else [],
        worker_ids=[],
    )


@needs_tasks
def test_a_task_that_another_process_enqueued_has_its_own_id(project: RecordingProject) -> None:
    """The one that its enqueuer was given, whatever work the worker is about."""
    with work_context("the-worker", boundary="django.command"):
        signal("task_started", result_of(fail, failed=False))
        note()
        try:
            raise KeyError("sku")
        except KeyError:
            signal("task_finished", result_of(fail, failed=True))
        note()

    assert IDS == ["django.task a1b2c3", "django.command the-worker"]
    (record,) = project.recorded.records
    assert (record.trace_id, record.type) == ("a1b2c3", "KeyError")


@needs_tasks
def test_a_failure_of_which_only_the_result_tells_is_recorded_as_unexplained(
    project: RecordingProject,
) -> None:
    """A backend that ran it elsewhere has no exception any more."""
    signal("task_finished", result_of(fail, failed=True))

    (record,) = project.recorded.records
    assert record.classification.code == "UNEXPLAINED_FAILURE"
    assert record.message == "the task failed; its result says: shop.errors.Gone"


@needs_tasks
def test_a_task_that_succeeds_leaves_nothing(project: RecordingProject) -> None:
    """No record, and no work that goes on."""
    with work_context("order-42"):
        enqueue(note)
        note()

    assert IDS == ["django.task order-42", " order-42"]
    assert project.recorded.records == []


@needs_tasks
@pytest.mark.parametrize("silent", [True, False])
def test_our_receivers_never_raise(
    *, silent: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What they raised would come out where the task was enqueued."""

    def broken() -> None:
        raise RuntimeError("the runtime broke")

    monkeypatch.setattr(tasks, "project_runtime", broken)
    if silent:
        monkeypatch.setattr(sys, "stderr", None)

    assert enqueue(fail).status == "FAILED"

    said = "" if silent else "holdfast: a task's signal raised RuntimeError\n"
    assert capsys.readouterr().err.endswith(said)


@needs_tasks
def test_a_task_that_is_finished_elsewhere_than_it_began_is_harmless(
    project: RecordingProject, capsys: pytest.CaptureFixture[str]
) -> None:
    """A backend may do so; the work it was begun in ends with its own context."""
    asyncio.run(_started())

    signal("task_finished", result_of(fail, failed=True))

    assert len(project.recorded.records) == 1
    assert "holdfast" not in capsys.readouterr().err


async def _started() -> None:
    signal("task_started", result_of(fail, failed=False))


def test_a_django_without_tasks_has_nothing_to_listen_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Django 5.2 has none."""

    def none(_: str) -> None:
        return None

    monkeypatch.setattr(tasks, "find_spec", none)
    monkeypatch.setitem(sys.modules, "django.tasks.signals", None)

    tasks.watch_tasks()

    assert sys.modules["django.tasks.signals"] is None
