"""Jobs in this process: a function, a coroutine, a block; their errors, exits, limits and locks."""

import asyncio
import inspect
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import FrameType

import pytest

import holdfast
from holdfast import AppError, DeadlineExceededError, Origin, ServiceUnavailableError, work_context
from holdfast.codes import ErrorCode, Severity
from holdfast.context import current_context, current_trace_id
from holdfast.environment import activated
from holdfast.events import Event
from holdfast.hooks.jobs import (
    Held,
    Job,
    JobFailedError,
    JobLockedError,
    JobReport,
    JobRun,
    JobTimedOutError,
    Outcome,
    StateFolder,
    current_run,
)
from holdfast.hooks.jobs.state import VARIABLE
from holdfast.record import ErrorRecord
from holdfast.testing import FakeClock, RecordingRuntime


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StateFolder:
    """Keep what jobs leave in a folder of the test's own."""
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    monkeypatch.delenv("TRACEPARENT", raising=False)
    return StateFolder(tmp_path)


@pytest.fixture
def runtime() -> Iterator[RecordingRuntime]:
    """Give the runtime that is told of jobs."""
    made = RecordingRuntime()
    with activated(made):
        yield made


def events(runtime: RecordingRuntime) -> list[str]:
    """Return the names of what was told, in order."""
    return [event.name for event in runtime.recorded.events]


def event(runtime: RecordingRuntime, name: str) -> Event:
    """Return the one event of a name."""
    (found,) = [event for event in runtime.recorded.events if event.name == name]
    return found


def record(runtime: RecordingRuntime) -> ErrorRecord:
    """Return the one record."""
    (found,) = runtime.recorded.records
    return found


class Monitor:
    """Keeps what it is told."""

    name = "monitor"
    patience = 5.0

    def __init__(self) -> None:
        self.told: list[JobReport] = []

    def started(self, report: JobReport) -> None:
        """Keep the report of a start."""
        self.told.append(report)

    def finished(self, report: JobReport) -> None:
        """Keep the report of an end."""
        self.told.append(report)


class Failing(Monitor):
    """Cannot be told."""

    def started(self, report: JobReport) -> None:
        """Fail."""
        raise ConnectionError("password=hunter2")

    finished = started


class Hanging(Monitor):
    """Does not come back until it is let go."""

    patience = 0.05

    def __init__(self) -> None:
        super().__init__()
        self.gone = threading.Event()

    def started(self, report: JobReport) -> None:
        """Hang."""
        self.gone.wait(20)


class Losing:
    """A lock that is lost as soon as it was got."""

    lost = True
    descriptor = None
    released = False

    def acquire(self, job: str) -> Held:
        """Give itself."""
        return self

    def release(self) -> None:
        """Take note."""
        self.released = True


class Away:
    """A lock that cannot be asked."""

    def acquire(self, job: str) -> Held:
        """Fail as a driver would."""
        raise ConnectionRefusedError(111, "Connection refused")


def test_a_function_keeps_its_name_signature_and_result(runtime: RecordingRuntime) -> None:
    """The decorated function looks and answers like the one that was written."""

    @holdfast.job("nightly")
    def invoices(month: str, *, dry: bool = False) -> tuple[str, bool]:
        """Write invoices."""
        return month, dry

    assert invoices("2024-01", dry=True) == ("2024-01", True)
    assert (invoices.__name__, invoices.__doc__) == ("invoices", "Write invoices.")
    assert list(inspect.signature(invoices).parameters) == ["month", "dry"]
    assert events(runtime) == ["job.started", "job.succeeded"]


def test_a_coroutine_function_stays_one(runtime: RecordingRuntime) -> None:
    """`async def` is awaited as before, and its run is told of like any other."""

    @holdfast.job("nightly")
    async def invoices(month: str) -> str:
        await asyncio.sleep(0)  # noqa: TID251  # to give the loop a turn
        return f"{month}:{current_trace_id()}"

    result = asyncio.run(invoices("2024-01"))

    assert inspect.iscoroutinefunction(invoices)
    assert result == f"2024-01:{event(runtime, 'job.succeeded').attributes['trace_id']}"
    assert events(runtime) == ["job.started", "job.succeeded"]


def test_a_block_gives_its_run(runtime: RecordingRuntime) -> None:
    """A block knows which run it is, and so does all that it calls."""
    with Job("nightly") as run:
        inner = current_run()

    assert isinstance(run, JobRun)
    assert inner is run
    assert current_run() is None
    assert event(runtime, "job.started").attributes["run_id"] == run.id


