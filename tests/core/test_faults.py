"""What a fatal signal leaves is told of at the next start, once, and nothing of the host is taken."""

import faulthandler
import fcntl
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import Settings, work_context
from holdfast.hooks import faults
from holdfast.hooks.faults import MAX_BYTES, MAX_FRAMES, Faults, read_fault, tell_of
from holdfast.settings import HooksSettings
from holdfast.testing import FakeClock, RecordingRuntime

LOG = """\
Fatal Python error: Segmentation fault

Thread 0x00007f01 (most recent call first):
  File "/srv/shop/waits.py", line 3 in wait

Current thread 0x00007f02 (most recent call first):
  File "/srv/shop/native.py", line 12 in call
  File "/srv/shop/main.py", line 7 in <module>

Extension modules: shop._native (total: 1)
"""
NAME = "shop.py.4242.20240115T103000000000.fault"


@pytest.fixture
def runtime() -> Generator[RecordingRuntime]:
    """Install a runtime without any hook."""
    hooks = HooksSettings(uncaught=False, logging=False, processes=False, asyncio=False)
    runtime = RecordingRuntime(Settings(reporters=(), hooks=hooks))
    runtime.install()
    yield runtime
    runtime.uninstall()


@contextmanager
def installed(folder: Path) -> Generator[RecordingRuntime]:
    """Install a runtime that keeps fault logs in a folder."""
    hooks = HooksSettings(
        uncaught=False, logging=False, processes=False, asyncio=False, faults=str(folder)
    )
    runtime = RecordingRuntime(Settings(reporters=(), hooks=hooks))
    runtime.install()
    try:
        yield runtime
    finally:
        runtime.uninstall()


@pytest.fixture
def no_host() -> Generator[None]:
    """Switch off the fault handler that pytest keeps, and on again afterwards."""
    enabled = faulthandler.is_enabled()
    faulthandler.disable()
    yield
    faulthandler.disable()
    if enabled:
        faulthandler.enable(sys.__stderr__ or 2)


def run(folder: Path, source: str) -> subprocess.CompletedProcess[str]:
    """Run a program with fault logs in a folder; it says what was reported."""
    common = """
        import ctypes, multiprocessing, os, resource, signal, sys, threading
        from holdfast import Runtime, Settings
        from holdfast.settings import HooksSettings

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

        class Printer:
            name = "printer"
            def report(self, event):
                record = event.record
                print(record.classification.code, record.origin.boundary, record.details["signal"], flush=True)

        settings = Settings(reporters=(), hooks=HooksSettings(faults=os.environ["FAULTS"]))
        runtime = Runtime(settings, reporters=[Printer()]).install()
        """
    environment = {**os.environ, "FAULTS": str(folder), "PYTHONFAULTHANDLER": ""}
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(common) + textwrap.dedent(source)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def left(folder: Path, text: str = LOG, name: str = NAME) -> Path:
    """Leave a log behind, as of a process that is gone."""
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("crash", "name"),
    [
        ("ctypes.string_at(0)", "SIGSEGV"),
        ("os.abort()", "SIGABRT"),
        ("signal.raise_signal(signal.SIGBUS)", "SIGBUS"),
        ("signal.raise_signal(signal.SIGFPE)", "SIGFPE"),
        ("signal.raise_signal(signal.SIGILL)", "SIGILL"),
    ],
)
def test_a_fatal_signal_is_told_of_at_the_next_start(tmp_path: Path, crash: str, name: str) -> None:
    """Once; nothing but the log of the process that runs is in the folder then."""
    folder = tmp_path / "faults" / "shop"

    crashed = run(folder, crash)
    again = run(folder, "runtime.flush(); print(len(os.listdir(os.environ['FAULTS'])))")
    third = run(folder, "")

    assert crashed.returncode == -signal.Signals[name]
    assert crashed.stdout == ""
    assert again.stdout.splitlines() == [f"PROCESS_CRASHED fault {name}", "1"]
    assert third.stdout == ""
    assert again.stderr == third.stderr == ""


def test_a_record_says_what_the_log_says(runtime: RecordingRuntime, tmp_path: Path) -> None:
    """The program, the signal, where the thread was, and when; it is of no piece of work."""
    path = left(tmp_path)
    os.utime(path, (1705314605.5, 1705314605.5))

    with work_context("request-1"):
        tell_of(tmp_path)

    (record,) = runtime.recorded.records
    assert not path.exists()
    assert record.trace_id != "request-1"
    assert (record.origin.boundary, record.origin.operation) == ("fault", "shop.py")
    assert record.message == "shop.py, process 4242, was ended by SIGSEGV"
    assert record.classification.severity.name == "CRITICAL"
    assert dict(record.details) == {
        "signal": "SIGSEGV",
        "said": "Segmentation fault",
        "pid": 4242,
        "started": "2024-01-15T10:30:00+00:00",
        "ended": "2024-01-15T10:30:05.500000+00:00",
        "threads": 2,
        "frames": [
            'File "/srv/shop/native.py", line 12 in call',
            'File "/srv/shop/main.py", line 7 in <module>',
        ],
    }


