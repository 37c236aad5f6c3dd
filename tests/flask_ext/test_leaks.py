"""No secret leaves: not in an answer, not in a record, not in a log line."""

import importlib
import json
import logging
import sqlite3
import string
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager

import pytest
from flask import Flask, abort, request
from hypothesis import given
from hypothesis import strategies as st

from holdfast import AppError, ErrorCode, bind_request
from holdfast.record import ErrorRecord
from holdfast.testing import RecordingReporter
from holdfast_flask import Holdfast

canaries = st.text(string.ascii_letters + string.digits, min_size=24, max_size=24).map(
    lambda text: f"cnry{text}"
)
shapes = st.sampled_from(
    (
        "postgres://shop:{0}@db.example/orders",
        "https://user:{0}@api.example/v1?page=2",
        "password={0}",
        'request failed: {{"api_key": "{0}"}}',
        "Authorization: Bearer {0}",
        "GET /orders?access_token={0}&page=2",
        "token sk_live_{0} was refused",
        "https%3A%2F%2Fuser%3A{0}%40api.example",
    )
)
statements = st.sampled_from(
    (
        "UNIQUE constraint failed: users.token [SQL: INSERT INTO users (token) VALUES ('{0}')]",
        "could not run UPDATE users SET password = '{0}' WHERE id = 7",
        "near \"WERE\": syntax error in SELECT id FROM users WERE api_key='{0}'",
        'unrecognized token: "\'{0}"',
    )
)
keys = st.sampled_from(("password", "userPassword", "X-Api-Key", "client_secret", "authorization"))
nestings = st.lists(st.sampled_from(("list", "mapping", "tuple")), max_size=4)
accepts = st.sampled_from(("*/*", "application/problem+json", "text/html"))


class Lines(logging.Handler):
    """Keeps everything of every log line, fields and tracebacks included."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        fields = json.dumps(record.__dict__, default=repr)
        self.text += f"{logging.Formatter().format(record)}\n{fields}\n"


@contextmanager
def logged() -> Generator[Lines]:
    """Keep the log lines of a block, whoever writes them."""
    lines, root = Lines(), logging.getLogger()
    level = root.level
    root.addHandler(lines)
    root.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        root.setLevel(level)
        root.removeHandler(lines)


def buried(canary: str, shape: str, key: str, steps: list[str]) -> dict[str, object]:
    """Bury a secret in details: under a sensitive key, and in a text of a telling shape."""
    value: object = {key: canary, "note": shape.format(canary), "more": [{key.upper(): canary}]}
    for step in steps:
        value = {"list": [1, value], "tuple": (value,), "mapping": {"inner": value}}[step]
    return {"found": value}


def connected(*reporters: str) -> tuple[Flask, RecordingReporter]:
    """Make an application that logs as in production, and at once."""
    app, reporter = Flask("leaks"), RecordingReporter()
    app.config["HOLDFAST_REPORTERS"] = ["logging", *reporters]
    app.config["HOLDFAST_REPORTING"] = {"INLINE": True}
    Holdfast(app, reporters=[reporter])
    return app, reporter


def told(record: ErrorRecord) -> str:
    """Return everything a record says."""
    return f"{record!r}{json.dumps(record.as_json())}{record.traceback()}"


def leave(
    app: Flask, reporter: RecordingReporter, canary: str, headers: Mapping[str, str]
) -> tuple[int, str]:
    """Send a request that carries the secret as well; return status and all that left the process."""
    with logged() as lines:
        answer = app.test_client().post(
            f"/?token={canary}",
            data=f"password={canary}",
            content_type="application/x-www-form-urlencoded",
            headers={**headers, "Authorization": f"Bearer {canary}", "Cookie": f"session={canary}"},
        )
    assert len(reporter.records) == 1
    assert lines.text
    records = "".join(map(told, reporter.records))
    return answer.status_code, f"{answer.headers}{answer.text}{lines.text}{records}"


@given(canary=canaries, shape=shapes, key=keys, steps=nestings, accept=accepts)
def test_no_secret_of_a_bug_leaves(
    canary: str, shape: str, key: str, steps: list[str], accept: str
) -> None:
    """Text, cause, note, local variable and bound fields of an unexpected error are clean."""
    app, reporter = connected()

    @app.post("/")
    def view() -> str:
        authorization = shape.format(canary)
        bind_request(**buried(canary, shape, key, steps))
        try:
            raise LookupError(authorization)
        except LookupError as cause:
            error = RuntimeError(authorization)
            error.add_note(authorization)
            raise error from cause

    status, left = leave(app, reporter, canary, {"Accept": accept})

    assert status == 500
    assert canary not in left


@given(canary=canaries, shape=shapes, key=keys, steps=nestings, accept=accepts)
def test_no_secret_of_a_refusal_leaves(
    canary: str, shape: str, key: str, steps: list[str], accept: str
) -> None:
    """Message, errors and details that are meant for the caller are clean too."""
    app, reporter = connected()

    @app.post("/")
    def view() -> str:
        text = shape.format(canary)
        details = buried(canary, shape, key, steps)
        raise AppError(ErrorCode.STATE_CONFLICT, text, details=details, errors=[text])

    status, left = leave(app, reporter, canary, {"Accept": accept})

    assert status == 409
    assert canary not in left


@given(canary=canaries, shape=shapes, accept=accepts)
def test_no_secret_of_an_abort_leaves(canary: str, shape: str, accept: str) -> None:
    """A description given to abort() is clean."""
    app, reporter = connected()

    @app.post("/")
    def view() -> str:
        abort(403, shape.format(canary))

    status, left = leave(app, reporter, canary, {"Accept": accept})

    assert status == 403
    assert canary not in left


@given(
    canary=canaries,
    raised=st.sampled_from((sqlite3.IntegrityError, sqlite3.OperationalError)),
    statement=statements,
    accept=accepts,
)
def test_no_secret_of_a_statement_leaves(
    canary: str, raised: type[sqlite3.Error], statement: str, accept: str
) -> None:
    """What a database quotes of a statement is clean, and a caller hears nothing of it."""
    app, reporter = connected()

    @app.post("/")
    def view() -> str:
        raise raised(statement.format(canary))

    status, left = leave(app, reporter, canary, {"Accept": accept})

    assert status in (400, 409, 500)
    assert canary not in left


def test_no_secret_of_a_real_statement_leaves() -> None:
    """SQLite quotes the piece that it stumbles over, and the program's own text is in the traceback."""
    canary = "cnry4f9a1c7e2b8d"
    app, reporter = connected()

    @app.post("/")
    def view() -> str:
        with closing(sqlite3.connect(":memory:")) as database:
            database.execute(f"INSERT INTO users (token) VALUES ('{canary}")  # noqa: S608  # broken, and what is wrong with it is quoted
        return "added"

    status, left = leave(app, reporter, canary, {})

    assert status == 500
    assert "unrecognized token" in left
    assert canary not in left