@pytest.mark.parametrize("error", [ValueError("no"), AppError(ErrorCode.DATABASE_ERROR, "gone")])
def test_an_error_comes_out_unchanged_and_is_recorded_once(
    runtime: RecordingRuntime, error: Exception
) -> None:
    """The very exception comes out; its record names job and run, its trace is the run's."""

    @holdfast.job("nightly")
    def fail() -> None:
        raise error

    with pytest.raises(type(error)) as raised:
        fail()

    assert raised.value is error
    assert error.__cause__ is None
    made, failed = record(runtime), event(runtime, "job.failed")
    assert (made.origin.boundary, made.origin.operation) == ("job", "nightly")
    assert made.origin.attributes == {"run_id": failed.attributes["run_id"]}
    assert (failed.attributes["code"], failed.attributes["record_id"]) == (
        made.classification.code,
        made.id,
    )
    assert failed.attributes["trace_id"] == made.trace_id
    assert failed.severity is Severity.INFO  # the record is what alerts


def test_an_error_of_a_coroutine_comes_out_unchanged(runtime: RecordingRuntime) -> None:
    """The same holds for `async def`."""
    error = ValueError("no")

    @holdfast.job("nightly")
    async def fail() -> None:
        raise error

    with pytest.raises(ValueError, match="no") as raised:
        asyncio.run(fail())

    assert raised.value is error
    assert record(runtime).trace_id == event(runtime, "job.failed").attributes["trace_id"]


def test_an_error_that_was_handled_within_is_not_recorded_again(
    runtime: RecordingRuntime,
) -> None:
    """What an inner boundary handed over keeps its record."""
    error = ValueError("no")

    @holdfast.job("nightly")
    def fail() -> None:
        runtime.handle(error, Origin(boundary="block"))
        raise error

    with pytest.raises(ValueError, match="no"):
        fail()

    assert record(runtime).origin.boundary == "block"


@pytest.mark.parametrize("code", [3, "no such month", 2.5])
def test_leaving_with_a_status_is_failing(runtime: RecordingRuntime, code: object) -> None:
    """`sys.exit` with anything but success is one record, and leaves as it would have."""

    @holdfast.job("nightly")
    def leave() -> None:
        sys.exit(code)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # as scripts do

    with pytest.raises(SystemExit) as left:
        leave()

    assert left.value.code == code
    made = record(runtime)
    status = code if isinstance(code, int) else 1
    assert (made.classification.code, made.details["exit_status"]) == ("JOB_FAILED", status)
    assert "test_jobs" in made.frames[-1].module


@pytest.mark.parametrize("code", [None, 0, False])
def test_leaving_with_success_is_succeeding(runtime: RecordingRuntime, code: int | None) -> None:
    """`sys.exit()` and `sys.exit(0)` end a job well."""
    with pytest.raises(SystemExit), Job("nightly"):
        sys.exit(code)

    assert events(runtime) == ["job.started", "job.succeeded"]


@pytest.mark.parametrize("control", [KeyboardInterrupt, asyncio.CancelledError, GeneratorExit])
def test_control_flow_fails_the_run_without_a_record(
    runtime: RecordingRuntime, control: type[BaseException]
) -> None:
    """An interrupted or cancelled job did not do its work, but that is nobody's error."""
    with pytest.raises(control), Job("nightly"):
        raise control

    assert events(runtime) == ["job.started", "job.failed"]
    assert event(runtime, "job.failed").severity is Severity.WARNING


def test_a_cancelled_coroutine_is_told_of_and_frees_its_lock(runtime: RecordingRuntime) -> None:
    """Cancelling the task ends the run, wherever it was."""

    begun = asyncio.Event()

    @holdfast.job("nightly", lock="file")
    async def wait() -> None:
        begun.set()
        await asyncio.Event().wait()

    async def main() -> None:
        for _ in range(2):
            begun.clear()
            task = asyncio.create_task(wait())
            await begun.wait()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    asyncio.run(main())

    assert events(runtime) == ["job.started", "job.failed"] * 2


