"""The end of this process: who is told, who is asked to stop, how long that may take, the exit code.

A process ends once: this module's variables are global state.
"""

import atexit
import logging
import os
import signal
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, NoReturn, Protocol, runtime_checkable

from holdfast.events import Scalar
from holdfast.hooks import process
from holdfast.hooks.leaving.hosts import ServerWay, Way, send_sigterm

SETTLE: Final = 0.5
"""Seconds in which an answer is sent, where no server is there to be asked."""
_LAST: Final = 1.0
"""Seconds that handlers of `logging` and the standard streams have at the very end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """Why a process leaves by itself, and how."""

    code: int
    """Exit status, unless the host has one of its own for processes that leave on purpose."""
    grace: float | None
    """Seconds for what is in flight; None: as few as the server needs to send an answer."""
    reason: str = ""
    """For whoever asks whether the process is ready; fit for anybody to read."""
    error_code: str = ""
    fingerprint: str = ""
    """Of the error."""
    boundary: str = ""

    def attributes(self) -> dict[str, Scalar]:
        """Return what events say of it."""
        return {
            "exit_code": self.code,
            "code": self.error_code,
            "fingerprint": self.fingerprint,
            "boundary": self.boundary,
        }


@runtime_checkable
class Leaver(Protocol):
    """A runtime, as far as the end of its process concerns it."""

    def draining(self, reason: str, departure: Departure | None) -> None:
        """Say that the process is not ready any more; called in signal handlers, too."""
        ...

    def flush(self) -> bool:
        """Wait a limited time until everything so far is delivered."""
        ...

    def close(self) -> None:
        """Deliver what waits, within a limited time, and end."""
        ...


class _State:
    """How far this process is on its way out."""

    def __init__(self) -> None:
        self.way: Way = ServerWay()
        self.reset()

    def reset(self) -> None:
        """Begin anew; how the process would be left stays."""
        self.begun = threading.Lock()
        """Taken by the first who has the process leave, and not given back."""
        self.departure: Departure | None = None
        self.terminated = False


_state = _State()


def use(way: Way) -> None:
    """Say how this process is left, in the place of what was known before."""
    _state.way = way


def is_leaving() -> bool:
    """Tell whether this process is on its way out: for loops that should begin nothing new then."""
    return _state.terminated or _state.departure is not None


def is_terminated() -> bool:
    """Tell whether somebody else has asked this process to end."""
    return _state.terminated


def departure() -> Departure | None:
    """Return why the process leaves by itself, or None when it does not."""
    return _state.departure


def stopping() -> str:
    """Return why the process should get no more work, or an empty string when it should."""
    if _state.departure is not None:
        return _state.departure.reason
    return "terminated" if _state.terminated or _state.way.is_stopping() else ""


def terminated(reason: str) -> None:
    """Take note that somebody else ends this process; may be called in a signal handler."""
    if not is_leaving():
        _state.terminated = True
        _tell(reason, None)


def begin(leaving: Departure) -> None:
    """Leave: from now on the process is not ready, its server is asked to stop, and time runs.

    Only the first call has an effect. It returns soon, for the answer to be sent.
    """
    if is_leaving() or not _state.begun.acquire(blocking=False):
        return
    way = _state.way
    orderly = leaving if way.exit_code is None else replace(leaving, code=way.exit_code)
    _state.departure = orderly
    _tell(leaving.reason, orderly)
    asked = way.stop()
    grace = way.brief if leaving.grace is None else leaving.grace
    with suppress(RuntimeError, MemoryError):  # without a thread, it is for the server alone
        threading.Thread(
            target=_see_out,
            kwargs={"asked": asked, "grace": grace, "code": leaving.code},
            name="holdfast-leaving",
            daemon=True,
        ).start()


def leave() -> None:
    """Raise `SystemExit` with our code in this thread, the main one, if the process leaves.

    Not when that thread is at its end already.
    """
    if _state.departure is not None and threading.main_thread().is_alive():
        raise SystemExit(_state.departure.code)


def flush() -> None:
    """Wait until every runtime of this process has delivered everything so far."""
    for owner in _leavers():
        owner.flush()


def close() -> None:
    """Let every runtime of this process deliver what waits, and end."""
    for owner in _leavers():
        owner.close()


def _leavers() -> list[Leaver]:
    return [owner for owner in process.attached() if isinstance(owner, Leaver)]


def _tell(reason: str, leaving: Departure | None) -> None:
    for owner in _leavers():
        owner.draining(reason, leaving)


def _see_out(*, asked: bool, grace: float, code: int) -> None:
    over = threading.Event()
    if not asked:
        over.wait(min(SETTLE, grace))
        _interrupt()
    over.wait(grace)
    _end(code)


def _interrupt() -> None:
    """Have the main thread raise `SystemExit`, where our handler of the signal is there to do so."""
    if callable(signal.getsignal(signal.SIGTERM)) and threading.main_thread().is_alive():
        send_sigterm()


def _end(code: int) -> NoReturn:
    close()
    words = threading.Thread(target=_last_words, daemon=True)
    try:
        words.start()
        words.join(_LAST)
    except RuntimeError:  # no more threads at the end of the interpreter
        _last_words()
    os._exit(code)


def _last_words() -> None:
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # it may be closed, or None
            stream.flush()


def _at_exit() -> None:
    """Leave with our code, whatever the main thread came to its end with: only here it is not too late.

    What it ended with is unknown here, and a server gives 0 for a worker that it was asked to stop.
    """
    if _state.departure is not None:
        _end(_state.departure.code)


def forget() -> None:
    """Begin anew, as a forked child does, which is not on its way out."""
    _state.reset()


# As early as can be, so that what is registered later is called before: what was registered earlier is not.
atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget)
