"""circuitbreaker: the decorator."""

from case import Case, Cases
from circuitbreaker import circuit

from subjects import calls


def cases(_: str) -> Cases:
    """Return the calls of circuits that are closed, and that are open."""
    away = circuit(recovery_timeout=3600, name="away")
    return {
        "call": Case(circuit(calls.work)),
        "async call": calls.awaited(circuit(calls.awork)),
        "refusal": calls.rejected(calls.opened(away(calls.failing))),
        "async refusal": calls.arejected(calls.aopened(away(calls.afailing))),
        "threads": calls.in_threads(circuit(calls.waiting)),
    }
