"""What the workers of a service agree on about one circuit: values and decisions, without any I/O.

There is one record for all of them, `Fleet`, kept in a store that counts its versions: whoever writes
says which version it read, and is refused when that is no longer the last. Each worker looks at it
now and then, may propose the next record (`proposed`), and does as the record says (`taken`).

A worker that opens its circuit opens its own alone, which then recovers by itself. When as many have
opened theirs as `needed`, the fleet opens: all follow, and one at a time has leave to probe, for a
limited time by the store's clock. If its probes fail the fleet opens again; if they succeed it is
closed, and all others come back by probes and ramps of their own. Nothing here closes a circuit.
What a circuit is told runs out after `HOLD` seconds unless it is told again, and then it recovers by
itself: so does each where the store is away.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from holdfast.resilience.circuit.period import State

HOLD: Final = 5.0
"""Seconds beyond its time open for which a circuit waits for leave to probe, unless told again."""
LEASE: Final = 10.0
"""Seconds for which one worker has leave to probe; it may ask for more while its probe goes on."""
LEAST: Final = 2
"""Workers that it takes to open the fleet, at least: one alone never does."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """The state of one circuit for all workers; an empty store holds this.

    Attributes:
        state: What all do.
        version: Grows by each change; 0: nobody has ever written.
        until: Seconds by the store's clock: when an open circuit may be probed, or a lease ends.
        holder: Who has leave to probe; empty unless half-open.
        reason: Why it is so.
    """

    state: State = State.CLOSED
    version: int = 0
    until: float = 0.0
    holder: str = ""
    reason: str = ""

    @property
    def is_closed(self) -> bool:
        """Whether each worker decides for itself."""
        return self.state is State.CLOSED

    def after(self, version: int, **changes: object) -> "Fleet":
        """Return what follows this record and everything up to a version."""
        number = max(self.version, version) + 1
        return replace(self, version=number, **changes)  # type: ignore[arg-type]  # by name


@dataclass(frozen=True, slots=True)
class Stock:
    """What workers of stock pybreaker keep in the same store.

    Attributes:
        state: What all of them do.
        opened_at: Seconds by their clocks; None: never.
    """

    state: State
    opened_at: float | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """What a store says of one circuit.

    Attributes:
        fleet: The record.
        live: Workers heard of within the last seconds, this one included.
        failing: Those of them that have opened their own circuit.
        now: Seconds by the store's clock.
        stock: What stock workers say, where one listens to them.
    """

    fleet: Fleet
    live: int
    failing: int
    now: float
    stock: Stock | None = None


@dataclass(frozen=True, slots=True)
class Own:
    """What one worker knows by itself.

    Attributes:
        member: Its name, which no other has.
        state: Of its own circuit.
        remaining: Seconds until its own circuit would let a probe through.
        recovery: Seconds that its circuit stays open at first.
        is_ramping: Whether its probes have succeeded, and it lets a growing share of calls through.
        is_asked: Whether there were calls that it refused, or nobody knows.
        is_probing: Whether a probe of its own goes on.
        known: The record that it has taken over last.
    """

    member: str
    state: State
    remaining: float = 0.0
    recovery: float = 60.0
    is_ramping: bool = False
    is_asked: bool = True
    is_probing: bool = False
    known: Fleet = field(default_factory=Fleet)

    @property
    def is_failing(self) -> bool:
        """Whether it has opened its circuit by what it saw itself: what it tells the others."""
        return self.state is State.OPEN and self.known.is_closed

    @property
    def has_recovered(self) -> bool:
        """Whether its circuit lets calls through, as it does when its probes have succeeded."""
        return self.state is State.CLOSED or self.is_ramping


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker's own circuit has to do.

    Attributes:
        state: `OPEN`: let nothing through. `HALF_OPEN`: probe, and come back if that succeeds.
        seconds: How long nobody probes, at least.
        reason: Why.
    """

    state: State
    seconds: float
    reason: str


def needed(quorum: float, live: int) -> int:
    """Return how many failing workers open the fleet; never less than two.

    Args:
        quorum: Up to 1 a share of those alive; above, a number.
        live: How many are alive.
    """
    asked = math.ceil(round(quorum * live, 6)) if quorum <= 1 else math.ceil(quorum)
    return max(LEAST, asked)