def test_a_coroutine_cancelled_while_it_begins_frees_its_lock(runtime: RecordingRuntime) -> None:
    """A cancellation while the lock is asked for waits for the answer, and gives the lock back."""
    asked, go_on = threading.Event(), threading.Event()

    class Slow(Losing):
        lost = False

        def acquire(self, job: str) -> Held:
            asked.set()
            go_on.wait(10)
            return self

    lock = Slow()

    @holdfast.job("nightly", lock=lock)
    async def never() -> None:
        raise AssertionError

    async def main() -> None:
        task = asyncio.create_task(never())
        await asyncio.to_thread(asked.wait, 10)
        task.cancel()
        go_on.set()
        with suppress(asyncio.CancelledError):
            await task

    asyncio.run(main())

    assert lock.released
    assert events(runtime) == ["job.started", "job.failed"]


def test_a_run_is_one_piece_of_work(runtime: RecordingRuntime) -> None:
    """Each run has a trace of its own, and its boundary is `job`."""
    seen: list[str] = []

    @holdfast.job("nightly")
    def work() -> None:
        context = current_context()
        assert context is not None
        assert context.boundary == "job"
        seen.append(context.trace_id)

    work()
    work()

    assert len(set(seen)) == 2
    assert current_context() is None


def test_a_job_within_other_work_keeps_its_trace(runtime: RecordingRuntime) -> None:
    """A job that a request or a task calls is part of it."""
    with work_context("request-7"), Job("nightly"):
        inner = current_trace_id()

    assert inner == "request-7"


def test_a_job_takes_the_trace_of_its_process(
    runtime: RecordingRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever started the process may have said which trace it is part of."""
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    monkeypatch.setenv("TRACEPARENT", f"00-{trace}-00f067aa0ba902b7-01")

    with Job("nightly"):
        inner = current_trace_id()

    assert inner == trace


def test_jobs_nest(runtime: RecordingRuntime) -> None:
    """An error that leaves two jobs is one record, and both have failed."""
    with pytest.raises(ValueError, match="no"), Job("outer"), Job("inner"):
        raise ValueError("no")

    assert record(runtime).origin.operation == "inner"
    ended = [e.attributes["job"] for e in runtime.recorded.events if e.name == "job.failed"]
    assert ended == ["inner", "outer"]


def test_one_job_runs_in_several_threads_at_once(runtime: RecordingRuntime) -> None:
    """A job is a value: its runs do not get into each other's way."""
    together = threading.Barrier(4)
    nightly = Job("nightly")

    def work() -> str:
        with activated(runtime), nightly as run:
            together.wait(10)
            found = current_run()
            assert found is run
            return run.id

    with ThreadPoolExecutor(4) as pool:
        ids = {future.result() for future in [pool.submit(work) for _ in range(4)]}

    assert len(ids) == 4
    assert events(runtime).count("job.succeeded") == 4


def test_time_that_is_over_raises_in_the_main_thread(runtime: RecordingRuntime) -> None:
    """`within` interrupts whatever the job does; outcome, code and event say that time was over."""
    with pytest.raises(JobTimedOutError, match="nightly"), Job("nightly", within=0.05):
        threading.Event().wait(20)

    assert record(runtime).classification.code == "JOB_TIMED_OUT"
    assert events(runtime) == ["job.started", "error.handled", "job.timed_out"]


def test_an_error_made_of_the_interruption_counts_as_the_time(runtime: RecordingRuntime) -> None:
    """A library that wraps the interruption in an error of its own does not hide the reason."""

    @holdfast.job("nightly", within=0.05)
    def read() -> None:
        try:
            threading.Event().wait(20)
        except DeadlineExceededError as error:
            raise RuntimeError("could not read") from error

    with pytest.raises(RuntimeError):
        read()

    assert "job.timed_out" in events(runtime)


@pytest.mark.parametrize("within", [0.05, 5])
def test_a_job_leaves_the_timer_as_it_was(runtime: RecordingRuntime, within: float) -> None:
    """Whoever had set the timer, such as the one that watches these tests, has it back."""
    handler, (left, _) = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)

    during = 0.0
    with suppress(JobTimedOutError), Job("nightly", within=within):
        during = signal.getitimer(signal.ITIMER_REAL)[0]
        threading.Event().wait(0.2)

    assert 0 < during <= within
    assert signal.getsignal(signal.SIGALRM) is handler
    assert signal.getitimer(signal.ITIMER_REAL)[0] == pytest.approx(left, abs=2)


