"""How a circuit comes back: leased probes, then a ramp, and never more calls than it says."""

import math
import threading
from collections import Counter, deque
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.resilience.circuit.permit import Permit
from holdfast.resilience.circuit.terms import Terms
from holdfast.resilience.circuit.trial import TOLERATED
from tests.core.circuits import Bench

RAMP = Terms(2, 10.0, 2, probe_timeout=5.0, ramp=(0.25, 0.5), ramp_step=4.0)


def at_once(number: int, ask: Callable[[], Permit | None]) -> list[Permit]:
    """Return the permits that so many threads get who ask at the same moment."""
    barrier, permits = threading.Barrier(number), list[Permit | None]()

    def run() -> None:
        barrier.wait()
        permits.append(ask())

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [permit for permit in permits if permit is not None]


def test_one_probe_at_a_time() -> None:
    """Whoever comes meanwhile is told how long the probe may take."""
    bench = Bench(RAMP)
    bench.open()
    bench.clock.advance(10.0)

    probe = bench.circuit.acquire()

    refused = bench.refusal()
    assert (refused.reason, refused.retry_after) == ("half-open", 5.0)
    probe.success()
    assert bench.ask() is not None


def test_two_hundred_threads_make_one_probe() -> None:
    """However they race, from the open state on."""
    bench = Bench(RAMP)
    bench.open()
    bench.clock.advance(10.0)

    admitted = at_once(200, bench.ask)

    assert len(admitted) == 1
    assert bench.ear.transitions().count(("open", "half-open", "time for a probe")) == 1


def test_two_hundred_threads_on_the_ramp() -> None:
    """A quarter of them is let through, not one more."""
    bench = Bench(RAMP)
    bench.begin_ramp()

    admitted = at_once(200, bench.ask)

    assert len(admitted) == 50


def test_two_hundred_threads_fail_at_once() -> None:
    """One trip, one notification, and the next state is not touched by the rest."""
    bench = Bench(Terms(5))
    permits = at_once(200, bench.ask)

    def fail() -> None:
        permits.pop().failure()

    at_once(200, fail)

    assert bench.ear.transitions() == [("closed", "open", "5 failures in a row")]
    assert bench.circuit.snapshot().metrics.failures == 200


def test_a_probe_that_never_comes_back_gives_up_its_place() -> None:
    """After its lease, and when it comes back after all, it takes nobody else's."""
    bench = Bench(RAMP)
    bench.open()
    bench.clock.advance(10.0)
    lost = bench.circuit.acquire()
    bench.clock.advance(5.0)

    second = bench.ask()

    assert second is not None
    lost.ignore()
    assert bench.ask() is None
    second.ignore()
    assert bench.ask() is not None


def test_a_slow_probe_counts_when_it_comes_back() -> None:
    """Or what takes longer than the lease would never recover."""
    bench = Bench(RAMP)
    bench.open()
    bench.clock.advance(10.0)
    slow = bench.circuit.acquire()
    bench.clock.advance(5.0)
    other = bench.circuit.acquire()

    slow.success()
    other.success()

    assert bench.state == "closed"


@pytest.mark.parametrize("end", [Permit.success, Permit.ignore])
def test_a_probe_of_an_earlier_trial_says_nothing(end: Callable[[Permit], None]) -> None:
    """Neither its success nor its end changes who probes now."""
    bench = Bench(Terms(2, 10.0, 1, probe_timeout=5.0, ramp=()))
    bench.open()
    bench.clock.advance(10.0)
    first = bench.circuit.acquire()
    bench.clock.advance(5.0)
    bench.fail()
    bench.clock.advance(10.0)
    probe = bench.circuit.acquire()

    end(first)

    assert bench.state == "half-open"
    assert bench.ask() is None
    probe.success()
    assert bench.state == "closed"


def test_without_a_crowd_it_closes_at_once() -> None:
    """Where no call was refused while the probes ran, there is nobody to hold back."""
    bench = Bench(RAMP)
    bench.open()
    bench.clock.advance(10.0)

    bench.succeed(2)

    assert bench.state == "closed"


def test_the_ramp_widens_with_time_and_success() -> None:
    """A quarter, a half, all; a call past its share is told when the next begins."""
    bench = Bench(RAMP)
    bench.begin_ramp()
    assert bench.circuit.snapshot().ramp == 0.25

    first = [bench.ask() for _ in range(9)]
    refused = bench.refusal()
    for permit in filter(None, first):
        permit.success()
    bench.clock.advance(4.0)
    second = [bench.ask() for _ in range(8)]

    assert [permit is not None for permit in first] == [*[True, False, False, False] * 2, True]
    assert (refused.reason, refused.retry_after) == ("ramp", 4.0)
    assert [permit is not None for permit in second] == [True, False] * 4
    assert bench.circuit.snapshot().ramp == 0.5
    for permit in filter(None, second):
        permit.success()
    bench.clock.advance(4.0)
    assert bench.ask() is not None
    assert bench.ear.transitions()[-1] == ("half-open", "closed", "the ramp is over")


