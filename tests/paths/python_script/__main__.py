"""Runs one scenario: `python -m tests.paths.python_script <key>`, with hooks unless told otherwise."""

import os
import sys

from holdfast import init_error_system
from tests.paths.python_script import children, loops, main_thread, threads
from tests.paths.python_script.kinds import SCENARIOS

MODULES = children, loops, main_thread, threads
"""Loaded for the scenarios they register."""
HOOKED = os.environ.get("HOLDFAST_TEST_HOOKS", "1") != "0"
FAULTS = os.environ.get("HOLDFAST_TEST_FAULTS", "")
"""Folder for fault logs."""


def main(key: str) -> None:
    """Raise the error of one row."""
    chosen = SCENARIOS[key]
    if chosen.early:
        chosen.run()
    if HOOKED:
        chatty = ["tests.paths.python_script.kinds:chatty"] if key == "pipeline-logs" else []
        init_error_system(
            service="script",
            reporters=["tests.paths.filing:reporter"],
            middleware=chatty,
            hooks={"faults": FAULTS},
        )
    chosen.run()


if __name__ == "__main__":
    main(sys.argv[1])
