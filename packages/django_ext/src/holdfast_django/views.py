"""Views that answer what Django itself refuses; installed as defaults for `handler400` to `handler500`."""

import sys
from collections.abc import Awaitable, Callable
from typing import TypeAlias, cast

from asgiref.sync import async_to_sync
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404
from django.views import csrf

from holdfast.codes import ErrorCode
from holdfast.errors import (
    AuthorizationError,
    InternalServerError,
    ResourceNotFoundError,
    UnexplainedResponseError,
)
from holdfast.handler import Verdict, bare_answer
from holdfast_django.asynchrony import is_async
from holdfast_django.capture import capture, captured, explain, origin_of
from holdfast_django.current import project_settings
from holdfast_django.probes import without_slash
from holdfast_django.recovered import recovered
from holdfast_django.responses import respond

_AsyncView: TypeAlias = Callable[[HttpRequest], Awaitable[HttpResponse]]

_django_csrf_failure = csrf.csrf_failure


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what Django refuses with 400, or with the status that its class deserves."""
    return answer(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer `PermissionDenied`."""
    return answer(request, exception)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer `Http404` and addresses that no route has."""
    if isinstance(exception, Resolver404):
        probed = health_without_slash(request)
        if probed is not None:
            return probed
    return answer(request, readable(exception))


def readable(error: Exception) -> Exception:
    """Return an error without the list of every route that was tried: costly, and nothing for a record."""
    return ResourceNotFoundError() if isinstance(error, Resolver404) else error


def health_without_slash(request: HttpRequest) -> HttpResponse | None:
    """Answer a health address that lacks its slash, or return None for any other; on a thread without a loop."""
    view = without_slash(request)
    if view is None:
        return None
    if is_async(view):
        return async_to_sync(cast("_AsyncView", view))(request)
    return view(request)


async def ahealth_without_slash(request: HttpRequest) -> HttpResponse | None:
    """Answer as `health_without_slash` does, on an event loop."""
    view = without_slash(request)
    return None if view is None else await cast("_AsyncView", view)(request)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer any other exception, which `got_request_exception` has announced before."""
    error = sys.exception()
    verdict = captured(request)
    if error is not None:
        verdict = capture(request, error)
    elif verdict is None:
        verdict = capture(
            request, UnexplainedResponseError("the view for server errors was called")
        )
    return _respond(request, verdict, error)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a request without a valid CSRF token."""
    if settings.DEBUG and not project_settings().in_debug:
        return _django_csrf_failure(request, reason=reason)
    error = AuthorizationError(ErrorCode.CSRF_FAILED)
    error.learned = {"reason": reason}  # may quote the Origin header: not for the caller
    return answer(request, error)


def answer(request: HttpRequest, error: BaseException) -> HttpResponse:
    """Capture an exception and answer it."""
    return _respond(request, capture(request, error), error)


def _respond(request: HttpRequest, verdict: Verdict, error: BaseException | None) -> HttpResponse:
    response = recovered(request, verdict)
    if response is not None:
        return cast("HttpResponse", response)
    if verdict.answer is not None:
        return respond(request, verdict.answer)
    # A middleware of the handler's ignores the error: it is not recorded, and the caller has to be answered.
    explain(request)
    return respond(request, bare_answer(error or InternalServerError(), origin_of(request)))
