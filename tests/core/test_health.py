"""Health: what checks say, what they add up to, and that none of them hangs the caller."""

import itertools
import json
import math
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

import pytest

from holdfast import health_check
from holdfast.context import current_trace_id, work_context
from holdfast.environment import activated
from holdfast.forks import _renew
from holdfast.health import Check, CheckResult, HealthRegistry, HealthStatus
from holdfast.resilience.deadline import deadline, remaining
from holdfast.testing import FakeClock, RecordingRuntime

if TYPE_CHECKING:
    from holdfast.health.check import CheckFunction
    from holdfast.health.registry import CheckOptions


def raises() -> object:
    """Fail."""
    raise ConnectionError("words of a stranger")


@pytest.fixture
def registry() -> HealthRegistry:
    """Make a registry whose clock stands still."""
    return HealthRegistry(FakeClock())


@pytest.fixture
def hang() -> Iterator[Callable[[], object]]:
    """Offer a check that answers only when the test is over."""
    over = threading.Event()
    yield over.wait
    over.set()


@pytest.mark.parametrize(
    ("said", "status"),
    [(True, "pass"), (None, "pass"), (0, "pass"), ("fine", "pass"), ({}, "pass"), (False, "fail")],
)
def test_a_check_fails_by_returning_false(
    registry: HealthRegistry, said: object, status: str
) -> None:
    """False fails; anything else, zero and nothing included, passes."""
    registry.register_check("one", lambda: said)

    result = registry.run_all_checks()["one"]

    assert (result.name, result.status.value, result.output) == ("one", status, "")


def test_a_check_fails_by_raising(registry: HealthRegistry) -> None:
    """An exception fails; its class says why, and its text is among the details."""
    registry.register_check("one", raises)

    result = registry.run_all_checks()["one"]

    assert (result.status, result.output) == (HealthStatus.FAIL, "ConnectionError")
    assert result.details == {"error": "words of a stranger"}


@pytest.mark.parametrize("details", [{"free_gb": 12}, MappingProxyType({"free_gb": 12})])
def test_a_mapping_passes_with_details(registry: HealthRegistry, details: object) -> None:
    """What a check returns as a mapping is shown beside its status."""
    registry.register_check("disk", lambda: details)

    result = registry.run_all_checks()["disk"]

    assert (result.status, result.details) == (HealthStatus.PASS, {"free_gb": 12})


def test_details_are_redacted(registry: HealthRegistry) -> None:
    """Health is read by anybody: secrets do not come out, and what is no JSON is made so."""
    dsn = "postgresql://shop:hunter2@db.internal/shop"
    registry.register_check("db", lambda: {"dsn": dsn, "note": f"via {dsn}", "set": {1}})

    details = registry.run_all_checks()["db"].details

    assert "hunter2" not in json.dumps(details)
    assert details["set"] == [1]


@pytest.mark.parametrize(
    ("checks", "status"),
    [
        ([], "pass"),
        ([(True, True)], "pass"),
        ([(True, True), (False, True)], "fail"),
        ([(True, True), (False, False)], "warn"),
        ([(False, False), (False, True)], "fail"),
        ([(True, False)], "pass"),
    ],
)
def test_the_worst_check_decides(
    registry: HealthRegistry, checks: list[tuple[bool, bool]], status: str
) -> None:
    """A critical failure fails the whole, another one warns, and without checks all is well."""
    for number, (well, critical) in enumerate(checks):
        registry.register_check(f"c{number}", lambda well=well: well, critical=critical)  # type: ignore[misc]

    assert registry.get_health_status().status.value == status


def test_a_check_that_hangs_is_given_up(
    registry: HealthRegistry, hang: Callable[[], object]
) -> None:
    """A check that does not answer in its time counts as failed; the others are heard."""
    registry.register_check("hangs", hang, timeout=0.01)
    registry.register_check("well", lambda: True)

    results = registry.run_all_checks()

    assert (results["hangs"].status, results["hangs"].output) == (
        HealthStatus.FAIL,
        "no answer in 0.01 s",
    )
    assert results["well"].status is HealthStatus.PASS


