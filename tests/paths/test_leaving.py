"""Processes that leave: real servers, scripts and workers, and what their callers notice of it."""

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

import httpx
import psutil
import pytest

from tests.integrations.conftest import need
from tests.paths import filing
from tests.paths.leaving_host import CRASH, DEADLINE, ROOT, Host, Stream, serving, stop, wait_until

need("celery")

from tests.paths.leaving_broker import application  # noqa: E402  # not before Celery is there

if TYPE_CHECKING:
    from celery.result import AsyncResult

LEFT = "exited with code 70."


def test_a_worker_of_gunicorn_answers_and_is_replaced_until_the_budget_is_spent(
    tmp_path: Path,
) -> None:
    """Nobody's request fails meanwhile; the arbiter sees our code; the third error leaves all be."""
    answers: list[httpx.Response] = []
    with serving("gunicorn", tmp_path, "--workers=2", ACTION="drain", RESTARTS=2) as host:
        with Stream(host) as others:
            for workers in (3, 4):
                answers.append(host.get("/bug"))
                host.until(partial(said, host, "Booting worker", workers))
            answers += [host.get("/bug"), host.get("/bug")]
            host.until(lambda: len(host.events("error.handled")) == 4)

        assert others.failures == []
        assert [answer.status_code for answer in answers] == [500] * 4
        assert {answer.json()["except"]["code"] for answer in answers} == {"INTERNAL_ERROR"}
        assert host.log().count(LEFT) == 2
        assert host.log().count("Booting worker") == 4
        assert len(host.events("process.draining")) == 2
        assert [facts["exit_code"] for facts in host.events("process.leaving")] == [70, 70]
        assert len(host.events("crash.budget_spent")) == 1


def test_by_default_processes_go_on(tmp_path: Path) -> None:
    """A bug does not end the worker that answered it."""
    with serving("gunicorn", tmp_path) as host:
        before = host.pid()
        host.get("/bug")

        assert host.pid() == before
        assert host.events("process.draining") == []


@pytest.mark.parametrize("action", ["drain", "exit"])
def test_what_is_in_flight_is_finished_or_cut(tmp_path: Path, action: str) -> None:
    """With `drain` another thread's request is answered, with `exit` it is not; the failing one always is."""
    with serving(
        "gunicorn", tmp_path, "--worker-class=gthread", "--threads=3", ACTION=action
    ) as host:
        before = host.pid()
        with ThreadPoolExecutor() as pool:
            slow = pool.submit(host.get, "/slow/2.0")
            host.until(lambda: host.events("begun"))
            failed = host.get("/bug")

        assert failed.status_code == 500
        assert isinstance(slow.exception(), httpx.HTTPError if action == "exit" else type(None))
        host.until(lambda: LEFT in host.log())
        assert host.pid() != before


def test_a_request_that_hangs_holds_a_process_no_longer_than_the_grace(tmp_path: Path) -> None:
    """It leaves all the same, with its own code."""
    with serving(
        "gunicorn", tmp_path, "--worker-class=gthread", "--threads=3", ACTION="drain", GRACE=1
    ) as host:
        with ThreadPoolExecutor() as pool:
            hung = pool.submit(host.get, "/slow/15.0")
            host.until(lambda: host.events("begun"))
            host.get("/bug")

        assert isinstance(hung.exception(), httpx.HTTPError)
        host.until(lambda: LEFT in host.log())
        (leaving,) = host.events("process.leaving")
        assert 1 <= float(str(leaving["waited"])) < 4