@pytest.mark.extra("prometheus_client")  # a marker, no query
@given(canary=canaries, shape=shapes)
def test_no_secret_is_counted(canary: str, shape: str) -> None:
    """Neither texts of errors, nor addresses, nor methods that callers made up, become labels."""
    app, _ = connected("prometheus")

    @app.route("/orders/<token>", methods=["POST", canary.upper()])
    def view(token: str) -> str:
        raise RuntimeError(shape.format(token))

    client = app.test_client()
    statuses = [
        client.post(f"/orders/{canary}?token={canary}").status_code,
        client.open(f"/orders/{canary}", method=canary).status_code,
        client.get(f"/{canary}").status_code,
    ]

    # By name, because the library may be missing.
    counted = importlib.import_module("holdfast.integrations.prometheus").exposition().decode()
    assert statuses == [500, 500, 404]
    assert 'operation="POST /orders/<token>"' in counted
    assert canary.lower() not in counted.lower()


@given(text=st.text(min_size=1), accept=accepts)
def test_the_text_of_a_server_error_is_in_no_answer(text: str, accept: str) -> None:
    """However it is written, and whoever raised it."""
    marked = f"canary{text}canary"
    app, _ = connected()
    errors: list[Exception] = [
        ValueError(marked),
        TimeoutError(marked),
        AppError(ErrorCode.DATABASE_ERROR, marked),
        ExceptionGroup(marked, [ValueError(marked)]),
    ]

    @app.get("/<int:which>")
    def view(which: int) -> str:
        raise errors[which]

    client = app.test_client()
    answers = [client.get(f"/{which}", headers={"Accept": accept}) for which in range(4)]

    assert all(answer.status_code >= 500 for answer in answers)
    assert not any("canary" in answer.text for answer in answers)


@pytest.mark.parametrize("body", ['{"password": "cnry-hunter2"', '{"token": cnry-hunter2}'])
def test_no_part_of_a_malformed_body_leaves(body: str) -> None:
    """A body that cannot be read is not quoted."""
    app, reporter = connected()

    @app.post("/")
    def view() -> str:
        return str(request.get_json())

    with logged() as lines:
        answer = app.test_client().post("/", data=body, content_type="application/json")

    assert answer.status_code == 400
    assert "hunter2" not in answer.text + lines.text + "".join(map(told, reporter.records))
