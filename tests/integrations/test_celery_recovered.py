"""Tasks whose error a handler recovers from."""

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import pytest

from holdfast.environment import activated
from holdfast.errors import ValidationError
from holdfast.testing import RecordingRuntime
from tests.integrations.conftest import need

need("celery")
from celery import Celery, states  # noqa: E402  # needed above
from celery.app.trace import build_tracer  # noqa: E402
from celery.utils import uuid  # noqa: E402

from holdfast.integrations.celery.tasks import ResilientTask  # noqa: E402

if TYPE_CHECKING:
    App: TypeAlias = Celery[ResilientTask]


@pytest.fixture
def app() -> "Generator[App]":
    """Give an application all of whose tasks are resilient, and whose messages stay in memory."""
    made = Celery(
        "test",
        broker="memory://",
        backend="cache+memory://",
        set_as_current=False,
        fixups=[],
        task_cls=ResilientTask,
    )
    yield made
    made.close()


@pytest.fixture
def runtime() -> Generator[RecordingRuntime]:
    """Give a runtime whose handler recovers from some errors, as the current one."""
    made = RecordingRuntime()
    made.on(ValidationError, lambda _, __, ___: "recovered")
    with activated(made):
        yield made


def traced(app: "App", body: Callable[[], object], **options: object) -> tuple[str, object]:
    """Run a task as a worker's child does, and return the state and the result it is left in."""
    task = cast("Any", app).task(**{"shared": False, "name": "test.body", **options})(body)
    trace = build_tracer(task.name, task, app=cast("Any", app))
    task_id = uuid()  # results in memory are those of all tests
    trace(task_id, [], {}, {"id": task_id, "is_eager": False})
    left = app.AsyncResult(task_id)
    return left.state, left.result


def test_the_value_is_the_result_of_the_task(app: "App", runtime: RecordingRuntime) -> None:
    """The task has succeeded, and one record says that its error was recovered."""

    def body() -> None:
        raise ValidationError("wrong")

    left = traced(app, body)

    assert left == (states.SUCCESS, "recovered")
    assert [record.recovered for record in runtime.recorded.records] == [True]


def test_an_error_that_the_task_expects_comes_out(app: "App", runtime: RecordingRuntime) -> None:
    """What is named in `throws` is nobody's to handle."""

    def body() -> None:
        raise ValidationError("wrong")

    state, _ = traced(app, body, throws=(ValidationError,))

    assert state == states.FAILURE
    assert runtime.recorded.records == []


def test_a_task_called_as_a_function_raises(app: "App", runtime: RecordingRuntime) -> None:
    """Its caller is the boundary then."""

    def body() -> None:
        raise ValidationError("wrong")

    task = cast("Any", app).task(shared=False, name="test.body")(body)

    with pytest.raises(ValidationError):
        task()

    assert runtime.recorded.records == []
