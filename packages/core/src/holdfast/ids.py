"""Random ids, drawn many at a time: to ask the system for each would be most of what one costs.

The ids drawn ahead are global state; a forked child draws its own.
"""

import os

_AT_ONCE = 256
"""Ids drawn with one call of the system."""
_DIGITS = 16

_drawn: list[str] = []


def short_id() -> str:
    """Return 16 random hexadecimal digits; safe for threads and signal handlers."""
    try:
        return _drawn.pop()
    except IndexError:
        text = os.urandom(_AT_ONCE * _DIGITS // 2).hex()
        first, *rest = (text[at : at + _DIGITS] for at in range(0, len(text), _DIGITS))
        _drawn.extend(rest)
        return first


def long_id() -> str:
    """Return 32 random hexadecimal digits; safe for threads and signal handlers."""
    return short_id() + short_id()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_drawn.clear)
