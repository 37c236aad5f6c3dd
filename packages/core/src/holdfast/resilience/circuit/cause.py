"""What a circuit has to know of an error that counts."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias


class Cause(NamedTuple):
    """What made a call fail, as far as a circuit cares."""

    timed_out: bool = False
    asked: float = 0.0
    """Seconds for which the other side asked to be left alone; 0 when it did not."""


CauseOf: TypeAlias = Callable[[BaseException], Cause]


def cause_of(error: BaseException) -> Cause:
    """Return what an error says by itself: whether it is a `TimeoutError`, and its `retry_after`."""
    asked = getattr(error, "retry_after", None)
    seconds = float(asked) if isinstance(asked, int | float) and asked > 0 else 0.0
    return Cause(isinstance(error, TimeoutError), seconds)
