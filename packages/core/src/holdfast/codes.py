"""Error codes: each stable, of one kind, with what it says beyond that.

The kinds, and what they mean, are in `kinds`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, cast

from holdfast.kinds import DEPENDENCY_TRANSIENT_STATUSES, Effect, ErrorKind, Fault, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "DEPENDENCY_TRANSIENT_STATUSES",
    "CodeSpec",
    "Declaration",
    "Effect",
    "ErrorCode",
    "ErrorCodes",
    "ErrorKind",
    "Fault",
    "Severity",
    "declared",
    "is_failure",
    "register",
    "spec_of",
]

_CODE = re.compile(r"[A-Z][A-Z0-9_]{0,99}")


def is_failure(status: object) -> bool:
    """Tell whether something is an HTTP status of an error: a whole number from 400 to 599."""
    return isinstance(status, int) and 400 <= status <= 599  # noqa: PLR2004  # RFC 9110, 15.5, 15.6


@dataclass(frozen=True, slots=True, eq=False)
class CodeSpec:
    """What a code says about every error that carries it.

    Two specs are equal only if they are the same object, so that two members of an enumeration
    with the same facts stay two codes.
    """

    kind: ErrorKind
    title: object
    """Short text for callers: a `str`, or text that a framework translates when it is read."""
    raised_as: str = ""
    """Name of the class callers see; empty: the kind's."""
    status: int | None = None
    """HTTP status instead of the kind's."""
    transient: bool | None = None
    """Whether trying again may help, instead of the kind's answer."""
    severity: Severity | None = None
    category: str = ""
    """Free label for routing and statistics, such as `DATABASE`."""
    description: str = ""
    """When it happens and what the caller can do, for the catalogue."""

    def __post_init__(self) -> None:
        if not isinstance(cast("object", self.kind), ErrorKind):
            raise TypeError(f"kind must be an ErrorKind, not {self.kind!r}")
        if self.status is not None and not is_failure(self.status):
            raise ValueError(f"status must be between 400 and 599, not {self.status!r}")

    def facts(self, code: str) -> dict[str, object]:
        """Return every fact an error with this code has, overrides applied."""
        kind = self.kind
        return {
            "code": code,
            "kind": kind,
            "title": self.title,
            "status": kind.status if self.status is None else self.status,
            "transient": kind.transient if self.transient is None else self.transient,
            "severity": kind.severity if self.severity is None else self.severity,
            "category": self.category,
        }


@dataclass(frozen=True, slots=True)
class Declaration:
    """A code known to this process, and where it was declared."""

    code: str
    spec: CodeSpec
    source: str
    """Module and qualified name of the enumeration or class."""


class _Register:
    """The codes of this process, filled as enumerations and classes are defined."""

    def __init__(self) -> None:
        self.known: dict[str, Declaration] = {}
        self.clashes: list[tuple[Declaration, Declaration]] = []

    def declare(self, declaration: Declaration) -> None:
        if _CODE.fullmatch(declaration.code) is None:
            raise ValueError(
                f"code {declaration.code!r} of {declaration.source} must be UPPER_SNAKE: "
                "capital letters, digits and underscores, at most 100"
            )
        known = self.known.setdefault(declaration.code, declaration)
        if known.source == declaration.source:
            self.known[declaration.code] = declaration  # a module that is loaded again
        else:
            self.clashes.append((known, declaration))


register = _Register()
"""Global on purpose: a code is part of the contract of the whole process, like its class."""


