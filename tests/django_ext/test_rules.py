"""What Django's exceptions become."""

import sqlite3
from collections.abc import Iterator

import pytest
from django.core import exceptions
from django.db import Error, IntegrityError, InterfaceError, OperationalError, connection
from django.http import Http404, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.test import Client, RequestFactory
from django.utils.translation import gettext_lazy

from holdfast.classify import Reading
from holdfast.codes import Effect
from holdfast.errors import ValidationError
from holdfast_django import current
from tests.django_ext.conftest import RecordingProject
from tests.django_ext.project.models import Order


def read(error: BaseException) -> Reading:
    """Return what the project makes of an exception."""
    return current.project_runtime().handler.classifier.read(error)


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (exceptions.ValidationError("no"), "VALIDATION_FAILED", 400),
        (Http404(), "RESOURCE_NOT_FOUND", 404),
        (exceptions.PermissionDenied(), "INSUFFICIENT_PERMISSIONS", 403),
        (exceptions.BadRequest("no"), "INVALID_REQUEST_DATA", 400),
        (exceptions.SuspiciousOperation("no"), "INVALID_REQUEST_DATA", 400),
        (exceptions.DisallowedHost("no"), "INVALID_REQUEST_DATA", 400),
        (exceptions.TooManyFieldsSent("no"), "INVALID_REQUEST_DATA", 400),
        (exceptions.RequestDataTooBig("no"), "PAYLOAD_TOO_LARGE", 413),
        (MultiPartParserError("no"), "INVALID_REQUEST_DATA", 400),
        (UnreadablePostError("gone"), "CLIENT_CLOSED_REQUEST", 499),
        (exceptions.ObjectDoesNotExist(), "INTERNAL_ERROR", 500),
        (exceptions.ImproperlyConfigured(), "INTERNAL_ERROR", 500),
        (Error("no"), "DATABASE_ERROR", 500),
        (IntegrityError("unheard of"), "DATABASE_ERROR", 500),
    ],
)
def test_an_exception_of_djangos_has_a_code(error: Exception, code: str, status: int) -> None:
    """Each class is read by its own rule or by its nearest parent's."""
    said = read(error).classification

    assert (said.code, said.status) == (code, status)


def test_a_wrong_statement_is_a_bug_of_ours() -> None:
    """A database error that no rule explains is untrusted, so that somebody is told."""
    assert not read(Error("syntax error")).classification.trusted


@pytest.mark.parametrize("error", [Http404, exceptions.PermissionDenied, exceptions.BadRequest])
def test_a_refusals_text_is_for_the_caller(error: type[Exception]) -> None:
    """What a view raised on purpose is said; anything but text is not."""
    spoken = read(error("only on weekdays")).spoken
    unspoken = read(error({"tried": ["secret"]})).spoken

    assert spoken is not None
    assert spoken.message == "only on weekdays"
    assert unspoken is not None
    assert unspoken.message == ""


def test_what_was_suspicious_is_not_for_the_caller() -> None:
    """The text of a suspicious operation quotes the request."""
    assert read(exceptions.SuspiciousOperation("../../etc/passwd")).spoken is None


def test_a_models_errors_have_the_paths_of_its_fields() -> None:
    """Errors of fields and of `clean()` come out together, by field."""
    with pytest.raises(exceptions.ValidationError) as raised:
        Order(sku="far-too-long", quantity=11).full_clean()

    spoken = read(raised.value).spoken
    assert spoken is not None
    assert spoken.details["field_errors"] == {
        "sku": ["Ensure this value has at most 5 characters (it has 12)."],
        "quantity": ["more than in stock"],
    }


def test_errors_of_a_whole_model_stand_apart() -> None:
    """They have no field, so that their sentence has none before it."""
    error = exceptions.ValidationError({"__all__": ["nothing to order"], "sku": ["required"]})

    spoken = read(error).spoken

    assert spoken is not None
    assert spoken.errors == ("nothing to order", "sku: required")
    assert spoken.details["field_errors"] == {
        "non_field_errors": ["nothing to order"],
        "sku": ["required"],
    }


