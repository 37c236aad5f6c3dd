"""Commands of an application: what ends one is handled once, under its name, and goes on unchanged.

Commands are watched where they are looked up, as copies. They themselves stay as they are, for they
may belong to several applications, and may be registered at any time.
"""

import errno
import os
import sys
from collections.abc import Callable
from copy import copy
from typing import Final, ParamSpec, TypeVar

from click import Abort, Command, Context, Group, UsageError
from click.exceptions import Exit
from flask import Flask

from holdfast.codes import ErrorCode
from holdfast.context import TRACEPARENT, begin, current_context, end
from holdfast.errors import AppError
from holdfast.handler import last_server_error
from holdfast.hooks.servers import last_place
from holdfast.origin import Origin
from holdfast.runtime import Runtime
from holdfast_flask.capture import pass_on
from holdfast_flask.handlers import override

BOUNDARY: Final = "flask.command"

_OURS: Final = "holdfast_flask"
"""Package of the commands that answer with their exit status."""

_Params = ParamSpec("_Params")
_Result = TypeVar("_Result")
_Find = Callable[[Context, str], Command | None]


def watch_commands(app: Flask, runtime: Runtime) -> None:
    """Watch an application's commands and those of its blueprints, whenever they are registered."""
    override(app.cli, "get_command", _watching(app.cli.get_command, runtime))


def _watching(find: _Find, runtime: Runtime, group: str = "") -> _Find:
    """Return a group's search for a command that finds it watched."""

    def get_command(context: Context, name: str) -> Command | None:
        command = find(context, name)
        return None if command is None else _watched(command, runtime, f"{group} {name}".lstrip())

    return get_command


def _watched(command: Command, runtime: Runtime, name: str) -> Command:
    watched, origin = copy(command), Origin(boundary=BOUNDARY, operation=name, resumable=False)
    # Functions behind parameters are called while the context is made.
    override(watched, "make_context", _guarded(watched.make_context, runtime, origin))
    override(watched, "invoke", _guarded(watched.invoke, runtime, origin))
    if isinstance(command, Group):
        override(watched, "get_command", _watching(command.get_command, runtime, name))
    return watched


def _guarded(
    step: Callable[_Params, _Result], runtime: Runtime, origin: Origin
) -> Callable[_Params, _Result]:
    """Return a step of a command as a piece of work, or as part of the one that is under way."""

    def run(*args: _Params.args, **kwargs: _Params.kwargs) -> _Result:
        alone = current_context() is None
        token = begin(os.environ.get(TRACEPARENT), boundary=BOUNDARY) if alone else None
        try:
            return step(*args, **kwargs)
        except BaseException as error:
            pass_on(error)
            failure = _failure(error)
            if failure is not None:
                runtime.handle(failure, origin)
            raise
        finally:
            if token is not None:
                end(token)

    return run


def _failure(error: BaseException) -> BaseException | None:
    """Return what is to be recorded of what ended a command: itself, the error behind it, or nothing."""
    if isinstance(error, (UsageError, Abort)) and _somebody_reads():
        return None
    if isinstance(error, (Abort, Exit, SystemExit)):
        return _behind_exit(error)
    if isinstance(error, OSError) and error.errno == errno.EPIPE:
        return None  # whoever read the output has enough; click ends the command in silence
    return error


def _behind_exit(leaving: Abort | Exit | SystemExit) -> AppError | None:
    """Return the error behind an exit, unless that is a success, an answer, or explained already."""
    status = _status(leaving)
    ours = last_place(leaving)[0].partition(".")[0] == _OURS
    if not status or ours or last_server_error() is not None:
        return None
    said = f"the command ended with exit status {status}" if isinstance(status, int) else status
    failure = AppError(ErrorCode.JOB_FAILED, str(said))
    failure.__context__ = leaving.__context__
    return failure.with_traceback(leaving.__traceback__)


def _status(leaving: Abort | Exit | SystemExit) -> object:
    if isinstance(leaving, Abort):
        return "the command was aborted"
    return leaving.exit_code if isinstance(leaving, Exit) else leaving.code


def _somebody_reads() -> bool:
    """Tell whether a person at a terminal is told by click what is wrong."""
    return sys.stderr is not None and sys.stderr.isatty()
