"""An urlconf with error views of its own, which fail."""

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.urls import path


def crash(_: HttpRequest) -> HttpResponse:
    """Fail."""
    raise KeyError("the view broke")


def suspect(_: HttpRequest) -> HttpResponse:
    """Find the request suspicious."""
    raise SuspiciousOperation("tampered with")


def handler500(_: HttpRequest) -> HttpResponse:
    """Fail while answering a failure."""
    raise LookupError("the error view broke")


def handler400(_: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer in the project's words."""
    return HttpResponse("no", status=400)


urlpatterns = [path("own/crash", crash), path("own/suspicious", suspect)]
