"""pybreaker, put to the claims."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pybreaker
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from benchmarks.compared.circuits import NAME, RECOVERY, THRESHOLD, Circuit, Neutral
from benchmarks.compared.libraries.breaking import Breaking

DISTRIBUTION = "pybreaker"


class _Circuit(Circuit):
    refusal = pybreaker.CircuitBreakerError

    def __init__(self, breaker: pybreaker.CircuitBreaker) -> None:
        self.breaker = breaker

    def call(self, function: Callable[[], object]) -> object:
        return self.breaker.call(function)

    async def acall(self, function: Callable[[], Awaitable[object]]) -> object:
        return await self.breaker(function)()

    def decorated(self, function: Callable[[], object]) -> Callable[[], object]:
        return self.breaker(function)

    def state(self) -> str:
        return self.breaker.current_state

    def elapse(self, seconds: float) -> None:
        storage = self.breaker._state_storage
        if storage.opened_at is not None:
            storage.opened_at = storage.opened_at - timedelta(seconds=seconds)


class _Listener(pybreaker.CircuitBreakerListener):
    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell

    def success(self, cb: pybreaker.CircuitBreaker) -> None:
        self._tell("success")


class _Library(Breaking):
    def circuit(
        self,
        listener: Callable[[str], None] | None = None,
        storage: pybreaker.CircuitBreakerStorage | None = None,
    ) -> Circuit:
        listeners = [_Listener(listener)] if listener else []
        return _Circuit(
            pybreaker.CircuitBreaker(
                fail_max=THRESHOLD,
                reset_timeout=RECOVERY,
                exclude=[Neutral],
                listeners=listeners,
                state_storage=storage,
                name=NAME,
            )
        )

    def force_open(self, circuit: Circuit) -> None:
        assert isinstance(circuit, _Circuit)
        circuit.breaker.open()

    def redis(self, port: int) -> Circuit:
        client = redis.Redis(port=port, retry=Retry(NoBackoff(), 0))
        return self.circuit(storage=pybreaker.CircuitRedisStorage(pybreaker.STATE_CLOSED, client))


LIBRARY = _Library()
