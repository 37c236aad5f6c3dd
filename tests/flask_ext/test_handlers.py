"""What Flask's hooks see, and what they still see, when errors are answered."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn, cast

import pytest
from flask import Flask, Response, abort, got_request_exception, redirect
from flask.testing import FlaskClient
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import Conflict, HTTPException, NotFound

from holdfast import Action, AppError, ErrorCode, ResourceNotFoundError, Verdict, error_boundary
from holdfast.handler import Next
from holdfast.origin import Origin
from holdfast.testing import RecordingReporter
from tests.flask_ext.bodies import about, body_of
from tests.flask_ext.conftest import MakeApp

if TYPE_CHECKING:
    from holdfast_flask.wsgi import Boundary


class BrokenError(Exception):
    """Nobody knows what it means."""


def breaking() -> str:
    """Fail as a bug does."""
    raise BrokenError("the reason why")


def breaking_app(*_: object) -> NoReturn:
    """Fail outside of Flask."""
    raise BrokenError("the reason why")


def unavailable() -> str:
    """Fail for want of a database."""
    raise AppError(ErrorCode.DB_CONNECTION_ERROR, "no route")


def missing() -> str:
    """Fail by the caller's fault."""
    raise ResourceNotFoundError("Order 7 not found")


def bare() -> str:
    """Raise what Flask alone would answer with 200."""
    raise HTTPException("bare")


@pytest.fixture
def broken(app: Flask) -> Flask:
    """An application with a view for each of the errors above."""
    for view in (breaking, unavailable, missing, bare):
        app.add_url_rule(f"/{view.__name__}", view_func=view)
    return app


@contextmanager
def signals(app: Flask) -> Generator[list[BaseException]]:
    """Collect what got_request_exception tells."""
    told: list[BaseException] = []

    def receive(_: Flask, exception: BaseException) -> None:
        told.append(exception)

    with got_request_exception.connected_to(receive, app):
        yield told


@pytest.mark.parametrize("path", ["/breaking", "/unavailable", "/bare"])
def test_signal_and_teardown_see_server_errors(broken: Flask, path: str) -> None:
    """Flask's signal fires once, and teardown functions get the error, so that work is undone."""
    torn: list[BaseException | None] = []
    broken.teardown_request(torn.append)

    with signals(broken) as told:
        answer = broken.test_client().get(path)

    assert answer.status_code >= 500
    assert len(told) == 1
    assert torn == told


def test_a_mistake_of_the_caller_is_no_exception_of_the_request(broken: Flask) -> None:
    """A caller's fault fires no signal and undoes nothing."""
    torn: list[BaseException | None] = []
    broken.teardown_request(torn.append)

    with signals(broken) as told:
        answer = broken.test_client().get("/missing")

    assert answer.status_code == 404
    assert (told, torn) == ([], [None])


@pytest.mark.parametrize(
    ("path", "error"),
    [("/breaking", BrokenError), ("/unavailable", AppError), ("/bare", HTTPException)],
)
@pytest.mark.parametrize("switch", ["TESTING", "DEBUG", "PROPAGATE_EXCEPTIONS"])
def test_server_errors_are_raised_again_where_flask_does_so(
    broken: Flask, recorded: RecordingReporter, path: str, error: type[Exception], switch: str
) -> None:
    """Under testing and debugging the test client meets the error itself, recorded once."""
    broken.config[switch] = True

    with pytest.raises(error):
        broken.test_client().get(path)

    assert len(recorded.records) == 1


def test_mistakes_of_callers_are_answered_under_testing(
    broken: Flask, recorded: RecordingReporter
) -> None:
    """Expected errors are answered in the test client as they are in production."""
    broken.testing = True

    answer = broken.test_client().get("/missing")

    assert body_of(answer)["message"] == "Order 7 not found"
    assert len(recorded.records) == 1


def test_an_error_keeps_its_traceback(broken: Flask, recorded: RecordingReporter) -> None:
    """The record ends where the error was raised, under the route it was raised in."""
    broken.test_client().get("/breaking?token=secret")

    record = recorded.records[0]
    assert record.frames[-1].function == "breaking"
    assert record.origin == Origin(
        boundary="flask.request", operation="GET /breaking", path="/breaking"
    )


def test_made_up_methods_and_addresses_do_not_name_operations(
    client: FlaskClient, recorded: RecordingReporter
) -> None:
    """The operation has few different values, whatever callers send."""
    client.open("/made/up", method="BREW")

    assert [record.origin.operation for record in recorded.records] == ["OTHER (no route)"]


