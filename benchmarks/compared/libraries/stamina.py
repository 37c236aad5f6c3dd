"""stamina, put to the claims."""

from collections.abc import Callable
from typing import Any

import pybreaker
import stamina
from stamina.instrumentation import set_on_retry_hooks

from benchmarks.compared.circuits import NoConnection
from benchmarks.compared.retrying import ATTEMPTS, Retries, RetryLibrary

DISTRIBUTION = "stamina"
set_on_retry_hooks([])


def _options(wait: float = 0.0, **options: Any) -> dict[str, Any]:  # stamina's
    said = {"on": NoConnection, "attempts": ATTEMPTS, "wait_jitter": 0.0, "wait_exp_base": 1}
    return {**said, "wait_initial": wait, "wait_max": max(wait, 5.0), **options}


def _retries(said: str = "", **options: Any) -> Retries:  # stamina's
    again = stamina.retry(**_options(**options))
    return Retries(lambda function: again(function)(), lambda function: again(function)(), said)


class _Library(RetryLibrary):
    def retries(self, attempts: int = ATTEMPTS, wait: float = 0.0) -> Retries:
        return _retries(attempts=attempts, wait=wait)

    def limited(self, seconds: float, wait: float) -> Retries:
        return _retries(attempts=None, timeout=seconds, wait=wait)

    def asked(self) -> Retries:
        return _retries("by a function of one's own", on=lambda error: error.retry_after)

    def number(self) -> tuple[Retries, Callable[[], int]]:
        current: list[int] = []

        def call(function: Callable[[], object]) -> object:
            for attempt in stamina.retry_context(**_options()):
                with attempt:
                    current.append(attempt.num)
                    return function()
            raise AssertionError

        return Retries(call, call, "in its block form"), lambda: current[-1]

    def without_waiting(self, wait: float) -> Retries:
        again = stamina.retry(**_options(wait=wait))

        def call(function: Callable[[], object]) -> object:
            with stamina.set_testing(testing=True, attempts=ATTEMPTS):
                return again(function)()

        return Retries(call, call, "`set_testing`")

    def blocks(self, block: Callable[[], object]) -> None:
        for attempt in stamina.retry_context(**_options()):
            with attempt:
                block()

    def open_circuit(self) -> tuple[Callable[[], object], Callable[[], int]]:
        breaker, asked = pybreaker.CircuitBreaker(), list[int]()
        breaker.open()

        @stamina.retry(**_options())
        def call() -> object:
            asked.append(1)
            return breaker.call(lambda: 881)

        return call, lambda: len(asked)


RETRIES = _Library()
