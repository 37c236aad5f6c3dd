"""Runs of checks: bounded in time and threads, shared while they go on, kept for a while."""

import asyncio
import gc
import itertools
import os
import sys
import threading
import weakref
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Protocol, cast

import pytest

from holdfast.health import Finding, HealthRegistry, HealthReport, HealthStatus, Ttl, degraded
from holdfast.health.pool import Pool
from holdfast.testing import FakeClock


class Reports(Protocol):
    """Asks a registry for a report, on a thread or on an event loop."""

    def __call__(
        self,
        registry: HealthRegistry,
        group: str = "",
        *,
        tags: Collection[str] = (),
        within: float = 30.0,
    ) -> HealthReport:
        """Ask it."""
        ...


def on_thread(
    registry: HealthRegistry,
    group: str = "",
    *,
    tags: Collection[str] = (),
    within: float = 30.0,
) -> HealthReport:
    """Wait on this thread."""
    return registry.report(group, tags=tags, within=within)


def on_loop(
    registry: HealthRegistry,
    group: str = "",
    *,
    tags: Collection[str] = (),
    within: float = 30.0,
) -> HealthReport:
    """Wait on an event loop."""
    return asyncio.run(registry.areport(group, tags=tags, within=within))


@pytest.fixture(params=[on_thread, on_loop])
def report(request: pytest.FixtureRequest) -> Reports:
    """Ask for reports in both ways."""
    return cast("Reports", request.param)


@pytest.fixture
def clock() -> FakeClock:
    """Make a clock that stands still."""
    return FakeClock()


@pytest.fixture
def registry(clock: FakeClock) -> HealthRegistry:
    """Make a registry that keeps answers for a second."""
    return HealthRegistry(clock)


@pytest.fixture
def hang() -> Iterator[threading.Event]:
    """Offer what a check may wait for until the test is over."""
    over = threading.Event()
    yield over
    over.set()


async def turn() -> None:
    """Let others of the event loop go on."""
    await FakeClock().asleep(0)


def outputs(report: HealthReport) -> dict[str, tuple[str, str]]:
    """Return status and output by check."""
    return {result.name: (result.status.value, result.output) for result in report.results}


@pytest.mark.parametrize(
    ("status", "critical", "told"),
    [
        ("pass", True, "pass"),
        ("warn", True, "warn"),
        ("fail", True, "fail"),
        ("fail", False, "warn"),
        ("warn", False, "warn"),
    ],
)
def test_a_finding_says_it_all(
    registry: HealthRegistry, report: Reports, status: str, told: str, *, critical: bool
) -> None:
    """A check may say its status, why, and facts; what is not critical fails nothing."""
    said = Finding(status=HealthStatus(status), output="1 of 3 answers", details={"up": 1})
    registry.register_check("replicas", lambda: said, critical=critical)

    (result,) = report(registry).results

    assert (result.status.value, result.output, result.details) == (
        told,
        "1 of 3 answers",
        {"up": 1},
    )
    assert result.critical is critical


def test_what_is_degraded_warns_and_serves(registry: HealthRegistry, report: Reports) -> None:
    """Degraded is a warning of a critical check, too."""
    registry.register_check("replica", lambda: degraded("lags behind", seconds=42))

    assert report(registry).status is HealthStatus.WARN
    assert registry.check("replica").details == {"seconds": 42}


def test_outputs_are_redacted(registry: HealthRegistry, report: Reports) -> None:
    """A sentence of a check may quote what it should not."""
    registry.register_check("db", lambda: degraded("slow: postgresql://shop:hunter2@db/shop"))

    assert "hunter2" not in str(outputs(report(registry)))


def test_a_coroutine_function_is_a_check(registry: HealthRegistry, report: Reports) -> None:
    """Asynchronous checks run on a loop of their own, whoever asks."""

    async def check() -> dict[str, object]:
        await turn()
        return {"replies": 1}

    registry.register_check("queue", check)

    (result,) = report(registry).results

    assert (result.status, result.details) == (HealthStatus.PASS, {"replies": 1})


def test_an_instance_that_can_be_called_is_a_check(
    registry: HealthRegistry, report: Reports
) -> None:
    """A check with options is a small class."""

    @dataclass(frozen=True)
    class Above:
        least: int

        def __call__(self) -> bool:
            return self.least < 3

    registry.register_check("few", Above(2))
    registry.register_check("many", Above(4))

    assert outputs(report(registry)) == {"few": ("pass", ""), "many": ("fail", "")}