def test_a_response_given_to_an_exception_passes(app: Flask, recorded: RecordingReporter) -> None:
    """NotFound(response=...) is answered with that response, and recorded."""

    @app.get("/")
    def view() -> str:
        raise NotFound(response=Response("gone fishing", 404))

    answer = app.test_client().get("/")

    assert answer.text == "gone fishing"
    assert [record.classification.code for record in recorded.records] == ["RESOURCE_NOT_FOUND"]


def test_redirects_pass(app: Flask, recorded: RecordingReporter) -> None:
    """Neither routing's redirect to the slash nor an aborted redirect is an error."""

    @app.get("/shelf/")
    def shelf() -> str:
        return "shelf"

    @app.get("/old")
    def old() -> str:
        abort(redirect("/shelf/"))

    client = app.test_client()

    assert [client.get("/shelf").status_code, client.get("/old").status_code] == [308, 302]
    assert recorded.records == []


def test_an_exception_that_stands_for_no_error_passes(
    app: Flask, recorded: RecordingReporter
) -> None:
    """An HTTPException with a status below 400 is left alone."""

    class NotModified(HTTPException):
        code = 304

    @app.get("/")
    def view() -> str:
        raise NotModified

    assert app.test_client().get("/").status_code == 304
    assert recorded.records == []


@pytest.mark.parametrize("path", ["/breaking", "/missing", "/unavailable", "/bare"])
def test_trapped_errors_are_answered_all_the_same(
    make_app: MakeApp, recorded: RecordingReporter, path: str
) -> None:
    """TRAP_HTTP_EXCEPTIONS changes Flask's path and neither shape nor count."""
    app = make_app(TRAP_HTTP_EXCEPTIONS=True)
    for view in (breaking, unavailable, missing, bare):
        app.add_url_rule(f"/{view.__name__}", view_func=view)

    answer = app.test_client().get(path)

    assert body_of(answer)["success"] is False
    assert len(recorded.records) == 1


def test_an_unknown_route_is_answered_when_trapped(make_app: MakeApp) -> None:
    """TRAP_HTTP_EXCEPTIONS does not make a 404 of routing something else."""
    answer = make_app(TRAP_HTTP_EXCEPTIONS=True).test_client().get("/nowhere")

    assert about(answer)["code"] == "RESOURCE_NOT_FOUND"


def test_a_handler_of_the_project_wins(app: Flask, recorded: RecordingReporter) -> None:
    """The project's own errorhandler answers; the error is recorded as what it is."""

    @app.errorhandler(404)
    def not_found(error: HTTPException) -> ResponseReturnValue:
        return "mine", 404

    answer = app.test_client().get("/nowhere")

    assert answer.text == "mine"
    assert [record.classification.code for record in recorded.records] == ["RESOURCE_NOT_FOUND"]


def test_what_swallows_everything_hides_nothing(broken: Flask, recorded: RecordingReporter) -> None:
    """With the project's errorhandler(Exception), which silences Flask's signal, errors are recorded."""

    @broken.errorhandler(Exception)
    def swallow(error: Exception) -> ResponseReturnValue:
        return "sorry", 500

    answer = broken.test_client().get("/breaking")

    assert answer.text == "sorry"
    assert [record.frames[-1].function for record in recorded.records] == ["breaking"]


def test_a_bug_that_the_project_answers_as_a_mistake_is_one(
    broken: Flask, recorded: RecordingReporter
) -> None:
    """An error that the project's handler answers with 4xx is no alarm; the original is its cause."""

    @broken.errorhandler(BrokenError)
    def translate(error: BrokenError) -> ResponseReturnValue:
        return "conflict", 409

    broken.test_client().get("/breaking")

    (record,) = recorded.records
    assert record.classification.code == "STATE_CONFLICT"
    assert [cause.type.rpartition(".")[2] for cause in record.causes] == ["BrokenError"]


def test_a_handler_that_fails_is_a_server_error(app: Flask, recorded: RecordingReporter) -> None:
    """An error within the project's handler is recorded once and answered in the one shape."""

    @app.errorhandler(Conflict)
    def fails(error: Conflict) -> ResponseReturnValue:
        raise BrokenError("while handling")

    @app.get("/")
    def view() -> str:
        abort(409)

    answer = app.test_client().get("/")

    assert about(answer)["code"] == "INTERNAL_ERROR"
    assert [record.type.rpartition(".")[2] for record in recorded.records] == ["BrokenError"]


def test_an_empty_answer_of_an_error_gets_a_body(app: Flask, recorded: RecordingReporter) -> None:
    """A view's bare status from 400 is given the one shape; its headers stay."""

    @app.get("/")
    def view() -> ResponseReturnValue:
        return "", 410, {"X-Own": "yes"}

    answer = app.test_client().get("/")

    assert answer.status_code == 410
    assert about(answer)["code"] == "RESOURCE_GONE"
    assert answer.headers["X-Own"] == "yes"
    assert answer.headers.getlist("Content-Length") == [str(len(answer.data))]
    assert len(recorded.records) == 1


