"""One stay of a circuit in one state; results that come after it concern nobody."""

import math
from collections.abc import Callable
from enum import StrEnum
from itertools import count
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from holdfast.resilience.circuit.rules import Tally
    from holdfast.resilience.circuit.trial import Trial

EVERY: Final = 64
"""Successes after which a closed circuit looks at the clock; a power of two."""

Refusal: TypeAlias = Callable[[str, float], Exception]
"""Makes the error of a call that is not made, from the reason and the seconds until it may be."""


class State(StrEnum):
    """What a circuit does with calls."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class Override(StrEnum):
    """What somebody decided in the place of the state; of this process alone, and never stored."""

    FORCED_OPEN = "forced-open"
    """Refuses every call."""
    DISABLED = "disabled"
    """Makes every call, whose results change nothing."""
    SHADOW = "shadow"
    """Makes every call, and counts those that it would have refused."""


class Period:
    """One stay in one state.

    A success in a closed circuit is one step of `succeeded`, which is atomic and needs no lock: a
    window is looked at when a call fails, and its successes are dated by `tick` now and then.

    Attributes:
        state: Which state.
        since: When it began, in monotonic seconds.
        until: When an open circuit lets a probe through, in monotonic seconds.
        succeeded: Counts a success; returns how many there were before.
        tick: Dates the successes so far; to be called after every 64th.
        timed: Whether callers measure how long calls take, and tell when they settle.
        slower_than: Seconds from which on a call is slow.
        window: Seconds that the rule looks back.
        rejected: Counts a refusal; atomic, returns how many there were before.
        refusal: Makes the error of a refusal, from its reason and the seconds that are left.
        took: Keeps how many seconds a call took; atomic.
        slow: Counts a success that was slow, by its seconds.
        tally: What the rule has counted; None unless closed.
        trial: Who may probe; None unless half-open.
    """

    __slots__ = (
        "_counter", "refusal", "rejected", "since", "slow", "slower_than", "state", "succeeded", "tally", "tick", "timed",
        "took", "trial", "until", "window",
    )  # fmt: skip

    def __init__(
        self,
        state: State,
        since: float,
        *,
        until: float = 0.0,
        tick: Callable[[], None] | None = None,
    ) -> None:
        self._counter = count()
        self.succeeded = self._counter.__next__
        self.tick = tick or _nothing
        self.state = state
        self.since = since
        self.until = until
        self.timed = False
        self.slower_than = self.window = math.inf
        self.took: Callable[[float], None] = _nothing
        self.rejected: Callable[[], int] = self.succeeded
        self.refusal: Refusal = _refusal
        self.slow: Callable[[float], None] = _nothing
        self.tally: Tally | None = None
        self.trial: Trial | None = None

    @property
    def successes(self) -> int:
        """How many calls succeeded; read without a step, which `repr` alone does on every Python."""
        return int(repr(self._counter)[6:-1])


def _nothing(*_: float) -> None:
    """Let it be."""


def _refusal(reason: str, seconds: float) -> Exception:
    return RuntimeError(f"{reason}, for {seconds} s")
