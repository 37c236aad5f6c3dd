"""Counting where events happen: no lock, no time, no decision; another thread reads the counts."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import Final, NamedTuple, TypeAlias

from holdfast.clock import Clock
from holdfast.events import Event, Scalar
from holdfast.reporting.alerts.rules import FACTS_OF_ERRORS, AlertRule, fact

MAX_KEYS: Final = 200
"""Keys of one rule at a time; events with further ones are counted together."""
OTHER: Final = "other"
"""Key of what is counted together."""
MAX_PLANS: Final = 5000
"""Kinds of events whose rules are remembered."""
IDLE: Final = 600.0
"""Seconds without an event after which a key gives way to others."""
LINGER: Final = 60.0
"""Seconds for which a tally that gave way is still read: a thread may be about to count by it."""


_Kind: TypeAlias = tuple[Scalar, ...]


class Tally:
    """Number of events with one key of one rule, and the latest of them.

    A step of a counter is one operation of the interpreter: no thread, signal handler or finaliser
    comes in between. To read it takes a step too, which the reader takes off.
    """

    __slots__ = ("_read", "_steps", "add", "key", "latest", "rule", "since")

    def __init__(self, rule: AlertRule, key: str, now: float) -> None:
        self.rule = rule
        self.key = key
        self.since = now
        """When the latest event was read."""
        self.latest: Event | None = None
        self._steps = count()
        self.add = self._steps.__next__
        self._read = 0

    def take(self, now: float) -> int:
        """Return how many events came since the last time; for one thread."""
        steps = self.add()
        new = steps - self._read
        self._read = steps + 1
        if new:
            self.since = now
        return new


class Heard(NamedTuple):
    """What was counted since the last time."""

    rule: AlertRule
    key: str
    events: int
    latest: Event


class Tallies:
    """Counts events by rule and key.

    Args:
        rules: What is counted.
        clock: When keys were last heard of.
    """

    def __init__(self, rules: Iterable[AlertRule], clock: Clock) -> None:
        self._rules = tuple(rules)
        self._clock = clock
        asked = frozenset[str]().union(*(rule.facts() for rule in self._rules))
        self._facts = tuple(sorted(asked, key=lambda name: (name in FACTS_OF_ERRORS, name)))
        self._plain = tuple(name for name in self._facts if name not in FACTS_OF_ERRORS)
        self._further = self._facts[len(self._plain) :]
        self.reset()

    def reset(self) -> None:
        """Begin at zero."""
        self._plans: dict[_Kind, tuple[Tally, ...]] = {}
        self._tallies: list[dict[str, Tally]] = [{} for _ in self._rules]
        self._leaving: list[Tally] = []

    def hear(self, event: Event) -> bool:
        """Count an event; False when no rule is about it. Takes no lock."""
        get = event.attributes.get
        # By identity and not by value, which is much slower to hash.
        kind: _Kind = (event.name, id(event.severity), *[get(name) for name in self._plain])
        if self._further:
            kind += tuple([fact(event, name) for name in self._further])
        plan = self._plans.get(kind)
        if plan is None:
            plan = self._plan(event, kind)
        for tally in plan:
            tally.latest = event
            tally.add()
        return bool(plan)

    def take(self) -> list[Heard]:
        """Return what was counted since the last time; for one thread."""
        now = self._clock.monotonic()
        heard = list(self._taken(now))
        for tallies in self._tallies:
            if len(tallies) >= MAX_KEYS:
                self._make_room(tallies, now)
        self._leaving = [tally for tally in self._leaving if now - tally.since < IDLE + LINGER]
        return heard

    def _taken(self, now: float) -> Iterator[Heard]:
        current = [tally for tallies in self._tallies for tally in tuple(tallies.values())]
        for tally in (*current, *self._leaving):
            new = tally.take(now)
            if new and tally.latest is not None:
                yield Heard(tally.rule, tally.key, new, tally.latest)

    def _make_room(self, tallies: dict[str, Tally], now: float) -> None:
        idle = [tally for tally in tallies.values() if now - tally.since >= IDLE]
        for tally in idle:
            del tallies[tally.key]
        if idle:
            self._leaving += idle
            self._plans = {}

    def _plan(self, event: Event, kind: _Kind) -> tuple[Tally, ...]:
        facts = dict(zip(self._facts, kind[2:], strict=True))
        rules: Sequence[tuple[int, AlertRule]] = [
            (place, rule)
            for place, rule in enumerate(self._rules)
            if rule.matches(event.name, event.severity, facts)
        ]
        plan = tuple(self._tally(place, rule.key_of(event.name, facts)) for place, rule in rules)
        plans = self._plans
        if len(plans) >= MAX_PLANS:
            plans = self._plans = {}
        plans[kind] = plan
        return plan

    def _tally(self, place: int, key: str) -> Tally:
        tallies, rule = self._tallies[place], self._rules[place]
        if key not in tallies and len(tallies) >= MAX_KEYS:
            key = OTHER
        now = self._clock.monotonic()
        return tallies.get(key) or tallies.setdefault(key, Tally(rule, key, now))
