"""Where a circuit keeps its state and its counters: pybreaker's storages, none of whose failures comes out."""

import copy
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, TypeVar

import pybreaker

from holdfast.complaints import complain
from holdfast.resilience.circuit.period import State

if TYPE_CHECKING:
    from holdfast.resilience.circuit.period import Period

_Value = TypeVar("_Value")


class LocalStorage(pybreaker.CircuitMemoryStorage):
    """The memory of one circuit, whose successes the circuit itself counts.

    A success is no call of this storage: the counter of failures is 0 when there were successes
    since the last one.
    """

    def __init__(self) -> None:
        self._period: Callable[[], Period] | None = None
        self._touched: Callable[[], object] = int
        self._counted_in: Period | None = None
        super().__init__(pybreaker.STATE_CLOSED)

    def belong(self, period: "Callable[[], Period]", touched: Callable[[], None]) -> None:
        """Read successes from a circuit's period, and tell when somebody sets the state or its time."""
        self._period, self._touched = period, touched

    @property
    def state(self) -> str:
        """The state of the circuit."""
        return self._state

    @state.setter
    def state(self, state: str) -> None:
        self._state = state
        self._touched()

    @property
    def opened_at(self) -> datetime | None:
        """When the circuit was opened last."""
        return self._opened_at

    @opened_at.setter
    def opened_at(self, datetime: datetime | None) -> None:  # pybreaker's name for it
        self._opened_at = datetime
        self._touched()

    @property
    def counter(self) -> int:
        """Failures in a row."""
        return self._fail_counter

    def increment_counter(self) -> None:
        """Count a failure."""
        self._fail_counter += 1

    @property
    def _fail_counter(self) -> int:
        period = self._counted_in
        has_succeeded = period is not None and period.successes != self._successes
        return 0 if has_succeeded else self._row

    @_fail_counter.setter
    def _fail_counter(self, number: int) -> None:
        self._row = number
        self._counted_in = None if self._period is None else self._period()
        self._successes = 0 if self._counted_in is None else self._counted_in.successes


class CircuitRedisStorage(pybreaker.CircuitRedisStorage):
    """pybreaker's storage in Redis, which can be made before Redis can be reached."""

    def _initialize_redis_state(self, state: str) -> None:
        try:
            super()._initialize_redis_state(state)
        except Exception as error:  # noqa: BLE001  # the keys are made when they are first missed
            complain(f"a circuit's Redis does not answer yet: {type(error).__name__}: {error}")


class _StorageAwayError(Exception):
    """The Redis behind a storage did not answer."""


class _Candid:
    """A Redis client whose failures are not swallowed by pybreaker's storage."""

    def __init__(self, storage: pybreaker.CircuitRedisStorage) -> None:
        self._storage = storage
        self._state_key = storage._namespace("state")  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # pybreaker's keys
        self._probe_key = storage._namespace("probe")  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # as above
        self.had_state = True

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # whatever the client has
        command: Callable[..., object] = getattr(self._storage._redis, name)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # its client

        @wraps(command)
        def candid(*args: Any, **kwargs: Any) -> object:  # noqa: ANN401  # a command of Redis
            try:
                value = command(*args, **kwargs)
            except Exception as error:
                raise _StorageAwayError(f"{type(error).__name__}: {error}") from error
            if name == "get" and args[0] == self._state_key:
                self.had_state = value is not None
            return value

        return candid

    def lease(self, holder: bytes, seconds: float) -> bool:
        """Take the one place of all processes that may probe, for some time."""
        return bool(self.set(self._probe_key, holder, nx=True, px=max(1, int(seconds * 1000))))

    def give_back(self, holder: bytes) -> None:
        """Leave that place."""
        if self.get(self._probe_key) == holder:
            self.delete(self._probe_key)


@dataclass(slots=True)
class _Known:
    """What this process knows by itself, for when the storage is away."""

    failures: int = 0
    successes: int = 0
    opened_at: datetime | None = None


