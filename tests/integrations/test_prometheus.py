"""Errors and reports are counted, with labels that stay few whatever callers send."""

import http.client
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.integrations.conftest import need

need("prometheus_client")

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest  # noqa: E402  # not before it is known to be there
from prometheus_client.metrics_core import Metric  # noqa: E402
from prometheus_client.multiprocess import MultiProcessCollector  # noqa: E402
from prometheus_client.openmetrics import parser as openmetrics  # noqa: E402
from prometheus_client.parser import text_string_to_metric_families  # noqa: E402

from holdfast.clock import SystemClock  # noqa: E402
from holdfast.codes import Severity  # noqa: E402
from holdfast.errors import AppError, ResourceNotFoundError  # noqa: E402
from holdfast.events import Event  # noqa: E402
from holdfast.integrations.prometheus import (  # noqa: E402
    MAX_ERRORS,
    MAX_EVENTS,
    MAX_OPERATIONS,
    PrometheusReporter,
    exposition,
    metrics_response,
)
from holdfast.origin import Origin  # noqa: E402
from holdfast.record import ErrorHandled  # noqa: E402
from holdfast.reporting.bound import MAX_VALUE, Bound  # noqa: E402
from holdfast.reporting.dispatcher import Reporter  # noqa: E402
from holdfast.runtime import Runtime  # noqa: E402
from holdfast.settings import ReportingSettings, Settings, SettingsError  # noqa: E402

SOURCE = Path(__file__).parents[2] / "packages" / "core" / "src"
ORIGIN = Origin(boundary="django.request", operation="GET /orders/<id>")
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


class Late(Runtime):
    """A runtime whose Prometheus reporter counts into a registry of the test's."""

    def __init__(
        self, registry: CollectorRegistry, *others: Reporter, service: str = "shop"
    ) -> None:
        relay = Relay()
        inline = ReportingSettings(inline=True)
        chosen = Settings(service=service, reporters=(), reporting=inline)
        super().__init__(chosen, reporters=[relay, *others])
        relay.reporter = PrometheusReporter(self, registry=registry)


class Relay:
    """Hands events to a reporter that is made after the runtime."""

    name = "prometheus"
    reporter: PrometheusReporter

    def report(self, event: Event) -> None:
        """Pass an event on."""
        self.reporter.report(event)

    def close(self) -> None:
        """Pass the end on."""
        self.reporter.close()


class Broken:
    """Cannot report, and lost two events before."""

    name = "broken"

    def report(self, event: Event) -> None:
        """Fail."""
        raise OSError("away")

    def counts(self) -> Mapping[str, int]:
        """Say what was lost."""
        return {"lost": 2}


def samples(body: bytes) -> Samples:
    """Read the text format with Prometheus's own parser."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
        if sample.name.startswith("holdfast_") and sample.name.endswith("_total")
    }


def value(body: bytes, name: str, **labels: str) -> float:
    """Add up the samples of a metric that have these labels."""
    wanted = frozenset(labels.items())
    return sum(n for (found, has), n in samples(body).items() if found == name and wanted <= has)


def test_errors_are_counted_by_code_kind_fault_and_boundary() -> None:
    """Every handled error is one, a caller's included."""
    registry = CollectorRegistry()
    runtime = Late(registry)

    runtime.handle(KeyError("sku"), ORIGIN)
    runtime.handle(ResourceNotFoundError("no order"), ORIGIN)
    runtime.handle(ResourceNotFoundError("no order"), Origin(boundary="job", operation="import"))

    body = exposition(registry)
    assert (
        value(
            body,
            "holdfast_errors_total",
            service="shop",
            code="INTERNAL_ERROR",
            kind="INTERNAL",
            fault="SERVICE",
            boundary="django.request",
        )
        == 1
    )
    assert value(body, "holdfast_errors_total", code="RESOURCE_NOT_FOUND") == 2
    assert value(body, "holdfast_errors_total", boundary="job", fault="CALLER") == 1
    operations = "holdfast_operation_errors_total"
    assert value(body, operations, operation="GET /orders/<id>") == 2
    assert value(body, operations, operation="import", fault="CALLER") == 1


