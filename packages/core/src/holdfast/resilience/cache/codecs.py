"""How values become bytes: JSON, or pickle that is signed."""

import json
import pickle
from dataclasses import dataclass, field
from typing import Final, Protocol

LEAST_SECRET: Final = 16
"""Bytes of the shortest secret that is taken."""


class Codec(Protocol):
    """Makes bytes of values, and values of bytes; a value, thread-safe.

    What its methods raise is counted by the cache, and reaches nobody.
    """

    @property
    def mark(self) -> int:
        """Which codec it is, 0 to 255; a value of another one is taken for missing."""
        ...

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """What entries are signed with, the first, and which signatures are taken; empty: unsigned."""
        ...

    def dumps(self, value: object) -> bytes:
        """Return a value as bytes."""
        ...

    def loads(self, data: bytes) -> object:
        """Return the value of bytes."""
        ...


@dataclass(frozen=True, slots=True)
class Json:
    """JSON: what it cannot say is not cached, and tuples come back as lists."""

    mark = 1
    secrets = ()

    def dumps(self, value: object) -> bytes:
        """Return a value as bytes."""
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()

    def loads(self, data: bytes) -> object:
        """Return the value of bytes."""
        value: object = json.loads(data)
        return value


@dataclass(frozen=True, slots=True)
class SignedPickle:
    """Pickle, for values that JSON cannot say, signed with a secret.

    Whoever can write to the store could otherwise run code in this process: what is not signed by one
    of the secrets, for the very key it is stored under, is never unpickled.

    Args:
        secret: At least 16 bytes, the same in all processes that share the store.
        former: Secrets whose signatures are still taken.

    Raises:
        ValueError: For a secret that is too short.
    """

    secret: bytes = field(repr=False)
    former: tuple[bytes, ...] = field(default=(), repr=False)

    mark = 2

    def __post_init__(self) -> None:
        if any(len(each) < LEAST_SECRET for each in self.secrets):
            raise ValueError(f"a secret of SignedPickle must have at least {LEAST_SECRET} bytes")

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """The secret, and the former ones."""
        return (self.secret, *self.former)

    def dumps(self, value: object) -> bytes:
        """Return a value as bytes."""
        return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)

    def loads(self, data: bytes) -> object:
        """Return the value of bytes whose signature is right."""
        value: object = pickle.loads(data)  # noqa: S301  # signed with our own secret
        return value
