"""redress, put to the claims: policies with nothing but a circuit breaker, which they share."""

from collections.abc import Awaitable, Callable

from redress import (
    AsyncPolicy,
    AsyncRetry,
    BackoffContext,
    Budget,
    CircuitBreaker,
    CircuitOpenError,
    Classification,
    ErrorClass,
    Policy,
    Retry,
    default_classifier,
    retry_after_or,
)

from benchmarks.compared.circuits import RECOVERY, THRESHOLD, Circuit
from benchmarks.compared.libraries.breaking import Breaking
from benchmarks.compared.retrying import ATTEMPTS, Retries, RetryLibrary

DISTRIBUTION = "redress"


class _Circuit(Circuit):
    refusal = CircuitOpenError

    def __init__(self, listener: Callable[[str], None] | None = None) -> None:
        self.now = 0.0
        self._listener = listener
        self.breaker = CircuitBreaker(
            failure_threshold=THRESHOLD,
            window_s=60.0,
            recovery_timeout_s=RECOVERY,
            trip_on={ErrorClass.TRANSIENT, ErrorClass.SERVER_ERROR},
            clock=lambda: self.now,
        )
        self._plain = Policy(circuit_breaker=self.breaker)
        self._asynchronous = AsyncPolicy(circuit_breaker=self.breaker)

    def _hear(self, event: str, attempt: int, sleep: float, tags: dict[str, object]) -> None:
        if self._listener is not None:
            self._listener({"circuit_rejected": "refused"}.get(event, event))

    def call(self, function: Callable[[], object]) -> object:
        return self._plain.call(function, on_metric=self._hear)

    async def acall(self, function: Callable[[], Awaitable[object]]) -> object:
        return await self._asynchronous.call(function, on_metric=self._hear)

    def state(self) -> str:
        return self.breaker.state.value.replace("_", "-")

    def elapse(self, seconds: float) -> None:
        self.now += seconds


class _Library(Breaking):
    def circuit(self, listener: Callable[[str], None] | None = None) -> Circuit:
        return _Circuit(listener)


LIBRARY = _Library()


def _no_wait(_: BackoffContext) -> float:
    return 0.0


def _waits(wait: float) -> Callable[[BackoffContext], float]:
    def strategy(_: BackoffContext) -> float:
        return wait

    return strategy


def _retries(said: str = "", wait: float = 0.0, **options: object) -> Retries:
    chosen = {
        "classifier": default_classifier,
        "strategy": _waits(wait),
        "max_attempts": ATTEMPTS,
        **options,
    }
    plain, asynchronous = Policy(retry=Retry(**chosen)), AsyncPolicy(retry=AsyncRetry(**chosen))
    return Retries(plain.call, asynchronous.call, said)


class _Retrying(RetryLibrary):
    def retries(self, attempts: int = ATTEMPTS, wait: float = 0.0) -> Retries:
        return _retries(max_attempts=attempts, wait=wait)

    def unnamed(self) -> Retries:
        return _retries(max_unknown_attempts=0)

    def limited(self, seconds: float, wait: float) -> Retries:
        return _retries("cut short", deadline_s=seconds, wait=wait, max_attempts=50)

    def timed(self, seconds: float) -> Retries:
        return _retries(attempt_timeout_s=seconds)

    def budgeted(self) -> Retries:
        return _retries("a number in a window", budget=Budget(max_retries=50, window_s=60.0))

    def asked(self) -> Retries:
        return _retries(
            "with its classifier",
            classifier=lambda error: Classification(
                klass=ErrorClass.RATE_LIMIT, retry_after_s=error.retry_after
            ),
            strategy=retry_after_or(_no_wait),
            deadline_s=7200.0,
        )

    def by_result(self, unwanted: Callable[[object], bool]) -> Retries:
        return _retries(
            result_classifier=lambda value: ErrorClass.TRANSIENT if unwanted(value) else None
        )

    def number(self) -> tuple[Retries, Callable[[], int]]:
        current: list[int] = []
        retries = _retries(
            "by a hook", on_attempt_start=lambda context: current.append(context.attempt)
        )
        return retries, lambda: current[-1]

    def without_waiting(self, wait: float) -> Retries:
        return _retries("by a `sleeper` of one's own", wait=wait, sleeper=lambda _: None)

    def open_circuit(self) -> tuple[Callable[[], object], Callable[[], int]]:
        breaker, asked = CircuitBreaker(failure_threshold=1), list[int]()
        breaker.record_failure(ErrorClass.TRANSIENT)
        policy = Policy(
            retry=Retry(classifier=default_classifier, strategy=_no_wait, max_attempts=ATTEMPTS),
            circuit_breaker=breaker,
        )

        def hear(event: str, attempt: int, sleep: float, tags: dict[str, object]) -> None:
            asked.extend([1] if event == "circuit_rejected" else [])

        return lambda: policy.call(lambda: 881, on_metric=hear), lambda: len(asked)


RETRIES = _Retrying()
