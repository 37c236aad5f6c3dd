"""What the exceptions of Django, its databases and Django REST framework mean."""

import importlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, cast

from django.core import exceptions
from django.db import utils as db
from django.http import Http404, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.utils.functional import Promise, lazy

from holdfast.classify import Rule, database_rules
from holdfast.codes import ErrorCode
from holdfast.errors import AppError, AuthorizationError, ResourceNotFoundError, ValidationError
from holdfast.lazytext import labelled, sentence
from holdfast_django.conf import DjangoSettings
from holdfast_django.fields import GENERAL_ERRORS

ANSWERED_BY_DJANGO: Final = (
    Http404,
    exceptions.PermissionDenied,
    exceptions.BadRequest,
    exceptions.SuspiciousOperation,
    MultiPartParserError,
)
"""What Django answers by its handlers for 400, 403 and 404, and not by that for 500."""


def rules_of(settings: DjangoSettings) -> Iterable[Rule]:
    """Yield the rules for a project with these settings."""
    yield from _refusals()
    yield from database_rules(db.IntegrityError, db.OperationalError, db.InterfaceError, db.Error)
    # By name: Django REST framework is imported by those who use it.
    yield Rule(match="rest_framework.exceptions.APIException", translate=_rest_framework_error)
    if settings.does_not_exist_is_not_found:
        yield Rule(match=exceptions.ObjectDoesNotExist, code=ErrorCode.RESOURCE_NOT_FOUND)


def _refusals() -> Iterator[Rule]:
    yield Rule(match=exceptions.ValidationError, translate=_validation_error)
    yield Rule(match=Http404, translate=_not_found)
    yield Rule(match=exceptions.PermissionDenied, translate=_permission_denied)
    yield Rule(match=exceptions.BadRequest, translate=_bad_request)
    yield Rule(match=exceptions.RequestDataTooBig, code=ErrorCode.PAYLOAD_TOO_LARGE)
    # By name: who serves requests need not load what runs commands.
    yield Rule(match="django.core.management.base.CommandError", code=ErrorCode.JOB_FAILED)
    # What was suspicious is for the operators: its text quotes the request.
    for refused in (exceptions.SuspiciousOperation, MultiPartParserError):
        yield Rule(match=refused, code=ErrorCode.INVALID_REQUEST_DATA)
    for gone in (UnreadablePostError, exceptions.RequestAborted):
        yield Rule(match=gone, code=ErrorCode.CLIENT_CLOSED_REQUEST)


def _validation_error(error: BaseException) -> AppError | None:
    if not isinstance(error, exceptions.ValidationError):
        return None
    if not hasattr(error, "error_dict"):
        return ValidationError(errors=_sentences(error.error_list))
    by_field = {name: _sentences(said) for name, said in error.error_dict.items()}
    general = by_field.pop(exceptions.NON_FIELD_ERRORS, [])
    sentences = [
        *general,
        *(labelled(field, text) for field, said in by_field.items() for text in said),
    ]
    found = {**by_field, GENERAL_ERRORS: general} if general else by_field
    return ValidationError(field_errors=found, errors=sentences)


def _sentences(errors: Iterable[exceptions.ValidationError]) -> list[str]:
    return [sentence(_sentence(error.message, error.params)) for error in errors]


def _sentence(message: object, params: Mapping[str, object] | None) -> object:
    """Return what Django says of a value, to be read in the caller's language if that is possible."""
    lazy_text = isinstance(message, Promise)
    return _filled_in_later(message, params) if lazy_text else _filled_in(message, params)


def _filled_in(message: Any, params: Mapping[str, object] | None) -> str:  # noqa: ANN401  # a lazy text takes values as a `str` does
    return str(message % params if params else message)


_filled_in_later = lazy(_filled_in, str)


def _rest_framework_error(error: BaseException) -> AppError | None:
    adapter = importlib.import_module("holdfast_django.rest_framework_errors")
    return cast("AppError | None", adapter.translate(error))


def _not_found(error: BaseException) -> AppError:
    return ResourceNotFoundError(_said(error))


def _permission_denied(error: BaseException) -> AppError:
    return AuthorizationError(_said(error))


def _bad_request(error: BaseException) -> AppError:
    return AppError(ErrorCode.INVALID_REQUEST_DATA, _said(error))


def _said(error: BaseException) -> str:
    """Return what the raiser said to the caller, if it is text, a lazy one included."""
    said: object = error.args[0] if error.args else ""
    return sentence(said) if isinstance(said, (str, Promise)) else ""
