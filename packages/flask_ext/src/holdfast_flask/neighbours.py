"""What flask-smorest, webargs and APIFlask say of an error, in the words of the suite.

None of them is imported: flask-smorest and webargs put what they say on werkzeug's exceptions, and
APIFlask has an exception of its own.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final, TypeAlias, cast

from flask import Flask
from werkzeug.exceptions import HTTPException

from holdfast.classify import Rule
from holdfast.codes import ErrorCode
from holdfast.errors import AppError, ValidationError
from holdfast.statuses import CLIENT_ERROR, SERVER_ERROR, error_of
from holdfast_flask.rules import headers_of

Said: TypeAlias = "str | list[Said] | dict[object, Said]"
"""Messages in a structure that follows that of the request."""

MAX_DEPTH: Final = 20
MAX_ERRORS: Final = 500
"""Sentences of one error that are kept."""

GENERAL_ERRORS: Final = "_schema"
"""Where errors of a whole object stand among the field errors; marshmallow's name."""
_INVALID: Final = (400, 422)
_BODY: Final = frozenset({"json", "json_or_form", "form", "form_and_files"})
"""Locations whose fields need no prefix."""


def neighbour_rules() -> Iterator[Rule]:
    """Yield how the exceptions of the extensions are read."""
    yield Rule(match=HTTPException, translate=_aborted)
    yield Rule(match="apiflask.exceptions.HTTPError", translate=_of_apiflask)


def unanswered(app: Flask) -> Iterator[type[Exception]]:
    """Yield the exception classes that an extension answers by itself, where the project left it at that."""
    apiflask = sys.modules.get("apiflask")
    if apiflask is None or not isinstance(app, apiflask.APIFlask):
        return
    if getattr(app, "error_callback", None) is getattr(type(app), "_error_handler", None):
        yield apiflask.HTTPError


def _aborted(error: BaseException) -> AppError | None:
    """Read what `abort` of flask-smorest and webargs was given beside the status."""
    data: object = getattr(error, "data", None)
    status: object = getattr(error, "code", None)
    if not isinstance(data, dict) or not isinstance(status, int) or status < CLIENT_ERROR:
        return None
    given = cast("Mapping[str, object]", data)
    if isinstance(getattr(error, "exc", None), json.JSONDecodeError | UnicodeDecodeError):
        return AppError(ErrorCode.MALFORMED_JSON)
    message = str(given.get("message") or "")
    said = _with_fields(status, message, given.get("errors") or given.get("messages"))
    said.headers |= headers_of(cast("HTTPException", error))
    headers = given.get("headers")
    if isinstance(headers, Mapping):
        pairs = cast("Mapping[object, object]", headers).items()
        said.headers |= {str(name): str(value) for name, value in pairs}
    return said


def _of_apiflask(error: BaseException) -> AppError:
    facts = cast("Mapping[str, object]", {**getattr(error, "extra_data", {})})
    status = getattr(error, "status_code", SERVER_ERROR)
    detail: object = getattr(error, "detail", None)
    message = str(getattr(error, "message", "") or "")
    if type(error).__name__ == "_ValidationError":
        said = _with_fields(status, message, detail)
    else:
        said = error_of(status, message)
        if isinstance(detail, Mapping):
            said.details |= cast("Mapping[str, object]", detail)
        elif detail:
            said.details["detail"] = detail
    said.details |= facts
    headers: object = getattr(error, "headers", {})
    said.headers |= dict(cast("Mapping[str, str]", headers))
    return said


def _with_fields(status: int, message: str, found: object) -> AppError:
    """Return the error for a status, as one of the request's fields where some are named."""
    told = [*islice(flatten(cast("Said", found or {})), MAX_ERRORS)]
    if not told or status >= SERVER_ERROR:
        return error_of(status, message)
    by_field: dict[str, list[str]] = {}
    for path, sentence in told:
        by_field.setdefault(path or GENERAL_ERRORS, []).append(sentence)
    errors = tuple(f"{path}: {sentence}" if path else sentence for path, sentence in told)
    meant = ValidationError(message) if status in _INVALID else error_of(status, message)
    meant.details, meant.errors, meant.status = {"field_errors": by_field}, errors, status
    return meant


def flatten(said: Said, path: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yield path and sentence of every message in a structure, at most 20 levels deep.

    Example:
        >>> list(
        ...     flatten(
        ...         {"json": {"lines": {1: {"sku": ["Required."]}}}, "query": {"page": ["No."]}}
        ...     )
        ... )
        [('lines[1].sku', 'Required.'), ('query.page', 'No.')]
    """
    if depth > MAX_DEPTH:
        return
    if isinstance(said, dict):
        for key, value in said.items():
            yield from flatten(
                value, "" if depth == 0 and key in _BODY else _step(path, key), depth + 1
            )
    elif isinstance(said, list):
        for value in said:
            yield from flatten(value, path, depth + 1)
    else:
        yield path, str(said)


def _step(path: str, key: object) -> str:
    if isinstance(key, int):
        return f"{path}[{key}]"
    if key == GENERAL_ERRORS:
        return path
    return f"{path}.{key}" if path else str(key)
