"""Telling pybreaker's listeners: one at a time, in order, at nobody's risk."""

import threading
from collections import deque
from typing import Any, Final, cast

import pybreaker

from holdfast.complaints import complain
from holdfast.forks import ForkSafeLock

PATIENCE: Final = 1.0
"""Seconds a call waits for another call's listeners, before its own are told nevertheless."""


class ReentrantLock(ForkSafeLock):
    """A lock that its holder may take again, and that a forked child finds open."""

    __slots__ = ()

    def renew(self) -> None:
        """Be open, as in a process that has no other thread yet."""
        self._lock = threading.RLock()  # type: ignore[assignment]  # used like a plain one

    def acquire_within(self, seconds: float) -> bool:
        """Take it, and wait for it a limited time; tell whether it was taken."""
        return self._lock.acquire(timeout=seconds)


class Listening:
    """Tells the listeners of one circuit breaker.

    They are told without any lock that a call needs to be admitted or counted. Their own turn is a
    lock with a time limit: listeners are written for pybreaker, which never calls two at once, and
    two that wait for each other must not wait for ever.

    Args:
        breaker: Whose listeners.
    """

    def __init__(self, breaker: pybreaker.CircuitBreaker) -> None:
        self._breaker: Any = breaker  # whose annotations do not say what a listener is
        self._turn = ReentrantLock()
        self._changes: deque[tuple[object, object]] = deque()
        self._is_telling = False
        self._failed: set[str] = set()

    def hears(self, *names: str) -> bool:
        """Tell whether any listener has one of these callbacks."""
        return any(
            getattr(type(listener), name, None)
            is not getattr(pybreaker.CircuitBreakerListener, name)
            or name in getattr(listener, "__dict__", ())
            for listener in cast("tuple[object, ...]", self._breaker.listeners)
            for name in names
        )

    def changed(self, before: object, after: object) -> None:
        """Keep a change of the state, until `tell_changes`."""
        self._changes.append((before, after))

    def tell(self, name: str, *arguments: Any, **keywords: Any) -> None:  # noqa: ANN401  # of the call
        """Tell of one call, on its own thread."""
        listeners = self._breaker.listeners
        if not listeners:
            return
        is_turn = self._turn.acquire_within(PATIENCE)
        try:
            for listener in listeners:
                self._tell(listener, name, arguments, keywords)
        finally:
            if is_turn:
                self._turn.release()

    def tell_changes(self) -> None:
        """Tell of the changes kept, in their order; what a listener itself changes comes after them."""
        while self._changes and not self._is_telling:
            is_turn = self._turn.acquire_within(PATIENCE)
            self._is_telling = True
            try:
                self._tell_changes()
            finally:
                self._is_telling = False
                if is_turn:
                    self._turn.release()

    def _tell_changes(self) -> None:
        while self._changes:
            change = self._changes.popleft()
            for listener in self._breaker.listeners:
                self._tell(listener, "state_change", change, {})

    def _tell(
        self, listener: object, name: str, arguments: tuple[Any, ...], keywords: dict[str, Any]
    ) -> None:
        try:
            getattr(listener, name)(self._breaker, *arguments, **keywords)
        except Exception as error:  # noqa: BLE001  # it is none of the call's business
            where = f"{type(listener).__qualname__}.{name}"
            if where not in self._failed:
                self._failed.add(where)
                complain(f"{where}, a circuit's listener, failed: {type(error).__name__}: {error}")