def test_a_check_that_hangs_only_warns_when_it_is_not_critical(
    registry: HealthRegistry, hang: Callable[[], object]
) -> None:
    """Degraded, the whole still serves."""
    registry.register_check("hangs", hang, critical=False, timeout=0.01)

    assert registry.get_health_status().status is HealthStatus.WARN


def test_a_check_is_critical_unless_it_says_otherwise(registry: HealthRegistry) -> None:
    """Registered with a name and a function only, a check fails the whole, after five seconds."""
    registry.register_check("one", raises)

    (check,) = registry.checks

    assert (check.critical, check.timeout) == (True, 5.0)
    assert registry.get_health_status().status is HealthStatus.FAIL
    assert Check(name="two", run=raises).critical is True


def test_a_check_that_hangs_does_not_hold_up_the_end() -> None:
    """A process ends although one of its checks never answers."""
    script = (
        "import threading; from holdfast.health import HealthRegistry\n"
        "registry = HealthRegistry()\n"
        "registry.register_check('hangs', threading.Event().wait, timeout=0.01)\n"
        "print(registry.get_health_status().status.value)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30
    )

    assert done.stdout == "fail\n"


def test_a_check_that_hangs_costs_one_thread_however_often_it_is_asked(
    hang: Callable[[], object],
) -> None:
    """A probe joins the run that hangs, and says how long it has been running."""
    clock = FakeClock()
    registry = HealthRegistry(clock)
    registry.register_check("hangs once", hang, timeout=0.01)

    first = registry.run_all_checks()["hangs once"]
    clock.advance(12)
    later = [registry.run_all_checks()["hangs once"] for _ in range(20)]

    assert first.output == "no answer in 0.01 s"
    assert {result.output for result in later} == {
        "no answer in 0.01 s, still running since 12.0 s"
    }
    assert {result.duration for result in later} == {12.0}
    assert registry.runner.threads == 1


def test_probes_at_the_same_time_share_one_run() -> None:
    """Who asks while a check is running gets what that run says; who asks later, a new one."""
    entered, release = threading.Event(), threading.Event()
    probed = threading.current_thread()
    calls = itertools.count(1)

    class Clock(FakeClock):
        def monotonic(self) -> float:
            """Let the check go on once the second probe waits for it."""
            if threading.current_thread() is probed and entered.is_set():
                release.set()
            return super().monotonic()

    def run() -> object:
        entered.set()
        release.wait(5)
        return {"call": next(calls)}

    registry = HealthRegistry(Clock())
    registry.register_check("shared", run)
    first: list[CheckResult] = []
    other = threading.Thread(target=lambda: first.append(registry.run_all_checks()["shared"]))
    other.start()
    assert entered.wait(5)

    second = registry.run_all_checks()["shared"]
    other.join(5)

    assert first == [second]
    assert registry.run_all_checks()["shared"].details == {"call": 2}


def test_a_check_that_is_replaced_while_it_hangs_runs_anew(
    registry: HealthRegistry, hang: Callable[[], object]
) -> None:
    """The newer check of a name does not wait for the older one."""
    registry.register_check("one", hang, timeout=0.01)
    registry.run_all_checks()

    registry.register_check("one", lambda: True, replace=True)

    assert registry.run_all_checks()["one"].status is HealthStatus.PASS


