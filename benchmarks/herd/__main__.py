"""Runs the herd, one process for each way to call, and looks at what arrived."""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from benchmarks.herd.dependency import DOWN, NORMAL
from benchmarks.herd.page import page
from benchmarks.herd.plot import drawn
from benchmarks.herd.ways import WAYS

_ROOT = Path(__file__).parents[2]
_FOLDER = _ROOT / "docs" / "explanation"
LABELS: Final = {
    "holdfast": "holdfast: a policy of retry and breaker",
    "tenacity": "tenacity: random exponential wait, five attempts",
    "pybreaker": "pybreaker: the decorator, one call at a time",
    "pybreaker-calling": "pybreaker: its with form, which takes no lock",
    "none": "no protection",
}
TOLERANCE: Final = 1.05
"""What threads that wake up late may put into one second."""
Counts = Mapping[str, Mapping[str, list[int]]]


def run() -> Counts:
    """Run all ways side by side; takes half a minute."""
    with ThreadPoolExecutor(len(WAYS)) as pool:
        return dict(zip(LABELS, pool.map(_ran, LABELS), strict=True))


def _ran(way: str) -> dict[str, list[int]]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.herd.threads", way],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        cwd=_ROOT,
    )
    found: dict[str, list[int]] = json.loads(done.stdout)
    return found


def complaints(counts: Mapping[str, list[int]]) -> list[str]:
    """Return what is not as it has to be, of the way that is ours."""
    back, arrived = int(DOWN[1]), counts["arrived"]
    found = [
        f"in second {second} the dependency was called {count} times, {NORMAL} are normal"
        for second, count in enumerate(arrived)
        if second >= DOWN[0] and count > NORMAL * TOLERANCE
    ]
    if sum(arrived[int(DOWN[0]) + 1 : back]) > NORMAL * (DOWN[1] - DOWN[0] - 1) / 10:
        found.append("while it was down, more than a tenth of the calls reached it")
    if min(counts["served"][-3:]) < NORMAL * 0.9:
        found.append("in the end it did not serve everybody")
    return found


def main(given: list[str] | None = None) -> int:
    """Run, print, and say whether ours kept to the normal rate."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.herd", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the page and its plot")
    arguments = parser.parse_args(given)
    found = run()
    for way, counts in found.items():
        print(f"{LABELS[way]}\n  arrived {counts['arrived']}\n  served  {counts['served']}")
    if arguments.write:
        arrived = {LABELS[way]: counts["arrived"] for way, counts in found.items()}
        (_FOLDER / "thundering-herd.svg").write_text(drawn(arrived), encoding="utf-8")
        (_FOLDER / "thundering-herd.md").write_text(page(found), encoding="utf-8")
    wrong = complaints(found["holdfast"])
    print("\n".join(wrong) or "ours: never above the normal rate")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
