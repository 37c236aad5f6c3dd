"""The monitor's own thread: looks that do not wait for each other, an end that leaves nothing, forks."""

import os
import threading
from collections.abc import Callable, Generator

import pytest

from holdfast.clock import SystemClock
from holdfast.health import HealthRegistry
from holdfast.health.monitor import HealthMonitor, Recovery, Ties, Watch
from holdfast.health.monitor import monitor as home
from tests.core.monitors import Kept, Subject, Watched
from tests.core.test_forks import run_script

PATIENCE = 20.0
"""Seconds for what is to come; a bound against hanging, no measure."""


@pytest.fixture
def hang() -> Generator[threading.Event]:
    """Offer what a check may wait for until the test is over."""
    over = threading.Event()
    yield over
    over.set()


@pytest.fixture
def kept() -> Kept:
    """Keep what is told."""
    return Kept()


@pytest.fixture
def monitor(kept: Kept) -> Generator[HealthMonitor]:
    """Make a monitor that looks every 20 ms, and end it."""
    made = HealthMonitor(
        watch=Watch(interval=0.02, recovery=Recovery(attempts=0)),
        ties=Ties(emit=kept.events.append, announce=kept.announce),
    )
    yield made
    made.stop(PATIENCE)


def until(true: Callable[[], bool]) -> None:
    """Wait for what is to come true."""
    clock = SystemClock()
    last = clock.monotonic() + PATIENCE
    while not true():
        assert clock.monotonic() < last, "it did not come true"
        threading.Event().wait(0.005)


@pytest.fixture
def threads() -> Callable[[], list[str]]:
    """Return what lists the names of the threads that the suite has begun for health in the test."""
    before = set(threading.enumerate())
    return lambda: [
        thread.name
        for thread in set(threading.enumerate()) - before
        if thread.name.startswith("holdfast-")
    ]


def test_a_thread_looks_again_and_again_until_it_is_stopped(
    monitor: HealthMonitor, threads: Callable[[], list[str]]
) -> None:
    """Afterwards no look is taken, and no thread is left."""
    subject = Subject()
    monitor.add_service("database", subject)

    monitor.start()
    monitor.start()
    until(lambda: subject.looks >= 3)
    in_time = monitor.stop(PATIENCE)
    looks = subject.looks

    assert in_time
    assert not monitor.is_running
    until(lambda: not threads())
    assert subject.looks == looks == monitor.get_report().services["database"].standing.checks


def test_what_was_stopped_can_begin_again(monitor: HealthMonitor) -> None:
    """It goes on from what it knows."""
    subject = Subject()
    monitor.add_service("database", subject)

    monitor.start()
    until(lambda: subject.looks >= 1)
    monitor.stop(PATIENCE)
    before = subject.looks
    monitor.start()
    until(lambda: subject.looks > before)
    monitor.stop(PATIENCE)

    assert monitor.get_report().services["database"].standing.checks == subject.looks


def test_a_hung_service_delays_no_other_and_has_an_outage(
    monitor: HealthMonitor,
    kept: Kept,
    hang: threading.Event,
    threads: Callable[[], list[str]],
) -> None:
    """Others are looked at meanwhile; it costs one thread, however often it is looked at."""
    hung, fine = Subject(), Subject()
    hung.hang = hang
    monitor.add_service("hung", hung, timeout=0.1)
    monitor.add_service("fine", fine)

    monitor.start()
    until(lambda: ("hung", "opened") in kept.stages())

    seen = fine.looks
    until(lambda: fine.looks > seen + 5)
    assert hung.looks == 1
    assert threads().count("holdfast-health") <= 2
    assert "no answer in 0.1 s" in monitor.get_report().services["hung"].standing.output


def test_a_service_that_answers_again_recovers_after_a_hang(
    monitor: HealthMonitor, kept: Kept, hang: threading.Event
) -> None:
    """A look that is slow but in time is waited for, though the look before took too long."""
    subject = Subject()
    subject.hang = hang
    monitor.add_service("database", subject, timeout=0.3, failures=1)

    monitor.start()
    until(lambda: ("database", "opened") in kept.stages())
    subject.hang = None
    hang.set()
    until(lambda: ("database", "recovered") in kept.stages())

    assert monitor.get_report().services["database"].state == "HEALTHY"


