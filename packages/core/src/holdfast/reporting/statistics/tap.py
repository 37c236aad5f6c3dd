"""What was counted and not taken yet, for whoever counts elsewhere, as Prometheus does."""

from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from holdfast.reporting.statistics.series import OTHER

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_WAITING: Final = 2000
"""Combinations that wait to be taken; of further ones only kind, fault and recovery are told."""
MAX_DURATIONS: Final = 10_000
"""Durations that wait to be taken; the oldest are given up."""


class Labels(NamedTuple):
    """What errors have in common that are counted together."""

    code: str
    kind: str
    fault: str
    boundary: str
    operation: str
    recovered: bool


class Taken(NamedTuple):
    """What happened since somebody last took it."""

    errors: Mapping[Labels, int]
    last: Mapping[str, datetime]
    """When the last error was, by fault."""
    requests: int
    durations: tuple[tuple[str, float], ...]
    """Names of events and the seconds they tell of."""


class Tap:
    """Gives every count once, whether or not the event of an error got through a queue.

    Args:
        take: Brings the tap up to date and empties it.
    """

    def __init__(self, take: "Callable[[Tap], Taken]") -> None:
        self._take = take
        self.clear()

    def take(self) -> Taken:
        """Return what was counted since the last call, in this process; safe for threads."""
        return self._take(self)

    def clear(self) -> None:
        """Begin anew, as a forked child does: what the parent counted is the parent's to take."""
        self._errors: dict[Labels, int] = {}
        self._last: dict[str, datetime] = {}
        self._durations: deque[tuple[str, float]] = deque(maxlen=MAX_DURATIONS)
        self._requests = 0

    def add(self, labels: Labels, number: int, last: datetime) -> None:
        """Let errors be taken."""
        if len(self._errors) >= MAX_WAITING and labels not in self._errors:
            labels = labels._replace(code=OTHER, boundary=OTHER, operation=OTHER)
        self._errors[labels] = self._errors.get(labels, 0) + number
        self._last[labels.fault] = last

    def add_durations(self, durations: "Iterable[tuple[str, float]]") -> None:
        """Let durations be taken."""
        self._durations.extend(durations)

    def empty(self, requests: int) -> Taken:
        """Return what there is, and begin anew.

        Args:
            requests: All that began in this process.
        """
        new = requests - self._requests
        taken = Taken(self._errors, self._last, new, tuple(self._durations))
        self.clear()
        self._requests = requests
        return taken
