"""Codes and kinds: the one table, and what a code may override."""

import copy
import pickle
from typing import cast

import pytest

from holdfast import errors
from holdfast.codes import (
    CodeSpec,
    ErrorCode,
    ErrorCodes,
    ErrorKind,
    Fault,
    Severity,
    declared,
    spec_of,
)
from holdfast.errors import AppError, DatabaseError

TABLE = [
    ("INVALID_INPUT", 400, "ValidationError", "CALLER", False, "INFO"),
    ("UNAUTHENTICATED", 401, "AuthenticationError", "CALLER", False, "INFO"),
    ("PERMISSION_DENIED", 403, "AuthorizationError", "CALLER", False, "WARNING"),
    ("NOT_FOUND", 404, "ResourceNotFoundError", "CALLER", False, "INFO"),
    ("CONFLICT", 409, "StateConflictError", "CALLER", False, "INFO"),
    ("UNPROCESSABLE", 422, "BusinessLogicError", "CALLER", False, "INFO"),
    ("RATE_LIMITED", 429, "RateLimitError", "CALLER", True, "WARNING"),
    ("CANCELLED", 499, "ClientClosedError", "CALLER", False, "DEBUG"),
    ("INTERNAL", 500, "InternalServerError", "SERVICE", False, "ERROR"),
    ("DEPENDENCY_FAILED", 502, "DependencyError", "DEPENDENCY", False, "ERROR"),
    ("UNAVAILABLE", 503, "ServiceUnavailableError", "DEPENDENCY", True, "WARNING"),
    ("TIMED_OUT", 504, "DeadlineExceededError", "DEPENDENCY", True, "WARNING"),
]


class ParcelCode(ErrorCodes):
    """Codes of a project: some with the same facts, some with overrides."""

    PARCEL_LOST = CodeSpec(ErrorKind.CONFLICT, "Parcel lost")
    PARCEL_EATEN = CodeSpec(ErrorKind.CONFLICT, "Parcel lost")
    PARCEL_TEAPOT = CodeSpec(
        ErrorKind.UNPROCESSABLE,
        "A teapot",
        raised_as="TeapotError",
        status=418,
        transient=True,
        severity=Severity.CRITICAL,
        category="KITCHEN",
    )


@pytest.mark.parametrize(("kind", "status", "error_class", "fault", "transient", "severity"), TABLE)
def test_a_kind_means_what_its_row_of_the_table_says(
    kind: str, status: int, error_class: str, fault: str, *, transient: bool, severity: str
) -> None:
    """Each kind has the status, class, fault, transience and severity of the design's table."""
    row = ErrorKind[kind]

    assert row.status == status
    assert row.error_class == error_class
    assert row.fault is Fault(fault)
    assert row.transient is transient
    assert row.severity is Severity[severity]


def test_the_table_has_no_other_rows() -> None:
    """There are exactly the twelve kinds of the canon, in the order of their statuses."""
    assert [kind.value for kind in ErrorKind] == [row[0] for row in TABLE]


@pytest.mark.parametrize("kind", ErrorKind)
def test_a_kind_names_a_class_that_exists_and_has_that_kind(kind: ErrorKind) -> None:
    """The class a kind shows to callers is one of ours, and raises errors of that very kind."""
    error_class: type[AppError] = getattr(errors, kind.error_class)

    assert error_class().kind is kind
    assert error_class().status == kind.status


@pytest.mark.parametrize("kind", ErrorKind)
def test_a_kind_survives_pickle_with_its_row(kind: ErrorKind) -> None:
    """A kind that was sent to another process is the same member, row included."""
    assert pickle.loads(pickle.dumps(kind)) is kind  # noqa: S301  # our own bytes


@pytest.mark.parametrize(
    ("code", "status", "kind", "type_name"),
    [
        (ErrorCode.METHOD_NOT_ALLOWED, 405, ErrorKind.INVALID_INPUT, "ValidationError"),
        (ErrorCode.NOT_ACCEPTABLE, 406, ErrorKind.INVALID_INPUT, "ValidationError"),
        (ErrorCode.RESOURCE_GONE, 410, ErrorKind.NOT_FOUND, "ResourceNotFoundError"),
        (ErrorCode.PRECONDITION_FAILED, 412, ErrorKind.INVALID_INPUT, "ValidationError"),
        (ErrorCode.PAYLOAD_TOO_LARGE, 413, ErrorKind.INVALID_INPUT, "ValidationError"),
        (ErrorCode.UNSUPPORTED_MEDIA_TYPE, 415, ErrorKind.INVALID_INPUT, "ValidationError"),
        (ErrorCode.TOKEN_EXPIRED, 401, ErrorKind.UNAUTHENTICATED, "AuthenticationError"),
        (ErrorCode.INVALID_STATE_TRANSITION, 409, ErrorKind.CONFLICT, "WorkflowError"),
        (ErrorCode.FOREIGN_KEY_CONSTRAINT, 409, ErrorKind.CONFLICT, "DatabaseError"),
        (ErrorCode.DB_CONNECTION_ERROR, 503, ErrorKind.UNAVAILABLE, "DatabaseError"),
        (ErrorCode.NATS_SERVICE_UNAVAILABLE, 503, ErrorKind.UNAVAILABLE, "CommunicationError"),
        (ErrorCode.CIRCUIT_OPEN, 503, ErrorKind.UNAVAILABLE, "CircuitOpenError"),
        (ErrorCode.BULKHEAD_FULL, 503, ErrorKind.UNAVAILABLE, "BulkheadFullError"),
        (ErrorCode.CALL_RATE_EXCEEDED, 503, ErrorKind.UNAVAILABLE, "CallRateError"),
    ],
)
def test_a_code_decides_status_kind_and_class(
    code: ErrorCode, status: int, kind: ErrorKind, type_name: str
) -> None:
    """An `AppError` raised with nothing but a code is what the code says."""
    error = AppError(code)

    assert (error.status, error.kind, error.type_name) == (status, kind, type_name)


