"""A lock among many hosts: a lease, which ends by itself when its holder is gone.

The store's clock alone decides whether a lease has ended, and each of its answers is one atomic
step; `SqlLeases` and `RedisLeases` keep to that. The holder renews it every third of its time. Once
two thirds have passed without that, because the store is away or another has it, the holder counts
it as lost: the last third is for stopping the work before somebody else begins.
"""

import contextlib
import os
import re
import socket
import threading
import uuid
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

from holdfast.clock import Clock, SystemClock
from holdfast.hooks.jobs.lock import locked
from holdfast.hooks.jobs.outcome import checked_name

_NOT_ENCODED = re.compile(r"%(?![0-9A-Fa-f]{2})")
LEASE = 60.0
"""Seconds by default: as long as a job stays locked after its host was switched off."""
_LONGEST_JOIN = 5.0


class Leases(Protocol):
    """Where leases are kept. Every call may raise whatever the library behind it raises."""

    def take(self, job: str, owner: str, seconds: float) -> bool:
        """Get the lease of a job unless somebody has it; True when it was got."""
        ...

    def renew(self, job: str, owner: str, seconds: float) -> bool:
        """Begin the time of a lease again; False when the owner does not have it any more."""
        ...

    def drop(self, job: str, owner: str) -> None:
        """Give a lease back, unless somebody else has it."""
        ...

    def owner(self, job: str) -> str:
        """Return who has the lease of a job, or an empty text."""
        ...


def split_url(url: str) -> SplitResult:
    """Return the parts of a store's URL.

    Raises:
        ValueError: When it cannot be read; without any of it, which may be the password.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
        cut = parts.netloc and "@" not in parts.netloc and "@" in url
        if not cut and not _NOT_ENCODED.search(parts.netloc):
            return parts
    except ValueError:
        pass
    raise ValueError("the URL of the lock cannot be read; percent-encode the password") from None


class Term:
    """The time of one lease as its holder sees it: a decision without any waiting.

    Args:
        seconds: For how long the store gives it.
        asked: When it was asked for, in monotonic seconds: before it was got.
    """

    def __init__(self, seconds: float, asked: float) -> None:
        self._seconds = seconds
        self._asked = asked
        self._failed: float | None = None
        self._refused = False

    def renewed(self, asked: float) -> None:
        """Take note that the store renewed it when asked at a time."""
        self._asked, self._failed = asked, None

    def refused(self) -> None:
        """Take note that somebody else has it: lost for good."""
        self._refused = True

    def failed(self, asked: float) -> None:
        """Take note that the store could not be asked."""
        self._failed = asked

    def is_lost(self, now: float) -> bool:
        """Tell whether the work has to stop."""
        return self._refused or now >= self._asked + self._seconds * 2 / 3

    def next_beat(self) -> float:
        """Return when to renew: after a third of the time, and sooner again after a failure."""
        if self._failed is not None:
            return self._failed + self._seconds / 12
        return self._asked + self._seconds / 3


class LeaseLock:
    """Lets in one run of a job among all hosts that share a store.

    Args:
        leases: The store.
        seconds: Time of a lease, at least 1: so long a job stays locked after its holder was
            killed. A store that is away for a third of it stops the job.

    Raises:
        ValueError: When a lease would be shorter than a second.
    """

    def __init__(
        self, leases: Leases, *, seconds: float = LEASE, clock: Clock | None = None
    ) -> None:
        if not seconds >= 1:
            raise ValueError(f"a lease lasts at least 1 second, not {seconds}")
        self._leases = leases
        self._seconds = seconds
        self._clock = clock or SystemClock()

    def acquire(self, job: str) -> "HeldLease":
        """Get the lease and begin to renew it.

        Raises:
            JobLockedError: When a run has it.
            Exception: When the store cannot be asked.
        """
        owner = f"{socket.gethostname()[:100]}:{os.getpid()}:{uuid.uuid4().hex}"
        asked = self._clock.monotonic()
        if not self._leases.take(checked_name(job), owner, self._seconds):
            raise locked(job, {"owner": self._holder(job)})
        held = HeldLease(self._leases, job, owner, self._seconds, self._clock)
        held.start(asked)
        return held

    def _holder(self, job: str) -> str:
        with contextlib.suppress(Exception):  # it only helps whoever reads the event
            return self._leases.owner(job)
        return "unknown"


class HeldLease:
    """A lease that was got, and the thread that renews it."""

    descriptor = None

    def __init__(self, leases: Leases, job: str, owner: str, seconds: float, clock: Clock) -> None:
        self._leases = leases
        self._job = job
        self._owner = owner
        self._seconds = seconds
        self._clock = clock
        self._term = Term(seconds, clock.monotonic())
        self._released = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="holdfast-lease", daemon=True)

    @property
    def lost(self) -> bool:
        """Whether somebody else may have it by now, or will before long."""
        return self._term.is_lost(self._clock.monotonic())

    def start(self, asked: float) -> None:
        """Begin to renew it."""
        self._term = Term(self._seconds, asked)
        try:
            self._thread.start()
        except BaseException:
            self._drop()
            raise

    def release(self) -> None:
        """Give it back; where the store is away, it ends by itself."""
        self._released.set()
        self._thread.join(_LONGEST_JOIN)
        self._drop()

    def renew(self) -> None:
        """Ask the store once."""
        asked = self._clock.monotonic()
        try:
            renewed = self._leases.renew(self._job, self._owner, self._seconds)
        except Exception:  # noqa: BLE001  # whatever the library raises: asked again before long
            self._term.failed(asked)
            return
        if renewed:
            self._term.renewed(asked)
        else:
            self._term.refused()

    def _beat(self) -> None:
        while not self.lost:
            pause = self._term.next_beat() - self._clock.monotonic()
            if self._released.wait(max(pause, 0.0)):
                return
            self.renew()

    def _drop(self) -> None:
        with contextlib.suppress(Exception):  # it ends by itself
            self._leases.drop(self._job, self._owner)
