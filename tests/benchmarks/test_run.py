"""The benchmarks run: what they print has its shape. What they measure is nobody's test."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
LIBRARIES = (
    "django",
    "rest_framework",
    "drf_standardized_errors",
    "flask",
    "sentry_sdk",
    "pythonjsonlogger",
    "psutil",
    *("aiobreaker", "backoff", "cachetools", "circuitbreaker", "dogpile.cache", "interlock"),
    *("pybreaker", "purgatory", "redress", "stamina", "tenacity"),
)
CALLS = [
    *("closed", "closed-async", "block", "open", "threads", "retry", "two-failures", "policy"),
    "cache",
]
"""Tables of protected calls."""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """Return what a run of one small round prints, and the figures it writes."""
    figures = tmp_path_factory.mktemp("benchmarks") / "figures.json"
    options = ["--quick", "--rounds", "1", "--errors", "100", "--json", str(figures)]
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks/run.py"), *options],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(figures.read_text())


pytestmark = [pytest.mark.extra(*LIBRARIES), pytest.mark.timeout(600)]


def test_every_table_is_printed_and_whole(seen: tuple[str, dict[str, Any]]) -> None:
    """Each table has a title that is printed, and as many cells in each row as columns."""
    printed, figures = seen
    names = [table["name"] for table in figures["tables"]]

    timings = ["capture", "stages", "django", "drf", "flask", *CALLS]
    assert names == [*timings, "import", "memory", "latency"]
    for table in figures["tables"]:
        assert table["title"] in printed
        assert {len(row) for row in table["rows"]} == {len(table["columns"])}


def test_ours_and_each_peer_have_figures(seen: tuple[str, dict[str, Any]]) -> None:
    """Every row that compares has a time, in every table of timings."""
    _, figures = seen
    for table in figures["tables"][:14]:
        assert all(row[1] for row in table["rows"])
    for table in (table for table in figures["tables"][:14] if table["name"] != "stages"):
        assert any("holdfast" in row[0] for row in table["rows"])
        assert any("holdfast" not in row[0] for row in table["rows"])


def test_every_target_is_judged(seen: tuple[str, dict[str, Any]]) -> None:
    """Where there is a target, the next cell says whether it is met."""
    _, figures = seen
    judged = 0
    for table in figures["tables"]:
        if "target" in table["columns"]:
            place = table["columns"].index("target")
            for row in table["rows"]:
                assert bool(row[place]) == ("met" in row[place + 1])
                judged += bool(row[place])
    assert judged >= 30


def test_who_cannot_be_measured_is_told_why(seen: tuple[str, dict[str, Any]]) -> None:
    """A peer that has nothing for a row stands in it with the reason, and without figures."""
    _, figures = seen
    (table,) = (table for table in figures["tables"] if table["name"] == "closed-async")
    (row,) = (row for row in table["rows"] if "pybreaker" in row[0])

    assert row[1] == "books every coroutine as a success"
    assert not any(row[2:])


def test_the_figures_say_where_they_are_from(seen: tuple[str, dict[str, Any]]) -> None:
    """Date, Python, processors and versions of the peers stand beside the figures."""
    about = seen[1]["about"]

    assert about["date"]
    assert about["python"].endswith(sys.version.split()[0])
    assert about["cpus"]
    assert {"Django", "Flask", "sentry-sdk", "holdfast"} <= set(about["versions"])
