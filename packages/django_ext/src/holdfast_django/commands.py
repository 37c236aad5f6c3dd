"""Management commands: what ends one is handled once, under its name.

Django makes a command of a command line in one place, `ManagementUtility.fetch_command`. That is
wrapped, once and for good; classes of commands are left as they are. What `call_command` raises is
left to the boundary that it is called within.
"""

import os
import sys
from collections.abc import Callable
from functools import partial, wraps
from typing import Final

from django.core.management import ManagementUtility
from django.core.management.base import BaseCommand, CommandError

from holdfast.codes import ErrorCode
from holdfast.context import TRACEPARENT, work_context
from holdfast.errors import AppError
from holdfast.handler import last_server_error
from holdfast.hooks.process import capture
from holdfast.hooks.servers import last_place
from holdfast.origin import Origin
from holdfast_django.current import COMMAND_BOUNDARY

_MARK: Final = "_holdfast"
_ALONE: Final = frozenset({"test"})
"""Commands that are left alone: errors of tests are answered by the tests, each a piece of work of its own."""
_ANSWERING: Final = ("django.", "holdfast.", "holdfast_django.")
"""Where an exit status is an answer: of a command of Django's own or of ours, or of a job, which has told what it
means."""
_COMMAND_BASE: Final = "django.core.management.base"

_Run = Callable[[list[str]], object]


class RefusedError(CommandError):
    """Answers who typed a command that cannot be done, or has found something; no error of the project."""


def watch_commands() -> None:
    """Let every command that comes from a command line pass through here; once, however often it is called."""
    fetch = ManagementUtility.fetch_command
    if hasattr(fetch, _MARK):
        return

    @wraps(fetch)
    def fetch_command(utility: ManagementUtility, subcommand: str) -> BaseCommand:
        try:
            command = fetch(utility, subcommand)
        except SystemExit:
            _mistyped("(unknown)", f"there is no command {subcommand!r}")
            raise
        if subcommand not in _ALONE:
            setattr(command, "run_from_argv", partial(_run, command.run_from_argv, subcommand))  # noqa: B010  # of this object alone
        return command

    setattr(fetch_command, _MARK, True)
    setattr(ManagementUtility, "fetch_command", fetch_command)  # noqa: B010  # see the module


def _run(run: _Run, name: str, argv: list[str]) -> None:
    # Of the trace of whoever started the process: a run of a job, for one.
    with work_context(boundary=COMMAND_BOUNDARY, traceparent=os.environ.get(TRACEPARENT)):
        try:
            run(argv)
        except SystemExit as leaving:
            _left(name, leaving)
            raise
        except BaseException as error:
            if (
                error.__traceback__ is not None
            ):  # Python prints it: this function is none of the project's
                error.__traceback__ = error.__traceback__.tb_next
            capture(error, Origin(boundary=COMMAND_BOUNDARY, operation=name))
            raise


def _left(name: str, leaving: SystemExit) -> None:
    """Record what is behind an exit, unless that is a success or an answer that one of Django's commands gives."""
    if not leaving.code or isinstance(leaving.__context__, RefusedError):
        return
    chooser, _ = last_place(leaving)
    behind = leaving.__context__
    if chooser == _COMMAND_BASE and isinstance(behind, CommandError):
        capture(behind, Origin(boundary=COMMAND_BOUNDARY, operation=name))
    elif chooser == "argparse":
        _mistyped(name, "the command was called with arguments that it does not take")
    elif not chooser.startswith(_ANSWERING) and last_server_error() is None:
        capture(_failure(leaving), Origin(boundary=COMMAND_BOUNDARY, operation=name))


def _failure(leaving: SystemExit) -> AppError:
    """Return the error behind an exit of which nothing but a status, or a sentence, is known."""
    status = leaving.code
    said = f"the command ended with exit status {status}" if isinstance(status, int) else status
    found = AppError(ErrorCode.JOB_FAILED, str(said))
    found.__context__ = leaving.__context__
    return found.with_traceback(leaving.__traceback__)


def _mistyped(name: str, message: str) -> None:
    """Record a command line that cannot be run, unless somebody sits there and reads so."""
    if not (sys.stderr and sys.stderr.isatty()):
        error = AppError(ErrorCode.JOB_FAILED, message)
        capture(error, Origin(boundary=COMMAND_BOUNDARY, operation=name))