class ErrorCodes(Enum):
    """Parent of enumerations of codes: a member's name is the code, its value a `CodeSpec`.

    A member equals its name, so `error.code == ShopCode.OUT_OF_STOCK` holds although `error.code`
    is a string, and either may be a key of the same dictionary.

    Example:
        >>> class ShopCode(ErrorCodes):
        ...     OUT_OF_STOCK = CodeSpec(ErrorKind.CONFLICT, "Out of stock")
        >>> ShopCode.OUT_OF_STOCK == "OUT_OF_STOCK", ShopCode.OUT_OF_STOCK.status
        (True, 409)
    """

    def __init__(self, spec: object) -> None:
        if not isinstance(spec, CodeSpec):
            raise TypeError(
                f"{type(self).__qualname__}.{self.name} must be a CodeSpec(kind, title), "
                f"not {type(spec).__name__}"
            )
        owner = type(self)
        register.declare(Declaration(self.name, spec, f"{owner.__module__}.{owner.__qualname__}"))

    @property
    def spec(self) -> CodeSpec:
        """What the code says about its errors."""
        spec: CodeSpec = self._value_
        return spec

    @property
    def code(self) -> str:
        """The code as callers see it."""
        return self._name_

    @property
    def kind(self) -> ErrorKind:
        """The canonical category."""
        return self.spec.kind

    @property
    def title(self) -> object:
        """Short text for callers."""
        return self.spec.title

    @property
    def status(self) -> int:
        """HTTP status of the answer."""
        return self.spec.kind.status if self.spec.status is None else self.spec.status

    def __str__(self) -> str:
        return self._name_

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, str) and other == self._name_)

    def __hash__(self) -> int:
        return hash(self._name_)

    def __reduce_ex__(self, protocol: object) -> tuple[object, ...]:
        return getattr, (type(self), self._name_)


def declared() -> Iterator[Declaration]:
    """Yield every code of this process in alphabetical order."""
    yield from (register.known[code] for code in sorted(register.known))


def spec_of(code: str) -> CodeSpec | None:
    """Return the spec declared for a code, or None when nobody declared it."""
    declaration = register.known.get(code)
    return None if declaration is None else declaration.spec


