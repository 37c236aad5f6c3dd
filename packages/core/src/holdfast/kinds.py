"""The one table of what each kind of error means.

Kinds follow the canon shared by gRPC and HTTP. Nothing else in the suite maps a status, a severity
or a transience to an error: everything asks a kind, or a code that overrides its kind.
"""

from enum import IntEnum, StrEnum
from typing import Self

DEPENDENCY_TRANSIENT_STATUSES = frozenset({429, 500, 502, 503, 504})
"""Statuses of another service after which the same request may succeed later."""


class Severity(IntEnum):
    """How loudly an event asks for attention; the numbers are those of `logging`."""

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40
    CRITICAL = 50


class Fault(StrEnum):
    """Who must act."""

    CALLER = "CALLER"
    SERVICE = "SERVICE"
    """Our own bug or our own broken state."""
    DEPENDENCY = "DEPENDENCY"


class Effect(StrEnum):
    """What is known of the work that was attempted."""

    NOT_SENT = "NOT_SENT"
    IN_DOUBT = "IN_DOUBT"
    NONE = "NONE"
    """Refused locally: nothing was attempted."""


class ErrorKind(StrEnum):
    """One of twelve canonical categories; the table below is the only one."""

    status: int
    """HTTP status a caller gets, unless a code overrides it."""
    error_class: str
    """Name of the class callers see in `except.type`."""
    fault: Fault
    transient: bool
    severity: Severity

    def __new__(
        cls,
        value: str,
        status: int,
        error_class: str,
        fault: Fault,
        transient: bool,  # noqa: FBT001  # a column of the table
        severity: Severity,
    ) -> Self:
        """Make a row of the table."""
        kind = str.__new__(cls, value)
        kind._value_ = value
        kind.status, kind.error_class = status, error_class
        kind.fault, kind.transient, kind.severity = fault, transient, severity
        return kind

    # fmt: off
    INVALID_INPUT = "INVALID_INPUT", 400, "ValidationError", Fault.CALLER, False, Severity.INFO
    UNAUTHENTICATED = "UNAUTHENTICATED", 401, "AuthenticationError", Fault.CALLER, False, Severity.INFO
    PERMISSION_DENIED = "PERMISSION_DENIED", 403, "AuthorizationError", Fault.CALLER, False, Severity.WARNING
    NOT_FOUND = "NOT_FOUND", 404, "ResourceNotFoundError", Fault.CALLER, False, Severity.INFO
    CONFLICT = "CONFLICT", 409, "StateConflictError", Fault.CALLER, False, Severity.INFO
    UNPROCESSABLE = "UNPROCESSABLE", 422, "BusinessLogicError", Fault.CALLER, False, Severity.INFO
    RATE_LIMITED = "RATE_LIMITED", 429, "RateLimitError", Fault.CALLER, True, Severity.WARNING
    CANCELLED = "CANCELLED", 499, "ClientClosedError", Fault.CALLER, False, Severity.DEBUG
    INTERNAL = "INTERNAL", 500, "InternalServerError", Fault.SERVICE, False, Severity.ERROR
    DEPENDENCY_FAILED = "DEPENDENCY_FAILED", 502, "DependencyError", Fault.DEPENDENCY, False, Severity.ERROR
    UNAVAILABLE = "UNAVAILABLE", 503, "ServiceUnavailableError", Fault.DEPENDENCY, True, Severity.WARNING
    TIMED_OUT = "TIMED_OUT", 504, "DeadlineExceededError", Fault.DEPENDENCY, True, Severity.WARNING
    # fmt: on
