"""The outermost middleware: the context of a request, and the nets behind everything else.

Errors below it never reach its `except`: Django turns them into responses, layer by layer.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from asgiref.sync import markcoroutinefunction
from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.multipartparser import MultiPartParserError
from django.http.response import HttpResponseBase
from django.urls import get_resolver, get_urlconf
from django.utils.cache import patch_vary_headers

from holdfast.context import WorkContext, begin, current_context, end, resume
from holdfast.envelope import fitting
from holdfast.errors import AppError
from holdfast.handler import Verdict, bare_answer, last_server_error
from holdfast.resilience.headers import Inbound
from holdfast.statuses import CLIENT_ERROR, SERVER_ERROR, error_of, unexplained
from holdfast_django import views
from holdfast_django.asynchrony import is_async
from holdfast_django.capture import capture, explained, origin_of, witness, witnessed
from holdfast_django.closing import watch_closers
from holdfast_django.current import BOUNDARY, project_runtime, project_settings
from holdfast_django.probes import group_asked
from holdfast_django.recovered import recovered
from holdfast_django.responses import as_logged, respond
from holdfast_django.rules import ANSWERED_BY_DJANGO
from holdfast_django.signals import await_loop, resend
from holdfast_django.streaming import watch

if TYPE_CHECKING:
    from contextvars import Token

    from holdfast.resilience.scope import Scope

_MISSED: Final = frozenset({301, 404})
"""How Django answers an address without its slash where the project has a 404 page of its own."""

GetResponse: TypeAlias = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]


class HoldfastMiddleware:
    """Belongs at the top of `MIDDLEWARE`, under WSGI and ASGI alike.

    Args:
        get_response: The rest of the stack, synchronous or asynchronous.

    Raises:
        ImproperlyConfigured: When the app `holdfast_django` is not installed.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: GetResponse) -> None:
        if not apps.is_installed("holdfast_django"):
            raise ImproperlyConfigured(
                "HoldfastMiddleware needs its app: add 'holdfast_django' to INSTALLED_APPS"
            )
        await_loop()
        self.get_response = get_response
        self._direct = project_settings().health.direct
        self._asynchronous = is_async(get_response)
        if self._asynchronous:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Answer a request within a context of its own."""
        if self._asynchronous:
            return self._answer_async(request)
        if self._direct and (group := group_asked(request)) is not None:
            return _ahead(request, group)
        token, limit = _begin(request), _begin_deadline(request)
        try:
            late = None if limit is None else _too_late(request)
            response = late or cast("HttpResponseBase", self.get_response(request))
            if response.status_code in _MISSED and request.resolver_match is None:
                response = views.health_without_slash(request) or response
            return _finish(request, response)
        except BaseException as error:
            capture(request, error, resumable=False)
            raise
        finally:
            if limit is not None:
                Inbound.end(limit)
            end(token)

    async def _answer_async(self, request: HttpRequest) -> HttpResponseBase:
        if self._direct and (group := group_asked(request)) is not None:
            return await _ahead_async(request, group)
        token, limit = _begin(request), _begin_deadline(request)
        try:
            response = None if limit is None else _too_late(request)
            if response is None:
                response = await cast("Awaitable[HttpResponseBase]", self.get_response(request))
            if response.status_code in _MISSED and request.resolver_match is None:
                response = await views.ahealth_without_slash(request) or response
            return _finish(request, response)
        except BaseException as error:
            capture(request, error, resumable=False)
            raise
        finally:
            if limit is not None:
                Inbound.end(limit)
            end(token)

    def process_exception(
        self, request: HttpRequest, exception: Exception
    ) -> HttpResponseBase | None:
        """Answer what a view or a template raised, unless Django or the project has an answer of its own.

        Called last of all middlewares, because this one is outermost; sees neither unknown routes
        nor what middlewares raise, which come to the views.
        """
        if isinstance(exception, ANSWERED_BY_DJANGO):
            if not _is_ours(exception):
                witness(request, views.readable(exception))
            return None
        verdict = capture(request, exception)
        response = recovered(request, verdict)
        if response is not None:
            return response
        if verdict.answer is None or _left_to_django(exception, verdict):
            return None
        if verdict.answer.status >= SERVER_ERROR:
            resend(request)
        return as_logged(request, respond(request, verdict.answer), exception)


def _left_to_django(exception: Exception, verdict: Verdict) -> bool:
    """Tell whether Django goes on with the exception: to its technical page or the project's own view."""
    refused = verdict.answer is not None and verdict.answer.status < SERVER_ERROR
    ours = isinstance(exception, AppError)
    if settings.DEBUG_PROPAGATE_EXCEPTIONS:
        return not refused
    if settings.DEBUG and not project_settings().in_debug:
        return not (ours and refused)
    if ours or refused:
        return False
    return _error_view(SERVER_ERROR) is not views.server_error


