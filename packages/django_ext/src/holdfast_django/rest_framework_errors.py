"""What the exceptions of Django REST framework say, in the words of the suite."""

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final, TypeAlias, cast

from rest_framework import exceptions
from rest_framework.settings import api_settings

from holdfast.codes import ErrorCode, ErrorCodes
from holdfast.errors import AppError, ValidationError
from holdfast.statuses import SERVER_ERROR, code_of
from holdfast_django.fields import GENERAL_ERRORS
from holdfast_django.statuses import failing

Detail: TypeAlias = "str | list[Detail] | dict[object, Detail]"
"""What an `APIException` says: text, or a structure that follows that of the request."""

MAX_DEPTH: Final = 20
MAX_ERRORS: Final = 500
"""Sentences of one validation error that are kept."""

_OWN_CODES: Final[Mapping[str, ErrorCodes]] = {
    "authentication_failed": ErrorCode.UNAUTHORIZED,
    "not_authenticated": ErrorCode.UNAUTHORIZED,
}
"""Where Django REST framework's code says more than its status, which may be 403 for either."""
_GENERIC: Final = frozenset(
    {
        "error",
        "invalid",
        "parse_error",
        "permission_denied",
        "not_found",
        "method_not_allowed",
        "not_acceptable",
        "unsupported_media_type",
        "throttled",
    }
)
_CODE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
_NAME: Final = re.compile(r"[^.\[\]\"]+")


def translate(error: BaseException) -> AppError | None:
    """Return the error that says what an `APIException` says.

    A status that no error may have becomes 500. What a server error says is for operators.
    """
    if not isinstance(error, exceptions.APIException):
        return None
    status = failing(error.status_code)
    if status >= SERVER_ERROR:
        said = _with_own_code(AppError(code_of(status)), error)
    elif isinstance(error, exceptions.ValidationError):
        said = _validation_error(cast("Detail", error.detail))
    else:
        said = _refusal(error, status)
    said.status = status
    challenge = getattr(error, "auth_header", None)
    if challenge:
        said.headers["WWW-Authenticate"] = str(challenge)
    said.retry_after = getattr(error, "wait", None)  # zero is an answer too
    return said


def flatten(detail: Detail, path: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yield path and sentence of every message in a nested detail.

    Paths read like the request: `trade.products[0].quantity`, `matrix[0][1]`; a name that would be
    ambiguous is quoted. Messages about a whole object carry the path of the object, which is empty
    for the whole request. At most 20 levels.

    Example:
        >>> list(flatten({"items": [{}, {"sku": ["Required."]}]}))
        [('items[1].sku', 'Required.')]
    """
    if depth > MAX_DEPTH:
        return
    if isinstance(detail, dict):
        for key, value in detail.items():
            yield from flatten(value, _step(path, key), depth + 1)
    elif isinstance(detail, list):
        for index, value in enumerate(detail):
            inner = path if isinstance(value, str) else f"{path}[{index}]"
            yield from flatten(value, inner, depth + 1)
    else:
        yield path, str(detail)


def _step(path: str, key: object) -> str:
    if isinstance(key, int):
        return f"{path}[{key}]"
    name = str(key)
    if name == api_settings.NON_FIELD_ERRORS_KEY:
        return path
    if not _NAME.fullmatch(name):
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'{path}["{quoted}"]'
    return f"{path}.{name}" if path else name


def _validation_error(detail: Detail) -> ValidationError:
    found = list(islice(flatten(detail), MAX_ERRORS))
    if isinstance(detail, list) and all(not path for path, _ in found):
        return ValidationError(errors=[sentence for _, sentence in found])
    by_field: dict[str, list[str]] = {}
    for path, sentence in found:
        by_field.setdefault(path or GENERAL_ERRORS, []).append(sentence)
    errors = [f"{path}: {sentence}" if path else sentence for path, sentence in found]
    return ValidationError(field_errors=by_field, errors=errors)


def _refusal(error: exceptions.APIException, status: int) -> AppError:
    message = error.detail if isinstance(error.detail, str) else ""
    said = _with_own_code(AppError(_known_code(error, status), str(message)), error)
    if not message:
        said.errors = tuple(
            text for _, text in islice(flatten(cast("Detail", error.detail)), MAX_ERRORS)
        )
    return said


def _with_own_code(said: AppError, error: exceptions.APIException) -> AppError:
    """Give an error the code that the project chose, if it did."""
    code = _detail_code(error)
    if code not in _GENERIC and code not in _OWN_CODES and _CODE.fullmatch(code):
        said.code = code.upper()
    return said


def _detail_code(error: exceptions.APIException) -> str:
    code = getattr(error.detail, "code", None)
    return code if isinstance(code, str) else error.default_code


def _known_code(error: exceptions.APIException, status: int) -> ErrorCodes:
    # The JSON parser raises within `except ValueError`; other parsers do not.
    if isinstance(error, exceptions.ParseError) and isinstance(error.__context__, ValueError):
        return ErrorCode.MALFORMED_JSON
    return _OWN_CODES.get(_detail_code(error)) or code_of(status)
