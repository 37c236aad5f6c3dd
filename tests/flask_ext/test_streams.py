"""Bodies that are sent piece by piece."""

import io
from collections.abc import Callable, Iterator

import pytest
from flask import Flask, Response, request, send_file, stream_with_context
from werkzeug.test import TestResponse, run_wsgi_app
from werkzeug.wsgi import FileWrapper

from holdfast import bind_request, current_trace_id
from holdfast.testing import RecordingReporter


class BrokenError(Exception):
    """Comes in the middle."""


def streamed(app: Flask, body: Callable[[], Iterator[str]]) -> TestResponse:
    """Add a view that streams, and return the response as a server gets it."""

    @app.get("/stream/<name>")
    def view(name: str) -> Response:
        bind_request(order=42)
        return Response(body(), mimetype="text/plain")

    with app.test_client() as client:
        return client.get("/stream/a", buffered=False, headers={"X-Request-ID": "stream-1"})


def test_an_error_in_the_middle_is_recorded_and_goes_on(
    app: Flask, recorded: RecordingReporter
) -> None:
    """The server meets the error itself, and breaks off; the record has the request's id and fields."""

    def body() -> Iterator[str]:
        yield "first,"
        raise BrokenError("in the middle")

    response = streamed(app, body)
    parts = response.iter_encoded()

    assert next(iter(parts)) == b"first,"
    with pytest.raises(BrokenError):
        list(parts)
    (record,) = recorded.records
    assert record.trace_id == "stream-1"
    assert record.fields == {"order": 42}
    assert record.origin.boundary == "flask.stream"
    assert record.origin.operation == "GET /stream/<name>"


def test_a_body_is_made_under_the_id_of_its_request(app: Flask) -> None:
    """Whoever iterates, the stream sees the request's trace, and leaves none behind."""
    seen: list[str] = []

    def body() -> Iterator[str]:
        seen.append(current_trace_id())
        yield "all"

    response = streamed(app, body)
    after_view = current_trace_id()

    assert b"".join(response.iter_encoded()) == b"all"
    assert (seen, after_view, current_trace_id()) == (["stream-1"], "", "")


def test_a_body_is_closed_once(app: Flask, recorded: RecordingReporter) -> None:
    """A client that leaves closes the generator, which is no error."""
    closed: list[bool] = []

    def body() -> Iterator[str]:
        try:
            yield "first,"
            yield "second"
        finally:
            closed.append(True)

    response = streamed(app, body)
    next(iter(response.iter_encoded()))
    response.close()

    assert closed == [True]
    assert recorded.records == []


def test_an_error_while_closing_is_recorded_and_goes_on(
    app: Flask, recorded: RecordingReporter
) -> None:
    """What a generator raises when it is closed is recorded like any other error."""

    def body() -> Iterator[str]:
        try:
            yield "first,"
        finally:
            raise BrokenError("while closing")

    response = streamed(app, body)
    next(iter(response.iter_encoded()))

    with pytest.raises(BrokenError):
        response.close()
    assert [record.message for record in recorded.records] == ["while closing"]


def test_a_body_that_cannot_be_closed_needs_no_closing(app: Flask) -> None:
    """Any iterable will do."""
    response = streamed(app, lambda: iter(["a", "b"]))

    assert b"".join(response.iter_encoded()) == b"ab"
    response.close()


def test_the_request_is_there_for_those_who_ask(app: Flask, recorded: RecordingReporter) -> None:
    """stream_with_context works as before, and its errors are recorded."""

    @app.get("/")
    def view() -> Response:
        def body() -> Iterator[str]:
            yield request.args["name"]
            raise BrokenError("in the middle")

        return Response(stream_with_context(body()))

    response = app.test_client().get("/?name=anna", buffered=False)
    parts = response.iter_encoded()

    assert next(iter(parts)) == b"anna"
    with pytest.raises(BrokenError):
        list(parts)
    assert len(recorded.records) == 1


def test_files_are_left_to_the_server(app: Flask) -> None:
    """send_file keeps the server's own file wrapper, so that sendfile can be used."""

    @app.get("/")
    def view() -> Response:
        return send_file(io.BytesIO(b"content"), mimetype="text/plain")

    environ = app.test_request_context("/").request.environ
    environ["wsgi.file_wrapper"] = FileWrapper
    bodies: list[object] = []

    def keeping(environ: dict[str, object], start_response: object) -> object:
        bodies.append(app.wsgi_app(environ, start_response))  # type: ignore[arg-type]  # passed on
        return bodies[0]

    run_wsgi_app(keeping, environ)  # type: ignore[arg-type]  # passed on

    assert isinstance(bodies[0], FileWrapper)


def test_a_stream_of_an_error_is_watched_too(app: Flask, recorded: RecordingReporter) -> None:
    """A body that is streamed under an error's status keeps its content, and its errors are seen."""

    @app.get("/")
    def view() -> Response:
        def body() -> Iterator[str]:
            yield "busy"
            raise BrokenError("in the middle")

        return Response(body(), 429)

    response = app.test_client().get("/", buffered=False)

    with pytest.raises(BrokenError):
        list(response.iter_encoded())
    assert [record.type.rpartition(".")[2] for record in recorded.records] == ["BrokenError"]
