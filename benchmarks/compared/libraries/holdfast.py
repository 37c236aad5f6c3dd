"""holdfast, put to the claims: policies, each in a runtime of its own with a clock that is told."""

import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager

from benchmarks.compared.circuits import NAME, RECOVERY, THRESHOLD, Circuit
from benchmarks.compared.keeping import TTL, CacheLibrary, Kept
from benchmarks.compared.libraries.breaking import Breaking
from benchmarks.compared.retrying import ATTEMPTS, Retries, RetryLibrary
from holdfast import (
    Breaker,
    Constant,
    Deadline,
    Policy,
    Retry,
    Runtime,
    ServiceUnavailableError,
    Settings,
    Timeout,
    ValidationError,
    current_attempt,
    environment,
)
from holdfast.clock import SystemClock
from holdfast.resilience.breaker import CircuitBreaker, CircuitOpenError
from holdfast.resilience.cache.cache import Cache
from holdfast.resilience.circuit.rules import CountWindow
from holdfast.resilience.circuit.watching import Watcher
from holdfast.resilience.circuit.windows import SlowRate
from holdfast.resilience.policy import Spec
from holdfast.settings.circuits import CircuitsSettings
from holdfast.testing import FakeClock, RecordingRuntime

DISTRIBUTION = "holdfast"


class _Circuit(Circuit):
    refusal = CircuitOpenError
    neutral = ValidationError
    busy = ServiceUnavailableError("come back in ten minutes", retry_after=600)

    def __init__(self, runtime: Runtime | None = None, **options: object) -> None:
        plain = {
            "failure_threshold": THRESHOLD,
            "recovery_timeout": RECOVERY,
            "success_threshold": 1,
        }
        self._runtime = runtime or RecordingRuntime()
        self._policy = Policy(NAME, Breaker(**{**plain, **options}))
        with self._active():
            self._runtime.policies.of(self._policy)
        self.circuit = self._runtime.policies.circuit(NAME)

    def _active(self) -> AbstractContextManager[object]:
        return environment.activated(self._runtime)

    def call(self, function: Callable[[], object]) -> object:
        with self._active():
            return self._policy.call(function)

    async def acall(self, function: Callable[[], Awaitable[object]]) -> object:
        with self._active():
            return await self._policy.acall(function)

    def state(self) -> str:
        return self.circuit.state.value

    def elapse(self, seconds: float) -> None:
        assert isinstance(self._runtime.clock, FakeClock)
        self._runtime.clock.advance(seconds)


class _DropIn(Circuit):
    """`CircuitBreaker`, which protects generators as well."""

    refusal = CircuitOpenError

    def __init__(self, **options: object) -> None:
        self.breaker = CircuitBreaker(
            fail_max=THRESHOLD, reset_timeout=RECOVERY, name=NAME, **options
        )

    def call(self, function: Callable[[], object]) -> object:
        return self.breaker.call(function)

    def decorated(self, function: Callable[[], object]) -> Callable[[], object]:
        return self.breaker(function)

    def state(self) -> str:
        return self.breaker.current_state


class _Listener(Watcher):
    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell

    def success(self) -> None:
        self._tell("success")

    def rejected(self, reason: str, retry_after: float) -> None:
        self._tell("refused")


class _Library(Breaking):
    def circuit(self, listener: Callable[[str], None] | None = None) -> Circuit:
        made = _Circuit()
        if listener:
            made.circuit.add_watcher(_Listener(listener))
        return made

    def generators(self) -> Circuit:
        return _DropIn()

    def windowed(self) -> Circuit:
        return _Circuit(rule=CountWindow(rate=0.5, minimum=10))

    def slow(self) -> tuple[Circuit, Callable[[float], None]]:
        made = _Circuit(rule=SlowRate(rate=0.5, slower_than=1.0, seconds=600.0, minimum=10))
        return made, made.elapse

    def growing(self) -> Circuit:
        return _Circuit(recovery_factor=2.0)

    def shadow(self) -> tuple[Circuit, Callable[[], int]]:
        made = _Circuit()
        made.circuit.shadow()
        return made, lambda: int(made.circuit.snapshot().metrics.blocked_in_shadow)

    def force_open(self, circuit: Circuit) -> None:
        assert isinstance(circuit, _Circuit)
        circuit.circuit.force_open()

    def redis(self, port: int) -> Circuit:
        shared = CircuitsSettings(shared=f"redis://127.0.0.1:{port}/0")
        return _Circuit(Runtime(Settings(service="compared", reporters=(), circuits=shared)))


LIBRARY = _Library()


def _retries(
    said: str = "", *layers: Spec, runtime: RecordingRuntime | None = None, **options: object
) -> Retries:
    host = runtime or RecordingRuntime()
    chosen = {"attempts": ATTEMPTS, "backoff": Constant(), **options}
    policy = Policy(NAME, Retry(**chosen), *layers)

    def call(function: Callable[[], object]) -> object:
        with environment.activated(host):
            return policy.call(function)

    async def acall(function: Callable[[], Awaitable[object]]) -> object:
        with environment.activated(host):
            return await policy.acall(function)

    return Retries(call, acall, said)


