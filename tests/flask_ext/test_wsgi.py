"""The outermost layer: ids of requests, and what escapes Flask."""

import sys
from collections.abc import Callable, Iterable, Iterator
from traceback import walk_tb
from typing import TYPE_CHECKING

import pytest
from flask import Flask, Response, got_request_exception, request
from flask.testing import FlaskClient
from flask.typing import ResponseReturnValue
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import create_environ

from holdfast.context import current_context, current_trace_id, work_context
from holdfast.testing import RecordingReporter
from holdfast_flask import Holdfast
from tests.flask_ext.bodies import about
from tests.flask_ext.conftest import MakeApp

if TYPE_CHECKING:
    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def ignored(*_: object) -> Callable[[bytes], object]:
    """Start a response that nobody gets."""
    return len


def served(app: Flask, **headers: str) -> tuple[list[tuple[str, list[tuple[str, str]]]], bytes]:
    """Call the application as a server does; return every start of a response, and the body."""
    starts: list[tuple[str, list[tuple[str, str]]]] = []
    written: list[bytes] = []

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: "OptExcInfo | None" = None, /
    ) -> Callable[[bytes], object]:
        starts.append((status, headers))
        return written.append

    environ = create_environ("/") | {f"HTTP_{name}": value for name, value in headers.items()}
    body = b"".join(app.wsgi_app(environ, start_response))
    return starts, b"".join(written) + body


def test_every_answer_carries_an_id(client: FlaskClient) -> None:
    """A request without an id gets one, which traceparent repeats."""
    answer = client.get("/health/live")

    trace_id = answer.headers["X-Request-ID"]
    assert len(trace_id) == 32
    assert answer.headers["traceparent"].split("-")[1] == trace_id


def test_the_id_of_the_caller_is_kept(client: FlaskClient) -> None:
    """A valid X-Request-ID comes back, in the header and in the body."""
    answer = client.get("/nowhere", headers={"X-Request-ID": "order-42"})

    assert answer.headers["X-Request-ID"] == "order-42"
    assert about(answer)["trace_id"] == "order-42"


def test_a_trace_comes_before_an_id(client: FlaskClient) -> None:
    """Of traceparent and X-Request-ID, the former is used."""
    answer = client.get(
        "/health/live",
        headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "X-Request-ID": "order-42"},
    )

    assert answer.headers["X-Request-ID"] == TRACE


@given(
    sent=st.one_of(
        st.text(max_size=60),
        st.sampled_from(["a\r\nSet-Cookie: x=1", "a" * 10_000, "größe", "", "-", "a\x00b"]),
    )
)
def test_no_header_of_a_caller_comes_back_unless_it_is_valid(sent: str) -> None:
    """Whatever is sent as an id, what comes back is one line of plain ASCII of bounded length."""
    app = Flask("ids")
    app.config["HOLDFAST_REPORTERS"] = []
    Holdfast(app)

    starts, _ = served(app, X_REQUEST_ID=sent, TRACEPARENT=sent)

    headers = dict(starts[0][1])
    for name in ("X-Request-ID", "traceparent"):
        value = headers.get(name, "")
        assert value.isascii()
        assert value == "" or value.isprintable()
        assert len(value) <= 128


def test_an_id_set_by_a_view_does_not_come_out_twice(app: Flask) -> None:
    """There is one id, and it is the request's."""

    @app.get("/")
    def view() -> Response:
        return Response("fine", headers={"x-request-id": "mine", "Traceparent": "mine"})

    answer = app.test_client().get("/", headers={"X-Request-ID": "order-42"})

    assert answer.headers.getlist("X-Request-ID") == ["order-42"]
    assert len(answer.headers.getlist("traceparent")) <= 1


