"""A middleware that fails where the address says so."""

from collections.abc import Awaitable, Callable
from typing import cast

from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware

from holdfast.errors import ResourceNotFoundError
from holdfast_django.asynchrony import is_async

Answer = HttpResponse | Awaitable[HttpResponse]


def fail(request: HttpRequest, when: str) -> None:
    """Raise when the address asks for it."""
    if request.path == f"/middleware/{when}":
        raise KeyError("the middleware broke: canary-in-text")
    if request.path == f"/middleware/{when}-apperror":
        raise ResourceNotFoundError("No such tenant")


@sync_and_async_middleware
def failing(get_response: Callable[[HttpRequest], Answer]) -> Callable[[HttpRequest], Answer]:
    """Fail before or after the view."""

    async def asynchronous(request: HttpRequest) -> HttpResponse:
        fail(request, "before")
        response = await cast("Awaitable[HttpResponse]", get_response(request))
        fail(request, "after")
        return response

    def synchronous(request: HttpRequest) -> HttpResponse:
        fail(request, "before")
        response = get_response(request)
        fail(request, "after")
        assert isinstance(response, HttpResponse)
        return response

    return asynchronous if is_async(get_response) else synchronous
