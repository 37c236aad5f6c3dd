"""circuitbreaker, put to the claims."""

from collections.abc import Awaitable, Callable

from circuitbreaker import CircuitBreaker, CircuitBreakerError

from benchmarks.compared.answer import UnableError
from benchmarks.compared.circuits import NAME, RECOVERY, THRESHOLD, Circuit, Neutral
from benchmarks.compared.libraries.breaking import Breaking

DISTRIBUTION = "circuitbreaker"


class _Circuit(Circuit):
    refusal = CircuitBreakerError

    def __init__(self) -> None:
        self.breaker = CircuitBreaker(
            failure_threshold=THRESHOLD,
            recovery_timeout=RECOVERY,
            expected_exception=lambda kind, _: (
                issubclass(kind, Exception) and not issubclass(kind, Neutral)
            ),
            name=NAME,
        )

    def call(self, function: Callable[[], object]) -> object:
        return self.breaker(function)()

    async def acall(self, function: Callable[[], Awaitable[object]]) -> object:
        return await self.breaker(function)()

    def decorated(self, function: Callable[[], object]) -> Callable[[], object]:
        return self.breaker(function)

    def state(self) -> str:
        return str(self.breaker.state).replace("_", "-")

    def elapse(self, seconds: float) -> None:
        self.breaker._opened -= seconds


class _Library(Breaking):
    def circuit(self, listener: Callable[[str], None] | None = None) -> Circuit:
        if listener:
            raise UnableError("has no listeners")
        return _Circuit()


LIBRARY = _Library()
