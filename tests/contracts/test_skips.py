"""A test whose service or library is missing is skipped in words, or fails where it is required."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"
CONFIGURATION = """
[pytest]
markers = ["service(name)", "extra(*modules)"]
strict = true
"""
SERVICE_TEST = """
import pytest

@pytest.mark.service("redis")
def test_service(): pass
"""
EXTRA_TEST = """
import pytest

@pytest.mark.extra("json", "no_such_library")
def test_extra(): pass
"""


def outcome(folder: Path, test: str, *, port: int = 1, required: str = "") -> str:
    """Run one test by itself under the real conftest, and return what pytest prints."""
    conftest = f"{CONFTEST.read_text()}\nSERVICES['redis'] = {port}\n"
    (folder / "conftest.py").write_text(conftest)
    (folder / "pytest.toml").write_text(CONFIGURATION)
    (folder / "test_it.py").write_text(test)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HOLDFAST_")}
    if required:
        environment[required] = "1"

    return subprocess.run(
        [sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider", "test_it.py"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    ).stdout


@pytest.fixture
def listening_port() -> Iterator[int]:
    """Give a port on which something listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_test_of_an_absent_service_is_skipped_with_its_reason(tmp_path: Path) -> None:
    """Without its service a test is skipped, and the reason names service and port."""
    printed = outcome(tmp_path, SERVICE_TEST)

    assert "redis does not listen on 127.0.0.1:1" in printed
    assert "1 skipped" in printed


def test_a_test_of_an_absent_service_fails_where_services_are_required(tmp_path: Path) -> None:
    """Under HOLDFAST_REQUIRE_SERVICES=1 an absent service is a failure."""
    printed = outcome(tmp_path, SERVICE_TEST, required="HOLDFAST_REQUIRE_SERVICES")

    assert "redis does not listen on 127.0.0.1:1, and is required here" in printed
    assert "1 error" in printed


def test_a_test_of_a_present_service_runs(tmp_path: Path, listening_port: int) -> None:
    """With its service listening a test runs."""
    printed = outcome(tmp_path, SERVICE_TEST, port=listening_port)

    assert "1 passed" in printed


def test_a_test_of_a_missing_library_is_skipped_with_its_reason(tmp_path: Path) -> None:
    """Without one of its libraries a test is skipped, and the reason names that one."""
    printed = outcome(tmp_path, EXTRA_TEST)

    assert "no_such_library is not installed" in printed
    assert "1 skipped" in printed


def test_a_test_of_a_missing_library_fails_where_extras_are_required(tmp_path: Path) -> None:
    """Under HOLDFAST_REQUIRE_EXTRAS=1 a missing library is a failure."""
    printed = outcome(tmp_path, EXTRA_TEST, required="HOLDFAST_REQUIRE_EXTRAS")

    assert "no_such_library is not installed, and is required here" in printed
    assert "1 error" in printed


def test_the_two_requirements_are_separate(tmp_path: Path) -> None:
    """Required services do not make libraries required."""
    printed = outcome(tmp_path, EXTRA_TEST, required="HOLDFAST_REQUIRE_SERVICES")

    assert "1 skipped" in printed
