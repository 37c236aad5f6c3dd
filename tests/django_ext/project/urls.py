"""Addresses of the project: `/sync/<failure>`, `/async/<failure>`, `/drf/<failure>`."""

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver, include, path
from django.views.decorators.csrf import csrf_exempt

from tests.django_ext.project.api import Failing
from tests.django_ext.project.failures import FAILURES


@csrf_exempt
def sync_view(request: HttpRequest, name: str) -> HttpResponseBase | None:
    """Fail as the address says."""
    return FAILURES[name](request)


@csrf_exempt
async def async_view(request: HttpRequest, name: str) -> HttpResponseBase | None:
    """Fail as the address says, in a coroutine."""
    return FAILURES[name](request)


def form(request: HttpRequest) -> HttpResponse:
    """Take what CSRF protection lets through."""
    return HttpResponse()


async def async_form(request: HttpRequest) -> HttpResponse:
    """Take what CSRF protection lets through."""
    return HttpResponse()


def around(request: HttpRequest, when: str) -> HttpResponse:
    """Succeed below a middleware that fails."""
    return HttpResponse("ok")


urlpatterns: list[URLPattern | URLResolver] = [  # pyright: ignore[reportUnknownVariableType]
    path("health/", include("holdfast_django.urls")),
    path("sync/form", form),
    path("async/form", async_form),
    path("sync/<str:name>", sync_view),  # type: ignore[arg-type]  # None on purpose
    path("async/<str:name>", async_view),  # type: ignore[arg-type]  # None on purpose
    path("drf/<str:name>", Failing.as_view()),
    path("middleware/<str:when>", around),
]
