"""Whether workers and beat are well: real processes, stopped and killed, on real brokers."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from socket import gethostname
from typing import TYPE_CHECKING, Any, cast

import pytest

from tests.integrations.conftest import need
from tests.integrations.health_checks import SHORT, comes, course, left_behind, run, said

need("celery")
need("redis")

from celery import Celery  # noqa: E402  # after the libraries are known to be there
from kombu.pidbox import Mailbox  # noqa: E402

from holdfast.integrations.celery.health import CeleryBeatCheck, CeleryWorkersCheck  # noqa: E402
from tests.integrations.celery_workers import (  # noqa: E402
    RABBITMQ,
    REDIS,
    ROOT,
    end,
    forget,
    redis,
    transport,
    worker,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

LONG = 10.0
"""Seconds that nobody waits who gets an answer."""
brokers = pytest.mark.parametrize(
    ("broker", "port"),
    [
        pytest.param(REDIS, 6379, marks=pytest.mark.service("redis"), id="redis"),
        pytest.param(RABBITMQ, 5672, marks=pytest.mark.service("rabbitmq", "redis"), id="rabbitmq"),
    ],
)


@contextmanager
def application(broker: str, folder: Path) -> "Generator[tuple[Celery, dict[str, str]]]":
    """Give an application as that of the processes, and the environment they need."""
    queue = f"holdfast-health-{os.urandom(6).hex()}"
    environment = {
        "TEST_BROKER": broker,
        "TEST_QUEUE": queue,
        "TEST_SCHEDULE": str(folder / "schedule"),
    }
    app = Celery("asking", set_as_current=False)
    app.conf.update(**transport(environment), control_exchange=f"{queue}.control")
    try:
        yield app, environment
    finally:
        app.close()
        forget(environment)


@contextmanager
def beat(log: Path, environment: dict[str, str]) -> "Generator[subprocess.Popen[bytes]]":
    """Run a beat until the block ends."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "tests.integrations.health_app", "beat"],
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env={**os.environ, **environment},
        )
    try:
        yield process
    finally:
        end(process)


def keys_of(queue: str) -> set[str]:
    """Return what is in Redis."""
    client = redis()
    found = {str(key) for key in client.scan_iter(f"{queue}:*")}
    client.close()
    return found


def kill(process: "subprocess.Popen[bytes]") -> None:
    """Kill a process as by the lack of memory."""
    process.kill()
    process.wait(LONG)


def passes(check: object) -> bool:
    """Tell whether a check passes, given time."""
    return run(cast("Any", check)).status.value == "pass"


@brokers
def test_workers_and_beat_are_told_apart_and_followed(
    broker: str, port: int, tmp_path: Path
) -> None:
    """They pass while they go on, fail when they are stopped or killed, and recover.

    Slow, because processes of Celery are: all that needs them is in here.
    """
    with application(broker, tmp_path) as (app, environment):
        queue, module = environment["TEST_QUEUE"], "tests.integrations.health_app"
        workers = CeleryWorkersCheck(app, queues=[queue], timeout=LONG)
        soon = CeleryWorkersCheck(app, timeout=SHORT)
        beats = CeleryBeatCheck(app, timeout=LONG)
        beat_soon = CeleryBeatCheck(app, timeout=SHORT)
        with (
            beat(tmp_path / "beat.log", environment) as scheduler,
            worker(module, tmp_path / "log", "--pool=solo", environment=environment) as working,
        ):
            assert comes(lambda: passes(beat_soon))  # what is sent before it listens is lost
            assert run(workers).details == {
                "workers": [f"celery@{gethostname()}"],
                "unconsumed": [],
            }
            lonely = CeleryWorkersCheck(app, queues=[queue, "other"], timeout=SHORT)
            assert comes(lambda: said(lonely) == ("fail", "nobody consumes 'other'"))
            few = CeleryWorkersCheck(app, least=2, timeout=SHORT)
            assert comes(lambda: said(few) == ("fail", "1 of 2 workers answered in 0.3 s"))
            before = keys_of(queue)
            assert left_behind(workers, 10) == (0, 0)
            assert keys_of(queue) == before

            working.send_signal(signal.SIGSTOP)
            assert said(soon) == ("fail", "0 of 1 workers answered in 0.3 s")
            working.send_signal(signal.SIGCONT)
            assert passes(workers)

            scheduler.send_signal(signal.SIGSTOP)
            assert said(beat_soon)[0] == "fail"
            scheduler.send_signal(signal.SIGCONT)
            assert passes(beats)

            kill(working)
            assert said(soon) == ("fail", "0 of 1 workers answered in 0.3 s")
            assert passes(beats)
            kill(scheduler)
            assert said(beat_soon)[0] == "fail"


