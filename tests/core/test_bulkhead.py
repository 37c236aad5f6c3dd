"""A bulkhead: so many calls at once, of threads and tasks; the others wait their turn, or are refused."""

import asyncio
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from holdfast import BulkheadFullError, Effect, ErrorCode, Fault
from holdfast.environment import activated
from holdfast.flow import Ask, adrive, drive
from holdfast.resilience.breaking import Breaker
from holdfast.resilience.bulkhead import Bulkhead, BulkheadLayer, Place, Places
from holdfast.resilience.host import current_host
from holdfast.resilience.policy import Policy
from holdfast.resilience.signal import Signal
from holdfast.resilience.timeout import Deadline
from holdfast.testing import FakeClock, RecordingRuntime
from tests.core.ways import Way


def places_of(policy: Policy) -> Places:
    """Return the live places of a policy in the current runtime."""
    layer = next(
        each
        for each in current_host().policies.of(policy).layers
        if isinstance(each, BulkheadLayer)
    )
    return layer.places


def occupied(policy: Policy) -> Place:
    """Take a place, as a call in progress elsewhere does."""
    place = Place()
    assert places_of(policy).enter(place)
    return place


def until(condition: Callable[[], bool]) -> None:
    """Give other threads their turn until something holds."""
    while not condition():
        threading.Event().wait(0.001)


async def a_turn() -> None:
    """Give other tasks their turn."""
    await FakeClock().asleep(0.0)


@pytest.fixture(autouse=True)
def _one_runtime(runtime: RecordingRuntime) -> None:
    """Have a fresh runtime for every test."""


def test_calls_within_the_limit_are_made(way: Way) -> None:
    """One after the other, as many as there are."""
    policy = Policy("stock", Bulkhead(1))

    assert [way.call(policy, str, number) for number in range(3)] == ["0", "1", "2"]
    assert places_of(policy).in_progress == 0


def test_a_call_above_the_limit_is_refused(way: Way) -> None:
    """It is not made, and says so: a rejection, with the facts an operator needs."""
    policy = Policy("stock", Bulkhead(2))
    occupied(policy)
    occupied(policy)
    calls: list[int] = []

    with pytest.raises(
        BulkheadFullError, match="'stock' has as many calls in progress as it may: 2"
    ) as refused:
        way.call(policy, calls.append, 1)

    error = refused.value
    assert calls == []
    assert (error.code, error.status) == (str(ErrorCode.BULKHEAD_FULL), 503)
    assert error.fault is Fault.DEPENDENCY
    assert error.effect is Effect.NONE
    assert error.learned == {"policy": "stock", "limit": 2, "queue": 0}


def test_a_refusal_is_no_failure_of_the_dependency(way: Way) -> None:
    """The circuit around it stays closed, however many are refused."""
    policy = Policy("stock", Bulkhead(1), Breaker(failure_threshold=1))
    place = occupied(policy)
    for _ in range(3):
        with pytest.raises(BulkheadFullError):
            way.call(policy, str, 1)

    places_of(policy).leave(place)

    assert way.call(policy, str, 1) == "1"


@pytest.mark.parametrize(
    "error", [ValueError, KeyboardInterrupt, SystemExit, asyncio.CancelledError, GeneratorExit]
)
def test_a_place_is_given_back_however_the_call_ends(way: Way, error: type[BaseException]) -> None:
    """By an error, an exit, an interruption or a cancellation."""
    policy = Policy("stock", Bulkhead(1))

    def fail() -> None:
        raise error

    with pytest.raises(error):
        way.call(policy, fail)

    assert places_of(policy).in_progress == 0


def test_functions_of_one_policy_share_its_places(way: Way) -> None:
    """The limit is that of what is called, not of who calls it; another runtime has its own."""
    policy = Policy("stock", Bulkhead(1))
    first, second = way.decorate(policy, str), way.decorate(Policy("stock", Bulkhead(1)), int)
    assert (first(1), second("1")) == ("1", 1)
    occupied(policy)

    for function in (first, second):
        with pytest.raises(BulkheadFullError):
            function(1)
    with activated(RecordingRuntime()):
        assert first(1) == "1"


