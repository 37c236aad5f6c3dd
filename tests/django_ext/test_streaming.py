"""Streaming bodies: their errors pass every hook of Django."""

import io
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from django.http import FileResponse, HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.test import RequestFactory

from holdfast.context import current_context, current_trace_id
from holdfast.errors import ResourceNotFoundError
from holdfast_django.middleware import HoldfastMiddleware
from tests.django_ext.conftest import RecordingProject


def answer(response: HttpResponseBase, request: HttpRequest | None = None) -> HttpResponseBase:
    """Return what the middleware makes of a response."""
    made = HoldfastMiddleware(lambda _: response)(request or RequestFactory().get("/"))
    assert isinstance(made, HttpResponseBase)
    return made


def test_a_streams_error_is_recorded_under_the_requests_id(project: RecordingProject) -> None:
    """The error arises when the request is over, and still belongs to it."""
    closed: list[bool] = []

    class Body:
        def __iter__(self) -> Iterator[bytes]:
            yield b"first"
            raise ResourceNotFoundError("gone")

        def close(self) -> None:
            closed.append(True)

    request = RequestFactory().get("/", headers={"X-Request-ID": "stream-1"})
    response = answer(StreamingHttpResponse(Body()), request)

    with pytest.raises(ResourceNotFoundError):
        list(response)
    response.close()

    assert [record.trace_id for record in project.recorded.records] == ["stream-1"]
    assert closed == [True]


async def test_an_asynchronous_streams_error_is_recorded(project: RecordingProject) -> None:
    """The same for an asynchronous body."""

    async def body() -> AsyncIterator[bytes]:
        yield b"first"
        raise ResourceNotFoundError("gone")

    response = answer(StreamingHttpResponse(body()))
    assert isinstance(response, StreamingHttpResponse)

    chunks = aiter(response)
    assert await anext(chunks) == b"first"
    with pytest.raises(ResourceNotFoundError):
        await anext(chunks)
    assert len(project.recorded.records) == 1


def test_a_caller_who_leaves_a_stream_is_no_error(project: RecordingProject) -> None:
    """Closing the generator in the middle is control flow."""
    response = answer(StreamingHttpResponse(iter([b"a", b"b"])))

    next(iter(response))
    response.close()

    assert project.recorded.records == []


def test_a_streaming_body_runs_within_the_work_of_its_request() -> None:
    """What it logs or calls has the request's id, and nothing of it is left between two chunks."""
    request = RequestFactory().get("/", headers={"X-Request-ID": "stream-2"})
    response = answer(StreamingHttpResponse(current_trace_id() for _ in range(2)), request)

    seen = [(chunk, current_context()) for chunk in response]

    assert seen == [(b"stream-2", None), (b"stream-2", None)]


async def test_an_asynchronous_body_runs_within_the_work_of_its_request() -> None:
    """The same for an asynchronous body."""

    async def body() -> AsyncIterator[str]:
        yield current_trace_id()

    request = RequestFactory().get("/", headers={"X-Request-ID": "stream-3"})
    response = answer(StreamingHttpResponse(body()), request)

    assert isinstance(response, StreamingHttpResponse)
    assert [chunk async for chunk in aiter(response)] == [b"stream-3"]
    assert current_context() is None


def test_a_file_is_left_to_the_server(tmp_path: Path) -> None:
    """A wrapped file could not be sent by `wsgi.file_wrapper`."""
    file = io.BytesIO(b"content")
    response = FileResponse(file)

    answer(response)

    assert response.file_to_stream is file
