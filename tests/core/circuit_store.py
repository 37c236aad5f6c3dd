"""A store of circuits in memory, and a circuit of three states, for tests of what workers share."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from holdfast.resilience.circuit.period import State
from holdfast.resilience.circuit.sharing import HOLD, Fleet, Heard, Order, Own, Stock
from holdfast.testing import FakeClock

RECENT = 5.0
"""Seconds for which the store counts a worker."""


class AwayError(Exception):
    """The store does not answer."""


@dataclass
class MemoryStore:
    """Keeps what workers share, as a server would: with a clock of its own, and gone when told so."""

    clock: FakeClock
    fleets: dict[str, Fleet] = field(default_factory=dict[str, Fleet])
    live: dict[str, float] = field(default_factory=dict[str, float])
    failing: dict[str, float] = field(default_factory=dict[str, float])
    stock: Stock | None = None
    is_away: bool = False
    exchanges: int = 0
    left: list[str] = field(default_factory=list[str])

    def exchange(self, member: str, told: Mapping[str, bool]) -> Mapping[str, Heard]:
        """Keep for each circuit whether a worker is failing; return what there is of each."""
        self.exchanges += 1
        if self.is_away:
            raise AwayError
        return {name: self.heard(name, member, is_failing) for name, is_failing in told.items()}

    def heard(self, name: str, member: str, is_failing: bool) -> Heard:  # noqa: FBT001  # as told
        """Return what there is of one circuit."""
        now = self.clock.monotonic()
        self.live[name + member] = now
        self.failing[name + member] = now if is_failing else -RECENT
        return Heard(
            self.fleets.get(name) or Fleet(),
            self._recent(self.live, name),
            self._recent(self.failing, name),
            now,
            self.stock,
        )

    def settle(self, name: str, expected: int, fleet: Fleet) -> bool:
        """Keep a record, unless the last version is another than expected."""
        if self.is_away:
            raise AwayError
        if (self.fleets.get(name) or Fleet()).version != expected:
            return False
        self.fleets[name] = fleet
        return True

    def leave(self, member: str, names: Iterable[str]) -> None:
        """Forget a worker."""
        self.left.append(member)

    def flush(self) -> None:
        """Lose everything."""
        self.fleets.clear()
        self.live.clear()
        self.failing.clear()

    def _recent(self, since: dict[str, float], name: str) -> int:
        oldest = self.clock.monotonic() - RECENT
        return sum(at > oldest for place, at in since.items() if place.startswith(name))


@dataclass
class SmallCircuit:
    """A circuit of three states that opens when told that its calls fail."""

    clock: FakeClock
    recovery: float = 30.0
    state: State = State.CLOSED
    until: float = 0.0
    known: Fleet = field(default_factory=Fleet)
    orders: list[Order] = field(default_factory=list[Order])

    def told(self, member: str) -> Own | None:
        """Return what the worker knows."""
        remaining = max(0.0, self.until - self.clock.monotonic())
        return Own(member, self.state, remaining, self.recovery, known=self.known)

    def take(self, fleet: Fleet, order: Order | None) -> None:
        """Do what the fleet does."""
        self.known = fleet
        if order is not None:
            self.orders.append(order)
            self.state = order.state
            self.until = self.clock.monotonic() + order.seconds + HOLD

    def fail(self) -> None:
        """Open: its calls fail."""
        self.state = State.OPEN
        self.until = self.clock.monotonic() + self.recovery

    def call(self, *, is_up: bool) -> bool:
        """Make a call if it may be made; tell whether it succeeded."""
        if self.state is State.OPEN and self.clock.monotonic() < self.until:
            return False
        if self.state is State.CLOSED:
            return is_up
        self.state = State.CLOSED
        if not is_up:
            self.fail()
        return is_up
