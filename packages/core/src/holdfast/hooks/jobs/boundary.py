"""`job`: the boundary of work that nobody waits for, as a decorator and around a block."""

import importlib
import inspect
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial, wraps
from types import TracebackType
from typing import ParamSpec, TypeVar, cast

from holdfast.hooks.jobs.limit import Alarm, unhurried
from holdfast.hooks.jobs.outcome import ExitStatus, JobLockedError, JobTimedOutError
from holdfast.hooks.jobs.run import JobRun, JobSpec, ending_of

_Params = ParamSpec("_Params")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Job(JobSpec):
    """A job, to decorate functions with or to put around a block; made by its name `holdfast.job`.

    Each call, or each time through the block, is a run: one piece of work with one trace id. Its
    error is handled once and comes out unchanged, unless a handler recovers from it: then the run has
    succeeded, and the function returns the handler's value. Leaving by `SystemExit` with a status other than
    0 counts as failing, and leaves as it would have; an interrupt or a cancellation fails the run
    without being an error. Everything else that is told is an event: `job.started`,
    `job.succeeded`, `job.failed`, `job.timed_out`, `job.skipped`.

    A function keeps its signature; `def` and `async def` both work. What a coroutine's run reads
    and writes is done on threads, so that the event loop goes on.

    Raises:
        ValueError: The name, `within` or `lock` is not what it may be.
        JobLockedError: At a call, or at the block: the run before has not ended.
        ServiceUnavailableError: At a call, or at the block: the lock cannot be asked.
        JobTimedOutError: From a function, or from the block: time was over; see `limit`.

    Example:
        >>> @Job("nightly-invoices", within=3600)
        ... def write_invoices(month: str) -> int:
        ...     return 12
        >>> write_invoices("2024-01")
        12
        >>> with Job("cleanup") as run:
        ...     print(run.job.name, run.lost)
        cleanup False
    """

    exits: bool = False
    """Leave by `SystemExit` where there is a status for it: 75 when locked, 124 when time was over.
    For functions that are all a script does."""

    def __call__(self, function: Callable[_Params, _Result]) -> Callable[_Params, _Result]:
        """Make each call of a function a run of this job.

        Raises:
            TypeError: When it is a generator function, of which a call does nothing yet.
        """
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(
                f"job {self.name!r}: {function.__qualname__} is a generator function, whose call does "
                "nothing yet; put the job around what iterates over it"
            )
        if inspect.iscoroutinefunction(function):
            return cast("Callable[_Params, _Result]", _coroutine(self, function))

        @wraps(function)
        def called(*args: _Params.args, **kwargs: _Params.kwargs) -> _Result:
            result: object = None
            with self as run:
                result = function(*args, **kwargs)
            return cast("_Result", run.recovered.value if run.recovered else result)

        return called

    @unhurried
    def __enter__(self) -> JobRun:
        run = JobRun(self)
        alarm = Alarm(self.name, self.within)
        blocks = _blocks.get()
        run.enter()
        try:
            run.open()
            _blocks.set((*blocks, (run, alarm)))
            alarm.start()
        except BaseException as error:
            alarm.stop()
            _blocks.set(blocks)
            _abandon(run, error)
            _exit_for(self, error)
            raise
        return run

    @unhurried
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        *outer, (run, alarm) = _blocks.get()
        alarm.stop()
        _blocks.set(tuple(outer))
        try:
            run.close(ending_of(error))
        finally:
            run.leave()
        if run.recovered is not None:
            return True
        if error is not None:
            _exit_for(self, error)
        return None


job = Job

_blocks: ContextVar[tuple[tuple[JobRun, Alarm], ...]] = ContextVar("holdfast_jobs", default=())
"""The runs that were begun and not ended in this thread or task, with their alarms."""


def _abandon(run: JobRun, error: BaseException) -> None:
    try:
        if run.opened:
            run.close(ending_of(error))
    finally:
        run.leave()


def _exit_for(job: Job, error: BaseException) -> None:
    if job.exits and isinstance(error, JobLockedError):
        raise SystemExit(int(ExitStatus.TRY_LATER)) from error
    if job.exits and isinstance(error, JobTimedOutError):
        raise SystemExit(int(ExitStatus.TIMED_OUT)) from error


def _coroutine(job: Job, function: Callable[..., object]) -> Callable[..., object]:
    @wraps(function)
    async def called(*args: object, **kwargs: object) -> object:
        module = importlib.import_module("holdfast.hooks.jobs.coroutine")
        try:
            return cast("object", await module.run(job, partial(function, *args, **kwargs)))
        except (JobLockedError, JobTimedOutError) as error:
            _exit_for(job, error)
            raise

    return called
