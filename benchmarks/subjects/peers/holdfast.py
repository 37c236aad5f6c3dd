"""holdfast: policies around functions, and the drop-in class."""

from case import Case, Cases

from holdfast import configure
from holdfast.resilience.backoff import Constant
from holdfast.resilience.breaking import Breaker
from holdfast.resilience.policy import Policy
from holdfast.resilience.retry import Retry
from holdfast.resilience.timeout import Timeout
from subjects import calls


def cases(_: str) -> Cases:
    """Return the calls of circuits that are closed, and that are open, retries and whole policies."""
    configure(reporters=())
    closed = Policy("closed", Breaker())
    away = Policy("away", Breaker(recovery_timeout=3600.0))
    again = Policy("again", Retry(attempts=3, backoff=Constant()))
    whole = Policy("whole", Timeout(2.0), Retry(attempts=3), Breaker())
    return {
        "call": Case(closed(calls.work)),
        "async call": calls.awaited(closed(calls.awork)),
        "refusal": calls.rejected(calls.opened(away(calls.failing))),
        "async refusal": calls.arejected(calls.aopened(away(calls.afailing))),
        "threads": calls.in_threads(closed(calls.waiting)),
        "retry": Case(again(calls.work)),
        "async retry": calls.awaited(again(calls.awork)),
        "two failures": Case(again(calls.Flaky().call)),
        "async two failures": calls.awaited(again(calls.Flaky().acall), calls.FEWER),
        "policy": Case(whole(calls.work)),
        "async policy": calls.awaited(whole(calls.awork)),
    }
