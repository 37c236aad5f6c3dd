"""One measured call, and how it is timed: the part that runs in the process of a subject."""

import gc
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter, thread_time
from typing import TypeAlias

import psutil

_OFF_CPU = 0.08
"""Share of a sample that the thread may be kept from running before the sample is taken anew."""
_RETAKES = 3
_WARMING = 20
"""Calls before the first that counts."""
_STEPS = 10
"""Readings of memory over a run."""


@dataclass(frozen=True, slots=True)
class Case:
    """One call to measure."""

    call: Callable[[], object]
    between: Callable[[], object] | None = None
    """Runs before each call, outside of the time."""
    times: int = 1
    """How often one call does what is measured."""
    waits: bool = False
    """It waits by design, so that a thread which does not run says nothing of the machine."""


Cases: TypeAlias = Mapping[str, Case]
"""What a subject's process can measure, by name."""


def sample(case: Case, seconds: float) -> float:
    """Return seconds per call over one batch that takes about `seconds`.

    The cyclic collector is off; a batch during which the thread was kept from running is retaken.
    """
    number = _number(case, seconds)
    taken: list[float] = []
    for _ in range(1 + _RETAKES):
        gc.collect()
        gc.disable()
        wall, cpu = _timed(case, number)
        gc.enable()
        taken.append(wall)
        if case.waits or wall - cpu <= _OFF_CPU * wall:
            break
    return min(taken) / number / case.times


def latencies(case: Case, calls: int) -> dict[str, float]:
    """Return the seconds of single calls: the least, the median, the 99th percentile and the most."""
    taken = sorted(_timed(case, 1)[0] for _ in range(calls))
    return {
        "min": taken[0],
        "median": statistics.median(taken),
        "p99": taken[min(len(taken) - 1, len(taken) * 99 // 100)],
        "max": taken[-1],
    }


def growth(case: Case, calls: int) -> dict[str, object]:
    """Return by how many bytes the process grew over a number of calls, with readings on the way.

    A fiftieth of the calls goes before, so that what is made once does not count.
    """
    _repeat(case, max(100, calls // 50))
    start, curve = _resident(), list[int]()
    for _ in range(_STEPS):
        _repeat(case, calls // _STEPS)
        curve.append(_resident() - start)
    return {"calls": calls // _STEPS * _STEPS, "bytes": curve[-1], "curve": curve}


def _number(case: Case, seconds: float) -> int:
    if case.waits:
        return 1
    one = min(_timed(case, 1)[0] for _ in range(3))
    return max(1, int(seconds / one))


def _timed(case: Case, number: int) -> tuple[float, float]:
    """Return the seconds that a number of calls took, and those the thread was running."""
    call, between = case.call, case.between
    if between is None:
        cpu, start = thread_time(), perf_counter()
        for _ in range(number):
            call()
        return perf_counter() - start, thread_time() - cpu
    wall = ran = 0.0
    for _ in range(number):
        between()
        cpu, start = thread_time(), perf_counter()
        call()
        wall += perf_counter() - start
        ran += thread_time() - cpu
    return wall, ran


def warm(case: Case) -> None:
    """Call a few times, so that caches are filled and the interpreter has specialised the code."""
    for _ in range(1 if case.waits else max(2, _WARMING // case.times)):
        if case.between is not None:
            case.between()
        case.call()


def _repeat(case: Case, number: int) -> None:
    for i in range(number):
        if case.between is not None and not i % 100:
            case.between()
        case.call()


def _resident() -> int:
    gc.collect()
    return int(psutil.Process().memory_info().rss)
