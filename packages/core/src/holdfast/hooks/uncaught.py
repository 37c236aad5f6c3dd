"""What nobody caught: in the main thread, in other threads, and where Python cannot raise at all.

Hooks that were there before are called as before, so that a process prints what it printed and ends
as it ended. An interactive interpreter is left alone: its errors are its user's.
"""

import os
import re
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from types import (
    AsyncGeneratorType,
    BuiltinFunctionType,
    CoroutineType,
    FunctionType,
    GeneratorType,
    MethodType,
    ModuleType,
    TracebackType,
)

from holdfast.hooks.process import capture, hide_frame, responsible
from holdfast.hooks.servers import program
from holdfast.origin import Origin
from holdfast.record import type_name

PATIENCE = 0.5
"""Seconds that the end of the main thread waits for reports, so that a traceback is not printed into their lines."""

_DIGITS = re.compile(r"\d+")
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_NAMED = (
    AsyncGeneratorType,
    BuiltinFunctionType,
    CoroutineType,
    FunctionType,
    GeneratorType,
    MethodType,
    type,
)
"""What tells its own name without running anybody's code."""


class _Link:
    """Our part of the chain of hooks that begins with one variable, such as `sys.excepthook`.

    Taken out again if it is still the first. Otherwise it stays where it is and only passes on,
    and the next one is put in front: to move it could make the chain a circle.
    """

    def __init__(self, module: ModuleType, name: str, hear: Callable[..., None]) -> None:
        self._module = module
        self._name = name
        self._hear = hear
        self._before: Callable[..., object] = getattr(module, name)
        self._listening = True
        self.hook = self._called
        setattr(module, name, self.hook)

    def take_out(self) -> None:
        """Stop listening, and put back the hook that was there unless another came on top."""
        self._listening = False
        if getattr(self._module, self._name) is self.hook:
            setattr(self._module, self._name, self._before)

    def _called(self, *args: object) -> None:
        if self._listening:
            try:
                if not is_interactive():
                    self._hear(*args)
            except Exception:  # noqa: BLE001, S110  # of a module that is being torn down, or too deep in a recursion
                pass
        try:
            self._before(*args)
        except BaseException as failure:
            hide_frame(failure)
            raise


class Uncaught:
    """Listens at `sys.excepthook`, `threading.excepthook` and `sys.unraisablehook`.

    Each of them is put back on its own, whatever became of the others.
    """

    def __init__(self) -> None:
        self._links: tuple[_Link, ...] = ()

    def install(self) -> None:
        """Listen, in front of the hooks that are there."""
        if not self._links:
            self._links = (
                _Link(sys, "excepthook", _uncaught),
                _Link(threading, "excepthook", _in_thread),
                _Link(sys, "unraisablehook", _unraisable),
            )

    def uninstall(self) -> None:
        """Stop listening, and put back the hooks that were there unless others came on top."""
        for link in self._links:
            link.take_out()
        self._links = ()


def _uncaught(_: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
    verdict = capture(error, Origin(boundary="process", operation=program()))
    # Loaded by name, where there is a run that wants to know which error it was.
    if verdict is not None and verdict.record is not None and "HOLDFAST_RUN" in os.environ:
        import_module("holdfast.hooks.jobs.told").ended(verdict.record)
    owner = responsible()
    if owner is not None:
        owner.flush(PATIENCE)


def _in_thread(args: threading.ExceptHookArgs) -> None:
    # Nothing of `args` is kept: a thread that stays referenced is not freed.
    if args.exc_value is not None:
        name = "" if args.thread is None else args.thread.name
        capture(args.exc_value, Origin(boundary="thread", operation=without_digits(name)))


def _unraisable(args: "sys.UnraisableHookArgs") -> None:
    if args.exc_value is not None:
        told = {"while": _ADDRESS.sub("", args.err_msg)} if args.err_msg else {}
        origin = Origin(boundary="unraisable", operation=_name_of(args.object), attributes=told)
        capture(args.exc_value, origin)


def _name_of(gone: object) -> str:
    # It is half gone: to keep it, or to ask an object for more than its class, would revive it.
    if gone is None:
        return ""
    return gone.__qualname__ if isinstance(gone, _NAMED) else type_name(type(gone))


def is_interactive() -> bool:
    """Tell whether a person types at this interpreter."""
    return hasattr(sys, "ps1") or bool(sys.flags.interactive)


def without_digits(name: str) -> str:
    """Return the name of a thread or a task without its numbers, of which there is no end."""
    return _DIGITS.sub("N", name)


hook = Uncaught()