def test_a_list_of_errors_is_a_list_of_sentences() -> None:
    """Without fields there are no field errors; parameters and translations are filled in."""
    error = exceptions.ValidationError(
        [
            exceptions.ValidationError("at most %(n)s", params={"n": 3}),
            exceptions.ValidationError(gettext_lazy("This field is required.")),
        ]
    )

    spoken = read(error).spoken

    assert isinstance(spoken, ValidationError)
    assert spoken.errors == ("at most 3", "This field is required.")
    assert "field_errors" not in spoken.details


def test_a_missing_object_is_not_found_only_by_setting(project: RecordingProject) -> None:
    """`DoesNotExist` may hide a bug, so that a project has to ask for 404."""
    assert read(Order.DoesNotExist()).classification.status == 500

    project.configure(does_not_exist_is_not_found=True)

    assert read(Order.DoesNotExist()).classification.status == 404


@pytest.fixture
def tables() -> Iterator[None]:
    """Make two tables with every kind of constraint, in SQLite."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE parent (id integer PRIMARY KEY)")
        cursor.execute(
            "CREATE TABLE child (id integer PRIMARY KEY, email text NOT NULL UNIQUE,"
            " quantity integer CONSTRAINT quantity_positive CHECK (quantity > 0),"
            " parent_id integer REFERENCES parent (id), a integer, b integer, UNIQUE (a, b))"
        )
        cursor.execute("INSERT INTO parent VALUES (1)")
        cursor.execute("INSERT INTO child VALUES (1, 'a@b.cz', 1, 1, 1, 1)")
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE child")
        cursor.execute("DROP TABLE parent")


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize(
    ("values", "code", "learned"),
    [
        ("2, 'x', 1, 99, 2, 2", "FOREIGN_KEY_CONSTRAINT", {}),
        ("2, 'a@b.cz', 1, 1, 2, 2", "UNIQUE_CONSTRAINT", {"table": "child", "column": "email"}),
        ("2, 'x', 1, 1, 1, 1", "UNIQUE_CONSTRAINT", {"table": "child", "column": "a, b"}),
        ("2, NULL, 1, 1, 2, 2", "NOT_NULL_CONSTRAINT", {"table": "child", "column": "email"}),
        ("2, 'x', 0, 1, 2, 2", "CHECK_CONSTRAINT", {"constraint": "quantity_positive"}),
    ],
)
def test_a_broken_constraint_is_a_conflict(
    values: str, code: str, learned: dict[str, str], project: RecordingProject
) -> None:
    """The caller learns which kind; which one is recorded, and shown only where a setting says so."""
    with pytest.raises(IntegrityError) as raised, connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO child VALUES ({values})")  # noqa: S608  # the table above
    reading = read(raised.value)
    assert reading.spoken is not None
    assert (reading.classification.code, reading.classification.status) == (code, 409)
    assert reading.spoken.learned == learned
    assert reading.spoken.details == {}
    assert "a@b.cz" not in reading.spoken.message


def test_an_unreachable_database_is_unavailable() -> None:
    """The statement was not sent, and trying again may help."""
    with pytest.raises(sqlite3.OperationalError) as raised:
        sqlite3.connect("/nowhere/db.sqlite3")
    error = OperationalError(*raised.value.args)
    error.__cause__ = raised.value

    said = read(error).classification

    assert (said.code, said.status) == ("DB_CONNECTION_ERROR", 503)
    assert said.transient
    assert said.effect is Effect.NOT_SENT


def test_a_closed_connection_is_unavailable() -> None:
    """What psycopg 2 and PyMySQL say of a connection that is gone."""
    error = InterfaceError()
    error.__cause__ = type("InterfaceError", (Exception,), {"__module__": "psycopg2"})("closed")

    said = read(error).classification

    assert (said.code, said.effect) == ("DB_CONNECTION_ERROR", Effect.IN_DOUBT)


def test_an_unknown_host_is_refused_with_our_body() -> None:
    """`DisallowedHost` arises in a middleware, before any view."""
    response = Client().get("/sync/ok", headers={"host": "evil.example"})

    assert response.status_code == 400
    assert response.json()["except"]["code"] == "INVALID_REQUEST_DATA"
    assert b"evil" not in response.content


def test_too_many_fields_are_refused_once(project: RecordingProject) -> None:
    """Django keeps the request from being parsed again; the error is recorded once."""
    response = Client().post("/sync/body", {str(n): "" for n in range(1001)})

    assert response.status_code in {400, 413}
    assert len(project.recorded.records) == 1
    assert RequestFactory().get("/").POST == {}
