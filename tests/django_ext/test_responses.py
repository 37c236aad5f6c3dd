"""Format and language of an answer, and the project's own pages."""

import logging
from pathlib import Path

import pytest
from django.conf import settings
from django.http import HttpRequest
from django.test import Client, RequestFactory, override_settings
from django.utils.translation import gettext_lazy

from holdfast.codes import ErrorKind
from holdfast.errors import AppError, ResourceNotFoundError
from holdfast_django import views
from holdfast_django.current import project_runtime
from holdfast_django.languages import language_of
from tests.django_ext.conftest import RecordingProject

PAGE = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}


@pytest.fixture
def client() -> Client:
    """Make a client that shows 500s instead of raising."""
    return Client(raise_request_exception=False)


def with_templates(folder: Path, **pages: str) -> override_settings:
    """Give the project pages of its own."""
    for name, text in pages.items():
        (folder / f"{name.removeprefix('p')}.html").write_text(text)
    (engine,) = settings.TEMPLATES
    return override_settings(TEMPLATES=[{**engine, "DIRS": [folder]}])


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("application/problem+json", "application/problem+json"),
        (PAGE["Accept"], "text/html; charset=utf-8"),
        ("text/csv", "application/json"),
        ("garbage;;q=x", "application/json"),
    ],
)
def test_the_caller_chooses_the_format(client: Client, accept: str, content_type: str) -> None:
    """By `Accept`; JSON stands for whatever cannot be had."""
    response = client.get("/sync/crash", headers={"Accept": accept})

    assert response.headers["Content-Type"] == content_type
    assert {"Accept", "Accept-Language"} <= set(response.headers["Vary"].split(", "))


def test_a_problem_names_the_record(client: Client, project: RecordingProject) -> None:
    """RFC 9457, with the members of ours."""
    body = client.get("/sync/not-found", headers={"Accept": "application/problem+json"}).json()

    assert body["instance"].replace("-", "") == f"urn:uuid:{project.recorded.records[0].id}"
    assert (body["status"], body["code"]) == (404, "RESOURCE_NOT_FOUND")
    assert body["detail"] == "Collection 999 not found"


def test_the_projects_own_page_comes_first(client: Client, tmp_path: Path) -> None:
    """A browser gets `404.html`, with Django's variables and ours."""
    page = "<h1>{{ error.code }}</h1><p>{{ exception }}</p><i>{{ request_path }}</i>"

    with with_templates(tmp_path, p404=page):
        response = client.get("/sync/not-found", headers=PAGE)
        other = client.get("/sync/not-found")

    assert response.content.decode() == (
        "<h1>RESOURCE_NOT_FOUND</h1><p>Collection 999 not found</p><i>/sync/not-found</i>"
    )
    assert response.status_code == 404
    assert other.headers["Content-Type"] == "application/json"


def test_the_projects_own_page_has_the_variables_of_every_adapter(
    client: Client, tmp_path: Path
) -> None:
    """A page that was written for another framework shows the same."""
    page = "{{ status }}|{{ code }}|{{ message }}|{{ errors|join:',' }}|{{ trace_id }}"
    within = "{{ error.code }}"

    with with_templates(tmp_path, p404=f"{page}|{within}"):
        response = client.get("/sync/not-found", headers={**PAGE, "X-Request-ID": "order-42"})

    said = "Collection 999 not found"
    assert response.content.decode() == (
        f"404|RESOURCE_NOT_FOUND|{said}|{said}|order-42|RESOURCE_NOT_FOUND"
    )


def test_a_broken_page_does_not_take_the_answer_away(
    client: Client, tmp_path: Path, project: RecordingProject
) -> None:
    """Ours stands in, and the broken page is recorded as what it is."""
    with with_templates(tmp_path, p404="{% url 'nowhere' %}"):
        response = client.get("/sync/not-found", headers=PAGE)

    assert response.status_code == 404
    assert b"Collection 999 not found" in response.content
    types = [record.type for record in project.recorded.records]
    assert types == [
        "holdfast.errors.ResourceNotFoundError",
        "django.urls.exceptions.NoReverseMatch",
    ]


def test_a_page_of_a_server_error_says_nothing_of_it(client: Client, tmp_path: Path) -> None:
    """Whatever the template prints, the exception's text is not there."""
    with with_templates(tmp_path, p500="{{ exception }}|{{ error.message }}|{% debug %}"):
        response = client.get("/sync/crash", headers=PAGE)

    assert response.content.startswith(b"Internal server error|Internal server error|")
    assert b"password" not in response.content


