"""Trying again: what is retried, when, and how often."""

import math
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from itertools import count
from typing import Any, Final, TypeAlias

from holdfast.codes import Effect
from holdfast.errors import CircuitOpenError
from holdfast.resilience.backoff import Backoff, Exponential
from holdfast.resilience.budget import Bucket, Budget
from holdfast.resilience.call import Call, Inner, Steps
from holdfast.resilience.drivers import MIN_WAIT, Wait
from holdfast.resilience.host import Host
from holdfast.resilience.outcome import Outcome
from holdfast.resilience.retry_events import RetryEvents
from holdfast.resilience.scope import (
    Attempt,
    Scope,
    current_idempotency_key,
    current_scope,
    restore,
)
from holdfast.resilience.trail import Failed, note
from holdfast.resilience.validity import check_count, check_seconds

MOST_ATTEMPTS: Final = 1000
_UNDONE: Final = frozenset({Effect.NOT_SENT, Effect.NONE})
"""Effects that allow another attempt at what must not be done twice."""

Retryable: TypeAlias = type[BaseException] | Callable[[BaseException], bool]
"""What else is retried: a class of exceptions, or a function that says yes."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Makes a call again that failed and may succeed.

    What is classified transient is retried, and whatever `on` and `results` name. A refusal of an
    open circuit is retried only when there is a deadline and the circuit lets calls through before
    it. Inside of another policy's retry it makes one attempt. What comes out is the last error
    itself, with a note of each attempt before it.

    Args:
        attempts: Calls at most, the first included; 1 to 1000.
        backoff: How long to wait between them. What the other side asks to wait (`Retry-After`)
            comes on top, so that not everybody is back at that very moment.
        on: Classes of exceptions, or functions of one, that are retried as well.
        results: Says of a result whether it is to be tried again; the last one comes out, whatever
            it says. Policies with it do without the short way of calls that succeed.
        budget: Bounds further attempts of all calls of the policy together; None: nothing does.
        idempotent: Whether the call may be made twice. If not, it is made again only when it was not
            sent, or refused locally, or carries an `idempotency_key`.
        retry_after_limit: Seconds that others may ask to wait; an error that asks for more comes out.

    Raises:
        ValueError: For a number out of bounds.
        TypeError: For an option of a wrong type.

    Example:
        >>> Retry(attempts=5, on=(KeyError,)).attempts
        5
    """

    attempts: int = 3
    _: KW_ONLY
    backoff: Backoff = field(default_factory=Exponential)
    on: tuple[Retryable, ...] = ()
    results: Callable[[Any], bool] | None = None
    budget: Budget | None = field(default_factory=Budget)
    idempotent: bool = True
    retry_after_limit: float = 60.0

    def __post_init__(self) -> None:
        check_count("Retry.attempts", self.attempts, least=1, most=MOST_ATTEMPTS)
        check_seconds("Retry.retry_after_limit", self.retry_after_limit)
        if not callable(getattr(self.backoff, "delay", None)):
            raise TypeError(
                f"Retry.backoff must have a method delay(), not be {self.backoff!r:.100}"
            )
        named, results, budget = self._told()
        if not isinstance(named, tuple) or not all(map(_is_retryable, self.on)):
            raise TypeError(
                "Retry.on must be a tuple of classes of exceptions and functions, such as "
                f"(ConnectionError,), not {named!r:.100}"
            )
        if results is not None and not callable(results):
            raise TypeError(f"Retry.results must be a function or None, not {results!r:.100}")
        if budget is not None and not isinstance(budget, Budget):
            raise TypeError(f"Retry.budget must be a Budget or None, not {budget!r:.100}")

    def _told(self) -> tuple[object, object, object]:
        """Return what may be of any type, whatever was asked for."""
        return self.on, self.results, self.budget

    def live(self, name: str, host: Host) -> "RetryLayer":
        """Return the layer of one policy."""
        return RetryLayer(self, name, host)


