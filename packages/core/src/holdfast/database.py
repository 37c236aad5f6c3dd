"""What a database's refusal means, learned from the errors of SQLite, PostgreSQL and MariaDB drivers.

Reads driver exceptions (PEP 249) by their attributes; no driver is imported. Only names of constraints,
tables and columns are taken out; values, which the texts quote, stay behind.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from holdfast.codes import ErrorCode
from holdfast.errors import DatabaseError

MAX_TEXT: Final = 2000
"""Characters of a driver's text that are read."""

_SQLSTATES: Final = {
    "23502": ErrorCode.NOT_NULL_CONSTRAINT,
    "23503": ErrorCode.FOREIGN_KEY_CONSTRAINT,
    "23505": ErrorCode.UNIQUE_CONSTRAINT,
    "23514": ErrorCode.CHECK_CONSTRAINT,
    "23P01": ErrorCode.UNIQUE_CONSTRAINT,  # an exclusion: uniqueness by another operator
}
_NUMBERS: Final = {
    1048: ErrorCode.NOT_NULL_CONSTRAINT,
    1062: ErrorCode.UNIQUE_CONSTRAINT,
    1216: ErrorCode.FOREIGN_KEY_CONSTRAINT,
    1217: ErrorCode.FOREIGN_KEY_CONSTRAINT,
    1364: ErrorCode.NOT_NULL_CONSTRAINT,
    1451: ErrorCode.FOREIGN_KEY_CONSTRAINT,
    1452: ErrorCode.FOREIGN_KEY_CONSTRAINT,
    3819: ErrorCode.CHECK_CONSTRAINT,
    4025: ErrorCode.CHECK_CONSTRAINT,
}
_SQLITE: Final = {
    "FOREIGN KEY": ErrorCode.FOREIGN_KEY_CONSTRAINT,
    "UNIQUE": ErrorCode.UNIQUE_CONSTRAINT,
    "NOT NULL": ErrorCode.NOT_NULL_CONSTRAINT,
    "CHECK": ErrorCode.CHECK_CONSTRAINT,
}
_SQLITE_TEXT: Final = re.compile(
    r"(FOREIGN KEY|UNIQUE|NOT NULL|CHECK) constraint failed(?:: (.+))?"
)
_POSTGRES_KEY: Final = re.compile(r"Key \(([^()]+)\)=\(")
_MARIADB_TEXTS: Final = (
    re.compile(
        r"fails \(`[^`]+`\.`(?P<table>[^`]+)`, CONSTRAINT `(?P<constraint>[^`]+)` "
        r"FOREIGN KEY \((?P<column>`[^()]+`)\)"
    ),
    re.compile(r" for key '(?:(?P<table>[^'.]+)\.)?(?P<constraint>[^']+)'$"),
    re.compile(r"^Column '(?P<column>[^']+)' cannot be null"),
    re.compile(r"^Field '(?P<column>[^']+)' doesn't have a default value"),
    re.compile(
        r"^CONSTRAINT `(?:[^`.]+\.)?(?P<constraint>[^`]+)` failed for `[^`]+`\.`(?P<table>[^`]+)`"
    ),
    re.compile(r"^Check constraint '(?P<constraint>[^']+)' is violated"),
)

_NEVER_CONNECTED: Final = frozenset({1040, 1129, 1203, 2002, 2003, 2005})
_LOST: Final = frozenset({1053, 1152, 2006, 2013, 2055, 4031})
_CONTENDED: Final = frozenset({1205, 1213})
_LOST_SQLSTATES: Final = frozenset({"57P01", "57P02"})
_REFUSED_SQLSTATES: Final = frozenset({"08001", "08004", "53300", "57P03"})
_CONTENDED_SQLSTATES: Final = frozenset({"40001", "40P01", "55P03"})


@dataclass(frozen=True, slots=True)
class Violation:
    """A constraint that a statement broke."""

    code: ErrorCode
    facts: Mapping[str, str]
    """`constraint`, `table`, `column`, as far as the database says."""


def integrity_error(error: BaseException) -> DatabaseError | None:
    """Return the error that tells a caller which constraint was broken, or None when that is unknown.

    The names are learned facts: a caller sees them only when the settings expose details.
    """
    violation = violation_of(error)
    if violation is None:
        return None
    said = DatabaseError(violation.code)
    said.learned = violation.facts
    return said


