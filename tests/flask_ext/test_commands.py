"""Commands of an application: what ends one is recorded once, and ends it as before."""

import errno
import sys
from collections.abc import Callable
from typing import NoReturn

import click
import pytest
from click.testing import Result
from flask import Blueprint, Flask
from flask.cli import AppGroup

import holdfast
from holdfast import AppError, ErrorCode, Severity, current_trace_id, error_boundary, work_context
from holdfast.testing import RecordingReporter
from holdfast_flask import Holdfast
from tests.flask_ext.conftest import MakeApp

Connect = Callable[[], object]


class BrokenError(Exception):
    """What a command under test raises."""


def broken() -> NoReturn:
    """Fail as a bug does."""
    raise BrokenError("no stock")


def run(app: Flask, *args: str) -> Result:
    """Run a command of an application, as `flask` would."""
    return app.test_cli_runner().invoke(args=args)


def told(recorded: RecordingReporter) -> list[tuple[str, str, str]]:
    """Return boundary, operation and code of each record."""
    return [
        (record.origin.boundary, record.origin.operation, record.classification.code)
        for record in recorded.records
    ]


def registered_before(app: Flask, connect: Connect) -> str:
    """Register a command before the application is connected."""
    app.cli.command("broken")(broken)
    connect()
    return "broken"


def registered_after(app: Flask, connect: Connect) -> str:
    """Register a command after the application was connected."""
    connect()
    app.cli.command("broken")(broken)
    return "broken"


def in_nested_groups(app: Flask, connect: Connect) -> str:
    """Register a command in a group of a group."""
    outer, inner = AppGroup("outer"), AppGroup("inner")
    inner.command("broken")(broken)
    outer.add_command(inner)
    app.cli.add_command(outer)
    connect()
    return "outer inner broken"


def in_group_after(app: Flask, connect: Connect) -> str:
    """Add a command to a group that was registered before."""
    group = AppGroup("group")
    app.cli.add_command(group)
    connect()
    group.command("broken")(broken)
    return "group broken"


def of_blueprint(app: Flask, connect: Connect) -> str:
    """Register a command with a blueprint, which has a group of its own."""
    shelf = Blueprint("shelf", __name__)
    shelf.cli.command("broken")(broken)
    connect()
    app.register_blueprint(shelf)
    return "shelf broken"


def of_blueprint_without_group(app: Flask, connect: Connect) -> str:
    """Register a command with a blueprint that adds it to the application's own."""
    shelf = Blueprint("shelf", __name__, cli_group=None)
    shelf.cli.command("broken")(broken)
    app.register_blueprint(shelf)
    connect()
    return "broken"


def in_callback_of_group(app: Flask, connect: Connect) -> str:
    """Fail in the group itself, before its command."""
    group = click.Group("group", callback=broken, commands=[click.Command("fine", callback=list)])
    app.cli.add_command(group)
    connect()
    return "group fine"


def behind_parameter(app: Flask, connect: Connect) -> str:
    """Fail where a parameter is read."""

    def read(context: click.Context, parameter: click.Parameter, value: object) -> None:
        broken()

    option = click.Option(["--to"], callback=read)
    app.cli.add_command(click.Command("fine", callback=list, params=[option]))
    connect()
    return "fine"


def in_chain(app: Flask, connect: Connect) -> str:
    """Fail in the second command of a chain."""
    chain = AppGroup("chain", chain=True)
    chain.command("fine")(list)
    chain.command("broken")(broken)
    app.cli.add_command(chain)
    connect()
    return "chain fine broken"


@pytest.mark.parametrize(
    ("register", "operation"),
    [
        (registered_before, "broken"),
        (registered_after, "broken"),
        (in_nested_groups, "outer inner broken"),
        (in_group_after, "group broken"),
        (of_blueprint, "shelf broken"),
        (of_blueprint_without_group, "broken"),
        (in_callback_of_group, "group"),
        (behind_parameter, "fine"),
        (in_chain, "chain broken"),
    ],
)
def test_an_error_of_a_command_is_recorded_once_and_goes_on(
    register: Callable[[Flask, Connect], str], operation: str, recorded: RecordingReporter
) -> None:
    """Wherever and whenever the command was registered, its error is recorded, and comes out as it is."""
    app = Flask("commanded")
    app.config.from_mapping(HOLDFAST_REPORTERS=[], HOLDFAST_REPORTING={"INLINE": True})
    line = register(app, lambda: Holdfast(app, reporters=[recorded]))

    result = run(app, *line.split())

    assert isinstance(result.exception, BrokenError)
    assert result.exit_code == 1
    assert told(recorded) == [("flask.command", operation, "INTERNAL_ERROR")]