def test_a_hung_action_is_given_up_and_is_not_begun_twice(
    monitor: HealthMonitor, kept: Kept, hang: threading.Event
) -> None:
    """It has a time limit; while it hangs a further attempt fails without another thread."""
    subject, calls = Subject(), list[int]()
    subject.broken = True

    def mend() -> None:
        calls.append(1)
        hang.wait(PATIENCE)

    recovery = Recovery(action=mend, after=0.02, ceiling=0.02, attempts=3, timeout=0.05)
    monitor.add_service("database", subject, failures=1, recovery=recovery)

    monitor.start()
    until(lambda: kept.names().count("recovery.attempted") == 3)

    assert calls == [1]
    attempts = [e.attributes for e in kept.events if e.name == "recovery.attempted"]
    assert all("no answer in 0.05 s" in str(told["output"]) for told in attempts)


def test_a_stop_does_not_wait_for_what_hangs(monitor: HealthMonitor, hang: threading.Event) -> None:
    """It says that it did not end in time, and comes back."""
    subject = Subject()
    subject.hang = hang
    monitor.add_service("hung", subject)
    monitor.start()
    until(lambda: subject.looks == 1)

    assert not monitor.stop(0.05)


def test_a_stop_takes_note_of_the_looks_under_way(hang: threading.Event) -> None:
    """What a look says that had begun is not lost."""
    watched = Watched()
    subject = Subject()
    subject.hang = hang
    watched.monitor.add_service("database", subject)
    watched.monitor.start()
    until(lambda: subject.looks == 1)

    threading.Timer(0.05, hang.set).start()

    assert watched.monitor.stop(PATIENCE)
    assert watched.state() == "HEALTHY"


def test_a_service_that_is_added_while_it_runs_is_looked_at_at_once() -> None:
    """Nobody waits for the next interval."""
    monitor = HealthMonitor(HealthRegistry(), watch=Watch(interval=3600.0))
    monitor.start()
    subject = Subject()
    monitor.add_service("database", subject)

    until(lambda: subject.looks == 1)

    assert monitor.stop(PATIENCE)


def test_an_application_that_begins_looks_a_little_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may still fork, as a server does that has loaded it: nothing is opened before."""
    monkeypatch.setattr(home, "SETTLING", PATIENCE)
    monitor = HealthMonitor()
    subject = Subject()
    monitor.start_later()
    monitor.add_service("database", subject)
    monitor.add_service("queue", Subject())
    threading.Event().wait(0.1)

    is_running, looks = monitor.is_running, subject.looks

    assert (is_running, looks) == (True, 0)
    assert monitor.stop(PATIENCE)


FORK = """
import os, sys, threading
from holdfast.health.monitor import HealthMonitor, Seat, Ties, Watch, monitor as home

home.SETTLING = 0.05
seat = Seat(sys.argv[1] if len(sys.argv) > 1 else {folder!r}, "shop")
monitor = HealthMonitor(watch=Watch(interval=0.05), ties=Ties(seat=seat))
looked = threading.Event()
monitor.add_service("database", looked.set)
monitor.start()
looked.wait(20)
print("parent", monitor.monitors, monitor.is_running)
reader, writer = os.pipe()
child = os.fork()
if not child:
    had = monitor.monitors, seat.is_held
    looked.clear()
    running = monitor.is_running
    os.write(writer, f"child {had} {running}\\n".encode())
    while not looked.wait(20):
        pass
    os.write(writer, f"then {monitor.monitors} {len(threading.enumerate()) > 1}\\n".encode())
    os._exit(0)
print(os.read(reader, 100).decode().strip())
# The child has no share of the parent's lock, and closing its copy did not free it.
other = Seat({folder!r}, "shop")
print("free", other.take())
other.release()
monitor.stop(20)
print(os.read(reader, 100).decode().strip())
os.waitpid(child, 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no os.fork")
def test_a_forked_child_goes_on_by_itself_when_the_seat_is_free(tmp_path: object) -> None:
    """It has neither thread nor lock of the parent; it begins one, and monitors when the parent ends."""
    assert run_script(FORK.replace("{folder!r}", repr(str(tmp_path))).replace("{{", "{")) == [
        "parent True True",
        "child (False, False) True",
        "free False",
        "then True True",
    ]
