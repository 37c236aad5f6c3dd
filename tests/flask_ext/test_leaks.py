"""No secret leaves: not in an answer, not in a record, not in a log line."""

import json
import logging
import string
from collections.abc import Generator, Mapping
from contextlib import contextmanager

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


def connected() -> tuple[Flask, RecordingReporter]:
    """Make an application that logs as in production, and at once."""
    app, reporter = Flask("leaks"), RecordingReporter()
    app.config["HOLDFAST_REPORTERS"] = ["logging"]
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
