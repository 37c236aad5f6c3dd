"""Kata 11 in requests of Flask: plain views and coroutines."""

from typing import NoReturn

import pytest
from flask import Flask

from holdfast.context import bind_request
from holdfast.runtime import current_runtime
from holdfast.testing import RecordingReporter
from tests.core.kata11 import CLASSIFIERS, DatabaseDown, Operations, installed
from tests.flask_ext.conftest import MakeApp

VIEWS = pytest.mark.parametrize(
    "view", ["sync", pytest.param("async", marks=pytest.mark.extra("asgiref"))]
)


def user() -> NoReturn:
    """Read or change a user, which the database does not let."""
    bind_request(user="user-123")
    raise DatabaseDown


async def auser() -> NoReturn:
    """Do the same as a coroutine."""
    user()


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """Return an application with the classifiers and both views."""
    app = make_app(HOLDFAST_CLASSIFIERS=list(CLASSIFIERS))
    app.add_url_rule("/api/sync/users/123", view_func=user, methods=["GET", "PUT"])
    app.add_url_rule("/api/async/users/123", view_func=auser, methods=["GET", "PUT"])
    return app


@pytest.fixture(params=[False, True], ids=["functions", "coroutines"])
def operations(app: Flask, request: pytest.FixtureRequest) -> Operations:
    """Return what handler and middleware of the application do."""
    with app.app_context():
        return installed(current_runtime(), asynchronous=request.param)


@VIEWS
def test_a_failed_read_is_answered_from_the_cache(
    app: Flask, recorded: RecordingReporter, operations: Operations, view: str
) -> None:
    """The caller gets what the cache holds; one record says that the work went on."""
    answer = app.test_client().get(f"/api/{view}/users/123", headers={"X-Request-ID": "work-1"})

    assert (answer.status_code, answer.json) == (200, {"id": 123, "stale": True})
    notified = "notified of DatabaseDown by user-123 in work-1"
    assert operations.done == ["reconnected", notified, "cached"]
    assert [record.recovered for record in recorded.records] == [True]


@VIEWS
def test_a_failed_update_is_answered_with_the_error(
    app: Flask, recorded: RecordingReporter, operations: Operations, view: str
) -> None:
    """It is reconnected and notified, logged and recorded once; the caller gets the error."""
    answer = app.test_client().put(f"/api/{view}/users/123", headers={"X-Request-ID": "work-1"})

    assert answer.json is not None
    about = answer.json["except"]
    assert (answer.status_code, about["code"]) == (500, "DATABASE_ERROR")
    assert len(operations.done) == 2
    assert operations.logged[0][2:] == (f"/api/{view}/users/123", "user-123")
    (record,) = recorded.records
    assert record.trace_id == about["trace_id"] == "work-1"
