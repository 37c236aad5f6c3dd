"""Which of the processes of a host monitors, and what it lets the others know.

It is who holds `flock` on a file: however that process ends, the system frees it. Beside it is a file
with what was seen, replaced as a whole. Not on Windows, where every process monitors for itself.
"""

import contextlib
import json
import os
import stat
import sys
import tempfile
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Final

from holdfast.complaints import complain
from holdfast.forks import after_fork

if sys.platform != "win32":
    import fcntl

IS_SHARED: Final = sys.platform != "win32"
"""Whether the processes of a host can agree who monitors."""
_PRIVATE: Final = 0o700
_MOST: Final = 50_000_000
"""Characters that are read of what was left."""


class Seat:
    """The place of the one process of a host that monitors a service; for one thread.

    A forked child never has it, whoever had it before.

    Args:
        folder: Where the files stand; made when it is missing. Empty: one of this user's own in the
            folder for temporary files.
        service: Processes with the same name agree among each other.
    """

    def __init__(self, folder: str, service: str) -> None:
        self._folder = folder
        self._name = blake2b(service.encode("utf-8", "replace"), digest_size=8).hexdigest()
        self._descriptor: int | None = None
        self._has_complained = False
        after_fork(self._leave)

    @property
    def is_held(self) -> bool:
        """Whether this process has it."""
        return self._descriptor is not None

    def take(self) -> bool:
        """Get it, or keep it, without waiting; False when another process has it.

        Raises:
            OSError: When there can be no such file.
        """
        if self._descriptor is not None and self._is_there(self._descriptor):
            return True
        self.release()
        path = self._path("lock")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            if not _locked(descriptor):
                os.close(descriptor)
                return False
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Give it back; harmless when this process does not have it."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with contextlib.suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_UN)  # a child may have the file open
            os.close(descriptor)

    def write(self, facts: Mapping[str, object]) -> None:
        """Let the others know; what cannot be written is complained of, once."""
        draft = ""
        try:
            path = self._path("json")
            descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(facts, file)
            Path(draft).replace(path)
        except OSError as failure:
            with contextlib.suppress(OSError):
                Path(draft).unlink()
            self.complain(failure)

    def read(self) -> object:
        """Return what the process that has it let the others know; None when there is nothing."""
        try:
            with self._path("json").open(encoding="utf-8") as file:
                return json.loads(file.read(_MOST))  # more is not ours, and ends in the middle
        except FileNotFoundError:
            return None
        except OSError as failure:
            self.complain(failure)
        except (ValueError, RecursionError) as failure:
            self._say(
                f"its file of state holds no state ({type(failure).__name__}); it is replaced"
            )
        return None

    def complain(self, failure: OSError) -> None:
        """Say once what is wrong with the folder."""
        self._say(
            f"its folder of state raised {type(failure).__name__}; "
            "set HEALTH.MONITOR.STATE to one that this user can write to"
        )

    def _say(self, what: str) -> None:
        if not self._has_complained:
            self._has_complained = True
            complain(f"monitor: {what}")

    def _path(self, suffix: str) -> Path:
        folder = Path(self._folder).expanduser() if self._folder else _own_folder()
        folder.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        return folder / f"monitor-{self._name}.{suffix}"

    def _is_there(self, descriptor: int) -> bool:
        """Tell whether the file is the one that others would lock: who cleans up may have removed it."""
        try:
            return os.path.samestat(os.fstat(descriptor), self._path("lock").stat())
        except OSError:
            return False

    def _leave(self) -> None:
        # No LOCK_UN: that would free the lock of the parent, whose open file this is.
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _own_folder() -> Path:
    """Return a folder that no other user of this machine can have prepared for us.

    Raises:
        PermissionError: When it belongs to somebody else, or others may use it.
    """
    user = os.geteuid()
    path = Path(tempfile.gettempdir()) / f"holdfast-{user}"
    path.mkdir(mode=_PRIVATE, exist_ok=True)
    found = path.lstat()
    if found.st_uid != user or found.st_mode & 0o077 or not stat.S_ISDIR(found.st_mode):
        raise PermissionError(f"{path} must belong to user {user} alone; remove it")
    return path
