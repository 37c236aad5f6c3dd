"""What arrived at the dependency, as a picture in SVG."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from benchmarks.herd.dependency import DOWN, NORMAL

_COLOURS: Final = ("#0b7285", "#e8590c", "#9c36b5", "#c92a2a", "#868e96")
_LEFT, _TOP, _WIDTH, _HEIGHT = 60, 40, 620, 300


def drawn(arrived: Mapping[str, Sequence[int]]) -> str:
    """Return a picture of calls by second, one line for each way to call."""
    seconds = max(map(len, arrived.values()))
    most = max(max(counts) for counts in arrived.values())
    top = -(-most // 100) * 100
    return "\n".join(_lines(arrived, seconds, top)) + "\n"


def _lines(arrived: Mapping[str, Sequence[int]], seconds: int, top: int) -> Iterator[str]:
    height = _TOP + _HEIGHT + 60 + 18 * len(arrived)
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 {height}" '
        'font-family="sans-serif" font-size="12" role="img" '
        'aria-label="Calls that reached the dependency, by second">'
    )
    yield f'<rect width="720" height="{height}" fill="white"/>'

    def x(second: float) -> float:
        return round(_LEFT + second * _WIDTH / seconds, 1)

    def y(count: float) -> float:
        return round(_TOP + _HEIGHT - count * _HEIGHT / top, 1)

    down = x(DOWN[1]) - x(DOWN[0])
    yield f'<rect x="{x(DOWN[0])}" y="{_TOP}" width="{down}" height="{_HEIGHT}" fill="#f1f3f5"/>'
    yield f'<text x="{x(DOWN[0]) + 6}" y="{_TOP + 16}" fill="#495057">down</text>'
    yield f'<text x="{x(DOWN[1]) + 6}" y="{_TOP + 16}" fill="#495057">back, and slow</text>'
    for count in range(0, top + 1, 100):
        yield f'<line x1="{_LEFT}" x2="{_LEFT + _WIDTH}" y1="{y(count)}" y2="{y(count)}" stroke="#dee2e6"/>'
        yield f'<text x="{_LEFT - 8}" y="{y(count) + 4}" text-anchor="end">{count}</text>'
    yield (
        f'<line x1="{_LEFT}" x2="{_LEFT + _WIDTH}" y1="{y(NORMAL)}" y2="{y(NORMAL)}" stroke="#212529" '
        'stroke-dasharray="4 4"/>'
    )
    for second in range(0, seconds + 1, 4):
        yield f'<text x="{x(second)}" y="{_TOP + _HEIGHT + 18}" text-anchor="middle">{second} s</text>'
    yield f'<text x="{_LEFT}" y="{_TOP - 14}">calls per second that reached the dependency</text>'
    for place, (name, counts) in enumerate(arrived.items()):
        colour = _COLOURS[place % len(_COLOURS)]
        points = " ".join(f"{x(second + 0.5)},{y(count)}" for second, count in enumerate(counts))
        width = 3 if place == 0 else 1.8
        yield f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{width}"/>'
        below = _TOP + _HEIGHT + 44 + 18 * place
        yield f'<line x1="{_LEFT}" x2="{_LEFT + 30}" y1="{below}" y2="{below}" stroke="{colour}" stroke-width="{width}"/>'
        yield f'<text x="{_LEFT + 38}" y="{below + 4}">{name}</text>'
    yield "</svg>"
