"""What workers agree on about one circuit: quorum, leave to probe, versions; whatever the order of things."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from holdfast.resilience.circuit.period import State
from holdfast.resilience.circuit.sharing import (
    LEASE,
    Fleet,
    Heard,
    Own,
    Stock,
    needed,
    proposed,
    taken,
)
from holdfast.testing import FakeClock
from tests.core.circuit_store import MemoryStore, SmallCircuit

NAME = "payments"
OPEN, HALF_OPEN, CLOSED = State.OPEN, State.HALF_OPEN, State.CLOSED


def heard(fleet: Fleet | None = None, live: int = 8, failing: int = 0, now: float = 100.0) -> Heard:
    """Return what a store says."""
    return Heard(fleet or Fleet(), live, failing, now)


def opened(version: int = 1, until: float = 130.0) -> Fleet:
    """Return the record of a fleet that is open."""
    return Fleet(OPEN, version, until, reason="6 of 8 workers opened it")


# quorum


@pytest.mark.parametrize(
    ("quorum", "live", "wanted"),
    [(0.5, 8, 4), (0.75, 8, 6), (1, 8, 8), (0.1, 30, 3), (0.5, 1, 2), (0.01, 8, 2), (3, 100, 3)],
)
def test_a_share_of_the_workers_alive_opens_the_fleet(
    quorum: float, live: int, wanted: int
) -> None:
    """Up to 1 it is a share, rounded up; above, a number; never less than two."""
    assert needed(quorum, live) == wanted


@given(st.floats(0.01, 100), st.integers(1, 500))
def test_one_worker_alone_never_opens_the_fleet(quorum: float, live: int) -> None:
    """Neither a small share nor a small fleet makes one enough."""
    own = Own("a", OPEN, remaining=30.0)

    assert proposed(own, heard(live=live, failing=1), quorum) is None


@given(st.floats(0.01, 1), st.integers(2, 500), st.data())
def test_the_fleet_opens_exactly_by_its_quorum(
    quorum: float, live: int, data: st.DataObject
) -> None:
    """With the workers needed it opens, with one less it does not."""
    own, wanted = Own("a", OPEN, remaining=30.0), needed(quorum, live)

    fleet = proposed(own, heard(live=live, failing=wanted), quorum)

    assert fleet is not None
    assert (fleet.state, fleet.version, fleet.until) == (OPEN, 1, 130.0)
    assert proposed(own, heard(live=live, failing=wanted - 1), quorum) is None


def test_a_worker_that_sees_no_failures_opens_nothing() -> None:
    """Whoever opens the fleet has opened its own circuit; how long it stays so is theirs to say."""
    assert proposed(Own("a", CLOSED), heard(failing=8), 0.5) is None


def test_a_worker_that_follows_the_fleet_is_no_witness() -> None:
    """Only what a worker saw itself counts: else an opening would be its own proof."""
    follower = Own("a", OPEN, remaining=30.0, known=opened())

    assert not follower.is_failing
    assert Own("a", OPEN, remaining=30.0).is_failing


# following


def test_all_follow_a_fleet_that_opens() -> None:
    """A worker that saw nothing opens its circuit, for as long as the fleet does."""
    order = taken(Own("a", CLOSED), opened(until=130.0), 100.0)

    assert order is not None
    assert (order.state, order.seconds) == (OPEN, 30.0)
    assert order.reason == "6 of 8 workers opened it"


def test_who_waits_for_leave_to_probe_is_held_again_and_again() -> None:
    """The fleet's time is over, or another probes: each exchange says so again."""
    own = Own("a", OPEN, known=opened(until=90.0))
    leased = Fleet(HALF_OPEN, 2, 110.0, holder="b")

    waiting = taken(own, opened(until=90.0), 100.0)
    watching = taken(replace(own, known=leased), leased, 100.0)

    assert waiting is not None
    assert watching is not None
    assert (waiting.state, waiting.seconds) == (OPEN, 0.0)
    assert (watching.state, watching.seconds) == (OPEN, 10.0)


def test_an_opening_of_ones_own_is_left_to_recover_by_itself() -> None:
    """While the fleet is closed, a worker's open circuit is its own affair."""
    assert taken(Own("a", OPEN, remaining=3.0), Fleet(), 100.0) is None


# probing


def test_one_worker_gets_leave_to_probe_when_the_time_is_over() -> None:
    """The record says who, and until when; that worker probes, and nobody else."""
    own = Own("a", OPEN, known=opened(until=100.0))

    fleet = proposed(own, heard(opened(until=100.0)), 0.5)

    assert fleet is not None
    assert (fleet.state, fleet.holder, fleet.until) == (HALF_OPEN, "a", 100.0 + LEASE)
    assert [order.state for order in (taken(own, fleet, 100.0),) if order] == [HALF_OPEN]
    assert [order.state for order in (taken(replace(own, member="b"), fleet, 100.0),) if order] == [
        OPEN
    ]


