"""Log lines are JSON that every reader of logs takes, or plain lines a person reads."""

import io
import json
import logging
import logging.config
import math
import sys
from collections.abc import Generator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.integrations.conftest import (
    SENSITIVE_KEYS,
    burials,
    canaries,
    hide,
    need,
    secrets_in_text,
)

need("pythonjsonlogger")

from holdfast.codes import Severity  # noqa: E402  # not before the library is known to be there
from holdfast.context import bind, work_context  # noqa: E402
from holdfast.errors import AppError, DatabaseError, ValidationError  # noqa: E402
from holdfast.events import Event  # noqa: E402
from holdfast.integrations import jsonlogger  # noqa: E402
from holdfast.origin import Origin  # noqa: E402
from holdfast.runtime import Runtime  # noqa: E402
from holdfast.settings import LoggingSettings, ReportingSettings, Settings, SettingsError  # noqa: E402

NAME = "holdfast_json_under_test"
ORIGIN = Origin(boundary="django.request", operation="GET /orders/<id>", path="/orders/7")


@pytest.fixture(autouse=True)
def logger() -> Generator[logging.Logger]:
    """Give the logger under test, and leave it as it was."""
    found = logging.getLogger(NAME)
    yield found
    found.handlers.clear()
    found.propagate = True
    found.setLevel(logging.NOTSET)


def runtime(form: str = "json") -> Runtime:
    """Make a runtime that logs at once in a format."""
    logs = LoggingSettings(logger=NAME, format=form)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # one of the literals
    return Runtime(
        Settings(reporters=("logging",), reporting=ReportingSettings(inline=True), logging=logs)
    )


def no_constant(name: str) -> object:
    """Refuse what is no JSON."""
    raise AssertionError(name)


def parsed(line: str) -> dict[str, object]:
    """Read a line as strict JSON."""
    found: dict[str, object] = json.loads(line, parse_constant=no_constant)
    return found


def raised(error: BaseException) -> BaseException:
    """Raise an exception and catch it, so that it has a traceback."""
    try:
        raise error
    except type(error):
        return error


def test_an_error_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Time, level, logger, message and every fact stand in one object, the traceback among them."""
    made = runtime()

    with work_context("4bf92f3577b34da6a3ce929d0e0e4736"), bind(customer=7):
        verdict = made.handle(raised(KeyError("sku")), ORIGIN)

    (line,) = capsys.readouterr().err.splitlines()
    facts = parsed(line)
    assert verdict.record is not None
    assert datetime.fromisoformat(str(facts["timestamp"])) == verdict.record.time
    assert datetime.fromisoformat(str(facts["timestamp"])).utcoffset() == timedelta(0)
    assert str(facts.pop("traceback")).startswith("Traceback (most recent call last):\n")
    assert {name: facts[name] for name in facts if name != "timestamp"} == {
        "level": "ERROR",
        "service": "app",
        "logger": NAME,
        "message": "INTERNAL_ERROR at GET /orders/<id>: 'sku'",
        "event": "error.handled",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "record_id": verdict.record.id,
        "code": "INTERNAL_ERROR",
        "kind": "INTERNAL",
        "fault": "SERVICE",
        "status": 500,
        "transient": False,
        "trusted": False,
        "fingerprint": verdict.record.fingerprint,
        "origin": "django.request",
        "operation": "GET /orders/<id>",
        "error_type": "KeyError",
        "path": "/orders/7",
        "fields": {"customer": 7},
    }


def test_infinity_and_nan_are_written_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    """Python would write them as words that no other reader of JSON takes."""
    made = runtime()

    made.handle(ValidationError("no", details={"operands": [math.inf, math.nan, 1.5]}), ORIGIN)

    facts = parsed(capsys.readouterr().err)
    assert facts["details"] == {"operands": ["inf", "nan", 1.5]}


def test_attaching_twice_leaves_one_handler(logger: logging.Logger) -> None:
    """Several runtimes on one logger do not write every line several times; the last format holds."""
    runtime("json")
    runtime("json")
    jsonlogger.attach_handler(NAME, "plain", "WARNING")

    (handler,) = logger.handlers
    assert not isinstance(handler.formatter, type(jsonlogger.json_formatter()))
    assert logger.level == logging.WARNING
    assert not logger.propagate


def test_a_projects_own_handler_stays(logger: logging.Logger) -> None:
    """Ours stands beside it."""
    own = logging.NullHandler()
    logger.addHandler(own)

    runtime()

    assert own in logger.handlers
    assert len(logger.handlers) == 2


def test_a_plain_line_is_readable_and_has_its_traceback_below(
    capsys: pytest.CaptureFixture[str], logger: logging.Logger
) -> None:
    """Time in UTC, level, logger, trace id and message; a line without a trace id has a dash."""
    made = runtime("plain")

    with work_context("job-42"):
        made.handle(raised(KeyError("sku")), ORIGIN)
    logger.info("something else")

    lines = capsys.readouterr().err.splitlines()
    assert lines[0].endswith(
        f"Z ERROR    {NAME} [job-42] INTERNAL_ERROR at GET /orders/<id>: 'sku'"
    )
    assert lines[1] == "Traceback (most recent call last):"
    assert lines[-1].endswith(f"Z INFO     {NAME} [] something else")


def event() -> Event:
    """Make an event that is no error's record."""
    return Event(
        name="job.failed",
        severity=Severity.WARNING,
        time=datetime(2024, 1, 15, tzinfo=UTC),
        attributes={"job": "nightly", "exit_status": 9, "reason": "first\nsecond"},
    )