class Books:
    """Reads and writes a storage; when it fails, what this process knows itself goes on.

    Not for two threads at once, but for reading the state.

    Args:
        storage: One of pybreaker's, or of its user; those from before pybreaker 1.4 count no successes.
        name: Of the circuit, for what has to be complained of.

    Attributes:
        storage: The same.
        is_local: Whether it is the default one: nobody else writes it, and reading costs nothing.
    """

    def __init__(self, storage: pybreaker.CircuitBreakerStorage, name: str | None) -> None:
        self._name = name
        self._candid: _Candid | None = None
        self._fallback: State | None = None
        self.storage = storage
        self.is_local = isinstance(storage, LocalStorage)
        if isinstance(storage, pybreaker.CircuitRedisStorage):
            self._candid = _Candid(storage)
            if storage._fallback_circuit_state == pybreaker.STATE_OPEN:  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # its option
                self._fallback = State.OPEN
            storage = copy.copy(storage)
            storage._redis = self._candid  # type: ignore[assignment]  # noqa: SLF001  # it looks like a client
        self._storage = storage
        self._known = _Known()
        self._is_away = False
        self._is_behind = False
        """Whether the storage was away when the state changed here, and has still to be told."""

    def belong(self, period: "Callable[[], Period]", touched: Callable[[], None]) -> None:
        """Let the default storage know its circuit."""
        if isinstance(self.storage, LocalStorage):
            self.storage.belong(period, touched)

    def state(self, ours: State) -> State:
        """Return the state that the storage tells; ours when it does not, or has still to be told."""
        if self._is_behind and not self._catch_up(ours):
            return self._without(ours)
        found = self._tried(lambda: State(self._storage.state), None)
        if found is None:
            return self._without(ours)
        self._is_away = False
        if self._candid is not None and not self._candid.had_state and ours is State.OPEN:
            self._catch_up(ours)  # Redis forgot: nobody closed the circuit
            return ours
        return found

    def write(self, state: State, at: datetime) -> None:
        """Keep a change of the state that was decided here."""
        if state is State.OPEN:
            self._known.opened_at = at
        if state is State.CLOSED:
            self.reset_failures()
        self.reset_successes()
        self._is_behind = not self._put(state)

    def opened_at(self) -> datetime | None:
        """Return when the circuit was opened, or None when nobody knows."""
        found = self._tried(lambda: self._storage.opened_at, self._known.opened_at)
        if found is not None and found.tzinfo is None:
            return found.replace(tzinfo=UTC)
        return found

    def failures(self) -> int:
        """Return the counter of failures."""
        number = self._tried(lambda: self._storage.counter, None)
        if number is None:
            return self._known.failures
        self._known.failures = number
        return number

    def count_failure(self) -> None:
        """Count a failure."""
        self._known.failures += 1
        self._tried(lambda: self._storage.increment_counter(), None)  # noqa: PLW0108  # which it may lack

    def reset_failures(self) -> None:
        """Count failures anew."""
        self._known.failures = 0
        self._tried(lambda: self._storage.reset_counter(), None)  # noqa: PLW0108  # as above

    def successes(self) -> int:
        """Return the counter of successes while half-open."""
        number = self._tried(lambda: self._storage.success_counter, None)
        if number is None:  # away, or from before there were any
            return self._known.successes
        self._known.successes = number
        return number

    def count_success(self) -> None:
        """Count a success while half-open."""
        self._known.successes += 1
        self._tried(lambda: self._storage.increment_success_counter(), None)  # noqa: PLW0108  # as above

    def reset_successes(self) -> None:
        """Count successes anew."""
        self._known.successes = 0
        self._tried(lambda: self._storage.reset_success_counter(), None)  # noqa: PLW0108  # as above

    def lease_probe(self, seconds: float) -> bool:
        """Tell whether this process may probe: through Redis, one of all does; else each does."""
        if self._candid is None:
            return True
        return self._tried(partial(self._candid.lease, self._holder(), seconds), default=True)

    def return_probe(self) -> None:
        """Let another process probe."""
        if self._candid is not None:
            self._tried(partial(self._candid.give_back, self._holder()), None)

    def _holder(self) -> bytes:
        return f"{os.getpid()}:{id(self)}".encode()

    def _put(self, state: State) -> bool:
        """Write the state; tell whether that went well."""
        at = self._known.opened_at
        if state is State.OPEN and at is not None and not self._succeeds("opened_at", at):
            return False
        return self._succeeds("state", state.value)

    def _catch_up(self, ours: State) -> bool:
        self._is_behind = not self._put(ours)
        return not self._is_behind

    def _without(self, ours: State) -> State:
        return self._fallback or ours

    def _succeeds(self, attribute: str, value: object) -> bool:
        def put() -> bool:
            setattr(self._storage, attribute, value)
            return True

        return self._tried(put, default=False)

    def _tried(self, access: Callable[[], _Value], default: _Value) -> _Value:
        try:
            value = access()
        except Exception as error:  # noqa: BLE001  # a storage is none of the call's business
            if not self._is_away:
                self._is_away = True
                complain(f"the storage of circuit {self._name!r} fails: {error}")
            return default
        return value
