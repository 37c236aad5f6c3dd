"""What the current call runs within: a deadline, an attempt, a key; this module's variables are ambient."""

import math
import re
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass
from typing import Final, TypeAlias


@dataclass(frozen=True, slots=True)
class Attempt:
    """Which attempt of how many a call is."""

    number: int
    """From 1."""
    of: int
    """At most so many."""


Scope: TypeAlias = tuple[float, Attempt | None]
"""The deadline in monotonic seconds, infinite without one, and the attempt; a plain tuple, because
one is made for every call that has a time limit."""

UNBOUNDED: Final[Scope] = (math.inf, None)

current_scope: ContextVar[Scope] = ContextVar("holdfast_scope", default=UNBOUNDED)
"""What the call at hand runs within; set by policies, deadlines and boundaries, read by whoever waits."""

_key: ContextVar[str] = ContextVar("holdfast_idempotency_key", default="")
_KEY: Final = re.compile(r"[!-~]{1,255}")


def restore(token: Token[Scope]) -> None:
    """Go back to the scope that a call began in.

    A coroutine or generator that nobody finished is closed in the context of whoever finds it, and one
    that is driven by hand may go on in another: there is nothing to go back to there.
    """
    try:  # noqa: SIM105  # on the way of every call, and `suppress` is slow
        current_scope.reset(token)
    except ValueError:
        pass


def current_attempt() -> Attempt | None:
    """Return which attempt of a retried call this code is part of, or None outside of any.

    Example:
        >>> current_attempt() is None
        True
    """
    return current_scope.get()[1]


@contextmanager
def idempotency_key(key: str) -> Generator[None, None, None]:
    """Let the other side know calls of a block again, by a key that every attempt of them carries.

    Within it, policies retry what `Retry(idempotent=False)` otherwise leaves alone: the code that is
    called has to send `current_idempotency_key()` along, which `outbound_headers()` does. Tasks and
    contexts copied from here inherit it.

    Args:
        key: Of one piece of work, such as `order-42`; 1 to 255 printable ASCII characters, no spaces.

    Raises:
        ValueError: For a key that no header could carry.

    Example:
        >>> with idempotency_key("order-42"):
        ...     current_idempotency_key()
        'order-42'
    """
    if not _KEY.fullmatch(key):
        raise ValueError(
            "idempotency_key() takes 1 to 255 printable ASCII characters without spaces; "
            f"of this one, {len(key)} long, no header could be made"
        )
    token = _key.set(key)
    try:
        yield
    finally:
        _key.reset(token)


def current_idempotency_key() -> str:
    """Return the key that calls carry here, or an empty string without one.

    Example:
        >>> current_idempotency_key()
        ''
    """
    return _key.get()
