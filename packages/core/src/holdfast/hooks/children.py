"""Children of `multiprocessing`: they print their own tracebacks and call no hook, and may die without a word.

A child that is about to run gets a `run` that sees what leaves it. One that begins afresh (`spawn`,
`forkserver`) has no hooks, and one that is killed runs nothing any more: for these there is
`start_process`.
"""

import importlib
import os
import pickle
import signal
import sys
import threading
from contextlib import suppress
from contextvars import copy_context
from typing import TYPE_CHECKING, TypeVar, cast

from holdfast import environment
from holdfast.codes import ErrorCode
from holdfast.complaints import complain
from holdfast.context import begin, current_context
from holdfast.errors import AppError
from holdfast.hooks.process import attached, capture, hide_frame
from holdfast.hooks.signals import signal_name
from holdfast.origin import Origin
from holdfast.reporting.channel import last_moments

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess
    from multiprocessing.util import Finalize
    from types import ModuleType

_Process = TypeVar("_Process", bound="BaseProcess")

BOUNDARY = "child"
_FIRST = 1 << 30
"""Priority before every other finaliser: these may take what the reporters need."""
_LAST = -1 << 30
_PATIENCE = 1.0
"""Seconds for what is a matter of milliseconds."""
_ASKED = frozenset({signal.SIGTERM, signal.SIGINT})
"""Signals by which somebody asks a process to end: no crash."""


class Children:
    """Listens in every child that `multiprocessing` forks from this process, and in this one if it is a child."""

    def __init__(self) -> None:
        self._listening = False
        self._at_fork = self._after_fork = False
        self._end_of_child: Finalize | None = None
        self._outer: int | None = None

    def install(self) -> None:
        """Listen in children forked from now on."""
        self._listening = True
        if not self._at_fork and hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forked)  # for good: Python cannot undo it
            self._at_fork = True
        self._forked()
        process: ModuleType | None = sys.modules.get("multiprocessing.process")
        if process is not None and getattr(process.current_process(), "_inheriting", False):
            # A spawned child, which is reading its main module: it will not think it was forked.
            spawned = sys.modules["multiprocessing.context"].SpawnProcess
            spawned._after_fork = staticmethod(self._begin)  # noqa: SLF001  # in this process alone
        elif process is not None and process.parent_process() is not None:
            self._begin_late()

    def uninstall(self) -> None:
        """Leave alone the children forked from now on."""
        self._listening = False

    def _forked(self) -> None:
        util: ModuleType | None = sys.modules.get("multiprocessing.util")
        if util is not None and not self._after_fork:
            # Not the finaliser itself: a child of `multiprocessing` begins by clearing those.
            util.register_after_fork(self, Children._begin)
            self._after_fork = True

    def _begin(self) -> None:
        """See what leaves the child that is about to run."""
        if self._listening and not self._has_begun():
            self._outer = None
            process = _current()
            process.run = _watched(process)  # type: ignore[method-assign]  # of this one process
            self._await_end()

    def _begin_late(self) -> None:
        """See what ends a child that is running: until Python 3.13 its finalisers do."""
        if not self._has_begun():
            self._outer = id(sys.exception())
            self._await_end()

    def _has_begun(self) -> bool:
        return self._end_of_child is not None and self._end_of_child.still_active()

    def _await_end(self) -> None:
        finalize = sys.modules["multiprocessing.util"].Finalize
        self._end_of_child = finalize(None, self._end, exitpriority=_FIRST)

    def _end(self) -> None:
        error, process = sys.exception(), _current()
        if self._outer is not None and error is not None and id(error) != self._outer:
            capture(error, Origin(boundary=BOUNDARY, operation=_operation(process)))
        last_moments.began = True
        for owner in attached():
            # A forked child ends without what was registered with `atexit`.
            close: Callable[[], object] = getattr(owner, "close", owner.flush)
            close()
        passenger: object = vars(process).get(_PASSENGER)
        if isinstance(passenger, _Passenger):
            passenger.say()


def _current() -> "BaseProcess":
    return cast("BaseProcess", sys.modules["multiprocessing.process"].current_process())


def _watched(process: "BaseProcess") -> "Callable[[], None]":
    """Return what runs a process as it would, and hands over what leaves it."""
    run, operation = process.run, _operation(process)

    def run_watched() -> None:
        try:
            run()
        except BaseException as error:
            hide_frame(error)
            capture(error, Origin(boundary=BOUNDARY, operation=operation))
            raise

    return run_watched


hook = Children()


def start_process(process: _Process) -> _Process:
    """Start a process of `multiprocessing` so that its errors are handled however it begins and ends.

    It is `process.start()`, and more: a child that begins afresh (`spawn`, `forkserver`) gets a
    runtime with the settings of ours, unless its main module installs one, and the id of the
    current piece of work. A child that dies without a word, by a fatal signal or by `os._exit` with
    another status than 0, is recorded here. SIGTERM and SIGINT are no errors.

    Args:
        process: Not yet started; of any context, subclasses included.

    Example:
        >>> from multiprocessing import get_context
        >>> process = start_process(get_context("spawn").Process(target=int, args=("7",)))
        >>> process.join()
        >>> process.exitcode
        0
    """
    from multiprocessing import Pipe  # noqa: PLC0415  # whoever has no children need not load it

    operation = _operation(process)  # which `start` forgets
    reader, writer = Pipe(duplex=False)
    try:
        setattr(process, _PASSENGER, _Passenger(writer))
        process.start()
    except BaseException:
        reader.close()
        raise
    finally:
        writer.close()
        vars(process).pop(_PASSENGER, None)
    _Watch(process, reader, operation).begin()
    return process


