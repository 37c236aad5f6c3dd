"""aiobreaker, put to the claims."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import redis
from aiobreaker import CircuitBreaker, CircuitBreakerError, CircuitBreakerListener
from aiobreaker.state import CircuitBreakerState
from aiobreaker.storage.redis import CircuitRedisStorage
from redis.backoff import NoBackoff
from redis.retry import Retry

from benchmarks.compared.circuits import NAME, RECOVERY, THRESHOLD, Circuit, Neutral
from benchmarks.compared.libraries.breaking import Breaking

DISTRIBUTION = "aiobreaker"
_STATES = {
    CircuitBreakerState.OPEN: "open",
    CircuitBreakerState.CLOSED: "closed",
    CircuitBreakerState.HALF_OPEN: "half-open",
}


class _Circuit(Circuit):
    refusal = CircuitBreakerError

    def __init__(self, breaker: CircuitBreaker) -> None:
        self.breaker = breaker

    def call(self, function: Callable[[], object]) -> object:
        return self.breaker.call(function)

    async def acall(self, function: Callable[[], Awaitable[object]]) -> object:
        return await self.breaker.call_async(function)

    def decorated(self, function: Callable[[], object]) -> Callable[[], object]:
        return self.breaker(function)

    def state(self) -> str:
        return _STATES[self.breaker.current_state]

    def elapse(self, seconds: float) -> None:
        storage = self.breaker._state_storage
        if storage.opened_at is not None:
            storage.opened_at = storage.opened_at - timedelta(seconds=seconds)


class _Listener(CircuitBreakerListener):
    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell

    def success(self, breaker: CircuitBreaker) -> None:
        self._tell("success")


class _Library(Breaking):
    def circuit(
        self,
        listener: Callable[[str], None] | None = None,
        storage: CircuitRedisStorage | None = None,
    ) -> Circuit:
        return _Circuit(
            CircuitBreaker(
                fail_max=THRESHOLD,
                timeout_duration=timedelta(seconds=RECOVERY),
                exclude=[Neutral],
                listeners=[_Listener(listener)] if listener else [],
                state_storage=storage,
                name=NAME,
            )
        )

    def force_open(self, circuit: Circuit) -> None:
        assert isinstance(circuit, _Circuit)
        circuit.breaker.open()

    def redis(self, port: int) -> Circuit:
        return self.circuit(
            storage=CircuitRedisStorage(
                CircuitBreakerState.CLOSED, redis.Redis(port=port, retry=Retry(NoBackoff(), 0))
            )
        )


LIBRARY = _Library()
