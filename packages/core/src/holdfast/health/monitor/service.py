"""One service that is watched: how it stands, and what was seen of it."""

import secrets
from collections import deque
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from holdfast.health.check import Check, CheckResult
from holdfast.health.monitor.report import Outage, ServiceReport
from holdfast.health.monitor.standing import Change, Standing, State, after, change
from holdfast.health.monitor.watch import Recovery, Watch
from holdfast.health.runner import Runner

if TYPE_CHECKING:
    from holdfast.health.running import Run


class Step(NamedTuple):
    """What one look has made of a service."""

    result: CheckResult
    before: Standing
    change: Change | None
    outage: Outage | None
    """That it is about: the one that has begun, goes on, or is over."""


class Service:
    """The live state of one service; not safe for threads.

    Args:
        check: What is looked at.
        watch: How.
        runner: Runs the check.
        history: How many of the last looks are kept.
    """

    def __init__(self, check: Check, watch: Watch, runner: Runner, history: int) -> None:
        self.check = check
        self.watch = watch
        self.runner = runner
        self.mending = _mending(check.name, watch.recovery)
        self.standing = Standing()
        self.outage: Outage | None = None
        self.seen: deque[CheckResult] = deque(maxlen=history)
        self.forget_runs()

    def forget_runs(self) -> None:
        """Take no note of what is under way."""
        self.latest: Run | None = None
        """The last look, whatever has become of it."""
        self.look: Run | None = None
        """A look that was not taken note of yet."""
        self.attempt: Run | None = None
        """An action that was not taken note of yet."""
        self.number = 0
        """Of the attempt to end the outage that is under way; 0 without one."""

    @property
    def name(self) -> str:
        """Of the service."""
        return self.check.name

    def note(self, result: CheckResult) -> Step:
        """Take note of a look."""
        before, self.standing = (
            self.standing,
            after(self.standing, result, self.watch.thresholds),
        )
        self.seen.append(result)
        found = change(before, self.standing)
        concerned = self.outage
        if found is Change.FAILED:
            concerned = Outage(
                id=secrets.token_hex(16),
                since=result.time,
                failures=self.standing.consecutive_failures,
            )
        elif concerned is not None and result.has_failed:
            concerned = replace(concerned, failures=concerned.failures + 1)
        self.outage = concerned if self.standing.state is State.UNHEALTHY else None
        return Step(result, before, found, concerned)

    def plan_attempt(self, now: datetime) -> float | None:
        """Return the seconds until the next attempt to end the outage; None when there is none."""
        if self.outage is None:
            return None
        delay = self.watch.recovery.delay(self.outage.attempts)
        when = None if delay is None else now + timedelta(seconds=delay)
        self.outage = replace(self.outage, next_attempt=when)
        return delay

    def count_attempt(self) -> bool:
        """Count an attempt to end the outage; False when it is over."""
        if self.outage is None:
            return False
        self.number = self.outage.attempts + 1
        self.outage = replace(self.outage, attempts=self.number, next_attempt=None)
        return True

    def continue_from(self, told: ServiceReport) -> None:
        """Go on from what another process has seen."""
        self.forget_runs()
        self.standing = told.standing
        self.outage = told.outage if told.state is State.UNHEALTHY else None

    def report(self) -> ServiceReport:
        """Return what is known."""
        last = self.seen[-1] if self.seen else None
        return ServiceReport(
            standing=self.standing,
            critical=self.check.critical,
            outage=self.outage,
            duration=0.0 if last is None else last.duration,
            details={} if last is None else last.details,
        )


def _mending(name: str, recovery: Recovery) -> Check | None:
    """Return an action as a check: bounded in time, and isolated as one."""
    if recovery.action is None:
        return None
    return Check(name=name, run=recovery.action, timeout=recovery.timeout)
