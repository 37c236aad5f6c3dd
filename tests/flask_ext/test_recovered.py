"""Values that handlers recover with, as what a view returns: of plain views and coroutines."""

import asyncio
from typing import TYPE_CHECKING, NoReturn, cast

import pytest
from flask import Flask, Response, abort

from holdfast import environment
from holdfast.errors import AppError, DatabaseError
from holdfast.handler import Recovered
from holdfast.runtime import Runtime, current_runtime
from holdfast.testing import RecordingReporter
from tests.flask_ext.conftest import MakeApp

if TYPE_CHECKING:
    from holdfast_flask.wsgi import Boundary

BOTH = pytest.mark.parametrize(
    "asynchronous", [False, pytest.param(True, marks=pytest.mark.extra("asgiref"))]
)


def runtime_of(app: Flask) -> Runtime:
    """Return an application's runtime."""
    with app.app_context():
        return current_runtime()


def breaking() -> NoReturn:
    """Fail by mistake."""
    raise KeyError("sku")


async def breaking_later() -> NoReturn:
    """Fail in a coroutine."""
    raise KeyError("sku")


VALUES = {
    "text": ("cached", 200, b"cached"),
    "dict": ({"stale": True}, 200, b'{"stale":true}\n'),
    "tuple": (({"stale": True}, 203), 203, b'{"stale":true}\n'),
    "response": (Response("cached", 206), 206, b"cached"),
    "nothing": (Recovered(None), 204, b""),
    "empty text": ("", 200, b""),
    "failing": (("", 503), 503, b""),
}


@BOTH
@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("testing", [False, True])
def test_a_recovered_value_is_answered_as_a_views(
    make_app: MakeApp, recorded: RecordingReporter, value: str, *, asynchronous: bool, testing: bool
) -> None:
    """Whatever kind of view and handler, and where errors propagate too: it is over, and recorded once."""
    app = make_app(TESTING=testing)
    app.add_url_rule("/", view_func=breaking_later if asynchronous else breaking)
    given, status, body = VALUES[value]

    async def coroutine(*_: object) -> object:
        return given

    def plain(*_: object) -> object:
        return given

    runtime_of(app).on(KeyError, coroutine if asynchronous else plain)

    answer = app.test_client().get("/")

    assert (answer.status_code, answer.data) == (status, body)
    assert [record.recovered for record in recorded.records] == [True]


@pytest.mark.parametrize("error", [AppError("caller"), DatabaseError("down"), 404, 500])
def test_errors_of_every_kind_are_recovered(
    make_app: MakeApp, recorded: RecordingReporter, error: Exception | int
) -> None:
    """A caller's mistake, a server error, and what `abort` raises."""
    app = make_app()
    runtime_of(app).on(Exception, lambda _, __, ___: "recovered")

    @app.get("/")
    def fail() -> str:
        if isinstance(error, int):
            abort(error)
        raise error

    answer = app.test_client().get("/")

    assert (answer.status_code, answer.text) == (200, "recovered")
    assert [record.recovered for record in recorded.records] == [True]


def test_what_is_no_answer_is_a_mistake_of_the_handler(
    make_app: MakeApp, recorded: RecordingReporter
) -> None:
    """It is recorded as an error of its own, and the error at hand is answered."""
    app = make_app()
    app.add_url_rule("/", view_func=breaking)
    runtime_of(app).on(KeyError, lambda _, __, ___: 7)

    answer = app.test_client().get("/")

    assert answer.status_code == 500
    assert [record.type for record in recorded.records] == ["KeyError", "TypeError"]


def test_handlers_come_from_the_settings(make_app: MakeApp, recorded: RecordingReporter) -> None:
    """`HOLDFAST_HANDLERS` and `HOLDFAST_RECOVERIES` name functions by what they are for."""
    app = make_app(
        HOLDFAST_HANDLERS={"builtins.KeyError": f"{__name__}:declining"},
        HOLDFAST_RECOVERIES={"INTERNAL_ERROR": {"ACTION": f"{__name__}:from_cache", "TIMEOUT": 5}},
    )
    app.add_url_rule("/", view_func=breaking)

    assert app.test_client().get("/").text == "from the cache"
    assert [event.name for event in recorded.events] == ["recovery.succeeded", "error.handled"]


def declining(*_: object) -> None:
    """Leave an error to the next."""


async def from_cache(*_: object) -> str:
    """Answer without the database."""
    asyncio.get_running_loop()
    return "from the cache"


def test_what_the_server_sees_is_only_told(make_app: MakeApp, recorded: RecordingReporter) -> None:
    """Beyond Flask nobody goes on with a value, and the record does not say so."""
    app = make_app()
    runtime_of(app).on(KeyError, lambda _, __, ___: "value")
    boundary = cast("Boundary", app.wsgi_app)
    boundary._next = breaking_app  # as a WSGI middleware within ours would be

    answer = app.test_client().get("/")

    assert answer.status_code == 500
    assert [record.recovered for record in recorded.records] == [False]
    assert environment.default() is None


def breaking_app(*_: object) -> NoReturn:
    """Fail outside of Flask."""
    raise KeyError("sku")
