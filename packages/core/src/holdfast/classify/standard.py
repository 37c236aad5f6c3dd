"""What the exceptions of the standard library mean, and of all libraries that are known by name."""

import errno
from collections.abc import Iterator
from dataclasses import fields
from functools import cache

from holdfast.brokers import MEANINGS
from holdfast.classify.clients import client_rules
from holdfast.classify.databases import driver_rules
from holdfast.classify.rules import Rule
from holdfast.codes import Effect, ErrorCode, Severity

_NO_ROUTE = (errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTDOWN, errno.EHOSTUNREACH)


@cache
def standard_rules() -> tuple[Rule, ...]:
    """Return the built-in rules, the same to all who ask."""
    return tuple(_all())


def _all() -> Iterator[Rule]:
    yield from driver_rules()
    for known in MEANINGS:
        yield Rule(**{field.name: getattr(known, field.name) for field in fields(known)})
    yield from client_rules()
    yield from _timeouts()
    yield from _connections()
    yield Rule(match="concurrent.futures.process.BrokenProcessPool", code=ErrorCode.PROCESS_CRASHED)
    for broken in (MemoryError, RecursionError):
        yield Rule(
            match=broken, code=ErrorCode.INTERNAL_ERROR, severity=Severity.CRITICAL, trusted=False
        )


def _timeouts() -> Iterator[Rule]:
    # Those of `socket`, `asyncio` and `concurrent.futures` are the built-in one by other names.
    for late in (TimeoutError, "multiprocessing.context.TimeoutError", "subprocess.TimeoutExpired"):
        yield Rule(match=late, code=ErrorCode.DEADLINE_EXCEEDED, effect=Effect.IN_DOUBT)


def _connections() -> Iterator[Rule]:
    gone = ErrorCode.COMMUNICATION_ERROR
    yield Rule(match=ConnectionRefusedError, code=gone, effect=Effect.NOT_SENT)
    yield Rule(match=ConnectionError, code=gone, effect=Effect.IN_DOUBT)
    yield Rule(match=OSError, errno=_NO_ROUTE, code=gone, effect=Effect.NOT_SENT)
    for unknown in ("socket.gaierror", "socket.herror"):
        yield Rule(match=unknown, code=gone, effect=Effect.NOT_SENT)
    yield Rule(match="ssl.SSLError", code=gone, transient=False)
    yield Rule(match="asyncio.exceptions.IncompleteReadError", code=gone, effect=Effect.IN_DOUBT)