def test_what_became_of_reports_is_counted() -> None:
    """Delivered, failed and lost reports of every reporter show, without a further event."""
    registry = CollectorRegistry()
    runtime = Late(registry, Broken())

    runtime.handle(KeyError("a"), ORIGIN)
    runtime.handle(KeyError("b"), ORIGIN)

    for body in (exposition(registry), generate_latest(registry), exposition(registry)):
        reports = "holdfast_reports_total"
        assert value(body, reports, reporter="broken", outcome="failed") == 2
        assert value(body, reports, reporter="broken", outcome="lost") == 2
        assert value(body, reports, reporter="prometheus", outcome="delivered") == 2


def test_two_runtimes_of_one_process_share_the_counters() -> None:
    """A second application, or a second test, registers nothing twice and is told apart by service."""
    registry = CollectorRegistry()

    runtimes = [Late(registry, service=service) for service in ("shop", "warehouse", "shop")]
    for runtime in runtimes:
        runtime.handle(KeyError("sku"), ORIGIN)

    body = exposition(registry)
    assert value(body, "holdfast_errors_total", service="shop") == 2
    assert value(body, "holdfast_errors_total", service="warehouse") == 1
    assert value(body, "holdfast_reports_total", outcome="delivered") == 3


def test_the_reporter_named_in_settings_counts_in_the_default_registry() -> None:
    """`REPORTERS = ["prometheus"]` is all there is to set."""
    service = "named-in-settings"
    for _ in range(2):
        runtime = Runtime(Settings(service=service, reporters=("prometheus",)))
        runtime.handle(KeyError("sku"), ORIGIN)
        runtime.close()

    assert value(exposition(), "holdfast_errors_total", service=service) == 2
    assert value(exposition(), "holdfast_reports_total", service=service, outcome="delivered") == 2
    # Of the process's own figures some change between two looks.
    ours = {line for line in generate_latest(REGISTRY).splitlines() if b"holdfast" in line}
    assert ours <= set(exposition().splitlines())


def test_the_answer_of_a_metrics_view_follows_accept() -> None:
    """Prometheus asks for OpenMetrics, a person for text; what makes no sense gets text."""
    openmetrics = "application/openmetrics-text; version=1.0.0"

    assert metrics_response()[0].startswith("text/plain; version=")
    assert metrics_response(openmetrics)[0].startswith("application/openmetrics-text")
    assert metrics_response(openmetrics)[1].endswith(b"# EOF\n")
    assert metrics_response("text/plain; version=nonsense")[0].startswith("text/plain")
    assert metrics_response("*/*;q=x, \x00")[0].startswith("text/plain")


def test_labels_beyond_their_bounds_are_other() -> None:
    """The first codes and operations keep their names, the rest share one; every error still counts."""
    registry = CollectorRegistry()
    runtime = Late(registry)
    many = 700

    for number in range(many):
        error = AppError("boom", code=f"CODE_{number}")
        runtime.handle(error, Origin(boundary="job", operation=f"GET /orders/{number}"))

    found = samples(exposition(registry))
    errors = [has for name, has in found if name == "holdfast_errors_total"]
    operations = [has for name, has in found if name == "holdfast_operation_errors_total"]
    assert (len(errors), len(operations)) == (MAX_ERRORS + 1, MAX_OPERATIONS + 1)
    body = exposition(registry)
    assert value(body, "holdfast_errors_total") == many
    assert value(body, "holdfast_errors_total", code="other") == many - MAX_ERRORS
    assert value(body, "holdfast_operation_errors_total", operation="other") == (
        many - MAX_OPERATIONS
    )


anything = st.text(st.characters(), max_size=300)


