"""An alert storm: errors of 50 codes in several processes become few messages, told once.

`HOLDFAST_TEST_STORM` says how many errors, `HOLDFAST_TEST_STORM_PROCESSES` in how many processes; the
session `storm` raises a million in eight. A real Redis, a real SMTP server and a real HTTP receiver.
"""

import json
import os
import socket
import subprocess
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, cast

import pytest

from holdfast.clock import SystemClock
from tests.integrations.conftest import need
from tests.integrations.redis_server import RedisServer, own_redis

need("redis")
need("aiosmtpd")

from aiosmtpd.controller import Controller  # noqa: E402  # is optional
from aiosmtpd.smtp import SMTP, Envelope, Session  # noqa: E402  # is optional

ROOT = Path(__file__).parents[2]
ERRORS = int(os.environ.get("HOLDFAST_TEST_STORM", "20000"))
PROCESSES = int(os.environ.get("HOLDFAST_TEST_STORM_PROCESSES", "2"))
CODES = 50
COOL_DOWN = 3.0
RECOVER_AFTER = 9.0
BURST = 20
"""Events of one code that make a burst, whoever counts them."""
PATIENCE = 60.0
"""Seconds for what is to come; a bound against hanging, no measure."""
CLOCK = SystemClock()

pytestmark = pytest.mark.timeout(1800)


class Message(NamedTuple):
    """A message as the receiver got it."""

    rule: str
    key: str
    stage: str
    events: int
    total: int
    time: datetime
    id: str


class Receiver(ThreadingHTTPServer):
    """Takes what webhooks post."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Post)
        self.messages: list[Message] = []
        self.keys: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}/alerts"


class Post(BaseHTTPRequestHandler):
    """One message."""

    def do_POST(self) -> None:
        """Keep it."""
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        receiver = cast("Receiver", self.server)
        time = datetime.fromisoformat(told["time"])
        said = told["rule"], told["key"], told["stage"], told["count"], told["total"]
        receiver.messages.append(Message(*said, time, told["id"]))
        receiver.keys.append(self.headers["Idempotency-Key"])
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as http.server names it
        """Say nothing."""


class Mailbox:
    """Takes mail."""

    def __init__(self) -> None:
        self.subjects: list[str] = []

    async def handle_DATA(  # noqa: N802  # as aiosmtpd calls it
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Keep the subject of one mail."""
        mail = message_from_bytes(cast("bytes", envelope.content), policy=default)
        self.subjects.append(str(mail["Subject"]))
        return "250 OK"


