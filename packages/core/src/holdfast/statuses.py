"""From an HTTP status alone to an error: for responses and exceptions that say nothing else."""

from typing import Final

from holdfast.codes import ErrorCode, ErrorCodes
from holdfast.errors import AppError, UnexplainedResponseError

CLIENT_ERROR: Final = 400
"""The first status that is a caller's fault."""
SERVER_ERROR: Final = 500
"""The first status that is not."""


def _codes_by_status() -> dict[int, ErrorCodes]:
    """Return a code that ships for each status: the first declared, unless it says too much."""
    codes: dict[int, ErrorCodes] = {
        CLIENT_ERROR: ErrorCode.INVALID_REQUEST_DATA,
        SERVER_ERROR: ErrorCode.INTERNAL_ERROR,
        423: ErrorCode.STATE_CONFLICT,
        424: ErrorCode.STATE_CONFLICT,
        428: ErrorCode.PRECONDITION_FAILED,
        451: ErrorCode.INSUFFICIENT_PERMISSIONS,
        503: ErrorCode.SERVICE_UNAVAILABLE,
    }
    for code in ErrorCode:
        codes.setdefault(code.status, code)
    return codes


_CODES: Final = _codes_by_status()


def code_of(status: int) -> ErrorCodes:
    """Return the code that a failing status has by itself; an unknown status has that of its class.

    Example:
        >>> code_of(404).code, code_of(418).code, code_of(599).code
        ('RESOURCE_NOT_FOUND', 'INVALID_REQUEST_DATA', 'INTERNAL_ERROR')
    """
    return _CODES.get(status) or _CODES[SERVER_ERROR if status >= SERVER_ERROR else CLIENT_ERROR]


def error_of(status: int, message: str = "") -> AppError:
    """Return the error that a status stands for; it keeps the status even where its code has another."""
    return _with_status(AppError(message, code=code_of(status)), status)


def unexplained(status: int) -> AppError:
    """Return the error for a response with a server error's status behind which none was seen."""
    error = UnexplainedResponseError(f"a response left with status {status} and no error was seen")
    return _with_status(error, status)


def _with_status(error: AppError, status: int) -> AppError:
    if error.status != status:
        error.status = status
    return error