def test_a_call_that_waits_too_long_is_refused(way: Way) -> None:
    """It leaves the queue to others."""
    policy = Policy("stock", Bulkhead(1, queue=1, wait=0.001))
    occupied(policy)

    for _ in range(3):
        with pytest.raises(BulkheadFullError, match="1 more may wait"):
            way.call(policy, str, 1)

    assert places_of(policy).waiting == 0


def test_nobody_waits_for_longer_than_the_deadline_leaves(way: Way) -> None:
    """A minute is allowed, but the call has a thousandth of a second."""
    policy = Policy("stock", Bulkhead(1, queue=1, wait=3600.0), Deadline(0.001))
    occupied(policy)

    with pytest.raises(BulkheadFullError):
        way.call(policy, str, 1)


def test_a_full_queue_refuses_at_once(way: Way) -> None:
    """Nobody waits an hour behind one who does already."""
    policy = Policy("stock", Bulkhead(1, queue=1, wait=3600.0))
    occupied(policy)
    assert not places_of(policy).enter(Place())

    with pytest.raises(BulkheadFullError):
        way.call(policy, str, 1)


def test_who_waits_is_let_in_by_turns(runtime: RecordingRuntime) -> None:
    """First come, first served, of threads and tasks in one queue."""
    policy = Policy("stock", Bulkhead(1, queue=9, wait=30.0))
    place, served = occupied(policy), list[int]()

    def on_thread(number: int) -> None:
        with activated(runtime):
            policy.call(served.append, number)

    async def append(number: int) -> None:
        served.append(number)

    def on_loop(number: int) -> None:
        with activated(runtime):
            asyncio.run(policy.acall(append, number))

    threads: list[threading.Thread] = []
    for number in range(6):
        target = on_loop if number % 2 else on_thread
        threads.append(threading.Thread(target=target, args=(number,)))
        threads[-1].start()
        until(lambda: places_of(policy).waiting == len(threads))
    places_of(policy).leave(place)
    for thread in threads:
        thread.join()

    assert served == [0, 1, 2, 3, 4, 5]
    assert (places_of(policy).in_progress, places_of(policy).waiting) == (0, 0)


class Room:
    """Keeps who is inside, and how many there were at most."""

    def __init__(self) -> None:
        self.inside: list[int] = []
        self.most = 0
        self.done: list[int] = []

    def enter(self, number: int) -> None:
        """Come in."""
        self.inside.append(number)
        self.most = max(self.most, len(self.inside))

    def leave(self, number: int) -> None:
        """Go out."""
        self.inside.remove(number)
        self.done.append(number)

    def work(self, number: int) -> None:
        """Stay for a moment, on a thread."""
        self.enter(number)
        threading.Event().wait(0.0005)
        self.leave(number)

    async def awork(self, number: int) -> None:
        """Stay for some turns of the loop."""
        self.enter(number)
        await a_turn()
        self.leave(number)


