"""tenacity, put to the claims."""

from collections.abc import Callable
from typing import Any

import pybreaker
import tenacity

from benchmarks.compared.circuits import NoConnection
from benchmarks.compared.retrying import ATTEMPTS, Retries, RetryLibrary

DISTRIBUTION = "tenacity"
_ON = tenacity.retry_if_exception_type(NoConnection)


def _retries(said: str = "", **options: Any) -> Retries:  # tenacity's
    again = tenacity.retry(**{"stop": tenacity.stop_after_attempt(ATTEMPTS), **options})
    return Retries(lambda function: again(function)(), lambda function: again(function)(), said)


class _Library(RetryLibrary):
    def retries(self, attempts: int = ATTEMPTS, wait: float = 0.0) -> Retries:
        return _retries(
            stop=tenacity.stop_after_attempt(attempts), wait=tenacity.wait_fixed(wait), retry=_ON
        )

    def plainest(self) -> Retries:
        return _retries()

    def unnamed(self) -> Retries:
        return _retries()

    def limited(self, seconds: float, wait: float) -> Retries:
        return _retries(
            "with `stop_before_delay`",
            stop=tenacity.stop_before_delay(seconds),
            wait=tenacity.wait_fixed(wait),
        )

    def asked(self) -> Retries:
        return _retries(
            "by a function of one's own", wait=tenacity.wait_exception(lambda e: e.retry_after)
        )

    def by_result(self, unwanted: Callable[[object], bool]) -> Retries:
        return _retries(retry=tenacity.retry_if_result(unwanted))

    def number(self) -> tuple[Retries, Callable[[], int]]:
        retrying = tenacity.Retrying(stop=tenacity.stop_after_attempt(ATTEMPTS))
        which = lambda: int(retrying.statistics["attempt_number"])  # noqa: E731  # one line
        return Retries(retrying, retrying, "by the statistics"), which

    def trail(self, error: BaseException) -> bool:
        return isinstance(error, tenacity.RetryError) and error.last_attempt.attempt_number > 1

    def without_waiting(self, wait: float) -> Retries:
        return _retries(
            "by a `sleep` of one's own",
            wait=tenacity.wait_fixed(wait),
            sleep=lambda _: None,
        )

    def blocks(self, block: Callable[[], object]) -> None:
        for attempt in tenacity.Retrying(stop=tenacity.stop_after_attempt(ATTEMPTS)):
            with attempt:
                block()

    def open_circuit(self) -> tuple[Callable[[], object], Callable[[], int]]:
        breaker, asked = pybreaker.CircuitBreaker(), list[int]()
        breaker.open()

        @tenacity.retry(stop=tenacity.stop_after_attempt(ATTEMPTS))
        def call() -> object:
            asked.append(1)
            return breaker.call(lambda: 881)

        return call, lambda: len(asked)


RETRIES = _Library()
