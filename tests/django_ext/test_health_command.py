"""`manage.py holdfast health`."""

import json
import sys
import threading

import pytest
from django.core.management import ManagementUtility, call_command
from django.test import override_settings

from holdfast.health import HealthRegistry
from tests.django_ext.conftest import RecordingProject


def fail() -> None:
    """Fail with a reason."""
    raise ConnectionError("no route to the orders")


def run(*words: str) -> int:
    """Run the command as from a command line; return its exit status."""
    try:
        ManagementUtility(["manage.py", "holdfast", "health", *words]).execute()
    except SystemExit as ended:
        return int(str(ended.code or 0))
    return 0


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ((), 1),
        (("ready",), 0),
        (("ready", "--fail-on", "warn"), 1),
        (("startup",), 1),
        (("live",), 0),
    ],
)
def test_the_exit_status_says_how_a_group_is(
    words: tuple[str, ...],
    status: int,
    registry: HealthRegistry,
    project: RecordingProject,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A warning is well unless one says otherwise; none of it is an error of the project's."""
    registry.register_check("search", fail, critical=False)
    registry.register_check("migrations", fail, groups=["startup"])

    found = run(*words)

    assert found == status
    assert project.recorded.records == []
    assert capsys.readouterr().err == ""


def test_whoever_has_a_shell_sees_everything(
    registry: HealthRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names, reasons and details, by default as text."""
    registry.register_check("orders", fail)

    run()
    text = capsys.readouterr().out
    run("--format", "health+json")
    body = json.loads(capsys.readouterr().out)

    assert "orders" in text
    assert body["checks"]["orders"][0]["details"] == {"error": "no route to the orders"}


def test_an_unknown_group_is_2_and_told_on_standard_error(
    registry: HealthRegistry, project: RecordingProject, capsys: pytest.CaptureFixture[str]
) -> None:
    """As what cannot be understood is."""
    status = run("nobody")

    told = capsys.readouterr()
    assert (status, told.out) == (2, "")
    assert "live, ready, startup" in told.err
    assert project.recorded.records == []


def test_what_cannot_be_understood_is_2(
    registry: HealthRegistry, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By argparse."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)

    assert run("--format", "xml") == 2


@override_settings(ROOT_URLCONF=None)
def test_it_needs_no_addresses(
    registry: HealthRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    """A worker's project may have none."""
    registry.register_check("orders", lambda: True)

    call_command("holdfast", "health", "ready")

    assert "orders" in capsys.readouterr().out


def test_it_does_not_wait_for_what_hangs(
    registry: HealthRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    """Longer than the check may take."""
    released = threading.Event()
    registry.register_check("orders", lambda: released.wait(20) and None, timeout=0.1)
    try:
        status = run()
    finally:
        released.set()

    assert status == 1
    assert "no answer in 0.1 s" in capsys.readouterr().out
