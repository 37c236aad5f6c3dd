"""An error that is only logged is handled, once, and logging goes on as it was."""

import logging
import logging.config
import sys
import threading
from collections.abc import Generator

import pytest

from holdfast import Origin, Runtime, Settings
from holdfast.events import Event
from holdfast.handler import Next, Verdict
from holdfast.hooks import bridge
from holdfast.hooks.bridge import LoggingBridge, is_first_line
from holdfast.origin import ErrorContext
from holdfast.record import ErrorHandled
from holdfast.settings import HooksSettings
from holdfast.testing import RecordingRuntime

ONLY_THIS = HooksSettings(uncaught=False, processes=False, asyncio=False)
LOGGER = logging.getLogger("shop.orders")


@pytest.fixture
def runtime() -> Generator[RecordingRuntime]:
    """Install a runtime that listens to logging."""
    runtime = RecordingRuntime(Settings(reporters=(), hooks=ONLY_THIS))
    runtime.install()
    yield runtime
    runtime.uninstall()


def caught(error: BaseException) -> BaseException:
    """Return an exception that has been raised."""
    try:
        raise error
    except BaseException as raised:  # noqa: BLE001  # exits included
        return raised


def test_an_error_that_is_only_logged_is_handled(runtime: RecordingRuntime) -> None:
    """The record names the logger, the template of the line, and its level."""
    LOGGER.error("order %s failed", 7, exc_info=caught(LookupError("no row")))

    (record,) = runtime.recorded.records
    assert (record.origin.boundary, record.origin.operation) == ("log", "shop.orders")
    assert record.origin.attributes == {"said": "order %s failed", "level": "ERROR"}
    assert record.type == "LookupError"


def test_an_error_that_is_logged_again_counts_once(runtime: RecordingRuntime) -> None:
    """Several lines about one exception, or about what was raised from it, are one error."""
    error = caught(LookupError("no row"))
    LOGGER.error("first", exc_info=error)
    LOGGER.critical("second", exc_info=error)
    outer = ValueError("no order")
    outer.__cause__ = error
    LOGGER.error("third", exc_info=outer)

    assert len(runtime.recorded.records) == 1


def test_an_error_that_was_handled_is_not_counted_again_for_its_line(
    runtime: RecordingRuntime,
) -> None:
    """Frameworks log what their boundary has handled."""
    error = caught(LookupError("no row"))
    runtime.handle(error, Origin(boundary="job", operation="import"))

    LOGGER.error("failed", exc_info=error)

    assert [record.origin.boundary for record in runtime.recorded.records] == ["job"]


@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO, logging.WARNING])
def test_a_line_below_error_is_no_error(runtime: RecordingRuntime, level: int) -> None:
    """Who logs a traceback as a warning has decided that it is none."""
    LOGGER.log(level, "retried", exc_info=caught(LookupError("no row")))

    assert runtime.recorded.records == []


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt()])
def test_control_flow_is_no_error(runtime: RecordingRuntime, error: BaseException) -> None:
    """An exit may be logged without becoming an error."""
    LOGGER.error("leaving", exc_info=caught(error))

    assert runtime.recorded.records == []


def test_a_line_without_an_exception_is_no_error(runtime: RecordingRuntime) -> None:
    """Neither one that says nothing of any, nor one that asks for it where there is none."""
    LOGGER.error("odd")
    LOGGER.error("odd", exc_info=True)  # noqa: LOG014  # as people do
    logging.makeLogRecord({"exc_info": sys.exc_info(), "levelno": logging.ERROR})

    assert runtime.recorded.records == []


@pytest.mark.parametrize(
    "logger", ["holdfast", "holdfast.jobs", "sentry_sdk.errors", "urllib3.pool"]
)
def test_lines_of_those_who_report_are_passed_over(runtime: RecordingRuntime, logger: str) -> None:
    """To report what reporters say of themselves would go in circles."""
    logging.getLogger(logger).error("odd", exc_info=caught(OSError("no route")))

    assert runtime.recorded.records == []


def test_a_logger_may_be_left_to_others(runtime: RecordingRuntime) -> None:
    """Who hears of a logger's errors first-hand has it ignored with all below, until it is heeded again."""
    bridge.hook.ignore("shop")
    LOGGER.error("failed", exc_info=caught(LookupError("no row")))
    logging.getLogger("shopping").error("failed", exc_info=caught(LookupError("no cart")))
    bridge.hook.heed("shop", "holdfast")
    LOGGER.error("failed", exc_info=caught(LookupError("no other row")))
    logging.getLogger("holdfast").error("odd", exc_info=caught(OSError("no route")))

    assert [record.message for record in runtime.recorded.records] == ["no cart", "no other row"]


def test_handlers_and_propagation_make_no_difference(
    runtime: RecordingRuntime,
) -> None:
    """Whoever configures logging anew, or keeps a logger to itself, is heard all the same."""
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})
    quiet = logging.getLogger("shop.quiet")
    quiet.propagate = False
    quiet.addHandler(logging.NullHandler())

    quiet.error("failed", exc_info=caught(LookupError("no row")))

    assert len(runtime.recorded.records) == 1


def test_what_is_switched_off_is_not_heard(runtime: RecordingRuntime) -> None:
    """A logger's level decides what is made a record of at all."""
    deaf = logging.getLogger("shop.deaf")
    deaf.setLevel(logging.CRITICAL)

    deaf.error("failed", exc_info=caught(LookupError("no row")))

    assert runtime.recorded.records == []


