"""A command as a job within this process: a run that cannot go on is ended, not forgotten."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from holdfast.environment import activated
from holdfast.hooks.jobs import Job, JobSpec, JobTimedOutError, current_run
from holdfast.hooks.jobs.supervised import Supervised
from holdfast.testing import RecordingRuntime

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs process groups")


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordingRuntime]:
    """Give the runtime that is told, and a folder of the test's own."""
    monkeypatch.setenv("HOLDFAST_STATE", str(tmp_path))
    made = RecordingRuntime()
    with activated(made):
        yield made


def told(runtime: RecordingRuntime) -> list[str]:
    """Return the names of the events about jobs."""
    return [event.name for event in runtime.recorded.events if event.name.startswith("job.")]


def test_another_thread_is_refused_before_anything_begins(runtime: RecordingRuntime) -> None:
    """Signals do not arrive there: no lock is taken, nothing is told."""
    work = Supervised(job=JobSpec("nightly", lock="file"), arguments=["true"])

    def run() -> int:
        with activated(runtime):
            return work.run()

    with ThreadPoolExecutor(1) as pool, pytest.raises(RuntimeError, match="main thread"):
        pool.submit(run).result()

    assert told(runtime) == []
    assert work.run() == 0


def test_an_argument_that_no_process_can_be_given_ends_the_run(runtime: RecordingRuntime) -> None:
    """The error comes out, is recorded once, and the lock is free again."""
    job = JobSpec("nightly", lock="file")

    with pytest.raises(ValueError, match="null byte"):
        Supervised(job=job, arguments=["echo", "a\0b"]).run()

    assert told(runtime) == ["job.started", "job.failed"]
    assert len(runtime.recorded.records) == 1
    assert current_run() is None
    assert Supervised(job=job, arguments=["true"]).run() == 0


def test_the_limit_of_a_job_around_it_ends_the_command(
    runtime: RecordingRuntime, tmp_path: Path
) -> None:
    """Nothing of the command goes on; both runs have their end."""
    command = ["sh", "-c", f"echo $$ > {tmp_path}/pid; exec sleep 20"]
    work = Supervised(job=JobSpec("inner"), arguments=command, grace=0.2)

    with pytest.raises(JobTimedOutError, match="outer"), Job("outer", within=0.5):
        work.run()

    assert told(runtime) == ["job.started", "job.started", "job.timed_out", "job.timed_out"]
    pid = int((tmp_path / "pid").read_text())
    assert not Path(f"/proc/{pid}").exists()
