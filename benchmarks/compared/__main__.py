"""Tries every claim on every library that is installed, and writes or checks the page."""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.compared.page import COLUMNS, Seen, page

_ROOT = Path(__file__).parents[2]
PAGE = _ROOT / "docs" / "reference" / "compared.md"
_SECONDS = 120
_AT_ONCE = 3


def seen(names: Iterable[str]) -> Mapping[str, Seen]:
    """Try all claims, each library in a process of its own."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        wanted = list(names)
        return dict(zip(wanted, pool.map(_tried, wanted), strict=True))


def _tried(name: str) -> Seen:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.compared.try_one", name],
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
        cwd=_ROOT,
        env={**os.environ, "TZ": "UTC"},  # where it is another, aiobreaker's times are hours off
    )
    if done.returncode:
        raise RuntimeError(f"{name} could not be tried:\n{done.stderr}")
    found = json.loads(done.stdout.splitlines()[-1])
    failed = [claim for claim, (_, said) in found["found"].items() if "failed" in said]
    if failed:
        print(f"{name}: {failed}\n{done.stderr}", file=sys.stderr)
    answers = {claim: (holds, said) for claim, (holds, said) in found["found"].items()}
    return Seen(found["version"], answers)


def missing() -> list[str]:
    """Return the libraries that are not installed."""
    peers = {name: column.distribution for name, column in COLUMNS.items() if name != "holdfast"}
    return [name for name, distribution in peers.items() if not _is_installed(distribution)]


def _is_installed(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True


def main(given: list[str] | None = None) -> int:
    """Print, write or check the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compared", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the page")
    parser.add_argument("--check", action="store_true", help="fail if the page says something else")
    arguments = parser.parse_args(given)
    absent = missing()
    if absent:
        print(f"not installed: {', '.join(absent)}", file=sys.stderr)
        return 2
    text = page(seen(COLUMNS))
    if arguments.write:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    if not arguments.check:
        print(text)
        return 0
    differing = [line for line in text.splitlines() if line not in PAGE.read_text().splitlines()]
    print("\n".join(differing))
    return 1 if differing or len(text.splitlines()) != len(PAGE.read_text().splitlines()) else 0


if __name__ == "__main__":
    sys.exit(main())