@pytest.mark.parametrize(
    ("own", "now"),
    [
        (Own("a", OPEN, known=opened(until=100.0)), 99.9),
        (Own("a", OPEN, known=opened(until=100.0), is_asked=False), 100.0),
        (Own("a", CLOSED), 100.0),
    ],
    ids=["before its time", "without a call to probe with", "before it follows"],
)
def test_leave_to_probe_is_not_asked_for(own: Own, now: float) -> None:
    """Nobody probes early, nobody takes a leave that it has no use for."""
    assert proposed(own, heard(opened(until=100.0), now=now), 0.5) is None


def test_who_dies_with_leave_to_probe_is_succeeded() -> None:
    """A lease that has run out is another's to take; one that has not is not."""
    leased = Fleet(HALF_OPEN, 2, 110.0, holder="dead")
    own = Own("a", OPEN, known=leased)

    taken_over = proposed(own, heard(leased, now=110.0), 0.5)

    assert proposed(own, heard(leased, now=109.0), 0.5) is None
    assert taken_over is not None
    assert (taken_over.holder, taken_over.version) == ("a", 3)


def test_a_probe_that_takes_long_keeps_its_leave() -> None:
    """Who still probes asks for more time before the old is over, and goes on undisturbed."""
    leased = Fleet(HALF_OPEN, 2, 110.0, holder="a")
    own = Own("a", HALF_OPEN, known=leased, is_probing=True)

    fleet = proposed(own, heard(leased, now=106.0), 0.5)

    assert fleet is not None
    assert (fleet.holder, fleet.until) == ("a", 106.0 + LEASE)
    assert taken(own, fleet, 106.0) is None
    assert proposed(own, heard(leased, now=101.0), 0.5) is None


def test_leave_that_ran_out_unused_is_given_up() -> None:
    """Who did not probe in time is held like all others: somebody else may have leave by now."""
    leased = Fleet(HALF_OPEN, 2, 110.0, holder="a")

    order = taken(Own("a", HALF_OPEN, known=leased), leased, 110.0)

    assert order is not None
    assert (order.state, order.seconds) == (OPEN, 0.0)


def test_a_probe_that_succeeds_closes_the_fleet() -> None:
    """Its worker says so, and all that follow come back by probes of their own."""
    leased = Fleet(HALF_OPEN, 2, 110.0, holder="a")

    fleet = proposed(Own("a", CLOSED, known=leased), heard(leased), 0.5)

    assert fleet is not None
    assert (fleet.state, fleet.version, fleet.holder) == (CLOSED, 3, "")
    order = taken(Own("b", OPEN, known=leased), fleet, 101.0)
    assert order is not None
    assert order.state is HALF_OPEN
    assert taken(Own("a", CLOSED, known=leased), fleet, 101.0) is None


def test_a_ramp_is_a_success() -> None:
    """The fleet need not wait until the first has let all its calls through."""
    leased = Fleet(HALF_OPEN, 2, 110.0, holder="a")

    fleet = proposed(Own("a", HALF_OPEN, known=leased, is_ramping=True), heard(leased), 0.5)

    assert fleet is not None
    assert fleet.state is CLOSED


def test_a_probe_that_fails_opens_the_fleet_again() -> None:
    """For as long as its worker's own circuit says, which grows each time."""
    leased = Fleet(HALF_OPEN, 2, 110.0, holder="a")

    fleet = proposed(Own("a", OPEN, remaining=60.0, known=leased), heard(leased), 0.5)

    assert fleet is not None
    assert (fleet.state, fleet.until, fleet.holder) == (OPEN, 160.0, "")


# what gets lost


def test_a_store_that_forgot_an_opening_is_told_of_it() -> None:
    """Who follows it writes it again; nobody closes because the store is empty."""
    own = Own("a", OPEN, known=opened(version=7, until=130.0))

    fleet = proposed(own, heard(Fleet()), 0.5)

    assert taken(own, Fleet(), 100.0) is None
    assert fleet is not None
    assert (fleet.state, fleet.version, fleet.until) == (OPEN, 8, 130.0)


def test_versions_go_on_after_the_store_lost_them() -> None:
    """Whoever still follows an earlier record sees that the next one is later."""
    own = Own("a", OPEN, remaining=30.0, known=Fleet(CLOSED, 9))

    fleet = proposed(own, heard(failing=8), 0.5)

    assert fleet is not None
    assert fleet.version == 10


def test_nobody_probes_at_once_after_the_store_forgot() -> None:
    """Somebody may still have leave, and not know that the store does not."""
    own = Own("a", OPEN, known=Fleet(HALF_OPEN, 7, 101.0, holder="b"))

    fleet = proposed(own, heard(Fleet()), 0.5)

    assert fleet is not None
    assert (fleet.state, fleet.until, fleet.holder) == (OPEN, 100.0 + LEASE, "")