def test_an_earlier_alarm_of_others_is_left_alone(runtime: RecordingRuntime) -> None:
    """Somebody's own timer that ends first stays in force, and rings for them."""
    rung: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda number, frame: rung.append(number))
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        with Job("nightly", within=60):
            threading.Event().wait(0.3)
    finally:
        signal.signal(signal.SIGALRM, before)

    assert rung == [signal.SIGALRM]
    assert "job.succeeded" in events(runtime)


def test_a_later_alarm_of_others_goes_on_afterwards(runtime: RecordingRuntime) -> None:
    """The outer job's time goes on when the inner one has ended."""

    @holdfast.job("outer", within=0.3)
    def outer() -> None:
        with suppress(JobTimedOutError), Job("inner", within=0.05):
            threading.Event().wait(20)
        threading.Event().wait(20)

    with pytest.raises(JobTimedOutError, match="outer"):
        outer()

    assert [r.origin.operation for r in runtime.recorded.records] == ["inner", "outer"]


def test_a_coroutine_is_interrupted_by_its_loop(runtime: RecordingRuntime) -> None:
    """`within` cancels what a coroutine waits for and raises the job's error."""

    @holdfast.job("nightly", within=0.05)
    async def wait() -> None:
        await asyncio.Event().wait()

    with pytest.raises(JobTimedOutError):
        asyncio.run(wait())

    assert record(runtime).classification.code == "JOB_TIMED_OUT"


def test_a_timeout_of_the_coroutine_itself_is_its_own_error(runtime: RecordingRuntime) -> None:
    """A `TimeoutError` that the job raises within its time is not the job's limit."""

    @holdfast.job("nightly", within=60)
    async def fail() -> None:
        raise TimeoutError("upstream")

    with pytest.raises(TimeoutError, match="upstream"):
        asyncio.run(fail())

    assert "job.failed" in events(runtime)


def test_a_block_within_a_coroutine_does_not_disturb_the_loop(runtime: RecordingRuntime) -> None:
    """Where an interruption could hit any task there is none: taking too long is told afterwards."""

    async def main() -> None:
        with Job("nightly", within=0.01):
            await asyncio.sleep(0.1)  # noqa: TID251  # the loop's own work

    asyncio.run(main())

    told = event(runtime, "job.succeeded")
    assert (told.attributes["overrun"], told.severity) == (True, Severity.WARNING)


def test_a_job_in_another_thread_is_told_of_when_it_took_too_long(
    runtime: RecordingRuntime,
) -> None:
    """Outside of the main thread nothing can be interrupted; the event says that time was over."""
    clock = FakeClock()

    def work() -> None:
        with activated(runtime), Job("nightly", within=5, clock=clock):
            clock.advance(6)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert event(runtime, "job.succeeded").attributes["overrun"] is True


def test_a_locked_job_is_not_done(runtime: RecordingRuntime) -> None:
    """The second run raises an error that says who has the lock; it is an event and no record."""
    nightly = Job("nightly", lock="file")

    with nightly, pytest.raises(JobLockedError, match="pid") as refused, nightly:
        pytest.fail("two runs at once")

    assert refused.value.code == "JOB_LOCKED"
    assert events(runtime) == ["job.started", "job.skipped", "job.succeeded"]
    assert event(runtime, "job.skipped").severity is Severity.INFO


def test_a_failed_job_frees_its_lock(runtime: RecordingRuntime) -> None:
    """However a run ends, the next is let in."""
    nightly = Job("nightly", lock="file")

    with pytest.raises(ValueError, match="no"), nightly:
        raise ValueError("no")
    with nightly:
        pass

    assert events(runtime)[-1] == "job.succeeded"


def test_a_lock_that_cannot_be_asked_keeps_the_job_from_running(runtime: RecordingRuntime) -> None:
    """The error says so, is transient, and is recorded once with what the driver said behind it."""
    with pytest.raises(ServiceUnavailableError) as raised, Job("nightly", lock=Away()):
        pytest.fail("ran without its lock")

    made = record(runtime)
    assert raised.value.transient
    assert [cause.type for cause in made.causes] == ["ConnectionRefusedError"]
    assert events(runtime) == ["error.handled", "job.failed"]
    assert current_context() is None


