"""The worst answer of each second, as a picture in SVG: one panel for each server and library."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from benchmarks.probes.case import LIVE, PLAN, READY, Outcome
from benchmarks.probes.load import PATIENCE, Answered
from benchmarks.probes.proxy import Link

_COLOURS: Final = {"an empty view": "#868e96", READY: "#e8590c", LIVE: "#0b7285"}
_WIDTH, _HEIGHT = 340, 150
_LEFT, _TOP, _GAP = 56, 84, 44
_LEAST, _MOST = 0.001, PATIENCE
_MARKS: Final = {0.001: "1 ms", 0.01: "10 ms", 0.1: "100 ms", 1.0: "1 s", PATIENCE: "10 s"}
_SHADES: Final = {Link.STALLED: ("#f1f3f5", "stalled"), Link.REFUSED: ("#fff3bf", "refused")}


def drawn(rows: Mapping[str, Sequence[Outcome]], heads: Sequence[str]) -> str:
    """Return the picture.

    Args:
        rows: Outcomes side by side, by the name of their server.
        heads: What stands over the columns.
    """
    return "\n".join(_lines(rows, heads)) + "\n"


def _lines(rows: Mapping[str, Sequence[Outcome]], heads: Sequence[str]) -> Iterator[str]:
    wide = _LEFT + len(heads) * (_WIDTH + _GAP)
    high = _TOP + len(rows) * (_HEIGHT + _GAP)
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" '
        'font-family="sans-serif" font-size="12" role="img" '
        'aria-label="Time to answer of probes, the worst of each second">'
    )
    yield f'<rect width="{wide}" height="{high}" fill="white"/>'
    for place, (name, colour) in enumerate(_COLOURS.items()):
        x = _LEFT + 130 * place
        yield f'<line x1="{x}" x2="{x + 24}" y1="20" y2="20" stroke="{colour}" stroke-width="3"/>'
        yield f'<text x="{x + 30}" y="24">{name}</text>'
    for column, head in enumerate(heads):
        yield f'<text x="{_LEFT + column * (_WIDTH + _GAP)}" y="52" font-weight="bold">{head}</text>'
    for row, (server, outcomes) in enumerate(rows.items()):
        for column, outcome in enumerate(outcomes):
            x, y = _LEFT + column * (_WIDTH + _GAP), _TOP + row * (_HEIGHT + _GAP)
            yield f'<g transform="translate({x},{y})">'
            yield f'<text y="-8" fill="#495057">{server}</text>'
            yield from _panel(outcome)
            yield "</g>"
    yield "</svg>"


def _panel(outcome: Outcome) -> Iterator[str]:
    for (share, link), (end, _) in zip(PLAN, [*PLAN[1:], (1.0, Link.UP)], strict=True):
        if link in _SHADES:
            shade, name = _SHADES[link]
            x = round(share * _WIDTH, 1)
            yield f'<rect x="{x}" width="{(end - share) * _WIDTH:.1f}" height="{_HEIGHT}" fill="{shade}"/>'
            yield f'<text x="{x + 4}" y="14" fill="#868e96" font-size="10">database {name}</text>'
    for seconds, mark in _MARKS.items():
        y = _y(seconds)
        yield f'<line x2="{_WIDTH}" y1="{y}" y2="{y}" stroke="#dee2e6"/>'
        yield f'<text x="-6" y="{y + 4}" text-anchor="end" font-size="10">{mark}</text>'
    for second in range(0, round(outcome.seconds) + 1, max(1, round(outcome.seconds / 6))):
        x = round(second * _WIDTH / outcome.seconds, 1)
        yield f'<text x="{x}" y="{_HEIGHT + 14}" text-anchor="middle" font-size="10">{second} s</text>'
    for name, colour in _COLOURS.items():
        path = name if name.startswith("/") else outcome.case.empty
        worst = _worst(outcome.answers, path)
        points = " ".join(
            f"{(second + 0.5) * _WIDTH / outcome.seconds:.1f},{_y(seconds)}"
            for second, seconds in worst.items()
        )
        yield f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.6"/>'


def _worst(answers: Sequence[Answered], path: str) -> dict[int, float]:
    """Return the worst answer to what was sent in each second."""
    worst: dict[int, float] = {}
    for answer in answers:
        if answer.path == path:
            second = int(answer.begun)
            worst[second] = max(worst.get(second, 0.0), answer.seconds)
    return dict(sorted(worst.items()))


def _y(seconds: float) -> float:
    share = math.log(max(_LEAST, min(_MOST, seconds)) / _LEAST) / math.log(_MOST / _LEAST)
    return round(_HEIGHT * (1 - share), 1)