def refuse() -> None:
    """Fail with a message for whoever runs the command."""
    raise click.ClickException("the feed is closed")


def leave() -> None:
    """Leave with a status of one's own."""
    sys.exit(3)


def leave_with_words() -> None:
    """Leave with a sentence, which Python writes to standard error."""
    sys.exit("the feed is closed")


@click.pass_context
def leave_by_click(context: click.Context) -> None:
    """Leave with a status, as click offers."""
    context.exit(3)


def abort() -> None:
    """Give up, as a prompt does that gets no answer."""
    raise click.Abort


def misuse() -> None:
    """Refuse arguments, as click does with those it does not know."""
    raise click.BadParameter("no such month")


def succeed() -> None:
    """Leave early, the work being done."""
    sys.exit(0)


@click.pass_context
def succeed_by_click(context: click.Context) -> None:
    """Leave early, as click offers."""
    context.exit()


def lose_reader() -> None:
    """Write to a pipe whose reader has left."""
    raise OSError(errno.EPIPE, "Broken pipe")


def lose_input() -> None:
    """Read a file that ends early; click takes it for the end of the input and says `Aborted!`."""
    raise EOFError("ran out of input")


def interrupt() -> None:
    """End as with Ctrl-C."""
    raise KeyboardInterrupt


def refuse_caller() -> None:
    """Raise an error of the application's own."""
    raise AppError(ErrorCode.DB_CONNECTION_ERROR, "no database")


def swallow_and_leave() -> None:
    """Leave because of an error that a boundary inside has handled."""
    with error_boundary("rows", error_code=ErrorCode.DATABASE_ERROR, reraise=False) as rows:
        broken()
    sys.exit(1 if rows.error else 0)


@pytest.mark.parametrize(
    ("callback", "exit_code", "code"),
    [
        (refuse, 1, "JOB_FAILED"),
        (leave, 3, "JOB_FAILED"),
        (leave_with_words, 1, "JOB_FAILED"),
        (leave_by_click, 3, "JOB_FAILED"),
        (abort, 1, "JOB_FAILED"),
        (misuse, 2, "JOB_FAILED"),
        (lose_input, 1, "INTERNAL_ERROR"),
        (refuse_caller, 1, "DB_CONNECTION_ERROR"),
        (swallow_and_leave, 1, "DATABASE_ERROR"),
        (succeed, 0, None),
        (succeed_by_click, 0, None),
        (lose_reader, 1, None),
        (interrupt, 1, None),
    ],
)
def test_every_failing_end_is_recorded_once(
    callback: Callable[[], object],
    exit_code: int,
    code: str | None,
    app: Flask,
    recorded: RecordingReporter,
) -> None:
    """However a command ends, its exit status stays, and one that says failure has its record."""
    group = AppGroup("stock")
    group.command("count")(callback)
    app.cli.add_command(group)

    result = run(app, "stock", "count")

    assert result.exit_code == exit_code
    assert [record.classification.code for record in recorded.records] == ([code] if code else [])


def test_a_command_with_wrong_arguments_is_recorded_under_its_name(
    app: Flask, recorded: RecordingReporter
) -> None:
    """What a schedule has wrong is found in the records, for nobody reads what click says to it."""
    app.cli.add_command(click.Command("count", callback=list))

    result = run(app, "count", "--month=13")

    assert result.exit_code == 2
    assert told(recorded) == [("flask.command", "count", "JOB_FAILED")]
    assert recorded.records[0].message


