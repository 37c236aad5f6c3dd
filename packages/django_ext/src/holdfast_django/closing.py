"""What a response releases after it has left: Django passes over errors there without a word."""

from collections.abc import Callable
from typing import TypeAlias

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from holdfast.context import WorkContext, current_context, end, resume
from holdfast_django.capture import capture

_Closer: TypeAlias = Callable[[], object]


def watch_closers(request: HttpRequest, response: HttpResponseBase) -> None:
    """Let a response's closers run within the work of its request, and capture what they raise."""
    # Private, but the only way to see them fail.
    closers: list[_Closer] = getattr(response, "_resource_closers", [])
    work = current_context() if closers else None
    if work is not None:
        closers[:] = [_watched(closer, request, work) for closer in closers]


def _watched(closer: _Closer, request: HttpRequest, work: WorkContext) -> _Closer:
    def close() -> None:
        token = resume(work)
        try:
            closer()
        except BaseException as error:
            capture(request, error, resumable=False)
            raise
        finally:
            end(token)

    return close
