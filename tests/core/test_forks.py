import os
import subprocess
import sys
import threading

import pytest

from holdfast.forks import ForkSafeLock

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no os.fork")


def run_script(script: str) -> list[str]:
    """Run a script in a process of its own, as forks have it, and return the lines it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_one_thread_at_a_time_holds_the_lock() -> None:
    """It is a lock."""
    lock, inside, most = ForkSafeLock(), [0], [0]

    def work() -> None:
        for _ in range(200):
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert most == [1]
    assert not lock.locked()


LOCK = """
import os, threading
from holdfast.forks import ForkSafeLock

lock, held, over = ForkSafeLock(), threading.Event(), threading.Event()

def hold():
    with lock:
        held.set()
        over.wait(20)

def child_of(work):
    child = os.fork()
    if not child:
        os._exit(work())
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

def use():
    with lock:
        return 0

holder = threading.Thread(target=hold)
holder.start()
held.wait(20)
print("held by another", child_of(use), lock.locked())
over.set()
holder.join()
with lock:
    child = os.fork()
if not child:
    os._exit(use())
print("held by who forks", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), lock.locked())
"""


def test_a_child_finds_the_lock_open_whoever_held_it() -> None:
    """Another thread's lock is not the child's for ever, and its own is let go once."""
    assert run_script(LOCK) == ["held by another 0 True", "held by who forks 0 False"]


REPORTS = """
import os, sys, threading, time
from datetime import UTC, datetime
from holdfast.codes import Severity
from holdfast.events import Event
from holdfast.reporting.dispatcher import FORK_PATIENCE, Dispatcher

class Library:
    "A reporter whose library holds a lock while it sends, as Sentry's and Prometheus' clients do."
    name = "library"
    def __init__(self, seconds):
        self.lock, self.seconds, self.busy = threading.Lock(), seconds, threading.Event()
    def report(self, event):
        if event.name == "fork":
            child = os.fork()
            if not child:
                os._exit(0)
            os.waitpid(child, 0)
        with self.lock:
            self.busy.set()
            time.sleep(self.seconds)

def event(name="any"):
    return Event(name=name, severity=Severity.INFO, time=datetime.now(UTC))

def forked(dispatcher, timeout=5):
    child = os.fork()
    if not child:
        dispatcher.emit(event())
        os._exit(0 if dispatcher.flush(timeout) else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
"""


def test_a_fork_does_not_come_in_the_middle_of_a_report() -> None:
    """What a reporter's library holds while it sends is not held in the child for ever."""
    script = """
library = Library(0.02)
dispatcher = Dispatcher([library])
codes = []
for _ in range(20):
    library.busy.clear()
    dispatcher.emit(event())
    library.busy.wait(5)
    codes.append(forked(dispatcher))
print(codes, dispatcher.flush(5), dispatcher.deliveries()[0].delivered)
"""

    assert run_script(REPORTS + script) == [f"{[0] * 20} True 20"]


def test_a_reporter_that_hangs_holds_up_a_fork_for_a_moment_only() -> None:
    """Other reporters' locks are right in the child, and the fork is late by no more than is said."""
    script = """
hanging, library = Library(20), Library(0)
dispatcher, other = Dispatcher([hanging]), Dispatcher([library])
dispatcher.emit(event())
hanging.busy.wait(5)
began = time.monotonic()
print(forked(other))
print(FORK_PATIENCE / 2 < time.monotonic() - began < FORK_PATIENCE + 1)
sys.stdout.flush()
os._exit(0)
"""

    assert run_script(REPORTS + script) == ["0", "True"]


def test_a_reporter_may_fork() -> None:
    """A reporter that starts a process by a fork does not wait for itself."""
    script = """
dispatcher = Dispatcher([Library(0)])
began = time.monotonic()
dispatcher.emit(event("fork"))
dispatcher.emit(event())
print(dispatcher.flush(5), dispatcher.deliveries()[0].delivered)
"""

    assert run_script(REPORTS + script) == ["True 2"]


def test_threads_that_fork_at_once_let_go_what_they_hold() -> None:
    """Reports go on after many forks from many threads."""
    script = """
dispatcher = Dispatcher([Library(0.001)])
codes = []
def fork_often():
    for _ in range(10):
        dispatcher.emit(event())
        codes.append(forked(dispatcher))
threads = [threading.Thread(target=fork_often) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(set(codes), dispatcher.flush(5), dispatcher.deliveries()[0].delivered)
"""

    assert run_script(REPORTS + script) == ["{0} True 40"]


def test_who_has_forked_is_told() -> None:
    """A method is called in the parent, not in the child, and not when its object is gone."""
    script = """
import os
from holdfast.forks import after_forking

class Counting:
    def __init__(self):
        self.forks = 0
        after_forking(self.note)
    def note(self):
        self.forks += 1

counting, gone = Counting(), Counting()
del gone
child = os.fork()
if not child:
    os._exit(counting.forks)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), counting.forks)
"""

    assert run_script(script) == ["0 1"]
