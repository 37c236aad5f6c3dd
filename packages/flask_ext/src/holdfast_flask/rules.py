"""What the exceptions of werkzeug mean, by their status, and those of click."""

from collections.abc import Iterator

from click import ClickException
from werkzeug.exceptions import (
    BadRequest,
    BadRequestKeyError,
    HTTPException,
    SecurityError,
)

from holdfast.classify import Rule
from holdfast.codes import ErrorCode, Severity
from holdfast.errors import AppError, ValidationError
from holdfast.statuses import CLIENT_ERROR, error_of

_SET_BY_FORMAT = frozenset({"content-type", "content-length"})


def werkzeug_rules() -> Iterator[Rule]:
    """Yield how the exceptions of werkzeug are read, most specific first."""
    yield Rule(match=BadRequestKeyError, translate=_missing_key)
    yield Rule(match=SecurityError, code=ErrorCode.INVALID_REQUEST_DATA, severity=Severity.WARNING)
    yield Rule(match=BadRequest, translate=_malformed_json)
    yield Rule(match=HTTPException, translate=_by_status)


def click_rules() -> Iterator[Rule]:
    """Yield how the exceptions of click are read, by which a command fails with a message."""
    yield Rule(match=ClickException, code=ErrorCode.JOB_FAILED)


def status_of(error: HTTPException) -> int | None:
    """Return the status an exception is answered with; None for one that names none."""
    return error.code if error.response is None else error.response.status_code


def headers_of(error: HTTPException) -> dict[str, str]:
    """Return the headers that belong to an exception; several of one name are joined, as HTTP allows."""
    headers: dict[str, str] = {}
    try:
        pairs = error.get_headers()
    except Exception:  # noqa: BLE001  # a project's own class; its error is what matters
        return headers
    for name, value in pairs:
        if name.lower() not in _SET_BY_FORMAT:
            headers[name] = f"{headers[name]}, {value}" if name in headers else str(value)
    return headers


def _by_status(error: BaseException) -> AppError | None:
    """Read an exception by its status; one without any is a mistake, of which nothing may be said."""
    status = status_of(error) if isinstance(error, HTTPException) else None
    if not isinstance(error, HTTPException) or status is None or status < CLIENT_ERROR:
        return None
    spoken = error_of(status, _own_words(error))
    spoken.headers = headers_of(error)
    retry_after: object = getattr(error, "retry_after", None)
    if isinstance(retry_after, int | float):
        spoken.retry_after = retry_after
    return spoken


def _own_words(error: HTTPException) -> str:
    """Return what the raiser said; werkzeug's sentence for the class gives way to the code's title."""
    words = error.description
    return "" if words is None or words == type(error).description else str(words)


def _missing_key(error: BaseException) -> AppError:
    names = [str(name) for name in error.args[:1]] or [""]
    return ValidationError(field_errors={name: ["is required"] for name in names if name})


def _malformed_json(error: BaseException) -> AppError | None:
    """Read what Flask raises for a body that is no JSON; outside of debug it hides why behind a cause."""
    cause = error if isinstance(error.__context__, ValueError) else error.__cause__
    syntax = None if not isinstance(cause, BadRequest) else cause.__context__
    if not isinstance(cause, BadRequest) or not isinstance(syntax, ValueError):
        return None
    if not str(cause.description).startswith("Failed to decode JSON"):
        return None
    # The position is safe to tell, the text around it may not be.
    place = {name: getattr(syntax, name) for name in ("lineno", "colno") if hasattr(syntax, name)}
    named = {"lineno": "line", "colno": "column"}
    return AppError(
        ErrorCode.MALFORMED_JSON, details={named[name]: value for name, value in place.items()}
    )
