"""Whether a thread is handling an error right now."""

import threading
from collections.abc import Coroutine, Generator
from typing import Generic, TypeVar

_Result = TypeVar("_Result")


class _Handling(threading.local):
    """Whether this thread is in the middle of handling an error: what a step of it logs is no further one."""

    busy = False


handling = _Handling()


class Busily(Generic[_Result]):
    """Awaits a coroutine as part of handling an error: its thread is busy while it runs, not while it waits.

    Args:
        work: What is awaited.
    """

    __slots__ = ("_work",)

    def __init__(self, work: Coroutine[object, object, _Result]) -> None:
        self._work = work

    def __await__(self) -> Generator[object, object, _Result]:
        """Run the coroutine step by step."""
        failure: BaseException | None = None
        while True:
            outer, handling.busy = handling.busy, True
            try:
                waited = self._work.send(None) if failure is None else self._work.throw(failure)
            except StopIteration as end:
                result: _Result = end.value
                return result
            finally:
                handling.busy = outer
            try:
                yield waited
                failure = None
            except BaseException as thrown:  # noqa: BLE001  # it is the coroutine's
                failure = thrown
