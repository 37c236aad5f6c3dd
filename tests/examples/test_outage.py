"""The part of the demo in which a dependency goes away: what is not as it should be is noticed."""

from dataclasses import replace

import pytest

from examples.walk.outage import MOMENTS, Seen, objections

_, AWAY, _ = MOMENTS
RIGHT = Seen(check="warn", why="CommunicationError", ready=200, live=200, told=("opened",))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (replace(RIGHT, check="pass"), "check: expected warn, got pass"),
        (replace(RIGHT, live=503), "live: expected 200, got 503"),
        (replace(RIGHT, ready=503), "ready: expected 200, got 503"),
        (replace(RIGHT, told=()), "told: expected ('opened',), got ()"),
    ],
)
def test_a_shop_that_is_not_as_it_should_be_is_noticed(wrong: Seen, said: str) -> None:
    """Status, readiness, liveness and what people were told are compared, and nothing else."""
    assert [*objections(AWAY, wrong)] == [said]
    assert [*objections(AWAY, RIGHT)] == []
