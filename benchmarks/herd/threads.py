"""The herd on threads, in real time; one process for each way to call: `python -m benchmarks.herd.threads WAY`."""

import json
import logging
import sys
from contextlib import suppress
from threading import Thread
from time import monotonic, sleep

from benchmarks.herd.dependency import CALLERS, END, NORMAL, Dependency
from benchmarks.herd.ways import WAYS, Call
from holdfast import configure

_PERIOD = CALLERS / NORMAL
"""Seconds between two calls of one caller."""


def run(way: str) -> dict[str, list[int]]:
    """Let all callers call until the end; return what arrived and what was served, by second."""
    configure(reporters=())
    dependency, is_on = Dependency(), False

    def call() -> None:
        if is_on:
            sleep(dependency.take(max(0.0, monotonic() - began)))

    guarded = WAYS[way](call)
    guarded()  # what is loaded by the first call is loaded
    is_on, began = True, monotonic() + 0.5
    callers = [
        Thread(target=_caller, args=(guarded, began, began + number / NORMAL), daemon=True)
        for number in range(CALLERS)
    ]
    for one in callers:
        one.start()
    for one in callers:
        one.join(began + END + 5.0 - monotonic() if monotonic() < began + END + 5.0 else 0.0)
    seconds = range(int(END))
    return {
        "arrived": [dependency.arrived[second] for second in seconds],
        "served": [dependency.served[second] for second in seconds],
    }


def _caller(call: Call, began: float, at: float) -> None:
    """Call every two seconds, however long calls take; what is late is made at once."""
    while at < began + END:
        sleep(max(0.0, at - monotonic()))
        with suppress(Exception):
            call()
        at += _PERIOD


if __name__ == "__main__":
    logging.disable()
    print(json.dumps(run(sys.argv[1])))
