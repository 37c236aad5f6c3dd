"""What servers do to the applications they run, read from where an exception has been.

A server builds the application, and ends a worker whose time is over. Both come up in the same hooks
as everything else; the functions that an exception passed tell them apart.
"""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Final

from holdfast.codes import ErrorCode
from holdfast.errors import AppError
from holdfast.origin import Origin

STARTUP: Final = "startup"

_BUILDERS: Final = frozenset(
    {
        ("daphne.utils", "import_by_path"),
        ("django", "setup"),
        ("django.conf", "_setup"),
        ("django.core.management.commands.runserver", "inner_run"),
        ("flask.cli", "load_app"),
        ("gunicorn.app.base", "wsgi"),
        ("hypercorn.utils", "load_application"),
        ("uvicorn.config", "load_app"),
        ("waitress.runner", "resolve"),
    }
)
"""Module and name of functions that build an application, or load the module that does."""
_LATE: Final = frozenset({"process", "thread", "log"})
"""Boundaries that an error of the start-up comes to when nothing else has caught it."""
_ABORT: Final = ("gunicorn.workers.base", "handle_abort")


def located(error: BaseException, origin: Origin) -> Origin:
    """Return where an error belongs: to the start-up, when it left a function that builds an application."""
    if origin.boundary not in _LATE or _BUILDERS.isdisjoint(_passed(error.__traceback__)):
        return origin

    return replace(origin, boundary=STARTUP, operation=program())


def aborted(error: BaseException) -> AppError | None:
    """Return what an exit means by which gunicorn ends a worker whose time is over, or None for any other.

    Its frames are those of the exit, and show where the worker was.
    """
    if not isinstance(error, SystemExit) or last_place(error) != _ABORT:
        return None
    found = AppError(ErrorCode.PROCESS_CRASHED, "gunicorn ended the worker: its time was over")
    return found.with_traceback(error.__traceback__)


def last_place(error: BaseException) -> tuple[str, str]:
    """Return module and function that raised an exception; empty ones for an exception without a traceback."""
    place = ("", "")
    for place in _passed(error.__traceback__):  # noqa: B007  # the last one is wanted
        pass
    return place


def _passed(traceback: TracebackType | None) -> Iterator[tuple[str, str]]:
    while traceback is not None:
        frame = traceback.tb_frame
        yield str(frame.f_globals.get("__name__", "")), frame.f_code.co_name
        traceback = traceback.tb_next


def program() -> str:
    """Return what this process runs, by the name of its script or package alone."""
    path = Path(sys.argv[0] if sys.argv else "")
    return (path.parent if path.name == "__main__.py" else path).name or "python"
