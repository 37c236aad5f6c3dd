"""Django and Django REST framework, called as a WSGI server calls them."""

import logging
from collections.abc import Callable

import django
from case import Case
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path

from subjects import shop, sinks
from subjects.wsgi import get

_OURS = "holdfast_django.middleware.HoldfastMiddleware"


def ok(_: HttpRequest) -> HttpResponse:
    """Answer 200."""
    return HttpResponse(b"ok")


def missing(_: HttpRequest) -> HttpResponse:
    """Say that there is no such thing."""
    raise Http404("no such order")


def failing(_: HttpRequest) -> HttpResponse:
    """Raise what nobody expects."""
    raise ValueError("-2 of SKU 881 would be left")


def failing_deep(_: HttpRequest) -> HttpResponse:
    """Raise it ten frames below the view."""
    shop.checkout.place({"881": 3}, express=True)
    return HttpResponse(b"ok")


urlpatterns: list[URLPattern] = [
    path("ok", ok),
    path("404", missing),
    path("500", failing),
    path("deep", failing_deep),
]
_STATUS = {"ok": 200, "404": 404, "500": 500, "deep": 500, "drf_ok": 200, "drf_404": 404}


def cases(flavour: str) -> dict[str, Case]:
    """Return the requests of one flavour; the parts of its name say what is on."""
    library, _, delivery = flavour.partition("-")
    if library == "sentry":
        sinks.start_sentry()
    _configure(library, delivery)
    if library == "log":
        sinks.text_log("django.request")
    else:
        sinks.no_log("django.request")
    if library == "holdfast":
        sinks.json_log("holdfast")
    _add_rest_framework(library)
    between = _flush() if delivery == "queued" else None
    found = {name: Case(_request(name), between) for name in _names(library)}
    if library == "holdfast":
        # The same process without the middleware: what it adds, within one process.
        settings.MIDDLEWARE = []
        found["ok without"] = Case(_request("ok"), between)
    return found


def _configure(library: str, delivery: str) -> None:
    ours = library == "holdfast"
    settings.configure(
        ALLOWED_HOSTS=["127.0.0.1"],
        DATABASES={},
        DEBUG=False,
        HOLDFAST={
            "REPORTERS": ["logging", *sinks.REPORTERS.get(delivery, ())],
            "REPORTING": {"INLINE": delivery == "inline"},
        },
        INSTALLED_APPS=["holdfast_django"] if ours else [],
        LOGGING_CONFIG=None,
        MIDDLEWARE=[_OURS] if ours else [],
        REST_FRAMEWORK={"UNAUTHENTICATED_USER": None},
        ROOT_URLCONF=__name__,
        USE_TZ=True,
    )
    logging.getLogger("django").propagate = False
    django.setup()


def _names(library: str) -> list[str]:
    names = list(_STATUS)
    if library in {"plain", "holdfast"}:
        names += ["drf_invalid"]
    if library == "plain":
        names += ["standardized_404", "standardized_invalid"]
    return names


def _add_rest_framework(library: str) -> None:
    from subjects.django_rest import handler_named, patterns  # noqa: PLC0415  # reads settings

    urlpatterns.extend(patterns("drf", handler_named("holdfast" if library == "holdfast" else "")))
    if library == "plain":
        urlpatterns.extend(patterns("standardized", handler_named("standardized")))


def _request(name: str) -> Callable[[], object]:
    invalid = name.endswith("_invalid")
    status = 400 if invalid else _STATUS.get(name, 404)
    return get(WSGIHandler(), f"/{name}", status=status)


def _flush() -> Callable[[], object]:
    from holdfast_django.current import project_runtime  # noqa: PLC0415  # reads settings

    return project_runtime().flush
