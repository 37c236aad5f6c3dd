"""Finding a broker on this machine, and leaving it as it was found."""

import os
import secrets
from collections.abc import Generator, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol, cast
from urllib.parse import urlsplit

from kombu import Connection, Exchange, Queue
from redis import Redis

MEMORY = "memory://localhost/"
CANDIDATES = ("amqp://guest:guest@127.0.0.1:5672//", "redis://127.0.0.1:6379/0", MEMORY)
NAMES = {"amqp": "RabbitMQ", "redis": "Redis", "memory": "Celery's in-memory transport"}
PATIENCE = 1.0
"""Seconds in which a broker has to let us in."""


class Keys(AbstractContextManager["Keys"], Protocol):
    """What is needed of a client of Redis, whose own types are vague."""

    def scan_iter(self, match: str) -> Iterator[bytes]:
        """Yield the names of keys that match."""
        ...

    def delete(self, name: bytes) -> object:
        """Take away a key."""
        ...


@dataclass(frozen=True, slots=True)
class Broker:
    """What carries tasks from the shops to the worker."""

    address: str
    queue: str
    """Of this demo alone."""

    @property
    def scheme(self) -> str:
        """Which kind of broker it is: `amqp`, `redis` or `memory`."""
        return urlsplit(self.address).scheme

    @property
    def name(self) -> str:
        """What it is called, without the password in its address."""
        address = urlsplit(self.address)
        where = "" if self.in_memory else f" on {address.hostname}:{address.port}"
        return NAMES.get(address.scheme, address.scheme) + where

    @property
    def in_memory(self) -> bool:
        """Whether tasks stay in the process that sends them, which then needs a worker of its own."""
        return self.scheme == "memory"

    @property
    def environment(self) -> dict[str, str]:
        """What shops and worker are told."""
        return {"SHOP_BROKER": self.address, "SHOP_QUEUE": self.queue}

    def clean(self) -> None:
        """Take away what was left in the broker."""
        if self.scheme == "amqp":
            with Connection(self.address, connect_timeout=PATIENCE) as connection:
                channel = connection.channel()
                Queue(self.queue, channel=channel).delete()
                Exchange(self.queue, channel=channel).delete()
        elif self.scheme == "redis":
            with cast("Keys", Redis.from_url(self.address)) as redis:  # pyright: ignore[reportUnknownMemberType]  # has no types for it
                for key in redis.scan_iter(f"{self.queue}:*"):
                    redis.delete(key)


@contextmanager
def found() -> Generator[Broker]:
    """Give the broker that SHOP_BROKER names, else the first that lets us in; clean it afterwards."""
    asked = os.environ.get("SHOP_BROKER")
    address = asked or first_open(CANDIDATES)
    broker = Broker(address, f"holdfast-demo-{secrets.token_hex(4)}")
    try:
        yield broker
    finally:
        broker.clean()


def first_open(addresses: Iterable[str]) -> str:
    """Return the first address behind which a broker lets us in; memory always does."""
    return next(address for address in addresses if address == MEMORY or _opens(address))


def _opens(address: str) -> bool:
    try:
        # By the transport itself: a connection would try a second time, seconds later.
        with Connection(address, connect_timeout=PATIENCE) as connection:
            transport = connection.transport
            transport.close_connection(transport.establish_connection())
    except Exception:  # noqa: BLE001  # whatever listens there: every transport has errors of its own
        return False
    return True