@pytest.mark.parametrize("arguments", [(), ("--preload",)], ids=["", "preload"])
def test_sigterm_makes_a_worker_of_gunicorn_unready_and_nothing_else(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """It finishes what is in flight, is alive but not ready, and ends with 0 as it would have."""
    threads = ("--worker-class=gthread", "--threads=3", "--keep-alive=5", *arguments)
    with (
        serving("gunicorn", tmp_path, *threads) as host,
        host.client() as kept,
        host.client() as other,
    ):
        worker = host.pid()
        with ThreadPoolExecutor() as pool:
            late = pool.submit(host.get, "/late")
            host.until(lambda: host.events("begun"))
            before = kept.get("/health/ready"), other.get("/health/live")
            os.kill(worker, signal.SIGTERM)
            ready, live = kept.get("/health/ready"), other.get("/health/live")

        assert [answer.status_code for answer in before] == [200, 200]
        assert (ready.status_code, live.status_code) == (503, 200)
        assert ready.json()["checks"]["process:readiness"][0]["status"] == "fail"
        assert late.result().status_code == 500
        host.until(lambda: host.log().count("Booting worker") == 2)
        assert "exited with" not in host.log()
        assert "was sent" not in host.log()
        assert len(host.events("error.handled")) == 1


def test_uvicorn_leaves_with_our_code_after_what_is_in_flight(tmp_path: Path) -> None:
    """It answers both requests, and ends with 70 for its supervisor to start it anew."""
    with serving("uvicorn", tmp_path, ACTION="drain") as host:
        with ThreadPoolExecutor() as pool:
            slow = pool.submit(host.get, "/slow/1.0")
            host.until(lambda: host.events("begun"))
            failed = host.get("/bug")

        assert host.process.wait(10) == 70
        assert (slow.result().status_code, failed.status_code) == (200, 500)
        assert len(host.events("process.leaving")) == 1


@pytest.mark.parametrize("sigterm", [True, False])
def test_sigterm_ends_uvicorn_as_it_always_did(tmp_path: Path, *, sigterm: bool) -> None:
    """It finishes what is in flight and dies of the signal; an error of that time is delivered if we listen."""
    with serving("uvicorn", tmp_path, SIGTERM=sigterm) as host:
        late = fail_late(host)

        assert host.process.wait(10) == -signal.SIGTERM
        assert late.status_code == 500
        assert len(host.events("process.draining")) == sigterm
        assert len(host.events("error.handled")) >= sigterm


def test_sigterm_ends_workers_of_uvicorn_as_it_always_did(tmp_path: Path) -> None:
    """The same, where the application is loaded only after the server has set its handlers."""
    with serving("uvicorn-workers", tmp_path) as host:
        late = fail_late(host)

        assert host.process.wait(10) == 0
        assert late.status_code == 500
        assert host.log().count("ended with -15") == 2
        assert len(host.events("process.draining")) == 2
        assert len(host.events("error.handled")) == 1


def fail_late(host: Host) -> httpx.Response:
    """Have a server end while it works on what will fail, and return its answer."""
    with ThreadPoolExecutor() as pool:
        late = pool.submit(host.get, "/late")
        host.until(lambda: host.events("begun"))
        host.process.send_signal(signal.SIGTERM)
    return late.result()


def test_a_worker_of_uvicorn_is_replaced(tmp_path: Path) -> None:
    """Its supervisor starts another, and no request fails meanwhile."""
    with serving("uvicorn-workers", tmp_path, ACTION="drain", RESTARTS=1) as host:
        with Stream(host, threads=1) as others:
            failed = host.get("/bug")
            host.until(lambda: "ended with 70" in host.log())
            host.until(lambda: host.log().count("Started server process") == 3)
            host.get("/bug")
            host.until(lambda: host.events("crash.budget_spent"))

        assert failed.status_code == 500
        assert others.failures == []


def said(host: Host, text: str, times: int) -> bool:
    """Tell whether a server has written something so often."""
    return host.log().count(text) == times


@dataclass(frozen=True)
class Ended:
    """How a script came to its end."""

    code: int
    output: str
    events: list[str]


def run(script: str, folder: Path, *signals: int, **crash: object) -> Ended:
    """Run a script, send it signals once it is ready, and return how it ended."""
    records = folder / "records.jsonl"
    told = {"STATE": str(folder / "state"), **crash}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.paths.leaving_script", script],
        cwd=ROOT,
        env={**os.environ, filing.VARIABLE: str(records), CRASH: json.dumps(told)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    first = process.stdout.readline() if signals else ""
    for signum in signals:
        process.send_signal(signum)
    try:
        output, errors = process.communicate(timeout=DEADLINE)
    finally:
        process.kill()
    told_of = [str(facts["event"]) for facts in filing.events(records)]
    assert "Error in" not in errors, errors
    assert "ignored" not in errors, errors
    return Ended(process.returncode, first + output, told_of)


LEAVING = ["error.handled", "process.draining", "process.leaving"]


@pytest.mark.parametrize(
    ("script", "output"),
    [
        ("thread", "cleaned up\nat exit\n"),
        ("deaf", "not yet\n"),
        ("last", ""),
        ("within_work", "exit True\n"),
    ],
)
def test_a_script_leaves_with_our_code(tmp_path: Path, script: str, output: str) -> None:
    """Its main thread gets `SystemExit`; if it goes on, or does not listen, it leaves all the same."""
    ended = run(script, tmp_path, ACTION="drain", GRACE=1)

    assert ended == Ended(70, output, LEAVING)


@pytest.mark.parametrize("end", ["0", "3", "text", "error", "interrupt", "catching"])
def test_a_process_that_leaves_ends_with_our_code_whatever_it_ends_by(
    tmp_path: Path, end: str
) -> None:
    """One rule for `sys.exit()`, `sys.exit(3)`, a sentence, an error, Ctrl-C and the plain end."""
    ended = run(f"ends_by_{end}", tmp_path, ACTION="drain", GRACE=10)

    assert ended.code == 70
    assert set(LEAVING) <= set(ended.events)


@pytest.mark.parametrize(
    ("script", "code", "events"),
    [
        ("bare", -signal.SIGTERM, []),
        ("waits", -signal.SIGTERM, LEAVING),
        ("uninstalled", -signal.SIGTERM, []),
        ("own_before", 5, LEAVING[1:]),
        ("own_after", 5, LEAVING[1:]),
        ("own_loop", 0, LEAVING[1:]),
        ("ignores", 0, []),
    ],
)
def test_sigterm_ends_a_script_as_it_would_have_ended(
    tmp_path: Path, script: str, code: int, events: list[str]
) -> None:
    """What was reported is delivered; whoever handles or ignores the signal keeps doing so."""
    output = "ready\n" if code < 0 else "ready\nat last\n"

    assert run(script, tmp_path, signal.SIGTERM) == Ended(code, output, events)


def test_a_script_need_not_listen_to_sigterm(tmp_path: Path) -> None:
    """Without the setting the signal ends it before anything is delivered."""
    ended = run("waits", tmp_path, signal.SIGTERM, SIGTERM=False)

    assert ended == Ended(-signal.SIGTERM, "ready\n", [])


def test_forked_children_end_by_sigterm_as_ever(tmp_path: Path) -> None:
    """A signal in the first moments of a child is not lost, and the child does not report for its parent."""
    assert run("forks", tmp_path) == Ended(0, "child ended with -15\n" * 20 + "at last\n", [])


class Workers:
    """A running worker of Celery, and who sends it tasks."""

    def __init__(self, folder: Path, pool: str, **crash: object) -> None:
        self.app = application(folder)
        self.records = folder / "records.jsonl"
        self.output = folder / "output.txt"
        environment = {
            **os.environ,
            "HOLDFAST_TEST_FOLDER": str(folder),
            filing.VARIABLE: str(self.records),
            CRASH: json.dumps({"STATE": str(folder / "state"), **crash}),
        }
        command = ("-A", "tests.paths.leaving_tasks", "worker", "-c2", f"--pool={pool}")
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "celery", *command],
                cwd=ROOT,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        stop(self.process)

    def send(self, task: str, *arguments: object) -> "AsyncResult[object]":
        """Send a task, and return what will become of it."""
        return self.app.send_task(task, arguments)

    def children(self) -> set[object]:
        """Return the processes that the worker has started and that are still there."""
        return {child.pid for child in psutil.Process(self.process.pid).children()}

    def names(self) -> list[str]:
        """Return the names of the events so far."""
        return [str(facts["event"]) for facts in filing.events(self.records)]


def test_a_child_of_celery_is_replaced_after_its_task(tmp_path: Path) -> None:
    """Its result arrives, and so do all others; the parent loses no worker, until the budget is spent."""
    with Workers(tmp_path, "prefork", ACTION="drain", RESTARTS=1) as workers:
        sent = [workers.send("pid", 0.05) for _ in range(6)]
        bugs = [workers.send("bug") for _ in range(2)]
        sent += [workers.send("pid", 0.05) for _ in range(6)]
        failures = [type(bug.get(timeout=DEADLINE, propagate=False)) for bug in bugs]
        answers = [result.get(timeout=DEADLINE) for result in sent]
        wait_until(lambda: "crash.budget_spent" in workers.names(), workers.output.read_text)
        wait_until(lambda: "process.leaving" in workers.names(), workers.output.read_text)
        (gone,) = {facts["pid"] for facts in filing.events(workers.records) if "waited" in facts}
        wait_until(lambda: len(workers.children() - {gone}) == 2, workers.output.read_text)
        log = workers.output.read_text()

    assert failures == [KeyError] * 2
    assert len(answers) == 12
    assert "exited with" not in log
    assert "WorkerLostError" not in log
    assert workers.names().count("error.handled") == 2
    # The child, and at its end the worker itself.
    assert workers.names().count("process.draining") == 2
    assert workers.names().count("process.leaving") == 2


def test_a_worker_of_celery_without_children_leaves_as_a_whole(tmp_path: Path) -> None:
    """It finishes what its threads do, and ends with our code."""
    with Workers(tmp_path, "threads", ACTION="drain") as workers:
        workers.send("pid").get(timeout=DEADLINE)
        slow = workers.send("pid", 1.0)
        wait_until(lambda: "begun" in workers.names())
        bug = workers.send("bug")

        assert workers.process.wait(DEADLINE) == 70
        assert isinstance(bug.get(timeout=1, propagate=False), KeyError)
        assert slow.get(timeout=1) == workers.process.pid
        assert workers.names() == ["begun", *LEAVING]
