"""What the suite says of itself: circuits, errors, reporters; and jobs, by the engine of health."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pybreaker
import pytest

from holdfast import Breaker, CircuitBreaker, ErrorCode, Origin, Policy, Settings
from holdfast.environment import activated
from holdfast.errors import AppError, ValidationError
from holdfast.events import Event
from holdfast.health import CheckResult, HealthRegistry
from holdfast.health.checks.circuits import CircuitsCheck
from holdfast.health.checks.errors import ErrorRateCheck
from holdfast.health.checks.reporters import ReportersCheck
from holdfast.health.probes import Probe
from holdfast.hooks.jobs import Every, JobReport, Outcome, StateFolder, job_check
from holdfast.reporting.dispatcher import Reporter
from holdfast.runtime import Runtime
from holdfast.settings import load_settings
from holdfast.testing import FakeClock, RecordingRuntime
from tests.core.listening import PATIENCE, run

OWN = ["holdfast:circuits", "holdfast:errors", "holdfast:reporters"]
HOUR = 3600.0


def told(runtime: Runtime, name: str) -> CheckResult:
    """Return what one of the runtime's own checks says now."""
    return runtime.health.check(f"holdfast:{name}", fresh=True)


def fail(runtime: Runtime, times: int = 1, kind: type[Exception] = RuntimeError) -> None:
    """Have errors handled, each in a request of its own."""
    for _ in range(times):
        runtime.statistics.request()
        runtime.handle(kind("no"), Origin(boundary="http", operation="order"))


def within(details: object, *keys: str) -> dict[str, object]:
    """Return what lies within the details of a check."""
    for key in keys:
        details = cast("dict[str, object]", details)[key]
    return cast("dict[str, object]", details)


def serve(runtime: Runtime, times: int) -> None:
    """Have requests that go well."""
    for _ in range(times):
        runtime.statistics.request()


def test_probes_ask_the_suite_beside_the_checks_of_a_project() -> None:
    """In readiness and in all, not in liveness; what is registered stays what is registered."""
    runtime = RecordingRuntime()
    runtime.health.register_check("stock", lambda: True)

    assert [result.name for result in runtime.health.report("ready").results] == ["stock", *OWN]
    assert [result.name for result in runtime.health.report().results] == ["stock", *OWN]
    assert [result.name for result in runtime.health.report("live").results] == []
    assert list(runtime.health.run_all_checks()) == ["stock"]
    assert [check.name for check in runtime.health.checks] == ["stock"]


def test_a_caller_who_sees_no_details_does_not_hear_of_them() -> None:
    """The answer of a project without checks is its status."""
    answer = RecordingRuntime().probes.answer(Probe(group="ready"))

    assert (answer.status, answer.body) == (200, b'{"status":"pass"}')


def test_settings_choose_what_the_suite_says_of_itself() -> None:
    """Some of it, or nothing."""
    some = load_settings(Settings, {"REPORTERS": [], "HEALTH": {"OWN": ["errors"]}})
    none = load_settings(Settings, {"REPORTERS": [], "HEALTH": {"OWN": []}})

    assert [c.name for c in RecordingRuntime(some).health.own] == ["holdfast:errors"]
    assert RecordingRuntime(none).health.report().results == ()


def test_a_project_puts_its_own_in_the_place_of_one_or_takes_it_away() -> None:
    """By the same name, with options of its own."""
    health = RecordingRuntime().health
    health.register_check("holdfast:errors", ErrorRateCheck(share=0.5), critical=False)
    health.unregister_check("holdfast:reporters")

    assert [check.name for check in health.checks] == ["holdfast:errors"]
    assert [check.name for check in health.own] == ["holdfast:circuits"]


def test_they_are_not_handed_over_to_the_next_runtime() -> None:
    """Each has its own, as its settings say."""
    stand_in, successor = RecordingRuntime().health, HealthRegistry()
    successor.take_over(stand_in)

    assert successor.report().results == ()


