"""Events through structlog, as projects set it up: by itself, and around the standard library."""

import io
import json
import logging
from collections.abc import Callable, Generator
from contextlib import suppress

import pytest

from holdfast import AppError, Origin, Runtime, Severity, ValidationError
from holdfast.context import work_context
from holdfast.events import Event, Scalar
from holdfast.settings import LoggingSettings, ReportingSettings, Settings
from tests.integrations.conftest import need

need("structlog")

import structlog  # noqa: E402  # is optional
from structlog.contextvars import bound_contextvars, merge_contextvars  # noqa: E402  # is optional

from holdfast.integrations.structlog import MAX_WAITING, StructlogReporter, add_trace_id  # noqa: E402

ORIGIN = Origin(boundary="job", operation="import")
Written = Callable[[], list[dict[str, object]]]


def by_itself(stream: io.StringIO) -> None:
    """Set structlog up without the standard library."""
    structlog.configure(
        processors=[
            merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(stream),
    )


def around_logging(stream: io.StringIO) -> None:
    """Set structlog up in front of the standard library, which renders its lines and others' alike."""
    shared = [merge_contextvars, structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, add_trace_id],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    for name in ("holdfast", "shop"):
        logging.getLogger(name).addHandler(handler)
        logging.getLogger(name).setLevel(logging.INFO)


@pytest.fixture(params=[by_itself, around_logging])
def written(request: pytest.FixtureRequest) -> Generator[Written]:
    """What structlog has written so far, a value for each line."""
    stream = io.StringIO()
    request.param(stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    structlog.reset_defaults()
    for name in ("holdfast", "shop"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).setLevel(logging.NOTSET)


@pytest.fixture
def runtime(written: Written) -> Generator[Runtime]:
    """A runtime that reports to structlog, on a thread of its own."""
    made = Runtime(Settings(service="shop", reporters=("structlog",)))
    yield made
    made.close()


def handle(runtime: Runtime, error: Exception) -> None:
    """Raise an error, have it handled, and wait until it is told."""
    with suppress(type(error)):
        try:
            raise error
        except type(error) as caught:
            runtime.handle(caught, ORIGIN)
            raise
    assert runtime.flush(5)


def test_an_error_is_one_line_with_its_facts(runtime: Runtime, written: Written) -> None:
    """As pairs, rendered once by the project's processors."""
    handle(runtime, AppError("broken, password=hunter2-canary", details={"order": 7}))

    (line,) = written()
    assert line["event"] == "error.handled"
    assert line["level"] == "error"
    assert line["service"] == "shop"
    assert (line["code"], line["operation"]) == ("INTERNAL_ERROR", "import")
    assert line["details"] == {"order": 7}
    assert "raise error" in str(line["exception"])
    assert "canary" not in str(line)


def test_facts_may_become_extra_fields_of_the_standard_library(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Which refuses names of its own; none of ours is one, and those of attributes are told apart."""
    structlog.configure(
        processors=[structlog.stdlib.render_to_log_kwargs],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    runtime = Runtime(Settings(reporters=("structlog",), reporting=ReportingSettings(inline=True)))
    attributes: dict[str, Scalar] = {"name": "mine", "method_name": "theirs", "message": "m"}
    time = runtime.clock.now()

    with caplog.at_level("INFO"):
        handle(runtime, AppError("broken"))
        runtime.emit(
            Event(name="job.late", severity=Severity.INFO, time=time, attributes=attributes)
        )

    structlog.reset_defaults()
    first, second = (line.__dict__ for line in caplog.records)
    assert first["error_message"] == "broken"
    assert (second["name_"], second["method_name_"], second["message_"]) == ("mine", "theirs", "m")


def test_the_level_is_the_severity(runtime: Runtime, written: Written) -> None:
    """And a caller's mistake has no traceback."""
    handle(runtime, ValidationError("no"))

    (line,) = written()
    assert line["level"] == "info"
    assert "exception" not in line


def test_what_is_bound_where_it_happens_is_in_the_line(runtime: Runtime, written: Written) -> None:
    """Although the line is written on another thread; and in no later one."""
    with bound_contextvars(tenant="acme"):
        handle(runtime, AppError("first"))
    handle(runtime, AppError("second"))

    first, second = written()
    assert first["tenant"] == "acme"
    assert "tenant" not in second


def test_what_is_bound_is_redacted(runtime: Runtime, written: Written) -> None:
    """By name and by value, as everything else in the line."""
    with bound_contextvars(password="hunter2-canary", note="card 4111 1111 1111 1111"):
        handle(runtime, AppError("broken"))

    (line,) = written()
    assert line["password"] == "[redacted]"
    assert "4111" not in str(line)


def test_any_event_is_a_line_under_its_name(runtime: Runtime, written: Written) -> None:
    """Names that structlog needs itself are told apart."""
    attributes: dict[str, Scalar] = {
        "job": "nightly",
        "event": "mine",
        "level": 3,
        "self": "x",
        "exc_info": "y",
    }

    runtime.emit(
        Event(
            name="job.failed 100%s",
            severity=Severity.WARNING,
            time=runtime.clock.now(),
            attributes=attributes,
        )
    )

    assert runtime.flush(5)
    (line,) = written()
    assert line["event"] == "job.failed 100%s"
    assert line["level"] == "warning"
    assert (line["job"], line["event_"], line["self_"], line["level_"]) == (
        "nightly",
        "mine",
        "x",
        3,
    )
    assert runtime.dispatcher.deliveries()[0].failed == 0


def test_what_is_below_the_level_is_not_written(written: Written) -> None:
    """The section of the log holds for structlog too."""
    settings = Settings(
        reporters=("structlog",),
        logging=LoggingSettings(level="ERROR"),
        reporting=ReportingSettings(inline=True),
    )
    runtime = Runtime(settings)

    handle(runtime, ValidationError("no"))

    assert written() == []


def test_a_projects_own_lines_get_the_trace_id(written: Written) -> None:
    """By a processor; an id that is there stays, and outside of any work there is none."""
    with work_context("job-42"):
        inside = add_trace_id(None, "info", {"event": "a"})
        kept = add_trace_id(None, "info", {"event": "a", "trace_id": "theirs"})
    outside = add_trace_id(None, "info", {"event": "a"})

    assert (inside["trace_id"], kept["trace_id"]) == ("job-42", "theirs")
    assert "trace_id" not in outside


def test_lines_of_the_standard_library_get_the_trace_id() -> None:
    """Where structlog renders them."""
    stream = io.StringIO()
    around_logging(stream)

    with work_context("job-42"):
        logging.getLogger("shop").warning("stock is low")

    logging.getLogger("shop").handlers.clear()
    logging.getLogger("holdfast").handlers.clear()
    structlog.reset_defaults()
    assert json.loads(stream.getvalue())["trace_id"] == "job-42"


def test_what_waits_is_bounded() -> None:
    """Events that are dropped on the way are not kept for ever."""
    reporter = StructlogReporter(labels={})
    time = Runtime(Settings(reporters=())).clock.now()

    with bound_contextvars(tenant="acme"):
        for _ in range(MAX_WAITING + 10):
            reporter.hear(Event(name="x", severity=Severity.ERROR, time=time))

    assert len(reporter._bound) == MAX_WAITING
