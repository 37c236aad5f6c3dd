"""Locks: one holder at a time, through kills, races, and stores that are away."""

import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
)

from holdfast.hooks.jobs import FileLock, JobLockedError, LeaseLock, SqlLeases, StateFolder
from holdfast.hooks.jobs.lease import HeldLease
from holdfast.testing import FakeClock

TERM = 12.0
"""Seconds of a lease here: beats every 4, lost after 8."""


class MemoryLeases:
    """A store with a clock of its own, which can be away."""

    def __init__(self, clock: FakeClock | None = None) -> None:
        self.clock = clock or FakeClock()
        self.held: dict[str, tuple[str, float]] = {}
        self.away = False
        self.asked = threading.Semaphore(0)

    def take(self, job: str, owner: str, seconds: float) -> bool:
        """Give the lease unless somebody has it."""
        self._answer()
        if job in self.held and self.held[job][1] > self.clock.monotonic():
            return False
        self.held[job] = owner, self.clock.monotonic() + seconds
        return True

    def renew(self, job: str, owner: str, seconds: float) -> bool:
        """Begin its time again."""
        self._answer()
        if self.owner(job) != owner:
            return False
        self.held[job] = owner, self.clock.monotonic() + seconds
        return True

    def drop(self, job: str, owner: str) -> None:
        """Take it back."""
        self._answer()
        if self.owner(job) == owner:
            del self.held[job]

    def owner(self, job: str) -> str:
        """Tell who has it."""
        return self.held.get(job, ("", 0.0))[0]

    def _answer(self) -> None:
        self.asked.release()
        if self.away:
            raise ConnectionError("away")


class LeaseMachine(RuleBasedStateMachine):
    """Several hosts want one job; time passes, the store goes away, hosts die."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.leases = MemoryLeases(self.clock)
        self.all: list[HeldLease] = []

    holders = Bundle("holders")

    @rule(target=holders, owner=st.uuids())
    def begin(self, owner: object) -> "HeldLease | MultipleResults[HeldLease]":
        """A host tries to begin; it is let in only where nobody may still be at work."""
        held = HeldLease(self.leases, "nightly", str(owner), TERM, self.clock)
        with suppress(ConnectionError):
            if self.leases.take("nightly", str(owner), TERM):
                assert not [one for one in self.all if not one.lost]
                self.all.append(held)
                return held
        return multiple()

    @rule(held=holders)
    def beat(self, held: HeldLease) -> None:
        """A holder renews, as its thread would."""
        if not held.lost:
            held.renew()

    @rule(held=consumes(holders))
    def end(self, held: HeldLease) -> None:
        """A holder ends its work and gives the lease back, lost or not."""
        self.all.remove(held)
        held._drop()

    @rule(held=consumes(holders))
    def die(self, held: HeldLease) -> None:
        """A host is switched off: its work stops, and nothing is given back."""
        self.all.remove(held)

    @rule(seconds=st.floats(0.1, 15))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.clock.advance(seconds)

    @rule(away=st.booleans())
    def go_away(self, *, away: bool) -> None:
        """The store cannot be reached, or can be again."""
        self.leases.away = away

    @invariant()
    def at_most_one_is_at_work(self) -> None:
        """Of all who hold the lease in good faith there is one."""
        assert len([held for held in self.all if not held.lost]) <= 1


TestLease = LeaseMachine.TestCase
TestLease.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_a_lease_that_is_renewed_lasts() -> None:
    """A job may take many times the time of a lease."""
    clock = FakeClock()
    held = HeldLease(MemoryLeases(clock), "nightly", "host", TERM, clock)
    held._leases.take("nightly", "host", TERM)

    for _ in range(20):
        clock.advance(4)
        held.renew()
        assert not held.lost


def test_a_lease_is_lost_before_another_may_have_it() -> None:
    """With the store away the holder stops after two thirds of the time; the rest is for stopping."""
    clock = FakeClock()
    leases = MemoryLeases(clock)
    leases.take("nightly", "host", TERM)
    held = HeldLease(leases, "nightly", "host", TERM, clock)

    leases.away = True
    clock.advance(7.9)
    held.renew()
    before = held.lost
    clock.advance(0.2)

    assert (before, held.lost) == (False, True)
    leases.away = False
    assert not leases.take("nightly", "other", TERM)


def test_a_failed_beat_is_repeated_soon() -> None:
    """After a third of the time, and after a failure each twelfth of it."""
    clock = FakeClock()
    held = HeldLease(MemoryLeases(clock), "nightly", "host", TERM, clock)
    assert held._term.next_beat() == 4

    held._term.failed(4.0)

    assert held._term.next_beat() == 5


def test_a_lease_is_renewed_by_itself_and_given_back() -> None:
    """While it is held its thread asks the store; afterwards it is free at once."""
    leases = MemoryLeases()
    lock = LeaseLock(leases, seconds=1)

    held = lock.acquire("nightly")
    asked = [leases.asked.acquire(timeout=5) for _ in range(3)]
    with pytest.raises(JobLockedError, match=str(os.getpid())):
        lock.acquire("nightly")
    held.release()

    assert asked == [True] * 3
    assert leases.held == {}


def test_a_store_that_is_away_does_not_keep_a_job_from_ending() -> None:
    """To give a lease back never fails: it ends by itself."""
    leases = MemoryLeases()
    held = LeaseLock(leases, seconds=60).acquire("nightly")

    leases.away = True
    held.release()

    assert leases.owner("nightly")


def test_a_lease_needs_a_second() -> None:
    """Shorter ones could not be renewed in time."""
    with pytest.raises(ValueError, match="at least 1 second"):
        LeaseLock(MemoryLeases(), seconds=0.5)


class Database:
    """An SQLite file whose clock is set by hand, as a server's would be by its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = 2_460_000.5

    def connect(self) -> sqlite3.Connection:
        """Open it."""
        connection = sqlite3.connect(self.path, timeout=10)
        connection.create_function("julianday", 1, self._julian_day)
        return connection

    def _julian_day(self, _: str) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let the server's time pass."""
        self.now += seconds / 86_400


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """Give a database without the table."""
    return Database(tmp_path / "jobs.db")


