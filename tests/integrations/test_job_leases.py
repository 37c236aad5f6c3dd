"""Leases in real stores: PostgreSQL, MariaDB, Redis; by kill -9, by races, and as `holdfast run` uses them."""

import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple, cast

import pytest

from holdfast.hooks.jobs import JobLockedError, LeaseLock, Leases
from holdfast.integrations import dbapi
from tests.paths.filing import VARIABLE, events, filed

ROOT = Path(__file__).parents[2]


class Store(NamedTuple):
    """A store of leases, as a command line names it."""

    option: str
    leases: Leases
    job: str
    """Unique to the test: stores outlive it."""


def _redis() -> Leases:
    from holdfast.integrations import redis_lock  # noqa: PLC0415  # where redis is installed

    return redis_lock.leases("redis://127.0.0.1:6379/0")


STORES: dict[str, tuple[str, Callable[[], Leases]]] = {
    "postgresql": (
        "sql:postgresql://root@127.0.0.1/test",
        lambda: dbapi.leases("postgresql://root@127.0.0.1/test"),
    ),
    "mariadb": (
        "sql:mariadb://root@127.0.0.1/test",
        lambda: dbapi.leases("mariadb://root@127.0.0.1/test"),
    ),
    "redis": ("redis:redis://127.0.0.1:6379/0", _redis),
}
KINDS = [
    pytest.param(
        "postgresql", marks=[pytest.mark.service("postgresql"), pytest.mark.extra("psycopg")]
    ),
    pytest.param("mariadb", marks=[pytest.mark.service("mariadb"), pytest.mark.extra("pymysql")]),
    pytest.param("redis", marks=[pytest.mark.service("redis"), pytest.mark.extra("redis")]),
]


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """Give each store in turn, with a job that nobody else has."""
    option, make = STORES[cast("str", request.param)]
    made = Store(option, make(), f"test-{uuid.uuid4().hex[:12]}")
    yield made
    made.leases.drop(made.job, made.leases.owner(made.job))


def pass_time(seconds: float) -> None:
    """Let the server's time pass: its clock is the one that counts."""
    threading.Event().wait(seconds)


def test_a_lease_has_one_owner(store: Store) -> None:
    """It is given once, renewed and given back by its owner alone."""
    leases, job = store.leases, store.job

    assert leases.take(job, "a", 30)
    assert not leases.take(job, "b", 30)
    assert not leases.take(job, "a", 30)
    assert leases.owner(job) == "a"
    assert (leases.renew(job, "a", 30), leases.renew(job, "b", 30)) == (True, False)
    leases.drop(job, "b")
    assert leases.owner(job) == "a"
    leases.drop(job, "a")
    assert leases.owner(job) == ""
    assert not leases.renew(job, "a", 30)


def test_a_lease_that_ended_is_given_to_another(store: Store) -> None:
    """By the clock of the store; the owner before cannot renew it any more."""
    leases, job = store.leases, store.job
    leases.take(job, "a", 0.3)

    early = leases.take(job, "b", 30)
    pass_time(0.5)
    late = leases.take(job, "b", 30)

    assert (early, late) == (False, True)
    assert not leases.renew(job, "a", 30)
    leases.drop(job, "a")
    assert leases.owner(job) == "b"


def test_renewing_puts_off_the_end(store: Store) -> None:
    """A lease that is renewed lasts longer than its first time."""
    leases, job = store.leases, store.job
    leases.take(job, "a", 0.6)

    for _ in range(3):
        pass_time(0.3)
        assert leases.renew(job, "a", 0.6)

    assert not leases.take(job, "b", 30)


