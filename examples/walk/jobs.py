"""What is done by night: jobs that cron would start, whose exit status and records say how they went."""

import os
import re
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from examples.shop.mistakes import PASSWORD
from examples.walk.processes import ROOT

NAME = "nightly-invoices"
LINE = re.compile(r"(?m)^\S+Z (\w+) +holdfast \[([0-9a-f]+)\] (.*)$")
"""Level, id and message of a record; the traceback of an error stands below it."""
TIMEOUT = 20.0
"""Seconds until a run has to be over."""
WAITING = "Waiting for the printer\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A run of the invoices, and what has to become of it."""

    title: str
    options: str = ""
    """Of `holdfast run`."""
    trouble: str = ""
    """What is to go wrong with the invoices."""
    status: int
    records: tuple[str, ...] = ()
    """Levels and beginnings of the lines in the log."""
    occupied: bool = False
    """Whether the run before is still going on."""
    stopped: bool = False
    """Whether somebody stops it."""

    @property
    def ask(self) -> str:
        """The command line, as cron has it."""
        trouble = f" --trouble {self.trouble}" if self.trouble else ""
        options = f" {self.options}" if self.options else ""
        script = f"python -m examples.shop_worker.invoices invoices{trouble}"
        return f"holdfast run --name {NAME}{options} -- {script}"

    def arguments(self) -> list[str]:
        """Return the same for `subprocess`."""
        python, words = sys.executable, self.ask.split()
        return [python, "-m", *(python if word == "python" else word for word in words)]


JOBS = (
    Job(title="A run that goes well says nothing", status=0),
    Job(
        title="The ledger is away: recorded once, by the script, and in the exit status",
        trouble="ledger",
        status=1,
        records=("ERROR INTERNAL_ERROR at invoices.py", "WARNING job.failed"),
    ),
    Job(
        title="The printer never answers: stopped when its time is over",
        options="--within 1",
        trouble="printer",
        status=124,
        records=(f"ERROR JOB_TIMED_OUT at {NAME}",),
    ),
    Job(
        title="The run before has not ended: nothing is done",
        options="--level INFO",
        status=75,
        records=("INFO job.skipped",),
        occupied=True,
    ),
    Job(
        title="Somebody stops it, and with it what it has started",
        trouble="printer",
        status=143,
        records=(f"ERROR JOB_FAILED at {NAME}",),
        stopped=True,
    ),
)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended."""

    status: int
    lines: list[tuple[str, str, str]]
    """Level, id and message of what was recorded."""


def run(job: Job, folder: Path) -> Ended:
    """Do what cron would, and wait for the end."""
    before = Job(title="", trouble="printer", status=0)
    with started(before, folder) if job.occupied else nullcontext():
        if job.stopped:
            with started(job, folder) as process:
                process.terminate()
                _, said = process.communicate(timeout=TIMEOUT)
        else:
            process = _popen(job, folder)
            _, said = process.communicate(timeout=TIMEOUT)
    return Ended(process.returncode, LINE.findall(said))


@contextmanager
def started(job: Job, folder: Path) -> Generator["subprocess.Popen[str]"]:
    """Start a run that waits for its printer, and stop it when the block is left."""
    with _popen(job, folder) as process:
        try:
            for line in process.stdout or ():
                if line == WAITING:
                    break
            yield process
        finally:
            process.terminate()


def _popen(job: Job, folder: Path) -> "subprocess.Popen[str]":
    variables = {
        **os.environ,
        "HOLDFAST_STATE": str(folder / "jobs"),
        "SHOP_DATABASE": str(folder / "flask-wsgi.sqlite3"),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
    }
    return subprocess.Popen(
        job.arguments(),
        cwd=folder,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def objections(job: Job, ended: Ended) -> Iterator[str]:
    """Return one sentence for everything that is not as the job says."""
    if ended.status != job.status:
        yield f"exit status: expected {job.status}, got {ended.status}"
    said = [f"{level} {message}" for level, _, message in ended.lines]
    if len(said) != len(job.records) or not all(map(str.startswith, said, job.records)):
        yield f"log: expected {list(job.records)}, got {said}"
    if len({trace_id for _, trace_id, _ in ended.lines}) > 1:
        yield f"log: expected one id for the whole run, got {ended.lines}"
    if any(PASSWORD in message for message in said):
        yield "log: leaks a password"
