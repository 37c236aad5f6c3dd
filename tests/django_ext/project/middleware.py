"""Middlewares of each kind that fail where the address says so."""

from collections.abc import Awaitable, Callable
from typing import cast

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import async_only_middleware, sync_and_async_middleware

from holdfast.errors import ResourceNotFoundError
from holdfast_django.asynchrony import is_async

Answer = HttpResponseBase | Awaitable[HttpResponseBase]


def fail(request: HttpRequest, when: str) -> None:
    """Raise when the address asks for it."""
    if request.path == f"/middleware/{when}":
        raise KeyError("the middleware broke: canary-in-text")
    if request.path == f"/middleware/{when}-apperror":
        raise ResourceNotFoundError("No such tenant")


def synchronous(get_response: Callable[[HttpRequest], Answer]) -> Callable[[HttpRequest], Answer]:
    """Fail before or after the view, as a middleware of the one kind; Django adapts it to the other."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        fail(request, "before")
        response = get_response(request)
        fail(request, "after")
        assert isinstance(response, HttpResponseBase)
        return marked(response, "sync")

    return middleware


@async_only_middleware
def asynchronous(get_response: Callable[[HttpRequest], Answer]) -> Callable[[HttpRequest], Answer]:
    """Do the same as a middleware of the other kind."""

    async def middleware(request: HttpRequest) -> HttpResponseBase:
        fail(request, "before")
        response = await cast("Awaitable[HttpResponseBase]", get_response(request))
        fail(request, "after")
        return marked(response, "async")

    return middleware


def marked(response: HttpResponseBase, kind: str) -> HttpResponseBase:
    """Say which kind of middleware a response came through."""
    response.headers["X-Kind"] = kind
    return response


@sync_and_async_middleware
def failing(get_response: Callable[[HttpRequest], Answer]) -> Callable[[HttpRequest], Answer]:
    """Do the same, as either kind: that of the stack below, and so of the server."""
    return asynchronous(get_response) if is_async(get_response) else synchronous(get_response)
