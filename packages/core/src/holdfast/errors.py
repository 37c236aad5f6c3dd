"""The errors an application raises on purpose.

    AppError
    ├── ValidationError            400      ├── RateLimitError            429
    ├── AuthenticationError        401      ├── ClientClosedError         499
    ├── AuthorizationError         403      ├── InternalServerError       500
    ├── ResourceNotFoundError      404      │   └── UnexplainedResponseError
    ├── StateConflictError         409      ├── DatabaseError             500, or as its code says
    │   └── WorkflowError                   ├── DependencyError           502
    ├── BusinessLogicError         422      ├── ServiceUnavailableError   503
    └── DeadlineExceededError      504      │   └── CommunicationError, CircuitOpenError, BulkheadFullError,
                                            │       CallRateError

Raising needs no set-up. Every class has a default code, survives `pickle` and `copy` whatever its
constructor looks like, and requires nothing but a message.
"""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, TypeAlias, TypeVar, cast

from holdfast.codes import (
    DEPENDENCY_TRANSIENT_STATUSES,
    CodeSpec,
    Declaration,
    Detail,
    Effect,
    ErrorCode,
    ErrorCodes,
    ErrorKind,
    Fault,
    Severity,
    register,
    spec_of,
)
from holdfast.lazytext import in_source_language, is_lazy, labelled, sentence

_Error = TypeVar("_Error", bound="AppError")

MARK = "__holdfast__"
"""Attribute by which a boundary marks an exception as handled; never copied or pickled."""

