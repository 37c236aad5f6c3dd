"""A command as a job's work: in a session of its own, so that nothing of it outlives its time.

What it writes passes through byte for byte while it is written; the end of it is kept. When time is
over, when somebody asks us to stop, or when the lock is lost, its whole process group is asked to
end, and killed when it does not. The same happens to what it leaves behind in its group when it
ends. Only what makes a session of its own, as daemons do, goes on.
"""

import contextlib
import math
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO, Final, Self, TextIO

from holdfast.clock import Clock, SystemClock
from holdfast.hooks.jobs.tail import Tail

GRACE: Final = 10.0
"""Seconds between being asked to end and being killed."""
_SLICE: Final = 0.5
"""Seconds between looks at time and lock."""
_STEP: Final = 0.05
_LAST_WORDS: Final = 1.0
"""Seconds that what the command left behind has to end by itself, and that are then waited for
output: a daemon may have it open for ever."""
_CHUNK: Final = 65_536
_PROCESSES: Final = Path("/proc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What is run, and how long it may take."""

    arguments: Sequence[str]
    environment: Mapping[str, str]
    within: float | None = None
    """Seconds until it is asked to end."""
    grace: float = GRACE
    """Seconds it has from then on."""
    inherited: Sequence[int] = ()
    """Descriptors that it keeps open."""
    is_lost: Callable[[], bool] = field(default=lambda: False)
    """Tells when it may not go on."""
    clock: Clock = field(default_factory=SystemClock)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended."""

    status: int
    """Its exit status; of one that a signal ended, minus its number."""
    tail: Tail
    why: str = ""
    """Why we ended it: `time`, `signal` or `lock`; empty when it ended by itself."""
    signal: int = 0
    """The signal that we got and passed on."""


def run_command(command: Command) -> Ended:
    """Run a command to its end, with the standard streams of this process. In the main thread only.

    Raises:
        OSError: When it cannot be started.
    """
    with _Signals() as signals:
        return _Child(command, signals).ended()


class _Signals:
    """Passes on what this process is sent; what it was told to ignore (`nohup`) it goes on ignoring."""

    _STOPPING = ("SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM")
    _OTHERS = ("SIGUSR1", "SIGUSR2")

    def __init__(self) -> None:
        self.asked = 0
        """The first signal that asked us to stop."""
        self.group = 0
        self._before: dict[int, object] = {}
        self._stopping = {getattr(signal, name) for name in self._STOPPING}

    def __enter__(self) -> Self:
        for name in (*self._STOPPING, *self._OTHERS):
            number = getattr(signal, name)
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._pass_on)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # as it was

    def _pass_on(self, number: int, _frame: FrameType | None) -> None:
        if number in self._stopping and not self.asked:
            self.asked = number
        if self.group:
            _send(self.group, number)


class _Child:
    """The command's process, the group it leads, and the threads that read what it writes."""

    def __init__(self, command: Command, signals: _Signals) -> None:
        self._command = command
        self._signals = signals
        self._tail = Tail()
        self._process = subprocess.Popen(  # noqa: S603  # the caller's command, without a shell
            command.arguments,
            bufsize=0,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=command.environment,
            pass_fds=command.inherited,
            start_new_session=True,
        )
        self._pumps = [
            _reading("out", self._process.stdout, _descriptor(sys.stdout), self._tail),
            _reading("err", self._process.stderr, _descriptor(sys.stderr), self._tail),
        ]
        signals.group = self._process.pid
        if signals.asked:  # before there was a group to pass it on to
            _send(signals.group, signals.asked)

    def ended(self) -> Ended:
        try:
            why = self._watch()
        except BaseException:  # the limit of a job around this one
            self._stopped("", signal.SIGTERM)
            self._end_group()
            raise
        status = self._process.wait()
        self._end_group()
        until = self._command.clock.monotonic() + _LAST_WORDS
        for pump in self._pumps:
            pump.join(max(0.0, until - self._command.clock.monotonic()))
        return Ended(status=status, tail=self._tail, why=why, signal=self._signals.asked)

    def _watch(self) -> str:
        """Wait until the command has ended or has to, and in that case end it; return why."""
        until = self._until()
        while not self._waited(min(_SLICE, until - self._command.clock.monotonic())):
            if self._signals.asked:  # and passed on
                return self._stopped("signal", signal.SIGCONT)
            if self._command.clock.monotonic() >= until:
                return self._stopped("time", signal.SIGTERM)
            if self._command.is_lost():
                return self._stopped("lock", signal.SIGTERM)
        return "signal" if self._signals.asked else ""

    def _until(self) -> float:
        within = self._command.within
        return math.inf if within is None else self._command.clock.monotonic() + within

    def _stopped(self, why: str, number: int) -> str:
        _send(self._process.pid, number)
        _send(self._process.pid, signal.SIGCONT)  # one that was halted does not hear
        if not self._waited(self._command.grace):
            _send(self._process.pid, signal.SIGKILL)
        return why

    def _waited(self, seconds: float) -> bool:
        try:
            self._process.wait(max(seconds, 0.0))
        except subprocess.TimeoutExpired:
            return False
        return True

    def _end_group(self) -> None:
        """End what the command left behind in its group, but for what is about to end anyway."""
        group = self._process.pid
        if self._gone(min(_LAST_WORDS, self._command.grace)):
            return
        for number, seconds in ((signal.SIGTERM, self._command.grace), (signal.SIGKILL, 1.0)):
            _send(group, number)
            _send(group, signal.SIGCONT)
            if self._gone(seconds):
                return

    def _gone(self, seconds: float) -> bool:
        """Wait until nothing is left of the group; False when time is over before."""
        clock = self._command.clock
        until = clock.monotonic() + seconds
        pause = threading.Event()
        while _is_there(self._process.pid):
            if clock.monotonic() >= until:
                return False
            pause.wait(_STEP)
        return True


def _send(group: int, number: int) -> None:
    # None of it may be there any more, or none of it be ours: `sudo` changes the user.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _is_there(group: int) -> bool:
    # As the first process of a container we inherit orphans, and nobody else buries them.
    with contextlib.suppress(ChildProcessError):
        os.waitpid(-group, os.WNOHANG)
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return _is_alive(group)


def _is_alive(group: int) -> bool:
    """Tell, where the system does, whether anything of a group is more than dead and not yet buried."""
    found = False
    for file in _PROCESSES.glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # What follows the name, which may hold anything: state, parent, group.
            state, _, its_group = file.read_bytes().rpartition(b")")[2].split()[:3]
            found = True
            if int(its_group) == group and state != b"Z":
                return True
    return not found


def _reading(name: str, source: IO[bytes] | None, sink: int | None, tail: Tail) -> threading.Thread:
    thread = threading.Thread(
        target=_copy, args=(name, source, sink, tail), name=f"holdfast-{name}", daemon=True
    )
    thread.start()
    return thread


def _copy(name: str, source: IO[bytes], sink: int | None, tail: Tail) -> None:
    """Copy what is written until it ends; without a reader the command is to notice."""
    with source:
        while data := os.read(source.fileno(), _CHUNK):
            tail.add(name, data)
            try:
                if sink is not None:
                    _write(sink, data)
            except BrokenPipeError:
                return
            except OSError:  # closed, or the disk is full: the job is worth more than what it says
                sink = None


def _write(sink: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(sink, view) :]
        except BlockingIOError:  # whoever started us shares a descriptor that does not wait
            select.select([], [sink], [])


def _descriptor(stream: TextIO | None) -> int | None:
    try:
        return None if stream is None else stream.fileno()
    except (OSError, ValueError):
        return None