@pytest.mark.parametrize("every", [None, 30.0])
@pytest.mark.parametrize(("critical", "status"), [(True, "fail"), (False, "warn")])
def test_no_thread_to_be_had_is_a_failed_check(
    registry: HealthRegistry,
    monkeypatch: pytest.MonkeyPatch,
    status: str,
    every: float | None,
    *,
    critical: bool,
) -> None:
    """A process that can start no thread gets its report, and a good one when it can again."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    registry.register_check("one", lambda: True, critical=critical, every=every)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        report = registry.get_health_status()

    assert report.status.value == status
    assert report.results[0].output == "no thread could be started"
    assert registry.get_health_status().status is HealthStatus.PASS
    registry.close()


def test_a_check_that_exits_fails(registry: HealthRegistry) -> None:
    """What would end a thread is told by its class, at once."""
    registry.register_check("one", sys.exit)

    assert registry.run_all_checks()["one"].output == "SystemExit"


def test_a_forked_child_checks_for_itself(
    registry: HealthRegistry, hang: Callable[[], object]
) -> None:
    """A child has its own threads and runs: what hangs in the parent is looked at anew."""
    registry.register_check("one", hang, timeout=0.01)
    registry.run_all_checks()
    _renew()  # as `os.register_at_fork` has it called in the child

    registry.register_check("one", lambda: True, replace=True)

    assert registry.runner.threads == 0
    assert registry.get_health_status().status is HealthStatus.PASS
    assert registry.runner.threads == 1


def test_checks_run_at_the_same_time(registry: HealthRegistry) -> None:
    """Checks that need each other's progress all pass, because none waits for its turn."""
    together = threading.Barrier(3, timeout=5)
    for name in "abc":
        registry.register_check(name, lambda: together.wait() >= 0)

    assert registry.get_health_status().status is HealthStatus.PASS


def test_a_check_runs_within_what_is_around_it(registry: HealthRegistry) -> None:
    """A check sees its runtime, and the trace of whoever asked."""
    runtime = RecordingRuntime()
    registry.around = lambda: activated(runtime)
    registry.register_check("one", lambda: {"trace": current_trace_id()})
    registry.register_check("two", lambda: health_check.run_all_checks() == {})

    with work_context("probe-1"):
        results = registry.run_all_checks()

    assert results["one"].details == {"trace": "probe-1"}
    assert results["two"].status is HealthStatus.PASS


def test_who_asks_lends_a_check_nothing_that_is_theirs(registry: HealthRegistry) -> None:
    """A short deadline of one caller fails no check for the others, who share what it says."""
    registry.register_check("one", lambda: {"is_endless": remaining() == math.inf})

    with deadline(0.001):
        results = registry.run_all_checks()

    assert results["one"].details == {"is_endless": True}


def test_a_result_has_its_time_and_duration() -> None:
    """How long a check took is measured by the registry's clock."""
    clock = FakeClock()
    registry = HealthRegistry(clock)
    registry.register_check("slow", lambda: clock.advance(1.5))

    result = registry.run_all_checks()["slow"]

    assert (result.duration, result.time) == (1.5, clock.now())


def test_a_name_that_is_taken_is_refused(registry: HealthRegistry) -> None:
    """Two checks of one name would hide each other: the second is refused, and the first stays."""
    registry.register_check("one", raises)

    with pytest.raises(ValueError, match=r"'one' is registered already.*raises.*replace=True"):
        registry.register_check("one", lambda: True)

    assert [check.run for check in registry.checks] == [raises]


def test_registering_the_same_again_is_harmless(registry: HealthRegistry) -> None:
    """A module that is imported twice registers the same check twice: that is one check."""
    registry.register_check("one", raises, timeout=2.0)
    registry.register_check("one", raises, timeout=2.0)

    assert len(registry.checks) == 1


def test_registering_the_same_again_keeps_what_it_said(registry: HealthRegistry) -> None:
    """Who registers at every request has no check run at every probe."""
    calls = itertools.count(1)

    def check() -> dict[str, int]:
        return {"call": next(calls)}

    for _ in range(3):
        registry.register_check("one", check)
        assert registry.check("one").details == {"call": 1}


def test_an_option_that_there_is_not_is_refused(registry: HealthRegistry) -> None:
    """A misspelt one would leave a check critical that must not be."""
    options = cast("CheckOptions", {"kritical": False})

    with pytest.raises(TypeError, match=r"'one': there is no option 'kritical'.*'critical'\?"):
        registry.register_check("one", raises, **options)

    assert registry.checks == ()


