"""Management commands: what ends one is handled once, and the command ends as it would have."""

import logging
import sys
from collections.abc import Callable
from types import ModuleType
from unittest.mock import patch

import pytest
from django.core.management import ManagementUtility, call_command, execute_from_command_line
from django.core.management.base import BaseCommand, CommandError
from django.utils.autoreload import trigger_reload

from holdfast.context import current_context
from holdfast_django.commands import watch_commands
from tests.django_ext.conftest import RecordingProject


class Failing(BaseCommand):
    """Ends as it is told."""

    requires_system_checks = ()

    def __init__(self, end: Callable[[], object]) -> None:
        super().__init__()
        self.end = end

    def handle(self, *_: object, **__: object) -> None:
        """End."""
        self.end()


def run(command: BaseCommand, name: str = "tidy", *arguments: str) -> None:
    """Run a command as `manage.py` does."""
    with patch("django.core.management.get_commands", return_value={name: command}):
        execute_from_command_line(["manage.py", name, *arguments])


def told(project: RecordingProject) -> list[tuple[str, str, str, str]]:
    """Return where each record came from, its code and its message."""
    return [
        (r.origin.boundary, r.origin.operation, r.classification.code, r.message)
        for r in project.recorded.records
    ]


def fail(error: BaseException) -> Callable[[], object]:
    """Return what raises an error."""

    def end() -> None:
        raise error

    return end


def test_an_error_leaves_a_command_untouched_and_recorded(project: RecordingProject) -> None:
    """It goes on to Python, which prints it."""
    error = KeyError("sku")

    with pytest.raises(KeyError) as raised:
        run(Failing(fail(error)))

    assert raised.value is error
    assert told(project) == [("django.command", "tidy", "INTERNAL_ERROR", "'sku'")]


def test_a_command_error_is_a_job_that_failed(
    project: RecordingProject, capsys: pytest.CaptureFixture[str]
) -> None:
    """An expected failure, of a trusted process; standard error and status are the command's."""
    with pytest.raises(SystemExit) as left:
        run(Failing(fail(CommandError("nothing to tidy", returncode=4))))

    assert left.value.code == 4
    assert capsys.readouterr().err == "CommandError: nothing to tidy\n"
    assert told(project) == [("django.command", "tidy", "JOB_FAILED", "nothing to tidy")]
    assert project.recorded.records[0].classification.trusted


def test_a_command_error_that_goes_on_is_recorded_once(project: RecordingProject) -> None:
    """With `--traceback` Django lets it out."""
    with pytest.raises(CommandError):
        run(Failing(fail(CommandError("nothing to tidy"))), "tidy", "--traceback")

    assert len(told(project)) == 1


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (3, "the command ended with exit status 3"),
        ("the file is missing", "the file is missing"),
        (0, None),
        (None, None),
    ],
)
def test_an_exit_says_by_its_status_whether_the_command_failed(
    status: "int | str | None", said: str | None, project: RecordingProject
) -> None:
    """Zero and nothing are success."""
    with pytest.raises(SystemExit) as left:
        run(Failing(lambda: sys.exit(status)))

    assert left.value.code == status
    expected = [] if said is None else [("django.command", "tidy", "JOB_FAILED", said)]
    assert told(project) == expected


def test_what_an_exit_was_raised_for_is_in_its_record(project: RecordingProject) -> None:
    """Caught, printed and answered by a status: the error is the cause of the failure."""

    def end() -> None:
        try:
            int("two")
        except ValueError:
            sys.exit(1)

    with pytest.raises(SystemExit):
        run(Failing(end))

    (record,) = project.recorded.records
    assert [cause.type for cause in record.causes] == ["ValueError"]
    assert record.frames[-1].function.endswith(".end")


def test_an_error_that_was_logged_explains_the_exit(project: RecordingProject) -> None:
    """One record of one failure; it carries the id of the command's work."""
    project.configure()
    ids: list[str] = []

    def end() -> None:
        work = current_context()
        ids.append("" if work is None else work.trace_id)
        try:
            int("two")
        except ValueError:
            logging.getLogger("shop").exception("cannot tidy")
        sys.exit(1)

    with pytest.raises(SystemExit):
        run(Failing(end))

    (record,) = project.recorded.records
    assert (record.origin.boundary, record.type) == ("log", "ValueError")
    assert [record.trace_id] == ids


def test_an_answer_of_a_command_of_djangos_is_no_failure(project: RecordingProject) -> None:
    """It says no by its status."""
    call = ["manage.py", "makemigrations", "project", "--check", "--dry-run", "-v0"]

    with pytest.raises(SystemExit) as left:
        execute_from_command_line(call)

    assert left.value.code == 1
    assert told(project) == []


