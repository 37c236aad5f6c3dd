"""The demo: it walks, tells right from wrong, and leaves nothing behind."""

import os
import re
import signal
import subprocess
import sys
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import cast
from unittest.mock import Mock

import psutil
import pytest
from amqp.exceptions import NotFound
from kombu import Connection, Exchange, Queue
from redis import Redis

from examples.shop.calculator import CalculatorCode
from examples.shop.errors import ShopCode
from examples.walk import main
from examples.walk.alerts import ALERTS
from examples.walk.answers import Answer, Outcome, recorded, take
from examples.walk.brokers import CANDIDATES, MEMORY, Keys, first_open
from examples.walk.expectations import audit, objections
from examples.walk.jobs import JOBS
from examples.walk.outage import MOMENTS
from examples.walk.processes import SHOPS, Server, Site
from examples.walk.scheduled import ENTRIES
from examples.walk.step import Step
from examples.walk.steps import CALLERS, HANDLED, KILLED, OURS, WALK
from holdfast import ErrorCode, ErrorKind

ROOT = Path(__file__).parents[2]
DEMO = [sys.executable, "examples/demo.py"]
ENVIRONMENT = {**os.environ, "NO_COLOR": "1"}
STEPS = [step for steps in WALK.values() for step in steps]
NOT_FOUND = next(step for step in CALLERS if step.code == "RESOURCE_NOT_FOUND")
RABBITMQ, REDIS, _ = CANDIDATES
CRASH = next(step for step in OURS if step.path == "/crash")
RECOVERED = next(step for step in HANDLED if step.recovered)


@pytest.mark.timeout(180)
def test_the_walk_ends_well_without_a_broker() -> None:
    """With --once the demo shows every step, but for the one that takes a broker, and ends with status 0."""
    environment = {**ENVIRONMENT, "SHOP_BROKER": MEMORY}

    done = subprocess.run(
        [*DEMO, "--once"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )

    assert done.stderr == ""
    assert_shown(done.stdout)
    assert done.returncode == 0
    assert "Tasks go by Celery's in-memory transport" in done.stdout
    assert done.stdout.count("left out") == len(KILLED)
    assert "\x1b[" not in done.stdout


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("address", "ending"),
    [
        pytest.param(RABBITMQ, signal.SIGTERM, marks=pytest.mark.service("rabbitmq")),
        pytest.param(REDIS, signal.SIGINT, marks=pytest.mark.service("redis")),
    ],
    ids=["rabbitmq", "redis"],
)
def test_the_demo_serves_until_it_is_told_to_stop_and_leaves_nothing_behind(
    address: str, ending: signal.Signals
) -> None:
    """Having walked with a broker it serves; when it stops, so does all that it started, and its queue goes."""
    environment = {**ENVIRONMENT, "SHOP_BROKER": address}
    shown = ""
    with subprocess.Popen(
        DEMO, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            shown += line
            if re.search(r"http://127\.0\.0\.1:\d+  Flask, ASGI", line):
                break
        children = psutil.Process(demo.pid).children(recursive=True)
        demo.send_signal(ending)
        rest = demo.stdout.read()

    assert_shown(shown)
    assert demo.returncode == 0
    assert "left out" not in shown
    assert all(path in rest for path in ("/statistics", "/codes/", "/openapi.json"))
    assert "Stopped." in rest
    assert len(children) >= 8
    assert psutil.wait_procs(children, timeout=10)[1] == []
    (queue,) = re.findall(r"in the queue (\S+)", shown)
    assert remains(address, queue) == []


def assert_shown(text: str) -> None:
    """Check that every step was shown and was as it should be."""
    complaints = [line for line in text.splitlines() if "✗" in line or ": expected " in line]
    assert complaints == [], text[-3000:]
    steps = [step.title for step in (*STEPS, *KILLED)]
    clocked = [*(entry.title for entry in ENTRIES), *(job.title for job in JOBS)]
    titles = [*steps, *clocked, *(moment.title for moment in MOMENTS)]
    assert all(title in text for title in titles)
    assert f"{len(titles)} of {len(titles)} steps as they should be" in text
    assert len(re.findall(r"(?m)^  ✓ .*%  RESOURCE_NOT_FOUND \d+, ", text)) == len(SHOPS)
    for alert in ALERTS:
        assert len(re.findall(f"(?m)^ +{alert.name}: opened", text)) == len(SHOPS)


def remains(address: str, queue: str) -> list[str]:
    """Return what a broker still has under the name of a queue."""
    if address == REDIS:
        with cast("Keys", Redis.from_url(address)) as redis:  # pyright: ignore[reportUnknownMemberType]  # has no types for it
            return [str(key) for key in redis.scan_iter(f"*{queue}*")]
    with Connection(address) as connection:
        found: list[str] = []
        with suppress(NotFound):
            Queue(queue, channel=connection.channel()).queue_declare(passive=True)
            found.append(f"queue {queue}")
        with suppress(NotFound):
            Exchange(queue, channel=connection.channel()).declare(passive=True)
            found.append(f"exchange {queue}")
        return found


def test_who_is_no_broker_is_passed_over(servers: dict[str, Server]) -> None:
    """Where nobody listens, or somebody who speaks something else, the demo does without."""
    port = servers["Flask, WSGI"].port
    strangers = [
        "amqp://127.0.0.1:1//",
        f"amqp://127.0.0.1:{port}//",
        f"redis://127.0.0.1:{port}/0",
    ]

    assert first_open([*strangers, MEMORY]) == MEMORY


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
    servers: dict[str, Server],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The demo ends with 1, having printed what was expected of whom."""
    wrong = replace(NOT_FOUND, status=410)
    monkeypatch.setattr(main, "WALK", {"Wrong": (NOT_FOUND, wrong)})
    for rest in ("ENTRIES", "KILLED", "JOBS", "MOMENTS"):
        monkeypatch.setattr(main, rest, ())
    monkeypatch.setenv("SHOP_BROKER", MEMORY)
    site = Site(tmp_path, [*servers.values()], servers["Flask, WSGI"])
    monkeypatch.setattr(main, "running", Mock(return_value=nullcontext(site)))
    monkeypatch.setattr(main, "checked", Mock(return_value=0))
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


def test_an_error_that_was_not_recovered_from_is_noticed(servers: dict[str, Server]) -> None:
    """That a handler answered has to be in log and metrics, and only where it did."""
    shop = servers["Flask, WSGI"]
    for step in HANDLED[: HANDLED.index(RECOVERED)]:
        take(step, shop)

    outcome = take(RECOVERED, shop)

    assert objections(RECOVERED, outcome) == []
    found = objections(replace(RECOVERED, recovered=False), outcome)
    assert "log, recovered: expected False, got True" in found
    assert any(said.startswith("metrics: expected no recovered error") for said in found)


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