def test_making_a_runtime_loads_none_of_them() -> None:
    """The first probe does."""
    script = (
        "import sys; from holdfast import Runtime, Settings; runtime = Runtime(Settings(reporters=()))\n"
        "def loaded(): return sorted(n for n in sys.modules if n.startswith('holdfast.health.checks.'))\n"
        "print(loaded()); runtime.health.report(); print('holdfast.health.checks.errors' in loaded())\n"
        "print('pybreaker' in sys.modules, 'holdfast.resilience.policies' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30
    )

    assert done.stdout.split("\n")[:2] == ["[]", "True"]
    assert done.stdout.split("\n")[2] == "False False"


@pytest.fixture
def stock() -> Policy:
    """Return a policy with a circuit."""
    return Policy("stock", Breaker(failure_threshold=2, recovery_timeout=30.0))


def refuse() -> None:
    """Fail as a dependency does."""
    raise ConnectionError("nobody there")


def trip(runtime: Runtime, policy: Policy) -> None:
    """Let calls of a policy fail until its circuit opens."""
    with activated(runtime):
        for _ in range(2):
            with pytest.raises(ConnectionError):
                policy.call(refuse)


def test_without_circuits_all_is_well() -> None:
    """Nothing is made to find that out."""
    runtime = RecordingRuntime()

    result = told(runtime, "circuits")

    assert (result.status.value, result.details) == ("pass", {"circuits": 0})
    assert "policies" not in vars(runtime)


def test_an_open_circuit_warns_until_it_closes(stock: Policy) -> None:
    """By its name, with why, since when, and when it tries again; half-open is not well either."""
    runtime = RecordingRuntime()
    circuit_of = runtime.policies.circuit
    trip(runtime, stock)

    opened = told(runtime, "circuits")
    circuit_of("stock").half_open()
    probing = told(runtime, "circuits")
    circuit_of("stock").close()
    closed = told(runtime, "circuits")

    off = within(opened.details, "off", "stock")
    assert opened.status.value == "warn"
    assert opened.output == "a circuit lets calls through only to probe, or none"
    assert (off["state"], off["since"]) == ("open", "2024-01-15T10:30:00+00:00")
    assert off["next_probe"] == "2024-01-15T10:30:30+00:00"
    assert off["reason"]
    assert (probing.status.value, closed.status.value) == ("warn", "pass")
    assert closed.details == {"circuits": 1}


@pytest.mark.parametrize(
    ("decide", "status"), [("force_open", "warn"), ("disable", "pass"), ("shadow", "pass")]
)
def test_what_was_decided_by_hand_counts(stock: Policy, decide: str, status: str) -> None:
    """A circuit that makes every call holds up nobody, whatever its state."""
    runtime = RecordingRuntime()
    trip(runtime, stock)
    getattr(runtime.policies.circuit("stock"), decide)()

    assert told(runtime, "circuits").status.value == status


def test_breakers_of_no_policy_are_told_of_by_who_has_them() -> None:
    """Ours and pybreaker's own."""
    ours, theirs = CircuitBreaker(name="ours"), pybreaker.CircuitBreaker(name="theirs")
    theirs.open()

    runtime = RecordingRuntime()
    runtime.health.register_check("breakers", CircuitsCheck(breakers=(ours, theirs)))

    said = runtime.health.check("breakers")

    assert said.details == {"circuits": 2, "off": {"theirs": {"state": "open"}}}


def test_errors_are_well_while_they_are_few() -> None:
    """A tenth of the requests is too much, nine of a hundred are not, and a handful says nothing."""
    runtime = RecordingRuntime()
    fail(runtime, 9)
    few = told(runtime, "errors")
    serve(runtime, 1_000)
    fail(runtime, 50)
    rare = told(runtime, "errors")
    fail(runtime, 100)
    many = told(runtime, "errors")

    assert (few.status.value, rare.status.value, many.status.value) == ("pass", "pass", "warn")
    assert few.details == {"errors": 9, "requests": 9, "per_minute": 1.8}
    assert many.output == "159 errors in 1159 requests of the last 300 s"
    assert many.details["codes"] == {"INTERNAL_ERROR": 159}


