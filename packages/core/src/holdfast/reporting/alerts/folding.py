"""Many events become few messages: the courses of all alerts, within one process."""

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple, Protocol

from holdfast.clock import Clock
from holdfast.events import Scalar
from holdfast.kinds import Severity
from holdfast.record import ErrorHandled, ErrorRecord
from holdfast.reporting.alerts.course import Course, Turn
from holdfast.reporting.alerts.rules import AlertRule
from holdfast.reporting.alerts.seen import Memory
from holdfast.reporting.alerts.tallies import Heard

MAX_SAMPLE: Final = 12
"""Attributes that are kept of the latest event."""
_MAX_TEXT: Final = 200


def _nothing() -> None:
    """Do nothing: nobody keeps account of it."""


class Sample(NamedTuple):
    """What is kept of the latest event of an alert."""

    severity: Severity
    attributes: dict[str, Scalar]
    record: ErrorRecord | None = None
    """None when another process saw it."""


class Due(NamedTuple):
    """A message that is due, of which alert it is, and what happened last."""

    rule: AlertRule
    key: str
    turn: Turn
    age: float
    """Seconds since the alert opened."""
    sample: Sample
    settled: Callable[[], None] = _nothing
    """Called when all channels have it or never will."""


class Folding(Protocol):
    """Decides which messages are due; for one thread."""

    def fold(self, heard: Sequence[Heard]) -> list[Due]:
        """Count what was heard and let time pass; return what is due now."""
        ...

    def wait(self) -> float | None:
        """Return the seconds after which time has to pass again; None when it need not."""
        ...

    def finish(self) -> list[Due]:
        """Return what is to be said before the process ends."""
        ...

    def leave(self) -> None:
        """Take note that everything was sent that will be."""
        ...

    def reset(self) -> None:
        """Begin anew in a forked child: what is open is the parent's."""
        ...


class LocalFolding:
    """Folds what happens in this process.

    Args:
        rules: All rules.
        clock: Lets time pass.
        memory: Knows what was seen before.
        release: Of the service.
        beat: Seconds between two looks at alerts that are open.
    """

    def __init__(
        self,
        rules: Iterable[AlertRule],
        clock: Clock,
        memory: Memory,
        *,
        release: str = "",
        beat: float = 1.0,
    ) -> None:
        self._rules = {rule.name: rule for rule in rules}
        self._clock = clock
        self._memory = memory
        self._release = release
        self._beat = beat
        self._begun = clock.monotonic()
        self.reset()

    def reset(self) -> None:
        """Begin anew in a forked child: what is open is the parent's."""
        self.courses: dict[tuple[str, str], Course] = {}
        self.samples: dict[tuple[str, str], Sample] = {}

    def fold(self, heard: Sequence[Heard]) -> list[Due]:
        """Count what was heard and let time pass; return what is due now."""
        for one in heard:
            self.samples[one.rule.name, one.key] = sample_of(one)
        counts = merged(heard)
        return self.advance(counts, self._clock.monotonic())

    def advance(self, counts: dict[tuple[str, str], int], now: float) -> list[Due]:
        """Count events by rule and key, at a time; return what is due then."""
        new = self._new(counts)
        open_ones = [place for place, course in self.courses.items() if course.is_open]
        due = [
            self._step(place, counts.get(place, 0), now, is_new=place in new)
            for place in dict.fromkeys([*counts, *open_ones])
            if place[0] in self._rules
        ]
        return [one for one in due if one is not None]

    def wait(self) -> float | None:
        """Return the seconds after which time has to pass again; None when it need not."""
        return self._beat if any(course.is_open for course in self.courses.values()) else None

    def finish(self) -> list[Due]:
        """Return a last summary of each alert that has one to give."""
        now = self._clock.monotonic()
        found = ((place, course.finish(now)) for place, course in self.courses.items())
        return [self.due(place, turn, now) for place, turn in found if turn is not None]

    def leave(self) -> None:
        """Do nothing: nobody else is concerned."""

    def has_rule(self, name: str) -> bool:
        """Tell whether there is a rule of that name."""
        return name in self._rules

    def due(self, place: tuple[str, str], turn: Turn, now: float) -> Due:
        """Return a message that is due at a time."""
        rule, key = self._rules[place[0]], place[1]
        sample = self.samples.get(place) or Sample(rule.severity, {})
        return Due(rule, key, turn, max(0.0, now - turn.since), sample)

    def _step(self, place: tuple[str, str], count: int, now: float, *, is_new: bool) -> Due | None:
        rule = self._rules[place[0]]
        course = self.courses.get(place)
        if course is None:
            course = self.courses[place] = Course(begun=self._begun, last=now)
        turn = course.step(rule, count, now, new_id=secrets.token_hex(16), is_new=is_new)
        due = None if turn is None else self.due(place, turn, now)
        if course.is_blank(rule, now):
            del self.courses[place]
            self.samples.pop(place, None)
        return due

    def _new(self, counts: dict[tuple[str, str], int]) -> set[tuple[str, str]]:
        asked = {
            f"{rule}\n{key}": (rule, key)
            for rule, key in counts
            if rule in self._rules and self._rules[rule].when in {"first_seen", "new_in_release"}
        }
        told = self._memory.note(asked, self._release) if asked else {}
        return {
            place
            for name, place in asked.items()
            if told[name][self._rules[place[0]].when == "new_in_release"]
        }


def merged(heard: Iterable[Heard]) -> dict[tuple[str, str], int]:
    """Return how many events there were by rule and key."""
    counts: dict[tuple[str, str], int] = {}
    for one in heard:
        place = one.rule.name, one.key
        counts[place] = counts.get(place, 0) + one.events
    return counts


def sample_of(heard: Heard) -> Sample:
    """Return what is kept of the latest event that was heard."""
    event = heard.latest
    record = event.record if isinstance(event, ErrorHandled) else None
    return Sample(event.severity, dict(_cut(event.attributes.items())), record)


def _cut(attributes: Iterable[tuple[str, Scalar]]) -> Iterator[tuple[str, Scalar]]:
    for number, (name, value) in enumerate(attributes):
        if number < MAX_SAMPLE:
            yield name, value[:_MAX_TEXT] if isinstance(value, str) else value
