"""aiobreaker: the decorator."""

from datetime import timedelta

from aiobreaker import CircuitBreaker
from case import Case, Cases

from subjects import calls


def cases(_: str) -> Cases:
    """Return the calls of a circuit that is closed, and of one that is open."""
    closed, away = CircuitBreaker(), CircuitBreaker(timeout_duration=timedelta(hours=30))
    return {
        "call": Case(closed(calls.work)),
        "async call": calls.awaited(closed(calls.awork)),
        "refusal": calls.rejected(calls.opened(away(calls.failing))),
        "async refusal": calls.arejected(calls.aopened(away(calls.afailing))),
        "threads": calls.in_threads(closed(calls.waiting)),
    }
