"""What comes up in an event loop and reaches nobody: failing callbacks, tasks nobody awaited, generators closed late.

Each loop has one handler for these, and the only way to listen is to be that handler: it is put in
place loop by loop, lazily, and calls the one that was there.
"""

import gc
import sys
import weakref
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, TypeAlias, cast

from holdfast.hooks.process import capture, hide_frame, passed_on
from holdfast.hooks.uncaught import without_digits
from holdfast.origin import Origin
from holdfast.record import type_name

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable

BOUNDARY = "asyncio"


def watch_loop(loop: "AbstractEventLoop | None" = None) -> "AbstractEventLoop":
    """Hand over the errors that end in a loop's exception handler, and return the loop.

    Until `unwatch_loop`, or until the last runtime with this hook is uninstalled. The handler that
    was there, by default the one that logs, is called as before. On a loop that is watched already
    it costs next to nothing.

    Args:
        loop: The loop; by default the running one. Of another thread's only before it runs.

    Raises:
        RuntimeError: When no loop is given and none is running.

    Example:
        >>> import asyncio
        >>> def new_loop() -> asyncio.AbstractEventLoop:
        ...     return watch_loop(asyncio.new_event_loop())
        >>> async def main() -> str:
        ...     return "done"
        >>> with asyncio.Runner(loop_factory=new_loop) as runner:
        ...     runner.run(main())
        'done'
    """
    found = loop or running_loop()
    if found is None:
        raise RuntimeError("watch_loop() needs a loop, or to be called within a running one")
    before = found.get_exception_handler()
    if type(before) is not _Handler:
        handler = _Handler(found, before)
        found.set_exception_handler(handler)
        _handlers.add(handler)
    return found


def unwatch_loop(loop: "AbstractEventLoop") -> None:
    """Undo `watch_loop`; should another handler have come on top, ours stays and only passes on.

    Example:
        >>> import asyncio
        >>> loop = watch_loop(asyncio.new_event_loop())
        >>> unwatch_loop(loop)
        >>> loop.get_exception_handler() is None
        True
        >>> loop.close()
    """
    for handler in tuple(_handlers):
        if handler.loop() is loop:
            handler.listening = False
            _handlers.discard(handler)
    first = loop.get_exception_handler()
    if isinstance(first, _Handler):
        loop.set_exception_handler(first.before)


def running_loop() -> "AbstractEventLoop | None":
    """Return the loop that runs on this thread, or None; without importing asyncio."""
    events = sys.modules.get("asyncio.events")
    return None if events is None else events._get_running_loop()  # noqa: SLF001  # meant for loops


_Told: TypeAlias = "dict[str, object]"
_handlers: "weakref.WeakSet[_Handler]" = weakref.WeakSet()
"""Those in place, to be taken out again; each is kept alive by its loop."""


class _Handler:
    """The exception handler of one loop, in front of the one it had."""

    __slots__ = ("__weakref__", "before", "listening", "loop")

    def __init__(
        self,
        loop: "AbstractEventLoop",
        before: "Callable[[AbstractEventLoop, _Told], object] | None",
    ) -> None:
        self.loop = weakref.ref(loop)
        self.before = before
        self.listening = True

    def __call__(self, loop: "AbstractEventLoop", told: _Told) -> None:
        outer, error = passed_on.error, told.get("exception")
        if self.listening and isinstance(error, BaseException):
            hand_over(error, told)
            passed_on.error = error
        try:
            if self.before is None:
                loop.default_exception_handler(told)
            else:
                self.before(loop, told)
        except BaseException as failure:
            hide_frame(failure)
            raise
        finally:
            passed_on.error = outer


def hand_over(error: BaseException, told: _Told) -> None:
    """Hand over what a loop tells of, as part of the work in which its task or callback ran."""
    try:
        origin = _origin(error, told)
        context = _context(told)
    except Exception:  # noqa: BLE001  # of whoever made the loop, the task or the callback
        origin, context = Origin(boundary=BOUNDARY), None
    if context is None:
        capture(error, origin)
    else:
        # A copy, because this may run within the very context, which can be entered once only.
        context.copy().run(capture, error, origin)


def _origin(error: BaseException, told: _Told) -> Origin:
    """Say which task or callback it was; never by `message`, which shows arguments."""
    task = told.get("task") or told.get("future")
    coroutine = getattr(task, "get_coro", _nothing)()
    subject = coroutine or told.get("asyncgen") or told.get("protocol") or task
    operation = name_of(subject) or _called(told.get("handle"), error)
    kind = "task" if coroutine else next((kind for kind in _KINDS if kind in told), "loop")
    attributes = {"while": kind}
    name = without_digits(getattr(task, "get_name", str)())
    if name and name != "Task-N":
        attributes["task"] = name
    return Origin(boundary=BOUNDARY, operation=operation, attributes=attributes)


_KINDS = ("future", "asyncgen", "handle", "protocol", "transport")
"""What a loop tells of, by key."""


def _nothing() -> None:
    return None


def _called(handle: object, error: BaseException) -> str:
    """Return the name of what a handle calls; on a loop whose handles do not say, of what the loop called."""
    callback: object = getattr(handle, "_callback", None)
    entry = None if error.__traceback__ is None else error.__traceback__.tb_next
    if callback is None and entry is not None:
        return entry.tb_frame.f_code.co_qualname
    return name_of(callback or handle)


def name_of(subject: object) -> str:
    """Return the name of a function, a coroutine or the like; of anything else that of its class."""
    while isinstance(subject, partial):
        subject = cast("object", subject.func)
    name: object = getattr(subject, "__qualname__", None)
    return name if isinstance(name, str) else "" if subject is None else type_name(type(subject))


def _context(told: _Told) -> Context | None:
    """Return the context that the task or callback ran in: since Python 3.12 that is where we are."""
    thing = told.get("task") or told.get("future") or told.get("handle")
    get_context = getattr(thing, "get_context", None)
    if get_context is not None:
        return cast("Context", get_context())
    held = getattr(thing, "_context", None)
    if held is None and thing is not None:
        # A task of Python 3.11 knows its context, and does not say so.
        held = next((one for one in gc.get_referents(thing) if isinstance(one, Context)), None)
    return held if isinstance(held, Context) else None


class Loops:
    """Watches the loop that runs when a runtime is installed; and forgets all when the last one goes."""

    def install(self) -> None:
        """Watch the running loop, if there is one."""
        loop = running_loop()
        if loop is not None:
            watch_loop(loop)

    def uninstall(self) -> None:
        """Undo every `watch_loop`."""
        for handler in tuple(_handlers):
            loop = handler.loop()
            if loop is not None:
                unwatch_loop(loop)


hook = Loops()
