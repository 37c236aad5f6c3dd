"""The crash policy at work: asked about each error, it keeps to the budget and has the process leave."""

import os
import threading
import weakref
from collections.abc import Callable
from importlib import import_module
from typing import Protocol

from holdfast.clock import Clock
from holdfast.codes import Severity
from holdfast.events import Event, Scalar
from holdfast.hooks.leaving import departure
from holdfast.hooks.leaving.budget import Budget, Ruling
from holdfast.hooks.leaving.departure import Departure
from holdfast.hooks.leaving.policy import CrashPolicy
from holdfast.record import ErrorRecord, type_name


class Process(Protocol):
    """The process, as far as a runtime may say something about it."""

    def is_ours(self) -> bool:
        """Tell whether this runtime is in charge here, and not merely made."""
        ...

    def leave(self, leaving: Departure) -> None:
        """Begin to leave; returns soon."""
        ...


class SharedBudget:
    """A budget that all processes of a service on this host share.

    Args:
        budget: How much there is.
        service: Whose.
        folder: Where it is kept; empty for the place that is usual.
    """

    def __init__(self, budget: Budget, service: str, folder: str = "") -> None:
        self.budget = budget
        self._service = service
        self._folder = folder

    def take(self, clock: Clock) -> Ruling:
        """Ask for one restart.

        Raises:
            OSError: When nobody knows how many there were.
            ImportError: When this platform has no locks for files.
        """
        # Loaded by name, after an error: what it needs is not everywhere.
        ledger = import_module("holdfast.hooks.leaving.ledger").LedgerFile
        ruling: Ruling = ledger(self._service, self._folder).take(self.budget, clock)
        return ruling


class Crash:
    """Says whether the process outlives an error; thread-safe.

    Args:
        policy: After which errors it leaves, and how.
        budget: How often it may.
        clock: Source of time.
        emit: Takes the events.
        process: What leaves.
    """

    def __init__(
        self,
        policy: CrashPolicy,
        budget: SharedBudget,
        clock: Clock,
        emit: Callable[[Event], None],
        process: Process,
    ) -> None:
        self._policy = policy
        self._budget = budget
        self._clock = clock
        self._emit = emit
        self._process = process
        self._lost = float("-inf")
        self.forget_threads()
        _after_fork.add(self)

    def forget_threads(self) -> None:
        """Start over in a forked child: a thread that is not there may have been asking."""
        self._asking = threading.Lock()
        self._granted = False

    def decide(self, record: ErrorRecord) -> bool:
        """Tell whether the process has to leave because of an error."""
        if self._policy.after(record) == "continue":
            return False
        return self._may_leave(record)

    def begin(self, record: ErrorRecord | None) -> None:
        """Have the process leave, as the verdict says; a step of the handler may have asked for it."""
        if self._may_leave(record):
            self._process.leave(self._departure(record))

    def _may_leave(self, record: ErrorRecord | None) -> bool:
        if not self._process.is_ours() or departure.is_terminated():
            return False
        if departure.departure() is not None:
            return True
        if not self._granted:
            self._tell(self._asked(), record)
        return self._granted

    def _asked(self) -> Ruling | OSError | ImportError:
        """Ask the budget, unless somebody is asking: nobody waits for the answer to another's error.

        That may be this very thread, interrupted by a finaliser or a signal whose error came here.
        """
        asking = self._asking
        if not asking.acquire(blocking=False):
            return Ruling.REFUSED
        try:
            ruling = Ruling.GRANTED if self._granted else self._budget.take(self._clock)
        except (OSError, ImportError) as failure:
            return failure
        else:
            self._granted = ruling is Ruling.GRANTED
            return ruling
        finally:
            asking.release()

    def _tell(self, ruling: Ruling | OSError | ImportError, record: ErrorRecord | None) -> None:
        if ruling is Ruling.SPENT:
            self._say("crash.budget_spent", record, {})
        elif not isinstance(ruling, Ruling):
            now = self._clock.monotonic()
            if now - self._lost >= self._budget.budget.window:
                self._lost = now
                self._say("crash.state_lost", record, {"error_type": type_name(type(ruling))})

    def _departure(self, record: ErrorRecord | None) -> Departure:
        policy = self._policy
        brief = record is not None and policy.after(record) == "exit"
        return Departure(
            code=policy.exit_code,
            grace=None if brief else policy.grace,
            reason="leaving after an error",
            error_code="" if record is None else record.classification.code,
            fingerprint="" if record is None else record.fingerprint,
            boundary="" if record is None else record.origin.boundary,
        )

    def _say(self, name: str, record: ErrorRecord | None, told: dict[str, Scalar]) -> None:
        budget = self._budget.budget
        attributes: dict[str, Scalar] = {
            "restarts": budget.restarts,
            "window": budget.window,
            "fingerprint": "" if record is None else record.fingerprint,
            **told,
        }
        now = self._clock.now()
        self._emit(Event(name=name, severity=Severity.WARNING, time=now, attributes=attributes))


_after_fork: "weakref.WeakSet[Crash]" = weakref.WeakSet()


def _forget_threads() -> None:
    for crash in tuple(_after_fork):
        crash.forget_threads()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)
