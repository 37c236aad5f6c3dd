"""How long to wait before the next attempt."""

import math
import random
from typing import Final

_MAX_DOUBLINGS: Final = 64
"""More would be too large for a float, in the end."""


def full_jitter(
    retries: int, *, base: float, ceiling: float = math.inf, chance: random.Random
) -> float:
    """Return the seconds to wait by exponential backoff with full jitter.

    Anything from nothing to `base` before the first retry, then to twice, four times, eight times as
    much: those who failed together do not come back together.

    Args:
        retries: How often was tried again before; less than none counts as none.
        base: Seconds.
        ceiling: Seconds that the backoff does not exceed.
        chance: Draws the jitter.

    Example:
        >>> full_jitter(2, base=1.0, ceiling=60.0, chance=random.Random(7))
        1.295...
    """
    widest: float = base * 2.0 ** min(max(retries, 0), _MAX_DOUBLINGS)
    return chance.random() * min(ceiling, widest)
