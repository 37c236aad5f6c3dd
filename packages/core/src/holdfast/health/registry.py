"""Checks by name, and the report they add up to.

Statuses are those of the health+json draft: `pass`, `warn` (degraded, still serving), `fail`.
"""

import threading
from collections.abc import Callable, Mapping
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias, cast

from holdfast.clock import Clock, SystemClock
from holdfast.forks import ForkSafeLock
from holdfast.record import type_name
from holdfast.redact import JsonValue, Redactor

CheckFunction: TypeAlias = Callable[[], object]
"""False fails, a mapping passes with details, an exception fails; anything else passes."""

DEFAULT_TIMEOUT = 5.0

READINESS = "process:readiness"
"""Name under which a report tells why the process wants no more work."""


class HealthStatus(StrEnum):
    """How well something is; `warn` still serves."""

    PASS = "pass"  # noqa: S105  # the draft's word, no password
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that can be looked at."""

    name: str
    run: CheckFunction
    critical: bool = True
    """Whether its failure fails the whole; otherwise it is a warning."""
    timeout: float = DEFAULT_TIMEOUT
    """Seconds after which it counts as failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What one check said."""

    name: str
    status: HealthStatus
    time: datetime
    duration: float
    """Seconds."""
    output: str = ""
    """Why it is not well, fit for anybody to read: never the text of an exception."""
    details: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    """What the check returned, redacted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReport:
    """What all checks together say."""

    status: HealthStatus
    results: tuple[CheckResult, ...]

    def as_json(self) -> dict[str, object]:
        """Return the report in the shape of health+json."""
        checks = {result.name: [_as_json(result)] for result in self.results}
        body: dict[str, object] = {"status": self.status.value}
        return {**body, "checks": checks} if checks else body