_DECLARABLE = (
    *("code", "kind", "title", "status", "transient", "severity", "category"),
    *("advice", "carries"),
)
_State: TypeAlias = dict[str, object] | tuple[dict[str, object] | None, dict[str, object]] | None
"""What `object.__getstate__` returns: attributes, or attributes and slots."""
_EMPTY = MappingProxyType[str, Any]({})
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class AppError(Exception):
    """An error raised on purpose.

    A member of an `ErrorCodes` enumeration first is the code; one string is the message; of two
    strings the first is the code.
    Subclasses declare `code`, `kind` and `title` as class attributes, and may override `status`,
    `transient`, `severity` and `category`; the catalogue shows the first line of their docstring,
    `advice` and `carries`. A subclass with a kind but no code of its own takes its name in
    `UPPER_SNAKE` for a code.

    Attributes:
        message: For operators; callers see it only when the fault is theirs.
        details: Facts meant for the caller; they come out redacted.
        errors: Sentences meant for the caller.
        retry_after: Seconds after which trying again makes sense, or None.
        headers: Response headers that belong to the error, such as `WWW-Authenticate`.

    Example:
        >>> error = AppError(
        ...     ErrorCode.TOKEN_EXPIRED, "Token of user 7 expired", details={"user": 7}
        ... )
        >>> error.code, error.status, str(error)
        ('TOKEN_EXPIRED', 401, 'Token of user 7 expired')
    """

    code: str = "INTERNAL_ERROR"
    """Stable, unique name; part of the API contract."""
    kind: ErrorKind = ErrorKind.INTERNAL
    title: object = ErrorCode.INTERNAL_ERROR.title
    status: int = ErrorKind.INTERNAL.status
    transient: bool = False
    """Whether trying again may help."""
    severity: Severity = ErrorKind.INTERNAL.severity
    category: str = ""
    effect: Effect | None = None
    """What is known of the attempted work; None when nothing is."""
    trusted: bool = True
    """An operational error: the process is still sane."""
    learned: Mapping[str, object] = _EMPTY
    """Facts that the suite found out by itself (constraint, table, host); recorded always, shown to
    a caller only when the settings expose details."""
    advice: ClassVar[object] = ""
    """What a caller can do about it, for the catalogue; empty: what the kind advises."""
    carries: ClassVar[Mapping[str, Detail]] = MappingProxyType[str, Detail]({})
    """What `details` may hold, by name, for the catalogue."""
    error_class: ClassVar[str] = ""
    """Name callers see in `except.type`; empty for `AppError` itself, whose code decides."""

    # What holds when the constructor of a subclass does not call this one's.
    message: str = ""
    details: dict[str, object] = cast("dict[str, object]", _EMPTY)
    errors: tuple[str, ...] = ()
    retry_after: float | None = None
    headers: dict[str, str] = cast("dict[str, str]", _EMPTY)

    def __init__(  # noqa: PLR0913  # all but the first two are keywords
        self,
        code_or_message: ErrorCodes | str = "",
        message: str | None = None,
        /,
        *,
        code: ErrorCodes | str | None = None,
        details: Mapping[str, object] | None = None,
        errors: Iterable[str] | None = None,
        retry_after: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if message is not None or isinstance(code_or_message, ErrorCodes):
            code = code_or_message
        else:
            message = code_or_message
        # A framework's lazy text, or a caught exception, is no `str`.
        self.message = "" if message is None else sentence(message)
        super().__init__(self.message)
        self.details = {} if details is None else dict(details)
        self.errors = () if errors is None else _sentences(errors)
        self.retry_after = retry_after
        self.headers = {} if headers is None else dict(headers)
        if code is not None:
            self._take_code(code)

    def __init_subclass__(cls, **keywords: Any) -> None:  # noqa: ANN401  # whatever the parents take
        super().__init_subclass__(**keywords)
        declared = {name: cls.__dict__[name] for name in _DECLARABLE if name in cls.__dict__}
        cls.error_class = cls.__name__
        if "kind" in declared:
            declared.setdefault("code", _WORDS.sub("_", cls.__name__.removesuffix("Error")).upper())
        if "code" in declared:
            _declare(cls, declared)

    def _take_code(self, code: ErrorCodes | str) -> None:
        spec = code.spec if isinstance(code, ErrorCodes) else spec_of(code)
        facts = {"code": str(code)} if spec is None else spec.facts(str(code))
        self.__dict__.update(facts)

    @property
    def fault(self) -> Fault:
        """Who must act, from the kind."""
        return self.kind.fault

    @property
    def type_name(self) -> str:
        """The name callers see in `except.type`."""
        if self.error_class:
            return self.error_class
        spec = spec_of(self.code)
        return (spec is not None and spec.raised_as) or self.kind.error_class

    def __str__(self) -> str:
        return self.message or in_source_language(self.title)

    def __reduce__(self) -> tuple[object, ...]:
        # By state and not by arguments: a subclass may have any constructor, and slots.
        found = cast("_State", object.__getstate__(self))
        attributes, slots = found if isinstance(found, tuple) else (found, {})
        state = {**(attributes or {}), **slots}
        state.pop(MARK, None)
        return _restore, (type(self), self.args), state


def _restore(cls: type[_Error], args: tuple[object, ...]) -> _Error:
    error = cls.__new__(cls)
    error.args = args
    return error


def _sentences(errors: Iterable[str]) -> tuple[str, ...]:
    one = isinstance(errors, str) or is_lazy(errors)
    return (sentence(errors),) if one else tuple(map(sentence, errors))


def _declare(cls: type[AppError], declared: dict[str, Any]) -> None:
    """Give the class the facts of its code, and the process the code."""
    code = declared["code"]
    spec = code.spec if isinstance(code, ErrorCodes) else spec_of(code)
    if spec is None or (len(declared) > 1 and not isinstance(code, ErrorCodes)):
        spec = _spec_from_class(cls, declared)
        register.declare(Declaration(str(code), spec, f"{cls.__module__}.{cls.__qualname__}"))
    facts = spec.facts(str(code)) | {**declared, "code": str(code)}
    for name, value in facts.items():
        setattr(cls, name, value)


def _spec_from_class(cls: type[AppError], declared: Mapping[str, Any]) -> CodeSpec:
    kind = declared.get("kind", cls.kind)
    if not isinstance(kind, ErrorKind):
        raise TypeError(f"{cls.__qualname__}.kind must be an ErrorKind, not {kind!r}")
    same_kind = getattr(super(cls, cls), "kind", None) is kind
    words = _WORDS.sub(" ", cls.__name__.removesuffix("Error")).capitalize()
    return CodeSpec(
        kind,
        declared.get("title", words),
        raised_as=cls.__name__,
        status=declared.get("status", cls.status if same_kind else None),
        transient=declared.get("transient", cls.transient if same_kind else None),
        severity=declared.get("severity", cls.severity if same_kind else None),
        category=declared.get("category", cls.category),
        advice=cls.advice,
        carries=cls.carries,
        description=(cls.__doc__ or "").strip().partition("\n")[0],
    )


class ValidationError(AppError):
    """Fields of the request are missing or wrong.

    Args:
        field_errors: Messages by field path (`trade.products[0].quantity`); they become
            `details["field_errors"]`, and `errors` unless that is given.

    Example:
        >>> ValidationError("Validation failed", field_errors={"date": ["required"]}).errors
        ('date: required',)
    """

    code = "VALIDATION_FAILED"

    def __init__(  # noqa: PLR0913  # all but the first two are keywords
        self,
        code_or_message: ErrorCodes | str = "",
        message: str | None = None,
        /,
        *,
        field_errors: Mapping[str, Iterable[str]] | None = None,
        code: ErrorCodes | str | None = None,
        details: Mapping[str, object] | None = None,
        errors: Iterable[str] | None = None,
        retry_after: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if field_errors is not None:
            by_field = {field: _sentences(messages) for field, messages in field_errors.items()}
            details = {**(details or {}), "field_errors": {f: list(m) for f, m in by_field.items()}}
            errors = errors or [
                labelled(field, text) for field, texts in by_field.items() for text in texts
            ]
        super().__init__(
            code_or_message,
            message,
            code=code,
            details=details,
            errors=errors,
            retry_after=retry_after,
            headers=headers,
        )


class AuthenticationError(AppError):
    """Credentials are missing, invalid or expired."""

    code = "UNAUTHORIZED"


class AuthorizationError(AppError):
    """The caller is known but may not do this."""

    code = "INSUFFICIENT_PERMISSIONS"


class ResourceNotFoundError(AppError):
    """What was asked for does not exist."""

    code = "RESOURCE_NOT_FOUND"


class StateConflictError(AppError):
    """The present state does not allow this."""

    code = "STATE_CONFLICT"


class WorkflowError(StateConflictError):
    """A transition between states is not allowed."""

    code = "INVALID_STATE_TRANSITION"


class BusinessLogicError(AppError):
    """The request is well formed but breaks a rule of the business."""

    code = "BUSINESS_RULE_VIOLATION"


class RateLimitError(AppError):
    """The caller sends too much; `retry_after` says when to come back."""

    code = "RATE_LIMIT_EXCEEDED"


class ClientClosedError(AppError):
    """The caller left before the answer."""

    code = "CLIENT_CLOSED_REQUEST"


class InternalServerError(AppError):
    """An error of this service that the caller can do nothing about."""

    code = "INTERNAL_ERROR"


class UnexplainedResponseError(InternalServerError):
    """A response left with a server error's status although no error was seen."""

    code = "UNEXPLAINED_RESPONSE"


class DatabaseError(AppError):
    """The database refused; the code tells a conflict from an outage."""

    code = "DATABASE_ERROR"


class DependencyError(AppError):
    """Another service answered, and wrongly.

    Args:
        upstream_status: Its HTTP status; 429, 500, 502, 503 and 504 make the error transient.
        upstream_code: The code in its envelope.

    Example:
        >>> DependencyError("Stock service failed", upstream_status=503).transient
        True
    """

    code = "DEPENDENCY_FAILED"

    def __init__(  # noqa: PLR0913  # all but the first two are keywords
        self,
        code_or_message: ErrorCodes | str = "",
        message: str | None = None,
        /,
        *,
        upstream_status: int | None = None,
        upstream_code: str = "",
        code: ErrorCodes | str | None = None,
        details: Mapping[str, object] | None = None,
        errors: Iterable[str] | None = None,
        retry_after: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(
            code_or_message,
            message,
            code=code,
            details=details,
            errors=errors,
            retry_after=retry_after,
            headers=headers,
        )
        self.upstream_status = upstream_status
        self.upstream_code = upstream_code
        told = {"upstream_status": upstream_status, "upstream_code": upstream_code}
        self.learned = {name: fact for name, fact in told.items() if fact}
        if upstream_status is not None:
            self.transient = upstream_status in DEPENDENCY_TRANSIENT_STATUSES


class ServiceUnavailableError(AppError):
    """The service, or one it needs, is out of order for the moment."""

    code = "SERVICE_UNAVAILABLE"


class CommunicationError(ServiceUnavailableError):
    """Another service cannot be reached."""

    code = "COMMUNICATION_ERROR"


class CircuitOpenError(ServiceUnavailableError):
    """A circuit is open: the call was not made."""

    code = "CIRCUIT_OPEN"
    effect = Effect.NONE


class BulkheadFullError(ServiceUnavailableError):
    """Too many calls are in progress: this one was not made."""

    code = "BULKHEAD_FULL"
    effect = Effect.NONE


class CallRateError(ServiceUnavailableError):
    """Calls to a service are limited to a rate on this side: this one was not made."""

    code = "CALL_RATE_EXCEEDED"
    effect = Effect.NONE


class DeadlineExceededError(AppError):
    """No answer came in time; the work may or may not be done."""

    code = "DEADLINE_EXCEEDED"
    effect = Effect.IN_DOUBT