def _is_ours(refusal: Exception) -> bool:
    """Tell whether a view of ours answers what Django refuses, and so captures it."""
    if isinstance(refusal, PermissionDenied):
        return _error_view(403) is views.permission_denied
    if settings.DEBUG and not isinstance(refusal, MultiPartParserError):
        return False  # Django's technical pages
    if isinstance(refusal, Http404):
        return _error_view(404) is views.page_not_found
    return _error_view(CLIENT_ERROR) is views.bad_request


def _error_view(status: int) -> object:
    return get_resolver(get_urlconf()).resolve_error_handler(status)


def _ahead(request: HttpRequest, group: str) -> HttpResponseBase:
    """Answer a probe in front of everything else."""
    from holdfast_django.health.answering import answer  # noqa: PLC0415  # for those who want that

    return answer(request, group)


async def _ahead_async(request: HttpRequest, group: str) -> HttpResponseBase:
    from holdfast_django.health.answering import aanswer  # noqa: PLC0415  # as above

    return await aanswer(request, group)


def _begin(request: HttpRequest) -> "Token[WorkContext | None]":
    project_runtime().statistics.request()
    meta = request.META
    token = begin(meta.get("HTTP_TRACEPARENT"), meta.get("HTTP_X_REQUEST_ID"), BOUNDARY)
    work = current_context()
    if work is not None and work.within:
        # Within a command, or whatever else serves: another request's error explains no answer of this one.
        resume(work._replace(noted=[]))
    return token


def _begin_deadline(request: HttpRequest) -> "Token[Scope] | None":
    inbound = project_runtime().inbound
    return None if inbound is None else inbound.begin(request.META)


def _too_late(request: HttpRequest) -> HttpResponseBase | None:
    """Answer a request that nobody waits for any more, which no view needs to see."""
    inbound = project_runtime().inbound
    error = None if inbound is None else inbound.refusal()
    if error is None:
        return None
    answer = capture(request, error, resumable=False).answer
    return respond(request, answer or bare_answer(error, origin_of(request)))


def _finish(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    work = current_context()
    if work is not None:
        headers = response.headers
        headers["X-Request-ID"] = work.trace_id
        if traceparent := work.traceparent:
            headers["traceparent"] = traceparent
    if response.status_code >= CLIENT_ERROR and not explained(request):
        _explain(request, response)
    watch_closers(request, response)
    if response.streaming:
        watch(request, cast("StreamingHttpResponse", response))
    return response


def _explain(request: HttpRequest, response: HttpResponseBase) -> None:
    """Record a failing response that came without an error, and give it a body when it has none.

    A server error that the view handled by itself is the one behind it: no second one is recorded.
    """
    bodiless = isinstance(response, HttpResponse) and not response.content
    if response.status_code < SERVER_ERROR and not bodiless:
        return
    status = response.status_code
    if status >= SERVER_ERROR:
        verdict = last_server_error() or capture(request, unexplained(status), resumable=False)
    else:
        verdict = witnessed(request) or capture(request, error_of(status), resumable=False)
    if bodiless and verdict.answer is not None and isinstance(response, HttpResponse):
        answer = fitting(verdict.answer, status, project_runtime().handler.classifier)
        _fill(response, respond(request, answer))


def _fill(response: HttpResponse, ours: HttpResponse) -> None:
    """Give a response our body, and keep the headers it has."""
    response.content = ours.content
    kept = response.headers
    patch_vary_headers(response, ("Accept", "Accept-Language"))
    for name, value in ours.headers.items():
        if name in {"Content-Type", "Content-Length"} or name not in kept:
            kept[name] = value
    if "Content-Length" in kept and "Content-Length" not in ours.headers:
        kept["Content-Length"] = str(len(ours.content))
    if getattr(ours, "_has_been_logged", False):
        response._has_been_logged = True  # type: ignore[attr-defined]  # noqa: SLF001  # see `responses.silence`
