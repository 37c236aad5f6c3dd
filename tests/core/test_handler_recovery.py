"""Recover actions: when they are tried, for how long, and when not."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from queue import Queue
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.classify import Classification
from holdfast.codes import Severity
from holdfast.errors import DatabaseError
from holdfast.handler import Action, Recovered, Recovery, Verdict
from holdfast.handler.asides import Asides, CrowdedError, OverdueError
from holdfast.handler.recovery import MAX_AT_ONCE, Guard
from holdfast.origin import ErrorContext, Origin
from holdfast.reporting.channel import turn
from holdfast.testing import FakeClock, RecordingRuntime

HERE = Origin(boundary="test", operation="READ")
Handle: TypeAlias = Callable[..., Verdict]


@pytest.fixture
def runtime() -> RecordingRuntime:
    """Return a fresh runtime."""
    return RecordingRuntime()


@pytest.fixture(params=["sync", "async"])
def handle(request: pytest.FixtureRequest, runtime: RecordingRuntime) -> Handle:
    """Return what hands over a fresh error, on a thread or on an event loop."""

    def sync(origin: Origin = HERE) -> Verdict:
        return runtime.handle(DatabaseError("down"), origin)

    def on_loop(origin: Origin = HERE) -> Verdict:
        return asyncio.run(runtime.ahandle(DatabaseError("down"), origin))

    return sync if request.param == "sync" else on_loop


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """Return what lets hanging actions end, which the end of the test does."""
    event = threading.Event()
    yield event
    event.set()


def names(runtime: RecordingRuntime) -> list[str]:
    """Return the names of the events about recoveries."""
    return [e.name for e in runtime.recorded.events if e.name.startswith("recovery.")]


class Trial:
    """An action that does as told, and counts."""

    def __init__(self, *, fails: bool = False, value: object = None) -> None:
        self.fails, self.value, self.calls = fails, value, 0

    def plain(self, error: BaseException, context: ErrorContext, said: Classification) -> object:
        """Do it."""
        self.calls += 1
        if self.fails:
            raise OSError("cannot connect, password=hunter2")
        return self.value

    async def coroutine(
        self, error: BaseException, context: ErrorContext, said: Classification
    ) -> object:
        """Do it as a coroutine."""
        return self.plain(error, context, said)


@pytest.fixture(params=["plain", "coroutine"])
def kind(request: pytest.FixtureRequest) -> str:
    """Return which kind of action is tried."""
    return str(request.param)


def test_an_action_recovers(runtime: RecordingRuntime, handle: Handle, kind: str) -> None:
    """Its value is gone on with, and told."""
    action = Trial(value=["from the cache"])
    runtime.recover("DATABASE_ERROR", getattr(action, kind))

    verdict = handle()

    (told, handled) = runtime.recorded.events
    assert (verdict.action, verdict.value) == (Action.RECOVERED, ["from the cache"])
    assert (told.name, told.severity) == ("recovery.succeeded", Severity.INFO)
    assert told.attributes == {
        "recovery": f"{__name__}.Trial.{kind}",
        "code": "DATABASE_ERROR",
        "duration": 0.0,
    }
    assert handled.attributes["recovered"] is True


def test_an_action_does_what_it_can(runtime: RecordingRuntime, handle: Handle, kind: str) -> None:
    """Without a value the error is answered as usual, and the next action is tried."""
    first, second = Trial(), Trial(value=Recovered(None))
    runtime.recover(DatabaseError, getattr(first, kind))

    assert handle().action is Action.RESPOND

    runtime.recover(DatabaseError, getattr(second, kind))

    verdict = handle()
    assert (verdict.action, verdict.value, first.calls) == (Action.RECOVERED, None, 2)


def test_handlers_are_asked_before(runtime: RecordingRuntime, handle: Handle, kind: str) -> None:
    """What a handler answers is not recovered from."""
    action = Trial(value="from the action")
    runtime.recover("DATABASE_ERROR", getattr(action, kind))
    runtime.on("DATABASE_ERROR", lambda _, __, ___: "from the handler")

    assert handle().value == "from the handler"
    assert action.calls == 0


def test_an_action_that_keeps_failing_pauses(
    runtime: RecordingRuntime, handle: Handle, kind: str
) -> None:
    """After failures in a row it is not tried for the pause, then once; a success ends it."""
    action, clock = Trial(fails=True), runtime.clock
    assert isinstance(clock, FakeClock)
    runtime.recover("DATABASE_ERROR", getattr(action, kind), failures=2, pause=30.0)

    for _ in range(5):
        assert handle().action is Action.RESPOND
    assert action.calls == 2
    clock.advance(30.0)
    for _ in range(3):
        handle()
    assert action.calls == 3
    clock.advance(30.0)
    action.fails, action.value = False, "back"
    assert [handle().value for _ in range(3)] == ["back"] * 3

    failed, paused = "recovery.failed", "recovery.paused"
    succeeded = ["recovery.succeeded"] * 3
    assert names(runtime) == [failed, failed, paused, failed, paused, *succeeded]
    told = [e for e in runtime.recorded.events if e.name in {failed, paused}]
    assert all(e.severity is Severity.WARNING for e in told)
    assert "hunter2" not in str([dict(e.attributes) for e in told])
    assert told[2].attributes["pause"] == 30.0


def test_an_action_that_hangs_is_left_behind(
    runtime: RecordingRuntime, handle: Handle, release: threading.Event
) -> None:
    """Time is over: the error is answered, and no more hang at once than may fail."""
    calls: list[bool] = []
    clock = runtime.clock
    assert isinstance(clock, FakeClock)

    def hangs(*_: object) -> None:
        calls.append(release.wait(50))

    started: list[int] = []

    def starts(error: BaseException, context: ErrorContext, said: Classification) -> None:
        started.append(1)
        hangs()

    runtime.recover("DATABASE_ERROR", starts, timeout=0.02, failures=2, pause=1.0)

    for _ in range(4):
        assert handle().action is Action.RESPOND
    clock.advance(2.0)  # the pause is over, and both still hang
    handle()

    assert (len(started), calls) == (2, [])
    timed_out = ["recovery.timed_out"] * 2
    assert names(runtime) == [*timed_out, "recovery.paused", "recovery.crowded"]


def test_calls_under_way_are_bounded(runtime: RecordingRuntime, release: threading.Event) -> None:
    """Before the first has timed out, too: those above are answered, told, and count as no failures."""
    started: list[int] = []
    ended: Queue[Action] = Queue()

    def hangs(*_: object) -> str:
        started.append(1)
        release.wait(50)
        return "recovered"

    runtime.recover("DATABASE_ERROR", hangs, timeout=50, failures=3)

    def handle() -> None:
        ended.put(runtime.handle(DatabaseError("down"), HERE).action)

    threads = [threading.Thread(target=handle) for _ in range(MAX_AT_ONCE + 10)]
    for thread in threads:
        thread.start()
    passed_over = [ended.get(timeout=20) for _ in range(10)]
    release.set()
    for thread in threads:
        thread.join()

    assert len(started) == MAX_AT_ONCE
    assert passed_over == [Action.RESPOND] * 10
    assert sorted(names(runtime)) == sorted(
        ["recovery.crowded"] * 10 + ["recovery.succeeded"] * MAX_AT_ONCE
    )


def test_what_ended_late_makes_room(release: threading.Event) -> None:
    """Threads are counted while they live, by whomever they were left behind."""
    asides = Asides(most_left=1, at_once=2)
    ended = threading.Event()

    def hangs() -> None:
        release.wait(50)

    with pytest.raises(OverdueError):
        asides.call(hangs, 0.01)
    with pytest.raises(CrowdedError):
        asides.call(ended.set, 1)
    (left,) = (thread for thread in threading.enumerate() if thread.name == "holdfast-aside")
    release.set()
    left.join()

    asides.call(ended.set, 20)

    assert ended.is_set()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_the_child_of_a_fork_has_nothing_under_way() -> None:
    """Not even where the thread of an action itself forked."""
    script = """
