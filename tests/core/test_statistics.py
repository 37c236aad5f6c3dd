"""Errors and requests are counted as they happen, whoever raises them, wherever and whenever."""

import json
import signal
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast import job
from holdfast.codes import Severity
from holdfast.environment import activated
from holdfast.errors import AppError, ResourceNotFoundError
from holdfast.events import Event, Scalar
from holdfast.hooks.consumers import IncomingMessage, consumer
from holdfast.origin import Origin
from holdfast.record import ErrorHandled
from holdfast.reporting.statistics import ErrorStatistics, Recent, Tap
from holdfast.reporting.statistics.counting import MAX_HEARD
from holdfast.reporting.statistics.ledger import MAX_CODES, MAX_EVENTS, MAX_OPERATIONS
from holdfast.reporting.statistics.tap import MAX_WAITING
from holdfast.testing import FakeClock, RecordingRuntime

LENGTHS = (60.0, 300.0, 900.0, 3600.0)
ORIGIN = Origin(boundary="django.request", operation="GET /orders/<id>")


def _sample() -> ErrorHandled:
    runtime = RecordingRuntime()
    runtime.handle(KeyError("sku"), ORIGIN)
    (event,) = runtime.recorded.events
    assert isinstance(event, ErrorHandled)
    return event


SAMPLE = _sample()


def error(
    code: str = "INTERNAL_ERROR",
    operation: str = ORIGIN.operation,
    fingerprint: str = "f",
    *,
    recovered: bool = False,
) -> ErrorHandled:
    """Make the event of an error."""
    record = SAMPLE.record
    record = replace(
        record,
        classification=replace(record.classification, code=code),
        origin=replace(record.origin, operation=operation),
        fingerprint=fingerprint,
    )
    attributes = {**SAMPLE.attributes, "recovered": True} if recovered else SAMPLE.attributes
    return replace(SAMPLE, record=record, attributes=attributes)


def took(name: str, seconds: Scalar) -> Event:
    """Make an event with a duration."""
    time = SAMPLE.time
    attributes: Mapping[str, Scalar] = {"job": "nightly", "duration": seconds}
    return Event(name=name, severity=Severity.INFO, time=time, attributes=attributes)