def test_a_message_is_not_asked_for_its_text(runtime: RecordingRuntime) -> None:
    """Whatever was logged in the place of a template goes by its class: its code may fail, or log."""

    class Message:
        """Cannot be read."""

        def __str__(self) -> str:
            raise AssertionError("asked")

    record = logging.getLogRecordFactory()(
        "shop", logging.ERROR, "", 0, Message(), (), (OSError, caught(OSError()), None)
    )

    assert isinstance(record.msg, Message)
    (seen,) = runtime.recorded.records
    assert str(seen.origin.attributes["said"]).endswith("Message")


def test_a_reporter_that_logs_its_own_failure_is_not_heard() -> None:
    """What happens while a record is delivered goes no further."""

    class Chatty:
        """Logs an error for each that it is told of."""

        name = "chatty"

        def __init__(self) -> None:
            self.seen: list[str] = []

        def report(self, event: Event) -> None:
            assert isinstance(event, ErrorHandled)
            self.seen.append(event.record.message)
            LOGGER.error("cannot report", exc_info=caught(OSError("no route")))

    chatty = Chatty()
    runtime = Runtime(Settings(reporters=(), hooks=ONLY_THIS), reporters=[chatty])
    runtime.install()
    try:
        LOGGER.error("failed", exc_info=caught(LookupError("no row")))
        assert runtime.flush()
    finally:
        runtime.uninstall()
        runtime.close()

    assert chatty.seen == ["no row"]


def logging_step(error: BaseException, context: ErrorContext, following: Next) -> Verdict:
    """Log the error that the pipeline is at, and another."""
    LOGGER.error("handling", exc_info=error)
    LOGGER.error("trouble", exc_info=caught(OSError("of the step itself")))
    return following(error, context)


def test_a_step_of_the_pipeline_may_log() -> None:
    """What is logged while an error is handled is no further error, and the first keeps its origin."""
    step = f"{__name__}:logging_step"
    runtime = RecordingRuntime(Settings(reporters=(), hooks=ONLY_THIS, middleware=(step,)))
    runtime.install()
    try:
        runtime.handle(caught(LookupError("no row")), Origin(boundary="job"))
        LOGGER.error("failed", exc_info=caught(LookupError("no other row")))
    finally:
        runtime.uninstall()

    seen = [(record.origin.boundary, record.message) for record in runtime.recorded.records]
    assert seen == [("job", "no row"), ("log", "no other row")]


def test_threads_do_not_silence_each_other(runtime: RecordingRuntime) -> None:
    """While one thread hands over an error, those of others are heard."""

    def log() -> None:
        LOGGER.error("failed", exc_info=caught(LookupError("no row")))

    threads = [threading.Thread(target=log) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(runtime.recorded.records) == 10


def test_the_factory_before_is_used_and_put_back() -> None:
    """Records are made by whoever made them; once we are gone nothing of ours is left."""
    listening = LoggingBridge()
    before = logging.getLogRecordFactory()

    class Special(logging.LogRecord):
        """What the project makes of its lines."""

    logging.setLogRecordFactory(Special)
    try:
        listening.install()
        listening.install()
        made = LOGGER.makeRecord("shop", logging.ERROR, "", 0, "failed", (), None)
        listening.uninstall()
        listening.uninstall()
        found = logging.getLogRecordFactory()
    finally:
        logging.setLogRecordFactory(before)

    assert isinstance(made, Special)
    assert found is Special


def test_a_factory_that_came_on_top_stays(runtime: RecordingRuntime) -> None:
    """Ours below it makes records, and hears nothing until it is put in place again; then once."""
    before = logging.getLogRecordFactory()

    def on_top(*args: object, **kwargs: object) -> logging.LogRecord:
        return before(*args, **kwargs)

    logging.setLogRecordFactory(on_top)
    try:
        runtime.uninstall()
        kept = logging.getLogRecordFactory()
        quiet = RecordingRuntime(
            Settings(reporters=(), hooks=HooksSettings(uncaught=False, logging=False))
        )
        quiet.install()
        LOGGER.error("failed", exc_info=caught(LookupError("unheard")))
        quiet.uninstall()
        runtime.install()
        LOGGER.error("failed", exc_info=caught(LookupError("heard")))
        runtime.uninstall()
    finally:
        logging.setLogRecordFactory(logging.LogRecord)

    assert kept is on_top
    assert quiet.recorded.records == []
    assert [record.message for record in runtime.recorded.records] == ["heard"]


def test_a_failure_of_ours_is_nobodys_business(
    runtime: RecordingRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever logs does not hear of it."""

    def broken(*_: object) -> None:
        raise RecursionError

    monkeypatch.setattr(bridge, "capture", broken)

    LOGGER.error("failed", exc_info=caught(LookupError("no row")))

    assert runtime.recorded.records == []


def test_a_line_knows_whether_it_is_the_first_word_of_its_error(
    runtime: RecordingRuntime,
) -> None:
    """Filters tell the only word of an error from one more of an error that was handled."""
    known = caught(LookupError("no row"))
    runtime.handle(known, Origin(boundary="job"))
    factory = logging.getLogRecordFactory()
    facts = ("shop", logging.ERROR, "", 0, "failed", ())

    first = factory(*facts, (OSError, caught(OSError()), None))
    again = factory(*facts, (LookupError, known, None))
    plain = factory(*facts, None)

    assert [is_first_line(line) for line in (first, again, plain)] == [True, False, False]
