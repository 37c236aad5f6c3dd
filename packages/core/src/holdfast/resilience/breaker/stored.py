"""`StoredCircuit`: a circuit whose state and counters are kept in one of pybreaker's storages."""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from holdfast.clock import Clock
from holdfast.resilience.breaker.listening import ReentrantLock
from holdfast.resilience.breaker.storing import Books
from holdfast.resilience.circuit.circuit import Circuit
from holdfast.resilience.circuit.period import State
from holdfast.resilience.circuit.permit import Permit

if TYPE_CHECKING:
    from datetime import datetime

_SAME: Final = 1.0
"""Seconds by which a time of opening differs from what was written: Redis keeps whole ones."""
_ELSEWHERE: Final = "changed elsewhere"


class StoredCircuit:
    """Keeps a circuit and its storage together; thread-safe.

    The storage is read before a call without any lock. Whoever changes the state, or counts a failure,
    takes his turn for it and writes within that turn; a call that finds somebody at it goes by the
    state this process knows. So nobody acts on what was read while it was being written.

    Args:
        circuit: Decides.
        books: Its storage.
        clock: Source of time.
        limit: Failures in a row that open it; None leaves that to the circuit's own rule.
        count: Counts a failure.

    Attributes:
        circuit: Decides.
        books: Its storage.
        turn: Of who changes something.
    """

    def __init__(
        self,
        circuit: Circuit,
        books: Books,
        clock: Clock,
        limit: Callable[[], int | None],
        count: Callable[[], None],
    ) -> None:
        self.circuit = circuit
        self.books = books
        self.turn = ReentrantLock()
        self._clock = clock
        self._limit = limit
        self._count = count
        self._noted: datetime | None = None
        self._is_writing = False
        self._abandoned: deque[Permit] = deque()
        found = books.state(State.CLOSED)
        if found is not State.CLOSED:
            self._follow(found)

    def notice(self) -> bool:
        """Follow what was changed elsewhere; tell whether there may be something to tell of."""
        ours = self.circuit.state
        if self._is_writing:
            return False
        found = self.books.state(ours)
        if found is ours and (ours is not State.OPEN or not self._is_dated_anew()):
            return False
        if not self.turn.try_acquire():
            return False
        try:
            self._follow_changes()
        finally:
            self.turn.release()
        return True

    def acquire(self) -> Permit | None:
        """Return leave to make one call, or None when another thread is about to probe.

        Raises:
            Exception: As the circuit makes it: the call must not be made.
        """
        while self._abandoned:
            self.ignored(self._abandoned.popleft())
        if not self.books.is_local:
            self.notice()
        if self.circuit.state is State.CLOSED:
            return self.circuit.acquire()
        if not self._may_probe():
            return self.circuit.acquire()
        if not self.turn.try_acquire():
            return None
        try:
            return self._probe()
        finally:
            self.turn.release()

    def succeeded(self, permit: Permit, seconds: float | None, threshold: int) -> None:
        """Count a call that succeeded."""
        if permit.period.state is State.CLOSED:
            permit.success(seconds)
            if not self.books.is_local and permit.period is self.circuit.period:
                self.books.reset_failures()
            return
        with self.turn:
            is_enough = False
            if permit.period is self.circuit.period:
                self.books.reset_failures()
                self.books.count_success()
                is_enough = self.books.successes() >= threshold
            permit.success(seconds)
            if is_enough and self.circuit.state is State.HALF_OPEN:
                self.circuit.close("probes succeeded")
            if is_enough:
                self._write()
            self._left(permit)

    def failed(
        self,
        permit: Permit,
        error: BaseException | None,
        seconds: float | None,
        *,
        decides: bool,
    ) -> bool:
        """Count a call that failed; tell whether that opened the circuit.

        Args:
            permit: Of the call.
            error: What it failed with.
            seconds: How long it took; None when nobody measured it.
            decides: Whether the circuit may open; else somebody else says so.
        """
        with self.turn:
            period = permit.period
            is_current = period is self.circuit.period
            if is_current:
                self._count()
            if not decides:
                self.ignored(permit)
                return False
            permit.failure(error, seconds)
            limit = self._limit()
            if is_current and period is self.circuit.period and limit is not None:
                number = self.books.failures()
                if number >= limit:
                    self.circuit.open(f"{number} failures in a row")
            has_opened = is_current and self.circuit.state is State.OPEN
            if has_opened:
                self._write()
            self._left(permit)
        return has_opened

    def ignored(self, permit: Permit) -> None:
        """Take back a permit that says nothing."""
        permit.ignore()
        self._left(permit)

    def abandoned(self, permit: Permit) -> None:
        """Take back the permit of a call that nobody will end; takes no lock, nor waits.

        It may be the garbage collector that says so, in the middle of anything. A probe's place is
        given back by whoever asks for one next.
        """
        if permit.period.state is State.HALF_OPEN:
            self._abandoned.append(permit)

    def set(self, state: State) -> None:
        """Change the state, here and in the storage."""
        with self.turn:
            if state is State.OPEN:
                self.circuit.open()
            elif state is State.HALF_OPEN:
                self.circuit.half_open()
            else:
                self.circuit.close()
            self._write()

    def show(self, state: State) -> None:
        """Be in a state without telling the storage."""
        with self.turn:
            self._follow(state)

    def redate(self) -> None:
        """Go by a new time that the circuit stays open."""
        with self.turn:
            if self.circuit.state is State.OPEN:
                self._follow(State.OPEN)

    # ----------------------------------------------------------------------------------------

    def _may_probe(self) -> bool:
        period = self.circuit.period
        return period.state is not State.OPEN or self._clock.monotonic() >= period.until

    def _probe(self) -> Permit | None:
        """Return leave for a probe; only one thread of this process comes here at a time."""
        seconds = self.circuit.terms.probe_timeout
        if not self.books.lease_probe(seconds):
            return None
        if not self.books.is_local:
            self._follow_changes()  # another process may just have opened it again
        before = self.circuit.period
        try:
            permit = self.circuit.acquire()
        except Exception:
            self.books.return_probe()
            raise
        if permit.period is not before:
            self._write()
        return permit

    def _left(self, permit: Permit) -> None:
        if permit.period.state is State.HALF_OPEN:
            self.books.return_probe()

    def _write(self) -> None:
        """Write the state, which was decided here."""
        self._noted = self._clock.now()
        self._is_writing = True
        try:
            self.books.write(self.circuit.state, self._noted)
        finally:
            self._is_writing = False

    def _follow_changes(self) -> None:
        ours = self.circuit.state
        found = self.books.state(ours)  # once more: now nobody is writing
        if found is not ours:
            self._follow(found, has_changed=True)
        elif ours is State.OPEN and self._is_dated_anew():
            self._follow(State.OPEN)

    def _follow(self, state: State, *, has_changed: bool = False) -> None:
        if has_changed:
            forget = (
                self.books.reset_failures if state is State.CLOSED else self.books.reset_successes
            )
            forget()
        until = self._until() if state is State.OPEN else 0.0
        self.circuit.adopt(state, until=until, reason=_ELSEWHERE)

    def _is_dated_anew(self) -> bool:
        at = self.books.opened_at()
        if at is None or self._noted is None:
            return at is not self._noted
        return abs((at - self._noted).total_seconds()) >= _SAME

    def _until(self) -> float:
        """Return when an open circuit lets a probe through; the time of opening is another clock's."""
        self._noted = self.books.opened_at()
        age = 0.0
        if self._noted is not None:
            age = max(0.0, (self._clock.now() - self._noted).total_seconds())
        return self._clock.monotonic() + self.circuit.terms.recovery_timeout - age
