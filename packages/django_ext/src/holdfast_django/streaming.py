"""Streaming bodies: their errors arise after every hook of Django has run, and pass all of them."""

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from contextvars import Context, copy_context
from typing import TypeAlias, cast

from django.http import FileResponse, HttpRequest, StreamingHttpResponse

from holdfast_django.capture import capture

_Body: TypeAlias = Iterable[bytes] | AsyncIterable[bytes]


def watch(request: HttpRequest, response: StreamingHttpResponse) -> None:
    """Capture what a streaming body raises; it still goes on to the server, which breaks off the answer.

    Files are left alone: wrapped, the server could no longer send them by itself.
    """
    if isinstance(response, FileResponse):
        return
    # The work of the request has ended when the body is read; its context is kept for the record.
    context = copy_context()
    # Django keeps calling `close` of the body it was given first.
    body = cast("_Body", response.streaming_content)
    if isinstance(body, AsyncIterable):
        response.streaming_content = _watch_async(request, body, context)
    else:
        response.streaming_content = _watch_sync(request, body, context)


def _watch_sync(request: HttpRequest, body: Iterable[bytes], context: Context) -> Iterator[bytes]:
    try:
        yield from body
    except BaseException as error:
        context.run(capture, request, error)
        raise


async def _watch_async(
    request: HttpRequest, body: AsyncIterable[bytes], context: Context
) -> AsyncIterator[bytes]:
    try:
        async for chunk in body:
            yield chunk
    except BaseException as error:
        context.run(capture, request, error)
        raise