def test_a_row_is_taken_renewed_and_given_back(database: Database) -> None:
    """The table is made when it is missing; only the owner may renew and give back."""
    leases = SqlLeases(database.connect, "sqlite")

    assert leases.take("nightly", "a", TERM)
    assert not leases.take("nightly", "b", TERM)
    assert leases.owner("nightly") == "a"
    assert leases.renew("nightly", "a", TERM)
    assert not leases.renew("nightly", "b", TERM)
    leases.drop("nightly", "b")
    assert leases.owner("nightly") == "a"
    leases.drop("nightly", "a")
    assert leases.owner("nightly") == ""
    assert leases.take("nightly", "b", TERM)


def test_a_stale_row_is_taken_over_by_the_clock_of_the_database(database: Database) -> None:
    """When its time is over another gets it, and the one before cannot renew it."""
    leases = SqlLeases(database.connect, "sqlite")
    leases.take("nightly", "a", TERM)

    database.advance(TERM - 1)
    early = leases.take("nightly", "b", TERM)
    database.advance(2)
    late = leases.take("nightly", "b", TERM)

    assert (early, late) == (False, True)
    assert not leases.renew("nightly", "a", TERM)


def test_of_many_that_race_for_a_row_one_gets_it(database: Database) -> None:
    """Also with the table missing, and also for one that has ended."""
    together = threading.Barrier(8)
    got: list[str] = []

    def take(owner: str) -> None:
        leases = SqlLeases(database.connect, "sqlite")
        together.wait(10)
        if leases.take("nightly", owner, TERM):
            got.append(owner)

    for _ in range(3):
        threads = [threading.Thread(target=take, args=(f"owner {n}",)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(got) == 1
        got.clear()
        database.advance(TERM + 1)


@pytest.mark.parametrize(
    ("dialect", "table"), [("oracle", "leases"), ("sqlite", "a; drop table b"), ("sqlite", "")]
)
def test_what_is_no_dialect_or_table_is_refused(dialect: str, table: str) -> None:
    """A table's name goes into statements as it is."""
    with pytest.raises(ValueError, match="not '"):
        SqlLeases(lambda: sqlite3.connect(""), dialect, table=table)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_only_for_a_missing_table_is_one_made() -> None:
    """A database that is away is asked once: whoever waits for the lock is not to wait three times."""
    asked: list[None] = []

    def connect() -> sqlite3.Connection:
        asked.append(None)
        raise sqlite3.OperationalError("unable to open database file")

    with pytest.raises(sqlite3.OperationalError):
        SqlLeases(connect, "sqlite").take("nightly", "a", TERM)

    assert len(asked) == 1


def test_a_database_that_cannot_be_reached_raises_its_own_error(tmp_path: Path) -> None:
    """Whoever asked for the lock learns what the driver says."""
    leases = SqlLeases(lambda: sqlite3.connect(tmp_path), "sqlite")

    with pytest.raises(sqlite3.OperationalError):
        leases.take("nightly", "a", TERM)


@pytest.fixture
def files(tmp_path: Path) -> FileLock:
    """Give file locks in a folder that is not there yet."""
    return FileLock(StateFolder(tmp_path / "state"))


def test_a_file_lock_keeps_out_others(files: FileLock) -> None:
    """A second holder in the same process is refused as one in another would be."""
    held = files.acquire("nightly")

    with pytest.raises(JobLockedError, match=f"pid {os.getpid()} host .* since 2"):
        files.acquire("nightly")
    other = files.acquire("weekly")
    held.release()
    other.release()

    files.acquire("nightly").release()


def test_a_file_lock_is_given_back_once(files: FileLock) -> None:
    """To release twice does not free what another got in the meantime."""
    held = files.acquire("nightly")
    held.release()
    other = files.acquire("nightly")
    held.release()

    with pytest.raises(JobLockedError):
        files.acquire("nightly")
    other.release()


def test_a_file_lock_ends_with_its_process(files: FileLock, tmp_path: Path) -> None:
    """However a process ends, its lock is free: there is nothing stale to be cleaned up."""
    program = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from holdfast.hooks.jobs import FileLock, StateFolder\n"
        "held = FileLock(StateFolder(Path(sys.argv[1]))).acquire('nightly')\n"
        "print('held', flush=True); sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "state")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    process.stdout.readline()

    with pytest.raises(JobLockedError, match=f"pid {process.pid}"):
        files.acquire("nightly")
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()

    files.acquire("nightly").release()


def test_a_file_lock_is_not_held_by_a_child_that_inherited_it(files: FileLock) -> None:
    """Released is released, whoever else still has the file open."""
    held = files.acquire("nightly")
    assert held.descriptor is not None
    child = subprocess.Popen(["sleep", "20"], pass_fds=[held.descriptor])

    held.release()
    again = files.acquire("nightly")

    again.release()
    child.kill()
    child.wait()


def test_a_link_in_the_place_of_a_lock_is_refused(files: FileLock, tmp_path: Path) -> None:
    """Nobody can have another file written to by linking to it."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "nightly.lock").symlink_to(tmp_path / "other")

    with pytest.raises(OSError, match=r"nightly\.lock"):
        files.acquire("nightly")
    assert not (tmp_path / "other").exists()
