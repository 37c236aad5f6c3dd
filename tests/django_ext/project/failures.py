"""Every way to fail that an address may ask for; each is served by a `def` and an `async def` view."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import connection
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    StreamingHttpResponse,
)
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse

from holdfast.boundaries import error_boundary
from holdfast.codes import ErrorCode
from holdfast.errors import AppError, ResourceNotFoundError, ValidationError
from tests.django_ext.project.models import Order

Failure = Callable[[HttpRequest], HttpResponseBase | None]

CANARY = "sk_live_4eC39HqLyjWDarjtT1zdp7dc"
"""A secret that must not come out anywhere."""


def ok(request: HttpRequest) -> HttpResponse:
    """Succeed."""
    return HttpResponse("ok")


def crash(request: HttpRequest) -> HttpResponse:
    """Raise what nobody expected, with secrets in text, cause and a variable."""
    password = CANARY
    try:
        raise ValueError(f"postgres://shop:{CANARY}@db/shop")
    except ValueError as cause:
        raise KeyError(f"password={password}") from cause


def not_found(request: HttpRequest) -> HttpResponse:
    """Raise an error of the caller's."""
    raise ResourceNotFoundError(
        "Collection 999 not found", details={"id": 999, "deep": {"password": CANARY}}
    )


def unavailable(request: HttpRequest) -> HttpResponse:
    """Raise an error of a dependency."""
    raise AppError(
        ErrorCode.DB_CONNECTION_ERROR,
        f"cannot reach postgres://shop:{CANARY}@db/shop",
        retry_after=0.2,
    )


def timeout(request: HttpRequest) -> HttpResponse:
    """Raise what the standard library raises."""
    raise TimeoutError("no answer from 10.0.0.7")


def http_404(request: HttpRequest) -> HttpResponse:
    """Raise Django's."""
    raise Http404("No Order matches the given query.")


def denied(request: HttpRequest) -> HttpResponse:
    """Raise Django's."""
    raise PermissionDenied


def suspicious(request: HttpRequest) -> HttpResponse:
    """Raise Django's, with what must stay inside."""
    raise SuspiciousOperation(f"tampered with {CANARY}")


def invalid(request: HttpRequest) -> HttpResponse:
    """Raise Django's validation error, by field."""
    raise DjangoValidationError({"sku": ["too long"], "__all__": ["nothing to order"]})


def invalid_model(request: HttpRequest) -> HttpResponse:
    """Validate a model."""
    Order(sku="far-too-long", quantity=11).full_clean()
    return HttpResponse()


def malformed(request: HttpRequest) -> HttpResponse:
    """Read a body that is no JSON."""
    try:
        json.loads(request.body)
    except ValueError as error:
        raise ValidationError(ErrorCode.MALFORMED_JSON, "The body is not valid JSON") from error
    return HttpResponse()


def body(request: HttpRequest) -> HttpResponse:
    """Read the body, whatever its size."""
    return HttpResponse(str(len(request.body)))


def only_get(request: HttpRequest) -> HttpResponse:
    """Refuse every other method, as Django's decorators do: without a body."""
    return HttpResponse("got") if request.method == "GET" else HttpResponseNotAllowed(["GET"])


def bodiless(request: HttpRequest) -> HttpResponse:
    """Fail without a word."""
    return HttpResponse(status=503, headers={"Retry-After": "7"})


def degraded(request: HttpRequest) -> HttpResponse:
    """Handle what went wrong, and say no more than a status."""
    with error_boundary("stock", reraise=False):
        crash(request)
    return HttpResponse(status=503)


def degraded_wordy(request: HttpRequest) -> HttpResponse:
    """Handle what went wrong, and fail in one's own words."""
    with error_boundary("stock", reraise=False):
        crash(request)
    return HttpResponse("our own words", status=503)


def refused_twice(request: HttpRequest) -> HttpResponse:
    """Handle a caller's error, then fail for another reason."""
    with error_boundary("stock", reraise=False):
        not_found(request)
    return HttpResponse(status=503)


def wordy(request: HttpRequest) -> HttpResponse:
    """Fail in one's own words."""
    return HttpResponse("our own words", status=500)


def nothing(request: HttpRequest) -> None:
    """Forget to answer."""
    return


def template(request: HttpRequest) -> TemplateResponse:
    """Fail while the template is rendered, after the view."""
    return TemplateResponse(request, "broken.html", {"explode": lambda: 1 / 0})


def query(request: HttpRequest) -> HttpResponse:
    """Send wrong SQL with a secret in it."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT '{CANARY}' FROM nowhere")  # noqa: S608  # wrong on purpose
    return HttpResponse()


def stream(request: HttpRequest) -> StreamingHttpResponse:
    """Fail in the middle of a body."""

    def chunks() -> Iterator[bytes]:
        yield b"first,"
        raise KeyError("the stream broke")

    return StreamingHttpResponse(chunks())


def async_stream(request: HttpRequest) -> StreamingHttpResponse:
    """Fail in the middle of an asynchronous body."""

    async def chunks() -> AsyncIterator[bytes]:
        yield b"first,"
        await asyncio.get_running_loop().run_in_executor(None, int)
        raise KeyError("the stream broke")

    return StreamingHttpResponse(chunks())


FAILURES: dict[str, Failure] = {
    failure.__name__.replace("_", "-"): failure
    for failure in (
        ok, crash, not_found, unavailable, timeout, http_404, denied, suspicious, invalid,
        invalid_model, malformed, body, only_get, bodiless, degraded, degraded_wordy, refused_twice, wordy, nothing, template, query,
        stream, async_stream,
    )
}  # fmt: skip
