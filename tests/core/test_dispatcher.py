"""Events reach every reporter that works, and no reporter hurts anybody."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from holdfast.codes import Severity
from holdfast.events import Event
from holdfast.reporting.dispatcher import Delivery, Dispatcher

SOURCE = Path(__file__).parents[2] / "packages" / "core" / "src"
WHEN = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)


def event(name: str = "stock.counted") -> Event:
    """Make an event."""
    return Event(name=name, severity=Severity.INFO, time=WHEN)


class Keeper:
    """Keeps what it is told, and under which thread's name."""

    def __init__(self, name: str = "keeper") -> None:
        self.name = name
        self.seen: list[str] = []
        self.threads: set[str] = set()
        self.closed = 0

    def report(self, event: Event) -> None:
        """Keep one event."""
        self.seen.append(event.name)
        self.threads.add(threading.current_thread().name)

    def close(self) -> None:
        """Count how often it was closed."""
        self.closed += 1


class Raiser:
    """Cannot report anything."""

    name = "raiser"

    def __init__(self, failure: BaseException | None = None) -> None:
        self.failure = failure or OSError("no route to host, password=hunter2")

    def report(self, event: Event) -> None:
        """Fail."""
        raise self.failure

    def close(self) -> None:
        """Fail once more."""
        raise self.failure


class Hanger:
    """Hangs in its first report until it is let go."""

    name = "hanger"

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.released = threading.Event()
        self.seen: list[str] = []

    def report(self, event: Event) -> None:
        """Wait to be let go."""
        self.entered.set()
        self.released.wait(30)
        self.seen.append(event.name)


@contextmanager
def hanging() -> Generator[Hanger]:
    """Give a reporter that hangs, and let it go at the end."""
    hanger = Hanger()
    try:
        yield hanger
    finally:
        hanger.released.set()


def in_threads(count: int, work: Callable[[], None]) -> None:
    """Do something in several threads at the same time."""
    start = threading.Barrier(count)

    def run() -> None:
        start.wait()
        work()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def run_script(script: str) -> subprocess.CompletedProcess[str]:
    """Run a script in an interpreter of its own."""
    return subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_events_arrive_in_order_on_a_thread_of_the_reporter() -> None:
    """A reporter is told everything, in order, away from the caller's thread."""
    keeper = Keeper()
    dispatcher = Dispatcher([keeper])

    for number in range(100):
        dispatcher.emit(event(f"event.{number}"))

    assert dispatcher.flush()
    assert keeper.seen == [f"event.{number}" for number in range(100)]
    assert keeper.threads == {"holdfast-keeper"}
    assert dispatcher.deliveries() == (Delivery("keeper", 100, 0, 0, 0),)
    assert dispatcher.close()


def test_no_thread_is_started_before_the_first_event() -> None:
    """A dispatcher costs no thread as long as nothing happens."""
    before = threading.active_count()

    dispatcher = Dispatcher([Keeper(), Keeper()])

    assert threading.active_count() == before
    assert dispatcher.flush()
    assert dispatcher.close()


@pytest.mark.parametrize("inline", [False, True])
def test_a_reporter_that_raises_is_isolated_counted_and_said_once(
    capsys: pytest.CaptureFixture[str], *, inline: bool
) -> None:
    """Others still hear, every failure counts, and one line says so without the failure's text."""
    keeper = Keeper()
    dispatcher = Dispatcher([Raiser(), keeper], inline=inline)

    for _ in range(3):
        dispatcher.emit(event())
    assert dispatcher.flush()

    raiser, other = dispatcher.deliveries()
    assert (raiser.delivered, raiser.failed) == (0, 3)
    assert (other.delivered, other.failed) == (3, 0)
    assert capsys.readouterr().err == (
        "holdfast: reporter 'raiser' raised OSError; further failures are only counted\n"
    )
    assert dispatcher.close()