def test_errors_of_callers_are_none_of_it() -> None:
    """Whoever sends nonsense does not make the service unwell."""
    runtime = RecordingRuntime()

    fail(runtime, 100, ValidationError)

    assert told(runtime, "errors").details["errors"] == 0


def test_errors_are_forgotten_after_the_window() -> None:
    """What was is over."""
    clock = FakeClock()
    runtime = RecordingRuntime(clock=clock)
    fail(runtime, 20)
    before = told(runtime, "errors").status.value
    clock.advance(400)

    assert (before, told(runtime, "errors").status.value) == ("warn", "pass")


def test_errors_of_some_codes_are_counted_alone() -> None:
    """By how many there are in a minute, here; a process without requests has such as well."""
    runtime = RecordingRuntime()
    fail(runtime, 30)
    for _ in range(10):
        runtime.handle(AppError(ErrorCode.DATABASE_ERROR, "no"), Origin(boundary="job"))
    codes = ["DATABASE_ERROR"]

    for limit in (10, 11):
        check = ErrorRateCheck(share=None, per_minute=limit, window=60, codes=codes)
        runtime.health.register_check(f"from {limit} on", check)

    low, high = runtime.health.run_all_checks().values()

    assert (low.status.value, low.details["errors"]) == ("warn", 10)
    assert high.status.value == "pass"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"share": None}, "either share or per_minute"),
        ({"share": 0}, "share must be above 0, or None, not 0"),
        ({"per_minute": -1}, "per_minute must be above 0"),
        ({"window": 120}, "window must be 60, 300, 900 or 3600 seconds, not 120"),
        ({"least": 0}, "least must be 1 or more, not 0"),
        ({"codes": "A"}, "codes must be several"),
    ],
)
def test_impossible_options_of_errors_are_refused(options: dict[str, object], said: str) -> None:
    """When the check is made."""
    with pytest.raises(ValueError, match=said):
        ErrorRateCheck(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"full": 0}, "full must be a share"),
        ({"full": 1.1}, "full must be a share above 0 and up to 1, not 1.1"),
        ({"window": 0}, "window must be above 0 seconds, not 0"),
    ],
)
def test_impossible_options_of_reporters_are_refused(options: dict[str, float], said: str) -> None:
    """When the check is made."""
    with pytest.raises(ValueError, match=said):
        ReportersCheck(**options)


class Pager:
    """A reporter that does as it is told: keeps up, holds up, or raises."""

    name = "pager"

    def __init__(self) -> None:
        self.held_up, self.goes_on = threading.Event(), threading.Event()
        self.raises = False

    def report(self, event: Event) -> None:
        """Tell of one event."""
        self.held_up.set()
        assert self.goes_on.wait(PATIENCE)
        if self.raises:
            raise ConnectionError("words of a stranger")


@pytest.fixture
def pager() -> Iterator[Pager]:
    """Have a reporter that is let go in the end."""
    made = Pager()
    yield made
    made.goes_on.set()


def telling(reporter: Reporter, clock: FakeClock | None = None) -> Runtime:
    """Return a runtime whose one reporter has a queue of ten."""
    settings = load_settings(Settings, {"REPORTERS": [], "REPORTING": {"QUEUE_SIZE": 10}})
    return Runtime(settings, reporters=[reporter], clock=clock or FakeClock())


def test_a_reporter_that_is_behind_warns(pager: Pager) -> None:
    """From four fifths of its queue on."""
    runtime = telling(pager)
    fail(runtime)
    assert pager.held_up.wait(PATIENCE)
    fail(runtime, 7)
    keeps_up = told(runtime, "reporters")
    fail(runtime)
    behind = told(runtime, "reporters")

    assert (keeps_up.status.value, keeps_up.details) == (
        "pass",
        {"told": {"pager": {"waiting": 7}}},
    )
    assert (behind.status.value, behind.output) == ("warn", "behind: pager")