def test_never_more_than_the_limit_of_threads_and_tasks_together(
    runtime: RecordingRuntime,
) -> None:
    """Threads and the tasks of two loops, all at once: the most that were inside is the limit."""
    policy, room = Policy("stock", Bulkhead(3, queue=1000, wait=60.0)), Room()

    def on_thread(first: int) -> None:
        with activated(runtime):
            for number in range(first, first + 20):
                policy.call(room.work, number)

    async def tasks(first: int) -> None:
        numbers = range(first, first + 40)
        await asyncio.gather(*(policy.acall(room.awork, number) for number in numbers))

    def on_loop(first: int) -> None:
        with activated(runtime):
            asyncio.run(tasks(first))

    threads = [threading.Thread(target=on_thread, args=(100 * i,)) for i in range(4)]
    threads += [threading.Thread(target=on_loop, args=(1000 * i,)) for i in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert room.most == 3
    assert len(room.done) == len(set(room.done)) == 4 * 20 + 2 * 40
    assert (places_of(policy).in_progress, places_of(policy).waiting) == (0, 0)


def test_a_task_that_waits_leaves_the_loop_to_others() -> None:
    """Who holds the place can go on, and give it back, on the very same loop."""
    policy = Policy("stock", Bulkhead(1, queue=1, wait=30.0))
    order: list[str] = []

    async def both() -> None:
        released = asyncio.Event()

        async def hold() -> None:
            await released.wait()
            order.append("held")

        async def follow() -> None:
            order.append("followed")

        holding = asyncio.create_task(policy.acall(hold))
        await a_turn()
        following = asyncio.create_task(policy.acall(follow))
        await a_turn()
        assert places_of(policy).waiting == 1
        released.set()
        await asyncio.gather(holding, following)

    asyncio.run(both())

    assert order == ["held", "followed"]


def test_a_task_that_is_cancelled_while_it_waits_gives_its_turn_on() -> None:
    """The one behind it is let in, also when the turn had just been given to the cancelled one."""
    policy = Policy("stock", Bulkhead(1, queue=9, wait=30.0))
    place, served = occupied(policy), list[str]()

    async def serve(name: str) -> None:
        served.append(name)

    async def queue() -> None:
        first, second, third, fourth = (
            asyncio.create_task(policy.acall(serve, name)) for name in "abcd"
        )
        await a_turn()
        first.cancel()
        await asyncio.wait((first,))
        assert places_of(policy).waiting == 3
        places_of(policy).leave(place)  # the turn is the second's, who does not know yet
        second.cancel()
        await asyncio.wait((second,))
        await asyncio.gather(third, fourth)

    asyncio.run(queue())

    assert served == ["c", "d"]
    assert (places_of(policy).in_progress, places_of(policy).waiting) == (0, 0)


def test_a_thread_that_is_interrupted_while_it_waits_gives_its_turn_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ctrl-C in the queue leaves nothing there."""
    policy = Policy("stock", Bulkhead(1, queue=1, wait=30.0))
    occupied(policy)

    def interrupted(self: Signal, seconds: float) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(Signal, "wait", interrupted)

    with pytest.raises(KeyboardInterrupt):
        policy.call(str, 1)

    assert (places_of(policy).in_progress, places_of(policy).waiting) == (1, 0)


class Interrupted:
    """A flow whose driver is interrupted before it can hand on an answer."""

    def __init__(self) -> None:
        self.closed = False

    def __next__(self) -> Ask:
        return self

    def send(self, answer: object) -> Ask:
        raise KeyboardInterrupt

    def close(self) -> None:
        self.closed = True

    def now(self) -> None:
        """Answer."""

    async def later(self) -> None:
        """Answer."""


def test_a_driver_that_is_interrupted_lets_the_flow_clean_up() -> None:
    """What a layer holds is given back at once, and not when somebody drops the traceback."""
    plain, awaited = Interrupted(), Interrupted()

    with pytest.raises(KeyboardInterrupt):
        drive(plain)  # type: ignore[arg-type]  # all of a flow that is used here
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(adrive(awaited))  # type: ignore[arg-type]

    assert plain.closed
    assert awaited.closed


def test_a_task_that_nobody_finishes_gives_its_place_back() -> None:
    """A loop that is closed in the middle of a call takes no place with it."""
    policy = Policy("stock", Bulkhead(1))

    class Never:
        def __await__(self) -> Generator[None, None, None]:
            yield

    async def hang() -> None:
        await Never()

    call = policy.acall(hang)
    call.send(None)
    assert places_of(policy).in_progress == 1
    call.close()

    assert places_of(policy).in_progress == 0


def test_a_place_may_be_given_back_in_the_middle_of_the_bookkeeping() -> None:
    """As the garbage collector does, on the very thread that is at it: nothing hangs, nothing is lost."""
    places = Places(1, 1)
    first, second = Place(), Place()
    assert places.enter(first)

    class Collecting(set[Place]):
        """Has somebody leave whenever a place is taken away."""

        def discard(self, place: object) -> None:
            super().discard(place)
            places._taken = set(self)
            places.leave(second)

    places._taken = Collecting(places._taken)
    assert not places.enter(second)
    places.leave(first)

    assert (places.in_progress, places.waiting) == (0, 0)


def test_who_leaves_as_soon_as_called_is_seen_to_by_who_called() -> None:
    """The one that holds the lock looks once more before it goes: nobody else may come by for long."""
    places = Places(1, 1)
    first, second = Place(), Place()

    class Leaving(Signal):
        """Leaves in the very moment of its turn."""

        def give(self) -> None:
            super().give()
            places.leave(second)

    assert places.enter(first)
    assert not places.enter(second)
    second.turn = Leaving()
    places.leave(first)

    assert second.turn.given
    assert (places.in_progress, places.waiting) == (0, 0)


def test_who_leaves_twice_or_never_entered_takes_nothing_along() -> None:
    """Nobody else loses a place by it."""
    places = Places(1, 0)
    gone, staying = Place(), Place()
    places.enter(gone)
    places.leave(gone)
    places.enter(staying)

    places.leave(gone)
    places.leave(Place())

    assert places.in_progress == 1


FORK = """
import os, threading
from holdfast.resilience.bulkhead import Place, Places

places = Places(1, 1)
mine, held, over = Place(), threading.Event(), threading.Event()

def hold():
    places.enter(mine)
    held.set()
    over.wait(20)

thread = threading.Thread(target=hold)
thread.start()
held.wait(20)
places.enter(Place())
child = os.fork()
if not child:
    place, next_one = Place(), Place()
    fine = places.enter(place) and not places.enter(next_one)
    places.leave(mine)
    fine = fine and places.in_progress == 1
    places.leave(place)
    os._exit(0 if fine and next_one.taken else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), places.in_progress, places.waiting)
