"""interlock-cb: the decorator, `with`, and its pipeline with tenacity inside."""

from case import Case, Cases
from interlock import CircuitBreaker, Config, Pipeline
from tenacity import wait_none

from subjects import calls


def cases(_: str) -> Cases:
    """Return the calls of circuits that are closed, and that are open; durations are always kept."""
    closed = CircuitBreaker(name="closed")
    away = CircuitBreaker(name="away", config=Config(wait_duration_in_open=3600.0))
    whole = (
        Pipeline.builder()
        .retry(attempts=3, wait=wait_none())
        .circuit_breaker(CircuitBreaker(name="whole"))
        .timeout(2.0)
        .build()
    )

    def block() -> None:
        work = calls.work
        for _ in range(calls.MANY):
            with closed:
                work()

    return {
        "call": Case(closed(calls.work)),
        "async call": calls.awaited(closed(calls.awork)),
        "block": Case(block, times=calls.MANY),
        "refusal": calls.rejected(calls.opened(away(calls.failing))),
        "async refusal": calls.arejected(calls.aopened(away(calls.afailing))),
        "threads": calls.in_threads(closed(calls.waiting)),
        "policy": Case(whole(calls.work)),
        "async policy": calls.awaited(whole(calls.awork)),
    }
