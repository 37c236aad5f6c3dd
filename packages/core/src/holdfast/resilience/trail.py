"""What happened on the way of a call that was tried more than once, told by notes on its last error."""

from contextlib import suppress
from typing import Final, TypeAlias

MAX_TOLD: Final = 8
"""Attempts that one error tells of: the first and those before the last."""

_PREFIX: Final = "holdfast: "


Failed: TypeAlias = tuple[float | None, str, float]
"""An attempt that was followed by another: its seconds, None when nobody measured them; the name of
its error's class, empty when its result was not wanted; the seconds waited after it."""


def note(error: BaseException, trail: list[Failed], of: int, took: float | None) -> None:
    """Tell on a call's last error of the attempts before it; what notes we left there before goes.

    Args:
        error: Comes out, as it is.
        trail: The attempts before, at least one.
        of: Attempts that were allowed.
        took: Seconds of the last attempt.
    """
    last = f"attempt {len(trail) + 1} of {of} failed{_after(took)}: {type(error).__name__}"
    told = [_sentence(number, each, of) for number, each in enumerate(trail, 1)]
    skipped = len(told) - MAX_TOLD
    if skipped > 0:
        told[1 : 1 + skipped] = [f"{skipped} further attempts failed"]
    with suppress(Exception):  # a class may do anything with its attributes
        others = [each for each in getattr(error, "__notes__", ()) if not _is_ours(each)]
        error.__notes__ = [*others, *(f"{_PREFIX}{each}" for each in (*told, last))]


def _sentence(number: int, failed: Failed, of: int) -> str:
    took, what, waited = failed
    result = what or "its result was not wanted"
    return f"attempt {number} of {of} failed{_after(took)}: {result}; waited {waited:.3g} s"


def _after(took: float | None) -> str:
    return "" if took is None else f" after {took:.3f} s"


def _is_ours(told: object) -> bool:
    return isinstance(told, str) and told.startswith(_PREFIX)
