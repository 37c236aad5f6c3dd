"""The process of one subject: builds its cases, then measures what it is asked for.

Usage: worker.py MODULE FLAVOUR; one request per line on standard input, one answer per line back,
both JSON.
"""

import gc
import importlib
import json
import os
import sys
from typing import cast

from case import Cases, growth, latencies, sample, warm


def answer(cases: Cases, asked: dict[str, object], warmed: set[str]) -> object:
    """Measure what one request asks for; what was never asked for is made warm first."""
    name = cast("str", asked["case"])
    case = cases[name]
    if name not in warmed:
        warmed.add(name)
        warm(case)
        gc.collect()
        gc.freeze()
    if asked["what"] == "sample":
        return sample(case, cast("float", asked["seconds"]))
    if asked["what"] == "latencies":
        return latencies(case, cast("int", asked["calls"]))
    return growth(case, cast("int", asked["calls"]))


def main(module: str, flavour: str) -> None:
    """Serve until standard input ends."""
    # What a subject prints must not get between the answers.
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    cases: Cases = importlib.import_module(f"subjects.{module}").cases(flavour)
    warmed: set[str] = set()
    print(json.dumps(list(cases)), file=channel, flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(cases, json.loads(line), warmed)), file=channel, flush=True)
    os._exit(0)  # a reporter that hangs, or a peer that flushes, must not hold up the end


if __name__ == "__main__":
    main(*sys.argv[1:])
