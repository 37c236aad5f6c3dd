"""Where the processes of a service on one host keep count: a small file under a lock.

Loaded by name when it is first needed, which is after an error: `fcntl` is not everywhere.
"""

import fcntl
import hashlib
import json
import os
import re
import stat
import tempfile
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, cast

from holdfast.clock import Clock
from holdfast.hooks.leaving.budget import Budget, Ledger, Ruling

_MAX_BYTES: Final = 1 << 16
_TRIES: Final = 50
_PAUSE: Final = 0.01
_OPEN: Final = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class LedgerFile:
    """The ledger of one service on this host, safe for its threads and processes.

    Args:
        service: Whose; one file each.
        folder: Where; empty for one of this user's own in the folder for temporary files.
    """

    def __init__(self, service: str, folder: str = "") -> None:
        self._folder = folder
        digest = hashlib.sha256(service.encode()).hexdigest()[:12]
        self.name = f"{re.sub(r'[^A-Za-z0-9-]', '_', service)[:40]}.{digest}.restarts"

    def take(self, budget: Budget, clock: Clock) -> Ruling:
        """Ask for one restart, and count it when it is granted.

        Args:
            budget: How many there are.
            clock: Asked while the file is locked: by an earlier time, what another process has just
                written would seem to lie ahead.

        Raises:
            OSError: When the file cannot be used, or is not safe to use.
        """
        with self._locked() as file:
            ruling, ledger = budget.judge(_read(file), clock.monotonic())
            if ruling is not Ruling.REFUSED:
                _write(file, ledger)
        return ruling

    @contextmanager
    def _locked(self) -> Generator[int]:
        folder = _own_folder() if not self._folder else _open_folder(self._folder)
        try:
            file = os.open(self.name, _OPEN, 0o600, dir_fd=folder)
        finally:
            os.close(folder)
        try:
            found = os.fstat(file)
            if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
                raise PermissionError(f"{self.name} is not a plain file of this user; remove it")
            _lock(file)
            yield file
        finally:
            os.close(file)  # which gives the lock back


def _open_folder(path: str) -> int:
    Path(path).mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.open(path, _FOLDER)


def _own_folder() -> int:
    """Open a folder that no other user of this machine can have prepared for us."""
    user = os.geteuid()
    path = Path(tempfile.gettempdir()) / f"holdfast-{user}"
    path.mkdir(mode=0o700, exist_ok=True)
    folder = os.open(path, _FOLDER | os.O_NOFOLLOW)
    found = os.fstat(folder)
    if found.st_uid != user or found.st_mode & 0o077:
        os.close(folder)
        raise PermissionError(
            f"{path} must belong to user {user} alone; remove it, or set CRASH.STATE"
        )
    return folder


def _lock(file: int) -> None:
    for _ in range(_TRIES):
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            threading.Event().wait(_PAUSE)
    raise TimeoutError("another process holds the file for too long")


def _read(file: int) -> Ledger:
    line = os.pread(file, _MAX_BYTES, 0).partition(b"\n")[0]
    try:
        found = json.loads(line or b"{}")
        restarts = tuple(float(when) for when in found.get("restarts", ()))
        warned = cast("object", found.get("warned"))
        return Ledger(restarts, warned if isinstance(warned, float) else None)
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        return Ledger()  # nobody's; it is written anew


def _write(file: int, ledger: Ledger) -> None:
    line = json.dumps({"restarts": ledger.restarts, "warned": ledger.warned}).encode() + b"\n"
    # In this order, a process that dies in between leaves a line that can be read.
    os.pwrite(file, line, 0)
    os.ftruncate(file, len(line))