def in_threads(*work: Callable[[], None]) -> None:
    """Run functions at the same time, each on a thread."""
    threads = [threading.Thread(target=one) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def take_from(tap: Tap, into: Counter[str]) -> None:
    """Add up what a tap gives; the sum, too, is written by several threads."""
    got = tap.take()
    with _adding:
        for labels, errors in got.errors.items():
            into[labels.code] += errors
        into["requests"] += got.requests


_adding = threading.Lock()


def test_a_runtime_counts_what_it_handles() -> None:
    """By code, kind, fault, boundary, operation and fingerprint, out of how many requests."""
    runtime = RecordingRuntime()
    for _ in range(8):
        runtime.statistics.request()
    for _ in range(2):
        runtime.handle(ResourceNotFoundError("no order"), ORIGIN)
    record = runtime.handle(KeyError("sku"), Origin(boundary="job", operation="import")).record
    assert record is not None

    seen = runtime.statistics.snapshot()

    assert (seen.total_errors, seen.recovered_errors, seen.requests) == (3, 0, 8)
    assert seen.error_rate == 3 / 8
    assert seen.by_code.totals() == {"RESOURCE_NOT_FOUND": 2, "INTERNAL_ERROR": 1}
    assert seen.by_kind.totals() == {"NOT_FOUND": 2, "INTERNAL": 1}
    assert seen.by_fault.totals() == {"CALLER": 2, "SERVICE": 1}
    assert seen.by_boundary.totals() == {"django.request": 2, "job": 1}
    assert seen.by_operation.totals() == {"GET /orders/<id>": 2, "import": 1}
    assert seen.by_fingerprint[record.fingerprint].total == 1
    assert seen.by_fingerprint[record.fingerprint].about == "INTERNAL_ERROR"
    assert seen.errors == Recent(3, 3, 3, 3)
    assert seen.error_rates == Recent(3 / 8, 3 / 8, 3 / 8, 3 / 8)


def test_the_last_error_is_known() -> None:
    """Everything a monitor is to be told of it."""
    runtime = RecordingRuntime()
    assert runtime.statistics.snapshot().last_error is None
    runtime.handle(ResourceNotFoundError("no order"), ORIGIN)
    record = runtime.handle(KeyError("sku"), ORIGIN).record
    assert record is not None

    last = runtime.statistics.snapshot().last_error

    assert last is not None
    assert (last.code, last.type, last.status) == ("INTERNAL_ERROR", "KeyError", 500)
    assert (last.operation, last.boundary) == (ORIGIN.operation, ORIGIN.boundary)
    assert (last.time, last.trace_id) == (record.time, record.trace_id)
    assert (last.record_id, last.fingerprint) == (record.id, record.fingerprint)


def test_json_has_the_names_that_monitors_read() -> None:
    """Totals under stable names; before the first error they are there, and nothing."""
    runtime = RecordingRuntime()
    names = ("total_errors", "errors_by_code", "errors_by_endpoint", "error_rate")
    empty = json.loads(json.dumps(runtime.statistics.snapshot().as_json()))
    runtime.statistics.request()
    runtime.handle(ResourceNotFoundError("no order"), ORIGIN)
    runtime.emit(took("job.succeeded", 2.0))

    said = json.loads(json.dumps(runtime.statistics.snapshot().as_json()))

    assert [empty[name] for name in names] == [0, {}, {}, 0.0]
    assert empty["last_error_time"] is empty["last_error"] is None
    by_code, by_endpoint = {"RESOURCE_NOT_FOUND": 1}, {"GET /orders/<id>": 1}
    assert [said[name] for name in names] == [1, by_code, by_endpoint, 1.0]
    assert said["last_error_time"] == said["last_error"]["time"] == "2024-01-15T10:30:00+00:00"
    assert said["last_error"]["operation"] == "GET /orders/<id>"
    assert said["codes"]["RESOURCE_NOT_FOUND"]["first_seen"] == "2024-01-15T10:30:00+00:00"
    assert said["recent"]["errors_per_second"]["minute"] == pytest.approx(1 / 60, abs=1e-5)
    assert said["durations"]["job.succeeded"]["mean"] == 2.0


def test_errors_that_were_recovered_from_are_told_apart() -> None:
    """They count as errors, and not as what came to somebody."""
    statistics = ErrorStatistics(FakeClock())
    for _ in range(4):
        statistics.request()

    statistics.hear(error("CACHE_AWAY", recovered=True))
    statistics.hear(error("CACHE_AWAY"))

    seen = statistics.snapshot()
    assert (seen.total_errors, seen.recovered_errors) == (2, 1)
    assert (seen.by_code["CACHE_AWAY"].total, seen.by_code["CACHE_AWAY"].recovered) == (2, 1)
    assert seen.error_rate == seen.error_rates.minute == 1 / 4
    assert (seen.errors.minute, seen.recovered.minute) == (2, 1)


def test_no_error_and_no_request_is_lost_among_threads() -> None:
    """Eight threads that count while others read: every error is there once, and in every view."""
    statistics, each = ErrorStatistics(), 3000
    events = [error(f"CODE_{number}", f"GET /{number}") for number in range(7)]
    taps = [statistics.tap() for _ in range(2)]
    taken: list[Counter[str]] = [Counter(), Counter()]

    def count() -> None:
        for number in range(each):
            statistics.request()
            statistics.hear(events[number % len(events)])

    def read() -> None:
        for _ in range(50):
            seen = statistics.snapshot()
            assert sum(seen.by_code.totals().values()) == seen.total_errors
            take_from(taps[0], taken[0])

    in_threads(*[count] * 8, read, read)
    take_from(taps[0], taken[0])
    take_from(taps[1], taken[1])

    seen = statistics.snapshot()
    assert (seen.total_errors, seen.requests) == (8 * each, 8 * each)
    by_code = {f"CODE_{n}": 8 * len(range(n, each, 7)) for n in range(7)}
    assert seen.by_code.totals() == by_code
    assert seen.errors.hour == 8 * each
    assert taken[0] == taken[1] == by_code | {"requests": 8 * each}


@given(
    st.lists(
        st.tuples(
            st.one_of(st.floats(0, 20), st.floats(0, 600), st.floats(0, 20_000)),
            st.sampled_from("ABC"),
            st.integers(1, 400),
            st.booleans(),
        ),
        max_size=20,
    ),
    st.floats(0, 4000),
)
@settings(max_examples=60, deadline=None)
def test_windows_of_errors_are_right_within_the_stated_error(
    steps: list[tuple[float, str, int, bool]], after: float
) -> None:
    """Against a list of all moments, by code and in all; also read now and then in between."""
    clock = FakeClock()
    statistics = ErrorStatistics(clock)
    events = {code: error(code) for code in "ABC"}
    happened: list[tuple[float, str]] = []
    for passed, code, number, read in steps:
        clock.advance(passed)
        for _ in range(number):
            statistics.hear(events[code])
        happened += [(clock.monotonic(), code)] * number
        if read:
            statistics.snapshot()
    clock.advance(after)

    seen = statistics.snapshot()

    for codes, recent in [
        ("ABC", seen.errors),
        *((code, tally.recent) for code, tally in seen.by_code.items()),
    ]:
        moments = [moment for moment, code in happened if code in codes]
        for count, length in zip(recent, LENGTHS, strict=True):
            exact, at_edge = exactly(moments, clock.monotonic(), length)
            assert abs(count - exact) <= at_edge + 1e-6
    assert seen.total_errors == len(happened)


def exactly(moments: list[float], now: float, length: float) -> tuple[int, int]:
    """Return how many moments are within a window, and within the twelfth at its old edge."""
    width = length / 12
    edge = int(now / width) - 12
    exact = sum(now - length < moment <= now for moment in moments)
    return exact, sum(int(moment / width) == edge for moment in moments)


@given(
    st.lists(st.tuples(st.floats(0, 30), st.integers(0, 300), st.booleans()), max_size=60),
)
@settings(max_examples=60, deadline=None)
def test_requests_of_a_window_are_right_to_within_two_looks(
    steps: list[tuple[float, int, bool]],
) -> None:
    """An error or a snapshot looks at the counter: what began in between is taken as spread evenly."""
    clock = FakeClock()
    statistics, event = ErrorStatistics(clock), error()
    began: list[float] = []
    looks: list[float] = [0.0]
    for passed, number, look in steps:
        clock.advance(passed)
        for _ in range(number):
            statistics.request()
        began += [clock.monotonic()] * number
        if look:
            statistics.hear(event)
            looks.append(clock.monotonic())

    seen = statistics.snapshot()

    now = clock.monotonic()
    assert seen.requests == len(began)
    for count, length in zip(seen.recent_requests, LENGTHS, strict=True):
        exact, _ = exactly(began, now, length)
        # Of the time around the old edge: from the look before to the look after, and a slot more,
        # because an error looks but once in a slot; and the twelfth of the window.
        old = now - length
        before = max((look for look in looks if look <= old - length / 12 - 5), default=0.0)
        after = min((look for look in looks if look > old), default=now) + 5
        unsure = sum(before <= moment <= after for moment in began)
        assert abs(count - exact) <= unsure + 1e-6


def test_a_steady_rate_of_errors_is_read_as_it_is() -> None:
    """Ten requests a second, of which one in a hundred fails, for two hours."""
    clock = FakeClock()
    statistics, event = ErrorStatistics(clock), error()
    for second in range(2 * 3600):
        clock.advance(1)
        for _ in range(10):
            statistics.request()
        if second % 10 == 0:
            statistics.hear(event)

    seen = statistics.snapshot()

    assert seen.error_rate == 0.01
    assert list(seen.error_rates) == pytest.approx([0.01] * 4, rel=0.05)
    assert list(seen.recent_requests.per_second()) == pytest.approx([10] * 4, rel=0.05)


def test_time_that_jumps_ahead_empties_the_windows_and_loses_no_error() -> None:
    """A suspended machine comes back hours later."""
    clock = FakeClock()
    statistics = ErrorStatistics(clock)
    statistics.request()
    statistics.hear(error())

    clock.advance(5 * 3600)
    statistics.hear(error())

    seen = statistics.snapshot()
    assert (seen.total_errors, seen.errors.hour) == (2, 1)
    assert seen.by_code["INTERNAL_ERROR"].last_seen == SAMPLE.time


@given(st.lists(st.floats(-20_000, 20_000), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_time_that_goes_back_stands_still(jumps: list[float]) -> None:
    """Nothing raises, no error is lost, and the windows go on from where they were, to a slot."""
    clock = FakeClock()
    statistics, event = ErrorStatistics(clock), error()
    for jump in jumps:
        clock.advance(jump)
        statistics.request()
        statistics.hear(event)
    seen = statistics.snapshot()
    clock.advance(-50_000)
    still = statistics.snapshot()
    clock.advance(3600 + 300 + 10)

    later = statistics.snapshot()

    assert (seen.total_errors, seen.requests) == (len(jumps), len(jumps))
    pairs = list(zip(seen.errors, still.errors, strict=True))
    # The part of the oldest slot that was gone may come back; nothing else changes.
    assert all(before <= now + 1e-6 <= len(jumps) + 1e-5 for before, now in pairs)
    assert later.errors == Recent(0, 0, 0, 0)
    assert later.total_errors == len(jumps)


def test_series_stay_few_in_a_flood_of_codes_operations_and_fingerprints() -> None:
    """Thirty thousand different ones, and what keeps failing is still told apart."""
    statistics, lasting = ErrorStatistics(FakeClock()), error("LASTING", "GET /checkout", "lasting")

    for number in range(30_000):
        statistics.hear(error(f"CODE_{number}", f"GET /{number}\n\ud800", f"{number:x}"))
        if number % 20 == 0:
            statistics.hear(lasting)

    seen = statistics.snapshot()
    assert len(seen.by_code) <= MAX_CODES + 1
    assert len(seen.by_operation) <= MAX_OPERATIONS + 1
    for tallies in (seen.by_code, seen.by_operation, seen.by_fingerprint):
        assert sum(tallies.totals().values()) == seen.total_errors == 31_500
        assert tallies.folded > 25_000
    assert seen.by_code["LASTING"].total == seen.by_operation["GET /checkout"].total == 1500
    json.dumps(seen.as_json(), ensure_ascii=False).encode("utf-8")


def test_durations_are_summed_up_by_event() -> None:
    """Of every event that tells seconds; what is no duration is passed over."""
    statistics = ErrorStatistics(FakeClock())

    for seconds in range(1, 101):
        statistics.hear(took("job.succeeded", seconds))
    for nonsense in (True, False, "3.5", None, -1.0, float("nan"), float("inf"), 10**400):
        statistics.hear(took("job.failed", nonsense))

    seen = statistics.snapshot()
    assert list(seen.durations) == ["job.succeeded"]
    summary = seen.durations["job.succeeded"]
    assert (summary.count, summary.mean, summary.longest) == (100, 50.5, 100)
    assert summary.p95 == pytest.approx(95, rel=0.05)
    assert seen.total_errors == 0


def test_names_of_events_with_durations_stay_few() -> None:
    """What an application calls its events does not fill the memory."""
    statistics = ErrorStatistics(FakeClock())

    for number in range(10 * MAX_EVENTS):
        statistics.hear(took(f"app.event_{number}", 1.0))

    durations = statistics.snapshot().durations
    assert len(durations) == MAX_EVENTS + 1
    assert durations["other"].count == 9 * MAX_EVENTS


def test_a_tap_gives_every_count_once() -> None:
    """From the moment it was made, each to each of several."""
    statistics = ErrorStatistics(FakeClock())
    statistics.request()
    statistics.hear(error("EARLIER"))
    one, two = statistics.tap(), statistics.tap()
    statistics.request()
    statistics.hear(error("A", recovered=True))
    statistics.hear(error("A"))
    statistics.hear(took("job.succeeded", 1.5))

    first = one.take()
    statistics.hear(error("A"))
    second, all_ = one.take(), two.take()

    told = {(labels.code, labels.recovered): n for labels, n in first.errors.items()}
    assert told == {("A", True): 1, ("A", False): 1}
    assert (first.requests, first.durations) == (1, (("job.succeeded", 1.5),))
    assert (second.requests, second.durations, sum(second.errors.values())) == (0, (), 1)
    assert sum(all_.errors.values()) == 3
    assert dict(all_.last) == {"SERVICE": SAMPLE.time}
    assert one.take().errors == {}


def test_a_tap_that_nobody_takes_from_stays_small_and_right() -> None:
    """Beyond a bound codes and operations are not told apart; every error is still given."""
    statistics = ErrorStatistics(FakeClock())
    tap = statistics.tap()

    for number in range(3 * MAX_WAITING):
        statistics.hear(error(f"CODE_{number}"))

    taken = tap.take()
    assert len(taken.errors) == MAX_WAITING + 1
    assert sum(taken.errors.values()) == 3 * MAX_WAITING


class Interrupting(FakeClock):
    """A clock in whose reading a further error comes up, as in that of a signal handler."""

    interrupt: Callable[[], None] | None = None

    def monotonic(self) -> float:
        """Return the time, after the error."""
        interrupt, self.interrupt = self.interrupt, None
        if interrupt is not None:
            interrupt()
        return super().monotonic()


def test_an_error_in_the_middle_of_reading_neither_waits_nor_is_lost() -> None:
    """Signal handlers and finalisers run on the thread that holds the lock."""
    clock = Interrupting()
    statistics = ErrorStatistics(clock)

    def interrupt() -> None:
        clock.advance(100)  # into another slot
        for _ in range(2 * MAX_HEARD):
            statistics.hear(error())

    clock.interrupt = interrupt
    statistics.snapshot()

    assert statistics.snapshot().total_errors == 2 * MAX_HEARD


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no such signals")
def test_errors_of_a_signal_handler_are_counted() -> None:
    """Whatever the main thread is doing when the signal comes."""
    statistics, event, handled = ErrorStatistics(), error(), [0]

    def on_signal(*_: object) -> None:
        handled[0] += 1
        statistics.hear(event)

    before = signal.signal(signal.SIGALRM, on_signal)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    try:
        counted = 0
        while handled[0] < 100:
            statistics.hear(event)
            statistics.snapshot()
            counted += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

    assert statistics.snapshot().total_errors == counted + handled[0]


def test_a_job_and_a_message_are_requests(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever becomes of them, each counts once where it begins."""
    monkeypatch.setenv("HOLDFAST_STATE", str(tmp_path))
    runtime = RecordingRuntime()

    @job("nightly", lock=None)
    def nightly() -> None:
        """Do nothing."""

    @consumer("orders")
    def ship() -> None:
        raise AppError("no stock", code="OUT_OF_STOCK")

    with activated(runtime):
        nightly()
        ship(IncomingMessage())

    seen = runtime.statistics.snapshot()
    assert (seen.requests, seen.total_errors) == (2, 1)
    assert seen.durations["job.succeeded"].count == 1