def test_nothing_is_left_behind_by_a_request(app: Flask) -> None:
    """The piece of work is current in the view and over after it, whether it failed or not."""
    seen: list[str] = []

    @app.get("/")
    def view() -> str:
        seen.append(current_trace_id())
        raise ValueError("over")

    app.test_client().get("/", headers={"X-Request-ID": "order-42"})

    assert seen == ["order-42"]
    assert current_context() is None


def failing_teardown(app: Flask) -> None:
    """Make the end of every request fail."""

    @app.teardown_request
    def fail(error: BaseException | None) -> None:
        raise LookupError("while tidying up")

    @app.get("/")
    def view() -> str:
        return "fine"


def test_a_teardown_error_is_answered_in_the_one_shape(
    app: Flask, recorded: RecordingReporter
) -> None:
    """What is raised after Flask has its response replaces that response, headers included."""
    failing_teardown(app)

    starts, body = served(app, X_REQUEST_ID="order-42")

    ((status, headers),) = starts
    names = [name for name, _ in headers]
    assert status == "500 Internal Server Error"
    assert sorted(set(names)) == sorted(names)
    assert dict(headers)["Content-Length"] == str(len(body))
    assert b'"trace_id":"order-42"' in body
    assert b"tidying" not in body
    assert [record.origin.operation for record in recorded.records] == ["GET /"]


def test_a_teardown_error_is_raised_under_testing(app: Flask, recorded: RecordingReporter) -> None:
    """The test client meets the error, as it does without us."""
    failing_teardown(app)
    app.testing = True

    with pytest.raises(LookupError):
        app.test_client().get("/")

    assert len(recorded.records) == 1


@pytest.mark.parametrize("path", ["/", "/boom"])
def test_the_traceback_of_what_goes_on_to_the_server_is_flasks(app: Flask, path: str) -> None:
    """None of its lines are ours, be it raised in a view or while Flask tidies up."""
    app.testing = True
    if path == "/":
        failing_teardown(app)

    @app.get("/boom")
    def boom() -> str:
        raise ValueError("no")

    with pytest.raises(Exception, match=r"no|tidying") as caught:
        app.test_client().get(path)

    modules = {frame.f_globals["__name__"].partition(".")[0] for frame, _ in walk_tb(caught.tb)}
    assert "flask" in modules
    assert not modules & {"holdfast", "holdfast_flask"}


def test_a_failing_receiver_of_the_signal_is_answered(
    app: Flask, recorded: RecordingReporter
) -> None:
    """An error within somebody's signal receiver hides neither the first error nor the shape."""

    @app.get("/")
    def view() -> str:
        raise ValueError("the first")

    def fail(_: Flask, exception: BaseException) -> None:
        raise LookupError("the second")

    with got_request_exception.connected_to(fail, app):
        answer = app.test_client().get("/")

    assert about(answer)["code"] == "INTERNAL_ERROR"
    told = {record.message for record in recorded.records}
    told |= {cause.message for record in recorded.records for cause in record.causes}
    assert "the first" in told


def test_receivers_of_the_signal_hear_of_what_escapes_flask(app: Flask) -> None:
    """Who used to see such an error in the server, where it was not answered, is told of it by the signal."""
    failing_teardown(app)
    heard: list[BaseException] = []

    def hear(_: Flask, exception: BaseException) -> None:
        heard.append(exception)

    with got_request_exception.connected_to(hear, app):
        app.test_client().get("/")

    assert [str(error) for error in heard] == ["while tidying up"]


def test_what_closing_a_response_raises_is_recorded_and_goes_on(
    app: Flask, recorded: RecordingReporter
) -> None:
    """It belongs to the request, whose id and operation its record has, and the server gets it as before."""

    @app.get("/orders/<int:order>")
    def view(order: int) -> Response:
        response = Response("fine")

        @response.call_on_close
        def fail() -> None:
            raise LookupError("while tidying up")

        return response

    body = app.wsgi_app(create_environ("/orders/7", headers={"X-Request-ID": "order-42"}), ignored)
    assert b"".join(body) == b"fine"
    with pytest.raises(LookupError):
        body.close()  # type: ignore[attr-defined]  # of most bodies

    (record,) = recorded.records
    assert (record.origin.operation, record.trace_id) == ("GET /orders/<int:order>", "order-42")
    assert current_context() is None


