"""A herd of callers does not run over a dependency that has just come back."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NORMAL = 100
DOWN, BACK = 4, 9
"""Seconds at which the dependency goes down, and comes back slow."""


@pytest.fixture(scope="module")
def herd() -> dict[str, dict[str, list[int]]]:
    """Return what arrived and what was served by second, in a time that goes by at once."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.herd.virtual"],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    found: dict[str, dict[str, list[int]]] = json.loads(done.stdout)
    return found


def test_the_load_never_exceeds_the_normal_rate(herd: dict[str, dict[str, list[int]]]) -> None:
    """No second sees more calls than when all is well, although callers retry."""
    assert max(herd["holdfast"]["arrived"]) <= NORMAL


def test_a_dependency_that_is_down_gets_probes_only(herd: dict[str, dict[str, list[int]]]) -> None:
    """The first failures open the circuit; then one call a second asks whether it is back."""
    assert herd["holdfast"]["arrived"][DOWN] <= 10
    assert max(herd["holdfast"]["arrived"][DOWN + 1 : BACK]) <= 1


def test_calls_come_back_step_by_step(herd: dict[str, dict[str, list[int]]]) -> None:
    """After the probes each second sees more calls than the one before, until all are made."""
    back = herd["holdfast"]["arrived"][BACK:]
    whole = next(second for second, count in enumerate(back) if count >= NORMAL)

    assert whole >= 3
    assert back[:whole] == sorted(back[:whole])
    assert min(back[whole:]) == NORMAL


def test_nothing_is_refused_by_the_dependency_once_it_is_back(
    herd: dict[str, dict[str, list[int]]],
) -> None:
    """What the ramp lets through is what a cold dependency can serve; without it most is not."""
    refused = {
        way: sum(counts["arrived"][BACK:]) - sum(counts["served"][BACK:])
        for way, counts in herd.items()
    }

    assert refused["holdfast"] <= 2
    assert refused["none"] > NORMAL
