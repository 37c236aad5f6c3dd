"""Locks that keep two runs of one job apart, and the one for a single host.

A file lock belongs to the process: however that ends, the system frees it, so that it cannot be
stale. Locks for many hosts are leases; see `lease`.
"""

import contextlib
import json
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, cast

from holdfast.clock import Clock, SystemClock
from holdfast.hooks.jobs.outcome import JobLockedError, checked_name
from holdfast.hooks.jobs.state import StateFolder

if sys.platform != "win32":
    import fcntl


class Held(Protocol):
    """A lock that was got."""

    @property
    def lost(self) -> bool:
        """Whether somebody else may have it by now."""
        ...

    @property
    def descriptor(self) -> int | None:
        """What a command inherits, so that the lock lasts as long as the command."""
        ...

    def release(self) -> None:
        """Give it back; never raises."""
        ...


class Lock(Protocol):
    """Lets one run of a job in at a time."""

    def acquire(self, job: str) -> Held:
        """Get the lock, without waiting for it.

        Raises:
            JobLockedError: When a run has it.
            Exception: When it cannot be asked; whatever the library behind it raises.
        """
        ...


class FileLock:
    """A lock among the processes of this host.

    It is `flock` on a file, which is never removed: whoever holds it writes into it who that is.
    On NFS it holds among the hosts only where the server supports it. Not on Windows.

    Args:
        folder: Where the lock's file stands; every user of the job has to use the same.

    Raises:
        NotImplementedError: On a system without `flock`.
    """

    def __init__(self, folder: StateFolder, clock: Clock | None = None) -> None:
        if sys.platform == "win32":
            raise NotImplementedError(
                "a file lock needs flock(), which Windows does not have; use a lock in SQL or Redis"
            )
        self._folder = folder
        self._clock = clock or SystemClock()

    def acquire(self, job: str) -> "HeldFile":
        """Get the lock.

        Raises:
            JobLockedError: When another process, or another thread of this one, has it.
            OSError: When the file cannot be made.
        """
        self._folder.make()
        path = self._folder.path / f"{checked_name(job)}.lock"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._sign(descriptor)
        except BlockingIOError as error:
            os.close(descriptor)
            raise locked(job, _holder(path)) from error
        except BaseException:
            os.close(descriptor)
            raise
        return HeldFile(descriptor)

    def _sign(self, descriptor: int) -> None:
        facts = {"pid": os.getpid(), "host": socket.gethostname(), "since": self._clock.now()}
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(facts, default=str).encode() + b"\n", 0)


class HeldFile:
    """A file lock that was got."""

    lost = False

    def __init__(self, descriptor: int) -> None:
        self.descriptor: int | None = descriptor

    def release(self) -> None:
        """Give it back, also if a child process still has the file open."""
        descriptor, self.descriptor = self.descriptor, None
        if descriptor is not None:
            with contextlib.suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)


def locked(job: str, holder: Mapping[str, object]) -> JobLockedError:
    """Return the error of a run that was not let in, with what is known of who was."""
    who = " ".join(f"{name} {value}" for name, value in holder.items()) or "somebody"
    return JobLockedError(f"job {job!r} is running already: {who}", details={"holder": who})


def _holder(path: Path) -> Mapping[str, object]:
    try:
        facts = cast("object", json.loads(path.read_bytes()))
    except (OSError, ValueError):
        return {}
    return cast("dict[str, object]", facts) if isinstance(facts, dict) else {}
