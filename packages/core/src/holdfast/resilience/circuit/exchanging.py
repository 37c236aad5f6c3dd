"""A thread that exchanges the states of circuits with the other workers of a service.

Calls never wait for it: a circuit decides by itself, wakes the thread when it changes its state, and
is told by the thread what the fleet does. A forked child has a thread and a name of its own.
"""

import os
import random
import secrets
import threading
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

from holdfast.clock import Clock
from holdfast.forks import ForkSafeLock
from holdfast.resilience.backoff import Exponential
from holdfast.resilience.circuit.circuit import Circuit
from holdfast.resilience.circuit.shared import SharedCircuit
from holdfast.resilience.circuit.sharing import Fleet, Heard, Order, Own, Store, proposed, taken

EVERY: Final = 1.0
"""Seconds between two exchanges, unless a circuit changes its state."""
SOON: Final = 0.25
"""Seconds between two exchanges while any worker sees failures: the fleet may be about to open."""
LEAST: Final = 0.05
"""Seconds between two exchanges at least, however often circuits change their state."""
MAX_CIRCUITS: Final = 1000
"""Circuits that one worker shares; further ones are its own."""
PAUSE: Final = Exponential(base=0.5, ceiling=5.0, jitter="proportional")
"""How long a store that was away is left alone."""


class Shared(Protocol):
    """A circuit, as far as it is shared."""

    def told(self, member: str) -> Own | None:
        """Return what this worker knows of it by itself; None while somebody decides for it."""
        ...

    def take(self, fleet: Fleet, order: Order | None) -> None:
        """Take over a record, and do what it orders."""
        ...


class Exchanger:
    """Exchanges states with a store on a thread of its own, from the first circuit until `close`.

    All methods may be called on any thread; none but `exchange` waits for the store.

    Args:
        connect: Makes the store; called on the thread that exchanges, once in each process.
        quorum: Up to 1 a share of the workers alive that opens the fleet; above, a number.
        clock: That of the circuits.
        chance: Spreads attempts to come back to a store that was away.
        threaded: Whether there is a thread; without one somebody calls `exchange`.
        tell: Called with the error when the store goes away, and with None when it is back.
    """

    def __init__(
        self,
        connect: Callable[[], Store],
        *,
        quorum: float,
        clock: Clock,
        chance: random.Random,
        tell: Callable[[Exception | None], None],
        threaded: bool = True,
    ) -> None:
        self._connect = connect
        self._quorum = quorum
        self._clock = clock
        self._chance = chance
        self._tell = tell
        self._threaded = threaded
        self._lock = ForkSafeLock()
        self._circuits: weakref.WeakValueDictionary[str, Shared] = weakref.WeakValueDictionary()
        self._is_closed = False
        self.begin_anew()
        _all.add(self)

    def begin_anew(self) -> None:
        """Be another worker, as a forked child is, which first waits a while: it may end at once."""
        self.member = secrets.token_hex(8)
        self._store: Store | None = None
        self._awaited: deque[threading.Event] = deque()
        self._failures = 0
        self._pause = 0.0
        self._thread: threading.Thread | None = None
        self._woken, self._stopped = threading.Event(), threading.Event()
        if self._circuits and not self._is_closed:
            self._start()

    def join(self, name: str, circuit: Shared) -> None:
        """Share a circuit as long as somebody holds it; one name is one circuit for all workers."""
        with self._lock:
            if name not in self._circuits and len(self._circuits) >= MAX_CIRCUITS:
                return
            self._circuits[name] = circuit
            if self._thread is None and not self._is_closed:
                self._start()
        self.wake()

    def share(self, name: str, circuit: Circuit) -> None:
        """Share a circuit from now on, under a name."""
        self.join(name, SharedCircuit(circuit, self._clock, self))

    def wake(self) -> None:
        """Exchange soon: a circuit has changed its state. While the store is away it waits longer."""
        self._woken.set()

    def catch_up(self, timeout: float) -> bool:
        """Exchange now and wait for it, as a command does; False when the store is away or slow.

        Args:
            timeout: Seconds.
        """
        if self._thread is None:
            self.exchange()
            return not self._failures
        done = threading.Event()
        self._awaited.append(done)
        self.wake()
        return done.wait(timeout) and not self._failures

    def close(self, timeout: float) -> None:
        """Exchange no more and let the others know; waits a limited time for an exchange under way.

        Args:
            timeout: Seconds.
        """
        self._is_closed = True
        self._stopped.set()
        self._woken.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout)

    def exchange(self) -> float:
        """Exchange once, on this thread; return the seconds after which it should be done again."""
        try:
            if self._store is None:
                self._store = self._connect()
            is_tense = self._exchange(self._store)
        except Exception as failure:  # noqa: BLE001  # whatever a library raises: each goes its own way
            return self._lost(failure)
        if self._failures:
            self._failures, self._pause = 0, 0.0
            self._tell(None)
        return SOON if is_tense else EVERY

    def _exchange(self, store: Store) -> bool:
        """Exchange all circuits; tell whether any worker has opened one by itself."""
        with self._lock:
            circuits = dict(self._circuits)
        found = {name: circuit.told(self.member) for name, circuit in circuits.items()}
        owns = {name: own for name, own in found.items() if own is not None}
        heard = store.exchange(self.member, {name: own.is_failing for name, own in owns.items()})
        for name, told in heard.items():
            self._settle(store, name, owns[name], told, circuits[name])
        return any(told.failing for told in heard.values())

    def _settle(self, store: Store, name: str, own: Own, heard: Heard, circuit: Shared) -> None:
        """Write what this worker proposes, unless another was faster, and do what the record says."""
        fleet = proposed(own, heard, self._quorum)
        if fleet is None:
            fleet = heard.fleet
        elif not store.settle(name, heard.fleet.version, fleet):
            self.wake()
            return
        circuit.take(fleet, taken(own, fleet, heard.now))

    def _lost(self, failure: Exception) -> float:
        self._failures += 1
        if self._failures == 1:
            self._tell(failure)
        self._pause = PAUSE.delay(self._failures - 1, self._pause, self._chance)
        return self._pause

    def _start(self) -> None:
        if not self._threaded:
            return
        self._thread = threading.Thread(
            target=self._run,
            args=(self._woken, self._stopped),
            name="holdfast-circuits",
            daemon=True,
        )
        self._thread.start()

    def _run(self, woken: threading.Event, stopped: threading.Event) -> None:
        wait = EVERY
        while True:
            (stopped if self._failures else woken).wait(wait)
            if stopped.wait(LEAST):
                break
            woken.clear()  # before the exchange: what changes from now on is for the next
            awaited = len(self._awaited)
            wait = self.exchange()
            for _ in range(awaited):
                self._awaited.popleft().set()
        if self._store is not None and not self._failures:
            with suppress(Exception):  # else it is forgotten by itself
                self._store.leave(self.member, list(self._circuits))


_all: "weakref.WeakSet[Exchanger]" = weakref.WeakSet()


def _begin_anew() -> None:
    for exchanger in tuple(_all):
        exchanger.begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