@pytest.mark.parametrize("failure", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_a_reporter_that_exits_does_not_end_its_thread(
    failure: BaseException, capsys: pytest.CaptureFixture[str]
) -> None:
    """What would end a thread is a failure like any other: later events are still tried."""
    dispatcher = Dispatcher([Raiser(failure)])

    dispatcher.emit(event())
    dispatcher.emit(event())

    assert dispatcher.flush()
    assert dispatcher.deliveries()[0].failed == 2
    assert type(failure).__name__ in capsys.readouterr().err


def test_a_failure_is_survived_without_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon that has no standard error loses the sentence, not the events."""
    monkeypatch.setattr(sys, "stderr", None)
    dispatcher = Dispatcher([Raiser()], inline=True)

    dispatcher.emit(event())

    assert dispatcher.deliveries()[0].failed == 1


def test_a_reporter_without_a_name_is_counted_under_its_class() -> None:
    """A reporter that forgot its name does not break the caller."""

    class Nameless:
        def report(self, event: Event) -> None:
            """Take one event."""

    dispatcher = Dispatcher([Nameless()])  # type: ignore[list-item]  # what a project may get wrong  # pyright: ignore[reportArgumentType]

    dispatcher.emit(event())

    assert dispatcher.flush()
    assert dispatcher.deliveries()[0].reporter.endswith("Nameless")
    assert dispatcher.deliveries()[0].delivered == 1


def test_a_reporter_that_hangs_delays_neither_the_caller_nor_other_reporters() -> None:
    """While one reporter hangs, emitting returns and the other reporter hears everything."""
    keeper = Keeper()
    with hanging() as hanger:
        dispatcher = Dispatcher([hanger, keeper])
        for _ in range(50):
            dispatcher.emit(event())
        assert hanger.entered.wait(5)

        assert not dispatcher.flush(0.2)

        assert len(keeper.seen) == 50
        assert hanger.seen == []
        assert dispatcher.deliveries()[0].waiting >= 49

        hanger.released.set()
        assert dispatcher.flush(5)
        assert len(hanger.seen) == 50


def test_what_a_full_queue_cannot_take_is_counted() -> None:
    """A reporter that falls behind loses the newest events; every one of them is counted."""
    with hanging() as hanger:
        dispatcher = Dispatcher([hanger], queue_size=10)
        dispatcher.emit(event())
        assert hanger.entered.wait(5)

        for _ in range(25):
            dispatcher.emit(event())

        (delivery,) = dispatcher.deliveries()
        assert (delivery.waiting, delivery.dropped) == (10, 15)

        hanger.released.set()
        assert dispatcher.flush(5)
        assert dispatcher.deliveries()[0].delivered == 11


def test_closing_gives_up_on_a_reporter_that_hangs_and_says_what_is_lost(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Closing takes the time it was given, finishes the others, and counts what was left behind."""
    keeper = Keeper()
    with hanging() as hanger:
        dispatcher = Dispatcher([hanger, keeper])
        for _ in range(4):
            dispatcher.emit(event())
        assert hanger.entered.wait(5)

        assert not dispatcher.close(0.2)

        assert keeper.closed == 1
        assert dispatcher.deliveries()[0].dropped == 3
        assert "'hanger' did not finish in time; events not delivered: 3" in capsys.readouterr().err


def test_closing_delivers_what_waits_and_then_closes_the_reporters_once() -> None:
    """Nothing emitted before closing is lost; a second closing does nothing."""
    keeper = Keeper()
    dispatcher = Dispatcher([keeper])
    for _ in range(10):
        dispatcher.emit(event())

    assert dispatcher.close()
    assert dispatcher.close()

    assert len(keeper.seen) == 10
    assert keeper.closed == 1


@pytest.mark.parametrize("inline", [False, True])
def test_events_after_closing_are_dropped_and_counted(*, inline: bool) -> None:
    """A closed dispatcher takes nothing more."""
    keeper = Keeper()
    dispatcher = Dispatcher([keeper], inline=inline)
    dispatcher.emit(event())
    assert dispatcher.close()

    dispatcher.emit(event())

    assert len(keeper.seen) == 1
    assert dispatcher.deliveries()[0].dropped == 1


def test_a_reporter_that_raises_on_closing_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """A failure while finishing is one like any other."""
    dispatcher = Dispatcher([Raiser()])

    assert dispatcher.close()

    assert dispatcher.deliveries()[0].failed == 1
    assert "'raiser' raised OSError" in capsys.readouterr().err


@pytest.mark.parametrize("inline", [False, True])
def test_what_a_reporter_causes_by_reporting_does_not_go_in_circles(*, inline: bool) -> None:
    """Two reporters that emit an event for every event they get do not keep each other busy."""

    class Echo:
        def __init__(self, name: str) -> None:
            self.name = name

        def report(self, event: Event) -> None:
            """Emit the event again."""
            dispatchers[0].emit(event)

    dispatchers: list[Dispatcher] = []
    dispatchers.append(Dispatcher([Echo("one"), Echo("two")], inline=inline))

    dispatchers[0].emit(event())

    assert dispatchers[0].flush()
    assert [d.delivered for d in dispatchers[0].deliveries()] == [1, 1]
    assert [d.dropped for d in dispatchers[0].deliveries()] == [2, 2]


def test_an_event_emitted_while_one_is_being_counted_does_not_block() -> None:
    """A signal handler or finaliser may emit on a thread that holds the channel's lock."""
    dispatcher = Dispatcher([Keeper()], queue_size=1)
    channel = dispatcher._channels[0]

    with channel._lock:
        for _ in range(5):
            dispatcher.emit(event())

    assert dispatcher.flush()
    (delivery,) = dispatcher.deliveries()
    assert delivery.delivered + delivery.dropped == 5


@pytest.mark.parametrize("inline", [False, True])
def test_counts_add_up_under_many_threads(
    capsys: pytest.CaptureFixture[str], *, inline: bool
) -> None:
    """From eight threads at once, every event is delivered, failed or dropped, and counted as that."""
    threads, each = 8, 500
    previous = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    dispatcher = Dispatcher([Keeper(), Raiser()], queue_size=100, inline=inline)

    def emit_many() -> None:
        for _ in range(each):
            dispatcher.emit(event())

    try:
        in_threads(threads, emit_many)
    finally:
        sys.setswitchinterval(previous)

    assert dispatcher.flush(10)
    keeper, raiser = dispatcher.deliveries()
    assert keeper.delivered + keeper.dropped == threads * each
    assert raiser.failed + raiser.dropped == threads * each
    assert not inline or (keeper.delivered, raiser.failed) == (threads * each, threads * each)
    assert capsys.readouterr().err.count("\n") == 1


def test_no_thread_to_be_had_costs_the_caller_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no thread can be started events wait, and the next one that finds a thread delivers them."""
    keeper = Keeper()
    dispatcher = Dispatcher([keeper])

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        dispatcher.emit(event("one"))
    assert keeper.seen == []

    dispatcher.emit(event("two"))

    assert dispatcher.flush()
    assert keeper.seen == ["one", "two"]


def test_closing_delivers_what_waits_for_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dispatcher that never got its thread still delivers at the end."""
    keeper = Keeper()
    dispatcher = Dispatcher([keeper])

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        dispatcher.emit(event())

    assert dispatcher.close()
    assert keeper.seen == ["stock.counted"]
    assert keeper.closed == 1


def test_a_flush_without_a_thread_does_not_claim_delivery(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as events wait for a thread a flush says no; with a thread to be had it delivers."""
    keeper = Keeper()
    dispatcher = Dispatcher([keeper])

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        dispatcher.emit(event())
        assert not dispatcher.flush()
        assert dispatcher.deliveries()[0].waiting == 1

    assert dispatcher.flush()
    assert keeper.seen == ["stock.counted"]


@pytest.mark.parametrize("inline", [False, True])
@pytest.mark.parametrize("events", [0, 1])
def test_a_reporter_that_hangs_on_closing_does_not_hold_up_the_caller(
    capsys: pytest.CaptureFixture[str], events: int, *, inline: bool
) -> None:
    """Closing keeps to its time, whether the reporter had an event or not, queued or inline."""
    released, left = threading.Event(), threading.Event()

    class Lingerer(Keeper):
        def close(self) -> None:
            """Wait to be let go."""
            released.wait(30)
            left.set()

    keeper = Keeper()
    dispatcher = Dispatcher([Lingerer("lingerer"), keeper], inline=inline)
    for _ in range(events):
        dispatcher.emit(event())

    try:
        assert not dispatcher.close(0.2)

        assert not left.is_set()
        assert keeper.closed == 1
        assert capsys.readouterr().err == (
            "holdfast: reporter 'lingerer' did not finish in time; events not delivered: 0\n"
        )
    finally:
        released.set()
    assert left.wait(5)


def test_a_reporter_with_nothing_to_finish_costs_closing_no_thread() -> None:
    """A thread is started for the end alone only where there is something to do."""

    class Plain:
        name = "plain"

        def report(self, event: Event) -> None:
            """Take one event."""

    dispatcher = Dispatcher([Plain()], inline=True)
    before = threading.active_count()

    assert dispatcher.close()
    assert threading.active_count() == before
    assert dispatcher._channels[0]._thread is None


@pytest.mark.parametrize("inline", [False, True])
def test_a_reporter_that_exits_on_closing_is_counted(
    capsys: pytest.CaptureFixture[str], *, inline: bool
) -> None:
    """What would end the thread is a failure like any other, and closing does not wait for it."""
    dispatcher = Dispatcher([Raiser(SystemExit(3))], inline=inline)

    assert dispatcher.close(5)

    assert dispatcher.deliveries()[0].failed == 1
    assert "'raiser' raised SystemExit" in capsys.readouterr().err


def test_a_flush_after_closing_does_not_wait() -> None:
    """Nothing waits in a closed dispatcher, so there is nothing to wait for."""
    dispatcher = Dispatcher([Keeper()])
    dispatcher.emit(event())
    assert dispatcher.close()
    thread = dispatcher._channels[0]._thread
    assert thread is not None
    thread.join(5)

    assert dispatcher.flush(5)


def test_what_a_reporter_counts_itself_stands_beside_the_rest() -> None:
    """Losses behind a reporter's back are part of its delivery, and a raising count is none."""

    class Sender(Keeper):
        def counts(self) -> Mapping[str, int]:
            """Say what was lost later."""
            return {"lost": 2}

    class Broken(Keeper):
        def counts(self) -> Mapping[str, int]:
            """Fail."""
            raise OSError("counts are gone")

    sender, broken = Dispatcher([Sender(), Broken()]).deliveries()

    assert sender.outcomes() == {"delivered": 0, "failed": 0, "dropped": 0, "lost": 2}
    assert broken.outcomes() == {"delivered": 0, "failed": 0, "dropped": 0}


FORK = """
import os, sys
from datetime import UTC, datetime
from holdfast.codes import Severity
from holdfast.events import Event
from holdfast.reporting.dispatcher import Dispatcher

class Pipe:
    name = "pipe"
    def report(self, event):
        os.write(write, f"{os.getpid()} {event.name};".encode())

read, write = os.pipe()
emit = lambda name: dispatcher.emit(Event(name=name, severity=Severity.INFO, time=datetime.now(UTC)))
dispatcher = Dispatcher([Pipe()])
emit("before")
assert dispatcher.flush(5)
dispatcher._channels[0]._lock.acquire()  # as if another thread held it at the fork
child = os.fork()
if not child:
    emit("child")
    os._exit(0 if dispatcher.close(5) else 1)
dispatcher._channels[0]._lock.release()
_, status = os.waitpid(child, 0)
emit("parent")
assert dispatcher.close(5) and os.waitstatus_to_exitcode(status) == 0
os.close(write)
said = b"".join(iter(lambda: os.read(read, 1000), b"")).decode()
names = {str(os.getpid()): "parent", str(child): "child"}
print([(names[pid], what) for pid, what in (line.split() for line in said.split(";") if line)])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no os.fork")
def test_parent_and_child_of_a_fork_each_deliver_their_own_events() -> None:
    """A forked worker delivers although threads and held locks do not survive the fork."""
    done = run_script(FORK)

    assert done.stdout == "[('parent', 'before'), ('child', 'child'), ('parent', 'parent')]\n", (
        done.stderr
    )


EXIT = """
import atexit, sys
import holdfast
from holdfast.origin import Origin
import logging
logging.basicConfig(stream=sys.stdout, format="%(message)s", level="INFO")

{before}
runtime = holdfast.configure(service="importer").install()
runtime.handle(ValueError("the last one"), Origin(boundary="job", operation="import"))
{after}
"""
LAST_LINE = "INTERNAL_ERROR at import: the last one"


@pytest.mark.parametrize("after", ["", "sys.exit(3)", "raise KeyError('sku')"])
def test_the_last_error_is_still_written_when_the_interpreter_exits(after: str) -> None:
    """An installed runtime delivers what waits before the process ends, however it ends."""
    done = run_script(EXIT.format(before="", after=after))

    assert LAST_LINE in done.stdout
    assert "holdfast:" not in done.stderr


def test_an_error_during_exit_is_still_written() -> None:
    """An event of another exit function, when threads may no longer start, is delivered at once."""
    late = (
        "atexit.register(lambda: runtime.handle(ValueError('the last one'), "
        "Origin(boundary='job', operation='import')))"
    )
    script = EXIT.replace("runtime.handle(", "(lambda *a: None)(").format(before="", after=late)

    done = run_script(script)

    assert LAST_LINE in done.stdout, done.stderr


def test_a_reporter_that_hangs_does_not_keep_the_process_from_ending() -> None:
    """At exit a reporter has its time, and no more."""
    script = """
import time, holdfast
from holdfast.origin import Origin
from holdfast.runtime import Runtime
from holdfast.settings import ReportingSettings, Settings

class Hanger:
    name = "hanger"
    def report(self, event):
        time.sleep(25)

settings = Settings(reporters=(), reporting=ReportingSettings(flush_timeout=0.2))
runtime = Runtime(settings, reporters=[Hanger()]).install()
runtime.handle(ValueError("lost"), Origin(boundary="job"))
"""

    done = run_script(script)

    assert done.returncode == 0
    assert "'hanger' did not finish in time; events not delivered: 0, beside the one" in done.stderr


LATE = """
import atexit, sys, threading
from holdfast.origin import Origin
from holdfast.runtime import Runtime
from holdfast.settings import ReportingSettings, Settings


class Reporter:
    name = "late"

    def report(self, event):
        said = event.record.message
        sys.stdout.write(f"{{said}}\\n")
        if said == "hangs":
            threading.Event().wait(25)

    def close(self):
        sys.stdout.write("closed\\n")


def late():
    for said in ("first", {said!r}, "last"):
        runtime.handle(ValueError(said), Origin(boundary="job"))
    (delivery,) = runtime.dispatcher.deliveries()
    sys.stdout.write(f"{{delivery.delivered}} {{delivery.dropped}}\\n")


atexit.register(late)
runtime = Runtime(Settings(reporters=(), reporting=ReportingSettings(inline={inline})), reporters=[Reporter()])
if {begun}:
    runtime.handle(ValueError("early"), Origin(boundary="job"))
runtime.install()
"""


@pytest.mark.parametrize("inline", [False, True])
@pytest.mark.parametrize("begun", [False, True])
def test_what_fails_after_the_reporters_were_closed_at_exit_is_told(
    *, begun: bool, inline: bool
) -> None:
    """What was registered with `atexit` before us runs after us: its errors are delivered, and reporters closed again."""
    done = run_script(LATE.format(said="second", inline=inline, begun=begun))

    early = ["early"] if begun else []
    told = [line for said in ("first", "second", "last") for line in (said, "closed")]
    assert done.stdout.splitlines() == [*early, "closed", *told, f"{3 + begun} 0"]


def test_a_reporter_that_hangs_after_it_was_closed_is_given_up() -> None:
    """The process ends; what comes after that is counted as dropped."""
    done = run_script(LATE.format(said="hangs", inline=False, begun=True))

    assert done.returncode == 0
    assert done.stdout.splitlines() == ["early", "closed", "first", "closed", "hangs", "2 1"]
    assert done.stderr.count("'late' did not finish in time") == 1


def test_a_runtime_that_is_closed_in_the_middle_tells_nothing_more() -> None:
    """Only the end of the process has an after."""
    keeper = Keeper()
    dispatcher = Dispatcher([keeper])
    dispatcher.emit(event("before"))
    assert dispatcher.close()

    dispatcher.emit(event("after"))

    assert keeper.seen == ["before"]
    assert dispatcher.deliveries() == (Delivery("keeper", 1, 0, 1, 0),)


class Hearer(Keeper):
    """Takes note of what it hears at once, too."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[str, str]] = []

    def hear(self, event: Event) -> None:
        """Keep one event, and on which thread it was heard."""
        self.heard.append((event.name, threading.current_thread().name))


def test_a_reporter_that_hears_is_told_where_the_event_happens_and_on_its_own_thread() -> None:
    """At once for what is only known there, later for what may block."""
    hearer = Hearer()
    dispatcher = Dispatcher([hearer])

    dispatcher.emit(event())

    assert hearer.heard == [("stock.counted", threading.current_thread().name)]
    assert dispatcher.close(5)
    assert hearer.seen == ["stock.counted"]
    assert hearer.threads == {"holdfast-keeper"}
