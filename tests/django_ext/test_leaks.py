"""No secret leaves: not in an answer, not in a record, not in a log line, not in a metric."""

import json
import logging

import pytest
from asgiref.sync import async_to_sync
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.test import AsyncClient, Client, override_settings
from django.urls import path
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import AppError, InternalServerError, ValidationError
from holdfast_django import current
from tests.django_ext.conftest import RecordingProject
from tests.django_ext.project.failures import CANARY

PATHS = (
    "crash", "not-found", "unavailable", "suspicious", "query", "timeout", "malformed", "nothing",
    "template", "bodiless", "form", "degraded",
)  # fmt: skip
MODES = ("sync", "async")

_planned: list[Exception] = []


def planned(request: HttpRequest) -> HttpResponse:
    """Raise what the test planned, with a secret in a variable."""
    authorization = f"Bearer {CANARY}"  # to be found in the frame
    if authorization:
        raise _planned[-1]
    return HttpResponse()


async def planned_async(request: HttpRequest) -> HttpResponse:
    """Do the same in a coroutine."""
    return planned(request)


urlpatterns = [path("sync/planned", planned), path("async/planned", planned_async)]


def ask(
    mode: str, name: str, method: str = "GET", body: str = "", **headers: str
) -> HttpResponseBase:
    """Ask a view of a kind through the stack of its kind, with a secret wherever one may be sent."""
    sent = {"Authorization": f"Bearer {CANARY}", "Cookie": f"s={CANARY}", **headers}
    where = f"/{mode}/{name}?token={CANARY}"
    form = "application/x-www-form-urlencoded"
    if mode == "sync":
        client = Client(enforce_csrf_checks=True, raise_request_exception=False)
        return client.generic(method, where, body, form, headers=sent)

    async def answered() -> HttpResponseBase:
        client = AsyncClient(enforce_csrf_checks=True, raise_request_exception=False)
        return await client.generic(method, where, body, form, headers=sent)

    return async_to_sync(answered)()


def content_of(response: HttpResponseBase) -> bytes:
    """Return the body of an answer, which no error's is too long for."""
    assert isinstance(response, HttpResponse)
    return response.content


@pytest.mark.parametrize("accept", ["*/*", "application/problem+json", "text/html"])
@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("mode", MODES)
def test_no_secret_is_in_an_answer(
    mode: str, name: str, accept: str, project: RecordingProject
) -> None:
    """Whatever the format: not from text, cause, details, headers, query or SQL."""
    response = ask(mode, name, Accept=accept)

    assert CANARY.encode() not in content_of(response)
    assert CANARY not in str(response.headers)


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("mode", MODES)
def test_no_secret_is_in_a_log_line_or_record(
    mode: str, name: str, caplog: pytest.LogCaptureFixture, project: RecordingProject
) -> None:
    """Ours are redacted, Django's are not written."""
    project.configure(named=("logging",))
    with caplog.at_level(logging.DEBUG):
        ask(mode, name, "POST", f"password={CANARY}")

    assert project.recorded.records

    for record in project.recorded.records:
        assert CANARY not in json.dumps(record.as_json())
        assert CANARY not in record.message
        assert CANARY not in record.traceback()
    for line in caplog.records:
        if line.name != "django.db.backends":  # statements, at DEBUG, where a project asks for them
            assert CANARY not in logging.Formatter().format(line)


@pytest.mark.extra("prometheus_client")  # a marker, not a queryset
@pytest.mark.parametrize("mode", MODES)
def test_no_secret_is_in_a_metric(mode: str, project: RecordingProject) -> None:
    """Labels are the route's and the code's, not the request's: whatever its method, address or body says."""
    from holdfast.integrations.prometheus import exposition  # noqa: PLC0415  # an extra

    project.configure(named=("prometheus",), service=f"shop-{mode}")
    for name in (*PATHS, CANARY, f"nowhere/{CANARY}"):
        for method in ("GET", "POST", CANARY):
            ask(mode, name, method, f"password={CANARY}")

    metrics = exposition().decode()
    assert len(project.recorded.records) >= len(PATHS)
    assert f'service="shop-{mode}"' in metrics
    assert f'operation="OTHER /{mode}/<str:name>"' in metrics
    assert CANARY.lower() not in metrics.lower()


secrets_anywhere = st.recursive(
    st.sampled_from([CANARY, f"Bearer {CANARY}", f"postgres://u:{CANARY}@h/d"]),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3),
        st.dictionaries(st.sampled_from(["password", "note", "api_key", "x"]), inner, min_size=1),
        st.tuples(inner),
    ),
    max_leaves=6,
)


@given(
    st.sampled_from(MODES),
    secrets_anywhere,
    st.sampled_from([AppError, InternalServerError, ValidationError]),
)
@override_settings(ROOT_URLCONF=__name__)
def test_no_secret_is_in_details_however_deep(
    mode: str, nested: object, kind: type[AppError]
) -> None:
    """Details are for the caller, without what is secret by key or by value."""
    _planned[:] = [kind("it failed", details={"at": nested})]

    content = content_of(ask(mode, "planned"))

    assert json.loads(content)["success"] is False
    assert CANARY.encode() not in content


@given(st.sampled_from(MODES), st.text(min_size=8))
@override_settings(ROOT_URLCONF=__name__)
def test_a_server_errors_text_is_never_in_its_answer(mode: str, text: str) -> None:
    """However it is written, and whoever raised it."""
    marked = f"canary-{text}-canary"
    for error in (RuntimeError(marked), InternalServerError(marked), TimeoutError(marked)):
        _planned[:] = [error]

        response = ask(mode, "planned")

        assert response.status_code >= 500
        assert b"canary" not in content_of(response)


@override_settings(ROOT_URLCONF=__name__)
def test_what_was_learned_is_shown_only_by_setting(project: RecordingProject) -> None:
    """Names of tables and hosts are for operators."""
    error = InternalServerError("it failed")
    error.learned = {"table": "salaries"}
    _planned[:] = [error]
    client = Client(raise_request_exception=False)
    hidden = client.get("/sync/planned").json()

    project.configure(expose_details=True)

    assert "details" not in hidden["except"]
    assert client.get("/sync/planned").json()["except"]["details"] == {"table": "salaries"}
    assert current.project_runtime().settings.expose_details
