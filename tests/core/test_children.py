"""Children of a process: what ends them is handled in them, or in the parent when they cannot."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from holdfast.hooks import children
from holdfast.hooks.children import Children, start_process

COMMON = """
import atexit, json, logging, multiprocessing, os, pickle, signal, sys, threading
import holdfast
from holdfast import Origin, Runtime, Settings, start_process, work_context
from holdfast.settings import HooksSettings, ReportingSettings


class Filing:
    name = "filing"

    def report(self, event):
        record = event.record
        self.write([record.origin.boundary, record.origin.operation, record.classification.code,
                    record.trace_id, record.message, os.getpid() == PARENT])

    def close(self):
        if os.environ.get("CLOSES"):
            self.write(["closed", os.getpid() == PARENT])

    def write(self, facts):
        descriptor = os.open(os.environ["RECORDS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(descriptor, json.dumps(facts).encode() + b"\\n")
        os.close(descriptor)


def filing(_):
    if os.environ.get("BROKEN") and os.getpid() != PARENT:
        raise OSError
    return Filing()


PARENT = int(os.environ.setdefault("PARENT", str(os.getpid())))


def fails():
    raise LookupError("no row")


def handles():
    holdfast.current_runtime().handle(ValueError("handled"), Origin(boundary="job"))


def install(**more):
    return holdfast.init_error_system(reporters=["__main__:filing"], **more)


"""


def run(
    folder: Path, source: str, **environment: str
) -> tuple[list[list[object]], subprocess.CompletedProcess[str]]:
    """Run a program with children, and return what was reported by all of them."""
    program, records = folder / "program.py", folder / "records"
    program.write_text(COMMON + textwrap.dedent(source))
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", str(program)],
        env={**os.environ, "RECORDS": str(records), **environment},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    lines = records.read_text().splitlines() if records.exists() else []
    return [json.loads(line) for line in lines], done


def test_a_forked_child_delivers_what_it_reported(tmp_path: Path) -> None:
    """Errors it handled, and the one that ended it: each once, by the child, which closes its reporters."""
    records, done = run(
        tmp_path,
        """
        install()
        context = multiprocessing.get_context("fork")
        handles()
        for target in (handles, fails):
            child = context.Process(target=target)
            child.start()
            child.join()
            print(child.exitcode)
        """,
        CLOSES="1",
    )

    assert done.stdout.split() == ["0", "1"]
    assert sorted(str(record[0]) for record in records if not record[-1]) == [
        "child",
        "closed",
        "closed",
        "job",
    ]
    assert sorted(str(record[0]) for record in records if record[-1]) == ["closed", "job"]


def test_children_of_children_are_heard(tmp_path: Path) -> None:
    """Each is its own child, and tells of itself alone."""
    records, done = run(
        tmp_path,
        """
        context = multiprocessing.get_context("fork")

        def middle():
            child = context.Process(target=fails)
            child.start()
            child.join()

        install()
        child = context.Process(target=middle)
        child.start()
        child.join()
        print(child.exitcode)
        """,
    )

    assert done.stdout.split() == ["0"]
    assert [record[:2] for record in records] == [["child", "fails"]]


def test_a_spawned_child_whose_main_module_installs_a_runtime_is_heard(tmp_path: Path) -> None:
    """Its main module is read before it runs; the traceback is as ever."""
    records, done = run(
        tmp_path,
        """
        holdfast.init_error_system(reporters=[f"{__name__}:filing"])
        if __name__ == "__main__":
            child = multiprocessing.get_context("spawn").Process(target=fails)
            child.start()
            child.join()
        """,
    )

    assert [record[:2] for record in records] == [["child", "fails"]]
    assert "children.py" not in done.stderr
    assert done.stderr.count("LookupError: no row") == 1


def test_a_runtime_that_a_child_installs_itself_hears_what_ends_it(tmp_path: Path) -> None:
    """Up to Python 3.12; later the error is out of reach once the child runs, and the parent tells."""
    records, _ = run(
        tmp_path,
        """
        def installs():
            holdfast.init_error_system(reporters=["__mp_main__:filing"])
            handles()
            fails()

        if __name__ == "__main__":
            child = multiprocessing.get_context("spawn").Process(target=installs)
            child.start()
            child.join()
        """,
    )

    seen = ["job", "child"] if sys.version_info < (3, 13) else ["job"]
    assert [record[0] for record in records] == seen


def test_children_are_left_alone_when_nobody_asks(tmp_path: Path) -> None:
    """Neither a setting that says so nor a runtime that was uninstalled makes a record."""
    records, done = run(
        tmp_path,
        """
        context = multiprocessing.get_context("fork")
        runtime = install(hooks={"processes": False})
        child = context.Process(target=fails)
        child.start()
        child.join()
        runtime.uninstall()
        runtime = Runtime(Settings(reporters=("__main__:filing",))).install()
        runtime.uninstall()
        child = context.Process(target=fails)
        child.start()
        child.join()
        """,
    )

    assert records == []
    assert done.stderr.count("LookupError: no row") == 2


def test_fork_while_threads_hold_locks_does_not_deadlock(tmp_path: Path) -> None:
    """A child of a process whose threads are handling errors handles its own, and delivers it."""
    records, done = run(
        tmp_path,
        """
        runtime = install(reporting={"queue_size": 100000})
        stop = threading.Event()

        def hammer():
            while not stop.is_set():
                handles()
                logging.getLogger("shop").error("odd", exc_info=ValueError("logged"))

        logging.getLogger("shop").addHandler(logging.NullHandler())
        threads = [threading.Thread(target=hammer) for _ in range(3)]
        for thread in threads:
            thread.start()
        for number in range(20):
            child = os.fork()
            if not child:
                signal.alarm(20)
                runtime.handle(ValueError(f"child {number}"), Origin(boundary="forked"))
                os._exit(0 if runtime.flush(10) else 1)
            print(os.waitpid(child, 0)[1])
        stop.set()
        for thread in threads:
            thread.join()
        """,
    )

    assert done.stdout.split() == ["0"] * 20
    seen = [record[4] for record in records if record[0] == "forked"]
    assert seen == [f"child {number}" for number in range(20)]


def test_a_thread_of_a_child_that_fails_late_is_heard(tmp_path: Path) -> None:
    """Its reporters are closed by then, and take it all the same."""
    records, _ = run(
        tmp_path,
        """
        def starts():
            threading.Timer(0.3, fails).start()

        install()
        child = multiprocessing.get_context("fork").Process(target=starts)
        child.start()
        child.join()
        """,
    )

    assert [record[0] for record in records] == ["thread"]


class TestStartProcess:
    """Start a process so that nothing of its end is lost."""

    def test_what_a_child_inherits(self, tmp_path: Path) -> None:
        """Its own settings, and the id of the work, but no runtime over one of its own."""
        records, done = run(
            tmp_path,
            """
            def tells():
                print(holdfast.current_runtime().settings.service, holdfast.current_trace_id())
                fails()

            if __name__ == "__mp_main__" and os.environ.get("OWN"):
                holdfast.init_error_system(service="own", reporters=["__mp_main__:filing"])
            if __name__ == "__main__":
                install(service="shop")
                for own in ("", "1"):
                    os.environ["OWN"] = own
                    with work_context("request-1"):
                        start_process(multiprocessing.get_context("spawn").Process(target=tells)).join()
            """,
        )

        assert done.stdout.splitlines() == ["shop request-1", "own request-1"]
        assert [record[:4] for record in records] == [
            ["child", "tells", "INTERNAL_ERROR", "request-1"]
        ] * 2

    def test_settings_that_cannot_travel_do_not_keep_a_child_from_running(
        self, tmp_path: Path
    ) -> None:
        """It runs without a runtime, and the parent tells that it failed."""
        records, done = run(
            tmp_path,
            """
            def tells():
                print("runs", flush=True)
                fails()

            def of_no_module():
                class Local(Settings):
                    __slots__ = ()
                return Local

            if __name__ == "__main__":
                context = multiprocessing.get_context("spawn")
                Runtime(of_no_module()(reporters=("__main__:filing",))).install()
                start_process(context.Process(target=tells)).join()
            """,
        )

        assert done.stdout.split() == ["runs"]
        assert [record[:3] for record in records] == [["child", "tells", "UNEXPLAINED_FAILURE"]]

    def test_a_reporter_that_cannot_be_made_does_not_keep_a_child_from_running(
        self, tmp_path: Path
    ) -> None:
        """A line on standard error says so."""
        records, done = run(
            tmp_path,
            """
            def tells():
                print("runs", flush=True)

            if __name__ == "__main__":
                install()
                start_process(multiprocessing.get_context("spawn").Process(target=tells)).join()
            """,
            BROKEN="1",
        )

        assert done.stdout.split() == ["runs"]
        assert "holdfast: cannot install a runtime in a child: SettingsError" in done.stderr
        assert records == []

    def test_the_status_of_a_child_is_there_for_everybody(self, tmp_path: Path) -> None:
        """Ours looks at it without taking it, whoever waits at the same time."""
        records, done = run(
            tmp_path,
            """
            install()
            context = multiprocessing.get_context("fork")
            for number in range(20):
                child = start_process(context.Process(target=os._exit, args=(number,)))
                child.join()
                print(child.exitcode)
            """,
        )

        assert done.stdout.split() == [str(number) for number in range(20)]
        assert len(records) == 19
        assert {record[2] for record in records} == {"UNEXPLAINED_FAILURE"}

    def test_a_child_that_nobody_joins_is_heard(self, tmp_path: Path) -> None:
        """The process waits for its children at its end, and tells of them then."""
        records, _ = run(
            tmp_path,
            """
            def dies():
                threading.Event().wait(0.3)
                os.kill(os.getpid(), signal.SIGKILL)

            install()
            start_process(multiprocessing.get_context("fork").Process(target=dies))
            """,
        )

        assert [record[2] for record in records] == ["PROCESS_CRASHED"]

    def test_a_process_that_cannot_be_started_is_refused_as_ever(self) -> None:
        """Nothing of ours stays with it."""

        class Broken:
            """A process that cannot be started."""

            _target = None

            def start(self) -> None:
                """Fail."""
                raise OSError("no more processes")

        process = Broken()

        with pytest.raises(OSError, match="no more processes"):
            start_process(process)  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
        assert vars(process) == {}


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (None, "PROCESS_CRASHED", "child process 7 ended without a word"),
        (3, "UNEXPLAINED_FAILURE", "child process 7 ended with status 3, and no error was seen"),
        (-signal.SIGKILL, "PROCESS_CRASHED", "child process 7 was ended by SIGKILL"),
        (-40, "PROCESS_CRASHED", "child process 7 was ended by signal 40"),
    ],
)
def test_an_end_is_told_in_words(status: int | None, code: str, said: str) -> None:
    """By status, by signal, or by neither."""
    error = children._error(status, 7)

    assert (error.code, str(error)) == (code, said)


def test_the_hook_may_be_put_in_place_twice() -> None:
    """Nothing is registered again."""
    hook = Children()

    hook.install()
    hook.install()
    hook.uninstall()

    assert not hook._has_begun()