def test_of_many_that_race_one_gets_the_lease(store: Store) -> None:
    """For one that was never given, and for one that has ended."""
    together = threading.Barrier(8)
    got: list[str] = []

    def take(owner: str) -> None:
        together.wait(20)
        if store.leases.take(store.job, owner, 30):
            got.append(owner)

    for _ in range(3):
        threads = [threading.Thread(target=take, args=(f"owner {n}",)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (owner,) = got
        got.clear()
        assert store.leases.renew(store.job, owner, 0.05)
        pass_time(0.1)


def test_a_lock_of_a_killed_process_ends(store: Store) -> None:
    """After kill -9 nobody renews: when the lease has ended, the next one is let in."""
    program = (
        "import sys\n"
        "from holdfast.hooks.jobs import LeaseLock\n"
        "from tests.integrations.test_job_leases import STORES\n"
        "held = LeaseLock(STORES[sys.argv[1]][1](), seconds=1).acquire(sys.argv[2])\n"
        "print('held', flush=True); sys.stdin.read()\n"
    )
    kind = next(kind for kind, (option, _) in STORES.items() if option == store.option)
    process = subprocess.Popen(
        [sys.executable, "-c", program, kind, store.job],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    process.stdout.readline()
    pass_time(1.2)  # longer than the lease: it is renewed
    lock = LeaseLock(store.leases, seconds=1)

    with pytest.raises(JobLockedError, match=str(process.pid)):
        lock.acquire(store.job)
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()
    pass_time(1.1)

    lock.acquire(store.job).release()


def run(store: Store, folder: Path, *command: str) -> "subprocess.Popen[bytes]":
    """Start `holdfast run` with its lock in a store."""
    reporter = "tests.paths.filing:reporter"
    named = ["run", "--name", store.job, "--reporters", reporter, "--lock", store.option]
    return subprocess.Popen(
        [sys.executable, "-m", "holdfast", *named, "--grace", "1", "--", *command],
        cwd=ROOT,
        env={**os.environ, VARIABLE: str(folder / "records"), "HOLDFAST_STATE": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_a_command_is_locked_among_all_that_share_the_store(store: Store, tmp_path: Path) -> None:
    """Hosts with folders of their own keep each other out; when the first ends its lease is free."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    first = run(store, here, "sh", "-c", "echo ready; sleep 60")
    assert first.stdout is not None
    first.stdout.readline()

    second = run(store, there, "echo", "never")
    out, _ = second.communicate(timeout=20)
    first.terminate()
    first.communicate(timeout=20)

    assert (second.returncode, out) == (75, b"")
    assert store.leases.owner(store.job) == ""
    assert events(there / "records")[0]["event"] == "job.skipped"


@pytest.mark.parametrize(
    "option",
    [
        "sql:postgresql://root@127.0.0.1:1/test",
        "sql:mariadb://root@127.0.0.1:1/test",
        "redis:redis://127.0.0.1:1/0",
    ],
)
@pytest.mark.extra("psycopg", "pymysql", "redis")
def test_a_store_that_is_away_says_try_later(option: str, tmp_path: Path) -> None:
    """Status 75 and one record with the driver's error behind it; the command is not run."""
    store = Store(option, cast("Leases", None), "nightly")

    process = run(store, tmp_path, "echo", "never")
    out, _ = process.communicate(timeout=30)

    assert (process.returncode, out) == (75, b"")
    (record,) = filed(tmp_path / "records")
    assert record["code"] == "SERVICE_UNAVAILABLE"
    assert record["causes"]


@pytest.mark.service("redis")
@pytest.mark.extra("redis")
def test_a_command_whose_lease_is_taken_away_is_stopped(tmp_path: Path) -> None:
    """Somebody else has the lease: the command is ended, and one record says why."""
    from holdfast.integrations import redis_lock  # noqa: PLC0415  # where redis is installed

    leases = redis_lock.leases("redis://127.0.0.1:6379/0")
    job = f"test-{uuid.uuid4().hex[:12]}"
    program = (
        "import sys\n"
        "from holdfast.hooks.jobs import JobSpec, LeaseLock\n"
        "from holdfast.hooks.jobs.supervised import Supervised\n"
        "from holdfast.integrations import redis_lock\n"
        "from holdfast import configure\n"
        "runtime = configure(reporters=['tests.paths.filing:reporter']).install()\n"
        "lock = LeaseLock(redis_lock.leases('redis://127.0.0.1:6379/0'), seconds=1)\n"
        "command = ['sh', '-c', 'echo ready; sleep 60']\n"
        "sys.exit(Supervised(job=JobSpec(sys.argv[1], lock=lock), arguments=command).run())\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, job],
        cwd=ROOT,
        env={**os.environ, VARIABLE: str(tmp_path / "records"), "HOLDFAST_STATE": str(tmp_path)},
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.readline()

    leases.drop(job, leases.owner(job))
    leases.take(job, "another", 30)
    process.communicate(timeout=20)

    assert process.returncode == 1
    (record,) = filed(tmp_path / "records")
    assert "lost its lock" in str(record["message"])
    assert leases.owner(job) == "another"
    leases.drop(job, "another")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite://jobs.db", "four slashes"),
        ("oracle://host/x", "not of 'oracle'"),
        ("nothing", "not of ''"),
    ],
)
def test_what_is_no_url_of_a_database_is_refused(url: str, said: str) -> None:
    """The message says what is."""
    with pytest.raises(ValueError, match=said):
        dbapi.leases(url)


def test_leases_in_a_file_of_sqlite(tmp_path: Path) -> None:
    """For several users of one host, or for a test."""
    leases = dbapi.leases(f"sqlite:///{tmp_path}/jobs.db")

    assert leases.take("nightly", "a", 30)
    assert leases.owner("nightly") == "a"


def test_a_password_with_special_characters_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is percent-encoded in a URL is decoded for the driver."""
    told: dict[str, object] = {}

    def connect(**options: object) -> None:
        told.update(options)
        raise ConnectionRefusedError

    driver = ModuleType("pymysql")
    monkeypatch.setattr(driver, "connect", connect, raising=False)
    monkeypatch.setitem(sys.modules, "pymysql", driver)
    with pytest.raises(ConnectionRefusedError):
        dbapi.leases("mariadb://shop:p%40ss%2Fword@db.example:3307/jobs").take("nightly", "a", 1)

    assert (told["user"], told["password"]) == ("shop", "p@ss/word")
    assert (told["host"], told["port"], told["database"]) == ("db.example", 3307, "jobs")
