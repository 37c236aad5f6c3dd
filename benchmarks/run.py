"""Measure holdfast beside its peers, and print what was seen beside what was aimed at.

`python benchmarks/run.py` measures everything in about twenty minutes, with `--quick` in about two.
`--only flask capture` measures some tables, `--write` keeps what was seen.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import cast

from process import Effort, Subject, Worker, asked, imported, sampled
from protected import CALL_IMPORTS, CALLS
from report import (
    Table,
    as_markdown,
    as_text,
    import_table,
    latency_table,
    memory_table,
    timing_table,
)
from rows import IMPORTS, LATENCY, MEMORY, TIMINGS, Import, Load, Timing

from holdfast import __version__

_ROOT = Path(__file__).parents[1]
_FULL = Effort(generations=4, rounds=16, seconds=0.02, errors=100_000, requests=2000, imports=9)
_QUICK = Effort(generations=1, rounds=7, seconds=0.01, errors=20_000, requests=300, imports=3)
_LATENCY_ROUNDS = 5
_PEERS = (
    "Django",
    "djangorestframework",
    "drf-standardized-errors",
    "Flask",
    "Werkzeug",
    "sentry-sdk",
    "python-json-logger",
    *("pybreaker", "circuitbreaker", "aiobreaker", "purgatory", "interlock-cb", "redress"),
    *("tenacity", "stamina", "backoff", "cachetools", "dogpile.cache"),
)
_METHOD = """\
One process per subject; the subjects of a table are measured in rounds, one after another, each round
beginning with the next one. The cyclic collector is off during a sample, and a sample during which the
thread was kept from running for more than 8 % is taken anew, at most three times. *× base* is the least
time over the least time of the base, *of least* their difference, and targets are held against these,
because they repeat from run to run; *paired* is the median, with quartiles, of the differences within a
round. *Everything* delivers on the request's own thread, so that
nothing is left out; *as shipped* another thread writes the line, and only what the caller waits for
is counted. Statistics are always on; rules of alerts are where a line says so.
"""


def timings(timing: Timing, effort: Effort, show: Callable[[str], None]) -> tuple[Table, object]:
    """Measure one table of calls."""
    # By process, so that a call and its base are measured close to each other.
    ordered = sorted(timing.subjects(), key=lambda one: one.process)
    samples: dict[Subject, list[float]] = {one: [] for one in ordered}
    for number, taken in sampled(samples, effort):
        show(f"{timing.name}: round {number + 1} of {effort.samples}")
        for subject, seconds in taken.items():
            samples[subject].append(seconds)
    raw = {" ".join(subject): values for subject, values in samples.items()}
    return timing_table(timing, samples), raw


def imports(effort: Effort, show: Callable[[str], None]) -> tuple[Table, object]:
    """Measure imports, after one run of each that compiles the modules, unless that is all there is."""
    seen: dict[Import, list[tuple[float, float]]] = {one: [] for one in (*IMPORTS, *CALL_IMPORTS)}
    for number in range(effort.imports + 1):
        show(f"import: round {number} of {effort.imports}")
        for one, readings in seen.items():
            reading = imported(one.before, one.what)
            if number or not effort.imports:
                readings.append(reading)
    return import_table(seen), {one.label: readings for one, readings in seen.items()}


def memory(effort: Effort, show: Callable[[str], None]) -> tuple[Table, object]:
    """Watch processes grow, two at a time."""

    def watch(load: Load) -> dict[str, object]:
        return asked(load.subject, "growth", calls=max(100, int(effort.errors * load.share)))

    seen: dict[Load, dict[str, object]] = {}
    with ThreadPoolExecutor(2) as pool:
        for number, (load, found) in enumerate(zip(MEMORY, pool.map(watch, MEMORY), strict=True)):
            show(f"memory: case {number + 1} of {len(MEMORY)}")
            seen[load] = found
    return memory_table(seen), {load.label: found for load, found in seen.items()}


def latency(effort: Effort, show: Callable[[str], None]) -> tuple[Table, object]:
    """Time single requests beside reporters that are broken."""
    seen: dict[Load, list[dict[str, float]]] = {load: [] for load in LATENCY}
    with ExitStack() as stack:
        workers = {load: stack.enter_context(Worker(*load.subject.process)) for load in LATENCY}
        for number in range(_LATENCY_ROUNDS):
            show(f"latency: round {number + 1} of {_LATENCY_ROUNDS}")
            for load, worker in workers.items():
                found = worker.ask(load.subject.case, "latencies", calls=effort.requests)
                seen[load].append(cast("dict[str, float]", found))
    return latency_table(seen), {load.label: found for load, found in seen.items()}


def measurements() -> dict[str, Callable[[Effort, Callable[[str], None]], tuple[Table, object]]]:
    """Return everything that can be measured, by name."""
    found = {timing.name: _bound(timing) for timing in (*TIMINGS, *CALLS)}
    return {**found, "import": imports, "memory": memory, "latency": latency}


def _bound(timing: Timing) -> Callable[[Effort, Callable[[str], None]], tuple[Table, object]]:
    return lambda effort, show: timings(timing, effort, show)


def circumstances(effort: Effort) -> dict[str, object]:
    """Return what the figures depend on."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "machine": f"{platform.system()} {platform.machine()}",
        "cpus": os.cpu_count(),
        "samples": effort.samples,
        "versions": {"holdfast": __version__, **{name: version(name) for name in _PEERS}},
    }