@pytest.mark.parametrize(
    ("accepted", "language", "message"),
    [
        ("fr-CH, fr;q=0.9", "fr", "Erreur interne du serveur"),
        ("en", "en", "Internal server error"),
        ("de, fr;q=0.5", "fr", "Erreur interne du serveur"),
        ("", "en", "Internal server error"),
    ],
)
def test_the_message_follows_the_requests_language(
    client: Client, accepted: str, language: str, message: str
) -> None:
    """By what `LocaleMiddleware` chose, and where we do not have that by what the caller accepts."""
    response = client.get("/sync/crash", headers={"Accept-Language": accepted})

    assert response.json()["message"] == message
    assert response.headers["Content-Language"] == language


@pytest.mark.parametrize("translated", [True, False])
def test_the_language_is_found_without_a_middleware(*, translated: bool) -> None:
    """Whether or not the project translates."""
    request = RequestFactory().get("/", headers={"Accept-Language": "fr"})

    with override_settings(USE_I18N=translated):
        assert language_of(request, project_runtime()) == "fr"


@override_settings(LANGUAGE_CODE="fr")
def test_the_projects_language_counts_when_the_caller_has_none() -> None:
    """A French project speaks French."""
    assert language_of(RequestFactory().get("/"), project_runtime()) == "fr"


@pytest.mark.parametrize(
    ("chosen", "accepted", "language"),
    [
        ("", "", "fr"),
        ("", "de", "fr"),
        ("", "en", "en"),
        ("en-gb", "fr", "en"),
        ("de", "en", "en"),
        ("de", "", "fr"),
    ],
)
@override_settings(LANGUAGE_CODE="en", HOLDFAST={"LANGUAGE": "fr", "REPORTERS": []})
def test_the_language_of_the_settings_comes_last(
    chosen: str, accepted: str, language: str, rf_request: HttpRequest
) -> None:
    """After Django's choice and the caller's, as far as we speak those."""
    rf_request.META["HTTP_ACCEPT_LANGUAGE"] = accepted
    if chosen:
        rf_request.LANGUAGE_CODE = chosen

    assert language_of(rf_request, project_runtime()) == language


@override_settings(
    LANGUAGE_CODE="en",
    HOLDFAST={"LANGUAGE": "fr", "REPORTERS": []},
    MIDDLEWARE=["holdfast_django.middleware.HoldfastMiddleware"],
)
def test_a_caller_without_a_language_gets_that_of_the_settings(client: Client) -> None:
    """`HOLDFAST["LANGUAGE"]`, where no middleware of Django's chooses one."""
    response = client.get("/sync/crash")

    assert response.json()["message"] == "Erreur interne du serveur"
    assert response.headers["Content-Language"] == "fr"


def test_a_lazy_title_speaks_the_answers_language(rf_request: HttpRequest) -> None:
    """Django's translations work for a project's own codes."""

    class TooLongError(AppError):
        """Something is too long."""

        code = "TEST_TOO_LONG"
        kind = ErrorKind.UNPROCESSABLE
        title = gettext_lazy("This field is required.")

    rf_request.META["HTTP_ACCEPT_LANGUAGE"] = "fr"

    assert b"Ce champ est obligatoire." in views.answer(rf_request, TooLongError()).content


def test_django_does_not_log_what_was_reported(
    client: Client, caplog: pytest.LogCaptureFixture, project: RecordingProject
) -> None:
    """Its line would be a second record of the same error; a setting brings it back."""
    with caplog.at_level(logging.INFO, "django"):
        for path in (
            "/sync/crash",
            "/sync/not-found",
            "/sync/suspicious",
            "/sync/denied",
            "/nowhere",
        ):
            client.get(path)
    assert caplog.records == []

    project.configure(framework_log=True)
    client.get("/sync/crash")
    assert [record.name for record in caplog.records] == ["django.request"]


def test_headers_that_a_response_has_are_kept(rf_request: HttpRequest) -> None:
    """Those of the error go out with it."""
    error = ResourceNotFoundError("x", headers={"Vary": "Cookie", "X-Shard": "7"})

    response = views.answer(rf_request, error)

    assert response.headers["Vary"] == "Cookie, Accept, Accept-Language"
    assert response.headers["X-Shard"] == "7"
