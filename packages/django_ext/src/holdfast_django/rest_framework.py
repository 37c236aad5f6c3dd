"""Django REST framework: its errors in our shape; name the handler in the settings.

    REST_FRAMEWORK = {"EXCEPTION_HANDLER": "holdfast_django.rest_framework.exception_handler"}

What its exceptions say is read in `rest_framework_errors`; no other module imports it.
"""

from collections.abc import Mapping
from typing import cast

from django.http import HttpRequest, HttpResponse
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from holdfast.errors import AppError
from holdfast.handler import Action
from holdfast.statuses import SERVER_ERROR
from holdfast_django.capture import capture
from holdfast_django.current import project_runtime
from holdfast_django.responses import respond
from holdfast_django.signals import resend
from holdfast_django.statuses import failing


def exception_handler(exc: Exception, context: Mapping[str, object]) -> HttpResponse | None:
    """Answer what a view of Django REST framework raised; None lets an unexpected error go on.

    An unexpected error leaves the view, so that Django rolls back, signals and shows its technical
    page as for any other view; it is answered by the middleware.
    """
    unexpected = not isinstance(exc, exceptions.APIException | AppError) and _is_unexpected(exc)
    if unexpected and not project_runtime().handler.may_recover:
        return None
    request = _django_request(context)
    verdict = capture(request, exc)
    if unexpected and verdict.action is not Action.RECOVERED:
        return None
    # Answered errors do not leave the view, so that ATOMIC_REQUESTS would commit.
    set_rollback()
    if verdict.action is Action.RECOVERED:
        return _recovered(verdict.value)
    if verdict.answer is None:
        return None
    if verdict.answer.status >= SERVER_ERROR:
        resend(request)
    return respond(request, verdict.answer)


def _recovered(value: object) -> HttpResponse:
    if isinstance(value, HttpResponse):
        return value
    return Response(value, status=200 if value is not None else 204)


def _is_unexpected(error: Exception) -> bool:
    said = project_runtime().handler.classifier.classify(error)
    return failing(said.status) >= SERVER_ERROR


def _django_request(context: Mapping[str, object]) -> HttpRequest:
    request = context["request"]
    return cast("HttpRequest", getattr(request, "_request", request))
