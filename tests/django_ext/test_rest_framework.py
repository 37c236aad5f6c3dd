"""Django REST framework's errors in our shape."""

import json
from http import HTTPStatus
from typing import cast

import pytest
from django.test import Client, override_settings
from hypothesis import given
from hypothesis import strategies as st
from rest_framework import exceptions
from rest_framework.exceptions import ErrorDetail

from holdfast.classify import Reading
from holdfast.codes import Fault
from holdfast.errors import AppError, ValidationError
from holdfast_django import current
from holdfast_django.rest_framework_errors import Detail, flatten, translate
from tests.django_ext.conftest import RecordingProject


class TooEarly(exceptions.APIException):
    """An error of the project's own."""

    status_code = 425
    default_detail = "not yet"
    default_code = "too_early"


def read(error: BaseException) -> Reading:
    """Return what the project makes of an exception."""
    return current.project_runtime().handler.classifier.read(error)


def spoken(error: Exception) -> AppError:
    """Return what an error says to the caller."""
    said = translate(error)
    assert said is not None
    return said


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (exceptions.ParseError(), "INVALID_REQUEST_DATA", 400),
        (exceptions.NotAuthenticated(), "UNAUTHORIZED", 401),
        (exceptions.AuthenticationFailed(), "UNAUTHORIZED", 401),
        (exceptions.PermissionDenied(), "INSUFFICIENT_PERMISSIONS", 403),
        (exceptions.NotFound(), "RESOURCE_NOT_FOUND", 404),
        (exceptions.MethodNotAllowed("PUT"), "METHOD_NOT_ALLOWED", 405),
        (exceptions.NotAcceptable(), "NOT_ACCEPTABLE", 406),
        (exceptions.UnsupportedMediaType("x/y"), "UNSUPPORTED_MEDIA_TYPE", 415),
        (exceptions.Throttled(wait=2.5), "RATE_LIMIT_EXCEEDED", 429),
        (exceptions.APIException(), "INTERNAL_ERROR", 500),
        (exceptions.ValidationError(["no"]), "VALIDATION_FAILED", 400),
        (TooEarly(), "TOO_EARLY", 425),
        (TooEarly(code="much_too_early"), "MUCH_TOO_EARLY", 425),
        (TooEarly(code="not a code!\r\n"), "INVALID_REQUEST_DATA", 425),
    ],
)
def test_an_api_exception_has_a_code_and_keeps_its_status(
    error: Exception, code: str, status: int
) -> None:
    """The framework's own codes become ours, a project's becomes upper case, anything else follows the status."""
    said = read(error).classification

    assert (said.code, said.status) == (code, status)


@pytest.mark.parametrize("status", [200, 302, 399, 600, 1000, -1, None, "404", True])
@pytest.mark.parametrize(
    "error",
    [
        exceptions.APIException("text"),
        exceptions.ValidationError({"sku": ["text"]}),
        exceptions.NotAuthenticated("text"),
        exceptions.ParseError("text"),
    ],
    ids=type,
)
def test_an_api_exception_with_the_status_of_no_error_is_a_server_error(
    error: exceptions.APIException, status: object
) -> None:
    """Its text is for operators, as that of any other."""
    error.status_code = cast("int", status)

    found = read(error)

    assert (found.classification.code, found.classification.status) == ("INTERNAL_ERROR", 500)
    assert found.classification.fault is Fault.SERVICE
    assert found.spoken is not None
    assert (found.spoken.errors, found.spoken.details) == ((), {})


@pytest.mark.parametrize("status", [599, 400, HTTPStatus.CONFLICT])
def test_an_api_exception_keeps_any_status_of_an_error(status: int) -> None:
    """Also one that has a name."""
    error = exceptions.APIException("text")
    error.status_code = status

    assert read(error).classification.status == status


@pytest.mark.parametrize("path", ["/drf/always-fine", "/drf/out-of-order"])
def test_a_server_error_of_the_framework_is_recorded_once(
    path: str, project: RecordingProject
) -> None:
    """Whatever status it claims, the caller hears of a failure."""
    response = Client(raise_request_exception=False).get(path)

    assert response.status_code >= 500
    assert response.json()["success"] is False
    assert b"db-7" not in response.content
    assert len(project.recorded.records) == 1


def test_a_structured_detail_of_a_server_error_is_for_operators() -> None:
    """As its text is."""
    error = TooEarly(cast("str", {"host": [ErrorDetail("db-7 is down")]}))
    error.status_code = 503

    said = spoken(error)

    assert (said.code, said.errors, said.details) == ("TOO_EARLY", (), {})


def test_an_error_without_a_challenge_keeps_its_403() -> None:
    """The framework answers 403 where it has no challenge; the code still says what to do."""
    error = exceptions.NotAuthenticated()
    error.status_code = 403

    said = read(error).classification

    assert (said.code, said.status) == ("UNAUTHORIZED", 403)


