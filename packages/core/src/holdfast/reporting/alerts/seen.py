"""What was seen before, and in which release: the memory of rules that ask for what is new."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Protocol

MAX_SEEN: Final = 10_000
"""Keys that are remembered; the ones that were seen longest ago are forgotten."""
MAX_RELEASES: Final = 50


class Memory(Protocol):
    """Remembers keys; for one thread, on which it may block."""

    def note(self, keys: Iterable[str], release: str) -> dict[str, tuple[bool, bool]]:
        """Remember keys; return of each whether it is seen for the first time, and new in the release.

        Args:
            keys: What was seen.
            release: In which release.
        """
        ...


@dataclass(slots=True)
class Seen:
    """A memory in this process.

    Example:
        >>> seen = Seen(releases=["1.0", "1.1"], keys={"A": "1.0", "B": "1.1"})
        >>> seen.note(["A", "B", "C"], "1.2")
        {'A': (False, True), 'B': (False, False), 'C': (True, True)}
    """

    releases: list[str] = field(default_factory=list[str])
    """Oldest first."""
    keys: dict[str, str] = field(default_factory=dict[str, str])
    """The newest release that each key was seen in."""

    def note(self, keys: Iterable[str], release: str) -> dict[str, tuple[bool, bool]]:
        """Remember keys; return of each whether it is seen for the first time, and new in the release.

        New in a release is what neither it nor the one before it has had. The first release of all
        has nothing to compare with, and nothing new.
        """
        if release not in self.releases:
            self.releases = [*self.releases, release][-MAX_RELEASES:]
        return {key: self._note(key, release) for key in dict.fromkeys(keys)}

    def knows(self, key: str, release: str) -> bool:
        """Tell whether there is nothing to remember of a key."""
        return self.keys.get(key) == release

    def _note(self, key: str, release: str) -> tuple[bool, bool]:
        place = self.releases.index(release)
        known = self.keys.pop(key, None)
        before = self.releases.index(known) if known in self.releases else -1
        is_new = place > 0 and before < place - 1
        self.keys[key] = self.releases[max(place, before)]
        if len(self.keys) > MAX_SEEN:
            del self.keys[next(iter(self.keys))]
        return known is None, is_new