class ErrorCode(ErrorCodes):
    """The codes that ship with the suite."""

    VALIDATION_FAILED = CodeSpec(
        ErrorKind.INVALID_INPUT,
        "Validation failed",
        description="Fields of the request are missing or wrong; `details.field_errors` names them.",
    )
    INVALID_REQUEST_DATA = CodeSpec(
        ErrorKind.INVALID_INPUT,
        "Invalid request data",
        description="The request cannot be understood.",
    )
    MALFORMED_JSON = CodeSpec(
        ErrorKind.INVALID_INPUT, "Malformed JSON", description="The body is not valid JSON."
    )
    METHOD_NOT_ALLOWED = CodeSpec(
        ErrorKind.INVALID_INPUT,
        "Method not allowed",
        status=405,
        description="The address exists but not for this method; `Allow` lists those it has.",
    )
    NOT_ACCEPTABLE = CodeSpec(
        ErrorKind.INVALID_INPUT,
        "Not acceptable",
        status=406,
        description="None of the formats in `Accept` can be produced.",
    )
    PRECONDITION_FAILED = CodeSpec(
        ErrorKind.INVALID_INPUT,
        "Precondition failed",
        status=412,
        description="The resource changed since the version named in the request.",
    )
    PAYLOAD_TOO_LARGE = CodeSpec(
        ErrorKind.INVALID_INPUT,
        "Payload too large",
        status=413,
        description="The body is larger than this service accepts.",
    )
    UNSUPPORTED_MEDIA_TYPE = CodeSpec(
        ErrorKind.INVALID_INPUT,
        "Unsupported media type",
        status=415,
        description="The body's Content-Type is not one this address reads.",
    )
    UNAUTHORIZED = CodeSpec(
        ErrorKind.UNAUTHENTICATED,
        "Authentication required",
        description="Send valid credentials.",
    )
    TOKEN_EXPIRED = CodeSpec(
        ErrorKind.UNAUTHENTICATED,
        "Token expired",
        description="Sign in again or refresh the token.",
    )
    INSUFFICIENT_PERMISSIONS = CodeSpec(
        ErrorKind.PERMISSION_DENIED,
        "Insufficient permissions",
        description="The caller is known but may not do this.",
    )
    CSRF_FAILED = CodeSpec(
        ErrorKind.PERMISSION_DENIED,
        "CSRF verification failed",
        description="The form's token is missing or stale; load the page again.",
    )
    RESOURCE_NOT_FOUND = CodeSpec(
        ErrorKind.NOT_FOUND, "Resource not found", description="Nothing is at this address."
    )
    RESOURCE_GONE = CodeSpec(
        ErrorKind.NOT_FOUND,
        "Resource gone",
        status=410,
        description="It was here and will not come back.",
    )
    STATE_CONFLICT = CodeSpec(
        ErrorKind.CONFLICT,
        "State conflict",
        description="The resource's present state does not allow this.",
    )
    INVALID_STATE_TRANSITION = CodeSpec(
        ErrorKind.CONFLICT,
        "State transition not allowed",
        raised_as="WorkflowError",
        description="`details` holds the current, the requested and the allowed states.",
    )
    BUSINESS_RULE_VIOLATION = CodeSpec(
        ErrorKind.UNPROCESSABLE,
        "Data cannot be processed",
        description="The request is well formed but breaks a rule of the business.",
    )
    RATE_LIMIT_EXCEEDED = CodeSpec(
        ErrorKind.RATE_LIMITED, "Too many requests", description="Wait `retry_after` seconds."
    )
    CLIENT_CLOSED_REQUEST = CodeSpec(
        ErrorKind.CANCELLED,
        "Client closed the request",
        description="The caller left before the answer.",
    )
    INTERNAL_ERROR = CodeSpec(
        ErrorKind.INTERNAL,
        "Internal server error",
        description="An unexpected error; quote the trace id to the operators.",
    )
    UNEXPLAINED_RESPONSE = CodeSpec(
        ErrorKind.INTERNAL,
        "Internal server error",
        raised_as="UnexplainedResponseError",
        description="A response with a server error's status for which no error was seen.",
    )
    DATABASE_ERROR = CodeSpec(
        ErrorKind.INTERNAL,
        "Database error",
        raised_as="DatabaseError",
        category="DATABASE",
        description="The database refused a statement.",
    )
    FOREIGN_KEY_CONSTRAINT = CodeSpec(
        ErrorKind.CONFLICT,
        "Database error",
        raised_as="DatabaseError",
        category="DATABASE",
        description="A row that this one refers to does not exist, or is still referred to.",
    )
    UNIQUE_CONSTRAINT = CodeSpec(
        ErrorKind.CONFLICT,
        "Already exists",
        raised_as="DatabaseError",
        category="DATABASE",
        description="Another row has the same value where it must be unique.",
    )
    NOT_NULL_CONSTRAINT = CodeSpec(
        ErrorKind.CONFLICT,
        "Value required",
        raised_as="DatabaseError",
        category="DATABASE",
        description="A required value is missing.",
    )
    CHECK_CONSTRAINT = CodeSpec(
        ErrorKind.CONFLICT,
        "Value not allowed",
        raised_as="DatabaseError",
        category="DATABASE",
        description="A value breaks a rule of the table.",
    )
    DB_CONNECTION_ERROR = CodeSpec(
        ErrorKind.UNAVAILABLE,
        "Database unavailable",
        raised_as="DatabaseError",
        category="DATABASE",
        description="The database cannot be reached; try again later.",
    )
    DEPENDENCY_FAILED = CodeSpec(
        ErrorKind.DEPENDENCY_FAILED,
        "A service this one depends on failed",
        description="The other side answered, and wrongly.",
    )
    SERVICE_UNAVAILABLE = CodeSpec(
        ErrorKind.UNAVAILABLE, "Service temporarily unavailable", description="Try again later."
    )
    COMMUNICATION_ERROR = CodeSpec(
        ErrorKind.UNAVAILABLE,
        "Service temporarily unavailable",
        raised_as="CommunicationError",
        category="NETWORK",
        description="Another service cannot be reached.",
    )
    NATS_SERVICE_UNAVAILABLE = CodeSpec(
        ErrorKind.UNAVAILABLE,
        "Service temporarily unavailable",
        raised_as="CommunicationError",
        category="NETWORK",
        description="A service behind NATS does not answer.",
    )
    CIRCUIT_OPEN = CodeSpec(
        ErrorKind.UNAVAILABLE,
        "Service temporarily unavailable",
        raised_as="CircuitOpenError",
        description="Calls to a failing service are suspended; wait `retry_after` seconds.",
    )
    BULKHEAD_FULL = CodeSpec(
        ErrorKind.UNAVAILABLE,
        "Service temporarily unavailable",
        raised_as="BulkheadFullError",
        description="Too many calls to one service are in progress.",
    )
    DEADLINE_EXCEEDED = CodeSpec(
        ErrorKind.TIMED_OUT,
        "Took too long",
        description="No answer came within the time allowed; the work may or may not be done.",
    )
    PROCESS_CRASHED = CodeSpec(
        ErrorKind.INTERNAL,
        "Internal server error",
        severity=Severity.CRITICAL,
        category="PROCESS",
        description="A process died without a chance to say why: a fatal signal, no memory, or an exit in the middle.",
    )
    UNEXPLAINED_FAILURE = CodeSpec(
        ErrorKind.INTERNAL,
        "Internal server error",
        category="PROCESS",
        description="A task or a process failed and no error was seen.",
    )
    TASK_LOST = CodeSpec(
        ErrorKind.INTERNAL,
        "Task failed",
        severity=Severity.CRITICAL,
        category="TASK",
        description="The process that ran a task died; the work may or may not be done.",
    )
    TASK_TIMED_OUT = CodeSpec(
        ErrorKind.TIMED_OUT,
        "Took too long",
        transient=False,  # it would take as long again
        severity=Severity.ERROR,
        category="TASK",
        description="A task ran longer than it may and was stopped; the work may or may not be done.",
    )
    TASK_REJECTED = CodeSpec(
        ErrorKind.INTERNAL,
        "Task failed",
        category="TASK",
        description="A task or its message was rejected and will not be tried again.",
    )
    TASK_UNKNOWN = CodeSpec(
        ErrorKind.INTERNAL,
        "Task failed",
        category="TASK",
        description="No worker knows a task of this name: sender and worker run different versions.",
    )
    TASK_EXPIRED = CodeSpec(
        ErrorKind.TIMED_OUT,
        "Took too long",
        transient=False,  # its time stays over
        category="TASK",
        description="A task was still waiting when its time was over; nothing was done.",
    )
    TASK_REVOKED = CodeSpec(
        ErrorKind.CANCELLED,
        "Task cancelled",
        severity=Severity.INFO,
        category="TASK",
        description="A task was revoked before or while it ran.",
    )
    TASK_RETRIES_EXHAUSTED = CodeSpec(
        ErrorKind.INTERNAL,
        "Task failed",
        category="TASK",
        description="A task asked to be tried again more often than it may.",
    )
    JOB_FAILED = CodeSpec(
        ErrorKind.INTERNAL,
        "Job failed",
        category="JOB",
        description="A command ended with an exit status other than 0.",
    )
    JOB_TIMED_OUT = CodeSpec(
        ErrorKind.TIMED_OUT,
        "Took too long",
        transient=False,  # it would take as long again
        severity=Severity.ERROR,
        category="JOB",
        description="A job ran longer than it may and was stopped; the work may or may not be done.",
    )
    JOB_LOCKED = CodeSpec(
        ErrorKind.CONFLICT,
        "Job is running already",
        transient=True,
        category="JOB",
        description="The run before has not ended; nothing was done.",
    )