@brokers
def test_a_broker_that_is_away_fails_soon(broker: str, port: int, tmp_path: Path) -> None:
    """Neither its connection nor what it publishes is tried for ever."""
    with application(broker, tmp_path) as (app, _):

        def check_of(proxy: int) -> CeleryWorkersCheck:
            app.conf.update(broker_url=broker.replace(str(port), str(proxy)))
            return CeleryWorkersCheck(app, timeout=SHORT)

        found = course(check_of, port)
        assert cast("Any", app.amqp)._producer_pool is None  # the application's own are left alone

    nobody = ("fail", "0 of 1 workers answered in 0.3 s")
    refused = "ConnectionError" if broker == REDIS else "ConnectionRefusedError"
    assert [found[0], found[2], found[4]] == [nobody] * 3
    assert [said for _, said in (found[1], found[3])] == [
        "the broker of Celery cannot be reached: TimeoutError",
        f"the broker of Celery cannot be reached: {refused}",
    ]


@pytest.fixture
def replying(monkeypatch: pytest.MonkeyPatch) -> "Generator[tuple[Celery, dict[str, object]]]":
    """Give an application, and what nodes reply to it by their names, to be filled."""
    replies: dict[str, object] = {}

    def multi_call(
        *_: object, callback: "Callable[[dict[str, object]], None]", **__: object
    ) -> None:
        for name, reply in replies.items():
            callback({name: reply})

    monkeypatch.setattr(Mailbox, "multi_call", multi_call)
    app = Celery("asking", broker="memory://", set_as_current=False)
    yield app, replies
    app.close()


def test_a_worker_that_is_starting_consumes_nothing_yet(
    replying: "tuple[Celery, dict[str, object]]",
) -> None:
    """It counts as one that answers; what it says instead of its queues is no queue."""
    app, replies = replying
    replies |= {"celery@one": {"error": "not yet"}, "celery@two": [{"name": "mail"}, None]}

    found = [
        said(CeleryWorkersCheck(app, least=2, queues=queues))
        for queues in (["mail"], ["mail", "reports"])
    ]

    assert found == [("pass", ""), ("fail", "nobody consumes 'reports'")]


@pytest.mark.parametrize(
    ("node", "status"), [("", "fail"), ("tick@one", "pass"), ("celerybeat@one", "fail")]
)
def test_a_beat_of_another_name_is_looked_for_by_it(
    replying: "tuple[Celery, dict[str, object]]", node: str, status: str
) -> None:
    """Whoever else answers a ping is no beat."""
    app, replies = replying
    replies |= {"celery@one": {"ok": "pong"}, "tick@one": {"ok": "pong"}}

    assert said(CeleryBeatCheck(app, node=node))[0] == status


def test_an_option_that_makes_no_sense_is_refused() -> None:
    """The message names it."""
    app = Celery("asking", broker="memory://", set_as_current=False)

    with pytest.raises(ValueError, match="CeleryWorkersCheck: timeout must be above 0 seconds"):
        CeleryWorkersCheck(app, timeout=0)
    with pytest.raises(ValueError, match="least must be 1 or more, not 0"):
        CeleryWorkersCheck(app, least=0)
    with pytest.raises(ValueError, match=r"queues must be names: \['mail'\]"):
        CeleryWorkersCheck(app, queues="mail")
    with pytest.raises(ValueError, match="CeleryBeatCheck: timeout must be above 0 seconds"):
        CeleryBeatCheck(app, timeout=-1)
