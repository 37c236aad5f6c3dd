"""A flood of errors: memory and queue stay bounded, every event is accounted for, the process ends when asked.

`HOLDFAST_TEST_FLOOD` says how many errors; the session `flood` raises a hundred thousand.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from holdfast.clock import SystemClock

ROOT = Path(__file__).parents[2]
ERRORS = int(os.environ.get("HOLDFAST_TEST_FLOOD", "5000"))
MOST_GROWTH = 5 * 2**20
MOST_SECONDS = 2.0
"""From being asked to the end."""
CLOCK = SystemClock()

pytestmark = [
    pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc"),
    pytest.mark.timeout(600),
]


@contextmanager
def flooded(reporter: str, end: str) -> Generator["subprocess.Popen[str]"]:
    """Start the flood in a process of its own, and let nothing of it stay."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [
            sys.executable,
            str(Path(__file__).with_name("flood_script.py")),
            str(ERRORS),
            reporter,
            end,
        ],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def line(stream: IO[str] | None) -> dict[str, float]:
    """Return the next line of facts."""
    assert stream is not None
    facts: dict[str, float] = json.loads(stream.readline())
    return facts


@pytest.mark.parametrize("reporter", ["quick", "slow"])
def test_a_flood_of_errors_stays_within_bounds(reporter: str) -> None:
    """Memory grows by less than 5 MB, the queue is as long as it may be, every event is counted."""
    with flooded(reporter, "exit") as process:
        measured = line(process.stdout)
        asked = CLOCK.monotonic()
        became = line(process.stdout)
        process.wait(30)
        took = CLOCK.monotonic() - asked
    print(json.dumps({"reporter": reporter, **measured, **became, "took": took}))  # noqa: T201  # figures, shown with -s

    assert measured["grown"] < MOST_GROWTH
    assert measured["longest"] <= 1000
    # What the reporter is busy with when its time is over is neither delivered nor given up.
    counted = became["delivered"] + became["failed"] + became["dropped"]
    assert measured["emitted"] - counted in ({0} if reporter == "quick" else {0, 1})
    assert took < MOST_SECONDS
    assert process.returncode == 0


def test_a_flooded_process_ends_when_it_is_told() -> None:
    """SIGTERM ends it soon although a reporter is far behind."""
    with flooded("slow", "signal") as process:
        line(process.stdout)
        asked = CLOCK.monotonic()
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        took = CLOCK.monotonic() - asked

    assert took < MOST_SECONDS
    assert process.returncode == -signal.SIGTERM
