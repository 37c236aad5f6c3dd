"""Figures of what was seen, and what they have to be."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.probes.case import LIVE, READY, Outcome
from benchmarks.probes.load import PATIENCE, RATE, Answered
from benchmarks.probes.trouble import TIME_LIMIT

LATE: Final = 1.0
"""Seconds after which an orchestrator gives up, unless it is told otherwise (`timeoutSeconds`)."""
RATIO: Final = 2.0
"""Live probes may take so many times what an empty view takes."""
SLACK: Final = 0.1
"""Seconds by which readiness may pass its time limit."""
CHECKERS: Final = 8
"""Threads of a process for checks: four troubled ones, two of the suite's own, one that has just
answered for somebody, and the one that looks in the background."""
GROWTH: Final = 8 << 20
"""Bytes that a process may grow by from the first quarter of the load to its end."""
_EXECUTOR: Final = 6
"""Threads that asyncio runs for others on a machine with two processors."""
_UNDER_WAY: Final = round(RATE / 3 * TIME_LIMIT)
"""Probes of readiness that wait at a time, at most; Django keeps a thread for each request of ASGI."""
_HANDS: Final = {"sync": 1, "gthread": 6, "uvicorn": 1 + _EXECUTOR + _UNDER_WAY}
"""Threads of a process of each server, apart from those for checks."""


@dataclass(frozen=True, slots=True)
class Times:
    """How long the answers of one address took, in seconds."""

    count: int
    median: float
    p95: float
    p99: float
    worst: float
    late: int
    """How many took longer than an orchestrator waits, or never came."""
    statuses: str

    @property
    def is_answered(self) -> bool:
        """Whether all came."""
        return self.worst < PATIENCE


def times(answers: Iterable[Answered], path: str) -> Times:
    """Return the figures of one address."""
    found = [answer for answer in answers if answer.path == path]
    seconds = sorted(answer.seconds for answer in found)
    return Times(
        count=len(found),
        median=quantile(seconds, 0.5),
        p95=quantile(seconds, 0.95),
        p99=quantile(seconds, 0.99),
        worst=seconds[-1],
        late=sum(second > LATE for second in seconds),
        statuses=", ".join(
            f"{count} × {status or 'none'}"
            for status, count in sorted(Counter(answer.status for answer in found).items())
        ),
    )


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the smallest value that so large a share does not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def most_threads(outcome: Outcome) -> int:
    """Return the threads that a server may have: its own, and those for checks."""
    processes = max(sample.processes for sample in outcome.samples)
    return processes * (_HANDS[outcome.case.server] + CHECKERS)


def complaints(outcome: Outcome) -> list[str]:
    """Return what is not as it has to be."""
    return [*_slow(outcome), *_growing(outcome)]


def _slow(outcome: Outcome) -> Iterable[str]:
    live, ready = times(outcome.answers, LIVE), times(outcome.answers, READY)
    empty = times(outcome.answers, outcome.case.empty)
    pairs = {
        "median": (live.median, empty.median),
        "95 of 100": (live.p95, empty.p95),
        # Of 400 probes four are beyond it, and which of them meets a queue is chance.
        "99 of 100": (live.p99, empty.worst),
    }
    for name, (ours, theirs) in pairs.items():
        if ours > RATIO * theirs:
            yield f"live: {name} {ours * 1000:.1f} ms, an empty view {theirs * 1000:.1f} ms"
    if ready.worst > TIME_LIMIT + SLACK:
        yield f"ready: {ready.worst:.3f} s, the limit is {TIME_LIMIT} s"
    if live.statuses != f"{live.count} × 200":
        yield f"live: answered {live.statuses}"
    if ready.statuses != f"{ready.count} × 503":
        yield f"ready: answered {ready.statuses}"


def _growing(outcome: Outcome) -> Iterable[str]:
    samples = outcome.samples
    threads = max(sample.threads for sample in samples)
    if threads > most_threads(outcome):
        yield f"{threads} threads, {most_threads(outcome)} are enough"
    processes = max(sample.processes for sample in samples)
    connections = max(sample.connections for sample in samples)
    if connections > processes:
        yield f"{connections} connections to the database from {processes} processes"
    settled = [sample for sample in samples if sample.at > outcome.seconds / 4]
    growth = max(sample.memory for sample in settled) - settled[0].memory
    if growth > GROWTH * processes:
        yield f"grew by {growth >> 20} MiB"
    if outcome.replaced:
        yield f"{outcome.replaced} workers were replaced"
