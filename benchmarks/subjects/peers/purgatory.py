"""purgatory: decorators of its factories, and `get_breaker` for blocks."""

from case import Case, Cases
from purgatory import AsyncCircuitBreakerFactory, SyncCircuitBreakerFactory

from subjects import calls


def cases(_: str) -> Cases:
    """Return the calls of circuits that are closed, and that are open."""
    factory, afactory = SyncCircuitBreakerFactory(), AsyncCircuitBreakerFactory()

    def block() -> None:
        work = calls.work
        for _ in range(calls.MANY):
            with factory.get_breaker("block"):
                work()

    return {
        "call": Case(factory("closed")(calls.work)),
        "async call": calls.awaited(afactory("closed")(calls.awork)),
        "block": Case(block, times=calls.MANY),
        "refusal": calls.rejected(calls.opened(factory("away", ttl=3600)(calls.failing))),
        "async refusal": calls.arejected(calls.aopened(afactory("away", ttl=3600)(calls.afailing))),
        "threads": calls.in_threads(factory("threads")(calls.waiting)),
    }
