"""One run of a job from its lock to its last ping: the same for a function, a block and a command.

A run never fails the job it is about: what goes wrong beside the work itself is an event. Only the
lock may keep the work from being done.
"""

import os
import uuid
from collections.abc import Sequence
from contextvars import ContextVar, Token
from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path
from typing import Literal, cast

from holdfast.classify import is_control_flow
from holdfast.clock import Clock, SystemClock
from holdfast.codes import Severity
from holdfast.context import TRACEPARENT, WorkContext, begin, current_context, current_trace_id, end
from holdfast.environment import current
from holdfast.errors import ServiceUnavailableError
from holdfast.events import Event, Scalar
from holdfast.handler import Action, Verdict
from holdfast.hooks.jobs.lateness import GRACE, Schedule, due_after, late
from holdfast.hooks.jobs.limit import unhurried
from holdfast.hooks.jobs.lock import FileLock, Held, Lock
from holdfast.hooks.jobs.monitors import Monitor, Watch
from holdfast.hooks.jobs.outcome import (
    BOUNDARY,
    JobFailedError,
    JobLockedError,
    JobReport,
    JobTimedOutError,
    Outcome,
    checked_name,
)
from holdfast.hooks.jobs.state import StateFolder, configured_folder
from holdfast.hooks.process import count_request, responsible
from holdfast.origin import Origin
from holdfast.record import chain, text_of, type_name
from holdfast.redact import Redactor


