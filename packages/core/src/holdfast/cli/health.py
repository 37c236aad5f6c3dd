"""`holdfast health`: run the checks of a module, or ask an endpoint, and tell by the exit status."""

import argparse
import importlib
import sys
from inspect import isfunction
from operator import attrgetter
from typing import TYPE_CHECKING, Final, cast

from holdfast import environment
from holdfast.cli.printing import print_lines
from holdfast.health import asking, inspection
from holdfast.hooks.process import responsible
from holdfast.record import text_of, type_name
from holdfast.redact import Redactor
from holdfast.resilience.inspection import Answer
from holdfast.runtime import Runtime, current_runtime

if TYPE_CHECKING:
    from collections.abc import Callable

STATUSES: Final = """
exit status:
  0  it is well, or degraded
  1  it is not; with --fail-on warn also when it is degraded
  2  that cannot be told: no such group, nobody answers, or this command line makes no sense
"""


def add_health(health: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    health.set_defaults(act=_health)
    health.add_argument(
        "group", nargs="?", default="", help="live, ready, startup or one's own (default: all)"
    )
    where = health.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--app",
        metavar="MODULE[:NAME]",
        help="import this and run the checks; NAME is a runtime, or a function that sets up one",
    )
    where.add_argument("--url", help="ask this endpoint, such as http://127.0.0.1:8000/health")
    health.add_argument(
        "--timeout",
        type=float,
        default=asking.TIMEOUT,
        metavar="SECONDS",
        help="with --url: for all of it (default: %(default)g)",
    )
    health.add_argument("--format", choices=inspection.FORMS, default=inspection.FORMS[0])
    health.add_argument(
        "--fail-on",
        choices=inspection.FAIL_ON,
        default=inspection.FAIL_ON[0],
        help="from which status on the exit status is 1 (default: %(default)s)",
    )


def _health(told: argparse.Namespace) -> int:
    answer = _asked(told) if told.url else _looked(told)
    if answer.status == inspection.UNKNOWN:
        sys.stderr.write(f"holdfast: {answer.text}\n")
    else:
        print_lines([answer.text])
    return answer.status


def _asked(told: argparse.Namespace) -> Answer:
    how = {"form": told.format, "fail_on": told.fail_on}
    return asking.ask(told.url, told.group, timeout=told.timeout, **how)


def _looked(told: argparse.Namespace) -> Answer:
    found = _found(told.app)  # held: the checks of an application that a factory returns need it
    runtime = _runtime_of(found)
    environment.take_over(runtime)
    return inspection.answer(runtime.probes, told.group, form=told.format, fail_on=told.fail_on)


def _found(app: str) -> object:
    """Import what registers the checks, and return what it made."""
    sys.path.insert(0, "")
    module, _, name = app.partition(":")
    try:
        found: object = importlib.import_module(module)
        if name:
            found = attrgetter(name)(found)
            found = cast("Callable[[], object]", found)() if isfunction(found) else found
    except Exception as error:  # of a project: it cannot be told how it is
        said = Redactor().text(f"{type_name(type(error))}: {text_of(error)}")
        raise ValueError(f"--app {app} cannot be had: {said}") from error
    return found


def _runtime_of(found: object) -> Runtime:
    if isinstance(found, Runtime):
        return found
    installed = responsible()
    return installed if isinstance(installed, Runtime) else current_runtime()
