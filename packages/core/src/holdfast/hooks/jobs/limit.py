"""How long a job in this process may take: an exception in its main thread when time is over.

Only the main thread of a Unix process can be interrupted from within, by a timer and a signal; a
coroutine by its event loop. Elsewhere (other threads, Windows, a block within a coroutine) nothing
happens when time is over: the event of the run's end says that it took too long. A limit that holds
against anything is the one of `holdfast run`.
"""

import signal
import sys
import threading
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Final, ParamSpec, TypeVar

from holdfast.handler import ErrorHandler
from holdfast.hooks.jobs.outcome import JobTimedOutError

_Handler = Callable[[int, FrameType | None], object] | int | None
_Params = ParamSpec("_Params")
_Result = TypeVar("_Result")

_AGAIN: Final = 0.01
"""Seconds after which an alarm that came at a bad moment rings again."""
_unhurried: Final[set[CodeType]] = {ErrorHandler.handle.__code__}
"""What no alarm interrupts: there it would be swallowed, or leave a run that never ends."""


def unhurried(function: Callable[_Params, _Result]) -> Callable[_Params, _Result]:
    """Let no alarm ring in a function and what it calls, from its first instruction to its last.

    The frame tells, because a block within the function would begin after its first instruction.
    """
    _unhurried.add(function.__code__)
    return function


def timed_out(job: str, seconds: float) -> JobTimedOutError:
    """Return the error of a job that took too long."""
    return JobTimedOutError(
        f"job {job!r} was stopped after {seconds:g} s, the time it may take",
        details={"within": seconds},
    )


class Alarm:
    """Raises `JobTimedOutError` in the main thread when time is over; nests.

    Args:
        job: For the error.
        seconds: None for no limit.
    """

    def __init__(self, job: str, seconds: float | None) -> None:
        self._job = job
        self._seconds = seconds
        self._set = False
        self._total = seconds or 0.0
        self._before: tuple[_Handler, float] = None, 0.0

    def start(self) -> None:
        """Start the time, if this thread can be interrupted."""
        if self._seconds is None or not _interruptible():
            return
        left, _ = signal.getitimer(signal.ITIMER_REAL)
        if 0 < left <= self._seconds:  # somebody's alarm comes earlier than ours would
            return
        self._before = signal.signal(signal.SIGALRM, self._ring), left
        self._set = True
        signal.setitimer(signal.ITIMER_REAL, self._seconds)

    def stop(self) -> None:
        """Stop the time, and give the timer back to whoever had set it."""
        if not self._set:
            return
        self._set = False  # first: the alarm may ring right now
        left, _ = signal.setitimer(signal.ITIMER_REAL, 0)
        handler, before = self._before
        signal.signal(signal.SIGALRM, signal.SIG_DFL if handler is None else handler)
        if before and self._seconds is not None:
            taken = self._total - left
            signal.setitimer(signal.ITIMER_REAL, max(before - taken, 0.001))

    def _ring(self, _signal: int, frame: FrameType | None) -> None:
        if not self._set or self._seconds is None:
            return
        if _is_unhurried(frame):
            self._total += _AGAIN
            signal.setitimer(signal.ITIMER_REAL, _AGAIN)
            return
        raise timed_out(self._job, self._seconds)


def _is_unhurried(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code in _unhurried:
            return True
        frame = frame.f_back
    return False


def _interruptible() -> bool:
    if (
        not hasattr(signal, "setitimer")
        or threading.current_thread() is not threading.main_thread()
    ):
        return False
    return not _in_event_loop()


def _in_event_loop() -> bool:
    """Tell whether an exception would come up in the middle of a loop, in whichever task is running."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
