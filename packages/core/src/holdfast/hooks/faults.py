"""What a fatal signal leaves: Python's own fault log, one file for each process, read at the next start.

A process holds a lock on its file as long as it lives, so that its end shows, however it came, and
whoever reads the file does so alone. Where there are no such locks (Windows) no log is kept.
"""

import faulthandler
import os
import re
import sys
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.clock import Clock, SystemClock
from holdfast.codes import ErrorCode
from holdfast.complaints import complain
from holdfast.errors import AppError
from holdfast.hooks.process import attached, capture
from holdfast.hooks.servers import program
from holdfast.origin import Origin

if TYPE_CHECKING:
    from types import ModuleType
if sys.platform != "win32":
    import fcntl

BOUNDARY = "fault"
MAX_BYTES = 64 * 1024
"""Read of one log: a process of many threads writes a lot."""
MAX_FRAMES = 50
_ATTEMPTS = 10

_NAME = re.compile(r"(?P<program>.+)\.(?P<pid>\d{1,10})\.(?P<started>\d{8}T\d{12})\.fault")
_STARTED = "%Y%m%dT%H%M%S%f"
_UNSAFE = re.compile(r"[^\w.-]")
_FATAL = re.compile(r"^(?:Fatal Python error|Windows fatal exception): (.{1,200})", re.MULTILINE)
_THREAD = re.compile(r"^(?:Current t|T)hread 0x.*\(most recent call first\):$", re.MULTILINE)
_FRAME = re.compile(r"^  (File .{1,500})$", re.MULTILINE)
_SIGNALS = {
    "Aborted": "SIGABRT",
    "Bus error": "SIGBUS",
    "Floating point exception": "SIGFPE",
    "Floating-point exception": "SIGFPE",
    "Illegal instruction": "SIGILL",
    "Segmentation fault": "SIGSEGV",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """What a fault log says."""

    said: str
    """Python's words for it, such as `Segmentation fault`; empty when the log has none."""
    frames: tuple[str, ...]
    """Where the thread was that got the signal, innermost first; at most 50."""
    threads: int

    @property
    def signal(self) -> str:
        """The signal's name, or Python's words when it was none."""
        return _SIGNALS.get(self.said, self.said)


def read_fault(text: str) -> Fault:
    r"""Read a fault log; one that was cut short gives what there is.

    Example:
        >>> read_fault("Fatal Python error: Segmentation fault\n").signal
        'SIGSEGV'
    """
    fatal = _FATAL.search(text)
    threads = list(_THREAD.finditer(text))
    hit = next((one for one in threads if one[0].startswith("Current")), None)
    stack = "" if hit is None else text[hit.end() :].partition("\n\n")[0]
    frames = tuple(found[1] for found in _FRAME.finditer(stack))[:MAX_FRAMES]
    return Fault("" if fatal is None else fatal[1].strip(), frames, len(threads))


class Faults:
    """Keeps a fault log for this process, unless the host keeps one, and tells of those left behind.

    Args:
        clock: Source of the time in the name of the file.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._folder = Path()
        self._log: _Log | None = None
        self._listening = self._registered = False

    def install(self) -> None:
        """Begin a log in the folder that the latest runtime names, and tell of what is in it already."""
        folder = _asked()
        if sys.platform == "win32" or self._listening or not folder:
            return
        self._listening, self._folder = True, Path(folder)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not faulthandler.is_enabled():  # the host's own, or that of a tool such as pytest
                self._begin()
            tell_of(self._folder)
        except OSError as failure:
            _complain(failure)

    def uninstall(self) -> None:
        """End the log; the file goes unless something is in it."""
        self._listening = False
        if self._log is not None:
            faulthandler.disable()
            self._log.end()
            self._log = None

    def _begin(self) -> None:
        self._log = _Log(self._folder, self._clock.now())
        faulthandler.enable(self._log.descriptor, all_threads=True)
        if not self._registered:
            os.register_at_fork(after_in_child=self._forked)  # for good: Python cannot undo it
            self._registered = True

    def _forked(self) -> None:
        """Give a child a log of its own, in the place of its parent's."""
        if self._log is None:
            return
        inherited, self._log = self._log, None
        try:
            self._begin()
        except OSError:
            faulthandler.disable()
        finally:
            os.close(inherited.descriptor)
        util: ModuleType | None = sys.modules.get("multiprocessing.util")
        if util is not None:
            util.register_after_fork(self, Faults._in_child)

    def _in_child(self) -> None:
        # Such a child ends without the finalisers of a process: nobody else would clean up after it.
        sys.modules["multiprocessing.util"].Finalize(None, self.uninstall, exitpriority=-100)


class _Log:
    """The file of one process, locked as long as it lives."""

    def __init__(self, folder: Path, started: datetime) -> None:
        name = f"{_UNSAFE.sub('_', program())[:80]}.{os.getpid()}.{started:{_STARTED}}.fault"
        self.path = folder / name
        for _ in range(_ATTEMPTS):
            # A bare descriptor, because Python warns of files that are open at its end.
            self.descriptor = _opened(self.path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
            # Before we had the lock, somebody may have taken the file for one left behind.
            if _claimed(self.descriptor):
                return
            os.close(self.descriptor)
        raise OSError(f"cannot keep {name}: it disappears again and again")

    def end(self) -> None:
        """Let the file go, and remove it when it is empty."""
        with suppress(OSError):
            if os.fstat(self.descriptor).st_size == 0:
                self.path.unlink()
        os.close(self.descriptor)


def tell_of(folder: Path) -> None:
    """Hand over the logs of processes that are gone, once each, and remove them with the empty ones."""
    for path in sorted(folder.glob("*.fault")):
        named = _NAME.fullmatch(path.name)
        if named is None:
            continue
        with suppress(OSError):  # it is gone, another user's, or no file
            text, ended = _taken(path)
            if text.strip():
                # Not of the work at hand, whose id it would get.
                Context().run(_tell, named, text, ended)


def _tell(named: re.Match[str], text: str, ended: datetime) -> None:
    fault = read_fault(text)
    started = datetime.strptime(named["started"], _STARTED).replace(tzinfo=UTC)
    error = AppError(
        ErrorCode.PROCESS_CRASHED,
        f"{named['program']}, process {named['pid']}, was ended by {fault.signal or 'a fault'}",
        details={
            "signal": fault.signal,
            "said": fault.said,
            "pid": int(named["pid"]),
            "started": started.isoformat(),
            "ended": ended.isoformat(),
            "threads": fault.threads,
            "frames": list(fault.frames),
        },
    )
    capture(error, Origin(boundary=BOUNDARY, operation=named["program"]))


def _taken(path: Path) -> tuple[str, datetime]:
    """Remove a file whose process is gone, and return what was in it and when that was written."""
    descriptor = _opened(path, os.O_RDONLY)
    try:
        about = os.fstat(descriptor)
        if about.st_uid == os.geteuid() and _claimed(descriptor):
            path.unlink()
            text = os.pread(descriptor, MAX_BYTES, 0).decode("utf-8", "replace")
            return text, datetime.fromtimestamp(about.st_mtime, UTC)
    finally:
        os.close(descriptor)
    raise BlockingIOError(f"{path} is of a process that lives, or of another user")


def _opened(path: Path, flags: int) -> int:
    # Never through a link, which somebody may have laid in a folder of everybody's.
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)


def _claimed(descriptor: int) -> bool:
    """Tell whether a file is ours now, and still in its folder."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return os.fstat(descriptor).st_nlink > 0


def _asked() -> str:
    """Return the folder that the latest runtime's settings name."""
    owners = attached()
    settings: object = getattr(owners[-1], "settings", None) if owners else None
    folder: object = getattr(getattr(settings, "hooks", None), "faults", "")
    return folder if isinstance(folder, str) else ""


def _complain(failure: OSError) -> None:
    complain(f"cannot keep a fault log: {type(failure).__name__}; see HOOKS.FAULTS")


hook = Faults()
