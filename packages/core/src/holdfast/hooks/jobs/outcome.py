"""How a run of a job ended: the outcome, the exit status that says so, and the errors behind it."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Final

from holdfast.errors import DeadlineExceededError, InternalServerError, StateConflictError

BOUNDARY: Final = "job"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Outcome(StrEnum):
    """What became of a run."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    """The run before it had not ended: nothing was done."""
    TIMED_OUT = "timed_out"


class ExitStatus(IntEnum):
    """With what `holdfast run` ends; a run that a signal ended adds its number to `SIGNALLED`."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    """The command line of `holdfast run` itself makes no sense."""
    TRY_LATER = 75
    """Locked, or the lock could not be asked: `EX_TEMPFAIL` of `sysexits.h`."""
    TIMED_OUT = 124
    SIGNALLED = 128


class JobFailedError(InternalServerError):
    """A job ended badly without an exception that would say why."""

    code = "JOB_FAILED"


class JobTimedOutError(DeadlineExceededError):
    """A job ran longer than it may."""

    code = "JOB_TIMED_OUT"


class JobLockedError(StateConflictError):
    """The run before has not ended."""

    code = "JOB_LOCKED"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobReport:
    """What is known of one run: what monitors are told and the state file keeps. Redacted."""

    job: str
    run_id: str
    """A UUID, the same in events, records and pings."""
    started: datetime
    """Aware, UTC."""
    outcome: Outcome | None = None
    """None while it is running."""
    duration: float = 0.0
    """Seconds."""
    exit_status: int | None = None
    """With what a command ended, or a function by `SystemExit`; None when it did not."""
    signal: str = ""
    """The signal that ended it, such as `SIGKILL`."""
    code: str = ""
    """Code of the error, when there was one."""
    record_id: str = ""
    """Id of the error's record."""
    output: str = ""
    """End of what a command wrote."""


def checked_name(name: str) -> str:
    """Return the name of a job, which is part of file names, keys and addresses.

    Raises:
        ValueError: When it cannot be that.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"the name of a job is 1 to 100 letters, digits, '.', '_' and '-', not {name!r:.120}; "
            "it names files and keys"
        )
    return name