def test_a_lost_lock_fails_a_job_that_ended_well(runtime: RecordingRuntime) -> None:
    """The result is returned, and one record says that another run may have worked beside it."""
    lock = Losing()

    @holdfast.job("nightly", lock=lock)
    def work() -> bool:
        run = current_run()
        return run is not None and run.lost

    assert work() is True
    assert lock.released
    made = record(runtime)
    assert made.classification.code == "JOB_FAILED"
    assert "lost its lock" in made.message


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("with nightly: pass", 75),
        ("import threading; threading.Event().wait(20)", 124),
        ("1 / 0", 1),
        ("raise SystemExit(7)", 7),
    ],
)
def test_a_script_may_leave_by_the_status_of_its_job(
    tmp_path: Path, body: str, status: int
) -> None:
    """With `exits`, a script ends as `holdfast run` would; everything else as it always did."""
    program = (
        "import holdfast\n"
        "nightly = holdfast.job('nightly', within=0.5, lock='file', exits=True)\n"
        f"with nightly:\n    {body}\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=False, timeout=20
    )

    assert done.returncode == status


def test_monitors_are_told_of_start_and_end(runtime: RecordingRuntime) -> None:
    """The same run, first without an outcome, then with it."""
    monitor = Monitor()

    with Job("nightly", monitors=[monitor]) as run:
        pass

    assert [(report.run_id, report.outcome) for report in monitor.told] == [
        (run.id, None),
        (run.id, Outcome.SUCCEEDED),
    ]


def test_monitors_are_told_of_a_run_that_was_skipped(runtime: RecordingRuntime) -> None:
    """One report, without a start."""
    monitor = Monitor()

    with Job("nightly", lock="file"), pytest.raises(JobLockedError):
        Job("nightly", lock="file", monitors=[monitor]).__enter__()

    assert [report.outcome for report in monitor.told] == [Outcome.SKIPPED]


def test_a_monitor_that_fails_does_not_fail_the_job(runtime: RecordingRuntime) -> None:
    """Each report that could not be delivered is an event, without secrets; others are told."""
    monitor = Monitor()

    with Job("nightly", monitors=[Failing(), monitor]):
        pass

    assert len(monitor.told) == 2
    failed = [e for e in runtime.recorded.events if e.name == "job.ping_failed"]
    assert [e.attributes["message"] for e in failed] == ["password=[redacted]"] * 2
    assert runtime.recorded.records == []


def test_a_monitor_that_hangs_does_not_hold_up_the_job(runtime: RecordingRuntime) -> None:
    """After its patience the job goes on."""
    monitor = Hanging()

    with Job("nightly", monitors=[monitor]):
        pass
    monitor.gone.set()

    assert event(runtime, "job.ping_failed").attributes["error_type"] == "TimeoutError"


def test_what_became_of_a_run_is_kept(runtime: RecordingRuntime, state: StateFolder) -> None:
    """While it runs the state names its start, afterwards its outcome."""
    with Job("nightly") as run:
        during = state.read("nightly")
    after = state.read("nightly")

    assert (during.run_id, during.succeeded) == (run.id, None)
    assert during.started == after.started == after.succeeded
    assert after.outcome == "succeeded"


def test_a_job_without_a_place_for_its_state_runs(
    runtime: RecordingRuntime, tmp_path: Path
) -> None:
    """That nothing could be written is an event."""
    file = tmp_path / "file"
    file.touch()

    with Job("nightly", state=file):
        pass

    assert events(runtime).count("job.state_failed") == 2
    assert events(runtime)[-1] == "job.succeeded"


def test_errors_without_a_traceback_are_told_apart_by_their_job(runtime: RecordingRuntime) -> None:
    """Two jobs that fail without an exception of their own have two fingerprints."""
    for name in ("nightly", "weekly", "weekly"):
        runtime.handle(JobFailedError("failed"), Origin(boundary="job", operation=name))

    first, second, third = (made.fingerprint for made in runtime.recorded.records)
    assert first != second == third


@pytest.mark.parametrize("name", ["", "a/b", "../x", ".hidden", "two words", "x" * 101, "a\n"])
def test_a_name_that_cannot_name_a_file_is_refused(name: str) -> None:
    """The name of a job becomes part of paths, keys and addresses."""
    with pytest.raises(ValueError, match="name of a job"):
        Job(name)


@pytest.mark.parametrize("within", [0, -1, float("nan")])
def test_a_limit_that_is_none_is_refused(within: float) -> None:
    """`within` is above 0 seconds."""
    with pytest.raises(ValueError, match="within"):
        Job("nightly", within=within)


