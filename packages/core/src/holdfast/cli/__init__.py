"""The command `holdfast`: run a command as a job, tell how it is, list or compare the codes, name where errors would escape."""

import argparse
import importlib
import json
import math
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Literal, cast

from holdfast import __version__, catalog
from holdfast.catalog.compare import Change, ExportError, Promised, compare, load
from holdfast.catalog.export import EXPORTERS, export
from holdfast.cli.health import STATUSES, add_health
from holdfast.cli.printing import print_lines
from holdfast.hooks.audit import findings, findings_here
from holdfast.hooks.jobs.command import GRACE
from holdfast.hooks.jobs.lateness import schedule_of
from holdfast.hooks.jobs.lease import LEASE, LeaseLock, Leases
from holdfast.hooks.jobs.lock import Lock
from holdfast.hooks.jobs.monitors import Monitor
from holdfast.hooks.jobs.outcome import ExitStatus
from holdfast.hooks.jobs.pings import Pings
from holdfast.hooks.jobs.run import JobSpec
from holdfast.hooks.jobs.state import configured_folder
from holdfast.hooks.jobs.supervised import Supervised
from holdfast.hooks.process import responsible
from holdfast.runtime import Runtime
from holdfast.settings import SettingsError
from holdfast.starting import configure

_MISTAKES = (ValueError, ImportError, FileNotFoundError, NotImplementedError, SettingsError)
"""What a command line is told that makes no sense."""
_STATUSES = """
exit status:
  0        done
  1        failed; with --pass-status that of the command
  2        this command line makes no sense
  75       the run before has not ended, or the lock cannot be asked: try later
  124      stopped after --within
  128 + n  ended by signal n, or stopped because signal n came
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says and return the exit status.

    Args:
        arguments: Those of the process unless given.
    """
    parser = _parser()
    told = parser.parse_args(arguments)
    try:
        return int(told.act(told))
    except _MISTAKES as error:
        parser.exit(int(ExitStatus.USAGE), f"holdfast: {error}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="holdfast", description="Errors, where they arrive.")
    parser.add_argument("--version", action="version", version=f"holdfast {__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")
    _add_run(
        commands.add_parser(
            "run",
            help="run a command as a job",
            usage="holdfast run --name NAME [options] -- command [argument ...]",
            epilog=_STATUSES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
    )
    check = commands.add_parser("check", help="name where errors would escape")
    check.set_defaults(act=_check)
    check.add_argument("--app", metavar="MODULE", help="import this, and look at the process, too")
    check.add_argument("paths", nargs="*", metavar="path", help="files or folders (default: .)")
    add_health(
        commands.add_parser(
            "health",
            help="tell how a process is, or what a module registers",
            epilog=STATUSES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
    )
    _add_codes(commands.add_parser("codes", help="list or compare the codes that callers may see"))
    return parser


def _add_codes(codes: argparse.ArgumentParser) -> None:
    codes.set_defaults(act=_codes)
    codes.usage = (
        "holdfast codes [--format text|json|typescript|markdown] [module ...]\n"
        "       holdfast codes compare [--format text|json] old.json new.json"
    )
    codes.add_argument("--format", choices=sorted(EXPORTERS), default="text")
    codes.add_argument(
        "words",
        nargs="*",
        metavar="module",
        help="whose import declares codes beyond those that ship; or `compare` and two exports: "
        "exit status 1 when the new one takes away what callers of the old one rely on",
    )


def _add_run(run: argparse.ArgumentParser) -> None:
    run.set_defaults(act=_run)
    run.add_argument("--name", required=True, help="of the job, in records, files and pings")
    run.add_argument("--within", type=float, metavar="SECONDS", help="time it may take")
    run.add_argument(
        "--grace",
        type=float,
        default=GRACE,
        metavar="SECONDS",
        help="time between being asked to end and being killed (default: %(default)g)",
    )
    run.add_argument(
        "--lock",
        default=os.environ.get("HOLDFAST_LOCK", "file"),
        help="file, none, sql:URL or redis:URL (default: $HOLDFAST_LOCK, else file)",
    )
    run.add_argument(
        "--lease",
        type=float,
        default=LEASE,
        metavar="SECONDS",
        help="time a lock in SQL or Redis outlives a host that is gone (default: %(default)g)",
    )
    run.add_argument("--schedule", help="five fields of cron: tells of a run that is missing")
    run.add_argument("--timezone", default="UTC", help="whose clocks they mean (default: UTC)")
    run.add_argument(
        "--ping",
        action="append",
        metavar="URL",
        help="service to ping, as Healthchecks.io has it (default: $HOLDFAST_PING)",
    )
    run.add_argument("--sentry-monitor", metavar="SLUG", help="monitor to check in with")
    run.add_argument("--state", metavar="FOLDER", help="for locks and last runs")
    run.add_argument("--pass-status", action="store_true", help="leave with the command's status")
    run.add_argument("--service", help="name of the service in records (default: the job's)")
    run.add_argument(
        "--reporters",
        default="logging",
        metavar="NAMES",
        help="who is told, separated by commas (default: %(default)s)",
    )
    run.add_argument("--level", default="WARNING", help="the least severity that is logged")
    run.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)


def _run(told: argparse.Namespace) -> int:
    arguments = told.arguments[1:] if told.arguments[:1] == ["--"] else told.arguments
    job = JobSpec(
        told.name,
        within=told.within,
        lock=_lock(told.lock, told.lease),
        monitors=tuple(_monitors(told)),
        schedule=schedule_of(told.schedule, told.timezone) if told.schedule else None,
        state=told.state,
    )
    work = Supervised(job=job, arguments=arguments, grace=told.grace, pass_status=told.pass_status)
    if told.state:
        _make(told.state)
    runtime = _runtime(told).install()
    try:
        return work.run()
    finally:
        runtime.uninstall()
        runtime.close()


def _make(state: str) -> None:
    try:
        configured_folder(state, None).make()
    except OSError as error:
        raise ValueError(
            f"the folder {state} of --state cannot be made: {error.strerror}"
        ) from None


def _lock(told: str, lease: float) -> Lock | Literal["file"] | None:
    kind, _, url = told.partition(":")
    if told in {"none", "file"}:
        return None if told == "none" else "file"
    home = {"redis": "redis_lock", "sql": "dbapi"}.get(kind)
    if home is None or not url:
        raise ValueError(f"a lock is file, none, sql:URL or redis:URL, not {kind!r}")
    leases = importlib.import_module(f"holdfast.integrations.{home}").leases
    return LeaseLock(cast("Leases", leases(url)), seconds=lease)


def _monitors(told: argparse.Namespace) -> Iterator[Monitor]:
    named = os.environ.get("HOLDFAST_PING")
    for url in told.ping or ([named] if named else []):
        yield Pings(url)
    if told.sentry_monitor:
        crons = _sentry()
        yield cast(
            "Monitor",
            crons.SentryMonitor(
                told.sentry_monitor,
                schedule=told.schedule,
                timezone=told.timezone,
                max_runtime=told.within and math.ceil(told.within / 60),
            ),
        )


def _sentry() -> ModuleType:
    """Return the module of check-ins, with Sentry initialised: nobody else does that here."""
    crons = importlib.import_module("holdfast.integrations.sentry_crons")
    crons.activate()
    return crons


def _runtime(told: argparse.Namespace) -> Runtime:
    reporters = [name for name in told.reporters.split(",") if name]
    if "sentry" in reporters:
        _sentry()
    # What a job prints is mailed by cron: a run that succeeds says nothing.
    logging = {"format": "plain", "level": told.level, "traceback": False}
    return configure(service=told.service or told.name, reporters=reporters, logging=logging)


def _check(told: argparse.Namespace) -> int:
    found = list(findings([Path(path) for path in told.paths or ["."]]))
    if told.app:
        sys.path.insert(0, "")
        importlib.import_module(told.app.partition(":")[0])
        found += findings_here(responsible())
    print_lines(found or ["no error escapes, as far as can be told from here"])
    return int(ExitStatus.FAILED if found else ExitStatus.DONE)


def _codes(told: argparse.Namespace) -> int:
    if told.words[:1] == ["compare"]:
        return _compare(told.words[1:], told.format)
    sys.path.insert(0, "")
    for module in told.words:
        importlib.import_module(module)
    clashes = catalog.clashes()
    for sentence in clashes:
        print(sentence, file=sys.stderr)
    print_lines([export(told.format).removesuffix("\n")])
    return int(ExitStatus.FAILED if clashes else ExitStatus.DONE)


def _compare(names: list[str], form: str) -> int:
    if len(names) != len(("old", "new")) or form not in {"text", "json"}:
        raise ValueError("codes compare takes two exports, and --format text or json")
    old, new = map(_export, names)
    changes = compare(old, new)
    broken = [change for change in changes if change.breaking]
    print_lines(_as_json(changes) if form == "json" else _as_text(changes))
    return int(ExitStatus.FAILED if broken else ExitStatus.DONE)


def _export(name: str) -> dict[str, Promised]:
    try:
        return load(Path(name).read_bytes())
    except OSError as error:
        raise ValueError(f"{name} cannot be read: {error.strerror}") from None
    except ExportError as error:
        raise ValueError(f"{name} {error}") from None


def _as_text(changes: list[Change]) -> Iterator[str]:
    for change in sorted(changes, key=lambda change: not change.breaking):
        yield f"{'breaks callers: ' if change.breaking else ''}{change}"
    if not changes:
        yield "nothing that callers rely on has changed"


def _as_json(changes: list[Change]) -> Iterator[str]:
    told = [asdict(change) for change in changes]
    yield json.dumps({"breaking": any(one["breaking"] for one in told), "changes": told}, indent=2)
