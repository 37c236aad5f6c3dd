"""The page that compares says what the libraries do that are installed."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIBRARIES = (
    *("aiobreaker", "backoff", "cachetools", "circuitbreaker", "dogpile.cache", "interlock"),
    *("pybreaker", "purgatory", "redis", "redress", "stamina", "tenacity"),
)


@pytest.mark.extra(*LIBRARIES)
@pytest.mark.timeout(240)
def test_each_claim_of_the_comparison_is_what_happens() -> None:
    """Every claim is tried on every library, and the page holds what came of it."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.compared", "--check"],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )

    assert done.returncode == 0, done.stdout + done.stderr
