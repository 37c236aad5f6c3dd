"""backoff: the decorator, its logger switched off."""

import backoff
from case import Case, Cases

from subjects import calls


def cases(_: str) -> Cases:
    """Return retries of calls that succeed, and of calls that fail twice."""
    again = backoff.on_exception(
        backoff.constant, calls.NoConnection, max_tries=3, interval=0, jitter=None, logger=None
    )
    return {
        "retry": Case(again(calls.work)),
        "async retry": calls.awaited(again(calls.awork)),
        "two failures": Case(again(calls.Flaky().call)),
        "async two failures": calls.awaited(again(calls.Flaky().acall), calls.FEWER),
    }
