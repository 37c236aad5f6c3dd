"""Raises many errors in ten threads, then ends: `python flood_script.py <errors> <reporter> <end>`.

Prints two lines of JSON: what it measured before it ends, and at its very end what became of every event.
"""

import atexit
import gc
import json
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable
from typing import cast

from holdfast import Event, Origin, Runtime, Settings, bind, work_context
from holdfast.clock import SystemClock
from holdfast.reporting.dispatcher import Reporter
from holdfast.settings import ReportingSettings

THREADS = 10
WARM_UP = 3000
QUEUE = 1000
clock = SystemClock()


class Quick:
    """Takes an event and forgets it."""

    name = "quick"

    def report(self, event: Event) -> None:
        """Look at the event as a reporter does."""
        json.dumps(dict(event.attributes))


class Slow:
    """Takes its time, as one whose network is away."""

    name = "slow"

    def report(self, event: Event) -> None:
        """Wait, and fail now and then."""
        threading.Event().wait(0.02)
        if int(cast("str", event.attributes["operation"])[-1]) % 3 == 0:
            raise OSError("no route to host")


REPORTERS: dict[str, Callable[[], Reporter]] = {"quick": Quick, "slow": Slow}


def deeper(levels: int, number: int) -> None:
    """Raise from some depth, with a message of its own each time."""
    if levels:
        deeper(levels - 1, number)
    kinds: tuple[type[Exception], ...] = (LookupError, ValueError, OSError, RuntimeError)
    raise kinds[number % len(kinds)](f"order {number} of customer {number * 7919} " + "x" * 200)


class Flood:
    """Handles errors in threads, and watches how long the queue gets."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.longest = 0

    def one(self, number: int) -> None:
        """Raise and handle one error, in a piece of work of its own."""
        with work_context(), bind(order=number):
            try:
                deeper(number % 20, number)
            except (LookupError, ValueError, OSError, RuntimeError) as error:
                self.runtime.handle(error, Origin(boundary="job", operation=f"step-{number % 50}"))

    def run(self, count: int) -> None:
        """Raise and handle errors in all threads."""
        share = count // THREADS
        threads = [
            threading.Thread(target=self._share, args=(index * share, share))
            for index in range(THREADS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _share(self, first: int, count: int) -> None:
        for number in range(first, first + count):
            self.one(number)
            if not number % 50:
                waiting = self.runtime.dispatcher.deliveries()[0].waiting
                self.longest = max(self.longest, waiting)


def resident() -> int:
    """Return the bytes of memory that this process holds."""
    gc.collect()
    with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123  # no file to speak of
        return int(statm.read().split()[1]) * resource.getpagesize()


def say(**facts: object) -> None:
    """Write one line."""
    os.write(1, json.dumps(facts).encode() + b"\n")


def at_the_end(runtime: Runtime) -> Callable[[], None]:
    """Return what tells of every event, after the reporters are closed."""

    def tell() -> None:
        (delivery,) = runtime.dispatcher.deliveries()
        say(**delivery.outcomes(), waiting=delivery.waiting)

    return tell


def main(count: int, reporter: str, end: str) -> None:
    """Warm up, measure, and end as told."""
    runtime = Runtime(
        Settings(reporters=(), reporting=ReportingSettings(queue_size=QUEUE)),
        reporters=[REPORTERS[reporter]()],
    )
    atexit.register(at_the_end(runtime))
    runtime.install()
    flood = Flood(runtime)
    flood.run(WARM_UP)
    before, since = resident(), clock.monotonic()
    flood.run(count)
    seconds = clock.monotonic() - since
    grown = resident() - before
    say(
        grown=grown,
        resident=before,
        longest=flood.longest,
        seconds=seconds,
        emitted=WARM_UP + count,
    )
    if end == "signal":
        signal.pause()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