def page(tables: Sequence[Table], about: dict[str, object]) -> str:
    """Return the page of the documentation."""
    versions = cast("dict[str, str]", about["versions"])
    said = ", ".join(f"{name} {number}" for name, number in versions.items())
    head = (
        "# Benchmarks\n\n"
        "Written by `nox -s bench -- --write`; not to be edited.\n\n"
        f"{about['date']}, {about['python']}, {about['machine']}, {about['cpus']} CPUs, "
        f"{about['samples']} samples of each call. {said}.\n"
    )
    return "\n".join([head, _METHOD, *map(as_markdown, tables)])


def _progress() -> Callable[[str], None]:
    if sys.stderr.isatty():
        return lambda text: print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
    last: list[str] = []

    def show(text: str) -> None:
        """Say each table once where nobody sees a line change."""
        name = text.partition(":")[0]
        if last != [name]:
            last[:] = [name]
            print(f"measuring {name} …", file=sys.stderr, flush=True)

    return show


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="about two minutes instead of twenty")
    parser.add_argument("--only", nargs="+", choices=list(measurements()), metavar="TABLE")
    parser.add_argument("--write", action="store_true", help="write the page and the figures")
    parser.add_argument("--json", type=Path, help="write the figures and every sample to this file")
    parser.add_argument("--rounds", type=int, help="samples of each call and process")
    parser.add_argument("--errors", type=int, help="errors handled to see memory grow")
    return parser.parse_args(given)


def _effort(arguments: argparse.Namespace) -> Effort:
    effort = _QUICK if arguments.quick else _FULL
    rounds, errors = arguments.rounds or effort.rounds, arguments.errors or effort.errors
    fewer = min(effort.imports, rounds - 1)
    return replace(effort, rounds=rounds, errors=errors, imports=fewer)


def _measure(names: Sequence[str], effort: Effort) -> Iterator[tuple[Table, object]]:
    show, wanted = _progress(), measurements()
    for name in names:
        table, raw = wanted[name](effort, show)
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr)
        print(as_text(table), flush=True)
        yield table, raw


def main(given: Sequence[str] | None = None) -> None:
    """Measure, print, and write what is asked for."""
    arguments = _arguments(given)
    effort = _effort(arguments)
    about = circumstances(effort)
    print(f"{about['date']}, {about['python']}, {about['cpus']} CPUs, {about['samples']} samples\n")
    found = list(_measure(arguments.only or list(measurements()), effort))
    tables = [table for table, _ in found]
    figures: dict[str, object] = {"about": about, "tables": [table.as_dict() for table in tables]}
    if arguments.write:
        (_ROOT / "docs").mkdir(exist_ok=True)
        (_ROOT / "docs" / "benchmarks.md").write_text(page(tables, about))
        _write(Path(__file__).with_name("figures.json"), figures)
    if arguments.json:
        _write(arguments.json, {**figures, "seen": {table.name: raw for table, raw in found}})


def _write(path: Path, figures: dict[str, object]) -> None:
    path.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
