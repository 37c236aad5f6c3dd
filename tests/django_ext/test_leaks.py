"""No secret leaves: not in an answer, not in a record, not in a log line."""

import json
import logging

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import AppError, InternalServerError, ValidationError
from holdfast_django import current
from tests.django_ext.conftest import RecordingProject
from tests.django_ext.project.failures import CANARY

PATHS = (
    "crash", "not-found", "unavailable", "suspicious", "query", "timeout", "malformed", "nothing",
    "template", "bodiless", "form",
)  # fmt: skip

_planned: list[Exception] = []


def planned(request: HttpRequest) -> HttpResponse:
    """Raise what the test planned, with a secret in a variable."""
    authorization = f"Bearer {CANARY}"  # to be found in the frame
    if authorization:
        raise _planned[-1]
    return HttpResponse()


urlpatterns = [path("planned", planned)]


@pytest.mark.parametrize("accept", ["*/*", "application/problem+json", "text/html"])
@pytest.mark.parametrize("name", PATHS)
def test_no_secret_is_in_an_answer(name: str, accept: str, project: RecordingProject) -> None:
    """Whatever the format: not from text, cause, details, headers, query or SQL."""
    response = Client(raise_request_exception=False).get(
        f"/sync/{name}?token={CANARY}",
        headers={"Accept": accept, "Authorization": f"Bearer {CANARY}", "Cookie": f"s={CANARY}"},
    )

    assert CANARY.encode() not in response.content
    assert CANARY not in str(response.headers)


@pytest.mark.parametrize("name", PATHS)
def test_no_secret_is_in_a_log_line_or_record(
    name: str, caplog: pytest.LogCaptureFixture, project: RecordingProject
) -> None:
    """Ours are redacted, Django's are not written."""
    with caplog.at_level(logging.DEBUG):
        Client(raise_request_exception=False).post(
            f"/sync/{name}?token={CANARY}",
            f"password={CANARY}",
            content_type="application/x-www-form-urlencoded",
            headers={"Authorization": f"Bearer {CANARY}"},
        )

    for record in project.recorded.records:
        assert CANARY not in json.dumps(record.as_json())
        assert CANARY not in record.message
        assert CANARY not in record.traceback()
    for line in caplog.records:
        if line.name != "django.db.backends":  # statements, at DEBUG, where a project asks for them
            assert CANARY not in logging.Formatter().format(line)


secrets_anywhere = st.recursive(
    st.sampled_from([CANARY, f"Bearer {CANARY}", f"postgres://u:{CANARY}@h/d"]),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3),
        st.dictionaries(st.sampled_from(["password", "note", "api_key", "x"]), inner, min_size=1),
        st.tuples(inner),
    ),
    max_leaves=6,
)


@given(secrets_anywhere, st.sampled_from([AppError, InternalServerError, ValidationError]))
@override_settings(ROOT_URLCONF=__name__)
def test_no_secret_is_in_details_however_deep(nested: object, kind: type[AppError]) -> None:
    """Details are for the caller, without what is secret by key or by value."""
    _planned[:] = [kind("it failed", details={"at": nested})]

    response = Client(raise_request_exception=False).get("/planned")

    assert response.json()["success"] is False
    assert CANARY.encode() not in response.content


@given(st.text(min_size=8))
@override_settings(ROOT_URLCONF=__name__)
def test_a_server_errors_text_is_never_in_its_answer(text: str) -> None:
    """However it is written, and whoever raised it."""
    marked = f"canary-{text}-canary"
    for error in (RuntimeError(marked), InternalServerError(marked), TimeoutError(marked)):
        _planned[:] = [error]

        response = Client(raise_request_exception=False).get("/planned")

        assert response.status_code >= 500
        assert b"canary" not in response.content


@override_settings(ROOT_URLCONF=__name__)
def test_what_was_learned_is_shown_only_by_setting(project: RecordingProject) -> None:
    """Names of tables and hosts are for operators."""
    error = InternalServerError("it failed")
    error.learned = {"table": "salaries"}
    _planned[:] = [error]
    client = Client(raise_request_exception=False)
    hidden = client.get("/planned").json()

    project.configure(expose_details=True)
    del error.__dict__["__holdfast__"]

    assert "details" not in hidden["except"]
    assert client.get("/planned").json()["except"]["details"] == {"table": "salaries"}
    assert current.project_runtime().settings.expose_details