def test_an_asynchronous_check_that_hangs_is_cancelled(report: Reports) -> None:
    """Its time over, a coroutine is cancelled: it may close what it opened, and its thread is free."""
    registry, closed = HealthRegistry(), threading.Event()

    async def check() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            closed.set()

    registry.register_check("hangs", check, timeout=0.02)

    assert report(registry).status is HealthStatus.FAIL
    assert closed.wait(5)


@pytest.mark.parametrize(
    ("group", "names"),
    [
        ("", {"disk", "database", "shop-api", "migrations"}),
        ("ready", {"database"}),
        ("live", {"disk"}),
        ("startup", {"migrations", "database"}),
        ("partners", {"shop-api"}),
        ("nobody", set[str]()),
    ],
)
def test_a_group_asks_its_checks_alone(
    registry: HealthRegistry, report: Reports, group: str, names: set[str]
) -> None:
    """Checks are ready checks unless they say otherwise; without a group all are asked."""
    registry.register_check("disk", lambda: True, groups=["live"])
    registry.register_check("database", lambda: True, groups=["ready", "startup"])
    registry.register_check("migrations", lambda: True, groups=["startup"])
    registry.register_check("shop-api", lambda: True, groups=["partners"])

    assert {result.name for result in report(registry, group).results} == names
    assert registry.groups == {"live", "ready", "startup", "partners"}


@pytest.mark.parametrize("group", ["metrics", "Ready", "a b", "", "9", "x" * 51])
def test_a_group_that_no_address_can_name_is_refused(registry: HealthRegistry, group: str) -> None:
    """Groups are parts of addresses."""
    with pytest.raises(ValueError, match=r"'one'.*cannot be a group"):
        registry.register_check("one", lambda: True, groups=[group])


def test_a_group_is_not_taken_for_its_letters(registry: HealthRegistry) -> None:
    """A word in the place of several is a mistake that would be hard to find."""
    with pytest.raises(ValueError, match=r"groups must be several words, such as \['live'\]"):
        registry.register_check("one", lambda: True, groups="live")


def test_tags_pick_checks(registry: HealthRegistry) -> None:
    """A check with one of the tags is asked, the others are not."""
    registry.register_check("orders", lambda: True, tags=["sql", "orders"])
    registry.register_check("stock", lambda: True, tags=["sql"])
    registry.register_check("mail", lambda: True)

    assert [r.name for r in registry.report(tags=["orders"]).results] == ["orders"]
    assert [r.name for r in registry.report(tags=["sql", "orders"]).results] == ["orders", "stock"]


@pytest.mark.parametrize("group", ["ready", "live"])
def test_a_tag_that_no_check_has_is_a_warning(
    registry: HealthRegistry, report: Reports, group: str
) -> None:
    """Who mistypes a word is not told for ever that all is well."""
    registry.register_check("orders", lambda: True, tags=["sql"])

    found = report(registry, group, tags=["sql", "sqll"])

    missing = "'sqll'" if group == "ready" else "'sql', 'sqll'"
    assert found.status is HealthStatus.WARN
    assert outputs(found)["probe:tags"] == ("warn", f"no check is tagged {missing}")


@pytest.mark.parametrize(
    ("group", "status"), [("", "fail"), ("ready", "fail"), ("live", "pass"), ("startup", "pass")]
)
def test_an_unready_process_is_alive(
    registry: HealthRegistry, report: Reports, group: str, status: str
) -> None:
    """Draining is told by readiness alone, or the process would be killed for it."""
    registry.mark_unready("draining")

    assert report(registry, group).status.value == status


def test_an_answer_is_kept_for_a_while(
    registry: HealthRegistry, report: Reports, clock: FakeClock
) -> None:
    """Probes that come often do not ask the dependency each time."""
    calls = itertools.count(1)
    registry.register_check("db", lambda: {"call": next(calls)})

    def seen() -> object:
        return report(registry).results[0].details["call"]

    first, second = seen(), seen()
    clock.advance(0.9)
    third = seen()
    clock.advance(0.2)

    assert (first, second, third, seen()) == (1, 1, 1, 2)


def test_each_status_is_kept_for_its_own_time(
    report: Reports, registry: HealthRegistry, clock: FakeClock
) -> None:
    """What fails may be looked at more often than what passes."""
    well = [True]
    registry.register_check("db", lambda: well[0], ttl=Ttl(passing=10.0, failing=0.0))

    assert report(registry).status is HealthStatus.PASS
    well[0] = False
    clock.advance(9.0)
    assert report(registry).status is HealthStatus.PASS
    clock.advance(2.0)
    assert report(registry).status is HealthStatus.FAIL
    well[0] = True
    assert report(registry).status is HealthStatus.PASS


