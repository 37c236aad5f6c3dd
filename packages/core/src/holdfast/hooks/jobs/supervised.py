"""`holdfast run`: a command as a job, and the exit status that says how it went."""

import contextlib
import os
import signal
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from holdfast.context import TRACEPARENT, current_context
from holdfast.errors import ServiceUnavailableError
from holdfast.hooks.jobs.command import GRACE, Command, Ended, run_command
from holdfast.hooks.jobs.outcome import (
    ExitStatus,
    JobFailedError,
    JobLockedError,
    JobTimedOutError,
    Outcome,
)
from holdfast.hooks.jobs.run import Ending, JobRun, JobSpec, ending_of
from holdfast.hooks.jobs.told import RunFile, Told
from holdfast.hooks.signals import signal_name
from holdfast.redact import JsonValue

_GIVEN: Final = Path("/proc/self/environ")
"""What the process was given; what it sets later is not there."""
_NOT_FOUND: Final = 127
_NOT_EXECUTABLE: Final = 126
"""As a shell has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Supervised:
    """A command that is run as a job. In the main thread only, and not on Windows.

    Example:
        >>> job = Supervised(job=JobSpec("nightly-invoices"), arguments=["true"])
        >>> job.run()
        0
    """

    job: JobSpec
    arguments: Sequence[str]
    """The command and its arguments; no shell is involved."""
    grace: float = GRACE
    """Seconds between being asked to end and being killed."""
    pass_status: bool = False
    """Give back the command's own status where that of a failed job is 1."""

    def __post_init__(self) -> None:
        if not hasattr(os, "killpg"):
            raise NotImplementedError("a command is run as a job on POSIX systems only")
        if not self.arguments:
            raise ValueError(f"job {self.job.name!r}: which command is to be run?")
        if not self.grace >= 0:
            raise ValueError(f"job {self.job.name!r}: grace is seconds, not {self.grace}")

    def run(self) -> int:
        """Run the command once and return the exit status that says how it went.

        Raises:
            RuntimeError: In another thread than the main one, where no signal arrives.
            ValueError: When an argument is none that a process can be given.
        """
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError(
                f"job {self.job.name!r}: a command is run as a job in the main thread only, "
                "where signals arrive"
            )
        run = JobRun(self.job)
        run.enter()
        try:
            run.open()
        except (JobLockedError, ServiceUnavailableError):
            return int(ExitStatus.TRY_LATER)
        except BaseException as error:
            if run.opened:
                run.close(ending_of(error))
            raise
        else:
            return self._ran(run)
        finally:
            run.leave()

    def _ran(self, run: JobRun) -> int:
        try:
            ended = self._work(run)
        except BaseException as error:
            run.close(ending_of(error))
            raise
        report = run.close(ended.ending)
        failed = report.outcome is Outcome.FAILED and ended.status == ExitStatus.DONE
        return int(ExitStatus.FAILED) if failed else ended.status

    def _work(self, run: JobRun) -> "_Judgement":
        with RunFile() as file:
            command = Command(
                arguments=self.arguments,
                environment={**_environment(), **_trace(), **file.environment()},
                within=self.job.within,
                grace=self.grace,
                inherited=() if run.descriptor is None else (run.descriptor,),
                is_lost=lambda: run.lost,
                clock=self.job.clock,
            )
            try:
                ended = run_command(command)
            except OSError as error:
                return self._not_started(error)
            output = ended.tail.text(run.environment.redactor)
            return self._judged(ended, output, file)

    def _not_started(self, error: OSError) -> "_Judgement":
        found = not isinstance(error, FileNotFoundError)
        own = _NOT_EXECUTABLE if found else _NOT_FOUND
        failure = JobFailedError(
            f"job {self.job.name!r}: {self._program()} cannot be started: {error.strerror}"
        )
        failure.__cause__ = error
        return _Judgement(
            Ending(outcome=Outcome.FAILED, error=failure, exit_status=own),
            own if self.pass_status else int(ExitStatus.FAILED),
        )

    def _judged(self, ended: Ended, output: str, file: RunFile) -> "_Judgement":
        if ended.why == "time":
            return self._timed_out(ended, output)
        if ended.why == "signal":
            return self._stopped(ended, output)
        if ended.why == "lock":
            lost = "lost its lock, which another run may have by now, and was stopped"
            return self._failed(ended, output, lost, None)
        if ended.status == 0:
            done = Ending(outcome=Outcome.SUCCEEDED, exit_status=0, output=output)
            return _Judgement(done, int(ExitStatus.DONE))
        if ended.status < 0:
            name = signal_name(-ended.status)
            return self._failed(ended, output, f"was killed by {name}", None)
        return self._left(ended, output, file)

    def _timed_out(self, ended: Ended, output: str) -> "_Judgement":
        error = JobTimedOutError(
            f"job {self.job.name!r} was stopped after {self.job.within:g} s, the time it may take",
            details={"within": self.job.within, **_facts(ended, output)},
        )
        ending = _ending(Outcome.TIMED_OUT, error, ended, output)
        return _Judgement(ending, int(ExitStatus.TIMED_OUT))

    def _stopped(self, ended: Ended, output: str) -> "_Judgement":
        name = signal_name(ended.signal)
        status = ExitStatus.SIGNALLED + ended.signal
        error = JobFailedError(
            f"job {self.job.name!r} was stopped by {name}", details=_facts(ended, output)
        )
        # An interrupt comes from a person at the keyboard, who knows.
        person = ended.signal == signal.SIGINT
        ending = _ending(Outcome.FAILED, None if person else error, ended, output)
        return _Judgement(ending, status)

    def _left(self, ended: Ended, output: str, file: RunFile) -> "_Judgement":
        told = file.ending()
        if told is not None:
            return _Judgement(
                _ending(Outcome.FAILED, None, ended, output, told), self._status(ended)
            )
        said = f"ended with exit status {ended.status}"
        return self._failed(ended, output, said, file.last())

    def _failed(self, ended: Ended, output: str, said: str, related: Told | None) -> "_Judgement":
        facts = _facts(ended, output)
        if related is not None:
            facts |= {"related_code": related.code, "related_record": related.record_id}
        error = JobFailedError(f"job {self.job.name!r}: {self._program()} {said}", details=facts)
        return _Judgement(_ending(Outcome.FAILED, error, ended, output), self._status(ended))

    def _status(self, ended: Ended) -> int:
        if ended.why:
            return int(ExitStatus.FAILED)
        if ended.status < 0:
            return ExitStatus.SIGNALLED - ended.status
        return ended.status if self.pass_status else int(ExitStatus.FAILED)

    def _program(self) -> str:
        # Without its arguments, among which may be secrets that do not look like any.
        return Path(self.arguments[0]).name