@pytest.mark.parametrize("callback", [misuse, abort])
def test_what_a_person_at_a_terminal_is_told_is_no_error(
    callback: Callable[[], object],
    app: Flask,
    recorded: RecordingReporter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Mistyping a command, or answering a question with no, is between a person and click."""

    def sit_down() -> None:
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
        callback()

    app.cli.add_command(click.Command("count", callback=sit_down))

    run(app, "count")

    assert recorded.records == []


def test_the_record_of_an_exit_says_what_is_known(app: Flask, recorded: RecordingReporter) -> None:
    """It has the status or the sentence, the place, and the exception that was being handled."""

    def give_up() -> None:
        try:
            broken()
        except BrokenError:
            sys.exit("the feed is closed")

    app.cli.add_command(click.Command("leave", callback=leave))
    app.cli.add_command(click.Command("give-up", callback=give_up))

    run(app, "leave")
    run(app, "give-up")

    exited, gave_up = recorded.records
    assert exited.message == "the command ended with exit status 3"
    assert exited.frames[-1].function == "leave"
    assert exited.classification.severity is Severity.ERROR
    assert gave_up.message == "the feed is closed"
    assert [cause.message for cause in gave_up.causes] == ["no stock"]


def test_the_answers_of_our_own_commands_are_no_failures(
    make_app: MakeApp, recorded: RecordingReporter
) -> None:
    """`flask holdfast check` says with its exit status what it found."""
    result = run(make_app(TRAP_HTTP_EXCEPTIONS=True), "holdfast", "check")

    assert result.exit_code == 1
    assert recorded.records == []


def test_a_command_is_one_piece_of_work(app: Flask, recorded: RecordingReporter) -> None:
    """Its group, itself, and its record have one id; two runs have two."""
    seen: list[str] = []

    def note() -> None:
        seen.append(current_trace_id())

    def fail() -> None:
        note()
        broken()

    group = click.Group("group", callback=note, commands=[click.Command("fail", callback=fail)])
    app.cli.add_command(group)

    run(app, "group", "fail")
    run(app, "group", "fail")

    first, second = (record.trace_id for record in recorded.records)
    assert seen == [first, first, second, second]
    assert first != second
    assert current_trace_id() == ""


def test_a_command_continues_the_trace_that_started_its_process(
    app: Flask, recorded: RecordingReporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`TRACEPARENT` in the environment, as `holdfast run` sets it, gives the id."""
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    monkeypatch.setenv("TRACEPARENT", f"00-{trace_id}-00f067aa0ba902b7-01")
    app.cli.command("broken")(broken)

    run(app, "broken")

    assert [record.trace_id for record in recorded.records] == [trace_id]


def test_a_command_within_other_work_is_part_of_it(app: Flask, recorded: RecordingReporter) -> None:
    """Called from a job or a test, it keeps that id."""
    app.cli.command("broken")(broken)

    with work_context("nightly"):
        run(app, "broken")

    assert [record.trace_id for record in recorded.records] == ["nightly"]


def test_one_command_of_two_applications_tells_the_one_that_ran_it(make_app: MakeApp) -> None:
    """Commands are not changed, so that each application has its own boundary around them."""
    command = click.Command("broken", callback=broken)
    before = dict(vars(command))
    reporters = RecordingReporter(), RecordingReporter()
    apps: list[Flask] = []
    for reporter in reporters:
        app = Flask("commanded")
        app.config.from_mapping(HOLDFAST_REPORTERS=[], HOLDFAST_REPORTING={"INLINE": True})
        Holdfast(app, reporters=[reporter])
        app.cli.add_command(command)
        apps.append(app)

    run(apps[1], "broken")

    assert [len(reporter.records) for reporter in reporters] == [0, 1]
    assert vars(command) == before


def test_a_commands_runtime_is_the_current_one(app: Flask) -> None:
    """The top-level names of the suite use the application's runtime in its commands."""
    found: list[object] = []
    app.cli.command("find")(lambda: found.append(holdfast.current_runtime()))

    run(app, "find")

    assert found == [app.extensions["holdfast"]]


def test_help_and_completion_see_the_commands_as_they_are(app: Flask) -> None:
    """Listing commands, and asking for the help of one, works as without us."""
    group = AppGroup("stock", help="Stock and its places.")
    group.command("count", help="Count what is there.")(broken)
    app.cli.add_command(group)

    listed, helped = run(app, "--help"), run(app, "stock", "count", "--help")

    assert "Stock and its places." in listed.output
    assert "Count what is there." in helped.output
    assert helped.exit_code == 0
