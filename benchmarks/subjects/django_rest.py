"""Views of Django REST framework, with the exception handler that a flavour has."""

from collections.abc import Callable
from typing import TypeAlias

from django.http import HttpResponse
from django.urls import URLPattern, path
from django.utils.module_loading import import_string
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

Handler: TypeAlias = Callable[[Exception, dict[str, object]], HttpResponse | None]

_HANDLERS = {
    "": "rest_framework.views.exception_handler",
    "holdfast": "holdfast_django.rest_framework.exception_handler",
    "standardized": "drf_standardized_errors.handler.exception_handler",
}


def handler_named(name: str) -> Handler:
    """Return an exception handler; empty: the framework's own."""
    found: Handler = import_string(_HANDLERS[name])
    return found


def patterns(prefix: str, handler: Handler) -> list[URLPattern]:
    """Return the routes of a handler: 200, not found, and a body with three mistakes."""

    class View(APIView):
        renderer_classes = (JSONRenderer,)
        authentication_classes = ()
        permission_classes = ()

        def get_exception_handler(self) -> Handler:
            return handler

    class Ok(View):
        def get(self, _: Request) -> Response:
            return Response({"status": "ok"})

    class Missing(View):
        def get(self, _: Request) -> Response:
            raise NotFound("no such order")

    class Invalid(View):
        def get(self, _: Request) -> Response:
            order = _Order(data={"email": "nobody", "quantity": "many"})
            order.is_valid(raise_exception=True)
            return Response(order.data)

    return [
        path(f"{prefix}_ok", Ok.as_view()),
        path(f"{prefix}_404", Missing.as_view()),
        path(f"{prefix}_invalid", Invalid.as_view()),
    ]


class _Order(serializers.Serializer[object]):
    sku = serializers.CharField()
    email = serializers.EmailField()
    quantity = serializers.IntegerField()
