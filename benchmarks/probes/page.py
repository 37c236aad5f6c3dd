"""The page of the documentation about probes under trouble."""

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from benchmarks.probes.case import LIVE, READY, Case, Outcome
from benchmarks.probes.figures import Times, times
from benchmarks.probes.load import PATIENCE, RATE
from benchmarks.probes.trouble import HANGS, SLOW, TIME_LIMIT, TIMEOUT

SERVERS: Final = {
    "sync": "gunicorn, 4 sync workers",
    "gthread": "gunicorn, 2 workers of 4 threads",
    "uvicorn": "uvicorn",
}
_TEXT: Final = """\
# Probes under trouble

An orchestrator asks on, whatever is wrong: here {rate} probes a second for {seconds:.0f} seconds, each on a
connection of its own, to `/health/live`, to `/health/ready` and, for comparison, to a view that does
nothing. Readiness asks four things, and none is well. One check hangs for {hangs:.0f} seconds
whenever it is called, one raises, one takes {slow:g} s of the {timeout:g} s that it may, and one asks a PostgreSQL
that is cut off: for nearly half of the time packets vanish, so that neither side hears of it, then connections are
refused, then it is back.

![Time to answer, the worst of each second, on a scale from a millisecond to ten seconds](probes.svg)

Written by `nox -s probes -- --write`, here on {processors} processors. The session fails when, with holdfast, a live probe takes more than
twice what the empty view takes in the same run (the medians and 95 of 100 are compared, and 99 of 100 with its
worst: beyond that are four probes, and which of them meets a queue is chance), when readiness is answered later
than its time limit ({limit:g} s) and {slack:.0f} ms, and when threads, connections or memory grow.

## Time to answer

Milliseconds. *Late* is an answer after more than a second, which is as long as a kubelet waits unless it is told
otherwise, or none in {patience:.0f} s. *Calm* is before anything was wrong.

{answers}

## What it takes

Threads and memory of all processes of the server, connections to the database: a quarter of the time into the
load, at the end, and the most at any moment.

{costs}

## What to read from it

**Liveness asks nothing** but whether the process answers, so that nothing but a lack of workers can delay it.
Where it is as late as the empty view, that is what happened: a synchronous worker that waits for a check answers
nobody else, and when all four wait, everybody waits in the queue of the kernel. With holdfast that happens in
the first second and when the database is cut: a check takes all the time that it may the first time that it hangs
in each process. What is looked at in the background does not take it from requests when it begins to hang later.

**A check runs once at a time.** Who asks while it runs shares the run; a check that hangs holds one thread
and one connection of each process, not one for every probe. Once it took too long, nobody waits longer
than 50 ms for it until it has answered in time: the probe says that it still runs, and since when.

**What was said serves a while**: for a second unless settings say otherwise, and, while a check that takes its time
is looked at anew, until it is late. With `every=` checks are looked at in the background (the rows *in
background*), and after the first look no probe waits for any.

**django-health-check alone** runs every check for every probe. Behind WSGI, its timeout passes and the answer is
not sent: the event loop made for the request waits at its end for the thread of the check that hangs, and the
worker with it, for {hangs:.0f} s. Behind ASGI the checks that hang fill the threads of the loop's default
executor (six on two processors), after which every other check times out as well; and since Django logs
answers of 400 and above on that same executor, a failing probe is not answered until a thread is free, and
neither is any other 404 of the project. Its liveness here is a view without checks.
"""


def page(outcomes: Sequence[Outcome]) -> str:
    """Return the page."""
    return _TEXT.format(
        processors=os.cpu_count(),
        rate=RATE,
        seconds=outcomes[0].seconds,
        hangs=HANGS,
        slow=SLOW,
        timeout=TIMEOUT,
        limit=TIME_LIMIT,
        slack=100,
        patience=PATIENCE,
        answers="\n".join(_answers(outcomes)),
        costs="\n".join(_costs(outcomes)),
    )


def label(case: Case) -> str:
    """Return what a case is called in tables."""
    library = "holdfast" if case.library == "holdfast" else "django-health-check"
    variant = ", in background" if case.in_background else ""
    framework = "Flask" if case.framework == "flask" else "Django"
    return f"{SERVERS[case.server]}: {framework}, {library}{variant}"


def _answers(outcomes: Iterable[Outcome]) -> Iterator[str]:
    yield "| server, application | asked | median | 95 of 100 | 99 of 100 | worst | late | answers |"
    yield "|---|---|--:|--:|--:|--:|--:|---|"
    for outcome in outcomes:
        empty = outcome.case.empty
        rows = {
            "empty, calm": times(outcome.calm, empty),
            "live, calm": times(outcome.calm, LIVE),
            "empty": times(outcome.answers, empty),
            "live": times(outcome.answers, LIVE),
            "ready": times(outcome.answers, READY),
        }
        name = label(outcome.case)
        for asked, found in rows.items():
            yield f"| {name} | {asked} | {_cells(found)} |"
            name = ""


def _cells(found: Times) -> str:
    figures = (found.median, found.p95, found.p99, found.worst)
    shown = ("–" if second >= PATIENCE else f"{second * 1000:,.1f}" for second in figures)
    return " | ".join((*shown, f"{found.late:,}", found.statuses))


def _costs(outcomes: Iterable[Outcome]) -> Iterator[str]:
    yield "| server, application | threads | connections | memory, MiB | event loop late, at worst |"
    yield "|---|--:|--:|--:|--:|"
    for outcome in outcomes:
        samples = outcome.samples
        quarter = next(s for s in samples if s.at >= outcome.seconds / 4)
        three = (quarter, samples[-1])
        lag = "" if outcome.lag is None else f"{outcome.lag * 1000:,.0f} ms"
        threads = [*(s.threads for s in three), max(s.threads for s in samples)]
        connections = [*(s.connections for s in three), max(s.connections for s in samples)]
        memory = [*(s.memory >> 20 for s in three), max(s.memory for s in samples) >> 20]
        cells = (_trio(threads), _trio(connections), _trio(memory), lag)
        yield f"| {label(outcome.case)} | {' | '.join(cells)} |"


def _trio(numbers: Sequence[int]) -> str:
    return " / ".join(f"{number:,}" for number in numbers)
