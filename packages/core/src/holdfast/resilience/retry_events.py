"""What reporters are told of the retries of one policy."""

from collections.abc import Mapping
from typing import Final

from holdfast.codes import Severity
from holdfast.events import Event, Scalar
from holdfast.frozen import constructor_of
from holdfast.record import failure_facts
from holdfast.resilience.host import Host

QUIET: Final = 10.0
"""Seconds in which one event at most tells that the budget is spent."""

_event = constructor_of(Event)


class RetryEvents:
    """Tells of the retries of one policy; thread-safe.

    Args:
        policy: Its name.
        attempts: How many a call may make.
        host: Where it is told.
    """

    def __init__(self, policy: str, attempts: int, host: Host) -> None:
        self._policy = policy
        self._of = attempts
        self._host = host
        self._is_heard = host.is_heard
        self._quiet_until = 0.0
        self._unsaid = 0

    def scheduled(self, number: int, wait: float, what: str) -> None:
        """Tell that an attempt failed and another comes after a wait."""
        if self._is_heard:
            facts = self._facts(number, what)
            facts["wait"] = round(wait, 6)
            self._tell("retry.scheduled", Severity.INFO, facts)

    def exhausted(self, number: int, why: str, what: str) -> None:
        """Tell that no further attempt is made of what could be tried again, and why."""
        if self._of == 1:
            return
        facts = self._facts(number, what)
        self._tell("retry.exhausted", Severity.WARNING, {**facts, "reason": why})

    def budget_spent(self, number: int, what: str) -> None:
        """Tell that the policy has tried again too often of late; once in a while, with the number."""
        now = self._host.clock.monotonic()
        self._unsaid += 1
        if now < self._quiet_until:
            return
        unsaid, self._unsaid, self._quiet_until = self._unsaid, 0, now + QUIET
        facts = self._facts(number, what)
        self._tell("retry.budget_spent", Severity.WARNING, {**facts, "refused": unsaid})

    def failed(self, option: str, failure: Exception) -> None:
        """Tell that a function of the policy's author failed; it was passed over."""
        facts = failure_facts(failure, self._host.redactor)
        said = {"policy": self._policy, "option": option, **facts}
        self._tell("retry.predicate_failed", Severity.ERROR, said)

    def _facts(self, number: int, what: str) -> dict[str, Scalar]:
        return {"policy": self._policy, "attempt": number, "attempts": self._of, "error": what}

    def _tell(self, name: str, severity: Severity, facts: Mapping[str, Scalar]) -> None:
        now = self._host.clock.now()
        self._host.emit(_event(name=name, severity=severity, time=now, attributes=facts))