def test_an_answer_of_the_view_itself_is_left_alone(
    app: Flask, recorded: RecordingReporter
) -> None:
    """A 4xx with a body is the view's answer and no error that anybody raised."""

    @app.get("/")
    def view() -> ResponseReturnValue:
        return {"fields": ["name"]}, 422

    answer = app.test_client().get("/")

    assert answer.json == {"fields": ["name"]}
    assert recorded.records == []


def test_a_server_error_without_an_error_is_recorded(
    app: Flask, recorded: RecordingReporter
) -> None:
    """A view that answers 5xx by itself is an event of its own; its body stays."""

    @app.get("/")
    def view() -> ResponseReturnValue:
        return "maintenance", 503

    answer = app.test_client().get("/")

    assert answer.text == "maintenance"
    assert [record.classification.code for record in recorded.records] == ["UNEXPLAINED_RESPONSE"]
    assert recorded.records[0].classification.status == 503


@pytest.mark.parametrize("body", ["try later", ""])
def test_an_error_that_the_view_went_on_from_explains_its_answer(
    app: Flask, recorded: RecordingReporter, body: str
) -> None:
    """A block hands its error over, the view says 503 because of it: that is one error."""

    @app.get("/")
    def view() -> ResponseReturnValue:
        with error_boundary("stock", reraise=False):
            breaking()
        return body, 503

    answer = app.test_client().get("/")

    assert answer.status_code == 503
    assert [record.origin.boundary for record in recorded.records] == ["block"]
    if body:
        assert answer.text == body
    else:
        assert about(answer)["code"] == "SERVICE_UNAVAILABLE"
        assert about(answer)["trace_id"] == recorded.records[0].trace_id


def test_a_mistake_of_the_caller_explains_no_server_error(
    app: Flask, recorded: RecordingReporter
) -> None:
    """What a view went on from counts only where it is as grave as the answer."""

    @app.get("/")
    def view() -> ResponseReturnValue:
        with error_boundary("filter", error_code=ErrorCode.VALIDATION_FAILED, reraise=False):
            breaking()
        return "maintenance", 503

    app.test_client().get("/")

    codes = [record.classification.code for record in recorded.records]
    assert codes == ["VALIDATION_FAILED", "UNEXPLAINED_RESPONSE"]


def test_an_error_of_one_request_explains_nothing_of_the_next(
    app: Flask, recorded: RecordingReporter
) -> None:
    """Every request is looked at by itself, and one that goes well after all is well."""

    @app.get("/<int:status>")
    def view(status: int) -> ResponseReturnValue:
        if status == 200:
            with error_boundary("stock", reraise=False):
                breaking()
        return "answered", status

    client = app.test_client()
    statuses = [client.get(f"/{status}").status_code for status in (200, 503)]

    assert statuses == [200, 503]
    codes = [record.classification.code for record in recorded.records]
    assert codes == ["INTERNAL_ERROR", "UNEXPLAINED_RESPONSE"]


def test_an_empty_body_under_another_status_fits_the_status(
    broken: Flask, recorded: RecordingReporter
) -> None:
    """A body that is filled in speaks of the status that is sent, not of the error behind it."""

    @broken.errorhandler(500)
    def hide(error: HTTPException) -> ResponseReturnValue:
        return "", 404

    answer = broken.test_client().get("/breaking")

    assert answer.status_code == 404
    assert about(answer)["code"] == "RESOURCE_NOT_FOUND"
    assert [record.classification.code for record in recorded.records] == ["INTERNAL_ERROR"]


SOLD_OUT = AppError(ErrorCode.STATE_CONFLICT, "Sold out")
OUT_OF_ORDER = BrokenError("out of order")


@pytest.mark.parametrize("shared", [SOLD_OUT, OUT_OF_ORDER])
def test_an_exception_raised_again_is_an_error_of_each_request(
    app: Flask, recorded: RecordingReporter, shared: Exception
) -> None:
    """One object that a module raises in every request is recorded in each, under its id."""

    @app.get("/")
    def view() -> str:
        raise shared

    answers = [app.test_client().get("/") for _ in range(2)]

    ids = [answer.headers["X-Request-ID"] for answer in answers]
    assert ids[0] != ids[1]
    assert [about(answer)["trace_id"] for answer in answers] == ids
    assert [record.trace_id for record in recorded.records] == ids


