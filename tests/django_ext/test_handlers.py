"""The project's own handlers and pages win over ours."""

import pytest
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path

from holdfast.errors import AppError
from holdfast_django import views
from tests.django_ext.conftest import RecordingProject


def crash(request: HttpRequest) -> HttpResponse:
    """Fail."""
    raise KeyError("text")


def refuse(request: HttpRequest) -> HttpResponse:
    """Refuse."""
    raise PermissionDenied


def on_purpose(request: HttpRequest) -> HttpResponse:
    """Fail on purpose."""
    raise AppError("out of order")


def handler404(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer in the project's words."""
    return HttpResponse("nothing here", status=404)


def handler500(request: HttpRequest) -> HttpResponse:
    """Answer in the project's words."""
    return HttpResponse("sorry", status=500)


urlpatterns = [path("crash", crash), path("refuse", refuse), path("on-purpose", on_purpose)]


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
