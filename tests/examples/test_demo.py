"""The demo: it walks, tells right from wrong, and leaves nothing behind."""

import os
import re
import signal
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import psutil
import pytest

from examples.shop.calculator import CalculatorCode
from examples.shop.errors import ShopCode
from examples.walk import main
from examples.walk.answers import Answer, Outcome, recorded, take
from examples.walk.expectations import audit, objections
from examples.walk.processes import Server
from examples.walk.steps import CALLERS, OURS, WALK, Step
from holdfast import ErrorCode, ErrorKind

ROOT = Path(__file__).parents[2]
DEMO = [sys.executable, "examples/demo.py"]
ENVIRONMENT = {**os.environ, "NO_COLOR": "1"}
STEPS = [step for steps in WALK.values() for step in steps]
NOT_FOUND = next(step for step in CALLERS if step.code == "RESOURCE_NOT_FOUND")
CRASH = next(step for step in OURS if step.path == "/crash")


@pytest.mark.timeout(180)
def test_the_walk_ends_well() -> None:
    """With --once the demo shows every step and ends with status 0."""
    done = subprocess.run(
        [*DEMO, "--once"], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert f"{len(STEPS)} of {len(STEPS)} steps as they should be" in done.stdout
    assert all(step.title in done.stdout for step in STEPS)
    assert "\x1b[" not in done.stdout


@pytest.mark.timeout(180)
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
def test_the_demo_serves_until_it_is_told_to_stop_and_ends_its_children(
    ending: signal.Signals,
) -> None:
    """Without --once it prints where it serves; when it stops, so does all that it started."""
    with subprocess.Popen(
        DEMO, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
    ) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if re.search(r"http://127\.0\.0\.1:\d+  Flask, ASGI", line):
                break
        children = psutil.Process(demo.pid).children(recursive=True)
        demo.send_signal(ending)
        rest = demo.stdout.read()

    assert demo.returncode == 0
    assert "Stopped." in rest
    assert len(children) >= 5
    assert psutil.wait_procs(children, timeout=10)[1] == []


def test_every_kind_of_error_is_walked_through() -> None:
    """None of the twelve kinds is left out."""
    declared = {
        str(code): code.kind for codes in (ErrorCode, CalculatorCode, ShopCode) for code in codes
    }

    assert {declared[step.code] for step in STEPS if step.code in declared} == set(ErrorKind)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (replace(NOT_FOUND, status=410), "status: expected 410, got 404"),
        (replace(NOT_FOUND, code="RESOURCE_GONE"), "except.code: expected 'RESOURCE_GONE'"),
        (replace(NOT_FOUND, body={"message": "Gone"}), "message: expected 'Gone', got"),
        (replace(NOT_FOUND, body={"a.b": 1}), "a.b: expected 1, got nothing"),
        (replace(NOT_FOUND, headers={"Allow": "*"}), "Allow: expected *, got None"),
        (replace(NOT_FOUND, content_type="text/html"), "Content-Type: expected text/html"),
        (replace(NOT_FOUND, level="ERROR"), "log, level: expected ERROR, got INFO"),
        (replace(NOT_FOUND, code="", level=""), "metrics: expected no change, got"),
        (replace(NOT_FOUND, code="", level=""), "log: expected 0 line(s) about an error, got 1"),
        (replace(NOT_FOUND, hides=("RESOURCE_NOT_FOUND",)), "body: leaks 'RESOURCE_NOT_FOUND'"),
        (replace(NOT_FOUND, shows=("teapot",)), "body: expected 'teapot' in it"),
        (replace(CRASH, keeps=("Internal server error",)), "body: tells callers 'Internal"),
        (replace(CRASH, keeps=("sunshine",)), "log: expected 'sunshine' in it"),
    ],
)
def test_a_wrong_answer_is_noticed(servers: dict[str, Server], wrong: Step, said: str) -> None:
    """What was expected and what came instead is said in words."""
    right = CRASH if wrong.path == CRASH.path else NOT_FOUND
    outcome = take(right, servers["Flask, WSGI"])

    found = objections(wrong, outcome)

    assert objections(replace(right, hides=()), outcome) == []
    assert any(text.startswith(said) for text in found), found


def test_a_walk_with_a_wrong_answer_fails_and_says_what_was_expected(
    servers: dict[str, Server], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The demo ends with 1, having printed what was expected of whom."""
    wrong = replace(NOT_FOUND, status=410)
    monkeypatch.setattr(main, "WALK", {"Wrong": (NOT_FOUND, wrong)})
    monkeypatch.setattr(main, "running", Mock(return_value=nullcontext([*servers.values()])))
    monkeypatch.setattr(main, "audited", Mock(return_value=True))
    monkeypatch.setattr(main, "signal", Mock())
    monkeypatch.setattr(sys, "argv", ["demo.py", "--once"])

    assert main.main() == 1

    printed = capsys.readouterr().out
    assert "1 of 2 steps as they should be" in printed
    assert all(f"{name}: status: expected 410, got 404" in printed for name in servers)


def test_an_answer_that_was_not_recorded_is_noticed() -> None:
    """An error that neither the log nor the metrics know is a mistake too."""
    answer = Answer(404, {}, "{}")

    found = objections(NOT_FOUND, Outcome(answer, [], {}))

    assert "log: expected 1 line(s) about an error, got 0" in found
    assert "X-Request-ID: expected one, got none" in found
    assert any(text.startswith("metrics: expected one more error") for text in found)


def test_the_audit_compares_what_was_recorded_with_what_was_answered(
    servers: dict[str, Server],
) -> None:
    """After a walk log and metrics hold each error once, no more and no fewer."""
    shop = servers["Flask, WSGI"]
    errors, lines = recorded(shop)

    take(NOT_FOUND, shop)

    assert audit(shop, errors + 1, lines + 1) == []
    assert audit(shop, errors, lines, patience=0) == [
        f"metrics: expected {errors:g} errors in all, got {errors + 1:g}",
        f"log: expected {lines} lines about errors in all, got {lines + 1}",
    ]