def test_logs_of_processes_that_live_are_left_alone(
    runtime: RecordingRuntime, tmp_path: Path
) -> None:
    """Whoever holds the lock still writes."""
    path = left(tmp_path)
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        tell_of(tmp_path)

    assert path.exists()
    assert runtime.recorded.records == []


def test_files_that_are_no_logs_are_left_alone(runtime: RecordingRuntime, tmp_path: Path) -> None:
    """Nor is a link followed, which somebody may have laid there."""
    secret = tmp_path / "secret"
    secret.write_text(LOG)
    folder = tmp_path / "faults"
    folder.mkdir()
    other = left(folder, name="notes.fault")
    link = folder / NAME
    link.symlink_to(secret)
    (folder / "a.1.20240115T103000000000.fault").mkdir()

    tell_of(folder)

    assert other.exists()
    assert link.is_symlink()
    assert secret.exists()
    assert runtime.recorded.records == []


def test_logs_of_other_users_are_left_alone(
    runtime: RecordingRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder may be everybody's."""
    path = left(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)

    tell_of(tmp_path)

    assert path.exists()
    assert runtime.recorded.records == []


def test_empty_logs_are_removed_without_a_word(runtime: RecordingRuntime, tmp_path: Path) -> None:
    """Most processes end well."""
    path = left(tmp_path, "\n")

    tell_of(tmp_path)

    assert not path.exists()
    assert runtime.recorded.records == []


def test_secrets_and_floods_do_not_come_out(runtime: RecordingRuntime, tmp_path: Path) -> None:
    """What a log holds is redacted, and cut to a size that can be reported."""
    frames = "".join(f'  File "/srv/{n}.py", line {n} in f\n' for n in range(10_000))
    token = "ghp_" + "a1B2" * 9
    text = LOG.replace("/srv/shop/native.py", f"/srv/{token}.py").replace(
        '  File "/srv/shop/main.py", line 7 in <module>\n', frames
    )
    left(tmp_path, text)

    tell_of(tmp_path)

    (record,) = runtime.recorded.records
    found = record.details["frames"]
    assert isinstance(found, list)
    assert len(found) == MAX_FRAMES
    assert token not in str(record.details)


def test_many_starts_at_once_tell_of_a_log_once(tmp_path: Path) -> None:
    """Whoever has the lock removes the file before anybody else can read it."""
    for number in range(20):
        left(tmp_path, name=f"shop.{number}.20240115T103000000000.fault")

    starts = [
        subprocess.Popen(
            [sys.executable, "-c", STARTS, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    told = "".join(start.communicate(timeout=30)[0] for start in starts)

    assert sorted(told.split()) == sorted(str(number) for number in range(20))
    assert list(tmp_path.iterdir()) == []


STARTS = """
import sys
from pathlib import Path
from holdfast.hooks.faults import tell_of
from holdfast.testing import RecordingRuntime

runtime = RecordingRuntime().install()
tell_of(Path(sys.argv[1]))
print(*(record.details["pid"] for record in runtime.recorded.records))
"""


def test_a_forked_child_keeps_a_log_of_its_own(tmp_path: Path) -> None:
    """Its crash is told of as one of its own, and the parent's log stays the parent's."""
    forked = run(
        tmp_path,
        """
        for crashes in (True, False):
            child = os.fork()
            if not child:
                if crashes:
                    ctypes.string_at(0)
                os._exit(0)
            print(child if crashes else 0, os.waitpid(child, 0)[1])
        """,
    )
    pid = int(forked.stdout.split()[0])
    (log,) = [path for path in tmp_path.iterdir() if path.stat().st_size]
    again = run(tmp_path, "")

    assert f".{pid}." in log.name
    assert again.stdout == "PROCESS_CRASHED fault SIGSEGV\n"


def test_children_of_multiprocessing_clean_up_after_them(tmp_path: Path) -> None:
    """Their own logs go with them; one that is forked in great numbers leaves nothing."""
    done = run(
        tmp_path,
        """
        context = multiprocessing.get_context("fork")
        for _ in range(3):
            child = context.Process(target=int)
            child.start()
            child.join()
        print(len(os.listdir(os.environ["FAULTS"])))
        """,
    )

    assert done.stdout == "1\n"


def test_a_host_that_keeps_its_own_log_keeps_it(tmp_path: Path) -> None:
    """pytest's, or what `-X faulthandler` switched on; logs left behind are told of all the same."""
    left(tmp_path)
    mine = tmp_path / "mine"
    with mine.open("w") as file:
        faulthandler.enable(file)
        try:
            with installed(tmp_path) as runtime:
                files = sorted(path.name for path in tmp_path.iterdir())
            enabled = faulthandler.is_enabled()
        finally:
            faulthandler.enable(sys.__stderr__ or 2)

    assert files == ["mine"]
    assert enabled
    assert len(runtime.recorded.records) == 1


@pytest.mark.usefixtures("no_host")
def test_a_log_is_kept_as_long_as_the_runtime_is_installed(tmp_path: Path) -> None:
    """One for each process, private to its user; it goes when it is empty."""
    with installed(tmp_path / "new"):
        (log,) = (tmp_path / "new").iterdir()
        enabled, mode = faulthandler.is_enabled(), log.stat().st_mode
        with installed_too(tmp_path / "other"):
            others = (tmp_path / "other").exists()

    assert f".{os.getpid()}." in log.name
    assert enabled
    assert mode & 0o077 == 0
    assert not others
    assert not log.exists()
    assert not faulthandler.is_enabled()


@contextmanager
def installed_too(folder: Path) -> Generator[None]:
    """Attach a further runtime, which asks for another folder."""
    runtime = RecordingRuntime(Settings(reporters=(), hooks=HooksSettings(faults=str(folder))))
    runtime.attach()
    try:
        yield
    finally:
        runtime.uninstall()


@pytest.mark.usefixtures("no_host")
def test_a_log_with_something_in_it_is_kept(tmp_path: Path) -> None:
    """Whatever was written, the next start tells of it."""
    with installed(tmp_path):
        (log,) = tmp_path.iterdir()
        log.write_text(LOG)

    assert log.exists()


@pytest.mark.usefixtures("no_host")
def test_a_log_that_disappears_at_once_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another start may take it for one left behind, before it is locked."""
    claims = iter([False, True])
    claimed = faults._claimed

    def steals(descriptor: int) -> bool:
        if not next(claims, True):
            next(tmp_path.iterdir()).unlink()
        return claimed(descriptor)

    monkeypatch.setattr(faults, "_claimed", steals)

    with installed(tmp_path):
        assert len(list(tmp_path.iterdir())) == 1
        assert faulthandler.is_enabled()


@pytest.mark.usefixtures("no_host")
def test_a_log_that_can_never_be_kept_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line on standard error says so, and the process goes on."""

    def never(_: int) -> bool:
        return False

    monkeypatch.setattr(faults, "_claimed", never)

    with installed(tmp_path):
        assert not faulthandler.is_enabled()

    assert "holdfast: cannot keep a fault log: OSError" in capsys.readouterr().err


@pytest.mark.usefixtures("no_host")
def test_a_folder_that_cannot_be_had_is_said_and_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing keeps the process from starting."""
    (tmp_path / "file").write_text("")

    with installed(tmp_path / "file" / "faults"):
        assert not faulthandler.is_enabled()

    assert capsys.readouterr().err == (
        "holdfast: cannot keep a fault log: NotADirectoryError; see HOOKS.FAULTS\n"
    )


def test_without_a_folder_nothing_is_kept() -> None:
    """The hook alone asks for nothing."""
    hook = Faults(FakeClock())

    hook.install()
    hook.uninstall()

    assert hook._log is None


def test_a_child_that_cannot_keep_a_log_keeps_none(tmp_path: Path) -> None:
    """It does not write into its parent's."""
    done = run(
        tmp_path / "faults",
        """
        import shutil, faulthandler
        shutil.rmtree(os.environ["FAULTS"])
        child = os.fork()
        if not child:
            print(faulthandler.is_enabled(), flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        print(faulthandler.is_enabled())
        """,
    )

    assert done.stdout == "False\nTrue\n"
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("text", "signal_name", "frames"),
    [
        ("", "", 0),
        ("nothing of the kind", "", 0),
        ("Fatal Python error: Aborted", "SIGABRT", 0),
        ("Fatal Python error: none of the known\n", "none of the known", 0),
        ("Windows fatal exception: access violation\n", "access violation", 0),
        (LOG, "SIGSEGV", 2),
        (LOG.replace("Extension", "\nExtension"), "SIGSEGV", 2),
        (
            LOG.replace("0x00007f02 (most", "0x00007f02 [MainThread] (most")
            + "\nCurrent thread's C stack trace (most recent call first):\n  Binary file\n",
            "SIGSEGV",
            2,
        ),
    ],
)
def test_logs_of_every_version_are_read(text: str, signal_name: str, frames: int) -> None:
    """Python 3.14 names threads and adds the frames of C."""
    fault = read_fault(text)

    assert (fault.signal, len(fault.frames)) == (signal_name, frames)


@given(st.text() | st.integers(0, len(LOG)).map(lambda end: LOG[:end]))
def test_any_text_can_be_read(text: str) -> None:
    """A log may be cut short anywhere, or be something else."""
    fault = read_fault(text)

    assert len(fault.frames) <= MAX_FRAMES


def test_of_a_log_without_end_the_first_part_is_read(
    runtime: RecordingRuntime, tmp_path: Path
) -> None:
    """A process of many threads writes a lot; what happened stands at the beginning."""
    left(tmp_path, LOG + "Thread 0x1 (most recent call first):\n" * MAX_BYTES)

    tell_of(tmp_path)

    (record,) = runtime.recorded.records
    threads = record.details["threads"]
    assert record.details["signal"] == "SIGSEGV"
    assert isinstance(threads, int)
    assert threads < MAX_BYTES // 30


def test_multiprocessing_is_not_loaded_for_this() -> None:
    """Whoever has no children does not pay."""
    program = "import sys; import holdfast.hooks.faults; print('multiprocessing' in sys.modules)"

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout == "False\n"