def test_checks_of_many_threads_are_all_registered(registry: HealthRegistry) -> None:
    """Nobody's check is lost to another who adds, or takes away, at the same time."""
    begin = threading.Barrier(4, timeout=10)

    def register(thread: int) -> None:
        begin.wait()
        for number in range(100):
            registry.register_check(f"{thread}-{number}", raises)
            registry.register_check("passing by", raises)
            registry.unregister_check("passing by")

    threads = [threading.Thread(target=register, args=(number,)) for number in range(4)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)

    assert len(registry.checks) == 400


def test_a_check_takes_the_place_of_another_when_told_to(registry: HealthRegistry) -> None:
    """`replace=True` leaves one check: the newer."""
    registry.register_check("one", lambda: False)
    registry.register_check("one", lambda: True, replace=True)

    assert [check.name for check in registry.checks] == ["one"]
    assert registry.get_health_status().status is HealthStatus.PASS


def test_a_check_can_be_taken_away(registry: HealthRegistry) -> None:
    """A check that was taken away is not run; taking away what is not there does no harm."""
    registry.register_check("one", raises)

    registry.unregister_check("one")
    registry.unregister_check("one")

    assert registry.run_all_checks() == {}


def test_a_check_that_is_taken_away_while_it_is_asked_is_forgotten(
    registry: HealthRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names that come and go leave nothing behind."""
    taken = registry.runner.run

    def run(check: Check, *, fresh: bool = False) -> object:
        registry.unregister_check(check.name)
        return taken(check, fresh=fresh)

    registry.register_check("one", lambda: True)
    monkeypatch.setattr(registry.runner, "run", run)

    assert registry.check("one").status is HealthStatus.PASS
    assert registry.runner._latest == {}


@pytest.mark.parametrize("seconds", [0, -1, math.nan, math.inf, 86_401])
@pytest.mark.parametrize("option", ["timeout", "every"])
def test_an_impossible_time_is_refused(
    registry: HealthRegistry, option: str, seconds: float
) -> None:
    """What no thread could wait for is told at once, with the name of the check."""
    times = {option: seconds}
    with pytest.raises(ValueError, match=f"'one': {option} must be above 0 seconds"):
        registry.register_check(
            "one", raises, timeout=times.get("timeout", 1.0), every=times.get("every")
        )

    assert registry.checks == ()


def test_what_a_check_said_is_no_check(registry: HealthRegistry) -> None:
    """A function that was called by mistake is told where it is registered, not at a probe."""
    said = cast("CheckFunction", True)  # as `register_check("one", check())` has it

    with pytest.raises(ValueError, match=r"'one': run must be what is called to look.*not True"):
        registry.register_check("one", said)


def test_checks_of_another_registry_are_taken_over(registry: HealthRegistry) -> None:
    """Names that are taken keep their own check."""
    other = HealthRegistry()
    other.register_check("early", lambda: True)
    other.register_check("both", lambda: True)
    registry.register_check("both", lambda: False)

    registry.take_over(other)

    assert {name: r.status.value for name, r in registry.run_all_checks().items()} == {
        "early": "pass",
        "both": "fail",
    }


def test_the_health_of_the_current_runtime_is_asked() -> None:
    """`health_check` passes every call on to the runtime that is current at that moment."""
    one, other = RecordingRuntime(), RecordingRuntime()

    with activated(one):
        health_check.register_check("orders", lambda: False, critical=False, timeout=2.0)
        assert health_check.run_all_checks()["orders"].status is HealthStatus.WARN
        assert health_check.get_health_status().status is HealthStatus.WARN
        assert health_check.check("orders").status is HealthStatus.WARN
        health_check.mark_unready("warming up")
        assert one.health.unready == "warming up"
        health_check.mark_ready()
        assert one.health.unready == ""
    with activated(other):
        assert health_check.run_all_checks() == {}

    (check,) = one.health.checks
    assert (check.name, check.critical, check.timeout) == ("orders", False, 2.0)
    with activated(one):
        health_check.unregister_check("orders")
    assert one.health.checks == ()
