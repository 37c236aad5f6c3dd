"""The project's own handlers and pages win over ours."""

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import clear_url_caches, path, resolve

from holdfast.errors import AppError
from holdfast_django import views
from tests.django_ext.conftest import RecordingProject
from tests.django_ext.project.failures import FAILURES


def crash(request: HttpRequest) -> HttpResponse:
    """Fail."""
    raise KeyError("text")


def refuse(request: HttpRequest) -> HttpResponse:
    """Refuse."""
    raise PermissionDenied


def miss(request: HttpRequest) -> HttpResponse:
    """Find nothing."""
    raise Http404("no such order")


def resolve_elsewhere(request: HttpRequest) -> HttpResponse:
    """Look for a route that is not there."""
    resolve("/nowhere")
    return HttpResponse()


def suspect(request: HttpRequest) -> HttpResponse:
    """Find the request suspicious."""
    raise SuspiciousOperation("tampered with")


def on_purpose(request: HttpRequest) -> HttpResponse:
    """Fail on purpose."""
    raise AppError("out of order")


def handler404(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer in the project's words."""
    return HttpResponse("nothing here", status=404)


def handler500(request: HttpRequest) -> HttpResponse:
    """Answer in the project's words."""
    return HttpResponse("sorry", status=500)


urlpatterns = [
    path("crash", crash),
    path("refuse", refuse),
    path("miss", miss),
    path("resolve-elsewhere", resolve_elsewhere),
    path("suspect", suspect),
    path("on-purpose", on_purpose),
]


@pytest.fixture
def client() -> Client:
    """Make a client that shows 500s instead of raising."""
    return Client(raise_request_exception=False)


@override_settings(ROOT_URLCONF=__name__)
def test_the_projects_own_handlers_answer(client: Client, project: RecordingProject) -> None:
    """What the root urlconf defines is used; the error is recorded all the same."""
    assert client.get("/crash").content == b"sorry"
    assert client.get("/nowhere").content == b"nothing here"
    assert client.get("/refuse").json()["except"]["code"] == "INSUFFICIENT_PERMISSIONS"
    assert client.get("/on-purpose").json()["except"]["code"] == "INTERNAL_ERROR"
    assert [r.classification.code for r in project.recorded.records] == [
        "INTERNAL_ERROR",
        "INSUFFICIENT_PERMISSIONS",
        "INTERNAL_ERROR",
    ]


@override_settings(ROOT_URLCONF=__name__)
@pytest.mark.parametrize("words", ["nothing here", ""])
def test_what_the_projects_own_view_answers_is_recorded_once(
    words: str, client: Client, project: RecordingProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Django hands it to that view and to nobody else; a view that says nothing gets our body."""

    def answer(request: HttpRequest, exception: Exception) -> HttpResponse:
        return HttpResponse(words, status=404)

    monkeypatch.setitem(globals(), "handler404", answer)
    clear_url_caches()

    response = client.get("/miss")

    assert response.status_code == 404
    assert (response.content.decode() == words) == bool(words)
    assert [r.classification.code for r in project.recorded.records] == ["RESOURCE_NOT_FOUND"]
    assert project.recorded.records[0].message == "no such order"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/miss", "RESOURCE_NOT_FOUND"),
        ("/suspect", "INVALID_REQUEST_DATA"),
        ("/refuse", "INSUFFICIENT_PERMISSIONS"),
    ],
)
@override_settings(ROOT_URLCONF=__name__, DEBUG=True)
def test_what_djangos_technical_page_answers_is_recorded_once(
    path: str, code: str, client: Client, project: RecordingProject
) -> None:
    """From the request, although Django logs some of it."""
    client.get(path)

    (record,) = project.recorded.records
    assert (record.origin.boundary, record.classification.code) == ("django.request", code)


@pytest.mark.parametrize("urlconf", [__name__, "tests.django_ext.project.urls"])
def test_a_route_that_a_view_did_not_find_is_recorded_once(
    urlconf: str, client: Client, project: RecordingProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the list of all routes that Django's exception carries, whoever answers it."""
    monkeypatch.setitem(FAILURES, "crash", resolve_elsewhere)

    with override_settings(ROOT_URLCONF=urlconf):
        client.get("/resolve-elsewhere" if urlconf == __name__ else "/sync/crash")

    (record,) = project.recorded.records
    assert (record.classification.code, record.message) == (
        "RESOURCE_NOT_FOUND",
        "Resource not found",
    )


def test_the_view_for_server_errors_answers_without_an_error(
    rf_request: HttpRequest, project: RecordingProject
) -> None:
    """Called by hand, it answers like any 500."""
    assert views.server_error(rf_request).status_code == 500
    assert [r.classification.code for r in project.recorded.records] == ["UNEXPLAINED_RESPONSE"]


def test_the_reason_of_a_csrf_refusal_stays_inside(
    rf_request: HttpRequest, project: RecordingProject
) -> None:
    """It may quote a header."""
    response = views.csrf_failure(rf_request, reason="Origin checking failed - http://evil")

    assert response.status_code == 403
    assert b"evil" not in response.content
    (record,) = project.recorded.records
    assert record.classification.code == "CSRF_FAILED"
    assert record.details == {"reason": "Origin checking failed - http://evil"}


@override_settings(DEBUG=True)
def test_debug_keeps_djangos_csrf_page(rf_request: HttpRequest) -> None:
    """It tells developers what to do."""
    response = views.csrf_failure(rf_request, reason="no cookie")

    assert b"CSRF verification failed" in response.content
    assert response.headers["Content-Type"].startswith("text/html")
