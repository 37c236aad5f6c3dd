"""A circuit: when it changes its state, what it then does with calls, and who may decide otherwise."""

import random

import pytest

from holdfast.resilience.breaking import Breaker
from holdfast.resilience.circuit.period import Override, State
from holdfast.resilience.circuit.rules import Consecutive
from holdfast.resilience.circuit.terms import Terms
from holdfast.resilience.weaving import Gate
from tests.core.circuits import Bench

OPENED = ("closed", "open", "2 failures in a row")
PROBING = ("open", "half-open", "time for a probe")


class AskingError(Exception):
    """The other side asks to be left alone for a while."""

    def __init__(self, retry_after: float) -> None:
        super().__init__()
        self.retry_after = retry_after


def test_it_opens_probes_and_closes() -> None:
    """The way there and back, each step told once, in order, with its reason."""
    bench = Bench()

    bench.fail(2)
    refused = bench.refusal()
    bench.clock.advance(10.0)
    bench.succeed(2)

    assert (refused.reason, refused.retry_after) == ("open", 10.0)
    assert bench.ear.transitions() == [
        OPENED,
        PROBING,
        ("half-open", "closed", "probes succeeded"),
    ]


def test_a_success_in_between_begins_a_new_row() -> None:
    """Only failures in a row count, whether the success asked for a permit or took the short way."""
    bench = Bench()

    bench.fail()
    bench.succeed()
    bench.fail()
    bench.circuit.period.succeeded()
    bench.fail()

    assert bench.state == "closed"


def test_a_probe_that_fails_opens_it_again() -> None:
    """For as long as the first time."""
    bench = Bench()
    bench.open()
    bench.clock.advance(10.0)

    bench.fail()

    assert bench.ear.transitions() == [OPENED, PROBING, ("half-open", "open", "a probe failed")]
    assert bench.refusal().retry_after == 10.0


def test_a_result_that_comes_after_a_change_changes_nothing() -> None:
    """A success does not close what was opened meanwhile, a failure does not fail a probe."""
    bench = Bench()
    late = [bench.circuit.acquire() for _ in range(3)]
    bench.open()
    late[0].success()
    bench.clock.advance(10.0)
    probe = bench.circuit.acquire()

    late[1].failure()
    late[2].ignore()

    assert bench.state == "half-open"
    assert bench.ask() is None
    probe.success()
    bench.succeed()
    assert bench.state == "closed"


def test_a_permit_counts_once() -> None:
    """What is given back a second time is nobody's."""
    bench = Bench()
    permit = bench.circuit.acquire()

    permit.failure()
    permit.failure()
    permit.success()
    permit.ignore()

    assert bench.state == "closed"
    bench.fail()
    assert bench.state == "open"


