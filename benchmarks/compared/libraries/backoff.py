"""backoff, put to the claims."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from unittest import mock

import backoff
import pybreaker
from backoff import _sync

from benchmarks.compared.circuits import NoConnection
from benchmarks.compared.retrying import ATTEMPTS, Retries, RetryLibrary, Time

DISTRIBUTION = "backoff"


def _retries(said: str = "", wait: float = 0.0, **options: Any) -> Retries:  # backoff's
    again = backoff.on_exception(
        backoff.constant,
        NoConnection,
        **{"max_tries": ATTEMPTS, "interval": wait, "jitter": None, "logger": None, **options},
    )
    return Retries(lambda function: again(function)(), lambda function: again(function)(), said)


class _Library(RetryLibrary):
    @contextmanager
    def follow(self, told: Time) -> Iterator[None]:
        class Told(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> datetime:  # as the original
                return datetime(2024, 1, 15, tzinfo=UTC) + timedelta(seconds=told.monotonic())

        with mock.patch.object(_sync, "datetime", SimpleNamespace(datetime=Told)):
            yield

    def retries(self, attempts: int = ATTEMPTS, wait: float = 0.0) -> Retries:
        return _retries(max_tries=attempts, wait=wait)

    def limited(self, seconds: float, wait: float) -> Retries:
        return _retries("cut short", max_tries=None, max_time=seconds, wait=wait)

    def asked(self) -> Retries:
        again = backoff.on_exception(
            backoff.runtime,
            NoConnection,
            value=lambda error: error.retry_after,
            max_tries=ATTEMPTS,
            jitter=None,
            logger=None,
        )
        return Retries(
            lambda function: again(function)(),
            lambda function: again(function)(),
            "by a function of one's own",
        )

    def by_result(self, unwanted: Callable[[object], bool]) -> Retries:
        again = backoff.on_predicate(
            backoff.constant, unwanted, max_tries=ATTEMPTS, interval=0, jitter=None, logger=None
        )
        return Retries(lambda function: again(function)(), lambda function: again(function)())

    def open_circuit(self) -> tuple[Callable[[], object], Callable[[], int]]:
        breaker, asked = pybreaker.CircuitBreaker(), list[int]()
        breaker.open()

        def call() -> object:
            asked.append(1)
            return breaker.call(lambda: 881)

        return lambda: _retries().call(call), lambda: len(asked)


RETRIES = _Library()
