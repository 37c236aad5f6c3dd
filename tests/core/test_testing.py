"""What tests of other projects use: a clock one sets, and a runtime that keeps its events."""

from datetime import UTC, datetime, timedelta

from holdfast.classify import Rule
from holdfast.codes import ErrorCode, Severity
from holdfast.events import Event
from holdfast.origin import Origin
from holdfast.settings import Settings
from holdfast.testing import FakeClock, RecordingReporter, RecordingRuntime

HERE = Origin(boundary="test")


def test_a_clock_stands_still_until_it_is_told() -> None:
    """Both times of a clock go on together, and only when asked."""
    start = datetime(2030, 1, 1, tzinfo=UTC)
    clock = FakeClock(start)

    assert (clock.monotonic(), clock.now()) == (0.0, start)
    clock.advance(2.5)
    clock.advance(0.5)

    assert (clock.monotonic(), clock.now()) == (3.0, start + timedelta(seconds=3))


def test_a_reporter_keeps_events_and_knows_the_records() -> None:
    """Every event is kept in order; the records are those of handled errors."""
    reporter = RecordingReporter()
    other = Event(name="a.b", severity=Severity.INFO, time=datetime(2030, 1, 1, tzinfo=UTC))
    runtime = RecordingRuntime()
    runtime.handle(ValueError(), HERE)

    reporter.report(other)
    reporter.report(runtime.recorded.events[0])

    assert reporter.events == [other, *runtime.recorded.events]
    assert reporter.records == runtime.recorded.records


def test_a_recording_runtime_delivers_at_once() -> None:
    """The record is there when `handle` returns, also under settings of one's own."""
    for settings in (None, Settings(reporters=(), service="shop")):
        runtime = RecordingRuntime(settings)

        verdict = runtime.handle(ValueError(), HERE)

        assert runtime.recorded.records == [verdict.record]
        assert runtime.settings.service == ("app" if settings is None else "shop")


def test_a_recording_runtime_takes_rules() -> None:
    """An adapter's rules can be tested with it."""
    runtime = RecordingRuntime(rules=[Rule(match=KeyError, code=ErrorCode.STATE_CONFLICT)])

    runtime.handle(KeyError(), HERE)

    assert [record.classification.status for record in runtime.recorded.records] == [409]
