"""drf-spectacular: the errors of each operation in the document; name the schema in the settings.

    REST_FRAMEWORK = {"DEFAULT_SCHEMA_CLASS": "holdfast_django.openapi.AutoSchema"}

Extra: `pip install "holdfast-django[openapi]"`.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

try:
    from drf_spectacular import openapi
    from drf_spectacular.plumbing import ResolvedComponent
    from drf_spectacular.settings import spectacular_settings
except ImportError as error:  # say what to install
    raise ImportError(
        'documents of OpenAPI need drf-spectacular: pip install "holdfast-django[openapi]"'
    ) from error

from rest_framework import authentication, pagination, parsers, permissions
from rest_framework.views import APIView

from holdfast.catalog import CatalogEntry, find
from holdfast.codes import ErrorCode
from holdfast.openapi import ErrorComponents, Json
from holdfast.raising import declared_errors
from holdfast_django.operations import service_errors

if TYPE_CHECKING:
    from drf_spectacular.utils import Direction

_WITH_BODY: Final = ("POST", "PUT", "PATCH")
_PAGES: Final = (pagination.PageNumberPagination, pagination.CursorPagination)
"""How lists are cut so that a page may be unknown."""
_OPEN_TO_READ: Final = (
    permissions.IsAuthenticatedOrReadOnly,
    permissions.DjangoModelPermissionsOrAnonReadOnly,
)
_SIGNED_IN: Final = (permissions.IsAuthenticated, permissions.IsAuthenticatedOrReadOnly)
"""What lets everybody pass whom the service knows."""


class ErrorResponses(openapi.AutoSchema):
    """Adds to what another schema class says of an operation the errors it answers with.

    To be mixed in before a project's own: `class Schema(ErrorResponses, OurSchema)`. What the
    project says itself of a status, by `@extend_schema`, stays.
    """

    def _get_response_bodies(self, direction: "Direction" = "response") -> Json:
        given = cast("Json", super()._get_response_bodies(direction))
        if direction != "response":  # of a callback, which somebody else answers
            return given
        parts = ErrorComponents(spectacular_settings.OAS_VERSION, service_errors())
        errors = [*self._derived_errors(), *_declared(self.view, self.method)]
        ours = parts.responses(errors)
        for section, found in parts.components.items():
            for name, component in found.items():
                part = ResolvedComponent(name, section, component, ErrorComponents)  # type: ignore[no-untyped-call]  # is not annotated
                self.registry.register_on_missing(part)
        return {**given, **{status: said for status, said in ours.items() if status not in given}}

    def _derived_errors(self) -> Iterator[CatalogEntry]:
        """Yield what Django REST framework refuses by itself before, or instead of, the view."""
        view = self.view
        if self._reads_body():
            yield _entry(ErrorCode.VALIDATION_FAILED)
            if any(isinstance(parser, parsers.JSONParser) for parser in view.get_parsers()):
                yield _entry(ErrorCode.MALFORMED_JSON)
        elif any(_is_of(backend, "django_filters") for backend in self.get_filter_backends()):
            yield _entry(ErrorCode.VALIDATION_FAILED)
        yield from _access_errors(view, self.method)
        if "{" in self.path or self._has_pages():
            yield _entry(ErrorCode.RESOURCE_NOT_FOUND)
        if view.get_throttles():
            yield _entry(ErrorCode.RATE_LIMIT_EXCEEDED)

    def _reads_body(self) -> bool:
        if self.method not in _WITH_BODY:
            return False
        return self.get_request_serializer() is not None  # pyright: ignore[reportUnknownMemberType]  # of anything

    def _has_pages(self) -> bool:
        paginator: object = getattr(self.view, "pagination_class", None)
        if not isinstance(paginator, type) or not issubclass(paginator, _PAGES):
            return False
        return self._is_list_view()  # pyright: ignore[reportUnknownMemberType]  # takes serializers of anything


class AutoSchema(ErrorResponses):
    """The schema class of drf-spectacular, with the errors of each operation."""


def _access_errors(view: APIView, method: str) -> Iterator[CatalogEntry]:
    """Yield how a view refuses callers that it does not know, and those that may not."""
    known_by = view.get_authenticators()
    reading = method in permissions.SAFE_METHODS
    asked = [one for one in view.get_permissions() if not (type(one) in _OPEN_TO_READ and reading)]
    asked = [one for one in asked if type(one) is not permissions.AllowAny]
    sends_token = any(type(one) is not authentication.SessionAuthentication for one in known_by)
    if known_by and (asked or sends_token):
        # As Django REST framework does: without a challenge there is no 401.
        challenge = view.get_authenticate_header(view.request)
        yield replace(_entry(ErrorCode.UNAUTHORIZED), status=401 if challenge else 403)
    if any(not known_by or type(one) not in _SIGNED_IN for one in asked):
        yield _entry(ErrorCode.INSUFFICIENT_PERMISSIONS)


def _declared(view: object, method: str) -> tuple[CatalogEntry, ...]:
    return declared_errors(type(view), getattr(view, "action", None) or method)


def _entry(code: ErrorCode) -> CatalogEntry:
    entry = find(code.code)
    assert entry is not None  # noqa: S101  # it ships
    return entry


def _is_of(thing: object, package: str) -> bool:
    cls = thing if isinstance(thing, type) else type(thing)
    return any(parent.__module__.partition(".")[0] == package for parent in cls.__mro__)