@given(st.lists(st.tuples(anything, anything, anything), min_size=1, max_size=30))
@settings(max_examples=50)
def test_any_code_operation_and_boundary_can_be_scraped(
    errors: list[tuple[str, str, str]],
) -> None:
    """Quotes, line breaks, lone surrogates and floods in labels break no scrape and lose no error."""
    registry = CollectorRegistry()
    runtime = Late(registry)

    for code, operation, boundary in errors:
        origin = Origin(boundary=boundary, operation=operation)
        runtime.handle(AppError("boom", code=code or "X"), origin)

    body = exposition(registry)
    assert value(body, "holdfast_errors_total") == len(errors)
    assert value(body, "holdfast_operation_errors_total") == len(errors)
    assert all(len(text) <= MAX_VALUE for _, has in samples(body) for _, text in has)


@given(st.lists(st.integers(0, 2000), max_size=200), st.integers(1, 50))
def test_a_bound_holds_and_never_changes_its_mind(values: list[int], most: int) -> None:
    """At most so many values are told apart, and one that was told apart stays so."""
    bound = Bound(most)

    kept = [bound.keep(str(number)) for number in values]

    assert len(set(kept) - {("other",)}) == min(most, len(set(values)))
    again = [bound.keep(str(number)) for number in values]
    assert all(first in {("other",), later} for first, later in zip(kept, again, strict=True))