class RetryLayer:
    """Retries, live.

    Attributes:
        first: What the first attempt of a call is.
        bucket: What bounds further attempts, hedges too; None: nothing does.
        is_judging: Whether results are looked at.
        succeeded: Takes note of a call that succeeded; takes no lock.
    """

    def __init__(self, spec: Retry, name: str, host: Host) -> None:
        self.first = Attempt(1, spec.attempts)
        self.bucket: Bucket | None = spec.budget.live(host.clock) if spec.budget else None
        self.is_judging = spec.results is not None
        self.succeeded = count().__next__ if self.bucket is None else self.bucket.succeeded
        self._retries = count()
        self._retried = self._retries.__next__
        self._spec = spec
        self._host = host
        self._delay = spec.backoff.delay
        self._monotonic = host.clock.monotonic
        self._scopes: tuple[Scope, ...] = tuple(
            (math.inf, Attempt(number, spec.attempts)) for number in range(1, spec.attempts + 1)
        )
        self._events = RetryEvents(name, spec.attempts, host)

    def steps(self, call: Call, inner: Inner) -> Steps:
        """Make the call until it succeeds, or further attempts make no sense."""
        if call.outer is not None:
            return (yield from inner(call))
        trail: list[Failed] = []
        at, spent = current_scope.get()[0], 0.0
        outcome, call.taken = (call.taken, None) if call.permit is None else (None, call.taken)
        began = None if outcome is not None or call.taken is not None else self._monotonic()
        while True:
            if outcome is None:
                scope = self._scopes[len(trail)]
                token = current_scope.set(scope if at == math.inf else (at, scope[1]))
                try:
                    outcome = yield from inner(call)
                finally:
                    restore(token)
            if outcome.error is None and not (self.is_judging and self._is_unwanted(outcome.value)):
                self.succeeded()
                return outcome
            now = self._monotonic()
            took = None if began is None else now - began
            plan = self._plan(outcome, len(trail) + 1, spent, at - now)
            if plan is None:
                break
            spent, wait = plan
            self._go_on(trail, (took, _name(outcome.error), wait))
            if wait > MIN_WAIT:
                yield Wait(self._host.clock, wait)
                now = self._monotonic()
            began, outcome = now, None
        if trail and outcome.error is not None:
            note(outcome.error, trail, self._spec.attempts, took)
        return outcome

    def _go_on(self, trail: list[Failed], failed: Failed) -> None:
        """Take note of an attempt that is followed by another."""
        trail.append(failed)
        self._retried()
        self._events.scheduled(len(trail), failed[2], failed[1])

    def snapshot(self) -> dict[str, float]:
        """Return how many further attempts were made, and how many more the budget allows."""
        made = {"retries": float(repr(self._retries)[6:-1])}  # read without a step
        return made if self.bucket is None else {**made, "tokens": round(self.bucket.tokens, 3)}

    def _plan(
        self, outcome: Outcome, number: int, previous: float, left: float
    ) -> tuple[float, float] | None:
        """Return the backoff, and how long to wait with what was asked; None for no further attempt."""
        error = outcome.error
        asked = self._asked(error)
        if asked is None:
            return None
        try:
            own = max(0.0, float(self._delay(number - 1, previous, self._host.chance)))
        except Exception as failure:  # noqa: BLE001  # the call's own error has to come out
            self._events.failed("backoff", failure)
            own = 0.0
        wait, why = own + asked, ""
        if number >= self._spec.attempts:
            why = "attempts"
        elif wait >= left:
            why = "deadline"
        elif asked > self._spec.retry_after_limit:
            why = "retry_after"
        if why:
            self._events.exhausted(number, why, _name(error))
            return None
        if self.bucket is not None and not self.bucket.take():
            self._events.budget_spent(number, _name(error))
            return None
        return own, wait

    def _asked(self, error: BaseException | None) -> float | None:
        """Return the seconds that the other side asks to wait; None when trying again makes no sense."""
        spec = self._spec
        if error is None:
            return 0.0 if spec.idempotent or current_idempotency_key() else None
        if not isinstance(error, Exception):
            return None
        reading = self._host.read(error)
        said = reading.classification
        if isinstance(error, CircuitOpenError):
            # Nothing but a deadline bounds a wait for a circuit that may stay open.
            may_help = current_scope.get()[0] != math.inf
        elif spec.idempotent or said.effect in _UNDONE or current_idempotency_key():
            may_help = said.transient or self._is_named(error)
        else:
            may_help = False
        if not may_help:
            return None
        return 0.0 if reading.spoken is None else reading.asked

    def _is_named(self, error: Exception) -> bool:
        for named in self._spec.on:
            if isinstance(named, type):
                if isinstance(error, named):
                    return True
            elif self._says_yes("on", named, error):
                return True
        return False

    def _is_unwanted(self, value: object) -> bool:
        results = self._spec.results
        return results is not None and self._says_yes("results", results, value)

    def _says_yes(self, option: str, predicate: Callable[[Any], bool], asked: object) -> bool:
        try:
            return bool(predicate(asked))
        except Exception as failure:  # noqa: BLE001  # what it is asked about has to come out
            self._events.failed(option, failure)
            return False


def _name(error: BaseException | None) -> str:
    return "" if error is None else type(error).__name__


def _is_retryable(named: object) -> bool:
    if isinstance(named, type):
        return issubclass(named, BaseException)
    return callable(named)
