"""Error codes: each stable, of one kind, with what it says beyond that.

The kinds, and what they mean, are in `kinds`.
"""

from holdfast.codes.details import Detail, Schema
from holdfast.codes.shipped import ErrorCode
from holdfast.codes.spec import (
    CodeSpec,
    Declaration,
    ErrorCodes,
    declared,
    is_failure,
    register,
    spec_of,
)
from holdfast.kinds import DEPENDENCY_TRANSIENT_STATUSES, Effect, ErrorKind, Fault, Severity

__all__ = [
    "DEPENDENCY_TRANSIENT_STATUSES",
    "CodeSpec",
    "Declaration",
    "Detail",
    "Effect",
    "ErrorCode",
    "ErrorCodes",
    "ErrorKind",
    "Fault",
    "Schema",
    "Severity",
    "declared",
    "is_failure",
    "register",
    "spec_of",
]
