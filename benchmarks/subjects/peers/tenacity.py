"""tenacity: the decorator; over pybreaker for a whole policy, as both recommend."""

import pybreaker
from case import Case, Cases
from tenacity import retry, stop_after_attempt, wait_none

from subjects import calls


def cases(_: str) -> Cases:
    """Return retries of calls that succeed, and of calls that fail twice."""
    again = retry(stop=stop_after_attempt(3), wait=wait_none(), reraise=True)
    return {
        "retry": Case(again(calls.work)),
        "async retry": calls.awaited(again(calls.awork)),
        "two failures": Case(again(calls.Flaky().call)),
        "async two failures": calls.awaited(again(calls.Flaky().acall), calls.FEWER),
        "policy": Case(again(pybreaker.CircuitBreaker()(calls.work))),
    }