@pytest.mark.usefixtures("logger")
def test_a_plain_line_of_an_event_says_its_attributes(capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody has to look up elsewhere which job failed, and how."""
    runtime("plain").dispatcher.emit(event())

    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(r' job.failed job=nightly exit_status=9 reason="first\nsecond"')


@pytest.mark.usefixtures("logger")
def test_a_json_line_of_an_event_says_its_attributes_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """They are fields; the message is the event's name."""
    runtime().dispatcher.emit(event())

    facts = parsed(capsys.readouterr().err)
    assert (facts["message"], facts["job"], facts["exit_status"]) == ("job.failed", "nightly", 9)
    assert facts["reason"] == "first\nsecond"


def test_the_applications_lines_take_part_in_a_configuration(
    monkeypatch: pytest.MonkeyPatch, logger: logging.Logger
) -> None:
    """Formatter and filter go into a project's own dictConfig by their dotted names."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "filters": {"trace": {"()": "holdfast.integrations.jsonlogger.TraceContextFilter"}},
            "formatters": {"json": {"()": "holdfast.integrations.jsonlogger.json_formatter"}},
            "handlers": {
                "console": {
                    "class": "logging.StreamHandler",
                    "formatter": "json",
                    "filters": ["trace"],
                }
            },
            "loggers": {NAME: {"handlers": ["console"], "level": "INFO", "propagate": False}},
        }
    )

    with work_context("job-42"):
        logger.info("stock is low", extra={"sku": 881})

    facts = parsed(stream.getvalue())
    assert (facts["message"], facts["trace_id"], facts["sku"]) == ("stock is low", "job-42", 881)


def test_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON without python-json-logger says what to install; plain text does without."""
    monkeypatch.setitem(sys.modules, "pythonjsonlogger.json", None)

    with pytest.raises(SettingsError, match=r'REPORTERS\[0\].*pip install "holdfast\[json\]"'):
        runtime("json")
    jsonlogger.attach_handler(NAME, "plain", "INFO")


@given(canaries, secrets_in_text, st.sampled_from(SENSITIVE_KEYS), burials)
def test_no_secret_is_in_a_line(canary: str, shape: str, key: str, steps: list[str]) -> None:
    """Message, cause, notes, details, fields and path come out clean, however nested; and as JSON."""
    made, stream = runtime(), io.StringIO()
    logger = logging.getLogger(NAME)
    logger.handlers[0].close()
    logger.handlers = [logging.StreamHandler(stream)]
    logger.handlers[0].setFormatter(jsonlogger.json_formatter())
    facts = hide(canary, steps, shape, key)
    error = DatabaseError(shape.format(canary), details={"facts": facts})
    error.add_note(shape.format(canary))
    error.__cause__ = KeyError(shape.format(canary))
    origin = Origin(boundary="job", operation="import", path=f"/a?token={canary}")

    with work_context(), bind(facts=facts, **{key: canary}):
        made.handle(raised(error), origin)

    assert parsed(stream.getvalue())["code"] == "DATABASE_ERROR"
    assert canary not in stream.getvalue()


odd = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters()), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(odd, st.text(st.characters()))
def test_every_line_is_strict_json_in_one_line(value: object, text: str) -> None:
    """Whatever is in an error's details and message, a line stays one line of JSON."""
    made, stream = runtime(), io.StringIO()
    logger = logging.getLogger(NAME)
    logger.handlers = [logging.StreamHandler(stream)]
    logger.handlers[0].setFormatter(jsonlogger.json_formatter())

    made.handle(AppError(f"m{text}", details={"value": value, "set": {1}, "self": made}), ORIGIN)

    assert stream.getvalue().count("\n") == 1
    assert parsed(stream.getvalue())["code"] == "INTERNAL_ERROR"
    assert made.dispatcher.deliveries()[0].failed == 0
