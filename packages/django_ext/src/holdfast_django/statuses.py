"""What a failing status means when a response says nothing else."""

from typing import Final

from holdfast.codes import ErrorCode, ErrorCodes
from holdfast.errors import AppError, UnexplainedResponseError

SERVER_ERROR: Final = 500
CLIENT_ERROR: Final = 400


def _codes_by_status() -> dict[int, ErrorCodes]:
    """Return a code that ships for each status: the first declared, but for the least specific two."""
    codes: dict[int, ErrorCodes] = {
        CLIENT_ERROR: ErrorCode.INVALID_REQUEST_DATA,
        SERVER_ERROR: ErrorCode.INTERNAL_ERROR,
        503: ErrorCode.SERVICE_UNAVAILABLE,
    }
    for code in ErrorCode:
        codes.setdefault(code.status, code)
    return codes


CODE_BY_STATUS: Final = _codes_by_status()


def code_of(status: int) -> ErrorCodes:
    """Return the code that a failing status has by itself."""
    known = CODE_BY_STATUS.get(status)
    return known or CODE_BY_STATUS[SERVER_ERROR if status >= SERVER_ERROR else CLIENT_ERROR]


def error_of(status: int) -> AppError:
    """Return the error that stands for a response nobody explained; it keeps the response's status."""
    error = (
        UnexplainedResponseError(f"a response left with status {status} and no error was seen")
        if status >= SERVER_ERROR
        else AppError(code_of(status))
    )
    error.status = status
    return error
