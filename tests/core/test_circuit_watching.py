"""Who watches a circuit is told after its lock is released, in order, once, and can do no harm."""

import threading
from itertools import pairwise

import pytest

from holdfast.forks import ForkSafeLock
from holdfast.resilience.circuit.circuit import Circuit
from holdfast.resilience.circuit.period import State
from holdfast.resilience.circuit.terms import Terms
from holdfast.resilience.circuit.watching import NAMES, Watcher, Watchers
from holdfast.resilience.weaving import Gate
from tests.core.circuits import Bench, Ear


def test_everything_is_told_in_order() -> None:
    """Each call as it begins and ends, and what came of it."""
    bench = Bench(Terms(1, 10.0, 1), hearing=NAMES)
    error = TimeoutError()

    bench.succeed()
    bench.fail(1, error)
    assert bench.ask() is None
    bench.clock.advance(10.0)
    bench.circuit.acquire().ignore()
    bench.circuit.shadow()

    opened = (State.CLOSED, State.OPEN, "1 failures in a row")
    probing = (State.OPEN, State.HALF_OPEN, "time for a probe")
    assert bench.ear.heard == [
        ("admitted",),
        ("success",),
        ("admitted",),
        ("failure", error),
        ("transition", *opened),
        ("decided", *opened),
        ("rejected", "open", 10.0),
        ("transition", *probing),
        ("decided", *probing),
        ("admitted",),
        ("ignored",),
        ("overridden", bench.circuit.override),
    ]


def test_a_watcher_may_use_the_circuit() -> None:
    """No lock is held; what it causes is told after what it is being told."""
    bench = Bench(Terms(1, 10.0, 1))

    class Closing(Watcher):
        def __init__(self, circuit: Circuit) -> None:
            self.circuit = circuit

        def transition(self, before: State, after: State, reason: str) -> None:
            assert self.circuit.snapshot().state is self.circuit.state
            if after is State.OPEN:
                self.circuit.close("not today")

    bench.circuit.remove_watcher(bench.ear)
    bench.circuit.add_watcher(Closing(bench.circuit))
    bench.circuit.add_watcher(bench.ear)

    bench.fail()

    assert bench.ear.transitions() == [
        ("closed", "open", "1 failures in a row"),
        ("open", "closed", "not today"),
    ]


def test_a_watcher_that_fails_hurts_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    """The call goes on, others are told, and there is one complaint."""
    bench = Bench(Terms(1, 10.0, 1))

    class Failing(Watcher):
        def transition(self, before: State, after: State, reason: str) -> None:
            raise LookupError("no such dashboard")

    bench.circuit.remove_watcher(bench.ear)
    bench.circuit.add_watcher(Failing())
    bench.circuit.add_watcher(bench.ear)
    bench.fail()
    bench.circuit.close()

    assert len(bench.ear.transitions()) == 2
    complaints = capsys.readouterr().err.splitlines()
    assert len(complaints) == 1
    assert complaints[0].endswith("which watches a circuit, failed: LookupError: no such dashboard")


def test_who_watches_every_call_shuts_the_gates() -> None:
    """Only then: who hears of changes alone costs nothing."""
    bench = Bench(hearing=("transition", "failure"))
    gate, ear = Gate(), Ear("success")
    bench.circuit.watch(gate)
    assert gate.period is not None

    bench.circuit.add_watcher(ear)

    assert gate.period is None
    bench.circuit.remove_watcher(ear)
    assert gate.period is not None


def test_methods_that_are_not_overridden_are_not_called() -> None:
    """A watcher that derives and listens to transitions leaves the short way open."""
    bench = Bench(hearing=("transition",))
    gate = Gate()
    bench.circuit.watch(gate)

    bench.circuit.add_watcher(Watcher())

    assert gate.period is not None


def test_what_is_noted_at_the_last_moment_is_told() -> None:
    """After the one who tells has looked for more, and before somebody else may."""
    watchers, ear = Watchers(), Ear("slow")
    watchers.add(ear)

    class Late(ForkSafeLock):
        def release(self) -> None:
            if len(ear.heard) == 1:
                watchers.note("slow", 2.0)
            super().release()

    watchers._telling = Late()
    watchers.note("slow", 1.0)

    watchers.tell()

    assert ear.heard == [("slow", 1.0), ("slow", 2.0)]


def test_transitions_that_race_are_told_in_their_order() -> None:
    """Each begins where the one before ended, whoever tells it."""
    bench = Bench(Terms(1, 0.0, 1, ramp=()))
    threads = [threading.Thread(target=_disturb, args=(bench, number)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    told = bench.ear.transitions()
    assert len(told) > 8
    assert all(one[1] == two[0] for one, two in pairwise(told))
    assert told[0][0] == "closed"
    assert told[-1][1] == bench.state


def _disturb(bench: Bench, number: int) -> None:
    for turn in range(200):
        permit = bench.ask()
        if permit is not None:
            permit.failure() if (turn + number) % 3 else permit.success()
        if turn % 50 == number:
            bench.circuit.close()
