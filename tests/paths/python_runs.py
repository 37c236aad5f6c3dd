"""Runs scenarios of plain Python processes, each once, with and without hooks."""

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.paths.filing import VARIABLE, events, filed

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ran:
    """What became of one process."""

    status: int
    """As `subprocess` says it: negative for a signal."""
    output: str
    errors: str
    records: tuple[dict[str, object], ...]
    """Of the process and its children."""
    events: tuple[dict[str, object], ...]


@cache
def ran(key: str, *, hooked: bool = True) -> Ran:
    """Run a scenario in a process of its own, the first time it is asked for."""
    with tempfile.TemporaryDirectory(prefix="holdfast-") as folder:
        return run(key, Path(folder), hooked=hooked)


def run(key: str, folder: Path, *, hooked: bool = True) -> Ran:
    """Run a scenario in a process of its own, with its files in a folder."""
    path = folder / "records.jsonl"
    told = {
        VARIABLE: str(path),
        "HOLDFAST_TEST_HOOKS": "1" if hooked else "0",
        "HOLDFAST_TEST_FAULTS": str(folder / "faults"),
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "PYTHONFAULTHANDLER": "",
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.paths.python_script", key],
        env={**os.environ, **told},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr, tuple(filed(path)), tuple(events(path)))