@dataclass(frozen=True, slots=True)
class _Judgement:
    """How the command ended, and the status to leave with."""

    ending: Ending
    status: int


def _ending(
    outcome: Outcome,
    error: BaseException | None,
    ended: Ended,
    output: str,
    told: Told | None = None,
) -> Ending:
    code, record_id = told or Told()
    return Ending(
        outcome=outcome,
        error=error,
        exit_status=ended.status if ended.status >= 0 else None,
        signal=signal_name(-ended.status) if ended.status < 0 else "",
        output=output,
        code=code,
        record_id=record_id,
    )


def _facts(ended: Ended, output: str) -> dict[str, JsonValue]:
    facts: dict[str, JsonValue] = {"output": output}
    if ended.status < 0:
        facts["signal"] = signal_name(-ended.status)
    else:
        facts["exit_status"] = ended.status
    return facts


def _environment() -> dict[str, str]:
    """Return this process's environment without what Python added to it where cron sets no locale."""
    found = dict(os.environ)
    with contextlib.suppress(OSError):
        given = _GIVEN.read_bytes().split(b"\0")
        if not any(line.startswith(b"LC_CTYPE=") for line in given):
            found.pop("LC_CTYPE", None)
    return found


def _trace() -> dict[str, str]:
    work = current_context()
    return {} if work is None or not work.traceparent else {TRACEPARENT: work.traceparent}
