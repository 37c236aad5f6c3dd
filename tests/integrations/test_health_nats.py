"""Whether a NATS server is well: with real ones, that hang, are away, and want a password."""

import re
import shutil
import socket
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from tests.integrations.conftest import need
from tests.integrations.health_checks import SECRET, SHORT, comes, course, left_behind, run, said
from tests.integrations.proxy import proxied

need("nats")

from holdfast.integrations.nats_health import NatsCheck  # noqa: E402  # needed above

PORT = 4222
URL = f"nats://127.0.0.1:{PORT}"
PLACES = "/usr/local/bin:/usr/bin:/usr/sbin:/opt/homebrew/bin"


@contextmanager
def own_server(folder: Path, *options: str) -> Generator[int]:
    """Give the port of a server of one's own; skip where there is no program for one."""
    binary = shutil.which("nats-server") or shutil.which("nats-server", path=PLACES)
    if binary is None:
        pytest.skip("there is no nats-server to start")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    command = [binary, "-a", "127.0.0.1", "-p", str(port), "-sd", str(folder), *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert comes(lambda: answers(port)), "nats-server does not answer"
        yield port
    finally:
        process.kill()
        process.wait(20)


def answers(port: int) -> bool:
    """Tell whether a server greets whoever connects."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.5) as connection:
            return connection.recv(16).startswith(b"INFO")
    except OSError:
        return False


@pytest.mark.service("nats")
def test_a_server_that_answers_passes() -> None:
    """It tells its version, and how long the answer took."""
    result = run(NatsCheck(URL))

    assert (result.status.value, set(result.details)) == ("pass", {"round_trip", "version"})


@pytest.mark.service("nats")
def test_an_outage_is_told_and_ends(caplog: pytest.LogCaptureFixture) -> None:
    """A server that hangs fails in its time-out, one that is away at once; nobody logs it."""
    assert course(lambda port: NatsCheck(f"nats://127.0.0.1:{port}", timeout=SHORT), PORT) == [
        ("pass", ""),
        ("fail", "NATS gives no answer in 0.3 s"),
        ("pass", ""),
        ("fail", "NATS cannot be reached: ConnectionRefusedError"),
        ("pass", ""),
    ]
    assert [record for record in caplog.records if record.name.startswith("nats")] == []


@pytest.mark.service("nats")
def test_a_server_that_hangs_after_its_greeting_fails_in_time() -> None:
    """It sent its facts, and never answers the ping."""
    with proxied(PORT) as proxy:
        proxy.hook = lambda _: b""

        assert said(NatsCheck(f"nats://127.0.0.1:{proxy.port}", timeout=SHORT)) == (
            "fail",
            "NATS gives no answer in 0.3 s",
        )


@pytest.mark.service("nats")
def test_one_of_several_servers_is_enough() -> None:
    """Those that are away are passed over."""
    with proxied(PORT) as proxy:
        proxy.cut()
        away = f"nats://127.0.0.1:{proxy.port}"
        found = [said(NatsCheck([away, URL])), said(NatsCheck([away, away]))[0]]

    assert found == [("pass", ""), "fail"]


@pytest.mark.service("nats")
def test_runs_leave_nothing_behind() -> None:
    """No thread and no connection, whether it is there or not."""
    assert left_behind(NatsCheck(URL)) == (0, 0)
    with proxied(PORT) as proxy:
        proxy.cut()
        assert left_behind(NatsCheck(f"nats://127.0.0.1:{proxy.port}")) == (0, 0)


def test_a_wrong_password_is_told_as_such(tmp_path: Path) -> None:
    """Neither the right nor the wrong one is in what is said."""
    with own_server(tmp_path, "--user", "shop", "--pass", SECRET) as port:
        right = NatsCheck(f"nats://shop:{SECRET}@127.0.0.1:{port}")
        given = NatsCheck(f"nats://127.0.0.1:{port}", options={"user": "shop", "password": SECRET})
        wrong = NatsCheck(f"nats://shop:not-{SECRET}@127.0.0.1:{port}")
        none = NatsCheck(f"nats://127.0.0.1:{port}")
        found = [run(check) for check in (right, given, wrong, none)]

    refused = ("fail", "NATS refuses the user or the password, or wants one")
    assert [(result.status.value, result.output) for result in found] == [
        ("pass", ""),
        ("pass", ""),
        refused,
        refused,
    ]
    assert SECRET not in repr((right, given, wrong, found))


def test_jetstream_is_there_or_not(tmp_path: Path) -> None:
    """It is asked for only where that is wanted."""
    with own_server(tmp_path) as port:
        url = f"nats://127.0.0.1:{port}"
        without = [said(NatsCheck(url)), said(NatsCheck(url, jetstream=True))]
    with own_server(tmp_path, "-js") as port:
        result = run(NatsCheck(f"nats://127.0.0.1:{port}", jetstream=True))

    assert without == [("pass", ""), ("fail", "NATS has no JetStream for this user")]
    assert (result.status.value, result.details["streams"]) == ("pass", 0)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"timeout": 0}, "timeout must be above 0 seconds and at most 86,400, not 0"),
        ({"servers": []}, "servers must be URLs"),
        ({"servers": f"nats://shop:{SECRET}/x@host"}, "the password percent-encoded"),
        ({"servers": [URL, f"http://:{SECRET}@host"]}, "that begin with nats://"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(options: dict[str, Any], complaint: str) -> None:
    """The message names it, and shows no password."""
    with pytest.raises(ValueError, match=re.escape(complaint)) as refused:
        cast("Any", NatsCheck)(**{"servers": URL, **options})

    assert SECRET not in str(refused.value)
