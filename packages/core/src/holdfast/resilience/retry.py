"""Trying again: what is retried, when, and how often."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import TypeAlias

from holdfast.resilience.backoff import Backoff, Exponential
from holdfast.resilience.call import Call, Inner, Steps
from holdfast.resilience.deadline import remaining_by
from holdfast.resilience.drivers import Wait
from holdfast.resilience.host import Host
from holdfast.resilience.outcome import Outcome
from holdfast.resilience.scope import Attempt, current_scope

Retryable: TypeAlias = type[BaseException] | Callable[[BaseException], bool]
"""What else is retried: a class of exceptions, or a function that says yes."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Makes a call again that failed and may succeed.

    What is classified transient is retried, and whatever `on` names; a refusal of an open circuit only
    when its `retry_after` fits the deadline. Inside of another policy's retry it makes one attempt.

    Args:
        attempts: Calls at most, the first included; at least 1.
        backoff: How long to wait between them.
        on: Classes of exceptions, or functions of one, that are retried as well.
    """

    attempts: int = 3
    backoff: Backoff = field(default_factory=Exponential)
    on: tuple[Retryable, ...] = ()

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"Retry.attempts must be at least 1, not {self.attempts}")

    def live(self, name: str, host: Host) -> "RetryLayer":
        """Return the layer of one policy."""
        return RetryLayer(self, host)


class RetryLayer:
    """Retries, live."""

    def __init__(self, spec: Retry, host: Host) -> None:
        self.first = Attempt(1, spec.attempts)
        self._spec = spec
        self._host = host

    def steps(self, call: Call, inner: Inner) -> Steps:
        """Make the call until it succeeds, or further attempts make no sense."""
        if call.outer is not None:
            return (yield from inner(call))
        wait = 0.0
        for number in count(1):
            at = current_scope.get()[0]
            token = current_scope.set((at, Attempt(number, self._spec.attempts)))
            try:
                outcome = yield from inner(call)
            finally:
                current_scope.reset(token)
            if outcome.error is None or not self._may_retry(outcome, number):
                break
            wait = self._spec.backoff.delay(number - 1, wait, self._host.chance)
            if wait >= remaining_by(self._host.clock):
                break
            yield Wait(self._host.clock, wait)
        return outcome

    def _may_retry(self, outcome: Outcome, number: int) -> bool:
        error = outcome.error
        if not isinstance(error, Exception) or number >= self._spec.attempts:
            return False
        if any(_is_named(error, each) for each in self._spec.on):
            return True
        return self._host.read(error).classification.transient


def _is_named(error: BaseException, named: Retryable) -> bool:
    return isinstance(error, named) if isinstance(named, type) else named(error)
