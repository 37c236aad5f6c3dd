"""Figures as tables: for the terminal, for the page, and as JSON."""

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from process import Subject
from rows import IMPORT_TARGETS, Import, Line, Load, Target, Timing

Samples = Mapping[Subject, Sequence[float]]

_MICRO = 1e6
_MEBI = 2**20


@dataclass(frozen=True, slots=True)
class Table:
    """One table, ready to be shown."""

    name: str
    title: str
    note: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    """The first cell of each says what it is of."""

    def as_dict(self) -> dict[str, object]:
        """Return the table for JSON."""
        return asdict(self)


def timing_table(timing: Timing, samples: Samples) -> Table:
    """Compare each call with its base: by least times, and by pairs of the same round."""
    scale, note = 1.0, timing.note
    columns = ["least µs", "× base", "added µs, of least", "added µs, paired (quartiles)"]
    columns += ["target", "seen"]
    if timing.reference is not None:
        call, there = timing.reference
        here = min(samples[call]) * _MICRO
        scale = there / here
        note += (
            f" Targets in µs are from a machine on which plain {timing.title.split()[0]} answers 200 in"
            f" {there:g} µs; here it takes {here:.1f}. *Scaled* is as if it took {there:g}."
        )
        columns.append("scaled")
    rows = tuple(tuple(_timing_cells(line, samples, scale)) for line in timing.lines)
    width = len(columns) + 1
    return Table(
        timing.name, timing.title, note, ("call", *columns), tuple(row[:width] for row in rows)
    )


def _timing_cells(line: Line, samples: Samples, scale: float) -> Iterator[str]:
    if line.why:
        yield from (line.label, line.why, *[""] * 6)
        return
    times, base = samples[line.subject], samples[line.base]
    least, ratio = min(times) * _MICRO, min(times) / min(base)
    added = [(one - other) * _MICRO for one, other in zip(times, base, strict=True)]
    middle = statistics.median(added)
    low, _, high = statistics.quantiles(added, n=4) if len(added) > 1 else (middle,) * 3
    yield line.label
    yield _number(least)
    yield f"{ratio:.2f}" if ratio < 100 else f"{ratio:,.0f}"
    same = line.base == line.subject
    yield "" if same else _signed(least - min(base) * _MICRO)
    yield "" if same else f"{_signed(middle)} ({_signed(low)} to {_signed(high)})"
    yield from _judged(line.target, ratio, least - min(base) * _MICRO, scale)


def _judged(target: Target | None, ratio: float, added: float, scale: float) -> Iterator[str]:
    if target is None:
        yield from ("", "", "")
    elif target.unit == "share":
        yield from (str(target), "met" if 1 / ratio >= target.limit else "not met", "")
    elif target.unit == "×":
        yield from (str(target), _verdict(ratio, target), "")
    else:
        yield str(target)
        yield _verdict(added, target)
        yield f"{_signed(added * scale)}, {_verdict(added * scale, target)}"


def _verdict(seen: float, target: Target) -> str:
    return "met" if seen <= target.limit else "not met"


def import_table(seen: Mapping[Import, Sequence[tuple[float, float]]]) -> Table:
    """Show least times and middle sizes of imports."""
    milliseconds, size = IMPORT_TARGETS
    rows: list[tuple[str, ...]] = []
    for one, readings in seen.items():
        took = min(seconds for seconds, _ in readings) * 1e3
        grew = statistics.median(grown for _, grown in readings) / _MEBI
        verdicts = (
            f"{milliseconds}, {size}",
            f"{_verdict(took, milliseconds)}, {_verdict(grew, size)}",
        )
        rows.append(
            (one.label, f"{took:.1f}", f"{grew:.2f}", *(verdicts if one.ours else ("", "")))
        )
    return Table(
        "import",
        "Import on top of a loaded framework",
        "A fresh interpreter each, modules compiled before; least time, middle of the growth of "
        "resident memory.",
        ("import", "least ms", "MiB", "target", "seen"),
        tuple(rows),
    )


def memory_table(seen: Mapping[Load, Mapping[str, object]]) -> Table:
    """Show how far processes grew over many errors, and whether they went on growing."""
    rows: list[tuple[str, ...]] = []
    for one, found in seen.items():
        calls, curve = found["calls"], found["curve"]
        assert isinstance(calls, int)
        assert isinstance(curve, list)
        steps: list[float] = [step / _MEBI for step in curve]
        later = steps[-1] - steps[len(steps) // 2 - 1]
        per_error = steps[-1] * _MEBI / max(1, calls)
        shown = (f"{steps[-1]:.2f}", f"{later:.2f}", f"{per_error:.0f}")
        rows.append((one.label, f"{calls:,}", *shown))
    return Table(
        "memory",
        "Memory over many handled errors",
        "Growth of resident memory after a fiftieth of the errors; *second half* says whether it "
        "goes on.",
        ("case", "errors", "MiB", "of it in the second half", "bytes per error"),
        tuple(rows),
    )


def latency_table(seen: Mapping[Load, Sequence[Mapping[str, float]]]) -> Table:
    """Show quantiles of single requests: the middle of the rounds."""
    names = "min", "median", "p99", "max"
    rows = tuple(
        (
            one.label,
            *(_number(statistics.median(f[name] for f in found) * _MICRO) for name in names),
        )
        for one, found in seen.items()
    )
    return Table(
        "latency",
        "Latency with a reporter that is broken",
        "Single requests in µs, answered as fast as they can be; the log reporter works on a thread "
        "of its own meanwhile. Middle of the rounds.",
        ("case", *names),
        rows,
    )


def _number(value: float) -> str:
    return f"{value:,.2f}" if value < 100 else f"{value:,.0f}"


def _signed(value: float) -> str:
    return f"{value:+,.1f}" if abs(value) < 100 else f"{value:+,.0f}"


def as_text(table: Table) -> str:
    """Return a table for the terminal."""
    plain = [[cell.replace("**", "").replace("`", "") for cell in row] for row in _lines(table)]
    widths = [max(map(len, column)) for column in zip(*plain, strict=True)]
    shown = [
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in plain
    ]
    return "\n".join([table.title, *shown[:1], "-" * len(shown[0]), *shown[1:], ""])


def as_markdown(table: Table) -> str:
    """Return a table for the page."""
    head, *rows = ["| " + " | ".join(row) + " |" for row in _lines(table)]
    rule = "|---|" + "--:|" * (len(table.columns) - 1)
    return "\n".join([f"## {table.title}", "", table.note, "", head, rule, *rows, ""])


def _lines(table: Table) -> Iterable[tuple[str, ...]]:
    return table.columns, *table.rows