def test_a_share_that_shows_nothing_begins_anew() -> None:
    """Time alone does not widen the ramp, and each beginning lets a call through."""
    bench = Bench(RAMP)
    bench.begin_ramp()
    silent = bench.ask()
    bench.clock.advance(4.0)

    again = bench.ask()

    assert (silent is not None, again is not None) == (True, True)
    assert bench.circuit.snapshot().ramp == 0.25


def test_an_early_failure_on_the_ramp_opens_it_again() -> None:
    """And the next probes begin from the start."""
    bench = Bench(RAMP)
    bench.begin_ramp()

    bench.fail()

    assert bench.ear.transitions()[-1] == ("half-open", "open", "1 of 1 calls of the ramp failed")


def test_a_ramp_bears_a_failure_now_and_then() -> None:
    """Or a dependency that always fails a little would never recover."""
    bench = Bench(RAMP)
    bench.begin_ramp()
    for _ in range(80):
        permit = bench.ask()
        if permit:
            permit.success()

    permits = [bench.circuit.acquire()]
    permits += [permit for _ in range(11) if (permit := bench.ask())]
    for permit in permits[:2]:
        permit.failure()
    assert bench.state == "half-open"
    permits[2].failure()

    assert TOLERATED == 0.1
    assert bench.ear.transitions()[-1] == ("half-open", "open", "3 of 23 calls of the ramp failed")


def test_the_ramp_goes_by_the_usual_rate() -> None:
    """A herd that asks much more often than ever gets no more than its share of what is usual."""
    bench = Bench(RAMP)
    for _ in range(600):
        bench.clock.advance(0.1)
        bench.succeed()
    bench.begin_ramp()

    admitted = 0
    for _ in range(1000):
        bench.clock.advance(0.003)
        admitted += bench.ask() is not None

    usual = 10.0
    assert 0.25 * usual * 3.0 - 1 <= admitted <= 0.25 * usual * 3.0 + 2


def test_a_herd_gets_no_more_than_half_of_what_was_usual_until_it_has_recovered() -> None:
    """Ten times as many calls as ever, on a dependency that is back and slow: as by default."""
    bench = Bench(Terms(5, 5.0, 2))
    for _ in range(6000):
        bench.clock.advance(0.01)
        bench.succeed()
    bench.open()
    bench.clock.advance(5.0)

    under_way: deque[tuple[float, Permit]] = deque()
    admitted: Counter[int] = Counter()
    while bench.state != "closed":
        bench.clock.advance(0.01)
        now = bench.clock.monotonic()
        while under_way and under_way[0][0] <= now:
            under_way.popleft()[1].success()
        for permit in filter(None, [bench.ask() for _ in range(10)]):
            under_way.append((now + 0.5, permit))
            admitted[int(now)] += bench.state == "half-open"

    usual = 100
    assert max(admitted.values()) <= 0.5 * usual + 2
    assert 15.0 <= bench.clock.monotonic() - 65.0 <= 18.0


def test_a_call_of_the_ramp_that_says_nothing_gives_its_place_back() -> None:
    """The next call may have it."""
    bench = Bench(RAMP)
    bench.begin_ramp()
    permit = bench.circuit.acquire()
    assert bench.ask() is None

    permit.ignore()

    assert bench.ask() is not None
    assert bench.ask() is None


class Herd:
    """Calls of a ramp, and how many of them were let through since its share began."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.under_way: list[Permit] = []
        self.step = self.asked = self.admitted = 0

    def ask(self) -> None:
        """A call begins."""
        permit = self.bench.ask()
        trial = self.bench.circuit.period.trial
        if trial is None:
            return
        if self.step != trial._steps:
            self.step, self.asked, self.admitted = trial._steps, 0, 0
        self.asked += 1
        self.admitted += permit is not None
        if permit is not None:
            self.under_way.append(permit)
        assert self.admitted <= math.ceil(trial.share * self.asked)

    def end(self, *, well: bool) -> None:
        """A call ends, well or without saying anything."""
        if not self.under_way:
            return
        permit = self.under_way.pop()
        if well:
            permit.success()
            return
        self.admitted -= permit.place == -self.step
        permit.ignore()


@given(
    st.lists(st.sampled_from(["ask", "succeed", "ignore", "wait", "long"]), max_size=120),
    st.sampled_from([(0.1,), (0.25, 0.5), (0.3, 0.3, 1.0)]),
)
def test_no_more_than_the_share_is_ever_let_through(
    steps: list[str], ramp: tuple[float, ...]
) -> None:
    """Whatever comes between, it is their part of all calls since the share began, rounded up."""
    bench = Bench(Terms(2, 10.0, 2, ramp=ramp, ramp_step=4.0))
    bench.begin_ramp()
    herd = Herd(bench)
    does: dict[str, Callable[[], None]] = {
        "ask": herd.ask,
        "succeed": lambda: herd.end(well=True),
        "ignore": lambda: herd.end(well=False),
        "wait": lambda: bench.clock.advance(1.0),
        "long": lambda: bench.clock.advance(5.0),
    }

    for step in steps:
        does[step]()  # the herd looks at its share each time it asks

    assert herd.admitted <= herd.asked