class _Retrying(RetryLibrary):
    """Waits on the clock of the runtime, which is `time` where the claims look at what is waited."""

    def retries(self, attempts: int = ATTEMPTS, wait: float = 0.0) -> Retries:
        return _retries(attempts=attempts, backoff=Constant(wait), runtime=_waiting())

    def unnamed(self) -> Retries:
        return self.retries()

    def limited(self, seconds: float, wait: float) -> Retries:
        runtime = _waiting()
        return _retries("", Deadline(seconds), attempts=50, backoff=Constant(wait), runtime=runtime)

    def timed(self, seconds: float) -> Retries:
        return _retries("", Timeout(seconds))

    def budgeted(self) -> Retries:
        return _retries("a share of what succeeds, by default", runtime=_waiting())

    def asked(self) -> Retries:
        inner = _retries(runtime=_waiting(), retry_after_limit=3600.0)

        def busy(_: Callable[[], object]) -> object:
            raise ServiceUnavailableError("come back in ten minutes", retry_after=600)

        return Retries(lambda function: inner.call(lambda: busy(function)), inner.acall)

    def by_result(self, unwanted: Callable[[object], bool]) -> Retries:
        return _retries(results=unwanted, runtime=_waiting())

    def once_only(self) -> Retries:
        return _retries("", idempotent=False, runtime=_waiting())

    def number(self) -> tuple[Retries, Callable[[], int]]:
        def which() -> int:
            attempt = current_attempt()
            return attempt.number if attempt else 0

        return self.retries(), which

    def without_waiting(self, wait: float) -> Retries:
        return _retries("`FakeClock`", backoff=Constant(wait))

    def open_circuit(self) -> tuple[Callable[[], object], Callable[[], int]]:
        runtime = RecordingRuntime()
        policy = Policy(NAME, Retry(attempts=ATTEMPTS, backoff=Constant()), Breaker())
        with environment.activated(runtime):
            runtime.policies.of(policy)
        circuit = runtime.policies.circuit(NAME)
        circuit.open()

        def call() -> object:
            with environment.activated(runtime):
                return policy.call(lambda: 881)

        return call, lambda: circuit.snapshot().metrics.rejections


class _Clock(SystemClock):
    """The system's, asked for by its module, as the libraries beside it do."""

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def _waiting() -> RecordingRuntime:
    runtime = RecordingRuntime()
    runtime.clock = _Clock()
    return runtime


RETRIES = _Retrying()


class _Kept(Kept):
    def __init__(self, **options: object) -> None:
        self._runtime = RecordingRuntime()
        self._cache = Cache("prices", **{"ttl": TTL, **options})

    def get(self, key: str, factory: Callable[[], object]) -> object:
        with environment.activated(self._runtime):
            return self._cache.get(key, factory)

    async def aget(self, key: str, factory: Callable[[], Awaitable[object]]) -> object:
        with environment.activated(self._runtime):
            return await self._cache.aget(key, factory)

    def elapse(self, seconds: float) -> None:
        self._runtime.clock.advance(seconds)

    def tag(self, key: str, value: object, tag: str) -> None:
        with environment.activated(self._runtime):
            self._cache.set(key, value, tags=(tag,))

    def forget_tag(self, tag: str) -> None:
        with environment.activated(self._runtime):
            self._cache.invalidate_tag(tag)

    def forget_pattern(self, pattern: str) -> None:
        with environment.activated(self._runtime):
            self._cache.invalidate_pattern(pattern)

    def source(self, key: str, factory: Callable[[], object]) -> str:
        with environment.activated(self._runtime):
            return self._cache.answer(key, factory).source.value

    def counts(self) -> tuple[int, int]:
        with environment.activated(self._runtime):
            seen = self._cache.statistics()
        return seen.hits, seen.misses

    def size(self) -> int:
        with environment.activated(self._runtime):
            return self._cache.statistics().size or 0


class _AwayStore:
    """A store that cannot be reached."""

    blocking = False
    keeps_objects = False

    def get(self, key: str) -> object:
        raise ConnectionError("no route")

    def set(self, key: str, value: object, ttl: float) -> None:
        raise ConnectionError("no route")

    def add(self, key: str, value: object, ttl: float) -> bool:
        raise ConnectionError("no route")

    def delete(self, key: str) -> None:
        raise ConnectionError("no route")


class _GarbledStore(_AwayStore):
    """A store that holds nothing but what cannot be read."""

    def get(self, key: str) -> object:
        return b"|not what was written"

    def set(self, key: str, value: object, ttl: float) -> None:
        pass

    def add(self, key: str, value: object, ttl: float) -> bool:
        return True

    def delete(self, key: str) -> None:
        pass


class _Caching(CacheLibrary):
    def cache(self) -> Kept:
        return _Kept()

    def bounded(self, entries: int) -> Kept:
        return _Kept(max_entries=entries)

    def away(self) -> Kept:
        return _Kept(store=_AwayStore())

    def garbled(self, key: str) -> Kept:
        return _Kept(store=_GarbledStore())

    def negative(self, error: type[Exception]) -> Kept:
        return _Kept(negative=(error,))


CACHES = _Caching()
