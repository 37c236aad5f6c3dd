"""Whether a RabbitMQ is well: with a real one, that hangs, is away, refuses, and takes no messages."""

import os
import re
import struct
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

import pytest

from tests.integrations.conftest import need
from tests.integrations.health_checks import SECRET, SHORT, comes, course, left_behind, run, said
from tests.integrations.proxy import Proxy, proxied

need("kombu")

from kombu import Connection, Producer, Queue  # noqa: E402  # after the library is known to be there

from holdfast.integrations.kombu_health import RabbitCheck  # noqa: E402

pytestmark = pytest.mark.service("rabbitmq")

PORT = 5672
URL = "amqp://guest:guest@127.0.0.1:{}//"
PUBLISH = b"\x00\x3c\x00\x28"
"""Class and method of AMQP's `basic.publish`."""
CHANNEL_OPEN = b"\x00\x14\x00\x0a"
QUEUE_DECLARE = b"\x00\x32\x00\x0a"


@contextmanager
def queue_of(messages: int) -> Generator[str]:
    """Give the name of a queue with so many messages."""
    name = f"holdfast-health-{os.urandom(6).hex()}"
    with Connection(URL.format(PORT)) as connection:
        channel = cast("Any", connection).channel()
        queue = Queue(name, durable=False)(channel)
        queue.declare()
        for _ in range(messages):
            Producer(channel).publish("{}", routing_key=name)
        comes(lambda: cast("Any", queue).queue_declare(passive=True)[1] == messages)
        try:
            yield name
        finally:
            queue.delete()


def hang_at(proxy: Proxy, method: bytes, answer: bytes = b"") -> None:
    """Let a proxy pass nothing on any more from a method of AMQP on."""
    proxy.hook = lambda data: answer if method in data else None


def blocked() -> bytes:
    """Return the frame by which RabbitMQ says that it takes no messages."""
    reason = b"low on memory"
    payload = struct.pack(">HHB", 10, 60, len(reason)) + reason
    return struct.pack(">BHI", 1, 0, len(payload)) + payload + b"\xce"


def test_a_broker_that_answers_passes() -> None:
    """It tells its version."""
    result = run(RabbitCheck(URL.format(PORT), publishing=True))

    assert (result.status.value, set(result.details)) == ("pass", {"version"})


def test_an_outage_is_told_and_ends() -> None:
    """A broker that hangs fails in its time-out, one that is away at once, and both recover."""
    assert course(lambda port: RabbitCheck(URL.format(port), timeout=SHORT), PORT) == [
        ("pass", ""),
        ("fail", "RabbitMQ gives no answer in 0.3 s"),
        ("pass", ""),
        ("fail", "RabbitMQ cannot be reached: ConnectionRefusedError"),
        ("pass", ""),
    ]


@pytest.mark.parametrize(
    "method", [CHANNEL_OPEN, QUEUE_DECLARE, PUBLISH], ids=["channel", "queue", "publish"]
)
def test_a_broker_that_hangs_later_fails_in_time_too(method: bytes) -> None:
    """Whatever it was asked last; and no connection stays."""
    with proxied(PORT) as proxy, queue_of(0) as name:
        check = RabbitCheck(URL.format(proxy.port), queue=name, publishing=True, timeout=SHORT)
        hang_at(proxy, method)
        found = said(check)
        proxy.restore()

        assert (found, said(check)) == (
            ("fail", "RabbitMQ gives no answer in 0.3 s"),
            ("pass", ""),
        )


def test_a_broker_that_takes_no_messages_is_degraded() -> None:
    """It says so to whoever publishes; others do not learn of it."""
    with proxied(PORT) as proxy:
        publishing = RabbitCheck(URL.format(proxy.port), publishing=True)
        hang_at(proxy, PUBLISH, blocked())
        found = [said(publishing), said(RabbitCheck(URL.format(PORT)))]

    assert found == [("warn", "RabbitMQ takes no messages because of an alarm"), ("pass", "")]


def test_several_brokers_are_tried_in_turn() -> None:
    """One that answers is enough."""
    with proxied(PORT) as proxy:
        proxy.cut()
        away = URL.format(proxy.port)
        found = [
            said(RabbitCheck(f"{away};{URL.format(PORT)}")),
            said(RabbitCheck(f"{away};{away}")),
        ]

    assert found == [("pass", ""), ("fail", "RabbitMQ cannot be reached: ConnectionRefusedError")]


def test_a_long_queue_is_degraded() -> None:
    """Its length is that of messages nobody has taken yet."""
    with queue_of(3) as name:
        url = URL.format(PORT)
        enough = run(RabbitCheck(url, queue=name, max_messages=3))
        long = run(RabbitCheck(url, queue=name, max_messages=2))

    assert (enough.status.value, enough.details["messages"], enough.details["consumers"]) == (
        "pass",
        3,
        0,
    )
    assert (long.status.value, long.output) == ("warn", f"3 messages wait in '{name}'")


def test_a_queue_that_is_missing_fails_and_is_not_made() -> None:
    """The check looks, and declares nothing."""
    check = RabbitCheck(URL.format(PORT), queue="holdfast-health-nobody")

    assert [said(check), said(check)] == [
        ("fail", "RabbitMQ has no queue 'holdfast-health-nobody'")
    ] * 2


@pytest.mark.parametrize(
    ("url", "output"),
    [
        (
            f"amqp://guest:{SECRET}@127.0.0.1:{PORT}//",
            "RabbitMQ refuses the user, the password, or what the user asks for",
        ),
        (
            f"amqp://guest:guest@127.0.0.1:{PORT}/nowhere",
            "RabbitMQ has no such virtual host, or not for this user",
        ),
    ],
)
def test_a_broker_that_refuses_is_told_as_such(url: str, output: str) -> None:
    """The password is in nothing that is said."""
    check = RabbitCheck(url)

    result = run(check)

    assert (result.status.value, result.output) == ("fail", output)
    assert SECRET not in repr((check, result))


def test_runs_leave_nothing_behind() -> None:
    """No thread and no connection: when all is well, when a queue is missing, when it is away."""
    url = URL.format(PORT)
    assert left_behind(RabbitCheck(url)) == (0, 0)
    assert left_behind(RabbitCheck(url, queue="holdfast-health-nobody")) == (0, 0)
    assert left_behind(RabbitCheck(f"amqp://guest:wrong@127.0.0.1:{PORT}//"), 5) == (0, 0)
    with proxied(PORT) as proxy:
        proxy.cut()
        assert left_behind(RabbitCheck(URL.format(proxy.port))) == (0, 0)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"timeout": 0}, "timeout must be above 0 seconds and at most 86,400, not 0"),
        ({"url": f"redis://:{SECRET}@host"}, "must begin with amqp:// or amqps://"),
        ({"url": f"{URL};http://:{SECRET}@host"}, "must begin with amqp:// or amqps://"),
        ({"max_messages": 1}, "max_messages needs the name of a queue"),
        ({"queue": "orders", "max_messages": -1}, "max_messages must be 0 or more, not -1"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(options: dict[str, Any], complaint: str) -> None:
    """The message names it, and shows no password."""
    with pytest.raises(ValueError, match=re.escape(complaint)) as refused:
        cast("Any", RabbitCheck)(**{"url": URL, **options})

    assert SECRET not in str(refused.value)