def test_a_permit_is_given_back_even_in_the_middle_of_the_bookkeeping(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The garbage collector may close an abandoned call on the thread that holds the circuit's lock."""
    bench = Bench()
    bench.open()
    bench.clock.advance(10.0)
    probe, monotonic = bench.circuit.acquire(), bench.clock.monotonic

    def collected() -> float:
        probe.ignore()
        return monotonic()

    monkeypatch.setattr(bench.clock, "monotonic", collected)
    answers = [bench.ask() is not None for _ in range(2)]

    assert (answers, bench.circuit.totals()["ignored"]) == ([False, True], 1)


def test_forced_open_refuses_until_it_is_normal_again() -> None:
    """The state goes on beneath: a probe under way when the override lands counts."""
    bench = Bench()
    bench.open()
    bench.clock.advance(10.0)
    bench.succeed()
    probe = bench.circuit.acquire()
    bench.circuit.force_open()

    refused = bench.refusal()
    probe.success()

    assert refused.reason == "forced"
    assert bench.circuit.override is Override.FORCED_OPEN
    assert bench.ask() is None
    assert bench.state == "closed"
    bench.circuit.normal()
    assert bench.ask() is not None


def test_disabled_lets_every_call_through_and_counts_none() -> None:
    """Neither failures nor successes reach the state, open as it may be."""
    bench = Bench()
    bench.circuit.disable()
    bench.fail(5)
    assert bench.state == "closed"
    bench.circuit.normal()
    bench.open()
    bench.circuit.disable()

    bench.fail(5)
    bench.succeed(5)

    assert bench.state == "open"
    bench.circuit.normal()
    assert bench.refusal().reason == "open"


def test_a_shadow_lets_through_and_counts_what_it_would_have_refused() -> None:
    """The machine goes on as if it refused, so that one sees what it would have done."""
    bench = Bench()
    bench.circuit.shadow()
    bench.open()

    bench.fail(3)
    bench.succeed(1)

    assert bench.state == "open"
    assert bench.circuit.snapshot().metrics.blocked_in_shadow == 4
    assert bench.circuit.snapshot().metrics.rejections == 0
    assert ("blocked_in_shadow", "open") in bench.ear.heard
    bench.clock.advance(10.0)
    bench.succeed(2)
    assert bench.state == "closed"


def test_adopted_states_are_told_but_not_as_decided_here() -> None:
    """So that whoever shares a circuit does not send back what came from there."""
    bench = Bench(hearing=("transition", "decided"))

    bench.circuit.adopt(State.OPEN, until=7.0, reason="the fleet has opened")

    assert bench.refusal().retry_after == 7.0
    assert [each[0] for each in bench.ear.heard] == ["transition"]
    bench.circuit.close()
    assert [each[0] for each in bench.ear.heard] == ["transition", "transition", "decided"]


def test_adopting_the_same_state_moves_its_end_alone() -> None:
    """Nobody is told of what did not change, and results still count."""
    bench = Bench()
    bench.open()

    bench.circuit.adopt(State.OPEN, until=30.0, reason="the fleet is open")

    assert bench.refusal().retry_after == 30.0
    assert bench.ear.transitions() == [OPENED]


def test_by_hand_it_opens_for_as_long_as_it_is_told() -> None:
    """And says who did it."""
    bench = Bench()

    bench.circuit.open("maintenance", 120.0)

    assert bench.refusal().retry_after == 120.0
    assert bench.ear.transitions() == [("closed", "open", "maintenance")]


def test_half_open_by_hand_lets_one_probe() -> None:
    """And no more."""
    bench = Bench()

    bench.circuit.half_open()

    assert bench.ask() is not None
    assert bench.refusal().reason == "half-open"


def test_a_reset_is_as_good_as_new() -> None:
    """State, override, counts: nothing is left."""
    bench = Bench()
    bench.open()
    bench.circuit.force_open()

    bench.circuit.reset()

    shown = bench.circuit.snapshot()
    assert (shown.state, shown.override, shown.reason) == (State.CLOSED, None, "")
    assert shown.metrics.failures == 0
    bench.fail()
    assert bench.state == "closed"


def test_somebody_else_may_have_the_leave_to_probe() -> None:
    """Then the circuit stays open, although its time has come."""
    bench = Bench()
    bench.open()
    bench.clock.advance(10.0)
    bench.circuit.may_probe = lambda: False

    refused = bench.refusal()

    assert refused.reason == "half-open"
    assert bench.state == "open"
    bench.circuit.may_probe = lambda: True
    assert bench.ask() is not None


def test_it_stays_open_longer_each_time_up_to_a_limit() -> None:
    """Until it has stayed closed for as long as it was open."""
    terms = Terms(1, 10.0, 1, recovery_factor=2.0, max_recovery_timeout=35.0)
    bench = Bench(terms)
    bench.open()
    seconds = [bench.refusal().retry_after]
    for _ in range(3):
        bench.clock.advance(seconds[-1])
        bench.fail()
        seconds.append(bench.refusal().retry_after)

    assert seconds == [10.0, 20.0, 35.0, 35.0]
    bench.clock.advance(35.0)
    bench.succeed()
    bench.fail()
    assert bench.refusal().retry_after == 35.0
    bench.clock.advance(35.0)
    bench.succeed()
    bench.clock.advance(35.0)
    bench.fail()
    assert bench.refusal().retry_after == 10.0


@pytest.mark.parametrize(
    ("asked", "stays"),
    [(25.0, 25.0), (0.001, 1.0), (86_400.0, 100.0), (float("nan"), 10.0), (-3.0, 10.0)],
)
def test_it_stays_open_for_as_long_as_the_other_side_asks(asked: float, stays: float) -> None:
    """Within bounds, so that neither a zero nor a day does harm."""
    bench = Bench(Terms(1, 10.0, 1))

    bench.fail(error=AskingError(asked))

    assert bench.refusal().retry_after == stays


def test_chance_shortens_the_time_open_by_a_share() -> None:
    """Never by more, and not always by the same."""
    terms = Terms(recovery_timeout=10.0, jitter=0.2)
    chance = random.Random(881)  # noqa: S311  # no secret

    drawn = [terms.open_for(0, 0.0, chance) for _ in range(200)]

    assert 8.0 <= min(drawn) < 8.2
    assert 9.8 < max(drawn) <= 10.0


def test_many_openings_do_not_overflow() -> None:
    """The exponent may be as large as it likes."""
    terms = Terms(recovery_factor=10.0)

    chance = random.Random(881)  # noqa: S311  # no secret

    assert terms.open_for(100_000, 0.0, chance) == 600.0


def test_new_terms_hold_from_the_next_period_on() -> None:
    """What was counted goes on by the old rule until then."""
    bench = Bench()
    bench.circuit.terms = Terms(5, 3.0, 1)

    bench.open()

    assert bench.ear.transitions() == [OPENED]
    assert bench.refusal().retry_after == 3.0


def test_gates_follow_the_state() -> None:
    """Open while everything may pass, refusing while nothing may, and neither once left."""
    bench = Bench(hearing=("transition",))
    gate, left = Gate(), Gate()
    bench.circuit.watch(gate)
    bench.circuit.watch(left)
    bench.circuit.unwatch(left)

    def shown(gate: Gate) -> tuple[bool, bool]:
        period = bench.circuit.period
        assert gate.period in (None, period)
        assert gate.refusing in (None, period)
        return gate.period is period, gate.refusing is period

    assert shown(gate) == (True, False)
    bench.open()
    assert shown(gate) == (False, True)
    bench.circuit.disable()
    assert shown(gate) == (False, False)
    bench.circuit.normal()
    bench.circuit.close()
    assert shown(gate) == (True, False)
    assert shown(left) == (False, False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"failure_threshold": 0}, "Terms.failure_threshold must be at least 1, not 0"),
        ({"success_threshold": 0}, "Terms.success_threshold must be at least 1, not 0"),
        ({"recovery_timeout": -1.0}, "Terms.recovery_timeout must be 0 or more seconds, not -1.0"),
        ({"recovery_timeout": float("inf")}, "recovery_timeout must be 0 or more seconds"),
        ({"recovery_timeout": float("nan")}, "recovery_timeout must be 0 or more seconds"),
        ({"recovery_factor": 0.5}, "recovery_factor must be at least 1"),
        ({"max_recovery_timeout": 5.0}, r"must be at least recovery_timeout \(60.0\)"),
        ({"jitter": 1.5}, "jitter must be a share, from 0 to 1"),
        ({"probe_timeout": 0.0}, "probe_timeout must be more than 0 seconds, and finite"),
        ({"ramp": (0.0, 0.5)}, "ramp must be shares, each above 0 and at most 1"),
        ({"ramp": (0.5, 0.25)}, "ramp must be shares that grow"),
        ({"ramp_step": float("inf")}, "ramp_step must be more than 0 seconds, and finite"),
        ({"metrics_window": 0.0}, "metrics_window must be more than 0 seconds, and finite"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, float], message: str) -> None:
    """When they are written, with the name, the range, and what was given."""
    with pytest.raises(ValueError, match=message):
        Terms(**options)  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"failure_threshold": "5"}, "Breaker.failure_threshold must be a number, not '5'"),
        ({"recovery_timeout": None}, "Breaker.recovery_timeout must be a number, not None"),
        ({"success_threshold": True}, "Breaker.success_threshold must be a number, not True"),
        ({"ramp": [0.5]}, r"Breaker.ramp must be a tuple of numbers, not \[0.5\]"),
        ({"ramp": ("half",)}, "Breaker.ramp must be a number, not 'half'"),
        ({"rule": 0.5}, r"Breaker.rule must be a rule such as TimeWindow\(\), not 0.5"),
    ],
)
def test_options_of_the_wrong_kind_are_refused(options: dict[str, object], message: str) -> None:
    """By the name of what was written, not by Python's word for a comparison."""
    with pytest.raises(TypeError, match=message):
        Breaker(**options)  # type: ignore[arg-type]  # by name


def test_terms_say_when_they_open() -> None:
    """By a row of failures unless a rule says otherwise."""
    assert Terms(3).trip_rule() == Consecutive(3)
