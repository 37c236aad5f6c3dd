"""`CircuitBreaker`: pybreaker's surface over a `Circuit`."""

import random
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Any, Final, TypeVar, cast

import pybreaker

from holdfast.clock import Clock, SystemClock
from holdfast.complaints import complain
from holdfast.resilience.breaker.decorating import Gates, decorated, handed_on
from holdfast.resilience.breaker.judging import is_neutral, mark_counted, was_counted
from holdfast.resilience.breaker.listening import Listening, ReentrantLock
from holdfast.resilience.breaker.refusal import Refusals, last_error
from holdfast.resilience.breaker.stored import StoredCircuit
from holdfast.resilience.breaker.use import Settling, Use
from holdfast.resilience.breaker.storing import Books, LocalStorage
from holdfast.resilience.circuit.cause import Cause
from holdfast.resilience.circuit.circuit import Circuit, Gate
from holdfast.resilience.circuit.period import State
from holdfast.resilience.circuit.permit import Permit
from holdfast.resilience.circuit.rules import Consecutive, Rule
from holdfast.resilience.circuit.terms import Terms

_Result = TypeVar("_Result")
_Exclusion = type[BaseException] | Callable[[Any], bool]
_THEIRS: Final = {"pybreaker", "unittest.mock"}
_NEVER: Final = Consecutive(2**62)
"""The rule of a circuit whose failures are counted by its storage."""