_PASSENGER = "_holdfast_passenger"


class _Passenger:
    """Goes along with a process that is started: under `spawn` pickled with it, and made anew there."""

    def __init__(self, writer: "Connection") -> None:
        self._writer = writer

    def say(self) -> None:
        """Tell the parent that the process ends in the ordinary way, and has told what there was to tell."""
        with suppress(OSError):  # the parent may be gone
            self._writer.send_bytes(b"ended")

    def __reduce__(self) -> tuple[object, ...]:
        work = current_context()
        header, trace_id = ("", "") if work is None else (work.traceparent, work.trace_id)
        return _aboard, (self._writer, _pickled_settings(), header, trace_id)


def _pickled_settings() -> bytes:
    """Return the settings of the runtime of the work at hand; nothing when they cannot travel."""
    try:
        return pickle.dumps(cast("object", getattr(environment.found(), "settings", None)))
    except Exception:  # noqa: BLE001  # whatever a project put into them
        return pickle.dumps(None)


def _aboard(writer: "Connection", settings: bytes, header: str, trace_id: str) -> _Passenger:
    """Install a runtime in a process that begins afresh; what fails here must not keep it from running."""
    try:
        told: object = pickle.loads(settings)  # noqa: S301  # our parent's
        if told is not None and environment.default() is None:
            importlib.import_module("holdfast.runtime").Runtime(told).install()
        if trace_id:
            begin(header, trace_id)
    except Exception as failure:  # noqa: BLE001  # a reporter that cannot be made, a module not found
        complain(f"cannot install a runtime in a child: {type(failure).__name__}")
    return _Passenger(writer)


class _Watch:
    """Waits for the end of one child on a thread of its own, without taking the exit status from anybody."""

    def __init__(self, process: "BaseProcess", reader: "Connection", operation: str) -> None:
        self._process = process
        self._operation = operation
        self._reader = reader
        self._pid = process.pid or 0
        self._context = copy_context()

    def begin(self) -> None:
        """Start the thread; this process waits for it when it ends, once all its children have."""
        if os.getpid() not in _awaiting:
            _awaiting[:] = [os.getpid()]
            sys.modules["multiprocessing.util"].Finalize(None, _await, exitpriority=_LAST)
        thread = threading.Thread(target=self._wait, name="holdfast-child", daemon=True)
        _watches.add(thread)
        thread.start()

    def _wait(self) -> None:
        try:
            if not self._has_said():
                self._context.run(self._tell, _exit_code(self._process, self._pid))
        finally:
            self._reader.close()
            _watches.discard(threading.current_thread())

    def _has_said(self) -> bool:
        with suppress(EOFError, OSError):
            return bool(self._reader.recv_bytes(64))
        return False

    def _tell(self, code: int | None) -> None:
        if code == 0 or (code is not None and -code in _ASKED):
            return
        error = _error(code, self._pid)
        capture(error, Origin(boundary=BOUNDARY, operation=self._operation))


_watches: set[threading.Thread] = set()
_awaiting: list[int] = []
"""This process, once it has something to wait for at its end; a forked child begins anew."""


def _await() -> None:
    for thread in tuple(_watches):
        thread.join(_PATIENCE)


def _error(code: int | None, pid: int) -> AppError:
    if code is not None and code > 0:
        said = f"child process {pid} ended with status {code}, and no error was seen"
        return AppError(ErrorCode.UNEXPLAINED_FAILURE, said, details={"status": code})
    if code is None:
        return AppError(ErrorCode.PROCESS_CRASHED, f"child process {pid} ended without a word")
    name = signal_name(-code)
    said = f"child process {pid} was ended by {name}"
    return AppError(ErrorCode.PROCESS_CRASHED, said, details={"signal": name})


def _exit_code(process: "BaseProcess", pid: int) -> int | None:
    """Return how a process that is ending ended; None when only its starter can know."""
    if hasattr(os, "waitid"):
        with suppress(ChildProcessError):  # not our own child (forkserver), or its status was taken
            status = os.waitid(
                os.P_PID, pid, os.WEXITED | os.WNOWAIT
            )  # which leaves it for the others
            if status is not None:
                ordinary = status.si_code == os.CLD_EXITED
                return status.si_status if ordinary else -status.si_status
    popen: object = getattr(process, "_popen", None)
    # Not `process.exitcode`, which would take the status from a thread that is waiting for it.
    for _ in range(100):
        code: object = getattr(popen, "returncode", None)
        if isinstance(code, int):
            return code
        threading.Event().wait(_PATIENCE / 100)
    return None


def _operation(process: "BaseProcess") -> str:
    """Return the name of what a process runs."""
    target: object = getattr(process, "_target", None)
    name: object = getattr(getattr(target, "func", target), "__qualname__", None)
    return name if isinstance(name, str) else type(process).__qualname__
