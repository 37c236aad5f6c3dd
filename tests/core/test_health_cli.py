"""`holdfast health`: the exit status tells, bounded in time, whatever is asked."""

import contextlib
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Generator
from pathlib import Path

import pytest

from holdfast.cli import main
from holdfast.health import degraded
from holdfast.health.serving import serve
from holdfast.testing import RecordingRuntime


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Return status, standard output and standard error of a command."""
    try:
        status = main(["health", *arguments])
    except SystemExit as left:
        status = int(left.code or 0)
    printed = capsys.readouterr()
    return status, printed.out, printed.err


@pytest.fixture
def url(runtime: RecordingRuntime) -> Generator[str]:
    """Address of the endpoints of `runtime`."""
    with contextlib.closing(serve(0, runtime=runtime)) as server:
        yield f"http://127.0.0.1:{server.port}/health"


def test_a_running_endpoint_is_asked(
    runtime: RecordingRuntime, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of it, or a group."""
    runtime.health.register_check("db", lambda: False)

    assert told(capsys, "--url", url) == (1, "fail\n", "")
    assert told(capsys, "live", "--url", url) == (0, "pass\n", "")
    assert told(capsys, "ready", "--url", f"{url}/") == (1, "fail\n", "")
    assert told(capsys, "--url", f"{url}/live?format=json")[:2] == (0, '{"status":"pass"}\n')


