"""Statistics across forks, and the beat by which a process that serves tells others of them."""

import os
import subprocess
import sys
import threading

import pytest

from holdfast.clock import SystemClock
from holdfast.reporting.statistics import ErrorStatistics, Pulse

FORKED = """
import os, sys, threading
from holdfast import Origin
from holdfast.testing import RecordingRuntime

runtime = RecordingRuntime()
statistics = runtime.statistics
tap = statistics.tap()
origin = Origin(boundary="job")
held, over = threading.Event(), threading.Event()

def hold():
    with statistics._lock:
        held.set()
        over.wait(20)

for _ in range(5):
    statistics.request()
    runtime.handle(KeyError("parent"), origin)
statistics.snapshot()
statistics.request()
runtime.handle(KeyError("parent"), origin)
thread = threading.Thread(target=hold)
thread.start()
held.wait(20)
child = os.fork()
if not child:
    statistics.request()
    runtime.handle(ValueError("child"), origin)
    seen, taken = statistics.snapshot(), tap.take()
    said = (seen.total_errors, seen.requests, seen.errors.hour, seen.last_error.type)
    print("child", *said, sum(taken.errors.values()), taken.requests, flush=True)
    os._exit(0)
os.waitpid(child, 0)
over.set()
thread.join()
statistics.request()
seen, taken = statistics.snapshot(), tap.take()
print("parent", seen.total_errors, seen.requests, sum(taken.errors.values()), taken.requests)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no os.fork")
def test_a_forked_child_begins_anew() -> None:
    """Added up, processes count nothing twice; a lock that was held at the fork holds up nobody."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED],
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["child 1 1 1.0 ValueError 1 1", "parent 6 7 6 7"]


def test_a_pulse_follows_requests_and_rests_without_any() -> None:
    """The thread is started by a request, works after it, and not again before the next."""
    statistics, beats = ErrorStatistics(), threading.Semaphore(0)
    before = threading.active_count()
    pulse = Pulse(statistics, beats.release, every=0.01)
    assert threading.active_count() == before

    statistics.request()
    first = beats.acquire(timeout=20)
    rested = not beats.acquire(timeout=0.2)
    statistics.request()
    second = beats.acquire(timeout=20)
    pulse.stop()
    statistics.request()

    assert (first, rested, second) == (True, True, True)
    assert not beats.acquire(timeout=0.2)
    assert statistics.snapshot().requests == 3


def test_a_pulse_outlives_what_it_calls() -> None:
    """A call that raises is passed over, and the request does not see it."""
    statistics, beats = ErrorStatistics(SystemClock()), threading.Semaphore(0)

    def fail() -> None:
        beats.release()
        raise OSError("the disk is full")

    pulse = Pulse(statistics, fail, every=0.01)
    for _ in range(3):
        statistics.request()
        assert beats.acquire(timeout=20)
    pulse.stop()


BEATING = """
import os, threading
from holdfast.reporting.statistics import ErrorStatistics, Pulse

statistics, beats, inside, go_on = (
    ErrorStatistics(), threading.Semaphore(0), threading.Semaphore(0), threading.Event()
)
started = os.getpid()

def work():
    if os.getpid() == started:
        inside.release()
        go_on.wait(20)  # the fork comes in the middle of it
    beats.release()

pulse = Pulse(statistics, work, every=0.01)
statistics.request()
inside.acquire(timeout=20)
child = os.fork()
if not child:
    quiet = not beats.acquire(timeout=0.1)
    statistics.request()
    print("child", quiet, beats.acquire(timeout=20), flush=True)
    os._exit(0)
go_on.set()
os.waitpid(child, 0)
print("parent", beats.acquire(timeout=20))
statistics.request()
print("again", beats.acquire(timeout=20))
pulse.stop()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no os.fork")
def test_a_pulse_goes_on_in_both_processes_of_a_fork() -> None:
    """A child beats when it serves by itself, also when the fork came in the middle of a beat."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BEATING],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["child True True", "parent True", "again True"]
