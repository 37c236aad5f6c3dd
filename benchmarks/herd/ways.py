"""Five ways to call a dependency; each is given the call and returns it protected."""

from collections.abc import Awaitable, Callable
from typing import Final

from benchmarks.herd.dependency import Down
from holdfast import Breaker, Policy, Retry

OURS: Final = Policy(
    "herd",
    Retry(attempts=3),
    Breaker(failure_threshold=5, recovery_timeout=1.0, ramp_step=1.0),
)
"""Retry with its budget, breaker with its ramp: their defaults but for the times, which are scaled."""

Call = Callable[[], object]


def unprotected(call: Call) -> Call:
    """Call it as it is."""
    return call


def ours(call: Call) -> Call:
    """Protect it by a policy."""
    return OURS(call)


def aours(call: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[object]]:
    """Protect a coroutine function by a policy."""
    return OURS(call)


def pybreaker(call: Call) -> Call:
    """Put a circuit breaker around it."""
    from pybreaker import CircuitBreaker  # noqa: PLC0415  # one process has one way

    return CircuitBreaker(fail_max=5, reset_timeout=1)(call)


def pybreaker_calling(call: Call) -> Call:
    """Put a circuit breaker around a block."""
    from pybreaker import CircuitBreaker  # noqa: PLC0415  # one process has one way

    breaker = CircuitBreaker(fail_max=5, reset_timeout=1)

    def guarded() -> object:
        with breaker.calling():
            return call()

    return guarded


def tenacity(call: Call) -> Call:
    """Retry with exponential backoff and full jitter, as its documentation advises for shared resources."""
    import tenacity as library  # noqa: PLC0415  # one process has one way

    return library.retry(
        retry=library.retry_if_exception_type(Down),
        wait=library.wait_random_exponential(multiplier=0.1, max=2),
        stop=library.stop_after_attempt(5),
    )(call)


WAYS: Final = {
    "holdfast": ours,
    "pybreaker": pybreaker,
    "pybreaker-calling": pybreaker_calling,
    "tenacity": tenacity,
    "none": unprotected,
}