class CircuitBreaker(pybreaker.CircuitBreaker):
    """Stops making calls that keep failing; code that uses pybreaker's may use it by changing the import.

    Safe for threads and for tasks of any event loop: no lock is held while a call runs. The state
    of one that is given no storage is this process's.

    Args:
        fail_max: Failures in a row that open it; at least 1.
        reset_timeout: Seconds it stays open before a probe is let through; at least 0.
        success_threshold: Probes in a row that have to succeed before it closes; at least 1.
        exclude: Classes of exceptions that are no failures, or functions that tell of one.
        listeners: Are told what it does.
        state_storage: Keeps its state and counters; memory by default.
        name: For messages, events and listeners.
        throw_new_error_on_trip: The call that opens it raises `CircuitOpenError` in the place of its own error.
        rule: When it opens, in the place of `fail_max`; counts in this process alone.
        probe_timeout: Seconds after which a probe that did not come back gives up its place.
        ignore_excluded: An excluded exception changes nothing, rather than count as a success.
        clock: Source of time.

    Raises:
        ValueError: For a number out of its range.

    Example:
        >>> stock = CircuitBreaker(fail_max=2, name="stock")
        >>> @stock
        ... def count_of(sku: str) -> int:
        ...     return len(sku)
        >>> count_of("881"), stock.current_state
        (3, 'closed')
    """

    circuit: Circuit
    """Decides; one may watch it, force it open, or look at a snapshot."""
    clock: Clock
    """Its source of time."""
    is_timed: bool
    """Whether its rule has to know how long calls take."""
    counted: list[int]
    """How many failures were counted so far; for what makes calls."""

    def __init__(  # noqa: PLR0913  # pybreaker's, in its order
        self,
        fail_max: int = 5,
        reset_timeout: float = 60,
        success_threshold: int = 1,
        exclude: Iterable[_Exclusion] | None = None,
        listeners: Sequence[Any] | None = None,
        state_storage: pybreaker.CircuitBreakerStorage | None = None,
        name: str | None = None,
        throw_new_error_on_trip: bool = True,  # noqa: FBT001, FBT002  # pybreaker's
        *,
        rule: Rule | None = None,
        probe_timeout: float = 60.0,
        ignore_excluded: bool = False,
        clock: Clock | None = None,
    ) -> None:
        _check(fail_max=fail_max, reset_timeout=reset_timeout, success_threshold=success_threshold)
        clock = clock or SystemClock()
        terms = Terms(
            failure_threshold=fail_max,
            recovery_timeout=reset_timeout,
            success_threshold=success_threshold,
            max_recovery_timeout=reset_timeout,
            rule=rule or _NEVER,
            probe_timeout=probe_timeout,
            ramp=(),
        )
        self._refusals = Refusals(name)
        circuit = Circuit(
            terms,
            clock=clock,
            refusal=self._refusals.refuse,
            chance=random.Random(),
            cause=_any_cause,
        )
        self._counts_itself = rule is None
        self._ignores_excluded = ignore_excluded
        self._counts: Callable[[BaseException], bool] | None = None
        self._take(circuit, clock, state_storage or LocalStorage(), name)
        super().__init__(
            fail_max=fail_max,
            reset_timeout=reset_timeout,
            success_threshold=success_threshold,
            exclude=exclude,
            listeners=listeners,
            state_storage=self._books.storage,
            name=name,
            throw_new_error_on_trip=throw_new_error_on_trip,
        )
        self._begin()

    @classmethod
    def around(
        cls,
        circuit: Circuit,
        clock: Clock,
        refusals: Refusals,
        counts: Callable[[BaseException], bool],
    ) -> "CircuitBreaker":
        """Return one for a circuit that decides by itself, as that of a policy.

        Args:
            circuit: Decides.
            clock: Its clock.
            refusals: Make its errors.
            counts: Tells whether an error is a failure; one that is none changes nothing.
        """
        breaker = cls.__new__(cls)
        breaker._refusals = refusals
        breaker._counts_itself = False
        breaker._ignores_excluded = True
        breaker._counts = counts
        breaker._take(circuit, clock, LocalStorage(), refusals.name)
        pybreaker.CircuitBreaker.__init__(
            breaker,
            fail_max=circuit.terms.failure_threshold,
            reset_timeout=circuit.terms.recovery_timeout,
            success_threshold=circuit.terms.success_threshold,
            state_storage=breaker._books.storage,
            name=refusals.name,
        )
        breaker._begin()
        return breaker

    def _take(
        self,
        circuit: Circuit,
        clock: Clock,
        storage: pybreaker.CircuitBreakerStorage,
        name: str | None,
    ) -> None:
        self.circuit = circuit
        self.clock = clock
        self.is_timed = circuit.terms.timed()
        self.counted = [0]
        self._hooks: frozenset[str] = frozenset()
        self._listening = Listening(self)
        self._gates = Gates()
        self._books = Books(storage, name)
        self._stored = StoredCircuit(circuit, self._books, clock, self._limit, self._count)

    def _begin(self) -> None:
        self._lock = ReentrantLock()
        self._books.belong(lambda: self.circuit.period, self._notice)
        self.circuit.add_watcher(_Watching(self))
        self._look_at_state()

    # calls ----------------------------------------------------------------------------------

    def call(self, func: Callable[..., _Result], *args: Any, **kwargs: Any) -> _Result:  # noqa: ANN401  # of func
        """Call a function; one that returns an awaitable or a generator ends when that ends.

        Raises:
            CircuitOpenError: The call was not made, or it failed and opened the circuit.
        """
        use = self.use(func, args, kwargs)
        try:
            result = func(*args, **kwargs)
        except BaseException as error:
            use.failed(error)
            raise
        return cast("_Result", use.returned(result))

    async def acall(
        self,
        func: Callable[..., Awaitable[_Result]],
        *args: Any,
        **kwargs: Any,  # noqa: ANN401  # of func
    ) -> _Result:
        """Call a coroutine function.

        Raises:
            CircuitOpenError: The call was not made, or it failed and opened the circuit.
        """
        use = self.use(func, args, kwargs)
        try:
            value: Any = func(*args, **kwargs)
            result = await value if hasattr(value, "__await__") else value
        except BaseException as error:
            use.failed(error)
            raise
        use.succeeded()
        return cast("_Result", result)

    def call_async(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # Tornado's
        """Call a function of Tornado's; returns Tornado's future."""
        gen = cast("Any", pybreaker).gen

        def steps() -> Generator[Any, Any, Any]:
            use = self.use(func, args, kwargs)
            try:
                result = yield func(*args, **kwargs)
            except BaseException as error:
                use.failed(error)
                raise
            return use.returned(result)

        return gen.coroutine(steps)()

    @contextmanager
    def calling(self) -> Generator[None, None, None]:
        """Guard a block.

        Raises:
            CircuitOpenError: The block must not run, or it failed and opened the circuit.
        """
        use = self.use(self.calling, (), {})
        try:
            yield
        except BaseException as error:
            use.failed(error)
            raise
        use.succeeded()

    @asynccontextmanager
    async def acalling(self) -> AsyncGenerator[None, None]:
        """Guard a block of asynchronous code; for `async with`.

        Raises:
            CircuitOpenError: The block must not run, or it failed and opened the circuit.
        """
        with self.calling():
            yield

    def acquire(self) -> Permit:
        """Return leave to make one call, for code that learns elsewhere how the call ended.

        Give it back by `success()`, `failure(error)` or `ignore()`; a failure told so counts,
        whatever is excluded.

        Raises:
            CircuitOpenError: The call must not be made.
        """
        permit = self._admitted()
        return Permit(Settling(self), permit.period, permit.place)

    def __call__(self, *call_args: Any, **call_kwargs: Any) -> Any:  # noqa: ANN401  # a decorator, or what one returns
        """Return a guarded function, or a decorator.

        Functions, methods, coroutine functions, generator functions and asynchronous ones, and
        whatever returns an awaitable. `__pybreaker_call_async=True` makes it Tornado's,
        `__pybreaker_call_acall=True` a coroutine function.
        """
        is_tornado = call_kwargs.pop("__pybreaker_call_async", False)
        is_awaited = call_kwargs.pop("__pybreaker_call_acall", False)
        if is_tornado and not pybreaker.HAS_TORNADO_SUPPORT:
            raise ImportError("No module named tornado")

        def decorate(function: Callable[..., Any]) -> object:
            if is_tornado or is_awaited:
                return handed_on(function, self.call_async if is_tornado else self.acall)
            return decorated(self, function)

        return decorate(*call_args) if call_args else decorate

    # state ----------------------------------------------------------------------------------

    @property
    def state(self) -> Any:  # noqa: ANN401  # one of pybreaker's three, or of a subclass
        """The state as one of pybreaker's objects; a change made elsewhere is noticed, and told."""
        self._notice()
        return self._state

    @state.setter
    def state(self, state: str) -> None:
        self._stored.show(State(state))
        self._listening.tell_changes()

    @property
    def current_state(self) -> str:
        """The state as the storage tells it; while that is away, as this process knows it."""
        return self._books.state(self.circuit.state).value

    @property
    def fail_counter(self) -> int:
        """Failures in a row."""
        return self._books.failures()

    @property
    def success_counter(self) -> int:
        """Successes of probes in a row."""
        return self._books.successes()

    def open(self) -> bool:
        """Open it; calls are refused until `reset_timeout` has passed."""
        self._set(State.OPEN)
        return self._throw_new_error_on_trip

    def half_open(self) -> None:
        """Let the next call be a probe."""
        self._set(State.HALF_OPEN)

    def close(self) -> None:
        """Close it, and count anew."""
        self._set(State.CLOSED)

    # options --------------------------------------------------------------------------------

    @property
    def fail_max(self) -> int:
        """Failures in a row that open it."""
        return self._fail_max

    @fail_max.setter
    def fail_max(self, number: int) -> None:
        self.circuit.terms = replace(self.circuit.terms, failure_threshold=number)
        self._fail_max = number

    @property
    def reset_timeout(self) -> float:
        """Seconds it stays open before a probe is let through."""
        return self._reset_timeout

    @reset_timeout.setter
    def reset_timeout(self, timeout: float) -> None:
        self.circuit.terms = replace(
            self.circuit.terms, recovery_timeout=timeout, max_recovery_timeout=timeout
        )
        self._reset_timeout = timeout
        self._stored.redate()

    @property
    def success_threshold(self) -> int:
        """Probes in a row that have to succeed before it closes."""
        return self._success_threshold

    @success_threshold.setter
    def success_threshold(self, threshold: int) -> None:
        self.circuit.terms = replace(self.circuit.terms, success_threshold=threshold)
        self._success_threshold = threshold

    def add_listener(self, listener: Any) -> None:  # noqa: ANN401  # pybreaker's, or one that looks like it
        """Tell one more listener."""
        super().add_listener(listener)
        self._aim()

    def remove_listener(self, listener: Any) -> None:  # noqa: ANN401  # as above
        """Tell a listener no more."""
        super().remove_listener(listener)
        self._aim()

    def watch(self, gate: Gate) -> None:
        """Keep a gate open while the circuit is closed, and nothing has to be done for a success."""
        self._gates.add(gate)
        self._aim()

    # how calls end --------------------------------------------------------------------------

    def is_system_error(self, exception: BaseException) -> bool:
        """Tell whether an exception is a failure: none of the excluded ones is."""
        if self._counts is not None:
            return self._counts(exception)
        return not any(
            isinstance(exception, exclusion)
            if isinstance(exclusion, type)
            else callable(exclusion) and exclusion(exception)
            for exclusion in self._excluded_exceptions
        )

    def began(self, permit: Permit, begun: int) -> Use:
        """Return the use of a call on the short way; for the wrapper of a function."""
        return Use(self, permit, begun)

    def use(
        self, func: Callable[..., Any], args: tuple[object, ...], kwargs: Mapping[str, Any]
    ) -> Use:
        """Return the use of one call, once it is let through; for what makes calls.

        Raises:
            CircuitOpenError: The call must not be made.
        """
        permit = self._admitted()
        use = Use(self, permit, self.counted[0])
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
            mark_counted(error, self.circuit, self.counted[0])
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
        if is_neutral(error) or was_counted(error, self.circuit, since):
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
        permit = self._stored.acquire()
        self._listening.tell_changes()
        if permit is None:
            raise self._refusals.refuse("half-open", 0.0)
        return permit

    def _set(self, state: State) -> None:
        self._stored.set(state)
        self._listening.tell_changes()

    def _notice(self) -> None:
        self._stored.notice()
        self._listening.tell_changes()

    def _limit(self) -> int | None:
        return self._fail_max if self._counts_itself else None

    def _count(self) -> None:
        self.counted[0] += 1
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

    def __init__(self, breaker: CircuitBreaker) -> None:
        self._breaker = breaker

    def transition(self, before: State, after: State, reason: str) -> None:  # noqa: ARG002  # as watchers are called
        """Make the new state's object, and keep the change for the listeners."""
        self._breaker._changed(after)

    def failure(self, error: BaseException | None) -> None:
        """Keep what the last failure was."""
        self._breaker._refusals.last = last_error(error)


def _any_cause(error: BaseException) -> Cause:  # noqa: ARG001  # as `CauseOf` says
    """Return nothing of an error: how long a circuit stays open, pybreaker's option alone says."""
    return Cause()


def _check(*, fail_max: float, reset_timeout: float, success_threshold: float) -> None:
    numbers = {"fail_max": (fail_max, 1), "reset_timeout": (reset_timeout, 0)}
    numbers["success_threshold"] = (success_threshold, 1)
    for option, (number, least) in numbers.items():
        if number < least:
            raise ValueError(f"CircuitBreaker({option}=…) must be at least {least}, not {number}")
