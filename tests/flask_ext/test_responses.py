"""Formats and languages of answers."""

from pathlib import Path

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient
from werkzeug.exceptions import NotFound

from holdfast import AppError, ErrorCode
from holdfast.testing import RecordingReporter
from holdfast_flask import Holdfast
from tests.flask_ext.bodies import about, body_of
from tests.flask_ext.conftest import MakeApp

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def test_a_problem_is_given_where_it_is_preferred(client: FlaskClient) -> None:
    """A client that asks for problem details gets RFC 9457 members."""
    answer = client.get("/nowhere", headers={"Accept": "application/problem+json"})

    assert answer.mimetype == "application/problem+json"
    assert answer.json is not None
    assert {"type", "title", "status", "detail", "instance"} <= set(answer.json)


def test_the_setting_decides_what_any_json_means(make_app: MakeApp) -> None:
    """HOLDFAST_RESPONSE_FORMAT is used for clients that take anything."""
    client = make_app(HOLDFAST_RESPONSE_FORMAT="problem").test_client()

    assert client.get("/nowhere").mimetype == "application/problem+json"


def test_a_browser_gets_a_page(client: FlaskClient) -> None:
    """A client that prefers HTML gets a plain page with status and trace id."""
    answer = client.get("/nowhere", headers=BROWSER)

    assert answer.status_code == 404
    assert answer.content_type == "text/html; charset=utf-8"
    assert "<h1>404 Resource not found</h1>" in answer.text
    assert answer.headers["X-Request-ID"] in answer.text


def test_pages_can_be_turned_off(make_app: MakeApp) -> None:
    """HOLDFAST_HTML = False gives JSON to browsers too."""
    client = make_app(HOLDFAST_HTML=False).test_client()

    assert client.get("/nowhere", headers=BROWSER).mimetype == "application/json"


@pytest.fixture
def with_pages(tmp_path: Path, recorded: RecordingReporter) -> Flask:
    """An application with pages of its own: one that renders, one that does not."""
    (tmp_path / "404.html").write_text("<p>{{ message }} ({{ code }}, {{ status }})</p>")
    (tmp_path / "500.html").write_text("<p>{{ user.name.first }}</p>")
    app = Flask("pages", template_folder=str(tmp_path))
    app.config["HOLDFAST_REPORTERS"] = []
    app.config["HOLDFAST_LANGUAGES"] = ["en", "fr", "de"]
    app.config["HOLDFAST_REPORTING"] = {"INLINE": True}
    Holdfast(app, reporters=[recorded])

    @app.get("/boom")
    def boom() -> str:
        raise ValueError("secret of the view")

    return app


def test_the_project_has_the_page_for_its_errors(with_pages: Flask) -> None:
    """The project's own 404.html comes before ours."""
    answer = with_pages.test_client().get("/nowhere", headers=BROWSER)

    assert answer.text == "<p>Resource not found (RESOURCE_NOT_FOUND, 404)</p>"
    assert answer.content_length == len(answer.data)


def test_a_page_speaks_the_language_of_the_caller(with_pages: Flask) -> None:
    """The project's page gets the message in the language of the request."""
    answer = with_pages.test_client().get("/nowhere", headers={**BROWSER, "Accept-Language": "fr"})

    assert "Resource not found" not in answer.text
    assert answer.headers["Content-Language"] == "fr"


def test_the_projects_page_has_the_callers_language_though_our_words_are_english(
    with_pages: Flask,
) -> None:
    """The template is the project's, and so is its translation; without one our words decide."""
    client = with_pages.test_client()
    german = {"Accept-Language": "de"}

    page, body = client.get("/nowhere", headers=BROWSER | german), client.get("/no", headers=german)

    assert page.headers.getlist("Content-Language") == ["de"]
    assert body.headers.getlist("Content-Language") == ["en"]


def test_a_page_that_does_not_render_gives_way(
    with_pages: Flask, recorded: RecordingReporter
) -> None:
    """A page that wants what is not there is replaced by ours, and is an error of its own."""
    answer = with_pages.test_client().get("/boom", headers=BROWSER)

    assert "<h1>500 Internal server error</h1>" in answer.text
    first, second = recorded.records
    assert (first.message, first.origin.boundary) == ("secret of the view", "flask.request")
    assert (second.origin.boundary, second.origin.operation) == ("flask.page", "GET /boom")
    assert second.type == "jinja2.exceptions.UndefinedError"
    assert second.causes == ()
    assert first.trace_id == second.trace_id == answer.headers["X-Request-ID"]
    assert first.trace_id in answer.text


def test_a_page_is_rendered_as_those_of_views_are(with_pages: Flask, tmp_path: Path) -> None:
    """Context processors of the project have their say, but not about what the answer is."""
    (tmp_path / "404.html").write_text("{{ shop.name }}: {{ message }} for {{ request.path }}")

    @with_pages.context_processor
    def shop() -> dict[str, object]:
        return {"shop": {"name": "Anna's"}, "message": "not this one"}

    answer = with_pages.test_client().get("/nowhere", headers=BROWSER)

    assert answer.text == "Anna&#39;s: Resource not found for /nowhere"


