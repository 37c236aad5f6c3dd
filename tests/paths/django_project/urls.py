"""Addresses: `/row/<key>` and `/async/<key>` make a row happen, others are those of the adapter's tests."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver, path

from tests.django_ext.project.urls import urlpatterns as _others
from tests.paths.django_project.mishaps import ASYNCHRONOUS, SYNCHRONOUS


def row(request: HttpRequest, key: str) -> HttpResponseBase | None:
    """Make a row happen."""
    return SYNCHRONOUS[key](request)


async def async_row(request: HttpRequest, key: str) -> HttpResponseBase | None:
    """Make a row happen, in a coroutine."""
    return await ASYNCHRONOUS[key](request)


urlpatterns: list[URLPattern | URLResolver] = [  # pyright: ignore[reportUnknownVariableType]
    path("row/<str:key>", row),  # type: ignore[arg-type]  # None on purpose
    path("async-row/<str:key>", async_row),  # type: ignore[arg-type]  # None on purpose
    *_others,
]
