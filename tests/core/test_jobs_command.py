"""`holdfast run`: what its command sees, what it leaves behind, and with what status it ends."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from holdfast.hooks.jobs import StateFolder
from tests.paths.filing import VARIABLE, events, filed

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs process groups")


@dataclass
class Runner:
    """Starts `holdfast run` as cron would: no terminal, a small environment."""

    folder: Path

    def command(self, *options: str) -> list[str]:
        """Return the command line, up to the command."""
        reporter = "tests.paths.filing:reporter"
        named = ["run", "--name", "nightly", "--grace", "0.3", "--reporters", reporter]
        return [sys.executable, "-m", "holdfast", *named, *options, "--"]

    def environment(self, **more: str) -> dict[str, str]:
        """Return what cron would give it, and where records go."""
        kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
        records, state = str(self.folder / "records"), str(self.folder / "state")
        return {
            **kept,
            VARIABLE: records,
            "HOLDFAST_STATE": state,
            "HOME": str(self.folder),
            **more,
        }

    def start(self, options: list[str], *command: str, **more: str) -> "subprocess.Popen[bytes]":
        """Start a run and return its process."""
        return subprocess.Popen(
            [*self.command(*options), *command],
            cwd=ROOT,
            env=self.environment(**more),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(
        self, options: list[str], *command: str, **more: str
    ) -> "subprocess.CompletedProcess[bytes]":
        """Run to the end and return what came of it."""
        with self.start(options, *command, **more) as process:
            out, err = process.communicate(timeout=30)
        return subprocess.CompletedProcess([], process.returncode, out, err)

    @property
    def records(self) -> list[dict[str, object]]:
        """The records that were made, by this process and its command's."""
        return filed(self.folder / "records")

    @property
    def events(self) -> list[str]:
        """The names of all events, in order."""
        return [str(event["event"]) for event in events(self.folder / "records")]


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    """Give a runner of its own folder."""
    return Runner(tmp_path)


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until something is so."""
    pause = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        pause.wait(0.02)
    raise AssertionError(f"not so within {seconds} s: {condition}")


def is_running(pid: int) -> bool:
    """Tell whether a process is there and no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_command_that_succeeds_is_silent(runner: Runner) -> None:
    """Nothing is printed beside what the command prints, the status is 0, there is no record."""
    done = runner.run([], "sh", "-c", "echo out; echo err >&2")

    assert (done.returncode, done.stdout, done.stderr) == (0, b"out\n", b"err\n")
    assert runner.events == ["job.started", "job.succeeded"]


def test_a_command_that_fails_is_one_record(runner: Runner) -> None:
    """Status 1, one record with the command's own status and the end of its output."""
    done = runner.run([], "sh", "-c", "echo working; echo password=hunter2 >&2; exit 3")

    assert done.returncode == 1
    assert done.stdout == b"working\n"
    assert done.stderr.startswith(b"password=hunter2\n")
    (record,) = runner.records
    assert (record["code"], record["origin"], record["operation"]) == (
        "JOB_FAILED",
        "job",
        "nightly",
    )
    details = cast("dict[str, object]", record["details"])
    assert details.keys() == {"exit_status", "output"}
    assert details["exit_status"] == 3
    assert sorted(str(details["output"]).split("\n")) == ["password=[redacted]", "working"]
    assert runner.events == ["job.started", "error.handled", "job.failed"]


def test_the_status_of_the_command_is_passed_on_when_asked_for(runner: Runner) -> None:
    """With --pass-status a failure leaves with the command's own status."""
    assert runner.run(["--pass-status"], "sh", "-c", "exit 3").returncode == 3


@pytest.mark.parametrize(
    ("command", "status", "passed"),
    [("no-such-command", 1, 127), ("/etc/hostname", 1, 126)],
)
def test_a_command_that_cannot_be_started_failed(
    runner: Runner, command: str, status: int, passed: int
) -> None:
    """One record says which command and why; the status is 1, or as a shell would have it."""
    assert runner.run([], command).returncode == status
    assert runner.run(["--pass-status"], command).returncode == passed
    assert [record["code"] for record in runner.records] == ["JOB_FAILED"] * 2
    assert Path(command).name in str(runner.records[0]["message"])


