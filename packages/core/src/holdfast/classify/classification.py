"""What an exception means: the facts that response, log, retry, breaker and health share."""

import math
from dataclasses import dataclass, replace

from holdfast.codes import Effect, ErrorCode, ErrorCodes, ErrorKind, Fault, Severity, is_failure
from holdfast.errors import AppError


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """What one exception means."""

    code: str
    kind: ErrorKind
    title: object
    """Short text for callers: a `str`, or text translated when it is read."""
    type: str
    """Name callers see in `except.type`; never the class of something unexpected."""
    status: int
    category: str
    severity: Severity
    fault: Fault
    transient: bool
    effect: Effect | None = None
    trusted: bool = True
    action: str = ""
    """What an operator should do, in one sentence; may be empty."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A classification, and the error that speaks to the caller."""

    classification: Classification
    spoken: AppError | None
    """The exception itself or its translation; None when nothing may be said of it."""
    translated: bool = False
    """Whether a rule's translation speaks, not the exception itself."""

    @property
    def asked(self) -> float:
        """Seconds that the error asks to wait; 0 when it asks for nothing that makes sense."""
        seconds: object = None if self.spoken is None else self.spoken.retry_after
        if not isinstance(seconds, int | float) or math.isnan(seconds):
            return 0.0
        return max(0.0, seconds)


def classification_of(code: ErrorCodes | str) -> Classification:
    """Return what a code says on its own; a code that nobody declared says nothing but its name."""
    return facts_of(AppError(code=code))


def facts_of(error: AppError) -> Classification:
    """Return what an error says of itself."""
    return Classification(
        code=error.code,
        kind=error.kind,
        title=error.title,
        type=error.type_name,
        status=error.status if is_failure(error.status) else error.kind.status,
        category=error.category,
        severity=error.severity,
        fault=error.fault,
        transient=error.transient,
        effect=error.effect,
        trusted=error.trusted,
    )


UNKNOWN = replace(classification_of(ErrorCode.INTERNAL_ERROR), trusted=False)
"""What an exception means that nobody says anything about."""
UNKNOWN_READING = Reading(UNKNOWN, None)
