"""`flask holdfast`: the catalogue, the settings, and where errors would escape."""

import json
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from importlib import import_module
from typing import cast

from click import Choice, argument, echo, option
from flask import current_app
from flask.cli import AppGroup

from holdfast import environment
from holdfast.catalog import clashes
from holdfast.catalog.export import EXPORTERS, export
from holdfast.health import inspection
from holdfast.resilience.inspection import AREAS, answer
from holdfast.runtime import current_runtime
from holdfast_flask.audit import findings

commands = AppGroup("holdfast", help="Errors and health of this application.")


@commands.command("codes")
@option("--format", "form", type=Choice(sorted(EXPORTERS)), default="text")
@argument("modules", nargs=-1, metavar="[MODULE]...")
def codes(form: str, modules: tuple[str, ...]) -> None:
    """List every error code that callers may see.

    MODULE is imported before, where the application itself does not.
    """
    for module in modules:
        import_module(module)
    sys.stdout.write(export(form))
    found = clashes()
    for sentence in found:
        echo(sentence, err=True)
    if found:
        sys.exit(1)


@commands.command("settings")
def settings() -> None:
    """Show the settings in force, without secrets."""
    runtime = current_runtime()
    for name, value in _flat(runtime.settings, "HOLDFAST_"):
        shown = runtime.redactor.value(_plain(value), name.lower())
        _say(f"{name} = {json.dumps(shown, ensure_ascii=False, default=str)}")


@commands.command("check")
def check() -> None:
    """Name the places where errors would escape; exit status 1 when there are any."""
    found = list(findings(current_app, current_runtime()))
    for sentence in found:
        _say(sentence)
    if found:
        sys.exit(1)
    _say("no error escapes")


@commands.command("health")
@argument("group", default="")
@option("--format", "form", type=Choice(inspection.FORMS), default=inspection.FORMS[0])
@option(
    "--fail-on",
    type=Choice(inspection.FAIL_ON),
    default=inspection.FAIL_ON[0],
    help="From which status on the exit status is 1.",
)
def health(group: str, form: str, fail_on: str) -> None:
    """Run the checks of GROUP, or all, and show everything they say.

    GROUP is live, ready, startup or one of the application's own. Exit status: 0 when it is well or
    degraded, 1 when it is not, 2 when there is no such group.
    """
    runtime = current_runtime()
    environment.take_over(runtime)
    told = inspection.answer(runtime.probes, group, form=form, fail_on=fail_on)
    echo(told.text, err=told.status == inspection.UNKNOWN)
    sys.exit(told.status)


def _add(area: str, actions: tuple[str, ...]) -> None:
    @commands.command(area, help=f"Look at {area}: {', '.join(actions)}.")
    @argument("action", type=Choice(actions), default=actions[0])
    @argument("name", default="")
    def run(action: str, name: str) -> None:
        told = answer(current_runtime().policies, area, action, name)
        echo(told.text, err=bool(told.status))
        sys.exit(told.status)


for _area, _actions in AREAS.items():
    _add(_area, _actions)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _flat(section: object, prefix: str) -> Iterator[tuple[str, object]]:
    for field in fields(section):  # type: ignore[arg-type]  # a dataclass: the settings or a section
        name, value = f"{prefix}{field.name.upper()}", cast("object", getattr(section, field.name))
        if is_dataclass(value):
            yield from _flat(value, f"{name}.")
        else:
            yield name, value


def _plain(value: object) -> object:
    if isinstance(value, frozenset):
        return sorted(map(str, cast("frozenset[object]", value)))
    return list(cast("tuple[object, ...]", value)) if isinstance(value, tuple) else value