def test_nested_errors_have_the_paths_of_the_request() -> None:
    """Indices count within their own list, list in list included."""
    response = Client().post(
        "/drf/invalid",
        json.dumps(
            {
                "trade": {
                    "products": [{"quantity": 1}, {"quantity": 0}, {}],
                    "matrix": [[1], [2, "x"], ["y"]],
                }
            }
        ),
        content_type="application/json",
    )

    body = response.json()
    assert body["except"]["details"]["field_errors"] == {
        "trade.products[1].quantity": ["Ensure this value is greater than or equal to 1."],
        "trade.products[2].quantity": ["This field is required."],
        "trade.matrix[1][1]": ["A valid integer is required."],
        "trade.matrix[2][0]": ["A valid integer is required."],
    }
    assert body["errors"][1] == "trade.products[2].quantity: This field is required."


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        ({"a": {"non_field_errors": ["x"]}}, [("a", "x")]),
        ({"non_field_errors": ["x"]}, [("", "x")]),
        ([{}, {"a": ["x"]}], [("[1].a", "x")]),
        ({"m": {0: {1: ["x"]}}}, [("m[0][1]", "x")]),
        ({"m": [[], [{}, {"b": ["x"]}]]}, [("m[1][1].b", "x")]),
        ({"a.b": ["x"]}, [('["a.b"]', "x")]),
        ({"": ["x"], 'q"': ["y"]}, [('[""]', "x"), ('["q\\""]', "y")]),
        (["x", "y"], [("", "x"), ("", "y")]),
        ("x", [("", "x")]),
    ],
)
def test_details_are_flattened(detail: Detail, expected: list[tuple[str, str]]) -> None:
    """A path is written as the request is read."""
    assert list(flatten(detail)) == expected


names = st.text("abcxyz_", min_size=1)
values = st.recursive(
    st.just(["wrong"]),
    lambda inner: st.one_of(
        st.dictionaries(names, inner, min_size=1, max_size=3),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=8,
)


@given(st.dictionaries(names, values, min_size=1, max_size=3))
def test_every_path_leads_to_its_message(detail: dict[object, Detail]) -> None:
    """Following a path through the detail ends at the message, whatever the nesting."""
    for path, message in flatten(detail):
        found: object = detail
        for step in path.replace("[", ".[").split("."):
            if step.startswith("["):
                found = cast("list[object]", found)[int(step[1:-1])]
            elif step:
                found = cast("dict[str, object]", found)[step]
        assert message in cast("list[str]", found)


def test_a_detail_without_end_is_cut() -> None:
    """Nesting is followed twenty levels deep."""
    detail: dict[object, Detail] = {}
    detail["a"] = detail

    assert list(flatten(detail)) == []


def test_very_many_errors_are_cut() -> None:
    """Five hundred sentences are enough for anybody."""
    error = exceptions.ValidationError({str(n): ["no"] for n in range(2000)})

    assert len(spoken(error).errors) == 500


def test_a_plain_list_of_errors_has_no_fields() -> None:
    """Sentences about everything stand by themselves."""
    said = spoken(exceptions.ValidationError(["first", "second"]))

    assert isinstance(said, ValidationError)
    assert (said.errors, said.details) == (("first", "second"), {})


def test_a_structured_detail_becomes_sentences() -> None:
    """An error that is no validation error may say several things."""
    error = exceptions.PermissionDenied(cast("str", {"owner": [ErrorDetail("not you")]}))

    assert spoken(error).errors == ("not you",)


@pytest.mark.parametrize(("wait", "header"), [(0, "0"), (2.1, "3"), (None, None)])
def test_the_wait_of_a_throttled_request_is_told(wait: float | None, header: str | None) -> None:
    """Zero seconds are an answer too."""
    said = read(exceptions.Throttled(wait=wait)).spoken

    assert said is not None
    assert said.retry_after == (None if wait is None else pytest.approx(float(header or 0), abs=1))


def test_headers_of_the_view_are_kept() -> None:
    """`Allow` and `Vary` come from the framework, `WWW-Authenticate` from the authenticator."""
    refused = Client().delete("/drf/echo")
    challenged = Client().get("/drf/unauthenticated")

    assert refused.headers["Allow"] == "GET, POST, HEAD, OPTIONS"
    assert refused.status_code == 405
    assert challenged.headers["WWW-Authenticate"] == 'Basic realm="api"'
    assert "Accept" in challenged.headers["Vary"]


@override_settings(DEBUG=True)
def test_debug_shows_the_technical_page_for_unexpected_errors_alone() -> None:
    """Errors of the API are answered as ever."""
    client = Client(raise_request_exception=False)

    assert b"Exception Value" in client.get("/drf/crash").content
    assert client.get("/drf/not-found").json()["except"]["code"] == "RESOURCE_NOT_FOUND"