def test_all_checks_are_run_whatever_is_kept(registry: HealthRegistry) -> None:
    """`run_all_checks` runs them, as it says."""
    calls = itertools.count(1)
    registry.register_check("db", lambda: {"call": next(calls)})
    registry.report()

    assert registry.run_all_checks()["db"].details == {"call": 2}


def test_a_ttl_below_nothing_is_refused() -> None:
    """A time before now is a mistake."""
    with pytest.raises(ValueError, match="failing of a Ttl must be 0 seconds or more, not -1"):
        Ttl(failing=-1.0)


def test_a_probe_is_answered_in_its_time(report: Reports, hang: threading.Event) -> None:
    """Whatever its checks may take, a probe waits no longer than it has; others are not counted out."""
    registry = HealthRegistry()
    registry.register_check("slow", hang.wait, timeout=60.0)
    registry.register_check("well", lambda: True)

    assert outputs(report(registry, within=0.05)) == {
        "slow": ("fail", "no answer in the time of a probe"),
        "well": ("pass", ""),
    }


def test_one_probe_waits_for_a_check_that_may_take_longer_than_it(
    report: Reports, clock: FakeClock, hang: threading.Event
) -> None:
    """Where a check may take longer than a probe, the first gives up on it, and the others do not wait."""
    registry = HealthRegistry(clock)
    registry.register_check("slow", hang.wait, timeout=60.0)
    first = report(registry, within=0.01)
    clock.advance(30.0)

    second = report(
        registry, within=30.0
    )  # would wait for it, were it not for how long it has taken

    assert outputs(first) == outputs(second)
    assert outputs(second) == {"slow": ("fail", "no answer in the time of a probe")}


def test_who_gives_up_soon_takes_no_time_from_others(
    registry: HealthRegistry, report: Reports, hang: threading.Event
) -> None:
    """One impatient caller does not make a check fail that answers in the time of a probe."""
    registry.register_check("slow", lambda: hang.wait(5), timeout=60.0)
    first = report(registry, within=0.001)
    later = threading.Timer(0.2, hang.set)
    later.start()

    second = report(registry, within=30.0)
    later.join()

    assert (first.status, second.status) == (HealthStatus.FAIL, HealthStatus.PASS)


def test_a_check_that_took_too_long_is_not_waited_for_again(
    registry: HealthRegistry, report: Reports, clock: FakeClock
) -> None:
    """One probe waits for a check that hangs; those after it, also of later runs, are told at once."""
    entered, release = threading.Semaphore(0), threading.Semaphore(0)

    def check() -> None:
        entered.release()
        release.acquire()

    registry.register_check("hangs", check, timeout=5.0)
    assert outputs(report(registry, within=0.01))["hangs"][0] == "fail"
    assert entered.acquire(timeout=5)
    clock.advance(30.0)
    going = registry.runner.run(registry.checks[0])
    release.release()
    late = going._future.result(5)
    clock.advance(2.0)

    again = report(registry)  # would wait five seconds, were it not for what happened before

    assert late.output == "answered after 30.0 s, 5 s are allowed"
    assert outputs(again) == {"hangs": ("fail", "took more than 5 s before; looking again")}
    release.release()


def test_what_answers_too_late_fails(registry: HealthRegistry, clock: FakeClock) -> None:
    """Nobody waited for it: an answer after its time is none, and is told as long as it is kept."""
    registry.register_check("slow", lambda: clock.advance(7.0), timeout=5.0)

    first = registry.report()
    kept = registry.report()

    assert outputs(first) == {"slow": ("fail", "answered after 7.0 s, 5 s are allowed")}
    assert kept.results == first.results


def test_no_more_checks_run_than_there_are_threads(hang: threading.Event) -> None:
    """Checks beyond the bound wait their turn, and are told of when it does not come in their time."""
    registry = HealthRegistry(threads=2)
    for number in range(5):
        registry.register_check(f"c{number}", hang.wait, timeout=0.05)

    said = [output for _, output in outputs(registry.report()).values()]

    assert registry.runner.threads == 2
    assert said.count("no answer in 0.05 s") == 2
    assert said.count("no thread was free for it") == 3


def test_idle_threads_end() -> None:
    """A process whose health nobody asks has no threads for it."""
    pool, done, others = Pool(4, idle=0.01), threading.Event(), set(threading.enumerate())

    def work() -> None:
        done.wait(5)

    pool.submit(work)

    assert pool.threads == 1
    own = set(threading.enumerate()) - others
    done.set()
    for thread in own:
        thread.join(5)

    assert pool.threads == 0


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_real_child_has_threads_of_its_own(hang: threading.Event) -> None:
    """A worker that is forked while a check hangs answers for itself."""
    registry = HealthRegistry()
    registry.register_check("one", hang.wait, timeout=0.05)
    registry.report()
    child = os.fork()
    if not child:
        hang.set()
        os._exit(0 if registry.report().status is HealthStatus.PASS else 1)

    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0


