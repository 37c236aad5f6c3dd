"""Work that nobody waits for: its errors stay in a future, and in silence, unless somebody looks.

Python has no hook for them. What is spawned here is handled as soon as it fails; a future that is
watched hands its error over when it is freed and nobody has asked it.
"""

import atexit
import inspect
import threading
import weakref
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import nullcontext
from contextvars import Context, copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast, overload

from holdfast.context import begin, current_context, end
from holdfast.hooks.loops import hand_over, name_of, running_loop
from holdfast.hooks.process import capture
from holdfast.origin import Origin
from holdfast.reporting.channel import turn

if TYPE_CHECKING:
    from asyncio import Task

_Params = ParamSpec("_Params")
_Result = TypeVar("_Result")

BOUNDARY = "future"


@overload
def spawn(work: Coroutine[Any, Any, _Result], /) -> "Task[_Result]": ...
@overload
def spawn(
    work: Callable[_Params, _Result], /, *args: _Params.args, **kwargs: _Params.kwargs
) -> Future[_Result]: ...
def spawn(work: object, /, *args: object, **kwargs: object) -> object:
    """Run something that nobody waits for; an error that ends it is handled at once.

    A coroutine becomes a task of the running loop, to which a reference is kept until it is done. A
    function runs on a thread of its own; `WatchedExecutor.spawn` runs it on a pool. Both run with the
    context variables of the caller, so that what they report has the id of its piece of work.

    Args:
        work: A coroutine, or a function.
        args: For the function.
        kwargs: For the function.

    Returns:
        The task or the future, for whoever wants to wait all the same.

    Raises:
        RuntimeError: For a coroutine, when no loop is running.
        TypeError: For an `async def` function that was not called: spawn what it returns.

    Example:
        >>> spawn(pow, 2, 3).result()
        8
    """
    if inspect.iscoroutine(work):
        return _spawn_task(work)
    if not callable(work) or inspect.iscoroutinefunction(work):
        raise TypeError(
            f"spawn() takes a function or a coroutine, not {work!r:.100}; call `async def` functions"
        )
    future = Future[object]()
    name, context = name_of(work), copy_context()
    told = _Told(Origin(boundary=BOUNDARY, operation=name), context)
    run = partial(context.run, partial(work, *args, **kwargs))
    threading.Thread(target=_run, args=(future, run, told), name=f"spawn {name}").start()
    return future


def _spawn_task(coroutine: Coroutine[Any, Any, object]) -> "Task[object]":
    loop = running_loop()
    if loop is None:
        coroutine.close()
        raise RuntimeError("spawn() of a coroutine needs a running event loop")
    task = loop.create_task(coroutine)
    _tasks.add(task)
    task.add_done_callback(_done)
    return task


_tasks: "set[Task[object]]" = set()
"""Loops refer to their tasks weakly only."""


def _done(task: "Task[object]") -> None:
    _tasks.discard(task)
    error = None if task.cancelled() else task.exception()
    if error is not None:
        hand_over(error, {"task": task})


def _run(future: Future[object], run: Callable[[], object], told: "_Told") -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = run()
    except BaseException as error:  # noqa: BLE001  # as executors do: it is the future's
        told.tell(error)
        future.set_exception(error)
        del future  # which the error's traceback leads to
    else:
        future.set_result(result)


class _Told:
    """What to say of an error that nobody took, and in which work."""

    __slots__ = ("apart", "context", "origin")

    def __init__(self, origin: Origin, context: Context) -> None:
        self.origin = origin
        self.context = context
        self.apart = not turn.busy
        """Whether this is no reporter's work: freed in the middle of a report, it is told all the same."""

    def tell(self, error: BaseException) -> None:
        """Hand the error over, as part of the work that it was of."""
        # A copy, because the context may be in use on another thread.
        with turn.held_up() if self.apart else nullcontext():
            self.context.copy().run(capture, error, self.origin)


def watch_future(future: Future[_Result], *, operation: str = "") -> Future[_Result]:
    """Hand over a future's error should nobody ask for it, and return the future.

    The error is handled when the future is freed, or when the process ends, unless `result()` or
    `exception()` was called once it was done: by anybody, `as_completed(…)` loops and `await`
    included. What executors return is always such a future; asyncio's own ones say it by
    themselves, see `watch_loop`.

    Args:
        future: Of `concurrent.futures`; not one whose error was taken already.
        operation: Name of the work, for the record.

    Raises:
        TypeError: When it is no such future.

    Example:
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> with ThreadPoolExecutor() as pool:
        ...     future = watch_future(pool.submit(int, "7"), operation="parse")
        >>> future.result()
        7
    """
    if not isinstance(cast("object", future), Future):
        raise TypeError(f"watch_future() takes a future of concurrent.futures, not {future!r:.100}")
    return _watch(future, operation or "Future", copy_context())


