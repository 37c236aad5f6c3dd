"""Deadlines and attempts in the headers of requests: what callers say, and what is said to others."""

import math
import re
from collections.abc import Mapping
from contextvars import Token
from typing import Final

from holdfast.clock import Clock
from holdfast.context import current_context, headers_of
from holdfast.errors import DeadlineExceededError
from holdfast.resilience.deadline import refusal, remaining, remaining_by
from holdfast.resilience.scope import (
    Scope,
    current_attempt,
    current_idempotency_key,
    current_scope,
    restore,
)

TIMEOUT_HEADER: Final = "x-request-timeout-ms"
"""Milliseconds from now that whoever asks will wait."""
ATTEMPT_HEADER: Final = "x-request-attempt"
"""Which attempt of how many a request is: `2/3`."""
IDEMPOTENCY_HEADER: Final = "idempotency-key"

_MOST_DIGITS: Final = 12
"""Of milliseconds; thirty years have as many."""
_MILLISECONDS: Final = re.compile(rf"[0-9]{{1,{_MOST_DIGITS}}}", re.ASCII)
_GRPC: Final = re.compile(r"([0-9]{1,8})([HMSmun])", re.ASCII)
_GRPC_UNITS: Final = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}


def grpc_seconds(text: str) -> float | None:
    """Return the seconds of a `grpc-timeout`, or None for what is none.

    Follows "gRPC over HTTP2": 1 to 8 digits and one unit of `H`, `M`, `S`, `m`, `u`, `n`.

    Example:
        >>> grpc_seconds("250m"), grpc_seconds("0S"), grpc_seconds("1.5S")
        (0.25, 0.0, None)
    """
    match = _GRPC.fullmatch(text)
    return None if match is None else int(match[1]) * _GRPC_UNITS[match[2]]


def millisecond_seconds(text: str) -> float | None:
    """Return the seconds of a header in whole milliseconds, or None for what is none.

    Example:
        >>> millisecond_seconds("1500"), millisecond_seconds("0"), millisecond_seconds("-1")
        (1.5, 0.0, None)
    """
    return int(text) / 1000.0 if _MILLISECONDS.fullmatch(text) else None


_TAKEN: Final = (
    ("HTTP_X_REQUEST_TIMEOUT_MS", millisecond_seconds),
    ("HTTP_GRPC_TIMEOUT", grpc_seconds),
    ("HTTP_X_ENVOY_EXPECTED_RQ_TIMEOUT_MS", millisecond_seconds),
)


def asked_seconds(environ: Mapping[str, object]) -> float | None:
    """Return the seconds that a request's caller will wait, by its strictest header; None when none says.

    Args:
        environ: The request's variables as WSGI names them; Django's `request.META` has them too.
    """
    shortest: float | None = None
    for name, parse in _TAKEN:
        text = environ.get(name)
        if isinstance(text, str):
            seconds = parse(text)
            if seconds is not None and (shortest is None or seconds < shortest):
                shortest = seconds
    return shortest


class Inbound:
    """Begins the deadlines of requests; safe for threads and tasks.

    Args:
        clock: Source of time.
        trusted: Whether callers may say how long they wait.
        default: Seconds of a request whose caller does not say; None: no deadline.
        longest: Seconds that no caller gets more than.
    """

    __slots__ = ("_clock", "_default", "_longest", "_trusted")

    def __init__(
        self, clock: Clock, *, trusted: bool, default: float | None, longest: float
    ) -> None:
        self._clock = clock
        self._trusted = trusted
        self._default = default
        self._longest = longest

    def begin(self, environ: Mapping[str, object]) -> Token[Scope] | None:
        """Begin the deadline of a request, and return what `end` needs; None when it has none.

        Args:
            environ: The request's variables as WSGI names them.
        """
        asked = asked_seconds(environ) if self._trusted else None
        seconds = self._default if asked is None else min(asked, self._longest)
        if seconds is None:
            return None
        at, attempt = current_scope.get()
        return current_scope.set((min(at, self._clock.monotonic() + seconds), attempt))

    def refusal(self) -> DeadlineExceededError | None:
        """Return the error of a request that nobody waits for any more, or None while somebody does."""
        return refusal() if remaining_by(self._clock) <= 0.0 else None

    @staticmethod
    def end(token: Token[Scope]) -> None:
        """End the deadline that `begin` began; harmless in another context."""
        restore(token)


def outbound_headers() -> dict[str, str]:
    """Return the headers by which a call to another service carries on what the present work runs within.

    The trace, the milliseconds that are left (0 when none are, which a receiver has to refuse), which
    attempt of how many it is, and the idempotency key; each only where there is one.

    Example:
        >>> from holdfast import work_context
        >>> from holdfast.resilience.deadline import deadline
        >>> with work_context("order-42"), deadline(2.0):
        ...     sorted(outbound_headers())
        ['x-request-id', 'x-request-timeout-ms']
    """
    work = current_context()
    headers = {} if work is None else headers_of(work)
    left = remaining()
    if left != math.inf:
        headers[TIMEOUT_HEADER] = str(min(int(left * 1000), 10**_MOST_DIGITS - 1))
    attempt = current_attempt()
    if attempt is not None:
        headers[ATTEMPT_HEADER] = f"{attempt.number}/{attempt.of}"
    key = current_idempotency_key()
    if key:
        headers[IDEMPOTENCY_HEADER] = key
    return headers
