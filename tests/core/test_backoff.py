"""How long to wait: never below nothing, never beyond the backoff, drawn from all between."""

import math
import random
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from holdfast.resilience.backoff import (
    Backoff,
    Constant,
    Decorrelated,
    Exponential,
    Jitter,
    full_jitter,
)
from holdfast.resilience.validity import LONGEST

SECONDS = st.floats(0.001, 1e6)
ANY_SECONDS = st.floats(0.0, LONGEST)
RETRIES = st.integers(-5, 10**400)
JITTERS: tuple[Jitter, ...] = ("full", "proportional", "none")


def drawing(seed: int) -> random.Random:
    """Return chance that can be repeated."""
    return random.Random(seed)  # noqa: S311  # repeatable


class Most(random.Random):
    """Chance at its most."""

    def random(self) -> float:
        """Return the greatest."""
        return 1.0


@given(st.integers(-5, 10**6), SECONDS, SECONDS, st.integers())
def test_the_wait_stays_within_the_backoff(
    retries: int, base: float, ceiling: float, seed: int
) -> None:
    """However often was tried before, and without any overflow."""
    waited = full_jitter(retries, base=base, ceiling=ceiling, chance=drawing(seed))

    assert 0 <= waited <= min(ceiling, base * 2.0 ** min(max(retries, 0), 64))


def test_the_widest_wait_doubles_up_to_the_ceiling() -> None:
    """The first retry waits for the base at most; what is less than none counts as none."""
    waits = [full_jitter(n, base=0.5, ceiling=3.0, chance=Most()) for n in (-1, 0, 1, 2, 3, 999)]

    assert waits == [0.5, 0.5, 1.0, 2.0, 3.0, 3.0]


def test_there_need_be_no_ceiling() -> None:
    """Then the attempts bound it, and a year."""
    assert full_jitter(10, base=1.0, chance=Most()) == 1024.0
    assert full_jitter(10**9, base=1e9, chance=Most()) == LONGEST


@given(
    retries=RETRIES,
    bounds=st.tuples(ANY_SECONDS, ANY_SECONDS).map(sorted),
    factor=st.floats(1.0, 1e308),
    jitter=st.sampled_from(JITTERS),
    seed=st.integers(),
)
def test_an_exponential_wait_never_exceeds_its_ceiling(
    retries: int, bounds: list[float], factor: float, jitter: Jitter, seed: int
) -> None:
    """At any attempt, with any factor."""
    backoff = Exponential(bounds[0], bounds[1], factor, jitter)

    assert 0.0 <= backoff.delay(retries, 0.0, drawing(seed)) <= bounds[1]


@given(st.integers(0, 300), st.floats(0.001, 10.0), st.floats(1.0, 9.0))
def test_waits_without_jitter_never_get_shorter(retries: int, base: float, factor: float) -> None:
    """The other side is given more time, not less."""
    backoff = Exponential(base, 600.0, factor, "none")
    chance = drawing(0)

    assert backoff.delay(retries, 0.0, chance) <= backoff.delay(retries + 1, 0.0, chance)


@given(ANY_SECONDS, st.integers())
def test_proportional_jitter_is_half_to_one_and_a_half_times(seconds: float, seed: int) -> None:
    """As the field has it: plus or minus fifty per cent."""
    waited = Constant(seconds, "proportional").delay(0, 0.0, drawing(seed))

    assert 0.5 * seconds <= waited <= 1.5 * seconds


@given(ANY_SECONDS, RETRIES)
def test_a_constant_wait_is_the_same_each_time(seconds: float, retries: int) -> None:
    """Unless chance is asked."""
    assert Constant(seconds).delay(retries, 7.0, drawing(0)) == seconds


class DecorrelatedWaits(RuleBasedStateMachine):
    """Draws waits, each from the one before."""

    @initialize(bounds=st.tuples(ANY_SECONDS, ANY_SECONDS).map(sorted), seed=st.integers())
    def begin(self, bounds: list[float], seed: int) -> None:
        """Choose the bounds."""
        self.base, self.ceiling = bounds
        self.backoff = Decorrelated(self.base, self.ceiling)
        self.chance = drawing(seed)
        self.previous, self.retries = 0.0, 0

    @rule()
    def draw(self) -> None:
        """Each lies between the base and three times the one before, and under the ceiling."""
        waited = self.backoff.delay(self.retries, self.previous, self.chance)

        widest = max(self.base, self.previous) * 3.0
        assert min(self.base, self.ceiling) <= waited <= min(self.ceiling, widest) * (1 + 1e-12)
        self.previous, self.retries = waited, self.retries + 1


TestDecorrelatedWaits = DecorrelatedWaits.TestCase


@pytest.mark.parametrize("previous", [math.inf, 1e308, -1.0])
def test_a_wait_that_makes_no_sense_before_changes_nothing(previous: float) -> None:
    """Whoever calls may have said anything."""
    assert 0.1 <= Decorrelated(0.1, 5.0).delay(3, previous, drawing(1)) <= 5.0


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        (
            Constant,
            {"seconds": -1},
            r"Constant\.seconds must be at least 0 and at most 31536000 seconds, not -1",
        ),
        (Constant, {"seconds": math.nan}, r"Constant\.seconds must be at least 0"),
        (Constant, {"seconds": "1"}, r"Constant\.seconds must be a number of seconds, not '1'"),
        (Constant, {"seconds": True}, r"Constant\.seconds must be a number of seconds"),
        (Constant, {"jitter": "half"}, r"Constant\.jitter must be one of full, proportional, none"),
        (Exponential, {"base": math.inf}, r"Exponential\.base must be"),
        (
            Exponential,
            {"base": 5, "ceiling": 1},
            r"Exponential\.ceiling must be at least its base, 5",
        ),
        (Exponential, {"factor": 0.5}, r"Exponential\.factor must be at least 1 and finite"),
        (Exponential, {"jitter": None}, r"Exponential\.jitter must be one of"),
        (
            Decorrelated,
            {"base": 5, "ceiling": 1},
            r"Decorrelated\.ceiling must be at least its base",
        ),
        (Decorrelated, {"ceiling": math.inf}, r"Decorrelated\.ceiling must be"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    kind: type[object], options: dict[str, object], said: str
) -> None:
    """Where they are written: what, where, and what to write."""
    with pytest.raises((TypeError, ValueError), match=said):
        cast("type[Backoff]", kind)(**options)
