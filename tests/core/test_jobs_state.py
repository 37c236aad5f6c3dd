"""What is kept of the last runs: where, in one piece, and readable by who asks whether a job is late."""

import json
import os
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.hooks.jobs import JobReport, JobState, Outcome, StateFolder, find_folder
from holdfast.hooks.jobs.state import VARIABLE, after

NOW = datetime(2024, 1, 15, 3, tzinfo=UTC)


def report(outcome: Outcome | None = None, *, started: datetime = NOW) -> JobReport:
    """Make a report of a run."""
    code = "" if outcome in {None, Outcome.SUCCEEDED} else "JOB_FAILED"
    return JobReport(job="nightly", run_id="run", started=started, outcome=outcome, code=code)


times = st.datetimes(timezones=st.just(UTC), min_value=datetime(2000, 1, 1))  # noqa: DTZ001  # made aware
states = st.builds(
    JobState,
    started=st.none() | times,
    succeeded=st.none() | times,
    failed=st.none() | times,
    outcome=st.sampled_from(["", *Outcome]),
    duration=st.floats(0, 1e6),
    exit_status=st.none() | st.integers(0, 255),
    code=st.text(max_size=20),
    run_id=st.text(max_size=40),
)


def test_only_the_end_of_a_run_waits_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start is soon replaced by an end."""
    waited: list[int] = []
    monkeypatch.setattr(os, "fsync", waited.append)

    StateFolder(tmp_path).note(report())
    begun = len(waited)
    StateFolder(tmp_path).note(report(Outcome.SUCCEEDED))

    assert (begun, len(waited)) == (0, 1)


@given(state=states)
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, state: JobState) -> None:
    """A state comes back as it was."""
    folder = StateFolder(tmp_path_factory.mktemp("state"))

    folder.write("nightly", state)

    assert folder.read("nightly") == state


def test_a_job_that_never_ran_has_an_empty_state(tmp_path: Path) -> None:
    """Where there is no file, nothing is known; the folder is not made for that."""
    folder = StateFolder(tmp_path / "state")

    assert folder.read("nightly") == JobState()
    assert not folder.path.exists()


def test_a_success_does_not_forget_the_failure_before_it() -> None:
    """Of each kind of end the last one is kept, and the outcome is the last run's."""
    day = timedelta(days=1)

    state = after(JobState(), report(Outcome.FAILED))
    state = after(state, report(started=NOW + day))
    state = after(state, report(Outcome.SUCCEEDED, started=NOW + day))

    assert (state.failed, state.succeeded, state.started) == (NOW, NOW + day, NOW + day)
    assert (state.outcome, state.code) == ("succeeded", "")


def test_a_start_leaves_the_outcome_of_the_run_before() -> None:
    """While a run is going on, the last outcome is that of the run before."""
    state = after(after(JobState(), report(Outcome.TIMED_OUT)), report(started=NOW + timedelta(1)))

    assert (state.outcome, state.failed) == ("timed_out", NOW)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '"x"',
        '{"started": "yesterday"}',
        '{"started": "2024-01-15T03:00:00"}',
        '{"outcome": 3}',
        '{"duration": "long"}',
    ],
)
def test_a_file_that_is_no_state_is_told_and_replaced(tmp_path: Path, text: str) -> None:
    """A reader learns which file is wrong; the next run writes a new one."""
    folder = StateFolder(tmp_path)
    (tmp_path / "nightly.json").write_text(text)

    with pytest.raises(ValueError, match=r"nightly\.json is no state"):
        folder.read("nightly")
    folder.note(report(Outcome.SUCCEEDED))

    assert folder.read("nightly").succeeded == NOW


def test_a_state_of_a_later_version_is_read(tmp_path: Path) -> None:
    """What is not known here is passed over."""
    (tmp_path / "nightly.json").write_text(json.dumps({"outcome": "succeeded", "mood": "good"}))

    assert StateFolder(tmp_path).read("nightly").outcome == "succeeded"


def test_a_reader_never_sees_half_a_state(tmp_path: Path) -> None:
    """While one thread writes, another reads whole states only; no drafts are left behind."""
    folder = StateFolder(tmp_path)
    folder.note(report())
    ended = threading.Event()

    def write() -> None:
        for second in range(200):
            folder.note(report(Outcome.SUCCEEDED, started=NOW + timedelta(seconds=second)))
        ended.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = 0
    while not ended.is_set():
        assert folder.read("nightly").started is not None
        seen += 1
    writer.join()

    assert seen
    assert [path.name for path in tmp_path.iterdir()] == ["nightly.json"]


def test_others_may_read_what_is_in_a_folder_they_may_enter(tmp_path: Path) -> None:
    """The web process asks for the state that cron's user wrote; the folder is made for its user alone."""
    folder = StateFolder(tmp_path / "state")

    folder.note(report())

    assert stat.S_IMODE((folder.path / "nightly.json").stat().st_mode) == 0o644
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a home of the test's own, and no variables."""
    for name in (VARIABLE, "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return tmp_path / "home"


def test_the_folder_is_the_users_own_by_default(home: Path) -> None:
    """Without a word about it, state is kept where the specification of such folders says."""
    assert find_folder().path == home / ".local" / "state" / "holdfast" / "jobs"


def test_the_folder_follows_variables_and_settings(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`HOLDFAST_STATE` goes before the setting, the setting before `XDG_STATE_HOME`."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    assert find_folder().path == tmp_path / "xdg" / "holdfast" / "jobs"

    assert find_folder("/var/lib/shop").path == Path("/var/lib/shop")

    monkeypatch.setenv(VARIABLE, str(tmp_path / "named"))
    assert find_folder("/var/lib/shop").path == tmp_path / "named"


def test_a_relative_folder_of_state_is_passed_over(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The specification says to ignore relative paths: they would depend on where cron starts."""
    monkeypatch.setenv("XDG_STATE_HOME", "state")

    assert find_folder().path == home / ".local" / "state" / "holdfast" / "jobs"


def test_without_a_home_to_write_to_there_is_a_folder_for_temporary_files(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user whose home is nobody's has a private folder all the same."""
    monkeypatch.setenv("HOME", "/proc/none")

    folder = find_folder().path

    assert folder == tmp_path / f"holdfast-jobs-{os.getuid()}"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_temporary_folder_that_somebody_else_made_is_refused(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can hold the locks of another by making the folder first."""
    monkeypatch.setenv("HOME", "/proc/none")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"holdfast-jobs-{os.getuid()}").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(PermissionError, match=VARIABLE):
        find_folder()