@pytest.mark.parametrize(
    ("code", "status", "transient"),
    [
        (ErrorCode.DATABASE_ERROR, 500, False),
        (ErrorCode.FOREIGN_KEY_CONSTRAINT, 409, False),
        (ErrorCode.DB_CONNECTION_ERROR, 503, True),
    ],
)
def test_a_database_error_is_what_its_code_says(
    code: ErrorCode, status: int, *, transient: bool
) -> None:
    """A `DatabaseError` is our bug, a conflict or an outage, by its code."""
    error = DatabaseError(code, "refused")

    assert (error.status, error.transient) == (status, transient)
    assert error.type_name == "DatabaseError"


@pytest.mark.parametrize("code", ["JOB_TIMED_OUT", "TASK_TIMED_OUT", "TASK_EXPIRED"])
def test_work_that_ran_out_of_its_own_time_is_not_to_be_tried_again(code: str) -> None:
    """It would take as long, unlike a dependency that was slow once."""
    assert not AppError(ErrorCode[code], "too long").transient


def test_a_code_may_override_every_fact_of_its_kind() -> None:
    """Status, transience, severity, class and category of a code go before its kind's."""
    error = AppError(ParcelCode.PARCEL_TEAPOT)

    assert error.status == 418
    assert error.transient is True
    assert error.severity is Severity.CRITICAL
    assert error.type_name == "TeapotError"
    assert error.category == "KITCHEN"
    assert error.fault is Fault.CALLER


@pytest.mark.parametrize("code", [*ErrorCode, *ParcelCode])
def test_a_code_equals_its_name_and_may_stand_for_it_in_a_dictionary(code: ErrorCodes) -> None:
    """A member and the string of its name are interchangeable."""
    assert code == code.name
    assert code.name == code
    assert hash(code) == hash(code.name)
    assert {code.name: 1}[code] == 1  # type: ignore[index]  # what a reader of `error.code` may do
    assert str(code) == code.code == code.name


def test_a_code_differs_from_everything_else() -> None:
    """A member equals neither another member, nor another string, nor its own spec."""
    assert ParcelCode.PARCEL_LOST != ErrorCode.STATE_CONFLICT
    assert ParcelCode.PARCEL_LOST != "parcel_lost"
    assert ParcelCode.PARCEL_LOST.spec != ParcelCode.PARCEL_LOST


def test_two_codes_with_the_same_facts_stay_two() -> None:
    """An enumeration does not take the second of two equal specs for an alias of the first."""
    assert [code.name for code in ParcelCode] == ["PARCEL_LOST", "PARCEL_EATEN", "PARCEL_TEAPOT"]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("code", [ErrorCode.TOKEN_EXPIRED, ParcelCode.PARCEL_TEAPOT])
def test_a_code_survives_pickle_and_copy(code: ErrorCodes, protocol: int) -> None:
    """A member is itself again after pickling and copying."""
    assert pickle.loads(pickle.dumps(code, protocol)) is code  # noqa: S301  # our own bytes
    assert copy.copy(code) is code
    assert copy.deepcopy(code) is code


def test_a_member_that_is_no_spec_is_refused_by_name() -> None:
    """A mistake in an enumeration is told when its module is loaded, with the member's name."""
    with pytest.raises(TypeError, match=r"BrokenCode\.LOOSE must be a CodeSpec"):

        class BrokenCode(ErrorCodes):  # pyright: ignore[reportUnusedClass]
            LOOSE = "a string"


def test_a_projects_codes_are_known_to_the_process() -> None:
    """Defining an enumeration declares its codes, with the place they come from."""
    found = {declaration.code: declaration for declaration in declared()}

    assert found["PARCEL_TEAPOT"].spec is ParcelCode.PARCEL_TEAPOT.spec
    assert found["PARCEL_TEAPOT"].source == f"{__name__}.ParcelCode"
    assert list(found) == sorted(found)


def test_an_undeclared_code_has_no_spec() -> None:
    """Asking for a code nobody declared is answered with None."""
    assert spec_of("NOBODY_DECLARED_THIS") is None


@pytest.mark.parametrize("code", ErrorCode)
def test_a_shipped_code_explains_itself(code: ErrorCode) -> None:
    """Every shipped code has a title without a full stop and a description with one."""
    assert not str(code.title).endswith(".")
    assert str(code.spec.description).endswith(".")


@pytest.mark.parametrize("status", [200, 399, 600, 1000, True, "404"])
def test_a_code_cannot_have_a_status_that_is_no_errors(status: object) -> None:
    """Only whole numbers from 400 to 599 are statuses of errors."""
    with pytest.raises(ValueError, match="between 400 and 599"):
        CodeSpec(ErrorKind.CONFLICT, "x", status=cast("int", status))


@pytest.mark.parametrize("code", ["a b\r\nX: y", "lower", "9TH", "", "A" * 101])
def test_a_code_must_be_upper_snake(code: str) -> None:
    """What would break a header, a metric or a contract is refused where it is declared."""
    with pytest.raises(ValueError, match="UPPER_SNAKE"):
        type("Odd", (AppError,), {"code": code, "kind": ErrorKind.CONFLICT})
