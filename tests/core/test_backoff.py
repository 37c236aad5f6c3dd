"""How long to wait: never below nothing, never beyond the backoff, drawn from all between."""

import random

from hypothesis import given
from hypothesis import strategies as st

from holdfast.resilience.backoff import full_jitter

SECONDS = st.floats(0.001, 1e6)


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
    chance = random.Random(seed)  # noqa: S311  # repeatable

    waited = full_jitter(retries, base=base, ceiling=ceiling, chance=chance)

    assert 0 <= waited <= min(ceiling, base * 2.0 ** min(max(retries, 0), 64))


def test_the_widest_wait_doubles_up_to_the_ceiling() -> None:
    """The first retry waits for the base at most; what is less than none counts as none."""
    waits = [full_jitter(n, base=0.5, ceiling=3.0, chance=Most()) for n in (-1, 0, 1, 2, 3, 999)]

    assert waits == [0.5, 0.5, 1.0, 2.0, 3.0, 3.0]


def test_there_need_be_no_ceiling() -> None:
    """Then the attempts bound it."""
    assert full_jitter(10, base=1.0, chance=Most()) == 1024.0