def test_a_page_has_all_that_can_be_said(with_pages: Flask, tmp_path: Path) -> None:
    """Status, code, message, errors and trace id, escaped like everything else."""
    (tmp_path / "409.html").write_text(
        "{{ status }}|{{ code }}|{{ message }}|{{ errors | join(',') }}|{{ trace_id }}"
    )

    @with_pages.get("/taken")
    def taken() -> str:
        raise AppError(ErrorCode.STATE_CONFLICT, "<taken>", errors=["a", "b"])

    answer = with_pages.test_client().get("/taken", headers={**BROWSER, "X-Request-ID": "id-1"})

    assert answer.text == "409|STATE_CONFLICT|&lt;taken&gt;|a,b|id-1"


def test_a_context_processor_that_fails_takes_no_answer_away(
    with_pages: Flask, recorded: RecordingReporter
) -> None:
    """What is raised while the page is made is recorded with its own causes, and ours stands in."""

    @with_pages.context_processor
    def basket() -> dict[str, object]:
        try:
            raise KeyError("session")
        except KeyError:
            raise LookupError("no basket")  # noqa: B904  # linked without being said

    answer = with_pages.test_client().get("/nowhere", headers=BROWSER)

    assert answer.status_code == 404
    assert "<h1>404 Resource not found</h1>" in answer.text
    _, record = recorded.records
    assert record.message == "no basket"
    assert [cause.type for cause in record.causes] == ["KeyError"]


def test_a_page_that_includes_a_missing_one_is_broken(
    with_pages: Flask, recorded: RecordingReporter, tmp_path: Path
) -> None:
    """Only a page that is not there is no error; one that cannot be put together is."""
    (tmp_path / "404.html").write_text("{% extends 'layout.html' %}")

    answer = with_pages.test_client().get("/nowhere", headers=BROWSER)

    assert "<h1>404 Resource not found</h1>" in answer.text
    assert [record.message for record in recorded.records][1:] == ["layout.html"]


def test_a_status_without_a_page_has_ours(with_pages: Flask, recorded: RecordingReporter) -> None:
    """That the project has no page for a status is no error."""
    answer = with_pages.test_client().post("/boom", headers=BROWSER)

    assert "<h1>405" in answer.text
    assert len(recorded.records) == 1


@pytest.mark.parametrize(
    ("accept_language", "expected"),
    [("fr-CA, en;q=0.5", "fr"), ("de, en;q=0.5", "en"), ("de", "en"), ("", "en")],
)
def test_answers_are_in_the_language_of_the_request(
    client: FlaskClient, accept_language: str, expected: str
) -> None:
    """The best language that there is, else that of the settings."""
    answer = client.get("/nowhere", headers={"Accept-Language": accept_language})

    assert answer.headers["Content-Language"] == expected


def test_the_language_of_the_settings_is_for_those_who_ask_for_none(make_app: MakeApp) -> None:
    """HOLDFAST_LANGUAGE is used without Accept-Language, and for languages that there are not."""
    client = make_app(HOLDFAST_LANGUAGE="fr").test_client()

    answers = [
        client.get("/nowhere", headers=headers) for headers in ({}, {"Accept-Language": "de"})
    ]

    assert [answer.headers["Content-Language"] for answer in answers] == ["fr", "fr"]


def test_caches_are_told_what_an_answer_depends_on(app: Flask) -> None:
    """Vary names Accept and Accept-Language, and keeps what the error says."""

    @app.get("/")
    def view() -> str:
        raise AppError(ErrorCode.RESOURCE_GONE, "gone", headers={"Vary": "Cookie, Accept"})

    answer = app.test_client().get("/")

    assert answer.headers.getlist("Vary") == ["Accept, Accept-Language, Cookie"]


def test_a_head_request_has_no_body(client: FlaskClient) -> None:
    """HEAD is answered with the headers of GET."""
    answer = client.head("/nowhere")

    assert answer.data == b""
    assert int(answer.headers["Content-Length"]) > 0


def test_the_response_class_of_the_project_is_used(app: Flask) -> None:
    """Answers are made of `app.response_class`, as everything else is."""

    class Own(Response):
        pass

    app.response_class = Own
    seen: list[str] = []

    @app.after_request
    def note(response: Response) -> Response:
        seen.append(type(response).__name__)
        return response

    app.test_client().get("/nowhere")

    assert seen == ["Own"]


def test_what_the_suite_learned_is_shown_when_a_setting_says_so(make_app: MakeApp) -> None:
    """HOLDFAST_EXPOSE_DETAILS shows what is otherwise recorded only."""
    shown: list[bool] = []
    for expose in (False, True):
        app = make_app(HOLDFAST_EXPOSE_DETAILS=expose)

        @app.get("/")
        def view() -> str:
            error = AppError(ErrorCode.UNIQUE_CONSTRAINT, "Name is taken")
            error.learned = {"table": "product"}
            raise error

        shown.append("product" in app.test_client().get("/").text)

    assert shown == [False, True]


def test_details_and_errors_of_the_raiser_come_out(app: Flask) -> None:
    """What was meant for the caller arrives there."""

    @app.get("/")
    def view() -> str:
        raise AppError(
            ErrorCode.STATE_CONFLICT, "Not now", details={"state": "sent"}, errors=["a", "b"]
        )

    answer = app.test_client().get("/")

    assert about(answer)["details"] == {"state": "sent"}
    assert body_of(answer)["errors"] == ["a", "b"]


def test_an_exception_raised_by_hand_is_answered_alike(app: Flask) -> None:
    """`raise NotFound()` and an unknown route have the same body but for id and time."""

    @app.get("/")
    def view() -> str:
        raise NotFound

    client = app.test_client()
    one, other = body_of(client.get("/")), body_of(client.get("/nowhere"))

    assert (one["message"], one["errors"]) == (other["message"], other["errors"])