def violation_of(error: BaseException) -> Violation | None:
    """Return what a driver's error, or one raised from it, says of a broken constraint."""
    cause = _driver_error(error)
    return _postgres_violation(cause) or _mariadb_violation(cause) or _sqlite_violation(cause)


def is_unreachable(error: BaseException) -> bool:
    """Tell whether the database could not be connected to: the statement was not sent."""
    cause = _driver_error(error)
    state = _sqlstate(cause)
    if _is_postgres(cause) and state is None:
        return "connection failed" in _text(cause) or "could not connect" in _text(cause)
    return (
        state in _REFUSED_SQLSTATES
        or _number(cause) in _NEVER_CONNECTED
        or _sqlite_name(cause).startswith("SQLITE_CANTOPEN")
    )


def is_lost(error: BaseException) -> bool:
    """Tell whether the connection broke: what was sent may or may not be done."""
    cause = _driver_error(error)
    state = _sqlstate(cause)
    if _is_postgres(cause) and state is None:
        return type(cause).__name__ in {"OperationalError", "InterfaceError"}
    return (
        state in _LOST_SQLSTATES
        or (state or "").startswith("08")
        or _number(cause) in _LOST
        or _sqlite_name(cause).startswith("SQLITE_IOERR")
    )


def is_contended(error: BaseException) -> bool:
    """Tell whether others held what the statement needed, so that trying again may help."""
    cause = _driver_error(error)
    return (
        _sqlstate(cause) in _CONTENDED_SQLSTATES
        or _number(cause) in _CONTENDED
        or _sqlite_name(cause).startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
    )


def _driver_error(error: BaseException) -> BaseException:
    """Return what the driver raised: SQLAlchemy keeps it as `orig`, Django as the cause."""
    original: object = getattr(error, "orig", None)
    return original if isinstance(original, BaseException) else error.__cause__ or error


def _text(error: BaseException) -> str:
    return " ".join(str(part) for part in error.args)[:MAX_TEXT]


def _is_postgres(error: BaseException) -> bool:
    return type(error).__module__.partition(".")[0] in {"psycopg", "psycopg2"}


def _sqlstate(error: BaseException) -> str | None:
    """Return the SQLSTATE that psycopg gives, whose version 2 calls it `pgcode`."""
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    return state if isinstance(state, str) else None


def _number(error: BaseException) -> int | None:
    """Return MySQL's and MariaDB's number of an error."""
    number = error.args[0] if len(error.args) > 1 else None
    return number if isinstance(number, int) else None


def _sqlite_name(error: BaseException) -> str:
    name = getattr(error, "sqlite_errorname", "")
    return name if isinstance(name, str) else ""


def _postgres_violation(error: BaseException) -> Violation | None:
    code = _SQLSTATES.get(_sqlstate(error) or "")
    if code is None:
        return None
    said = getattr(error, "diag", None)
    facts = {
        name: getattr(said, f"{name}_name", None) or ""
        for name in ("constraint", "table", "column")
    }
    key = _POSTGRES_KEY.search(_text(error))
    if key is not None and not facts["column"]:
        facts["column"] = key[1]
    return Violation(code, _known(facts))


def _mariadb_violation(error: BaseException) -> Violation | None:
    code = _NUMBERS.get(_number(error) or 0)
    if code is None:
        return None
    text = str(error.args[1])[:MAX_TEXT]
    found = next((m for pattern in _MARIADB_TEXTS if (m := pattern.search(text))), None)
    facts = {} if found is None else found.groupdict(default="")
    return Violation(code, _known({name: fact.replace("`", "") for name, fact in facts.items()}))


def _sqlite_violation(error: BaseException) -> Violation | None:
    found = _SQLITE_TEXT.fullmatch(_text(error))
    if found is None:
        return None
    return Violation(_SQLITE[found[1]], _known(dict(_sqlite_facts(found[1], found[2] or ""))))


def _sqlite_facts(kind: str, rest: str) -> Iterator[tuple[str, str]]:
    if kind == "CHECK" or rest.startswith("index "):
        yield "constraint", rest.removeprefix("index ").strip("'")
        return
    columns = [place.strip().rpartition(".") for place in rest.split(",")]
    yield "table", columns[0][0]
    yield "column", ", ".join(column for _, _, column in columns)


def _known(facts: Mapping[str, str]) -> dict[str, str]:
    return {name: fact for name, fact in facts.items() if fact}