import os
from holdfast.handler.asides import Asides
asides = Asides(most_left=1, at_once=1)
def forks():
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        os._exit(asides.call(lambda: 7, 20))
    except Exception:
        os._exit(1)
print(asides.call(forks, 40))
"""

    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert told.stdout.split() == ["7"]


def test_a_coroutine_that_hangs_is_cancelled(runtime: RecordingRuntime, handle: Handle) -> None:
    """Time is over for it, too, also where it does not let itself be cancelled at once."""

    async def hangs(*_: object) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.wait([asyncio.ensure_future(asyncio.to_thread(int))])

    runtime.recover("DATABASE_ERROR", hangs, timeout=0.02)

    assert handle().action is Action.RESPOND
    assert names(runtime) == ["recovery.timed_out"]


def test_a_time_out_of_the_actions_own_is_a_failure(
    runtime: RecordingRuntime, handle: Handle, kind: str
) -> None:
    """A `TimeoutError` that it raises is not ours."""

    class Slow(Trial):
        def plain(
            self, error: BaseException, context: ErrorContext, said: Classification
        ) -> object:
            raise TimeoutError("the database did not answer")

    runtime.recover("DATABASE_ERROR", getattr(Slow(), kind))

    handle()

    assert names(runtime) == ["recovery.failed"]


def test_nothing_is_tried_where_nobody_goes_on(runtime: RecordingRuntime, handle: Handle) -> None:
    """Neither at the end of a process nor for what a reporter causes."""
    action = Trial(value="value")
    runtime.recover("DATABASE_ERROR", action.plain)

    handle(Origin(boundary="process", resumable=False))
    turn.busy = True
    try:
        handle()
    finally:
        turn.busy = False

    assert action.calls == 0


def test_a_process_that_leaves_recovers_from_nothing(
    runtime: RecordingRuntime, handle: Handle
) -> None:
    """After an error that ends the process neither handlers nor actions are asked."""

    class Always:
        def decide(self, record: object) -> bool:
            return True

        def begin(self, record: object) -> None:
            """Stay, for the test."""

    action = Trial(value="value")
    runtime.recover(KeyError, action.plain)
    runtime.on(KeyError, action.plain)
    runtime.handler.leaving = Always()

    assert runtime.handle(KeyError("sku"), HERE).action is Action.EXIT
    assert asyncio.run(runtime.ahandle(KeyError("sku"), HERE)).action is Action.EXIT
    assert action.calls == 0


def test_context_variables_reach_the_thread(runtime: RecordingRuntime, handle: Handle) -> None:
    """An action on a thread of its own has the caller's piece of work, and is a daemon there."""
    seen: list[tuple[str, bool]] = []

    def looks(error: BaseException, context: ErrorContext, said: Classification) -> None:
        seen.append((context.trace_id, threading.current_thread().daemon))

    from holdfast.context import work_context  # noqa: PLC0415  # beside its use

    runtime.recover("DATABASE_ERROR", looks)
    with work_context("req-1"):
        handle()

    assert seen == [("req-1", True)]


@pytest.mark.parametrize(
    "wrong", [{"timeout": 0}, {"timeout": float("nan")}, {"failures": 0}, {"pause": -1}]
)
def test_limits_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    """Where the action is registered."""
    limits = {"timeout": 1.0, "failures": 1, "pause": 1.0, **wrong}

    with pytest.raises(ValueError, match=next(iter(wrong))):
        Recovery(action=print, **limits)  # type: ignore[arg-type]  # the point


@given(
    failures=st.integers(1, 4),
    steps=st.lists(st.tuples(st.booleans(), st.integers(0, 12)), max_size=40),
)
def test_a_guard_admits_one_in_each_pause(failures: int, steps: list[tuple[bool, int]]) -> None:
    """An invariant: after failures in a row, whoever is admitted comes a pause after the last."""
    guard, now, in_a_row, last = Guard(failures, 10.0), 0.0, 0, 0.0
    for well, passed in steps:
        now += passed
        if not guard.admit(now):
            assert in_a_row >= failures
            assert now < last + 10.0
            continue
        assert in_a_row < failures or now >= last + 10.0
        began = guard.settle(now, well=well)
        in_a_row, last = (0, last) if well else (in_a_row + 1, now)
        assert began == (in_a_row >= failures)
