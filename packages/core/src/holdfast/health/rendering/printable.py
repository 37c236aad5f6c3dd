"""Text whose every character can be seen."""

import re
from typing import Final

_UNSEEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # controls: ends of lines, what a terminal obeys
    "\u200e\u200f\u202a-\u202e\u2066-\u2069"  # directions, which show a text in another order
    "\u2028\u2029\ufeff\ufdd0-\ufdef\ufffe\uffff"  # ends of lines, no characters
    "\ud800-\udfff]"  # halves of characters
)


def printable(text: str, spared: str = "") -> str:
    r"""Return a text with what cannot be seen in it written as Python does, so that it is one line.

    Args:
        text: Any text.
        spared: Characters that may stay as they are.

    Example:
        >>> printable("two\nlines")
        'two\\nlines'
    """
    return _UNSEEN.sub(lambda found: _written(found.group(), spared), text)


def _written(character: str, spared: str) -> str:
    return character if character in spared else character.encode("unicode_escape").decode()
