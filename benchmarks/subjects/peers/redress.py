"""redress: `Policy` and `AsyncPolicy`, and the decorator `retry`."""

from functools import partial

from case import Case, Cases
from redress import (
    AsyncPolicy,
    AsyncRetry,
    BackoffContext,
    CircuitBreaker,
    Policy,
    Retry,
    default_classifier,
    retry,
)

from subjects import calls


def _no_wait(_: BackoffContext) -> float:
    return 0.0


def cases(_: str) -> Cases:
    """Return the calls of circuits that are closed, and that are open, and retries."""
    closed, aclosed = Policy(circuit_breaker=_breaker()), AsyncPolicy(circuit_breaker=_breaker())
    away, aaway = Policy(circuit_breaker=_breaker()), AsyncPolicy(circuit_breaker=_breaker())
    retrying = {"classifier": default_classifier, "strategy": _no_wait, "max_attempts": 3}
    whole = Policy(retry=Retry(**retrying, attempt_timeout_s=2.0), circuit_breaker=_breaker())
    awhole = AsyncPolicy(
        retry=AsyncRetry(**retrying, attempt_timeout_s=2.0), circuit_breaker=_breaker()
    )
    again = retry(classifier=default_classifier, strategy=_no_wait, max_attempts=3)
    return {
        "call": Case(partial(closed.call, calls.work)),
        "async call": calls.awaited(partial(aclosed.call, calls.awork)),
        "refusal": calls.rejected(calls.opened(partial(away.call, calls.failing))),
        "async refusal": calls.arejected(calls.aopened(partial(aaway.call, calls.afailing))),
        "threads": calls.in_threads(partial(closed.call, calls.waiting)),
        "retry": Case(again(calls.work)),
        "async retry": calls.awaited(again(calls.awork)),
        "two failures": Case(again(calls.Flaky().call)),
        "async two failures": calls.awaited(again(calls.Flaky().acall), calls.FEWER),
        "policy": Case(partial(whole.call, calls.work)),
        "async policy": calls.awaited(partial(awhole.call, calls.awork)),
    }


def _breaker() -> CircuitBreaker:
    return CircuitBreaker(recovery_timeout_s=3600.0)
