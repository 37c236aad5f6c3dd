"""purgatory, put to the claims: a factory for plain functions, and one for coroutines."""

import asyncio
from collections.abc import Awaitable, Callable

from purgatory import AsyncCircuitBreakerFactory, SyncCircuitBreakerFactory
from purgatory.domain.model import OpenedState
from purgatory.service._async.unit_of_work import AsyncRedisUnitOfWork

from benchmarks.compared.circuits import NAME, RECOVERY, THRESHOLD, Circuit, Neutral
from benchmarks.compared.libraries.breaking import Breaking

DISTRIBUTION = "purgatory"


class _Circuit(Circuit):
    """Both factories, of which a claim uses one; the other knows nothing of it."""

    refusal = OpenedState

    def __init__(self, factory: SyncCircuitBreakerFactory) -> None:
        self.plain = factory
        self.asynchronous = AsyncCircuitBreakerFactory(
            default_threshold=THRESHOLD, default_ttl=RECOVERY, exclude=[Neutral]
        )
        self._is_asynchronous = False

    def call(self, function: Callable[[], object]) -> object:
        return self.plain(NAME)(function)()

    async def acall(self, function: Callable[[], Awaitable[object]]) -> object:
        self._is_asynchronous = True

        @self.asynchronous(NAME)
        async def call() -> object:
            return await function()

        return await call()

    def decorated(self, function: Callable[[], object]) -> Callable[[], object]:
        return self.plain(NAME)(function)

    def state(self) -> str:
        state = self._context().state
        return str(state).replace("opened", "open")

    def elapse(self, seconds: float) -> None:
        state = self._context()._state
        if state.opened_at is not None:
            state.opened_at -= seconds

    def _context(self):  # noqa: ANN202  # of a class that is not public
        if self._is_asynchronous:
            return asyncio.run(self.asynchronous.get_breaker(NAME)).context
        return self.plain.get_breaker(NAME).context


class _Shared(Circuit):
    """A circuit of the asynchronous factory on one event loop; the other factory's Redis is awaited by nobody."""

    refusal = OpenedState

    def __init__(self, port: int) -> None:
        self._loop = asyncio.new_event_loop()
        self._factory = AsyncCircuitBreakerFactory(
            default_threshold=THRESHOLD,
            default_ttl=RECOVERY,
            uow=AsyncRedisUnitOfWork(f"redis://127.0.0.1:{port}/0"),
        )
        self._loop.run_until_complete(self._factory.initialize())

    def call(self, function: Callable[[], object]) -> object:
        @self._factory(NAME)
        async def call() -> object:
            return function()

        return self._loop.run_until_complete(call())

    def state(self) -> str:
        breaker = self._loop.run_until_complete(self._factory.get_breaker(NAME))
        return str(breaker.context.state).replace("opened", "open")


class _Library(Breaking):
    def circuit(self, listener: Callable[[str], None] | None = None) -> Circuit:
        factory = SyncCircuitBreakerFactory(
            default_threshold=THRESHOLD, default_ttl=RECOVERY, exclude=[Neutral]
        )
        if listener:
            factory.add_listener(lambda name, kind, event: listener(kind))
        return _Circuit(factory)

    def redis(self, port: int) -> Circuit:
        return _Shared(port)


LIBRARY = _Library()
