"""How a circuit breaker counts: from when a call is let through until what becomes of it is told."""

from collections.abc import Callable, Mapping
from typing import Any, Final, cast

import pybreaker

from holdfast.clock import Clock
from holdfast.complaints import complain
from holdfast.resilience.breaker.decorating import Gates
from holdfast.resilience.breaker.judging import is_neutral, mark_counted, was_counted
from holdfast.resilience.breaker.listening import Listening, ReentrantLock
from holdfast.resilience.breaker.refusal import Refusals, last_error
from holdfast.resilience.breaker.stored import StoredCircuit
from holdfast.resilience.breaker.storing import Books
from holdfast.resilience.breaker.use import Use
from holdfast.resilience.circuit.circuit import Circuit
from holdfast.resilience.circuit.period import EVERY, Period, State
from holdfast.resilience.circuit.permit import Permit
from holdfast.resilience.weaving import Gate

_THEIRS: Final = {"pybreaker", "unittest.mock"}


class Counting(pybreaker.CircuitBreaker):
    """A breaker of pybreaker's whose calls are let through, and counted, by a circuit of ours."""

    circuit: Circuit
    """Decides; one may watch it, force it open, or look at a snapshot."""
    clock: Clock
    """Its source of time."""
    is_timed: bool
    """Whether its rule has to know how long calls take."""
    counted: int
    """How many failures were counted so far; for what makes calls."""

    _counts_itself = False
    """Whether `fail_max` opens it, and not a rule."""
    _ignores_excluded = True

    def _take(
        self,
        circuit: Circuit,
        clock: Clock,
        storage: pybreaker.CircuitBreakerStorage,
        refusals: Refusals,
    ) -> None:
        """Make what has to be there before pybreaker's constructor asks for the state."""
        self.circuit = circuit
        self._refusals = refusals
        self.clock = clock
        self.is_timed = circuit.terms.timed()
        self.counted = 0
        self._hooks: frozenset[str] = frozenset()
        self._listening = Listening(self)
        self._gates = Gates()
        self._gate = Gate()
        self.seen: set[type] = set()
        self._books = Books(storage, refusals.name)
        self._stored = StoredCircuit(circuit, self._books, clock, self._limit, self._count)

    def _begin(self) -> None:
        """Go to work, after pybreaker's constructor."""
        self._lock = ReentrantLock()  # type: ignore[assignment]  # used like pybreaker's
        self._books.belong(lambda: self.circuit.period, self._notice)
        self.circuit.add_watcher(_Watching(self._refusals, self._changed))
        self._look_at_state()
        self.watch(self._gate)

    def is_system_error(self, exception: BaseException) -> bool:
        """Tell whether an exception is a failure: none of the excluded ones is."""
        return not any(
            isinstance(exception, exclusion)
            if isinstance(exclusion, type)
            else exclusion(exception)
            for exclusion in self._excluded_exceptions
        )

    def use_in(self, period: object, begun: int) -> Use:
        """Return the use of a call that went the short way in a closed period."""
        return Use(self, Permit(self.circuit, cast("Period", period)), begun)

    def succeed_in(self, period: object) -> None:
        """Count a success in a closed period, where nobody has to be told."""
        closed = cast("Period", period)
        if not closed.succeeded() & (EVERY - 1):
            closed.tick()

    def watch(self, gate: Gate) -> None:
        """Keep a gate open while the circuit is closed, and nothing has to be done for a success."""
        self._gates.add(gate, self.counted)
        self._aim()

    def use(
        self, func: Callable[..., Any], args: tuple[object, ...], kwargs: Mapping[str, Any]
    ) -> Use:
        """Return the use of one call, once it is let through; for what makes calls.

        Raises:
            CircuitOpenError: The call must not be made.
        """
        permit = self._admitted()
        use = Use(self, permit, self.counted)
        if self._listeners or self._hooks:
            try:
                if "before_call" in self._hooks:
                    self._state.before_call(func, *args, **kwargs)
            except BaseException:
                self._stored.ignored(permit)
                raise
            self._listening.tell("before_call", func, *args, **kwargs)
        return use

    def settle_success(self, permit: Permit, seconds: float | None = None) -> None:
        """Count a call that succeeded."""
        if "on_success" in self._hooks:
            self._books.reset_failures()
            self._stored.ignored(permit)
            self._state.on_success()
        else:
            self._stored.succeeded(permit, seconds, self._success_threshold)
        self._listening.tell_changes()
        self._listening.tell("success")

    def settle_failure(
        self, permit: Permit, error: BaseException | None, seconds: float | None = None
    ) -> bool:
        """Count a call that failed; tell whether that opened the circuit."""
        decides = "on_failure" not in self._hooks
        has_opened = self._stored.failed(permit, error, seconds, decides=decides)
        if error is not None:
            mark_counted(error, self.circuit, self.counted)
        self._listening.tell("failure", error)
        self._listening.tell_changes()
        return has_opened

    def settle_ignored(self, permit: Permit) -> None:
        """Take back the permit of a call that says nothing."""
        self._stored.ignored(permit)
        self._listening.tell_changes()

    def settle_error(
        self, permit: Permit, error: BaseException, seconds: float | None, *, since: int
    ) -> None:
        """Count a call that raised, as its error says.

        Args:
            permit: Of the call.
            error: What it raised.
            seconds: How long it took; None when nobody measured it.
            since: How many failures were counted when it began.

        Raises:
            CircuitOpenError: That opened the circuit.
        """
        if isinstance(error, GeneratorExit):
            self._stored.abandoned(permit)
        elif is_neutral(error) or was_counted(error, self.circuit, since):
            self.settle_ignored(permit)
        elif not self._is_failure(error):
            self._excluded(permit, seconds)
        elif self.settle_failure(permit, error, seconds) and self._throw_new_error_on_trip:
            raise self._refusals.tripped(permit, self._reset_timeout).with_traceback(
                error.__traceback__
            )
        elif "on_failure" in self._hooks:
            self._state.on_failure(error)

    def _excluded(self, permit: Permit, seconds: float | None) -> None:
        if self._ignores_excluded:
            self.settle_ignored(permit)
        else:
            self.settle_success(permit, seconds)

    def _is_failure(self, error: BaseException) -> bool:
        try:
            return self.is_system_error(error)
        except Exception as failure:  # noqa: BLE001  # of a function that was to exclude errors
            complain(f"what circuit {self._name!r} excludes failed: {failure!r}")
            return True

    def _admitted(self) -> Permit:
        try:
            permit = self._stored.acquire()
        finally:
            self._listening.tell_changes()
        if permit is None:
            raise self._refusals.refuse("half-open", 0.0)
        return permit

    def _set(self, state: State) -> None:
        self._stored.set(state)
        self._listening.tell_changes()

    def _notice(self) -> None:
        if self._stored.notice():
            self._listening.tell_changes()

    def _limit(self) -> int | None:
        return self._fail_max if self._counts_itself else None

    def _count(self) -> None:
        self.counted += 1
        self._gates.count(self.counted)
        self._inc_counter()

    def _inc_counter(self) -> None:
        self._books.count_failure()

    def _changed(self, after: State) -> None:
        before = self._state
        self._state = self._create_new_state(after.value, prev_state=before, notify=False)
        self._listening.changed(before, self._state)
        self._look_at_state()

    def _look_at_state(self) -> None:
        """See which of its hooks the present state has from the user."""
        kind = type(self._state)
        self._hooks = frozenset(
            name
            for name in ("before_call", "on_success", "on_failure")
            if getattr(getattr(kind, name, None), "__module__", "") not in _THEIRS
        )
        self._aim()

    def _aim(self) -> None:
        """Let calls take the short way, or have them told of and counted one by one."""
        is_short = not (
            self._hooks
            or self.is_timed
            or not self._books.is_local
            or self._listening.hears("before_call", "success")
        )
        self._gates.aim(self.circuit, is_short=is_short)


class _Watching:
    """Hears of the circuit what the breaker has to know."""

    def __init__(self, refusals: Refusals, changed: Callable[[State], None]) -> None:
        self._refusals = refusals
        self._changed = changed

    def transition(self, before: State, after: State, reason: str) -> None:  # noqa: ARG002  # as watchers are called
        """Make the new state's object, and keep the change for the listeners."""
        self._changed(after)

    def failure(self, error: BaseException | None) -> None:
        """Keep what the last failure was."""
        self._refusals.last = last_error(error)
