"""What every rule about text works with: late compilation, and replacing what a rule points at."""

import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Final, TypeAlias

__all__ = ["HIDDEN", "Span", "compiled", "one_of", "replace_spans", "settled"]

HIDDEN: Final = "\ufdd0"
"""Stands for the mask while rules run: no letter, no space, no bracket, so no rule trips over it.

Unicode reserves this character for use inside one process; it cannot be part of a real text.
"""

Span: TypeAlias = tuple[int, int, str]
"""Start and end of a secret, and what takes its place."""


@cache
def compiled(source: str, flags: int = 0) -> re.Pattern[str]:
    """Return a pattern of this package, compiled when the first text needs it."""
    return re.compile(source, flags)


def one_of(words: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern that finds any of some words, written as a tree of their letters.

    A plain alternation is tried word by word at each letter, which takes four times as long.
    """
    return re.compile(_tree(words))


def _tree(words: Iterable[str]) -> str:
    endings: dict[str, list[str]] = {}
    for word in words:
        if not word:
            return ""
        endings.setdefault(word[0], []).append(word[1:])
    branches = [re.escape(first) + _tree(rest) for first, rest in sorted(endings.items())]
    return branches[0] if len(branches) == 1 else f"(?:{'|'.join(branches)})"


def replace_spans(
    text: str, head: re.Pattern[str], judge: Callable[[re.Match[str]], Span | None]
) -> str:
    """Replace what `judge` finds at the matches of `head`.

    The search goes on after a secret, or one character later where there was none, so `head` has
    to be anchored: no two of its matches may share more than a bounded piece of text.
    """
    parts: list[str] = []
    done = position = 0
    while (match := head.search(text, position)) is not None:
        span = judge(match)
        if span is None:
            position = match.start() + 1
            continue
        start, position, replacement = span
        parts += text[done:start], replacement
        done = position
    if not parts:
        return text
    return "".join((*parts, text[done:]))


def settled(text: str, step: Callable[[str], str], most: int) -> str:
    """Apply a step until it changes nothing more, at most so many times."""
    after = step(text)
    return after if after == text or most <= 1 else settled(after, step, most - 1)
