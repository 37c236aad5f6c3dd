"""Further ways for a worker's child to die, and locks that are held while one is forked: for `--include`."""

import gc
import logging
import os
import resource
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn, Protocol, cast

from tests.paths.celery_app.app import app, file

MEGABYTE = 1024 * 1024
ROOM = 64 * MEGABYTE

app.conf.worker_lost_wait = 0.2


@app.task(name="eat")
def eat() -> NoReturn:
    """Ask for memory until there is none."""
    _leave_little_room()
    eaten = bytearray()
    while True:
        eaten += bytes(MEGABYTE)


@app.task(name="hoard")
def hoard() -> NoReturn:
    """Ask for memory until there is none, and keep it while the error is handled."""
    _leave_little_room()
    while True:
        _hoarded.append(bytes(4096))


_hoarded: list[bytes] = []


def _leave_little_room() -> None:
    """Let this process have some megabytes more than it has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    used = pages * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, resource.RLIM_INFINITY))


@app.task(name="late", acks_late=True)
def late(seconds: float) -> None:
    """Take a while, and acknowledge afterwards."""
    threading.Event().wait(seconds)


class Lock(Protocol):
    """A lock of either kind."""

    def acquire(self, *, timeout: float) -> bool:
        """Take it."""
        ...

    def release(self) -> None:
        """Let it go."""
        ...


class Holder:
    """A thread that holds the locks of the suite and of logging's handlers whenever this process forks."""

    def __init__(self) -> None:
        self._wanted, self._held, self._over = (threading.Event() for _ in range(3))
        self._process = os.getpid()
        threading.Thread(target=self._run, daemon=True).start()
        # Registered last, the first of these is called first, and the second last.
        os.register_at_fork(before=self._before, after_in_parent=self._after)

    def _before(self) -> None:
        if os.getpid() == self._process:
            self._wanted.set()
            self._held.wait(5)

    def _after(self) -> None:
        if os.getpid() == self._process:
            self._over.set()

    def _run(self) -> None:
        while self._wanted.wait():
            locks = (*_locks_of_suite(), *_locks_of_logging())
            held = [lock for lock in locks if lock.acquire(timeout=0.5)]
            self._wanted.clear()
            self._held.set()
            self._over.wait(5)
            self._held.clear()
            self._over.clear()
            for lock in held:
                lock.release()
            file("test.held", locks=len(held), wanted=len(locks))


def _locks_of_suite() -> Iterator[Lock]:
    """Yield every lock that an object of ours has, whichever object that is."""
    kinds = (type(threading.Lock()), type(threading.RLock()))
    for owner in cast("list[object]", gc.get_objects()):
        if str(type(owner).__module__).startswith("holdfast."):
            names = {*getattr(owner, "__dict__", ()), *getattr(type(owner), "__slots__", ())}
            for name in names:
                found: Any = getattr(owner, name, None)
                if isinstance(found, kinds):
                    yield cast("Lock", found)


def _locks_of_logging() -> Iterator[Lock]:
    for reference in cast(
        "list[Callable[[], logging.Handler | None]]", vars(logging)["_handlerList"]
    ):
        handler = reference()
        if handler is not None and handler.lock is not None:
            yield cast("Lock", handler.lock)


if "hold" in os.environ:
    app.conf.holder = Holder()