def test_a_command_that_a_signal_kills_is_named_by_it(runner: Runner) -> None:
    """Status 128 + n, and the record names the signal."""
    done = runner.run([], "sh", "-c", "kill -SEGV $$")

    assert done.returncode == 128 + signal.SIGSEGV
    (record,) = runner.records
    assert "SIGSEGV" in str(record["message"])
    assert record["details"] == {"signal": "SIGSEGV", "output": ""}


def test_output_is_passed_on_byte_for_byte_while_it_is_written(runner: Runner) -> None:
    """What the command writes is there before it ends, whatever bytes it is made of."""
    program = (
        "import sys\n"
        "sys.stdout.buffer.write(bytes(range(256)) * 2000 + b'no line end'); sys.stdout.flush()\n"
        "sys.stdin.readline()\n"
    )
    expected = bytes(range(256)) * 2000 + b"no line end"

    with subprocess.Popen(
        [*runner.command(), sys.executable, "-c", program],
        cwd=ROOT,
        env=runner.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        got = process.stdout.read(len(expected))
        running = process.poll() is None
        rest, _ = process.communicate(b"go\n", timeout=20)

    assert got == expected
    assert running
    assert (rest, process.returncode) == (b"", 0)


def test_a_command_whose_reader_leaves_is_told(runner: Runner) -> None:
    """`holdfast run … | head` ends as the command alone would: by the broken pipe."""
    process = runner.start([], "yes")
    assert process.stdout is not None
    process.stdout.read(10)
    process.stdout.close()

    assert process.wait(timeout=20) == 128 + signal.SIGPIPE
    assert process.stderr is not None
    process.stderr.close()


def test_time_that_is_over_ends_the_whole_group(runner: Runner) -> None:
    """Status 124, one record; a grandchild that ignores being asked is killed with the rest."""
    pids = runner.folder / "pids"
    grandchild = f"trap '' TERM; echo $$ >> {pids}; while :; do sleep 0.1; done"

    done = runner.run(
        ["--within", "0.7"],
        "sh",
        "-c",
        f'sh -c "{grandchild.replace("$", chr(92) + "$")}" & echo $$ >> {pids}; wait',
    )

    assert done.returncode == 124
    (record,) = runner.records
    assert record["code"] == "JOB_TIMED_OUT"
    assert runner.events == ["job.started", "error.handled", "job.timed_out"]
    found = [int(pid) for pid in pids.read_text().split()]
    assert len(found) == 2
    assert [pid for pid in found if is_running(pid)] == []


def test_a_command_may_end_in_its_own_way_when_asked(runner: Runner) -> None:
    """What it says between being asked and its end is passed on; the status is 124 all the same."""
    done = runner.run(
        ["--within", "0.5", "--grace", "10"],
        "sh",
        "-c",
        "trap 'echo tidied; exit 0' TERM; while :; do sleep 0.05; done",
    )

    assert (done.returncode, done.stdout) == (124, b"tidied\n")


@pytest.mark.parametrize(("number", "records"), [(signal.SIGTERM, 1), (signal.SIGINT, 0)])
def test_a_signal_is_passed_on_to_the_group(
    runner: Runner, number: signal.Signals, records: int
) -> None:
    """The command gets it; status 128 + n. Being stopped is a record, but not when a person interrupts."""
    name = number.name.removeprefix("SIG")
    listening = f"trap 'echo got {name}; exit 5' {name}; echo ready; sleep 60 & wait"
    process = runner.start([], "sh", "-c", listening)
    assert process.stdout is not None
    process.stdout.read(6)

    process.send_signal(number)
    out, _ = process.communicate(timeout=20)

    assert (process.returncode, out) == (128 + number, f"got {name}\n".encode())
    assert [record["code"] for record in runner.records] == ["JOB_FAILED"] * records
    assert runner.events[-1] == "job.failed"


def test_what_was_ignored_stays_ignored(runner: Runner) -> None:
    """Under `nohup`, a hang-up stops neither us nor the command."""
    process = subprocess.Popen(
        ["nohup", *runner.command(), "sh", "-c", "echo ready; read -r _; echo done"],
        cwd=ROOT,
        env=runner.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.read(6)

    process.send_signal(signal.SIGHUP)
    out, _ = process.communicate(b"\n", timeout=20)

    assert (process.returncode, out) == (0, b"done\n")


def test_what_a_command_leaves_behind_is_ended(runner: Runner) -> None:
    """A background process of the command does not outlive it, and does not hold up its end."""
    done = runner.run([], "sh", "-c", "sleep 60 & echo $!")

    assert done.returncode == 0
    assert not is_running(int(done.stdout))


def test_a_daemon_of_its_own_session_goes_on(runner: Runner) -> None:
    """What makes a session of its own is meant to stay, and the run ends although it holds the output."""
    program = (
        "import os, sys\n"
        "pid = os.fork()\n"
        "if pid: print(pid); sys.exit()\n"
        "os.setsid(); os.execvp('sleep', ['sleep', '30'])\n"
    )

    done = runner.run([], sys.executable, "-c", program)

    daemon = int(done.stdout)
    try:
        assert done.returncode == 0
        assert is_running(daemon)
    finally:
        os.kill(daemon, signal.SIGKILL)


def test_a_second_run_is_let_in_only_after_the_first(runner: Runner) -> None:
    """While a run goes on, another ends with 75 and an event, without a record and without a word."""
    first = runner.start([], "sh", "-c", "echo ready; read -r _ || sleep 60")
    assert first.stdout is not None
    first.stdout.read(6)

    second = runner.run([], "echo", "never")
    first.terminate()
    first.communicate(timeout=20)
    third = runner.run([], "echo", "again")

    assert (second.returncode, second.stdout, second.stderr) == (75, b"", b"")
    assert (third.returncode, third.stdout) == (0, b"again\n")
    skipped = [e for e in events(runner.folder / "records") if e["event"] == "job.skipped"]
    assert f"pid {first.pid}" in str(skipped[0]["holder"])
    assert len(runner.records) == 1  # of the first, which was stopped


def test_a_lock_lasts_as_long_as_the_command(runner: Runner) -> None:
    """Should `holdfast run` be killed, its command keeps the lock until it ends itself."""
    first = runner.start([], "sh", "-c", "echo $$; sleep 60")
    assert first.stdout is not None
    child = int(first.stdout.readline())

    first.kill()
    first.communicate(timeout=20)
    locked = runner.run([], "true").returncode
    os.killpg(child, signal.SIGKILL)
    until(lambda: not is_running(child))

    assert locked == 75
    until(lambda: runner.run([], "true").returncode == 0)


def test_without_a_lock_runs_overlap(runner: Runner) -> None:
    """--lock none lets in everybody."""
    first = runner.start(["--lock", "none"], "sh", "-c", "echo ready; sleep 60")
    assert first.stdout is not None
    first.stdout.read(6)

    assert runner.run(["--lock", "none"], "true").returncode == 0
    first.terminate()
    first.communicate(timeout=20)


def test_a_lock_that_cannot_be_asked_says_try_later(runner: Runner) -> None:
    """Status 75 and a record: nothing was done, and somebody has to look."""
    (runner.folder / "state").write_text("a file where the folder should be")

    assert runner.run([], "echo", "never").returncode == 75
    (record,) = runner.records
    assert record["code"] == "SERVICE_UNAVAILABLE"


def test_a_state_that_cannot_be_written_does_not_keep_a_job_from_running(runner: Runner) -> None:
    """Without a lock the job is done all the same; that its state was not written is an event."""
    (runner.folder / "state").write_text("a file where the folder should be")

    done = runner.run(["--lock", "none"], "echo", "done")

    assert (done.returncode, done.stdout) == (0, b"done\n")
    assert "job.state_failed" in runner.events
    assert runner.records == []


def test_the_trace_goes_on_into_the_command(runner: Runner) -> None:
    """A valid TRACEPARENT is taken from the environment, and the command gets one of the same trace."""
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    given = f"00-{trace}-00f067aa0ba902b7-01"

    done = runner.run([], "sh", "-c", "echo $TRACEPARENT; exit 1", TRACEPARENT=given)

    passed = done.stdout.decode().strip()
    assert passed.startswith(f"00-{trace}-")
    assert passed != given
    (record,) = runner.records
    assert record["trace_id"] == trace


def test_the_environment_is_that_of_the_run(runner: Runner) -> None:
    """The command sees what it would have seen by itself, and two variables more."""
    command = ("env",)
    alone = subprocess.run(
        command, env=runner.environment(MONTH="2024-01"), capture_output=True, check=True
    )

    done = runner.run([], *command, MONTH="2024-01")

    added = set(done.stdout.splitlines()) - set(alone.stdout.splitlines())
    assert {line.partition(b"=")[0] for line in added} == {b"TRACEPARENT", b"HOLDFAST_RUN"}
    assert set(alone.stdout.splitlines()) <= set(done.stdout.splitlines())


@pytest.mark.parametrize("given", ["", "no trace", f"00-{'0' * 32}-00f067aa0ba902b7-01"])
def test_without_a_valid_trace_there_is_one_of_its_own(runner: Runner, given: str) -> None:
    """What is no TRACEPARENT is not passed on."""
    done = runner.run([], "sh", "-c", "echo $TRACEPARENT", TRACEPARENT=given)

    assert done.stdout.decode().strip() not in {"", given}


def test_an_error_that_the_command_recorded_itself_is_recorded_once(runner: Runner) -> None:
    """The record of the command's own process is the one there is, with the trace of the run."""
    program = (
        "import holdfast\n"
        "holdfast.configure(service='shop', reporters=['tests.paths.filing:reporter']).install()\n"
        "raise LookupError('no such invoice')\n"
    )

    done = runner.run([], sys.executable, "-c", program)

    assert done.returncode == 1
    assert b"LookupError: no such invoice" in done.stderr
    (record,) = runner.records
    assert (record["origin"], record["error_type"]) == ("process", "LookupError")
    (failed,) = [e for e in events(runner.folder / "records") if e["event"] == "job.failed"]
    assert failed["record_id"] == record["record_id"]
    assert failed["code"] == record["code"]
    assert failed["trace_id"] == record["trace_id"]


MADE = (
    "import holdfast, sys\n"
    "holdfast.configure(service='shop', reporters=['tests.paths.filing:reporter']).install()\n"
)


def test_an_error_that_was_recovered_does_not_hide_what_came_later(runner: Runner) -> None:
    """A status that nobody explains is a record of its own, beside which the earlier one is named."""
    program = (
        f"{MADE}with holdfast.error_boundary('cache', reraise=False): raise OSError('slow')\n"
        "print('disk full', file=sys.stderr)\nsys.exit(9)\n"
    )

    runner.run([], sys.executable, "-c", program)

    recovered, failed = runner.records
    details = cast("dict[str, object]", failed["details"])
    assert (failed["code"], details["exit_status"]) == ("JOB_FAILED", 9)
    assert "disk full" in str(details["output"])
    assert details["related_record"] == recovered["record_id"]


def test_an_error_that_was_recorded_on_its_way_out_explains_the_end(runner: Runner) -> None:
    """An inner boundary made the record, and nobody caught the error: that is the one record."""
    program = (
        f"{MADE}from holdfast.environment import current\n"
        "try: raise OSError('gone')\n"
        "except OSError as error:\n"
        "    current().handle(error, holdfast.Origin(boundary='block')); raise\n"
    )

    runner.run([], sys.executable, "-c", program)

    (record,) = runner.records
    assert record["origin"] == "block"


def test_runs_within_runs_make_one_record(runner: Runner) -> None:
    """An inner `holdfast run` that failed explains the outer one."""
    inner = [sys.executable, "-m", "holdfast", "run", "--name", "inner", "--reporters"]

    done = runner.run([], *inner, "tests.paths.filing:reporter", "--", "false")

    assert done.returncode == 1
    assert [record["operation"] for record in runner.records] == ["inner"]


def test_what_became_of_the_runs_is_kept(runner: Runner) -> None:
    """The state file tells of the last success, the last failure and the last run."""
    runner.run([], "true")
    runner.run([], "sh", "-c", "exit 4")

    state = StateFolder(runner.folder / "state").read("nightly")

    assert state.succeeded is not None
    assert state.failed is not None
    assert state.succeeded < state.failed == state.started
    assert (state.outcome, state.exit_status, state.code) == ("failed", 4, "JOB_FAILED")
    assert json.loads((runner.folder / "state" / "nightly.json").read_text())["run_id"]


def test_closed_standard_streams_do_no_harm(runner: Runner) -> None:
    """A job that was started without streams runs like any other."""
    line = " ".join(map(repr, [*runner.command(), "sh", "-c", "echo lost; exit 3"]))

    done = subprocess.run(
        ["sh", "-c", f"{line} >&- 2>&- <&-"],
        cwd=ROOT,
        env=runner.environment(),
        check=False,
        timeout=20,
    )

    assert done.returncode == 1
    (record,) = runner.records
    assert record["details"] == {"exit_status": 3, "output": "lost"}