def test_counts_add_up_under_many_threads() -> None:
    """Eight threads that handle errors while two scrape lose none and count none twice."""
    registry = CollectorRegistry()
    runtime = Late(registry, Broken())

    def handle() -> None:
        for _ in range(100):
            runtime.handle(KeyError("sku"), ORIGIN)

    def scrape() -> None:
        for _ in range(20):
            exposition(registry)

    threads = [threading.Thread(target=work) for work in [handle] * 8 + [scrape] * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    body = exposition(registry)
    assert value(body, "holdfast_errors_total") == 800
    assert value(body, "holdfast_reports_total", reporter="broken", outcome="failed") == 800


def test_a_missing_library_is_a_mistake_in_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Naming the reporter without its library says which extra to install."""
    monkeypatch.delitem(sys.modules, "holdfast.integrations.prometheus")
    monkeypatch.setitem(sys.modules, "prometheus_client", None)

    with pytest.raises(SettingsError, match=r'pip install "holdfast\[prometheus\]"'):
        Runtime(Settings(reporters=("prometheus",)))


class Stuck:
    """Holds the only thread of a reporter until it is let go."""

    name = "stuck"

    def __init__(self, reporter: Reporter) -> None:
        self.reporter, self.go_on = reporter, threading.Event()

    def report(self, event: Event) -> None:
        """Wait, then pass the event on."""
        self.go_on.wait(20)
        self.reporter.report(event)


def test_errors_whose_events_found_the_queue_full_are_counted() -> None:
    """What is shown comes from the statistics: of a thousand errors two get through, and all count."""
    registry, relay = CollectorRegistry(), Relay()
    stuck = Stuck(relay)
    queued = Settings(reporters=(), reporting=ReportingSettings(queue_size=1))
    runtime = Runtime(queued, reporters=[stuck])
    relay.reporter = PrometheusReporter(runtime, registry=registry)

    for _ in range(1000):
        runtime.handle(KeyError("sku"), ORIGIN)
    meanwhile = value(exposition(registry), "holdfast_errors_total")
    stuck.go_on.set()
    runtime.close()

    body = exposition(registry)
    assert value(body, "holdfast_reports_total", outcome="delivered") < 10
    assert meanwhile == value(body, "holdfast_errors_total") == 1000


def test_requests_and_the_time_of_the_last_error_are_shown() -> None:
    """What is needed to know how many of them failed, and whether any did of late."""
    registry = CollectorRegistry()
    runtime = Late(registry)
    for _ in range(3):
        runtime.statistics.request()
    record = runtime.handle(KeyError("sku"), ORIGIN).record
    assert record is not None

    body = exposition(registry)

    assert value(body, "holdfast_requests_total", service="shop") == 3
    last = [
        sample
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
        if sample.name == "holdfast_last_error_timestamp_seconds"
    ]
    assert [sample.labels for sample in last] == [{"service": "shop", "fault": "SERVICE"}]
    assert last[0].value == pytest.approx(record.time.timestamp(), abs=1e-3)


def test_recovered_errors_are_errors_and_told_apart() -> None:
    """How many came to nobody, by code."""
    registry = CollectorRegistry()
    runtime = Late(registry)
    record = runtime.handle(KeyError("sku"), ORIGIN).record
    assert record is not None
    event = ErrorHandled(
        name="error.handled",
        severity=Severity.WARNING,
        time=record.time,
        attributes={"recovered": True},
        record=record,
    )

    runtime.emit(event)

    body = exposition(registry)
    assert value(body, "holdfast_errors_total", code="INTERNAL_ERROR") == 2
    assert value(body, "holdfast_recovered_errors_total", code="INTERNAL_ERROR") == 1


def test_durations_of_events_are_a_histogram() -> None:
    """By name of the event, the names bounded."""
    registry = CollectorRegistry()
    runtime = Late(registry)
    now = datetime(2024, 1, 15, tzinfo=UTC)

    for number in range(2 * MAX_EVENTS):
        told = {"duration": 0.05 + number}
        name = f"app.event_{number}"
        runtime.emit(Event(name=name, severity=Severity.INFO, time=now, attributes=told))

    durations = {
        sample.labels["event"]: sample.value
        for family in text_string_to_metric_families(exposition(registry).decode())
        for sample in family.samples
        if sample.name == "holdfast_event_duration_seconds_count"
    }
    assert len(durations) == MAX_EVENTS + 1
    assert durations["other"] == MAX_EVENTS
    bucket = {"service": "shop", "event": "app.event_0", "le": "0.1"}
    assert registry.get_sample_value("holdfast_event_duration_seconds_bucket", bucket) == 1


def test_labels_stay_few_in_a_flood_and_both_formats_can_be_read() -> None:
    """Of 10^5 different codes, operations and messages, line breaks and surrogates among them."""
    registry = CollectorRegistry()
    runtime = Late(registry)
    many = 100_000
    template = AppError("boom", code="TEMPLATE")
    record = runtime.handle(template, ORIGIN).record
    assert record is not None

    for number in range(many):
        said = replace(record.classification, code=f'CODE_{number}\n"\\')
        origin = Origin(boundary=f"b\ud800{number}", operation=f"GET /{number}\r\n\u2028é")
        event = replace(record, classification=said, origin=origin, message=f"{number}")
        runtime.statistics.hear(
            ErrorHandled(name="x", severity=Severity.ERROR, time=record.time, record=event)
        )

    text, strict = exposition(registry), generate_strictly(registry)
    assert value(text, "holdfast_errors_total") == many + 1
    assert value(text, "holdfast_operation_errors_total") == many + 1
    families = strictly(strict)
    counted = {
        sample.name: sum(one.value for one in family.samples if one.name == sample.name)
        for family in families
        for sample in family.samples
    }
    assert (
        counted["holdfast_errors_total"] == counted["holdfast_operation_errors_total"] == many + 1
    )
    assert len(text.splitlines()) < 4 * (MAX_ERRORS + MAX_OPERATIONS)


def strictly(text: str) -> list[Metric]:
    """Read OpenMetrics with the parser of the format's authors."""
    name = "text_string_to_metric_families"  # which has no annotations
    read = cast("Callable[[str], Iterable[Metric]]", getattr(openmetrics, name))
    return list(read(text))


def generate_strictly(registry: CollectorRegistry) -> str:
    """Return the metrics in the format of OpenMetrics, whose parser takes nothing that is not in order."""
    accept = "application/openmetrics-text; version=1.0.0"
    return metrics_response(accept, registry=registry)[1].decode()


@given(
    st.lists(
        st.tuples(anything, anything, anything, anything, st.integers(0, 5)),
        min_size=1,
        max_size=20,
    )
)
@settings(max_examples=60, deadline=None)
def test_whatever_is_counted_both_parsers_read_it(
    errors: list[tuple[str, str, str, str, int]],
) -> None:
    """Codes, operations, boundaries and names of events as callers and bugs make them."""
    registry = CollectorRegistry()
    runtime = Late(registry)
    now = datetime(2024, 1, 15, tzinfo=UTC)

    for code, operation, boundary, name, seconds in errors:
        origin = Origin(boundary=boundary, operation=operation)
        runtime.handle(AppError(operation, code=code or "X"), origin)
        told = {"duration": seconds}
        runtime.emit(Event(name=name, severity=Severity.INFO, time=now, attributes=told))

    strict = strictly(generate_strictly(registry))
    assert {"holdfast_errors", "holdfast_event_duration_seconds"} <= {one.name for one in strict}
    assert value(exposition(registry), "holdfast_errors_total") == len(errors)


FORKS = """
import os
from holdfast.integrations.prometheus import exposition
from holdfast.origin import Origin
from holdfast.runtime import Runtime
from holdfast.settings import ReportingSettings, Settings

class Told:
    name = "told"
    def report(self, event): pass

settings = Settings(reporters=("prometheus",), reporting=ReportingSettings(inline=True))
runtime = Runtime(settings, reporters=[Told()])  # comes after: the last is not counted yet
for _ in range(5):
    runtime.handle(KeyError("sku"), Origin(boundary="job"))
for _ in range(2):
    child = os.fork()
    if not child:
        runtime.handle(KeyError("sku"), Origin(boundary="job"))
        os._exit(0 if exposition() else 1)
    assert os.waitpid(child, 0)[1] == 0
print(exposition().decode())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no os.fork")
def test_what_became_of_reports_before_a_fork_is_told_by_the_parent_alone(tmp_path: Path) -> None:
    """A master that serves nothing forks workers, whose counts begin at nothing."""
    done = subprocess.run(
        [sys.executable, "-c", FORKS],
        env={
            **os.environ,
            "PYTHONPATH": str(SOURCE),
            "PROMETHEUS_MULTIPROC_DIR": str(tmp_path),
        },
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )

    delivered = value(
        done.stdout.encode(), "holdfast_reports_total", reporter="told", outcome="delivered"
    )
    assert delivered == 7, done.stderr


APPLICATION = """
import atexit, os
from holdfast.integrations.prometheus import metrics_response
from holdfast.origin import Origin
from holdfast.runtime import Runtime
from holdfast.settings import ReportingSettings, Settings

runtime = Runtime(Settings(reporters=("prometheus",), reporting=ReportingSettings(inline=True)))
atexit.register(runtime.close)

def application(environ, start_response):
    if environ["PATH_INFO"] == "/metrics":
        content_type, body = metrics_response(environ.get("HTTP_ACCEPT", ""))
        start_response("200 OK", [("Content-Type", content_type)])
        return [body]
    runtime.statistics.request()
    if environ["PATH_INFO"] == "/well":
        start_response("200 OK", [("X-Worker", str(os.getpid()))])
        return [b""]
    runtime.handle(KeyError("sku"), Origin(boundary="wsgi", operation="GET /"))
    start_response("500 No", [("X-Worker", str(os.getpid()))])
    return [b""]
"""


@contextmanager
def gunicorn(folder: Path, *options: str) -> Generator[str]:
    """Serve the application with three workers, and give host and port."""
    (folder / "counted.py").write_text(APPLICATION)
    (folder / "metrics").mkdir()
    server = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "gunicorn",
            "--workers=3",
            "--bind=127.0.0.1:0",
            *options,
            "counted",
        ],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": f"{SOURCE}{os.pathsep}{folder}",
            "PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics"),
        },
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stderr is not None
    try:
        said = ""
        while said.count("Booting worker") < 3:
            line = server.stderr.readline()
            assert line, said
            said += line
        yield re.findall(r"127\.0\.0\.1:\d+", said)[0]
    finally:
        server.terminate()
        server.communicate(timeout=20)


def get(host: str, path: str) -> tuple[str, bytes]:
    """Return which worker answered, and the body."""
    connection = http.client.HTTPConnection(host, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    found = str(answer.getheader("X-Worker")), answer.read()
    connection.close()
    return found


@pytest.mark.parametrize("options", [(), ("--preload",)], ids=["each-loads", "preload"])
def test_any_worker_answers_for_all_of_them(tmp_path: Path, options: tuple[str, ...]) -> None:
    """Under gunicorn every worker counts, and each one's /metrics gives the sum."""
    need("gunicorn")
    with gunicorn(tmp_path, *options) as host:
        workers: list[str] = []
        while len(workers) < 60 or len(set(workers)) < 2:  # the others may still be loading
            workers.append(get(host, "/")[0])
        bodies = [get(host, "/metrics")[1] for _ in range(10)]

    errors = {value(body, "holdfast_errors_total", code="INTERNAL_ERROR") for body in bodies}
    reports = {value(body, "holdfast_reports_total", outcome="delivered") for body in bodies}
    assert errors == {len(workers)}
    assert reports <= {len(workers) - behind for behind in range(len(set(workers)) + 1)}


def served(host: str, path: str, *, number: int) -> list[str]:
    """Make requests, at least so many and of at least two workers, and return which worker answered each."""
    workers: list[str] = []
    while len(workers) < number or len(set(workers)) < 2:  # the others may still be loading
        workers.append(get(host, path)[0])
    return workers


def settled(host: str, requests: int) -> list[bytes]:
    """Return what ten scrapes answer, once all workers have told of their requests, or what they say at last."""
    clock, pause = SystemClock(), threading.Event()
    over = clock.monotonic() + 20
    while True:
        bodies = [get(host, "/metrics")[1] for _ in range(10)]
        counted = {value(body, "holdfast_requests_total") for body in bodies}
        if counted == {requests} or clock.monotonic() > over:
            return bodies
        pause.wait(0.1)


@pytest.mark.parametrize("options", [(), ("--preload",)], ids=["each-loads", "preload"])
def test_the_requests_of_all_workers_add_up(tmp_path: Path, options: tuple[str, ...]) -> None:
    """Also of workers that have no error to tell of and answer no scrape: soon after, for good."""
    need("gunicorn")
    with gunicorn(tmp_path, *options) as host:
        workers = served(host, "/well", number=50)
        failed = served(host, "/", number=1)
        bodies = settled(host, len(workers) + len(failed))

    requests = {value(body, "holdfast_requests_total") for body in bodies}
    errors = {value(body, "holdfast_errors_total") for body in bodies}
    assert requests == {len(workers) + len(failed)}
    assert errors == {len(failed)}


def test_workers_tell_of_requests_without_being_asked(tmp_path: Path) -> None:
    """Nobody scrapes them and no error comes up: what they leave for others is complete within moments."""
    need("gunicorn")
    with gunicorn(tmp_path) as host:
        workers = served(host, "/well", number=30)
        clock, pause = SystemClock(), threading.Event()
        over = clock.monotonic() + 20
        told = 0.0
        while told != len(workers) and clock.monotonic() < over:
            pause.wait(0.1)
            registry = CollectorRegistry()
            MultiProcessCollector(registry, str(tmp_path / "metrics"))  # type: ignore[no-untyped-call]  # is not annotated
            told = value(generate_latest(registry), "holdfast_requests_total")

    assert told == len(workers)


def test_what_workers_counted_that_are_gone_stays(tmp_path: Path) -> None:
    """Of one that was killed, and of those that gunicorn replaces in the middle of everything."""
    need("gunicorn")
    with gunicorn(tmp_path, "--max-requests=40") as host:
        workers = served(host, "/", number=30)
        settled(host, len(workers))
        os.kill(int(workers[-1]), signal.SIGKILL)
        while len(set(workers)) < 5:
            workers += served(host, "/well", number=10)
        bodies = settled(host, len(workers))

    assert {value(body, "holdfast_requests_total") for body in bodies} == {len(workers)}
    assert len({value(body, "holdfast_errors_total") for body in bodies}) == 1