def _watch(future: Future[_Result], operation: str, context: Context) -> Future[_Result]:
    if not _classes:
        atexit.register(_tell_all)
    setattr(future, _TOLD, _Told(Origin(boundary=BOUNDARY, operation=operation), context))
    future.__class__ = _watched_class(type(future))
    _watched.add(future)
    return future


_TOLD = "_holdfast_told"
_classes: dict[type, type] = {}
_watched: "weakref.WeakSet[Future[Any]]" = weakref.WeakSet()


class _Watched(Future[_Result]):
    """A future that notes whether somebody took its error; what it is made of stays as it was."""

    def result(self, timeout: float | None = None) -> _Result:
        try:
            return super().result(timeout)
        finally:
            _note(self)
            del self  # which the error's traceback leads to

    def exception(self, timeout: float | None = None) -> BaseException | None:
        try:
            return super().exception(timeout)
        finally:
            _note(self)

    def __del__(self) -> None:
        _tell(self)


def _watched_class(cls: type) -> type:
    """Return a class of the same layout that notes who asks; made once for each class of futures."""
    watched: type = _Watched
    if watched in cls.__mro__:
        return cls
    if cls not in _classes:
        _classes[cls] = type(cls.__name__, (watched, cls), {"__module__": cls.__module__})
    return _classes[cls]


def _note(future: Future[Any]) -> None:
    if future.done():  # and not only asked too early
        vars(future).pop(_TOLD, None)


def _tell(future: Future[Any]) -> None:
    told: object = vars(future).get(_TOLD)
    if isinstance(told, _Told) and future.done() and not future.cancelled():
        error = future.exception()
        if error is not None:
            told.tell(error)


def _tell_all() -> None:
    for future in tuple(_watched):
        _tell(future)


class WatchedExecutor(Executor):
    """An executor in front of another, none of whose errors is lost.

    The context variables of the caller travel along to a `ThreadPoolExecutor`; to others, such as a
    pool of processes, the id of the piece of work. Safe for threads as the other is.

    Args:
        executor: Does the work; `shutdown` and `with` end it, too.

    Example:
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> with WatchedExecutor(ThreadPoolExecutor(4)) as pool:
        ...     future = pool.submit(int, "7")
        ...     _ = pool.spawn(print, "done")
        done
        >>> future.result()
        7
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._shares_context = _shares_context(executor)

    def submit(
        self, fn: Callable[_Params, _Result], /, *args: _Params.args, **kwargs: _Params.kwargs
    ) -> Future[_Result]:
        """Submit work for somebody who looks at the future; if nobody does, its error is handled in the end."""
        future, context = self._submit(fn, *args, **kwargs)
        return _watch(future, name_of(fn), context)

    def spawn(
        self, fn: Callable[_Params, _Result], /, *args: _Params.args, **kwargs: _Params.kwargs
    ) -> Future[_Result]:
        """Submit work that nobody waits for; its error is handled at once."""
        future, context = self._submit(fn, *args, **kwargs)
        told = _Told(Origin(boundary=BOUNDARY, operation=name_of(fn)), context)
        future.add_done_callback(partial(_spawned, told))
        return future

    def map(
        self,
        fn: Callable[..., _Result],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
    ) -> Iterator[_Result]:
        """Apply a function to items as the other executor does; errors come up where one iterates."""
        if self._shares_context:
            return super().map(fn, *iterables, timeout=timeout)
        return self._executor.map(fn, *iterables, timeout=timeout, chunksize=chunksize)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002  # the signature of every executor
        """Shut the other executor down."""
        self._executor.shutdown(wait, cancel_futures=cancel_futures)

    def _submit(
        self, fn: Callable[_Params, _Result], /, *args: _Params.args, **kwargs: _Params.kwargs
    ) -> tuple[Future[_Result], Context]:
        context = copy_context()
        run: Callable[..., _Result] = fn
        work = current_context()
        if self._shares_context:
            run = partial(context.run, fn)
        elif work is not None:
            run = cast("Callable[..., _Result]", _Elsewhere(fn, work.traceparent, work.trace_id))
        return self._executor.submit(run, *args, **kwargs), context


def _spawned(told: _Told, future: Future[Any]) -> None:
    error = None if future.cancelled() else future.exception()
    if error is not None:
        told.tell(error)


class _Elsewhere:
    """A function with the id of the work it is part of, for another process."""

    def __init__(self, function: Callable[..., Any], traceparent: str, trace_id: str) -> None:
        self._function = function
        self._traceparent = traceparent
        self._trace_id = trace_id

    def __call__(self, *args: object, **kwargs: object) -> object:
        token = begin(self._traceparent, self._trace_id)
        try:
            return self._function(*args, **kwargs)
        finally:
            end(token)


def _shares_context(executor: Executor) -> bool:
    """Tell whether work runs in this interpreter: context variables do not travel further."""
    # A pool of interpreters (Python 3.14) is one of threads as well.
    pickles = any("Interpreter" in cls.__name__ for cls in type(executor).__mro__)
    return isinstance(executor, ThreadPoolExecutor) and not pickles
