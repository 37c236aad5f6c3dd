"""Children of a worker that died: which, how, and of what task, if of any.

Billiard's own error may say `exitcode 0` of a child that was killed: it has forgotten the true
status when it learns late which task the child had taken. The methods of the pool that know are
followed, on the pool at hand and not on its class.

When two children die at nearly the same time, Celery's pool may give up the pipe of the second with
its word unread that it had begun a task. It then has another child run the task again, and finds the
first run's child dead without a task: that death is told as the task's while the pool still knows.
"""

from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final, Protocol, TypeVar

from billiard.common import human_status
from billiard.pool import EX_OK, EX_RECYCLE, RUN
from celery.exceptions import WorkerLostError

from holdfast.hooks.process import hide_frame

MAX_EXITS: Final = 256
"""Ended children that are remembered."""
_FOLLOWED: Final = ("process_flush_queues", "mark_as_worker_lost", "_join_exited_workers")
_WATCHED: Final = "holdfast_watched"


class _Pipe(Protocol):
    def poll(self, timeout: float) -> bool: ...


class _Queue(Protocol):
    _reader: _Pipe


class _Child(Protocol):
    pid: int
    exitcode: int | None
    outq: _Queue


class _Job(Protocol):
    correlation_id: str

    def worker_pids(self) -> list[int]: ...


class Loss:
    """One task whose child died."""

    def __init__(self, task_id: str, pid: int, status: int) -> None:
        self.task_id = task_id
        self.pid = pid
        self.how = human_status(status)
        self.explained = False
        """Whether somebody has told of it: by an error, or because the task will run again."""

    def true(self, error: BaseException) -> BaseException:
        """Return the error if it says how the child ended, else one that does, made from it."""
        if self.how in str(error):
            return error
        corrected = WorkerLostError(f"Worker exited prematurely: {self.how}.")
        corrected.__cause__ = error
        return corrected


class Losses:
    """Follows a pool, and knows of each loss while the pool tells of it.

    Args:
        unexplained: Called with a loss that nobody explained, or whose task the pool runs again.
        crashed: Called with the process id of a child that died without a task, and how it died.
    """

    def __init__(
        self, unexplained: Callable[[Loss], None], crashed: Callable[[int, str], None]
    ) -> None:
        self._unexplained = unexplained
        self._crashed = crashed
        self._exits: OrderedDict[int, int] = OrderedDict()
        self._claimed: OrderedDict[int, None] = OrderedDict()
        self._current: dict[str, Loss] = {}
        self._ended: list[int] = []
        """Children found dead in this round of the pool."""

    def watch(self, pool: object) -> None:
        """Follow a pool, if it is one with children; harmless when it is followed."""
        if hasattr(pool, _WATCHED) or not all(hasattr(pool, name) for name in _FOLLOWED):
            return
        setattr(pool, _WATCHED, True)
        self._follow_exits(pool)
        self._follow_jobs(pool)
        # Other pools know only later whose task a child had taken.
        if hasattr(pool, "register_with_event_loop"):
            self._follow_rounds(pool)
            self._follow_given_up(pool)

    def current(self, task_id: str) -> Loss | None:
        """Return the loss that the pool is telling of, if it is of this task."""
        return self._current.get(task_id)

    def claim(self, pid: int) -> None:
        """Know why a child dies: it is told of elsewhere."""
        _keep(self._claimed, pid, None)

    def _follow_exits(self, pool: object) -> None:
        def seen(child: _Child) -> None:
            if child.exitcode is None:
                return
            self._ended.append(child.pid)
            _keep(self._exits, child.pid, child.exitcode)
            if _is_meant(pool, child):
                self.claim(child.pid)

        _follow(pool, "process_flush_queues", seen)

    def _follow_jobs(self, pool: object) -> None:
        def seen(job: _Job, exitcode: int) -> Callable[[], None]:
            return partial(self._end, self._begin(job, exitcode))

        _follow(pool, "mark_as_worker_lost", seen)

    def _follow_rounds(self, pool: object) -> None:
        def seen(**_: object) -> Callable[[], None]:
            self._ended.clear()
            return self._end_round

        _follow(pool, "_join_exited_workers", seen)

    def _follow_given_up(self, pool: object) -> None:
        def seen(job: _Job, child: _Child) -> Callable[[], None] | None:
            if child.pid in self._claimed or _is_meant(pool, child) or not _had_begun(pool, child):
                return None
            self.claim(child.pid)
            loss = Loss(str(job.correlation_id), child.pid, child.exitcode or EX_OK)
            return partial(self._unexplained, loss)

        if hasattr(pool, "on_partial_read"):
            _follow(pool, "on_partial_read", seen)

    def _end_round(self) -> None:
        for pid in dict.fromkeys(self._ended):
            if pid in self._claimed:
                del self._claimed[pid]  # its number will be another's
            else:
                self._crashed(pid, human_status(self._exits[pid]))

    def _begin(self, job: _Job, exitcode: int) -> Loss:
        pid = next(iter(job.worker_pids()), 0)
        self.claim(pid)
        loss = Loss(str(job.correlation_id), pid, self._exits.get(pid, exitcode))
        self._current[loss.task_id] = loss
        return loss

    def _end(self, loss: Loss) -> None:
        self._current.pop(loss.task_id, None)
        if not loss.explained:
            self._unexplained(loss)


def _is_meant(pool: object, child: _Child) -> bool:
    """Tell whether a child ended by itself, or because the pool wanted it to."""
    wanted = bool(getattr(child, "_controlled_termination", False))
    ends = getattr(pool, "_state", RUN) != RUN
    return wanted or ends or child.exitcode in {EX_OK, EX_RECYCLE}


def _had_begun(pool: object, child: _Child) -> bool:
    """Tell whether a dead child had begun a task that the pool knows nothing of yet."""
    jobs: dict[int, _Job] = getattr(pool, "_cache", {})
    if any(child.pid in job.worker_pids() for job in list(jobs.values())):
        return False  # what it has not been heard to say is the end of that one
    # As the pool asks before it reads the rest; a pipe that it has closed raises.
    return child.outq._reader.poll(0)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]


_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


def _keep(known: OrderedDict[_Key, _Value], key: _Key, value: _Value) -> None:
    known[key] = value
    if len(known) > MAX_EXITS:
        known.popitem(last=False)


def _follow(pool: object, name: str, seen: Callable[..., Callable[[], None] | None]) -> None:
    """Have a method of a pool tell of its calls.

    Args:
        pool: The pool.
        name: The method's.
        seen: Called with its arguments before it; may return what is to be called after it.
    """
    method: Callable[..., object] = getattr(pool, name)

    def followed(*args: object, **options: object) -> object:
        then = None
        with suppress(Exception):  # observation never hurts
            then = seen(*args, **options)
        try:
            return method(*args, **options)
        except BaseException as failure:
            hide_frame(failure)
            raise
        finally:
            with suppress(Exception):
                if then is not None:
                    then()

    setattr(pool, name, followed)