def test_an_error_explains_no_answer_of_another_request(
    app: Flask, recorded: RecordingReporter
) -> None:
    """Where a command serves several requests, each 5xx is explained by itself."""

    @app.get("/boom")
    def boom() -> str:
        raise ValueError("no")

    @app.get("/busy")
    def busy() -> tuple[str, int]:
        return "busy", 503

    with work_context("serve"):
        app.test_client().get("/boom")
        app.test_client().get("/busy")

    codes = [record.classification.code for record in recorded.records]
    assert codes == ["INTERNAL_ERROR", "UNEXPLAINED_RESPONSE"]


def test_an_error_of_an_application_explains_the_answer_of_the_one_around_it(
    make_app: MakeApp, recorded: RecordingReporter
) -> None:
    """A view that passes on what another application answers does not count its error again."""
    inner, outer = make_app(), make_app()

    @inner.get("/")
    def boom() -> str:
        raise ValueError("no")

    @outer.get("/")
    def passing() -> ResponseReturnValue:
        return Response.from_app(inner, request.environ.copy())

    answer = outer.test_client().get("/")

    assert answer.status_code == 500
    assert [record.classification.code for record in recorded.records] == ["INTERNAL_ERROR"]


def test_a_body_that_starts_its_response_late_is_passed_on(make_app: MakeApp) -> None:
    """A layer below that is a generator starts the response while it is sent."""
    app = Flask("late")
    app.config["HOLDFAST_REPORTERS"] = []

    def late(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterator[bytes]:
        start_response("200 OK", [("Content-Length", "4")])
        yield b"late"

    app.wsgi_app = late  # type: ignore[method-assign]  # as Flask documents
    Holdfast(app)

    starts, body = served(app)

    assert body == b"late"
    assert [status for status, _ in starts] == ["200 OK"]
    assert "X-Request-ID" in dict(starts[0][1])


def test_a_layer_below_may_replace_what_it_started(make_app: MakeApp) -> None:
    """A second start with exc_info takes the place of the first, as the protocol has it."""
    app = Flask("twice")
    app.config["HOLDFAST_REPORTERS"] = []

    def twice(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", "4")])
        try:
            raise ValueError("too late")
        except ValueError:
            start_response("502 Bad Gateway", [("Content-Length", "3")], sys.exc_info())
        return [b"bad"]

    app.wsgi_app = twice  # type: ignore[method-assign]  # as Flask documents
    Holdfast(app)

    starts, body = served(app)

    assert [status for status, _ in starts] == ["502 Bad Gateway"]
    assert body == b"bad"


def test_a_body_may_be_written(make_app: MakeApp) -> None:
    """The old way of WSGI, a call of what start_response returns, works."""
    app = Flask("written")
    app.config["HOLDFAST_REPORTERS"] = []

    def writing(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        write = start_response("200 OK", [])
        write(b"one,")
        write(b"two,")
        return [b"three"]

    app.wsgi_app = writing  # type: ignore[method-assign]  # as Flask documents
    Holdfast(app)

    starts, body = served(app)

    assert len(starts) == 1
    assert body == b"one,two,three"


def test_an_application_within_an_application_is_a_piece_of_its_own(make_app: MakeApp) -> None:
    """Two connected applications, one mounted in the other, each answer and tidy up."""
    inner, outer = make_app(), make_app()
    before = outer.wsgi_app

    def mounted(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        list(inner.wsgi_app(environ, ignored))
        return before(environ, start_response)

    outer.wsgi_app = mounted  # type: ignore[method-assign]  # as Flask documents

    starts, _ = served(outer)

    assert starts[0][0].startswith("404")
    assert current_context() is None
