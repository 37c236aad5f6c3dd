"""interlock-cb, put to the claims."""

from collections.abc import Awaitable, Callable

import redis
from interlock import CircuitBreaker, CircuitOpenError, Config, State
from interlock.integrations.redis import RedisStorage
from redis.backoff import NoBackoff
from redis.retry import Retry

from benchmarks.compared.circuits import NAME, RECOVERY, THRESHOLD, Circuit, Neutral
from benchmarks.compared.libraries.breaking import Breaking

DISTRIBUTION = "interlock-cb"


class _Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


class _Classifier:
    def is_failure(self, *, result: object, exception: Exception | None) -> bool:
        return exception is not None and not isinstance(exception, Neutral)


class _Listener:
    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell

    def on_state_change(self, *, name: str, old: State, new: State) -> None:
        pass

    def on_call(self, *, name: str, outcome: object, duration: float) -> None:
        self._tell("success")

    def on_rejected(self, *, name: str) -> None:
        self._tell("refused")

    def on_reset(self, *, name: str) -> None:
        pass


class _Circuit(Circuit):
    refusal = CircuitOpenError

    def __init__(self, config: Config, **options: object) -> None:
        self.clock = _Clock()
        self.breaker = CircuitBreaker(
            name=NAME, config=config, clock=self.clock, classifier=_Classifier(), **options
        )

    def call(self, function: Callable[[], object]) -> object:
        return self.breaker.call(function)

    async def acall(self, function: Callable[[], Awaitable[object]]) -> object:
        return await self.breaker.call(function)

    def decorated(self, function: Callable[[], object]) -> Callable[[], object]:
        return self.breaker(function)

    def state(self) -> str:
        return self.breaker.state.value.replace("_", "-")

    def elapse(self, seconds: float) -> None:
        self.clock.wait(seconds)


_PLAIN = Config(
    minimum_number_of_calls=THRESHOLD,
    wait_duration_in_open=RECOVERY,
    permitted_calls_in_half_open=1,
)


class _Library(Breaking):
    def circuit(self, listener: Callable[[str], None] | None = None) -> Circuit:
        return _Circuit(_PLAIN, listener=_Listener(listener) if listener else None)

    def windowed(self) -> Circuit:
        return _Circuit(Config(failure_rate_threshold=0.5, minimum_number_of_calls=10))

    def slow(self) -> tuple[Circuit, Callable[[float], None]]:
        circuit = _Circuit(
            Config(
                slow_call_duration_threshold=1.0,
                slow_call_rate_threshold=0.5,
                minimum_number_of_calls=10,
            )
        )
        return circuit, circuit.clock.wait

    def growing(self) -> Circuit:
        return _Circuit(
            Config(
                minimum_number_of_calls=THRESHOLD,
                wait_duration_in_open=RECOVERY,
                wait_duration_backoff_multiplier=2.0,
                permitted_calls_in_half_open=1,
            )
        )

    def shadow(self) -> tuple[Circuit, Callable[[], int]]:
        circuit = _Circuit(_PLAIN, initial_state=State.METRICS_ONLY)
        return circuit, lambda: 0

    def force_open(self, circuit: Circuit) -> None:
        assert isinstance(circuit, _Circuit)
        circuit.breaker.force_open()

    def redis(self, port: int) -> Circuit:
        return _Circuit(
            _PLAIN, storage=RedisStorage(redis.Redis(port=port, retry=Retry(NoBackoff(), 0)))
        )


LIBRARY = _Library()