class HealthRegistry:
    """The checks of one runtime; thread-safe.

    Each check runs on at most one thread: who asks while it is still running shares that run.

    Args:
        clock: Measures how long checks take.
        redactor: Cleans the details that checks return.
        stopping: Says why the process should get no more work, or nothing when it should.

    Example:
        >>> registry = HealthRegistry()
        >>> registry.register_check("disk", lambda: {"free_gb": 12})
        >>> registry.get_health_status().status.value
        'pass'
    """

    def __init__(
        self,
        clock: Clock | None = None,
        redactor: Redactor | None = None,
        stopping: Callable[[], str] | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._redactor = redactor or Redactor()
        self._stopping = stopping
        self._unready = ""
        self._checks: dict[str, Check] = {}
        self._runs: dict[str, _Run] = {}
        self._lock = ForkSafeLock()

    def register_check(
        self,
        name: str,
        run: CheckFunction,
        *,
        critical: bool = True,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> None:
        """Add a check, or replace the one of the same name.

        Args:
            name: Under which it is reported.
            run: Returns False or raises when not well; a mapping it returns becomes details.
            critical: Whether its failure fails the whole; otherwise it is a warning.
            timeout: Seconds, above 0, after which it counts as failed.

        Raises:
            ValueError: When the timeout is not above 0.
        """
        if not timeout > 0:
            raise ValueError(f"timeout of check {name!r} must be above 0 seconds, not {timeout}")
        self._checks[name] = Check(name=name, run=run, critical=critical, timeout=timeout)

    def unregister_check(self, name: str) -> None:
        """Take a check away; harmless when there is none."""
        self._checks.pop(name, None)
        self._runs.pop(name, None)

    @property
    def checks(self) -> tuple[Check, ...]:
        """What is registered, oldest first."""
        return tuple(self._checks.values())

    def mark_unready(self, reason: str) -> None:
        """Let the report fail until `mark_ready`, whatever the checks say; takes no lock.

        Args:
            reason: Told to whoever asks, so fit for anybody to read.

        Raises:
            ValueError: When the reason is empty.
        """
        if not reason:
            raise ValueError("mark_unready() needs a reason, such as 'warming up'")
        self._unready = reason

    def mark_ready(self) -> None:
        """Take `mark_unready` back; harmless without it."""
        self._unready = ""

    @property
    def unready(self) -> str:
        """Why the process should get no more work, or an empty string when it should."""
        return self._unready or (self._stopping() if self._stopping is not None else "")

    def take_over(self, other: "HealthRegistry") -> None:
        """Add the checks of another registry, but for names that are taken."""
        self._checks = {**{check.name: check for check in other.checks}, **self._checks}

    def run_all_checks(self) -> dict[str, CheckResult]:
        """Run every check at once and return what each said; never raises.

        It takes at most the longest timeout, which counts from when a check was started: one that
        hung before is not waited for again.
        """
        runs = [self._joined(check) for check in self.checks]
        return {run.check.name: run.result(first=first) for run, first in runs}

    def get_health_status(self) -> HealthReport:
        """Run every check and return what they add up to; without checks all is well.

        A process that is marked as unready, or on its way out, fails. It is still alive.
        """
        results = (*self._readiness(), *self.run_all_checks().values())
        worst = HealthStatus.PASS
        for status in (HealthStatus.WARN, HealthStatus.FAIL):
            if any(result.status is status for result in results):
                worst = status
        return HealthReport(status=worst, results=results)

    def _readiness(self) -> tuple[CheckResult, ...]:
        why = self.unready
        if not why:
            return ()
        return (
            CheckResult(
                name=READINESS,
                status=HealthStatus.FAIL,
                time=self._clock.now(),
                duration=0.0,
                output=why,
            ),
        )

    def _joined(self, check: Check) -> "tuple[_Run, bool]":
        """Return the run of a check, and whether this call started it."""
        with self._lock:
            known = self._runs.get(check.name)
            if known is not None and known.check is check and known.is_going:
                return known, False
            run = self._runs[check.name] = _Run(check, self._clock, self._redactor)
            run.start()
            return run, True


class _Run:
    """One check on a thread of its own, which a check that hangs keeps while the callers go on."""

    def __init__(self, check: Check, clock: Clock, redactor: Redactor) -> None:
        self.check = check
        self._clock = clock
        self._redactor = redactor
        self._started = clock.monotonic()
        self._outcome: CheckResult | None = None
        self._thread = threading.Thread(
            target=copy_context().run,  # a check finds the application it was first asked for
            args=(self._run,),
            name=f"holdfast-health-{check.name}",
            daemon=True,
        )

    @property
    def is_going(self) -> bool:
        return self._outcome is None and self._thread.is_alive()

    def start(self) -> None:
        try:
            self._thread.start()
        except (RuntimeError, MemoryError):  # the process has as many as it may, or is ending
            self._outcome = self._finished(well=False, output="no thread could be started")

    def result(self, *, first: bool) -> CheckResult:
        left = self.check.timeout - self._elapsed()
        if self._outcome is None:
            self._thread.join(max(0.0, left))
        if self._outcome is not None:
            return self._outcome
        missing = f"no answer in {self.check.timeout:g} s"
        since = f"still running since {self._elapsed():.1f} s"
        return self._finished(well=False, output=missing if first else since)

    def _run(self) -> None:
        try:
            self._outcome = self._judged(self.check.run())
        except BaseException as error:  # noqa: BLE001  # a failing check is what we are here to see
            self._outcome = self._finished(well=False, output=type_name(type(error)))

    def _judged(self, said: object) -> CheckResult:
        details = cast("Mapping[str, object]", said) if isinstance(said, Mapping) else None
        return self._finished(well=said is not False, details=details)

    def _elapsed(self) -> float:
        return self._clock.monotonic() - self._started

    def _finished(
        self, *, well: bool, output: str = "", details: Mapping[str, object] | None = None
    ) -> CheckResult:
        bad = HealthStatus.FAIL if self.check.critical else HealthStatus.WARN
        return CheckResult(
            name=self.check.name,
            status=HealthStatus.PASS if well else bad,
            time=self._clock.now(),
            duration=self._elapsed(),
            output=output,
            details=self._redactor.mapping(details) if details else {},
        )


def _as_json(result: CheckResult) -> dict[str, object]:
    body: dict[str, object] = {
        "status": result.status.value,
        "time": result.time.isoformat(),
        "observedValue": round(result.duration * 1000, 1),
        "observedUnit": "ms",
    }
    if result.output:
        body["output"] = result.output
    return {**body, **({"details": dict(result.details)} if result.details else {})}
