"""Streaming bodies: their errors arise after every hook of Django has run, and pass all of them."""

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import TypeAlias, cast

from django.http import FileResponse, HttpRequest, StreamingHttpResponse

from holdfast.context import WorkContext, current_context, end, resume
from holdfast_django.capture import capture

_Body: TypeAlias = Iterable[bytes] | AsyncIterable[bytes]


def watch(request: HttpRequest, response: StreamingHttpResponse) -> None:
    """Let a streaming body run within the work of its request, and capture what it raises.

    What it raises still goes on to the server, which breaks off the answer.
    Files are left alone: wrapped, the server could no longer send them by itself.
    """
    if isinstance(response, FileResponse):
        return
    work = current_context()
    if work is None:
        return
    # Django keeps calling `close` of the body it was given first.
    body = cast("_Body", response.streaming_content)
    if isinstance(body, AsyncIterable):
        response.streaming_content = _watch_async(request, body, work)
    else:
        response.streaming_content = _watch_sync(request, body, work)


def _watch_sync(request: HttpRequest, body: Iterable[bytes], work: WorkContext) -> Iterator[bytes]:
    chunks = iter(body)
    while True:
        # For each chunk alone: between two the server's thread may do other work.
        token = resume(work)
        try:
            chunk = next(chunks, None)
        except BaseException as error:
            capture(request, error, resumable=False)
            raise
        finally:
            end(token)
        if chunk is None:
            return
        yield chunk


async def _watch_async(
    request: HttpRequest, body: AsyncIterable[bytes], work: WorkContext
) -> AsyncIterator[bytes]:
    chunks = aiter(body)
    while True:
        token = resume(work)
        try:
            chunk = await anext(chunks, None)
        except BaseException as error:
            capture(request, error, resumable=False)
            raise
        finally:
            end(token)
        if chunk is None:
            return
        yield chunk