def proposed(own: Own, heard: Heard, quorum: float) -> Fleet | None:
    """Return the record that this worker wants to write in the place of the one it read."""
    fleet = heard.fleet
    if _is_forgotten(own, fleet):
        # Whoever had leave to probe may not know yet that nobody else does.
        until = max(own.known.until, heard.now + LEASE)
        return own.known.after(fleet.version, state=State.OPEN, until=until, holder="")
    if fleet.is_closed:
        changes = _of_closed(own, heard, quorum)
    else:
        changes = (_of_open if fleet.state is State.OPEN else _of_half_open)(own, heard)
    return fleet.after(own.known.version, **{"holder": "", **changes}) if changes else None


def taken(own: Own, fleet: Fleet, now: float) -> Order | None:
    """Return what the worker's own circuit has to do by a record; None: go on.

    Args:
        own: What it knows.
        fleet: The record as the store has it now.
        now: Seconds by the store's clock.
    """
    if _is_forgotten(own, fleet):
        return None
    if fleet.is_closed:
        follows = not own.known.is_closed and own.state is State.OPEN
        return Order(State.HALF_OPEN, 0.0, fleet.reason) if follows else None
    if fleet.holder == own.member and now < fleet.until:
        is_new = fleet.version != own.known.version and own.state is State.OPEN
        return Order(State.HALF_OPEN, 0.0, fleet.reason) if is_new else None
    return Order(State.OPEN, max(0.0, fleet.until - now), fleet.reason)


def _is_forgotten(own: Own, fleet: Fleet) -> bool:
    """Tell whether the store has lost an opening that this worker still follows."""
    return fleet.version < own.known.version and not own.known.is_closed and not own.has_recovered


_Changes = Mapping[str, object]


def _of_closed(own: Own, heard: Heard, quorum: float) -> _Changes:
    stock = heard.stock
    if stock is not None and stock.state is State.OPEN:
        since = heard.now if stock.opened_at is None else min(stock.opened_at, heard.now)
        return _opened(since + own.recovery, "a worker of pybreaker opened it")
    if own.is_failing and heard.failing >= needed(quorum, heard.live):
        why = f"{heard.failing} of {heard.live} workers opened it"
        return _opened(heard.now + own.remaining, why)
    return {}


def _of_open(own: Own, heard: Heard) -> _Changes:
    fleet = heard.fleet
    if closed := _closing(own, heard):
        return closed
    follows = fleet.version == own.known.version
    return _leased(own, heard) if follows and own.is_asked and heard.now >= fleet.until else {}


def _of_half_open(own: Own, heard: Heard) -> _Changes:
    fleet = heard.fleet
    if closed := _closing(own, heard):
        return closed
    is_mine = fleet.holder == own.member and fleet.version == own.known.version
    if is_mine and own.state is State.OPEN and heard.now < fleet.until:
        return _opened(heard.now + own.remaining, "its probe failed")
    if is_mine and own.is_probing and fleet.until - heard.now < LEASE / 2:
        return _leased(own, heard)
    return _leased(own, heard) if own.is_asked and heard.now >= fleet.until else {}


def _closing(own: Own, heard: Heard) -> _Changes:
    """Return what closes the fleet, where a circuit that followed it has recovered."""
    if heard.stock is not None and heard.stock.state is State.CLOSED:
        return _closed("a worker of pybreaker closed it")
    follows = heard.fleet.version == own.known.version
    return _closed("the circuit of one worker closed") if follows and own.has_recovered else {}


def _opened(until: float, reason: str) -> _Changes:
    return {"state": State.OPEN, "until": until, "reason": reason}


def _closed(reason: str) -> _Changes:
    return {"state": State.CLOSED, "until": 0.0, "reason": reason}


def _leased(own: Own, heard: Heard) -> _Changes:
    return {"state": State.HALF_OPEN, "until": heard.now + LEASE, "holder": own.member}


class Store(Protocol):
    """Where the workers of a service keep what they share; raises what it likes when it is away.

    Called on one thread at a time, never on one that makes calls.
    """

    def exchange(self, member: str, told: Mapping[str, bool]) -> Mapping[str, Heard]:
        """Keep for each circuit whether this worker is failing; return what there is of each."""
        ...

    def settle(self, name: str, expected: int, fleet: Fleet) -> bool:
        """Keep a record, unless the last version is another than expected; tell whether it was kept."""
        ...

    def leave(self, member: str, names: Iterable[str]) -> None:
        """Forget a worker that ends, and let go of the connection."""
        ...
