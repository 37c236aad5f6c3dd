"""stamina: the decorator, without its hooks, which log each retry."""

import stamina
from case import Case, Cases
from stamina.instrumentation import set_on_retry_hooks

from subjects import calls


def cases(_: str) -> Cases:
    """Return retries of calls that succeed, and of calls that fail twice."""
    set_on_retry_hooks([])
    again = stamina.retry(
        on=calls.NoConnection, attempts=3, wait_initial=0.0, wait_max=0.0, wait_jitter=0.0
    )
    return {
        "retry": Case(again(calls.work)),
        "async retry": calls.awaited(again(calls.awork)),
        "two failures": Case(again(calls.Flaky().call)),
        "async two failures": calls.awaited(again(calls.Flaky().acall), calls.FEWER),
    }
