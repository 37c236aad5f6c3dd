"""What werkzeug's exceptions become."""

from datetime import UTC, datetime

import pytest
from flask import Flask, abort, request
from flask.testing import FlaskClient
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import (
    Forbidden,
    HTTPException,
    RequestedRangeNotSatisfiable,
    ServiceUnavailable,
    TooManyRequests,
    Unauthorized,
    default_exceptions,
)
from werkzeug.test import TestResponse

from holdfast.codes import Fault, Severity, spec_of
from holdfast.testing import RecordingReporter
from tests.flask_ext.bodies import about, body_of
from tests.flask_ext.conftest import MakeApp


def raising(app: Flask, error: Exception) -> TestResponse:
    """Return the answer to a view that raises."""

    @app.get("/raise")
    def view() -> str:
        raise error

    return app.test_client().get("/raise")


@pytest.mark.parametrize("status", sorted(default_exceptions))
def test_every_status_is_kept(app: Flask, recorded: RecordingReporter, status: int) -> None:
    """Each of werkzeug's exceptions keeps its status, has a declared code and one record."""
    answer = raising(app, default_exceptions[status]())

    assert answer.status_code == status
    assert spec_of(about(answer)["code"]) is not None
    assert [record.classification.status for record in recorded.records] == [status]
    is_callers = recorded.records[0].classification.fault is Fault.CALLER
    assert is_callers == (status < 500)


def test_words_of_the_raiser_reach_the_caller_they_blame(app: Flask) -> None:
    """A description given to abort(4xx) is the message."""
    answer = raising(app, Forbidden("Editors only"))

    assert body_of(answer)["message"] == "Editors only"


def test_words_of_the_framework_give_way_to_the_title(client: FlaskClient) -> None:
    """Werkzeug's default sentence is not the message; the code's title is, in the caller's language."""
    english = client.get("/nowhere")
    french = client.get("/nowhere", headers={"Accept-Language": "fr"})

    assert body_of(english)["message"] == "Resource not found"
    assert body_of(french)["message"] != body_of(english)["message"]


def test_words_about_a_server_error_stay_inside(app: Flask, recorded: RecordingReporter) -> None:
    """A description given to abort(5xx) is recorded and not shown."""
    answer = raising(app, ServiceUnavailable("replica db-7 is down"))

    assert "db-7" not in answer.text
    assert "db-7" in recorded.records[0].message


def test_challenges_are_kept(app: Flask) -> None:
    """Every WWW-Authenticate of a 401 comes out, joined as HTTP allows."""
    challenges = [WWWAuthenticate("basic", {"realm": "a"}), WWWAuthenticate("bearer")]

    answer = raising(app, Unauthorized(www_authenticate=challenges))

    header = answer.headers["WWW-Authenticate"].lower()
    assert "basic" in header
    assert "bearer" in header
    assert about(answer)["code"] == "UNAUTHORIZED"


def test_seconds_to_wait_are_kept(app: Flask) -> None:
    """The retry_after of a 429 is a header and a member of the body."""
    answer = raising(app, TooManyRequests(retry_after=12))

    assert answer.headers["Retry-After"] == "12"
    assert about(answer)["retry_after"] == 12


def test_a_time_to_wait_for_is_kept(app: Flask) -> None:
    """A retry_after that is a point in time stays a date in the header."""
    answer = raising(app, ServiceUnavailable(retry_after=datetime(2030, 1, 1, tzinfo=UTC)))

    assert answer.headers["Retry-After"] == "Tue, 01 Jan 2030 00:00:00 GMT"
    assert "retry_after" not in about(answer)


def test_the_size_of_the_resource_is_kept(app: Flask) -> None:
    """A 416 tells the length of the resource, and its body is ours."""
    answer = raising(app, RequestedRangeNotSatisfiable(length=100))

    assert answer.headers["Content-Range"] == "bytes */100"
    assert answer.headers.getlist("Content-Type") == ["application/json"]


def test_methods_are_told(app: Flask) -> None:
    """A 405 keeps Allow."""
    raising(app, HTTPException())

    answer = app.test_client().put("/raise")

    assert about(answer)["code"] == "METHOD_NOT_ALLOWED"
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


def test_a_missing_field_of_a_form_is_named(app: Flask) -> None:
    """request.form["quantity"] without the field is a field error."""

    @app.post("/order")
    def order() -> str:
        return request.form["quantity"]

    answer = app.test_client().post("/order")

    assert answer.status_code == 400
    assert about(answer)["details"] == {"field_errors": {"quantity": ["is required"]}}
    assert body_of(answer)["errors"] == ["quantity: is required"]


def test_malformed_json_is_told_where(app: Flask) -> None:
    """The place of the mistake comes out, and nothing of the text around it."""

    @app.post("/order")
    def order() -> ResponseReturnValue:
        return {"read": request.get_json()}

    answer = app.test_client().post(
        "/order", data=b'{"card": 4111-', content_type="application/json"
    )

    assert about(answer)["code"] == "MALFORMED_JSON"
    assert about(answer)["details"] == {"line": 1, "column": 14}
    assert "4111" not in answer.text


def test_undecodable_json_is_malformed(app: Flask) -> None:
    """A body that is not even text is malformed JSON too."""

    @app.post("/order")
    def order() -> ResponseReturnValue:
        return {"read": request.get_json()}

    answer = app.test_client().post("/order", data=b'"\xff"', content_type="application/json")

    assert about(answer)["code"] == "MALFORMED_JSON"


def test_a_bad_request_about_json_by_the_project_is_no_syntax_error(app: Flask) -> None:
    """Only a failure to decode is malformed JSON; abort(400) in the middle of a ValueError is not."""

    @app.get("/order")
    def order() -> str:
        try:
            return str(int("x"))
        except ValueError:
            abort(400, "quantity must be a number")

    answer = app.test_client().get("/order")

    assert about(answer)["code"] == "INVALID_REQUEST_DATA"
    assert body_of(answer)["message"] == "quantity must be a number"


def test_an_untrusted_host_is_not_repeated(make_app: MakeApp, recorded: RecordingReporter) -> None:
    """A host that is not trusted is refused without its name in the answer."""
    app = make_app(TRUSTED_HOSTS=["shop.example"])

    answer = app.test_client().get("/", base_url="http://evil.example")

    assert answer.status_code == 400
    assert about(answer)["code"] == "INVALID_REQUEST_DATA"
    assert "evil.example" not in answer.text
    assert [record.classification.severity for record in recorded.records] == [Severity.WARNING]


def test_an_exception_class_of_the_project_is_read_by_its_status(app: Flask) -> None:
    """A subclass with a status of its own keeps it, even when its headers cannot be made."""

    class PaymentRequired(HTTPException):
        code = 402
        description = "Pay first"

        def get_headers(self, *_: object, **__: object) -> list[tuple[str, str]]:
            raise KeyError("no scope")

    answer = raising(app, PaymentRequired("Your card has expired"))

    assert answer.status_code == 402
    assert body_of(answer)["message"] == "Your card has expired"
