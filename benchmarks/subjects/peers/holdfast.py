"""holdfast: policies around functions and blocks, the drop-in class, and a cache."""

import logging

from case import Case, Cases

from holdfast import (
    AnyOf,
    Breaker,
    Cache,
    CircuitBreaker,
    Constant,
    Policy,
    Retry,
    SlowRate,
    Timeout,
    TimeWindow,
    configure,
)
from subjects import calls


def cases(_: str) -> Cases:
    """Return the calls of circuits that are closed, and that are open, retries and whole policies."""
    logging.getLogger("holdfast").addHandler(logging.NullHandler())
    configure(reporters=()).install()
    closed = Policy("closed", Breaker(rule=TimeWindow()))
    slow = Policy("slow", Breaker(rule=AnyOf(TimeWindow(), SlowRate(slower_than=2.0))))
    away = Policy("away", Breaker(recovery_timeout=3600.0))
    again = Policy("again", Retry(attempts=3, backoff=Constant()))
    unbounded = Policy("unbounded", Retry(attempts=3, backoff=Constant(), budget=None))
    whole = Policy("whole", Timeout(2.0), Retry(attempts=3), Breaker())
    return {
        "call": Case(closed(calls.work)),
        "slow": Case(slow(calls.work)),
        "async call": calls.awaited(closed(calls.awork)),
        "block": _blocks(closed),
        "refusal": calls.rejected(calls.opened(away(calls.failing))),
        "async refusal": calls.arejected(calls.aopened(away(calls.afailing))),
        "threads": calls.in_threads(closed(calls.waiting)),
        "retry": Case(again(calls.work)),
        "async retry": calls.awaited(again(calls.awork)),
        # Its budget would end a benchmark that does nothing but fail.
        "two failures": Case(unbounded(calls.Flaky().call)),
        "async two failures": calls.awaited(unbounded(calls.Flaky().acall), calls.FEWER),
        "policy": Case(whole(calls.work)),
        "async policy": calls.awaited(whole(calls.awork)),
        **_dropped_in(),
        "hit": _hit(),
    }


def _dropped_in() -> Cases:
    closed, away = CircuitBreaker(), CircuitBreaker(reset_timeout=3600)
    return {
        "drop-in": Case(closed(calls.work)),
        "async drop-in": calls.awaited(closed(calls.awork)),
        "drop-in block": _blocks(closed),
        "drop-in refusal": calls.rejected(calls.opened(away(calls.failing))),
        "drop-in threads": calls.in_threads(closed(calls.waiting)),
    }


def _blocks(closed: Policy | CircuitBreaker) -> Case:
    def block() -> None:
        work = calls.work
        for _ in range(calls.MANY):
            with closed.calling():
                work()

    return Case(block, times=calls.MANY)


def _hit() -> Case:
    prices = Cache("prices", ttl=3600.0)

    @prices.cached()
    def price(sku: str) -> dict[str, object]:
        return {"sku": sku, "price": 881}

    return Case(lambda: price("sku-81"))
