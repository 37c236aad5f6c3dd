"""What the processes of a command tell the run they are part of, so that an error is recorded once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast import AppError, ErrorCode, Origin, ValidationError
from holdfast.events import Event
from holdfast.hooks.jobs.told import VARIABLE, RunFile, Told, notes
from holdfast.runtime import Runtime
from holdfast.settings import ReportingSettings, Settings

INLINE = Settings(reporters=(), reporting=ReportingSettings(inline=True))
CODE = ErrorCode.DB_CONNECTION_ERROR


@pytest.fixture
def file(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunFile]:
    """Be a process of a run's command."""
    with RunFile() as made:
        for name, value in made.environment().items():
            monkeypatch.setenv(name, value)
        yield made


def handled(error: BaseException, boundary: str) -> str:
    """Handle an error as a runtime of the command would, and return its record's id."""
    verdict = Runtime(INLINE).handle(error, Origin(boundary=boundary))
    assert verdict.record is not None
    return verdict.record.id


def test_an_error_is_noted_by_whichever_runtime_there_is(file: RunFile) -> None:
    """Every runtime of the process tells the run, without a setting."""
    record = handled(AppError(CODE, "gone"), "block")

    assert file.last() == Told("DB_CONNECTION_ERROR", record)
    assert file.ending() is None


def test_an_error_that_was_survived_ends_nothing(file: RunFile) -> None:
    """It is known, but is not why the command failed; one that ended a process before it is."""
    ending = handled(AppError(CODE, "gone"), "process")
    survived = handled(ValueError("slow"), "block")

    assert file.ending() == Told("DB_CONNECTION_ERROR", ending)
    assert file.last() == Told("INTERNAL_ERROR", survived)


def test_only_the_end_of_the_file_is_read_and_it_does_not_grow_for_ever(file: RunFile) -> None:
    """A command that fails at something for months fills neither memory nor disk."""
    path = Path(file.environment()[VARIABLE])
    with path.open("wb") as written:
        written.truncate(1_048_576)

    record = handled(AppError(CODE, "gone"), "process")

    assert path.stat().st_size < 1000
    assert file.ending() == Told("DB_CONNECTION_ERROR", record)


def test_the_last_error_explains_the_end(file: RunFile) -> None:
    """Whatever went wrong before it was survived."""
    handled(ValueError("first"), "process")
    record = handled(AppError(CODE, "second"), "process")

    assert file.ending() == Told("DB_CONNECTION_ERROR", record)


def test_a_callers_mistake_ends_no_process(file: RunFile) -> None:
    """What a boundary within answered is no reason for the command's status."""
    handled(ValidationError("no such month"), "block")

    assert file.last() is None


@pytest.mark.parametrize("boundary", ["process", "job", "startup", "django.command"])
def test_where_processes_end_any_error_is_the_reason(file: RunFile, boundary: str) -> None:
    """A mistake of a caller, too, when it reached the end of the process."""
    record = handled(ValidationError("no such month"), boundary)

    assert file.ending() == Told("VALIDATION_FAILED", record)


def test_the_file_is_there_for_the_run_only(file: RunFile) -> None:
    """Nothing is left behind, and a process that outlives the run notes nothing and harms nobody."""
    path = Path(file.environment()[VARIABLE])

    file.__exit__(None, None, None)
    record = handled(ValueError("late"), "process")

    assert record
    assert not path.exists()


def test_what_is_no_error_is_not_noted(file: RunFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events of other kinds are none of the run's business; outside of a run there is no note."""
    (reporter,) = notes()
    runtime = Runtime(INLINE)
    event = Event(name="cache.purged", severity=40, time=runtime.clock.now())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    reporter.report(event)
    monkeypatch.delenv(VARIABLE)

    assert file.last() is None
    assert notes() == []


@pytest.mark.parametrize("written", [b"", b"\n", b"{\n", b"[]\n", b'{"code": "X"}\n', b"\xff\n"])
def test_a_note_that_cannot_be_read_is_none(file: RunFile, written: bytes) -> None:
    """Then the run makes a record of its own."""
    Path(file.environment()[VARIABLE]).write_bytes(written)

    assert file.last() is None


def test_without_a_folder_for_temporary_files_there_is_no_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The command is run all the same."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))

    with RunFile() as file:
        assert file.environment() == {}
        assert file.last() is None