over.set()
thread.join()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no os.fork")
def test_a_forked_child_begins_with_every_place_free() -> None:
    """Calls of its parent end in its parent, and so do those that wait there."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )

    assert done.stdout.split() == ["0", "1", "1"]


class Doors(RuleBasedStateMachine):
    """Who comes and goes, beside a model of who is inside and who is in line."""

    there = Bundle("there")

    @rule(limit=st.integers(1, 3), room=st.integers(0, 3))
    def open(self, limit: int, room: int) -> None:
        """Begin anew."""
        self.limit, self.room = limit, room
        self.places = Places(limit, room)
        self.inside: set[Place] = set()
        self.line: deque[Place] = deque()

    def __init__(self) -> None:
        super().__init__()
        self.open(2, 2)

    @rule(target=there)
    def come(self) -> Place:
        """Enter, join the line, or be refused."""
        place = Place()
        entered = self.places.enter(place)

        if len(self.inside) < self.limit:
            self.inside.add(place)
            assert entered
        elif len(self.line) < self.room:
            self.line.append(place)
            assert not entered
            assert place.turn is not None
        else:
            assert not entered
            assert place.turn is None
        return place

    @rule(place=consumes(there))
    def go(self, place: Place) -> None:
        """Leave, from wherever one is; the next in line enters."""
        self.places.leave(place)

        self.inside.discard(place)
        if place in self.line:
            self.line.remove(place)
        while self.line and len(self.inside) < self.limit:
            self.inside.add(self.line.popleft())

    @invariant()
    def agree(self) -> None:
        """Model and places say the same, and whoever is inside knows."""
        assert self.places._taken == self.inside
        assert self.places._waiting == self.line
        assert all(place.taken for place in self.inside)
        assert all(place.turn is None or place.turn.given for place in self.inside)
        assert not any(place.taken for place in self.line)


TestDoors = Doors.TestCase


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"limit": 0}, ValueError, "Bulkhead.limit must be 1"),
        ({"limit": 1.5}, TypeError, "Bulkhead.limit must be a whole number"),
        ({"limit": 1, "queue": -1}, ValueError, "Bulkhead.queue must be 0"),
        ({"limit": 1, "wait": -1.0}, ValueError, "Bulkhead.wait must be at least 0"),
        ({"limit": 1, "wait": float("inf")}, ValueError, "Bulkhead.wait must be at least 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    options: dict[str, int], error: type[Exception], message: str
) -> None:
    """When the policy is written, not when it is used."""
    with pytest.raises(error, match=message):
        Bulkhead(**options)