def test_a_lock_that_is_none_is_refused() -> None:
    """A text other than `file` is no lock."""
    with pytest.raises(ValueError, match="lock"):
        Job("nightly", lock="redis")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_a_generator_function_is_refused() -> None:
    """A call of it does nothing yet: the job would have succeeded before it began."""

    def rows() -> Iterator[int]:
        yield 1

    with pytest.raises(TypeError, match="generator"):
        Job("nightly")(rows)


def test_jobs_are_values() -> None:
    """Equal specs are equal, and cannot be changed."""
    clock = FakeClock()

    assert Job("nightly", within=5, clock=clock) == Job("nightly", within=5, clock=clock)
    with pytest.raises(AttributeError):
        Job("nightly").name = "other"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


class Bell:
    """Rings the alarm at one step of a job's own code, wherever the job may be just then."""

    def __init__(self, step: int) -> None:
        self.left = step

    def trace(self, frame: FrameType, event: str, _argument: object) -> "Bell | None":
        """Count the steps that the code of jobs takes, and ring at the one."""
        if Path(frame.f_code.co_filename).parent.name != "jobs":
            return None
        near = frame.f_code.co_filename.endswith(("boundary.py", "limit.py"))
        frame.f_trace_opcodes, frame.f_trace_lines = near, False
        if near and event != "opcode":
            return self
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(signal.SIGALRM)
        return self

    def __call__(self, frame: FrameType, event: str, argument: object) -> "Bell | None":
        """Count, as a local trace function."""
        return self.trace(frame, event, argument)


def unheard(_number: int, _frame: FrameType | None) -> None:
    """Do nothing when an alarm rings."""


@pytest.fixture
def no_timer() -> Iterator[None]:
    """Put the timer that watches these tests aside."""
    handler, (left, _) = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, unheard)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, left)


@pytest.mark.usefixtures("no_timer")
def test_an_alarm_at_any_step_of_a_jobs_own_code_loses_no_run(
    runtime: RecordingRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whenever time is over, the run ends, its lock is free and the timer stands still."""

    def note(_folder: StateFolder, _report: JobReport) -> None:
        """Write nothing, for that is slow."""

    monkeypatch.setattr(StateFolder, "note", note)
    nightly, step, bell = Job("nightly", within=60, lock="file"), 0, Bell(0)
    while bell.left <= 0:
        step += 1
        bell = Bell(step)
        before = sys.gettrace()
        sys.settrace(bell.trace)
        try:
            with suppress(JobTimedOutError), nightly:
                pass
        finally:
            sys.settrace(before)
        told = [name for name in events(runtime) if name.startswith("job.")]
        assert told in (["job.started", "job.succeeded"], ["job.started", "job.timed_out"]), step
        assert current_run() is None
        assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
        runtime.recorded.events.clear()
    assert step > 100, step


@pytest.mark.usefixtures("no_timer")
def test_an_alarm_while_an_inner_job_keeps_its_book_rings_afterwards(
    runtime: RecordingRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What guards the inner run against its own failures does not swallow the outer limit."""
    note = StateFolder.note

    def slow(folder: StateFolder, report: JobReport) -> None:
        if report.job == "inner" and report.outcome is not None:
            threading.Event().wait(0.1)
        note(folder, report)

    monkeypatch.setattr(StateFolder, "note", slow)

    @holdfast.job("outer", within=0.05)
    def work() -> None:
        with Job("inner"):
            pass
        threading.Event().wait(20)

    with pytest.raises(JobTimedOutError, match="outer"):
        work()

    told = [(event.name, event.attributes.get("job")) for event in runtime.recorded.events]
    assert ("job.succeeded", "inner") in told
    assert ("job.timed_out", "outer") in told
    assert "job.state_failed" not in events(runtime)


def test_an_interrupt_while_a_run_begins_ends_it(runtime: RecordingRuntime) -> None:
    """Ctrl-C after the lock was got gives it back."""

    def interrupt(_run: JobRun) -> None:
        signal.raise_signal(signal.SIGINT)

    lock = Losing()
    lock.lost = False
    nightly = Job("nightly", lock=lock)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JobRun, "_look_back", interrupt)
        with pytest.raises(KeyboardInterrupt), nightly:
            raise AssertionError

    assert lock.released
    assert "job.failed" in events(runtime)
    assert current_run() is None
