"""`CircuitBreaker`: pybreaker's surface over a `Circuit`."""

import random
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Sequence,
)
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Any, Final, ParamSpec, TypeVar, cast, overload

import pybreaker

from holdfast.clock import Clock, SystemClock
from holdfast.resilience.breaker.counting import Counting
from holdfast.resilience.breaker.decorating import decorated, handed_on
from holdfast.resilience.breaker.refusal import Refusals
from holdfast.resilience.breaker.storing import LocalStorage
from holdfast.resilience.breaker.use import Settling
from holdfast.resilience.circuit.cause import Cause
from holdfast.resilience.circuit.circuit import Circuit
from holdfast.resilience.circuit.period import State
from holdfast.resilience.circuit.permit import Permit
from holdfast.resilience.circuit.rules import Consecutive, Rule
from holdfast.resilience.circuit.terms import Terms

_Params = ParamSpec("_Params")
_Result = TypeVar("_Result")
_Exclusion = type[BaseException] | Callable[[Any], bool]
_THEIRS: Final = {"pybreaker", "unittest.mock"}
_LEAST: Final = {"fail_max": 1, "reset_timeout": 0, "success_threshold": 1}
_NEVER: Final = Consecutive(2**62)
"""The rule of a circuit whose failures are counted by its storage."""


class CircuitBreaker(Counting):
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

    def __init__(  # noqa: PLR0913, PLR0917  # pybreaker's, in its order
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
        _check("fail_max", fail_max)
        _check("reset_timeout", reset_timeout)
        _check("success_threshold", success_threshold)
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
        refusals = Refusals(name)
        circuit = Circuit(
            terms,
            clock=clock,
            refusal=refusals.refuse,
            chance=random.Random(),  # noqa: S311  # jitter
            cause=_any_cause,
        )
        self._counts_itself = rule is None
        self._ignores_excluded = ignore_excluded
        self._take(circuit, clock, state_storage or LocalStorage(), refusals)
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

    # calls ----------------------------------------------------------------------------------

    def call(self, func: Callable[..., _Result], *args: Any, **kwargs: Any) -> _Result:  # noqa: ANN401  # of func
        """Call a function; one that returns an awaitable or a generator ends when that ends.

        Raises:
            CircuitOpenError: The call was not made, or it failed and opened the circuit.
        """
        begun, period = self.counted, self._gate.period
        use = None if period else self.use(func, args, kwargs)
        try:
            result = func(*args, **kwargs)
        except BaseException as error:
            (use or self.use_in(period, begun)).failed(error)
            raise
        if use is None and type(result) in self.seen:
            self.succeed_in(period)
            return result
        return cast("_Result", (use or self.use_in(period, begun)).returned(result))

    async def acall(
        self,
        func: Callable[..., Awaitable[_Result]],
        *args: Any,  # noqa: ANN401  # of func
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

    @overload  # type: ignore[override]  # pybreaker's says less
    def __call__(self, function: Callable[_Params, _Result], /) -> Callable[_Params, _Result]: ...
    @overload
    def __call__(
        self, **options: bool
    ) -> Callable[[Callable[_Params, _Result]], Callable[_Params, _Result]]: ...
    def __call__(
        self, *call_args: Any, **call_kwargs: Any
    ) -> Any:  # a decorator, or what one returns
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
    def state(self, state_str: str) -> None:
        self._stored.show(State(state_str))
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
        _check("fail_max", number)
        self.circuit.terms = replace(self.circuit.terms, failure_threshold=number)
        self._fail_max = number

    @property
    def reset_timeout(self) -> float:
        """Seconds it stays open before a probe is let through."""
        return self._reset_timeout

    @reset_timeout.setter
    def reset_timeout(self, timeout: float) -> None:
        _check("reset_timeout", timeout)
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
        _check("success_threshold", threshold)
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


def _any_cause(error: BaseException) -> Cause:  # noqa: ARG001  # as `CauseOf` says
    """Return nothing of an error: how long a circuit stays open, pybreaker's option alone says."""
    return Cause()


def _check(option: str, number: float) -> None:
    if number < _LEAST[option]:
        raise ValueError(
            f"{option} of a CircuitBreaker must be at least {_LEAST[option]}, not {number}"
        )
