"""A store that may be down: after the first failure nobody waits for it until it is back."""

import importlib
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final, NamedTuple, TypeAlias

from holdfast.resilience.cache.store import Store, UnreadableError
from holdfast.resilience.cache.telling import Telling
from holdfast.resilience.circuit.circuit import Circuit
from holdfast.resilience.circuit.period import State
from holdfast.resilience.circuit.permit import Permit
from holdfast.resilience.circuit.terms import Terms
from holdfast.resilience.host import Host

Background: TypeAlias = Callable[[Callable[[], None]], None]
"""Runs a function later, or on another thread."""

PROBE_KEY: Final = "holdfast:probe"
"""What is read to see whether a store is back."""


class Absent(NamedTuple):
    """What came of a call of a store that gave no answer."""

    reason: str


DOWN: Final = Absent("store down")
UNREADABLE: Final = Absent("unreadable")


class Guard:
    """Calls a store through a circuit that opens with the first failure; thread-safe.

    While it is open no caller touches the store: whether it is back is tried on a thread of its own.

    Args:
        store: What is called.
        recovery: Seconds between two trials.
        host: The runtime.
        telling: Counts and tells of outages.
        background: Runs a trial; on a thread, unless a test says otherwise.
    """

    def __init__(
        self,
        store: Store,
        recovery: float,
        host: Host,
        telling: Telling,
        background: Background | None = None,
    ) -> None:
        self.blocking = store.blocking
        self._store = store
        self._telling = telling
        self._background = background or _on_thread
        terms = Terms(failure_threshold=1, recovery_timeout=recovery, success_threshold=1, ramp=())
        self._circuit = Circuit(
            terms, clock=host.clock, refusal=_refusal, chance=host.chance, watchers=[self]
        )

    @property
    def is_down(self) -> bool:
        """Whether callers do without the store."""
        return self._circuit.state is not State.CLOSED

    def call(self, function: Callable[[], object]) -> object:
        """Call the store; `DOWN` or `UNREADABLE` in the place of an error."""
        permit = None if self.is_down else self._permit()
        if permit is None:
            self._refuse()
            return DOWN
        return self._called(function, permit)

    def aside(self, function: Callable[[], None]) -> None:
        """Call the store for nobody who waits: on a thread where that takes a while."""
        if not self.blocking:
            self.call(function)
            return
        with suppress(RuntimeError):  # no more threads, or the interpreter ends
            self._background(partial(self._aside, function))

    def _aside(self, function: Callable[[], None]) -> None:
        self.call(function)

    def _permit(self) -> Permit | None:
        try:
            return self._circuit.acquire()
        except ConnectionError:  # as made below
            return None

    def _refuse(self) -> None:
        """Count a call that is not made, and have somebody look whether the store is back."""
        self._telling.tallies.add("store_refused")
        permit = self._permit()
        if permit is None:
            return
        try:
            self._background(lambda: self._try_out(permit))
        except RuntimeError:  # no more threads, or the interpreter ends
            permit.ignore()

    def transition(self, before: State, after: State, reason: str) -> None:  # noqa: ARG002  # as watchers are told
        """Tell that the store is back; an outage is told with its error."""
        if after is State.CLOSED:
            self._telling.tell("store_recovered", reason)

    def _try_out(self, permit: Permit) -> None:
        self._called(lambda: self._store.get(PROBE_KEY), permit)

    def _called(self, function: Callable[[], object], permit: Permit) -> object:
        try:
            value = function()
        except UnreadableError:
            value = UNREADABLE
        except Exception as error:  # noqa: BLE001  # whatever it is, the store did not do it
            permit.failure(error)
            self._telling.tallies.add("store_failures")
            self._telling.tell("store_failed", error=error)
            return DOWN
        except BaseException:
            permit.ignore()
            raise
        permit.success()
        return value


class Visit:
    """One call of a store, for a flow; brings back `DOWN` or `UNREADABLE` in the place of an error.

    On an event loop a store that waits for a network or a disk is called on a thread.
    """

    __slots__ = ("_function", "_guard")

    def __init__(self, guard: Guard, function: Callable[[], object]) -> None:
        self._guard = guard
        self._function = function

    def now(self) -> object:
        """Call it on this thread."""
        return self._guard.call(self._function)

    async def later(self) -> object:
        """Call it, and leave the event loop to others meanwhile."""
        if not self._guard.blocking or self._guard.is_down:
            return self.now()
        # Loaded by whoever runs a loop, and by nobody else.
        asyncio: Any = importlib.import_module("asyncio")
        answer: object = await asyncio.to_thread(self.now)
        return answer


def _refusal(reason: str, _retry_after: float) -> Exception:
    return ConnectionError(f"the store is not asked: its circuit is {reason}")


def _on_thread(function: Callable[[], None]) -> None:
    threading.Thread(target=function, name="holdfast-cache-probe", daemon=True).start()