def test_what_is_lost_is_told_of_for_a_while(pager: Pager) -> None:
    """A minute, so that whoever looks now and then hears of it; then no more."""
    clock = FakeClock()
    runtime = telling(pager, clock)
    fail(runtime)
    assert pager.held_up.wait(PATIENCE)
    fail(runtime, 12)
    first = told(runtime, "reporters")
    pager.goes_on.set()
    assert runtime.flush(PATIENCE)
    clock.advance(59)
    still = told(runtime, "reporters")
    clock.advance(2)
    over = told(runtime, "reporters")

    assert first.output == "behind: pager; losing: pager"
    assert (still.status.value, still.output) == ("warn", "losing: pager")
    assert (over.status.value, over.details) == (
        "pass",
        {"told": {"pager": {"delivered": 11, "dropped": 2}}},
    )


def test_a_reporter_that_raises_warns(pager: Pager, capfd: pytest.CaptureFixture[str]) -> None:
    """What it raised is on standard error, once; here it is a number."""
    pager.raises = True
    pager.goes_on.set()
    runtime = telling(pager)
    fail(runtime, 2)
    assert runtime.flush(PATIENCE)

    result = told(runtime, "reporters")

    assert (result.status.value, result.output) == ("warn", "losing: pager")
    assert result.details == {"told": {"pager": {"failed": 2}}}
    assert "reporter 'pager' raised ConnectionError" in capfd.readouterr().err


def test_what_is_lost_after_a_fork_is_told_of(
    pager: Pager, capfd: pytest.CaptureFixture[str]
) -> None:
    """A child counts anew: fewer than the parent had is more than none."""
    pager.raises = True
    pager.goes_on.set()
    clock = FakeClock()
    runtime = telling(pager, clock)
    fail(runtime, 3)
    assert runtime.flush(PATIENCE)
    told(runtime, "reporters")
    clock.advance(61)
    over = told(runtime, "reporters")
    runtime.dispatcher.forget_threads()
    fail(runtime)
    assert runtime.flush(PATIENCE)

    result = told(runtime, "reporters")

    assert (over.status.value, result.output) == ("pass", "losing: pager")
    assert "reporter 'pager' raised" in capfd.readouterr().err


class Broken:
    """A channel that takes no message."""

    name = "ops"

    def send(self, message: object) -> None:
        """Raise."""
        raise ValueError("words of a stranger")


def broken_channel(*_: object) -> Broken:
    """Make the channel, as settings name it."""
    return Broken()


def test_an_alert_channel_that_fails_warns(capfd: pytest.CaptureFixture[str]) -> None:
    """Beside the reporters, told apart by its name."""
    channels = {"ops": {"KIND": f"{__name__}:broken_channel"}}
    alerts = {"CHANNELS": channels, "RULES": {"all": {"BY": "name"}}}
    runtime = RecordingRuntime(load_settings(Settings, {"REPORTERS": [], "ALERTS": alerts}))
    fail(runtime)

    result = told(runtime, "reporters")

    assert (result.status.value, result.output) == ("warn", "losing: alerts: ops")
    assert within(result.details, "told", "alerts: ops")["failed"] == 1
    assert "channel 'ops'" in capfd.readouterr().err


def test_a_late_job_fails_in_the_words_of_its_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its details say when it was due, and what became of it last."""
    monkeypatch.setattr("holdfast.hooks.jobs.lateness.boot_time", lambda: None)
    clock, folder = FakeClock(), StateFolder(tmp_path)
    report = JobReport(job="nightly", run_id="r", started=clock.now(), outcome=Outcome.SUCCEEDED)
    folder.note(report)
    check = job_check("nightly", Every(HOUR), grace=60, state=tmp_path, clock=clock)
    in_time = run(check)
    clock.advance(2 * HOUR)
    late = run(check)

    assert (in_time.status.value, in_time.details["last_outcome"]) == ("pass", "succeeded")
    assert (late.status.value, late.output.rpartition(".")[2]) == ("fail", "JobLateError")
    assert late.details == {
        "error": "job 'nightly' is late: it was due at 2024-01-15T11:30:10+00:00, and succeeded last "
        "at 2024-01-15T10:30:00+00:00 (last outcome: succeeded)"
    }