class Worker:
    """A process of the storm."""

    def __init__(self, settings: dict[str, object]) -> None:
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        self.process = subprocess.Popen(
            [
                sys.executable,
                str(Path(__file__).with_name("storm_script.py")),
                json.dumps(settings),
            ],
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.answer()

    def tell(self, command: str) -> None:
        """Give a command."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, float]:
        """Wait for the answer to it."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "a process of the storm has ended"
        facts: dict[str, float] = json.loads(line)
        return facts

    def kill(self) -> None:
        """Let nothing of it stay."""
        self.process.kill()
        self.process.communicate()


class Scene:
    """A service of several processes, and who is told of its alerts."""

    def __init__(
        self, redis: RedisServer, receiver: Receiver, box: Mailbox, mail_port: int
    ) -> None:
        self.redis = redis
        self.receiver = receiver
        self.box = box
        self.workers: list[Worker] = []
        self.figures: dict[str, object] = {}
        timing = {"COOL_DOWN": COOL_DOWN, "RECOVER_AFTER": RECOVER_AFTER}
        mail = {"HOST": "127.0.0.1", "PORT": mail_port, "SECURITY": "none"}
        self.settings: dict[str, object] = {
            "SERVICE": "storm",
            "REPORTERS": [],
            "ALERTS": {
                "SHARED": redis.url,
                "RULES": {
                    "each": {**timing, "CHANNELS": ["hook"]},
                    "burst": {**timing, "COUNT": BURST, "WINDOW": 5, "CHANNELS": ["hook"]},
                    "all": {**timing, "BY": "none", "CHANNELS": ["hook", "mail"]},
                },
                "CHANNELS": {
                    "hook": {"KIND": "webhook", "URL": receiver.url},
                    "mail": {
                        **mail,
                        "KIND": "email",
                        "SENDER": "storm@example.com",
                        "TO": ["ops@example.com"],
                    },
                },
            },
        }

    def rage(
        self, errors: int, meanwhile: Callable[[], None] = lambda: None
    ) -> list[dict[str, float]]:
        """Let all processes handle errors, and do something in the middle of it."""
        for worker in self.workers:
            worker.tell(f"raise {errors // len(self.workers)}")
        meanwhile()
        return [worker.answer() for worker in self.workers]

    def of(self, stage: str) -> list[Message]:
        """Return the messages of one stage."""
        return [message for message in self.receiver.messages if message.stage == stage]

    def await_(self, what: Callable[[], bool]) -> None:
        """Wait until something is so."""
        until = CLOCK.monotonic() + PATIENCE
        while not what():
            assert CLOCK.monotonic() < until, Counter(m.stage for m in self.receiver.messages)
            threading.Event().wait(0.1)

    def by_alert(self) -> dict[tuple[str, str], list[Message]]:
        """Return the messages of each rule and key, as they came."""
        found: dict[tuple[str, str], list[Message]] = defaultdict(list)
        for message in self.receiver.messages:
            found[message.rule, message.key].append(message)
        return found

    def end(self) -> None:
        """Close all processes."""
        for worker in self.workers:
            worker.tell("end")
        self.figures["ended"] = [worker.answer() for worker in self.workers]
        for worker in self.workers:
            assert worker.process.wait(30) == 0


@contextmanager
def mailed() -> Generator[tuple[Mailbox, int]]:
    """Give a server that takes mail, and its port."""
    box = Mailbox()
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield box, port
    finally:
        controller.stop()


@pytest.fixture
def scene(tmp_path: Path) -> Generator[Scene]:
    """Start everything, and let nothing of it stay."""
    with ExitStack() as stack:
        redis = stack.enter_context(own_redis(tmp_path))
        receiver = stack.enter_context(Receiver())
        thread = threading.Thread(target=receiver.serve_forever)
        thread.start()
        stack.callback(thread.join)
        stack.callback(receiver.shutdown)
        box, port = stack.enter_context(mailed())
        made = Scene(redis, receiver, box, port)
        for _ in range(PROCESSES):
            made.workers.append(Worker(made.settings))
            stack.callback(made.workers[-1].kill)
        yield made


def shown(scene: Scene, name: str, *phases: list[dict[str, float]]) -> None:
    """Print figures, which `-s` shows."""
    stages = Counter(message.stage for message in scene.receiver.messages)
    sums = Counter[str]()
    for message in scene.receiver.messages:
        sums[message.rule] += message.events
    told: dict[str, object] = {
        "run": name,
        "messages": stages,
        "sums": sums,
        "mails": len(scene.box.subjects),
    }
    for number, phase in enumerate(phases):
        told[f"phase {number + 1}"] = {
            "raised": sum(one["raised"] for one in phase),
            "seconds": round(max(one["seconds"] for one in phase), 1),
            **{
                f"{fact} in µs": round(max(one[fact] for one in phase) * 1e6)
                for fact in ("median", "p99", "longest")
            },
        }
    print(json.dumps(told, ensure_ascii=False))  # noqa: T201  # figures, shown with -s


def assert_cooled_down(messages: list[Message]) -> None:
    """Summaries of one alert come no more often than its cool-down, by one process's clock."""
    times = [message.time for message in messages if message.stage != "recovered"]
    waits = [(late - early).total_seconds() for early, late in pairwise(times)]
    # What was due on time may be written some moments later, and the one after it on time.
    assert all(wait > COOL_DOWN - 1.0 for wait in waits), waits


def opened() -> int:
    """Return how many alerts there are: of each rule and code, and one of all."""
    return 2 * CODES + 1


def test_a_storm_becomes_one_message_for_each_alert(scene: Scene) -> None:
    """Each alert opens once and is over once; summaries have their cool-down; all events are told."""
    phase = scene.rage(ERRORS)
    scene.await_(lambda: len(scene.of("recovered")) >= opened())
    scene.end()
    shown(scene, "Redis is there", phase)
    raised = sum(int(one["raised"]) for one in phase)
    alerts = scene.by_alert()

    assert len(alerts) == opened()
    for (rule, _), messages in alerts.items():
        stages = Counter(message.stage for message in messages)
        assert (stages["opened"], stages["recovered"]) == (1, 1), messages
        assert_cooled_down(messages)
        events = raised if rule == "all" else raised // CODES
        assert sum(message.events for message in messages) == events, messages
        assert messages[-1].total == events
        assert len({message.id for message in messages}) == 1
    assert len(scene.receiver.keys) == len(set(scene.receiver.keys))
    # Summaries that wait for a channel become one: mail may have had to wait less.
    subjects = [subject.removeprefix("[storm] ") for subject in scene.box.subjects]
    assert subjects[0].startswith("New: all")
    assert subjects[-1] == f"Recovered: all, {raised} events"
    assert all(subject.startswith("Continues: all") for subject in subjects[1:-1])


@pytest.mark.parametrize("comes_back", [False, True], ids=["stays away", "comes back"])
def test_a_storm_without_redis_loses_nothing(scene: Scene, *, comes_back: bool) -> None:
    """Killed in the middle: nothing opens twice, nothing is lost, and no request hangs."""
    before = scene.rage(ERRORS // 2)
    scene.await_(lambda: len(scene.of("opened")) >= opened())
    threading.Event().wait(COOL_DOWN)  # until everybody has heard of it
    after = scene.rage(ERRORS - ERRORS // 2, scene.redis.kill)
    if comes_back:
        scene.redis.start()
    recoveries = opened() * (1 if comes_back else PROCESSES)
    scene.await_(lambda: len(scene.of("recovered")) >= recoveries)
    scene.end()
    shown(scene, "Redis is killed" + ", and comes back" * comes_back, before, after)
    raised = sum(int(one["raised"]) for one in (*before, *after))

    for (rule, _), messages in scene.by_alert().items():
        stages = Counter(message.stage for message in messages)
        assert stages["opened"] == 1, messages
        assert stages["recovered"] == (1 if comes_back else PROCESSES), messages
        events = raised if rule == "all" else raised // CODES
        assert sum(message.events for message in messages) >= events, messages
    for told in (*before, *after):
        assert told["longest"] < 5.0
