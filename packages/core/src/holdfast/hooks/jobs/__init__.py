"""Work that nobody waits for: cron jobs and scripts, as a function, a block or a command."""

from holdfast.hooks.jobs.boundary import Job, job
from holdfast.hooks.jobs.lateness import Every, JobLateError, Schedule, job_check, late
from holdfast.hooks.jobs.lease import LeaseLock, Leases
from holdfast.hooks.jobs.lock import FileLock, Held, Lock
from holdfast.hooks.jobs.monitors import Monitor
from holdfast.hooks.jobs.outcome import (
    ExitStatus,
    JobFailedError,
    JobLockedError,
    JobReport,
    JobTimedOutError,
    Outcome,
)
from holdfast.hooks.jobs.run import JobRun, JobSpec, current_run
from holdfast.hooks.jobs.sql import SqlLeases
from holdfast.hooks.jobs.state import JobState, StateFolder, find_folder

__all__ = [
    "Every",
    "ExitStatus",
    "FileLock",
    "Held",
    "Job",
    "JobFailedError",
    "JobLateError",
    "JobLockedError",
    "JobReport",
    "JobRun",
    "JobSpec",
    "JobState",
    "JobTimedOutError",
    "LeaseLock",
    "Leases",
    "Lock",
    "Monitor",
    "Outcome",
    "Schedule",
    "SqlLeases",
    "StateFolder",
    "current_run",
    "find_folder",
    "job",
    "job_check",
    "late",
]
