"""Puts all claims to one library, in a process of its own.

`python -m benchmarks.compared.try_one NAME` prints, as JSON, what came of each claim; no library is
held up, or has its time told, by what is done for another.
"""

import importlib
import json
import logging
import os
import sys
import traceback
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from benchmarks.compared import breakers, caches, retries
from benchmarks.compared.answer import Answer, UnableError

KINDS: dict[str, tuple[tuple[str, Callable[[Any], Answer]], ...]] = {
    "LIBRARY": breakers.CLAIMS,
    "RETRIES": retries.CLAIMS,
    "CACHES": caches.CLAIMS,
}
"""The claims, by the name of what a module of `libraries` has to put them to."""
FAILED = "failed to be tried"


def tried(claim: Callable[[Any], Answer], library: object) -> Answer:
    """Return what came of one claim."""
    try:
        return claim(library)
    except UnableError as unable:
        return Answer(holds=False, said=str(unable))
    except Exception:
        traceback.print_exc()
        return Answer(None, FAILED)


def main(name: str) -> None:
    """Print the version and what came of each claim as JSON."""
    logging.disable()
    module = importlib.import_module(f"benchmarks.compared.libraries.{name}")
    found: dict[str, tuple[bool | None, str]] = {}
    for kind, claims in KINDS.items():
        library = getattr(module, kind, None)
        for said, claim in claims if library else ():
            answer = tried(claim, library)
            found[said] = answer.holds, answer.said
    number = "" if name == "holdfast" else version(module.DISTRIBUTION)
    print(json.dumps({"version": number, "found": found}), flush=True)
    os._exit(0)  # a thread that a library holds up for ever must not hold up the end


if __name__ == "__main__":
    main(sys.argv[1])
