"""Runs the cases one after the other, and says whether ours are as they have to be."""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from benchmarks.probes.case import CASES, LIVE, READY, Case, Outcome, run
from benchmarks.probes.figures import complaints, times
from benchmarks.probes.page import SERVERS, page
from benchmarks.probes.plot import drawn

_FOLDER = Path(__file__).parents[2] / "docs" / "explanation"
SECONDS: Final = 60.0
CALM: Final = 10.0


def main(given: list[str] | None = None) -> int:
    """Run, print, and return 1 when one of ours is not as it has to be."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.probes", description=__doc__)
    names = [case.name for case in CASES]
    parser.add_argument("cases", nargs="*", help=f"of {', '.join(names)}; default: all")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of the load")
    parser.add_argument("--write", action="store_true", help="write the page and its plot")
    arguments = parser.parse_args(given)
    if unknown := set(arguments.cases) - set(names):
        parser.error(f"no such cases: {', '.join(sorted(unknown))}")
    wanted = [case for case in CASES if not arguments.cases or case.name in arguments.cases]
    if arguments.write and wanted != list(CASES):
        parser.error("the page is written of all cases")
    outcomes, wrong = asyncio.run(_ran(wanted, arguments.seconds))
    if arguments.write:
        (_FOLDER / "probes.svg").write_text(_picture(outcomes), encoding="utf-8")
        (_FOLDER / "probes.md").write_text(page(outcomes), encoding="utf-8")
    print("\n".join(wrong) or "ours: as it has to be")
    return 1 if wrong else 0


async def _ran(cases: Sequence[Case], seconds: float) -> tuple[list[Outcome], list[str]]:
    outcomes: list[Outcome] = []
    wrong: list[str] = []
    with tempfile.TemporaryDirectory(prefix="holdfast-probes-") as folder:
        for case in cases:
            outcome = await run(case, seconds, CALM, Path(folder))
            outcomes.append(outcome)
            print("\n".join(_shown(outcome)), flush=True)
            if case.library == "holdfast":
                wrong += [f"{case.name}: {complaint}" for complaint in complaints(outcome)]
    return outcomes, wrong


def _shown(outcome: Outcome) -> Iterator[str]:
    yield outcome.case.name
    empty = outcome.case.empty
    rows = {
        "empty, calm": times(outcome.calm, empty),
        "empty": times(outcome.answers, empty),
        "live": times(outcome.answers, LIVE),
        "ready": times(outcome.answers, READY),
    }
    for name, found in rows.items():
        figures = (found.median, found.p95, found.p99, found.worst)
        shown = " ".join(f"{second * 1000:9.1f}" for second in figures)
        yield f"  {name:12} {shown} ms, late {found.late:4}, {found.statuses}"
    for name in ("threads", "connections", "descriptors", "memory"):
        taken = [int(getattr(sample, name)) for sample in outcome.samples]
        shown = ", ".join(f"{taken[len(taken) * part // 4]:,}" for part in range(4))
        yield f"  {name}: {shown}, {taken[-1]:,}; most {max(taken):,}"
    lag = (
        "" if outcome.lag is None else f", event loop late by {outcome.lag * 1000:.0f} ms at worst"
    )
    yield f"  workers replaced: {outcome.replaced}{lag}"


def _picture(outcomes: Sequence[Outcome]) -> str:
    def of(server: str, library: str) -> Outcome:
        wanted = Case(server, "django", library)
        return next(outcome for outcome in outcomes if outcome.case == wanted)

    rows = {
        title: [of(server, library) for library in ("holdfast", "dhc")]
        for server, title in SERVERS.items()
    }
    return drawn(rows, ["holdfast", "django-health-check alone"])


if __name__ == "__main__":
    sys.exit(main())