@pytest.mark.parametrize("status", [204, 302, 1000, 0, -1, "many", None])
def test_an_error_with_a_status_that_is_none_of_an_error_is_answered(
    app: Flask, recorded: RecordingReporter, status: object
) -> None:
    """What an instance was given by mistake makes neither a success nor a broken answer of it."""
    torn: list[BaseException | None] = []
    app.teardown_request(torn.append)
    error = AppError("for operators")
    vars(error)["status"] = status

    @app.get("/")
    def view() -> str:
        raise error

    answer = app.test_client().get("/")

    assert answer.status_code == 500
    assert about(answer)["code"] == "INTERNAL_ERROR"
    assert torn == [error]
    assert [record.classification.status for record in recorded.records] == [500]


@pytest.mark.parametrize("code", [600, 1000])
def test_an_http_exception_beyond_all_statuses_is_answered(
    app: Flask, recorded: RecordingReporter, code: int
) -> None:
    """The same holds for exceptions of werkzeug's kind."""

    @app.get("/")
    def view() -> str:
        error = HTTPException("for operators")
        error.code = code
        raise error

    answer = app.test_client().get("/")

    assert answer.status_code == 500
    assert "for operators" not in answer.text
    assert len(recorded.records) == 1


def test_exits_go_on(app: Flask, recorded: RecordingReporter) -> None:
    """SystemExit leaves the application as it was raised, and is no error."""

    @app.get("/")
    def view() -> str:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        app.test_client().get("/")

    assert recorded.records == []


def test_a_hook_that_keeps_failing_is_recorded_once(
    app: Flask, recorded: RecordingReporter, caplog: pytest.LogCaptureFixture
) -> None:
    """An after_request function fails for the page and again for its error page: one error."""

    @app.after_request
    def fail(response: Response) -> Response:
        raise BrokenError("the reason why")

    answer = app.test_client().get("/health")

    assert about(answer)["code"] == "INTERNAL_ERROR"
    assert len(recorded.records) == 1
    assert "the reason why" not in caplog.text


def recovering(error: BaseException, origin: Origin, step: Next) -> Verdict:
    """Go on with a value in the place of an error."""
    return Verdict(action=Action.RECOVERED, value=({"stale": True}, 203))


def passing(error: BaseException, origin: Origin, step: Next) -> Verdict:
    """Ignore an error."""
    return Verdict(action=Action.PROPAGATE)


@pytest.mark.parametrize("view", [breaking, missing])
def test_a_recovery_is_answered_as_a_view_would(make_app: MakeApp, view: Callable[[], str]) -> None:
    """The value of a recovery becomes the response."""
    app = make_app(HOLDFAST_MIDDLEWARE=[f"{__name__}:recovering"])
    app.add_url_rule("/", view_func=view)

    answer = app.test_client().get("/")

    assert (answer.status_code, answer.json) == (203, {"stale": True})


@pytest.mark.parametrize("error", [BrokenError("the reason why"), AppError("caller"), NotFound()])
def test_an_ignored_error_is_answered_and_not_recorded(
    make_app: MakeApp, recorded: RecordingReporter, error: Exception
) -> None:
    """A caller has to be told something: the general answer; nobody else hears of it."""
    app = make_app(HOLDFAST_MIDDLEWARE=[f"{__name__}:passing"])

    @app.get("/")
    def fail() -> NoReturn:
        raise error

    answer = app.test_client().get("/")

    assert (answer.status_code, about(answer)["code"]) == (500, "INTERNAL_ERROR")
    assert recorded.events == []


def test_an_error_ignored_beyond_flask_is_answered(
    make_app: MakeApp, recorded: RecordingReporter
) -> None:
    """So is one of a layer between Flask and the server."""
    app = make_app(HOLDFAST_MIDDLEWARE=[f"{__name__}:passing"])
    boundary = cast("Boundary", app.wsgi_app)
    boundary._next = breaking_app  # as a WSGI middleware within ours would be

    answer = app.test_client().get("/")

    assert (answer.status_code, about(answer)["code"]) == (500, "INTERNAL_ERROR")
    assert recorded.events == []


def test_an_ignored_error_propagates_where_flask_says_so(make_app: MakeApp) -> None:
    """`TESTING` means the same as ever."""
    app = make_app(TESTING=True, HOLDFAST_MIDDLEWARE=[f"{__name__}:passing"])
    app.add_url_rule("/", view_func=breaking)

    with pytest.raises(BrokenError):
        app.test_client().get("/")


@pytest.mark.extra("asgiref")  # a marker, no query
def test_async_hooks_are_like_others(app: Flask, recorded: RecordingReporter) -> None:
    """Errors of async views, hooks and handlers arrive as those of plain ones do."""

    @app.before_request
    async def check() -> None:
        """Fail before the view."""
        raise BrokenError("the reason why")

    answer = app.test_client().get("/health")

    assert about(answer)["code"] == "INTERNAL_ERROR"
    assert len(recorded.records) == 1
