"""The command `holdfast`: what it understands, and what it says of what it does not."""

import subprocess
import sys
from pathlib import Path

import pytest

import holdfast
from holdfast.cli import main
from holdfast.environment import default
from holdfast.hooks.jobs.state import VARIABLE


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return what is said of a command line that makes no sense: status 2, nothing on standard output."""
    with pytest.raises(SystemExit) as left:
        main(arguments)
    printed = capsys.readouterr()
    assert left.value.code == 2
    assert printed.out == ""
    return printed.err


RUN = ("run", "--name", "nightly")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "required: command"),
        (("fly",), "invalid choice: 'fly'"),
        (("run", "--", "true"), "--name"),
        ((*RUN, "--"), "which command"),
        (RUN, "which command"),
        (("run", "--name", "../x", "--", "true"), "name of a job"),
        ((*RUN, "--within", "soon", "--", "true"), "invalid float value: 'soon'"),
        ((*RUN, "--within", "0", "--", "true"), "within"),
        ((*RUN, "--grace", "-1", "--", "true"), "grace"),
        ((*RUN, "--lock", "flock", "--", "true"), "a lock is file, none, sql:URL or redis:URL"),
        ((*RUN, "--lock", "sql:", "--", "true"), "a lock is file"),
        ((*RUN, "--lock", "sql:oracle://h/x", "--", "true"), "not of 'oracle'"),
        ((*RUN, "--ping", "hc-ping.com/x", "--", "true"), "address of pings"),
        ((*RUN, "--reporters", "loging", "--", "true"), "logging"),
        ((*RUN, "--level", "LOUD", "--", "true"), "LOUD"),
        (("check", "no-such-folder"), "no-such-folder"),
    ],
)
def test_what_makes_no_sense_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    """Status 2 and one sentence that says what is wrong; nothing is run."""
    assert said in refused(capsys, *arguments)


@pytest.mark.parametrize(
    "url",
    [
        "mysql://shop:hunter2/qwertz@db/jobs",
        "postgresql://shop:hunter2#qwertz@db/jobs",
        "postgresql://shop:hunter2%qwertz@db/jobs",
        "postgresql://shop:12/hunter2qwertz@db/jobs",
        "postgresql://shop:hunter2[qwertz@db/jobs",
        "postgresql://shop:hunter2\u2100qwertz@db/jobs",
        "mysql://shop:hunter2qwertz@db:port/jobs",
    ],
)
def test_no_piece_of_a_password_is_printed(capsys: pytest.CaptureFixture[str], url: str) -> None:
    """A URL whose password was not encoded is refused without being quoted."""
    said = refused(capsys, *RUN, "--lock", f"sql:{url}", "--", "true")

    assert said == "holdfast: the URL of the lock cannot be read; percent-encode the password\n"


@pytest.mark.extra("redis")
def test_no_piece_of_a_password_for_redis_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """The same for the other store."""
    lock = ("--lock", "redis://:hunter2/qwertz@host/0".replace("redis:", "redis:redis:", 1))

    said = refused(capsys, *RUN, *lock, "--", "true")

    assert "percent-encode" in said
    assert "hunter2" not in said


def test_a_folder_that_cannot_be_made_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """No run begins without the place that was asked for."""
    (tmp_path / "file").write_text("")
    folder = str(tmp_path / "file" / "jobs")

    assert folder in refused(capsys, *RUN, "--state", folder, "--", "true")


def test_whoever_reads_findings_may_stop(tmp_path: Path) -> None:
    """`holdfast check . | head -1` says nothing of a broken pipe."""
    (tmp_path / "shop.py").write_text("import os\n" + "os._exit(1)\n" * 3000)
    check = [sys.executable, "-m", "holdfast", "check", str(tmp_path)]

    with subprocess.Popen(check, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()

    assert (said, process.returncode) == (b"", 1)


def test_a_schedule_without_croniter_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An extra that is missing is named."""
    monkeypatch.delitem(sys.modules, "holdfast.integrations.croniter", raising=False)
    monkeypatch.setitem(sys.modules, "croniter", None)

    assert "holdfast[schedule]" in refused(capsys, *RUN, "--schedule", "0 3 * * *", "--", "true")


@pytest.mark.extra("croniter")
def test_a_schedule_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """So is a time zone that does not exist."""
    assert "five fields" in refused(capsys, *RUN, "--schedule", "daily", "--", "true")
    asked = ("--schedule", "0 3 * * *", "--timezone", "Mars/Olympus", "--", "true")
    assert "Mars/Olympus" in refused(capsys, *RUN, *asked)


def test_help_tells_the_exit_statuses(capsys: pytest.CaptureFixture[str]) -> None:
    """The contract stands where one looks for it."""
    with pytest.raises(SystemExit) as left:
        main(["run", "--help"])

    printed = capsys.readouterr().out
    assert left.value.code == 0
    assert all(word in printed for word in ("75", "124", "128 + n", "--pass-status"))


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """That of the package."""
    with pytest.raises(SystemExit):
        main(["--version"])

    assert capsys.readouterr().out == f"holdfast {holdfast.__version__}\n"


def test_every_code_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """One line each, with status, class and title."""
    assert main(["codes"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert "TOKEN_EXPIRED 401 AuthenticationError Token expired" in {
        " ".join(line.split()) for line in lines
    }
    assert lines == sorted(lines)


def test_a_project_without_findings_passes(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Status 0 and one sentence."""
    (tmp_path / "shop.py").write_text("def pay() -> None: ...\n")

    assert main(["check", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "no error escapes, as far as can be told from here\n"


def test_findings_are_printed_with_their_place(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Status 1 and a line each, as editors read them."""
    (tmp_path / "shop.py").write_text("import os\nos._exit(1)\n")

    assert main(["check", str(tmp_path)]) == 1
    assert capsys.readouterr().out.startswith(f"{tmp_path / 'shop.py'}:2: ended: ")


def test_a_process_is_looked_at_after_an_import(tmp_path: Path) -> None:
    """`--app` imports a module of the folder one is in, and says what became of the hooks."""
    (tmp_path / "shop.py").write_text(
        "import sys, holdfast\n"
        "holdfast.configure(service='shop', hooks={'logging': False}).install()\n"
        "sys.excepthook = sys.__excepthook__  # holdfast: ok\n"
    )

    done = subprocess.run(
        [sys.executable, "-m", "holdfast", "check", "--app", "shop:app"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )

    assert done.returncode == 1
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == [
        "switched off",
        "replaced",
    ]


def test_a_module_that_cannot_be_imported_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The reason is Python's."""
    said = refused(capsys, "check", "--app", "no_such_shop", str(tmp_path))

    assert "no_such_shop" in said


def test_a_run_can_be_started_in_this_process(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`main` returns the status and leaves no runtime behind."""
    monkeypatch.setenv(VARIABLE, str(tmp_path))

    status = main([*RUN, "--reporters", "", "sh", "-c", "echo done; exit 3"])

    assert status == 1
    assert capfd.readouterr().out == "done\n"
    assert default() is None


def test_the_environment_may_name_lock_and_pings(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is secret in them need not stand on a command line."""
    monkeypatch.setenv("HOLDFAST_LOCK", "sql:oracle://u:p@h/x")
    assert "oracle" in refused(capsys, *RUN, "--", "true")

    monkeypatch.setenv("HOLDFAST_LOCK", "none")
    monkeypatch.setenv("HOLDFAST_PING", "hc-ping.com/x")
    assert "address of pings" in refused(capsys, *RUN, "--", "true")