def test_a_check_is_looked_at_in_the_background(clock: FakeClock) -> None:
    """Once it has answered, probes are told what was seen last, and never wait."""
    registry, looked = HealthRegistry(clock), threading.Semaphore(0)
    calls = itertools.count(1)

    def check() -> dict[str, object]:
        looked.release()
        return {"call": next(calls)}

    registry.register_check("slow", check, every=30.0)
    registry.report()
    assert looked.acquire(timeout=5)
    clock.advance(20.0)
    kept = registry.report().results[0].details
    clock.advance(20.0)
    registry.runner._ticker.wake()
    assert looked.acquire(timeout=5)

    assert kept == {"call": 1}
    assert registry.check("slow", fresh=True).details["call"] in {2, 3}
    registry.close()


def test_a_check_that_hangs_in_the_background_is_told(
    clock: FakeClock, hang: threading.Event
) -> None:
    """What was seen before it hung is not told for longer than it may take."""
    registry, calls = HealthRegistry(clock), itertools.count()
    entered = threading.Event()

    def check() -> None:
        if next(calls):
            entered.set()
            hang.wait()

    registry.register_check("slow", check, every=30.0, timeout=5.0)
    before = registry.report().status
    clock.advance(40.0)
    registry.runner._ticker.wake()
    assert entered.wait(5)
    meanwhile = registry.report().status
    clock.advance(6.0)

    assert (before, meanwhile) == (HealthStatus.PASS, HealthStatus.PASS)
    assert registry.report().status is HealthStatus.FAIL
    registry.close()


def test_a_loop_that_waits_for_checks_goes_on(hang: threading.Event) -> None:
    """Other work of the event loop is done while a check is waited for."""
    registry = HealthRegistry()
    registry.register_check("waits", lambda: hang.wait(5))

    async def both() -> HealthReport:
        asked = asyncio.create_task(registry.areport())
        await turn()
        hang.set()
        return await asked

    assert asyncio.run(both()).status is HealthStatus.PASS


def test_who_stops_waiting_takes_nothing_from_others(hang: threading.Event) -> None:
    """A client that goes away cancels its probe, and not the run that others wait for."""
    registry = HealthRegistry()
    registry.register_check("waits", lambda: {"set": hang.wait(5)})

    async def both() -> HealthReport:
        leaving = asyncio.create_task(registry.areport())
        staying = asyncio.create_task(registry.areport())
        await turn()
        leaving.cancel()
        await turn()
        hang.set()
        return await staying

    assert asyncio.run(both()).results[0].details == {"set": True}


def test_a_check_asks_what_is_around_it(registry: HealthRegistry) -> None:
    """An adapter puts something around every check, such as its application."""
    seen: list[str] = []

    class Around:
        def __enter__(self) -> None:
            seen.append("in")

        def __exit__(self, *_: object) -> None:
            seen.append("out")

    registry.around = Around
    registry.register_check("one", lambda: seen.append("check"))

    registry.report()

    assert seen == ["in", "check", "out"]


def test_who_gave_up_waiting_leaves_nothing_behind(hang: threading.Event) -> None:
    """However many ask, on loops that are closed by then, while a check hangs for an hour."""
    registry, loops = HealthRegistry(), weakref.WeakSet[asyncio.AbstractEventLoop]()
    registry.register_check("hangs", hang.wait, timeout=3600.0)

    async def ask() -> None:
        loops.add(asyncio.get_running_loop())
        await registry.areport(within=0.01)

    for _ in range(5):
        asyncio.run(ask())
    gc.collect()

    assert registry.runner.run(registry.checks[0]).is_going
    assert len(loops) == 0


async def test_a_loop_is_woken_by_a_check_that_ends_as_it_is_asked(
    registry: HealthRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between being found at work and being waited for, it may have ended."""
    go = threading.Event()
    registry.register_check("one", lambda: go.wait(5), timeout=60.0)
    run = registry.runner.run(registry.checks[0])
    event = asyncio.Event

    def made() -> asyncio.Event:
        go.set()
        run.wait(5)
        return event()

    monkeypatch.setattr(asyncio, "Event", made)

    assert (await run.aresult(60.0)).status is HealthStatus.PASS
