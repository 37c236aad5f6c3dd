"""Nothing of the host changes: one project, run with holdfast and without, is seen to do the same."""

import json
import subprocess
import sys

import pytest

from tests.django_ext.servers import ROOT

Seen = dict[str, object]


def observe(how: str) -> tuple[Seen, str, int]:
    """Run the project to its end; return what it saw, its standard error and its exit status."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.django_ext.project.observed", how],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert done.stdout, done.stderr
    seen: Seen = json.loads(done.stdout)
    return seen, done.stderr, done.returncode


@pytest.fixture(scope="module")
def runs() -> tuple[tuple[Seen, str, int], tuple[Seen, str, int]]:
    """Observe the project with holdfast, and without."""
    return observe("with"), observe("without")


Runs = tuple[tuple[Seen, str, int], tuple[Seen, str, int]]


def same(runs: Runs, *parts: str) -> list[object]:
    """Return what was seen of these parts, which is the same in both runs."""
    (ours, _, _), (theirs, _, _) = runs
    found = [ours[part] for part in parts]
    assert found == [theirs[part] for part in parts]
    return found


def test_the_test_client_raises_what_it_raised(runs: Runs) -> None:
    """With `raise_request_exception` and without; statuses are Django's."""
    requests = [name for name in runs[0][0] if " " in name]

    said = dict(zip(requests, same(runs, *requests), strict=True))

    assert said["crash True"] == "KeyError('sku')"
    assert said["crash False"] == "500 b''"
    assert said["leave True"] == "SystemExit(3)"
    assert said["stream True"] == "KeyError('sku')"
    assert len(requests) == 26


def test_djangos_own_lines_stay(runs: Runs) -> None:
    """With `FRAMEWORK_LOG`: the same lines, levels and exceptions in the same order, which admins get by mail."""
    (lines,) = same(runs, "log")

    assert ["django.request", "ERROR", "Internal Server Error: /crash", "KeyError('sku')"] in lines  # type: ignore[operator]  # a list
    assert ["shop", "ERROR", "cannot sell", "KeyError('sku')"] in lines  # type: ignore[operator]  # a list


def test_djangos_signal_is_heard_as_often(runs: Runs) -> None:
    """Once for each error that Django answers with 500."""
    (heard,) = same(runs, "signal")

    assert len(heard) == 4  # type: ignore[arg-type]  # a list


def test_commands_end_as_they_did(runs: Runs) -> None:
    """With the same status or exception, and the same words on both streams."""
    (commands,) = same(runs, "commands")

    ends = [how for how, _, _ in commands]  # type: ignore[attr-defined]  # a list
    assert ends == ["KeyError('sku')", "SystemExit(4)", "SystemExit(5)", "", "SystemExit(2)"]


def test_what_python_prints_of_an_error_stays(runs: Runs) -> None:
    """Line by line, with nothing of ours between, and the process ends with the same status."""
    (_, ours, status), (_, theirs, other) = runs

    assert ours == theirs
    assert (status, other) == (1, 1)
    assert "Exception in thread stock" in ours
    assert "The above exception was the direct cause" in ours


@pytest.mark.extra("sentry_sdk")
def test_sentry_gets_the_same_events(runs: Runs) -> None:
    """While our own reporter for it is off: what its integrations hear, and how."""
    (events,) = same(runs, "sentry")

    assert len(events) > 10  # type: ignore[arg-type]  # a list
