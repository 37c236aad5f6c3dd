"""How a half-open circuit comes back: one probe at a time, then a growing share of the calls."""

import math

from holdfast.resilience.circuit.terms import Terms

TOLERATED = 0.1
"""Share of the calls of a ramp that may fail before the circuit opens again."""


class Trial:
    """Who may probe in one half-open period; called under the circuit's lock.

    A probe holds its place for `probe_timeout` seconds; then another call may take it, so that a
    probe that never ends stops nobody. A share of the ramp lasts until its time is over and a call
    within it has succeeded; without a success it begins anew.

    Args:
        terms: What the circuit goes by.
        usual: Calls per second before it opened; 0 when nobody knows.
    """

    __slots__ = (
        "_admitted", "_arrived", "_failed", "_holder", "_is_good", "_lease", "_next", "_row", "_settled",
        "_since", "_steps", "_terms", "_turned_away", "_usual", "share",
    )  # fmt: skip

    def __init__(self, terms: Terms, usual: float) -> None:
        self._terms = terms
        self._usual = usual
        self._row = 0
        self._holder = 0
        self._lease = -math.inf
        self._turned_away = False
        self._steps = self._next = 0
        self._since = 0.0
        self._arrived = self._admitted = self._settled = self._failed = 0
        self._is_good = False
        self.share = 0.0
        """Of the calls that the ramp lets through; 0 while there are probes."""

    def admit(self, now: float) -> int:
        """Return the place of a call, or 0 when it must not be made."""
        if self.share:
            return self._on_ramp(now)
        if now < self._lease:
            self._turned_away = True
            return 0
        self._holder += 1
        self._lease = now + self._terms.probe_timeout
        return self._holder

    def wait(self, now: float) -> float:
        """Return the seconds after which a call may be let through at the latest."""
        end = self._since + self._terms.ramp_step if self.share else self._lease
        return max(0.0, end - now)

    def succeeded(self, now: float, place: int) -> bool:
        """Count a success; tell whether the circuit closes."""
        if self.share:
            self._settled += 1
            self._is_good = True
            return self.is_over(now)
        self._free(place)
        self._row += 1
        if self._row < self._terms.success_threshold:
            return False
        if not (self._turned_away and self._terms.ramp):
            return True
        self._step(now)
        return False

    def failed(self) -> str:
        """Count a failure; return why the circuit opens again, or an empty text."""
        if not self.share:
            return "a probe failed"
        self._settled += 1
        self._failed += 1
        if self._failed <= TOLERATED * self._settled:
            return ""
        return f"{self._failed} of {self._settled} calls of the ramp failed"

    def ignored(self, place: int) -> None:
        """Take back a place that was not used."""
        if place == -self._steps and self.share:
            self._admitted -= 1
        self._free(place)

    def is_over(self, now: float) -> bool:
        """Go on with the next share when its time has come; tell whether there is none."""
        if not self.share or now < self._since + self._terms.ramp_step:
            return False
        return self._step(now)

    def _free(self, place: int) -> None:
        if place == self._holder:
            self._lease = -math.inf

    def _on_ramp(self, now: float) -> int:
        self._arrived += 1
        most = self.share * self._arrived
        if self._usual:
            most = min(most, 1 + self.share * self._usual * (now - self._since))
        if self._admitted >= most:
            return 0
        self._admitted += 1
        return -self._steps

    def _step(self, now: float) -> bool:
        """Begin the next share, or the same anew if it showed nothing; tell whether there is none."""
        if self._is_good or not self.share:
            self._next += 1
        if self._next > len(self._terms.ramp):
            return True
        self.share = self._terms.ramp[self._next - 1]
        self._steps += 1
        self._since = now
        self._arrived = self._admitted = 0
        self._is_good = False
        return False