@dataclass(frozen=True, slots=True)
class JobSpec:
    """What a job is called, what it may do and who is told of it."""

    name: str
    """1 to 100 letters, digits, '.', '_' and '-'."""
    _: KW_ONLY
    within: float | None = None
    """Seconds it may take; None: as long as it likes."""
    lock: Lock | Literal["file"] | None = None
    """What keeps two runs apart: a lock, `file` for one among the processes of this host, or None."""
    monitors: Sequence[Monitor] = ()
    """Services that are told of each run."""
    schedule: Schedule | None = None
    """When it is to run: a run that finds that one before it is missing says so by `job.late`."""
    state: Path | str | None = None
    """Folder for locks and last runs; by default as `holdfast.hooks.jobs.state` says."""
    clock: Clock = field(default_factory=SystemClock)

    def __post_init__(self) -> None:
        checked_name(self.name)
        if self.within is not None and not self.within > 0:
            raise ValueError(
                f"job {self.name!r}: within is seconds above 0, or None, not {self.within}"
            )
        if isinstance(self.lock, str) and self.lock != "file":
            raise ValueError(
                f"job {self.name!r}: lock is 'file', a lock such as RedisLock, or None, "
                f"not {self.lock!r}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How the work itself ended, before anybody is told."""

    outcome: Outcome
    error: BaseException | None = None
    """What goes to the handler; control flow is no error there."""
    exit_status: int | None = None
    signal: str = ""
    output: str = ""
    code: str = ""
    """Code of a record that the command made itself; nothing goes to the handler then."""
    record_id: str = ""
    resumable: bool = False
    """Whether whoever called goes on with a value in the error's place."""


class JobRun:
    """A run that is going on; `current_run()` gives it to the work itself.

    Attributes:
        id: A UUID, the same in events, records and pings.
        job: What is run.
        environment: The runtime that is told.
        opened: Whether it got so far that its end has to be told.
        recovered: What was decided about its error, when that was to go on with a value.
    """

    def __init__(self, job: JobSpec) -> None:
        self.environment = responsible() or current()
        self.id = _fresh_id(self.environment.redactor)
        self.job = job
        self.opened = False
        self.recovered: Verdict | None = None
        self._held: Held | None = None
        self._report = JobReport(job=job.name, run_id=self.id, started=job.clock.now())
        self._began = job.clock.monotonic()
        self._watch = Watch(job.monitors, self._monitor_failed, job.clock)
        self._work: Token[WorkContext | None] | None = None
        self._trace_id = ""
        self._within: Token[tuple[JobRun, ...]] | None = None

    @property
    def lost(self) -> bool:
        """Whether the run's lock may be another's by now: it must not write anything any more."""
        return self._held is not None and self._held.lost

    @property
    def descriptor(self) -> int | None:
        """What a command inherits of the lock."""
        return None if self._held is None else self._held.descriptor

    def enter(self) -> None:
        """Make this the current piece of work, in this thread or task."""
        count_request(self.environment)
        self._work = _begin()
        self._trace_id = current_trace_id()
        self._within = _runs.set((*_runs.get(), self))

    def leave(self) -> None:
        """Leave the piece of work, where it was entered."""
        if self._within is not None and self._work is not None:
            _runs.reset(self._within)
            end(self._work)
            self._within = self._work = None

    @unhurried
    def open(self) -> None:
        """Get the lock and tell of the start.

        Raises:
            JobLockedError: When the run before has not ended; that was told.
            ServiceUnavailableError: When the lock cannot be asked; that was handled.
        """
        try:
            self._held = self._acquire()
        except JobLockedError as error:
            self._report = replace(self._report, outcome=Outcome.SKIPPED, code=str(error.code))
            self._emit("job.skipped", Severity.INFO, holder=str(error.details["holder"]))
            self._watch.finished(self._report)
            raise
        except ServiceUnavailableError as error:
            self.close(Ending(outcome=Outcome.FAILED, error=error))
            raise
        self.opened = True
        self._look_back()
        self._note()
        self._emit("job.started", Severity.INFO)
        self._watch.started(self._report)

    @unhurried
    def close(self, ending: Ending) -> JobReport:
        """Handle the error if there is one, free the lock, tell of the end; never raises."""
        final = self._judged(ending)
        verdict = self._handled(final)
        if verdict is not None and verdict.action is Action.RECOVERED:
            final = self._judged(Ending(outcome=Outcome.SUCCEEDED))
            self.recovered = verdict if final.error is None else None
            verdict = self._handled(final) or verdict
        record = None if verdict is None else verdict.record
        self._report = replace(
            self._report,
            outcome=final.outcome,
            duration=self.job.clock.monotonic() - self._began,
            exit_status=final.exit_status,
            signal=final.signal,
            output=final.output,
            code=final.code if record is None or self.recovered else record.classification.code,
            record_id=final.record_id if record is None else record.id,
        )
        try:
            self._note()
        finally:  # an interrupt may come at any time
            if self._held is not None:
                self._held.release()
        self._told(self._report, recorded=record is not None)
        self._watch.finished(self._report)
        return self._report

    def _acquire(self) -> Held | None:
        lock, name = self.job.lock, self.job.name
        try:
            if lock == "file":
                lock = FileLock(self._folder(), self.job.clock)
            return None if lock is None else lock.acquire(name)
        except (JobLockedError, NotImplementedError):
            raise
        except Exception as error:
            raise ServiceUnavailableError(
                f"the lock of job {name!r} cannot be asked: {type_name(type(error))}"
            ) from error

    def _judged(self, ending: Ending) -> Ending:
        if not self.lost or ending.outcome is not Outcome.SUCCEEDED:
            return ending
        error = JobFailedError(
            f"job {self.job.name!r} lost its lock while it ran: another run may have worked beside it"
        )
        return replace(ending, outcome=Outcome.FAILED, error=error)

    def _handled(self, ending: Ending) -> Verdict | None:
        if ending.error is None:
            return None
        origin = Origin(
            boundary=BOUNDARY,
            operation=self.job.name,
            attributes={"run_id": self.id},
            resumable=ending.resumable,
        )
        return self.environment.handle(ending.error, origin)

    def _told(self, report: JobReport, *, recorded: bool) -> None:
        facts: dict[str, Scalar] = {
            name: value
            for name in ("exit_status", "signal", "code", "record_id")
            if (value := getattr(report, name)) not in (None, "")
        }
        facts["duration"] = round(report.duration, 3)
        overran = self.job.within is not None and report.duration > self.job.within
        if overran and report.outcome is Outcome.SUCCEEDED:
            facts["overrun"] = True
        well = report.outcome is Outcome.SUCCEEDED and not overran
        # Where there is a record it is that which is loud, and this says what became of the job.
        severity = Severity.INFO if well or recorded else Severity.WARNING
        self._emit(f"job.{report.outcome}", severity, **facts)

    def _look_back(self) -> None:
        """Tell of a run that should have been since the last success, and was not or went wrong."""
        schedule = self.job.schedule
        if schedule is None:
            return
        try:
            last = self._folder().read(self.job.name).succeeded
            now = self._report.started
            if last is not None and late(last, schedule, grace=GRACE, now=now):
                due = due_after(last, schedule).isoformat()
                self._emit("job.late", Severity.WARNING, due=due, last_success=last.isoformat())
        except Exception as error:  # noqa: BLE001  # the job is not to fail for it
            self._emit_failure("job.state_failed", error)

    def _note(self) -> None:
        try:
            self._folder().note(self._report)
        except Exception as error:  # noqa: BLE001  # the job is not to fail for it
            self._emit_failure("job.state_failed", error)

    def _folder(self) -> StateFolder:
        return configured_folder(self.job.state, self.environment)

    def _monitor_failed(self, monitor: Monitor, error: Exception | None) -> None:
        failure = error or TimeoutError(f"not delivered within {monitor.patience:g} s")
        self._emit_failure("job.ping_failed", failure, monitor=monitor.name)

    def _emit_failure(self, name: str, error: Exception, **facts: Scalar) -> None:
        said = {"error_type": type_name(type(error)), "message": text_of(error)}
        self._emit(name, Severity.WARNING, **facts, **said)

    def _emit(self, name: str, severity: Severity, **facts: Scalar) -> None:
        ids = {"job": self.job.name, "run_id": self.id, "trace_id": self._trace_id}
        if "record_id" in facts:
            ids["record_id"] = str(facts["record_id"])
        # Not the ids themselves: one in some hundreds looks like the number of a card.
        clean = cast("dict[str, Scalar]", self.environment.redactor.mapping(facts))
        now = self.job.clock.now()
        self.environment.emit(
            Event(name=name, severity=severity, time=now, attributes={**clean, **ids})
        )


def _fresh_id(redactor: Redactor) -> str:
    """Return a UUID that a record shows: one in some thousands looks like the number of a card."""
    made = str(uuid.uuid4())
    return made if redactor.text(made) == made else _fresh_id(redactor)


_runs: ContextVar[tuple[JobRun, ...]] = ContextVar("holdfast_job_runs", default=())


def current_run() -> JobRun | None:
    """Return the innermost run that the present code is part of, or None outside of any."""
    runs = _runs.get()
    return runs[-1] if runs else None


def ending_of(error: BaseException | None) -> Ending:
    """Return how work in this process ended that raised an exception, or (None) did not."""
    if error is None:
        return Ending(outcome=Outcome.SUCCEEDED)
    if isinstance(error, SystemExit):
        return _exited(error)
    if is_control_flow(error):
        return Ending(outcome=Outcome.FAILED, signal=_signal_of(error))
    late = any(isinstance(one, JobTimedOutError) for one, _ in chain(error))
    outcome = Outcome.TIMED_OUT if late else Outcome.FAILED
    return Ending(outcome=outcome, error=error, resumable=True)


def _exited(error: SystemExit) -> Ending:
    if error.code is None or error.code == 0:
        return Ending(outcome=Outcome.SUCCEEDED, exit_status=0)
    status = error.code if isinstance(error.code, int) else 1
    said = "" if isinstance(error.code, int) else f": {text_of(error.code)}"
    failure = JobFailedError(
        f"the job left with exit status {status}{said}", details={"exit_status": status}
    )
    failure.__traceback__ = error.__traceback__
    return Ending(outcome=Outcome.FAILED, error=failure, exit_status=status)


def _signal_of(error: BaseException) -> str:
    return "SIGINT" if isinstance(error, KeyboardInterrupt) else ""


def _begin() -> Token[WorkContext | None]:
    """Begin the job's piece of work: part of the one around it, else of what started the process."""
    outer = current_context()
    if outer is not None:
        return begin(outer.traceparent, outer.trace_id, BOUNDARY)
    return begin(os.environ.get(TRACEPARENT), boundary=BOUNDARY)
