"""The budget of further attempts: a share of what succeeds, and a reserve."""

import threading

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from holdfast.resilience.budget import Budget
from holdfast.testing import FakeClock


class Model(RuleBasedStateMachine):
    """Drives a bucket beside the plainest thing that does the same: every deposit made at once."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.spec = Budget(ratio=0.25, reserve=0.5, ceiling=4.0)
        self.bucket = self.spec.live(self.clock)
        self.pending = 0.0
        self.tokens = 4.0

    @rule(times=st.integers(1, 40))
    def succeed(self, times: int) -> None:
        """Calls succeed."""
        for _ in range(times):
            self.bucket.succeeded()
        self.pending += 0.25 * times

    @rule(seconds=st.integers(0, 10))
    def wait(self, seconds: int) -> None:
        """Time passes."""
        self.clock.advance(seconds)
        self.pending += 0.5 * seconds

    @rule()
    def take(self) -> None:
        """A call wants to be made again."""
        self.settle()
        allowed = self.tokens >= 1.0
        assert self.bucket.take() is allowed
        self.tokens -= 1.0 if allowed else 0.0

    @precondition(lambda self: self.pending)
    @rule()
    def look(self) -> None:
        """Somebody looks, which changes nothing."""
        self.settle()
        assert self.bucket.tokens == self.tokens

    def settle(self) -> None:
        """Deposit what came together."""
        self.tokens = min(4.0, self.tokens + self.pending)
        self.pending = 0.0

    @invariant()
    def bounded(self) -> None:
        """Never below nothing, never above the ceiling."""
        assert 0.0 <= self.tokens <= 4.0


TestModel = Model.TestCase


def test_ten_tenths_are_one() -> None:
    """Deposits that are counted one by one are not lost to rounding."""
    bucket = Budget(ratio=0.1, reserve=0.0, ceiling=1.0).live(FakeClock())
    assert bucket.take()

    for _ in range(10):
        bucket.succeeded()
        assert bucket.tokens <= 1.0

    assert bucket.take()
    assert not bucket.take()


def test_no_token_is_given_twice_to_threads() -> None:
    """However many ask at once, and while others succeed."""
    bucket = Budget(ratio=0.0, reserve=0.0, ceiling=500.0).live(FakeClock())
    taken: list[bool] = []
    start = threading.Barrier(8)

    def ask() -> None:
        start.wait()
        for _ in range(200):
            bucket.succeeded()
            taken.append(bucket.take())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (sum(taken), len(taken)) == (500, 1600)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"ratio": 1.5}, r"Budget\.ratio must be at least 0 and at most 1 tokens, not 1\.5"),
        ({"ratio": -0.1}, r"Budget\.ratio must be at least 0"),
        ({"reserve": float("nan")}, r"Budget\.reserve must be at least 0 and finite"),
        ({"reserve": float("inf")}, r"Budget\.reserve must be"),
        ({"ceiling": 0.5}, r"Budget\.ceiling must be at least 1"),
        ({"ceiling": "many"}, r"Budget\.ceiling must be a number of tokens"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, object], said: str) -> None:
    """Where they are written."""
    with pytest.raises((TypeError, ValueError), match=said):
        Budget(**options)  # type: ignore[arg-type]  # on purpose