def test_who_has_recovered_by_itself_meanwhile_closes_nobody_but_itself() -> None:
    """An empty store is not told of an opening that is over, and its emptiness orders nothing."""
    own = Own("a", CLOSED, known=opened(version=7))

    assert proposed(own, heard(Fleet()), 0.5) is None
    assert taken(own, Fleet(), 100.0) is None


# pybreaker beside


def test_an_opening_by_pybreaker_opens_the_fleet() -> None:
    """Any worker that hears of it says so, for what is left of its time."""
    own = Own("a", CLOSED, recovery=60.0)

    fleet = proposed(own, replace(heard(), stock=Stock(OPEN, opened_at=90.0)), 0.5)

    assert fleet is not None
    assert (fleet.state, fleet.until) == (OPEN, 150.0)


def test_a_closing_by_pybreaker_closes_the_fleet() -> None:
    """Its probe succeeded: that is as good as ours."""
    own = Own("a", OPEN, known=opened())

    fleet = proposed(own, replace(heard(opened()), stock=Stock(CLOSED, opened_at=90.0)), 0.5)

    assert fleet is not None
    assert fleet.state is CLOSED


# all of it, in any order


@dataclass
class Worker:
    """One worker between two steps of an exchange, which others may come between."""

    name: str
    circuit: SmallCircuit
    seen: tuple[Own, Heard, Fleet | None] | None = None


class Fleets(RuleBasedStateMachine):
    """Four workers whose exchanges, calls and losses come in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.store = MemoryStore(self.clock)
        self.workers = [Worker(name, SmallCircuit(self.clock)) for name in "abcd"]
        self.is_up = True
        self.successes = self.proven = 0
        """Probes that succeeded, and how many there had been when the fleet opened last."""

    @property
    def fleet(self) -> Fleet:
        """What the store holds."""
        return self.store.fleets.get(NAME) or Fleet()

    @rule(seconds=st.sampled_from([0.1, 1.0, 4.0, 11.0, 40.0]))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.advance(seconds)

    @rule(index=st.integers(0, 3))
    def fail(self, index: int) -> None:
        """Let the calls of one worker fail."""
        if self.workers[index].circuit.state is CLOSED:
            self.workers[index].circuit.fail()

    @rule(index=st.integers(0, 3))
    def call(self, index: int) -> None:
        """Let one worker make a call, if it may."""
        circuit = self.workers[index].circuit
        was_closed = circuit.state is CLOSED
        if circuit.call(is_up=self.is_up) and not was_closed:
            self.successes += 1

    @rule(is_up=st.booleans())
    def turn(self, is_up: bool) -> None:  # noqa: FBT001  # drawn
        """Let what is called come and go."""
        self.is_up = is_up

    @rule()
    def flush(self) -> None:
        """Let the store lose everything."""
        self.store.flush()

    @rule(index=st.integers(0, 3))
    def look(self, index: int) -> None:
        """Let a worker read, and think."""
        worker = self.workers[index]
        own = worker.circuit.told(worker.name)
        assert own is not None
        told = self.store.heard(NAME, worker.name, own.is_failing)
        worker.seen = own, told, proposed(own, told, 0.5)

    @precondition(lambda self: any(worker.seen for worker in self.workers))
    @rule(index=st.integers(0, 3))
    def write(self, index: int) -> None:
        """Let a worker write what it thought, and do what the record says."""
        worker, before = self.workers[index], self.fleet
        if worker.seen is None:
            return
        (own, told, fleet), worker.seen = worker.seen, None
        if fleet is not None:
            if not self.store.settle(NAME, told.fleet.version, fleet):
                return
            assert fleet.version > before.version
            self.note(before, own, told)
        record = fleet or told.fleet
        order = taken(own, record, told.now)
        assert order is None or order.state is not CLOSED
        worker.circuit.take(record, order)

    def note(self, before: Fleet, own: Own, told: Heard) -> None:
        """Check what a record that was kept stands on."""
        is_restored = own.known.version > told.fleet.version and not own.known.is_closed
        if before.is_closed and not is_restored:
            assert told.failing >= needed(0.5, told.live)
            self.proven = self.successes
        if self.fleet.is_closed:
            assert self.successes > self.proven, "closed without a probe that succeeded"

    @invariant()
    def one_at_most_has_leave(self) -> None:
        """Of those that the record gives leave, there is one."""
        holders = [worker for worker in self.workers if self.fleet.holder == worker.name]
        assert len(holders) <= 1
        assert bool(self.fleet.holder) == (self.fleet.state is HALF_OPEN)

    def teardown(self) -> None:
        """In the end, when all is well, everything closes."""
        self.is_up = True
        for _ in range(200):
            for index in range(4):
                self.look(index)
                self.write(index)
                self.call(index)
            self.clock.advance(1.0)
        assert {worker.circuit.state for worker in self.workers} == {CLOSED}


TestFleets = Fleets.TestCase
TestFleets.settings = settings(max_examples=150, stateful_step_count=40)