def test_an_exit_that_a_job_chose_is_told_by_the_job(project: RecordingProject) -> None:
    """It leaves with 75 when it runs already, which is an event of its own."""
    boundary = ModuleType("holdfast.hooks.jobs.boundary")
    exec("def leave(): raise SystemExit(75)", boundary.__dict__)  # noqa: S102  # what a job does

    with pytest.raises(SystemExit):
        run(Failing(boundary.leave))

    assert told(project) == []


def test_a_command_is_part_of_the_trace_of_its_process(
    project: RecordingProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever started the process has said which that is, as `holdfast run` does."""
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    monkeypatch.setenv("TRACEPARENT", f"00-{trace}-00f067aa0ba902b7-01")

    with pytest.raises(KeyError):
        run(Failing(fail(KeyError("sku"))))

    assert [record.trace_id for record in project.recorded.records] == [trace]


def test_to_be_started_again_is_no_failure(project: RecordingProject) -> None:
    """As any command does that runs under Django's autoreloader."""
    with pytest.raises(SystemExit) as left:
        run(Failing(lambda: trigger_reload("views.py")), "serve")

    assert left.value.code == 3
    assert told(project) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), GeneratorExit()])
def test_control_flow_ends_a_command_unrecorded(
    error: BaseException, project: RecordingProject
) -> None:
    """Whoever stops a command knows that."""
    with pytest.raises(type(error)):
        run(Failing(fail(error)))

    assert told(project) == []


@pytest.mark.parametrize("seen", [True, False])
@pytest.mark.parametrize(
    ("arguments", "operation", "said"),
    [
        (["tidyy"], "(unknown)", "there is no command 'tidyy'"),
        (["tidy", "--deep"], "tidy", "the command was called with arguments that it does not take"),
    ],
)
def test_a_mistyped_command_line_is_recorded_where_nobody_reads_of_it(
    arguments: list[str],
    operation: str,
    said: str,
    *,
    seen: bool,
    project: RecordingProject,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a crontab, that is; who sits at a terminal sees it."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: seen)

    with (
        patch("django.core.management.get_commands", return_value={"tidy": Failing(print)}),
        pytest.raises(SystemExit),
    ):
        execute_from_command_line(["manage.py", *arguments])

    expected = [] if seen else [("django.command", operation, "JOB_FAILED", said)]
    assert told(project) == expected


def test_a_process_without_standard_error_records_a_mistyped_command_line(
    project: RecordingProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a service of Windows runs; nobody sits there."""
    monkeypatch.setattr(sys, "stderr", None)

    with (
        patch("django.core.management.get_commands", return_value={"tidy": Failing(print)}),
        pytest.raises(SystemExit),
    ):
        run(Failing(print), "tidy", "--deep")

    assert len(told(project)) == 1


def test_call_command_leaves_the_error_to_its_caller(project: RecordingProject) -> None:
    """Whose boundary it is: a request, a task, another command."""
    with pytest.raises(CommandError):
        call_command(Failing(fail(CommandError("nothing to tidy"))))

    assert told(project) == []


def test_a_command_within_a_command_is_recorded_under_the_outer_one(
    project: RecordingProject,
) -> None:
    """Once, with one id."""
    inner = Failing(fail(CommandError("nothing to tidy")))

    with pytest.raises(SystemExit):
        run(Failing(lambda: call_command(inner)), "nightly")

    assert told(project) == [("django.command", "nightly", "JOB_FAILED", "nothing to tidy")]


def test_the_command_that_runs_tests_is_left_alone(project: RecordingProject) -> None:
    """Each of its tests is a piece of work of its own."""
    found: list[object] = []

    def end() -> None:
        found.append(current_context())
        sys.exit(1)

    with pytest.raises(SystemExit):
        run(Failing(end), "test")

    assert found == [None]
    assert told(project) == []


def test_classes_of_commands_stay_as_they_are() -> None:
    """Only the one function that makes commands of command lines is wrapped, and only once."""
    fetch = ManagementUtility.fetch_command
    method = BaseCommand.run_from_argv

    watch_commands()

    assert ManagementUtility.fetch_command is fetch
    assert fetch.__wrapped__.__module__ == "django.core.management"  # type: ignore[attr-defined]  # of functools.wraps
    assert not hasattr(method, "__wrapped__")
    assert method.__module__ == "django.core.management.base"
