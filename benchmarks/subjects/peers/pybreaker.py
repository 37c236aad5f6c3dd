"""pybreaker: the decorator, and `calling()` for blocks."""

import pybreaker
from case import Case, Cases

from subjects import calls


def cases(_: str) -> Cases:
    """Return the calls of one circuit that is closed, and of one that is open."""
    closed, away = pybreaker.CircuitBreaker(), pybreaker.CircuitBreaker(reset_timeout=3600)

    def block() -> None:
        work = calls.work
        for _ in range(calls.MANY):
            with closed.calling():
                work()

    return {
        "call": Case(closed(calls.work)),
        "block": Case(block, times=calls.MANY),
        "refusal": calls.rejected(calls.opened(away(calls.failing))),
        "threads": calls.in_threads(closed(calls.waiting)),
    }
