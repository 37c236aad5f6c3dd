"""Bodies that are sent piece by piece."""

import io
from collections.abc import Callable, Iterator

import pytest
from flask import Flask, Response, request, send_file, stream_with_context
from werkzeug.test import TestResponse
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


class Chunks(Iterator[bytes]):
    """An iterator that breaks after its first piece."""

    def __init__(self) -> None:
        self._sent = False

    def __next__(self) -> bytes:
        """Return a piece, once."""
        if self._sent:
            raise BrokenError("in the middle")
        self._sent = True
        return b"first,"


def generated() -> Iterator[bytes]:
    """Break after the first piece."""
    yield from Chunks()


@pytest.mark.parametrize("body", [generated, Chunks])
def test_what_is_passed_through_is_watched_too(
    app: Flask, recorded: RecordingReporter, body: Callable[[], Iterator[bytes]]
) -> None:
    """A body that werkzeug leaves alone is still one that the application makes."""

    @app.get("/")
    def view() -> Response:
        return Response(body(), direct_passthrough=True)

    with app.test_client() as client:
        response = client.get("/", buffered=False, headers={"X-Request-ID": "stream-2"})
    pieces = iter(response.response)

    assert next(pieces) == b"first,"
    with pytest.raises(BrokenError):
        next(pieces)
    assert [record.trace_id for record in recorded.records] == ["stream-2"]


class ServersOwn:
    """A file wrapper as servers have it: recognised by its class, and sent without being read."""

    def __init__(self, file: object, size: int = 8192) -> None:
        self.filelike = file

    def __getitem__(self, key: object) -> bytes:
        """Stand for the protocol by which it may be read nevertheless."""
        raise IndexError


class Told:
    """What a server that keeps the file to itself may put in its place."""


def a_token(file: object, size: int = 8192) -> object:
    """Remember the file elsewhere."""
    return Told()


def the_file_itself(file: object, size: int = 8192) -> object:
    """Wrap nothing: such a server remembers the file."""
    return file


def content() -> Response:
    """Send a file."""
    return send_file(io.BytesIO(b"content"), mimetype="text/plain", conditional=True)


def passed_to_server(app: Flask, wrapper: object) -> object:
    """Return the body of a file that a view sends, as the server gets it."""
    app.add_url_rule("/", view_func=content)
    environ = app.test_request_context("/").request.environ
    if wrapper is not None:
        environ["wsgi.file_wrapper"] = wrapper

    def start_response(*_: object) -> Callable[[bytes], object]:
        return len

    return app.wsgi_app(environ, start_response)


@pytest.mark.parametrize(
    ("wrapper", "expected"),
    [(None, FileWrapper), (ServersOwn, ServersOwn), (the_file_itself, io.BytesIO), (a_token, Told)],
)
def test_files_are_left_to_the_server(app: Flask, wrapper: object, expected: type) -> None:
    """send_file keeps what the server's own file wrapper gave, so that sendfile can be used."""
    assert type(passed_to_server(app, wrapper)) is expected


def test_a_part_of_a_file_is_sent(app: Flask) -> None:
    """A range, which werkzeug cuts out itself, is what was asked for."""
    app.add_url_rule("/", view_func=content)

    answer = app.test_client().get("/", headers={"Range": "bytes=2-4"})

    assert (answer.status_code, answer.data) == (206, b"nte")


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