@pytest.mark.parametrize("form", ["text", "json", "health+json"])
def test_a_warning_fails_for_whoever_says_so(
    runtime: RecordingRuntime, url: str, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    """In every format, as the endpoint answers 200 to it."""
    runtime.health.register_check("queue", lambda: degraded("lags behind"))

    assert told(capsys, "--url", url, "--format", form)[0] == 0
    assert told(capsys, "--url", url, "--format", form, "--fail-on", "warn")[0] == 1


def test_nothing_of_the_environment_is_in_the_way(
    url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy for the outside is not asked about this machine."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    assert told(capsys, "--url", url)[0] == 0


@contextlib.contextmanager
def answering(*pieces: bytes) -> Generator[str]:
    """Answer one request with some bytes, and leave the connection open until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as listening, contextlib.ExitStack() as ends:

        def answer() -> None:
            connection = ends.enter_context(listening.accept()[0])
            connection.recv(10_000)
            for piece in pieces:
                connection.sendall(piece)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/up"
        thread.join(5)


def response(status: int, body: str) -> bytes:
    """Return an answer of another program's."""
    return (
        f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nLocation: /\r\n\r\n{body}".encode()
    )


@pytest.mark.parametrize(
    ("status", "body", "left"),
    [
        (200, "OK", 0),
        (204, "", 0),
        (200, '{"status":"fail"}', 1),
        (200, '{"status":["fail"]}', 0),
        (200, "[" * 5000, 0),
        (500, "oops", 1),
        (503, "", 1),
        (302, "", 2),
        (400, "", 2),
        (404, "", 2),
    ],
)
def test_the_answers_of_other_programs_are_understood(
    capsys: pytest.CaptureFixture[str], status: int, body: str, left: int
) -> None:
    """By status; no redirect is followed, and what is no health endpoint tells nothing."""
    with answering(response(status, body)) as url:
        found, out, err = told(capsys, "--url", url)

    assert found == left
    assert (f"answers {status}" in err) is (left == 2)
    assert bool(out) is (left != 2)


@pytest.mark.parametrize(
    "pieces", [(), (b"HTTP/1.1 200 OK\r\n",), (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx",)]
)
def test_who_does_not_answer_in_time_is_left(
    capsys: pytest.CaptureFixture[str], pieces: tuple[bytes, ...]
) -> None:
    """At whatever it was."""
    with answering(*pieces) as url:
        status, out, err = told(capsys, "--url", url, "--timeout", "0.1")

    assert (status, out) == (2, "")
    assert "did not answer in 0.1 s" in err


def test_where_nobody_listens_nothing_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    """And the address is told."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/health"

    status, _, err = told(capsys, "--url", url)

    assert status == 2
    assert f"{url} cannot be asked: " in err


def test_what_answers_no_http_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """As one that cannot be asked."""
    with answering(b"220 mail.example ESMTP\r\n") as url:
        status, _, err = told(capsys, "--url", url)

    assert status == 2
    assert "cannot be asked" in err


def test_what_an_endpoint_says_does_nothing_to_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Controls are shown, not sent."""
    with answering(response(200, "pass\n\x1b[2Jgone")) as url:
        _, out, _ = told(capsys, "--url", url)

    assert out == "pass\n\\x1b[2Jgone\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "one of the arguments --app --url is required"),
        (("--url", "ftp://host/x"), "--url takes an address"),
        (("--url", "localhost:8000/health"), "--url takes an address"),
        (("--url", "http://"), "--url takes an address"),
        (("--url", "http://shop:hunter2@host/"), "--url takes an address"),
        (("--url", "http://host:many/"), "'many'"),
        (("--url", "http://host/", "--timeout", "0"), "--timeout must be above 0"),
        (("--url", "http://host/", "--timeout", "nan"), "--timeout must be above 0"),
        (("--url", "http://host/", "--timeout", "inf"), "--timeout must be above 0"),
        (("--url", "http://host/", "--timeout", "1e12"), "--timeout must be above 0"),
        (("--url", "http://host/", "--app", "shop"), "not allowed with"),
        (("--url", "http://host/", "--format", "html"), "invalid choice: 'html'"),
        (("--app", "no_such_module"), "--app no_such_module cannot be had: ModuleNotFoundError"),
        (("--app", "json:no_such_name"), "--app json:no_such_name cannot be had: AttributeError"),
    ],
)
def test_what_makes_no_sense_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    """Status 2 and one sentence."""
    status, out, err = told(capsys, *arguments)

    assert (status, out) == (2, "")
    assert said in err
    assert "hunter2" not in err


MODULES = {
    "of_the_process": """
from holdfast import health_check, init_error_system
runtime = init_error_system(service="shop", reporters=[])
health_check.register_check("db", lambda: {"rows": 7})
""",
    "nothing_installed": """
from holdfast import health_check
health_check.register_check("db", lambda: {"rows": 7})
""",
    "factory": """
from holdfast import configure
def make():
    runtime = configure(reporters=[])
    runtime.health.register_check("db", lambda: {"rows": 7})
    return runtime
""",
    "hangs": """
import threading
from holdfast import health_check
health_check.register_check("db", threading.Event().wait, timeout=0.1)
""",
    "broken": """
raise RuntimeError("postgres://shop:hunter2@db")
""",
}


def ran(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the command in a folder, where the modules are."""
    for name, code in MODULES.items():
        (folder / f"{name}.py").write_text(code)
    return subprocess.run(
        [sys.executable, "-m", "holdfast", "health", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "app", ["of_the_process", "nothing_installed:health_check", "factory:make"]
)
def test_the_checks_of_a_module_are_run(tmp_path: Path, app: str) -> None:
    """However it has a runtime; whoever has a shell sees all of it."""
    done = ran(tmp_path, "ready", "--app", app, "--format", "json")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["checks"]["db"]["details"] == {"rows": 7}


def test_a_check_that_hangs_does_not_hold_the_command(tmp_path: Path) -> None:
    """Nor does its thread hold the end of the process."""
    done = ran(tmp_path, "--app", "hangs")

    assert done.returncode == 1
    assert "no answer in 0.1 s" in done.stdout


def test_a_module_that_fails_tells_nothing_of_health(tmp_path: Path) -> None:
    """It is named with its error, without what is secret, and apart from a failing check."""
    done = ran(tmp_path, "--app", "broken")

    assert done.returncode == 2
    assert "RuntimeError" in done.stderr
    assert "hunter2" not in done.stderr


def test_a_group_that_there_is_not_is_told(tmp_path: Path) -> None:
    """Apart from a failing check."""
    done = ran(tmp_path, "nowhere", "--app", "nothing_installed")

    assert done.returncode == 2
    assert "no check is in a group 'nowhere'" in done.stderr
