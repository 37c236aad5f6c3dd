"""The ambient context of the current piece of work; that, and whose trace it follows, is global state.

There is one id for a piece of work. It is taken from a valid `traceparent`, else from a valid
`X-Request-ID`, else made. Trace id, request id and correlation id are that same value.
"""

import os
import re
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar, Token
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from holdfast.ids import long_id, short_id

MAX_NESTED = 20
"""Pieces of work within each other that are told apart."""
MAX_FIELDS = 50
"""Bound fields kept of one piece of work; further ones are dropped."""
TRACEPARENT_HEADER = "traceparent"
REQUEST_ID_HEADER = "x-request-id"
"""Headers of messages by which another process goes on with a piece of work."""
TRACEPARENT = "TRACEPARENT"
"""Environment variable with the trace that a process was started in, as a W3C `traceparent`."""

_NO_FIELDS: Mapping[str, object] = MappingProxyType({})
_TRACEPARENT = re.compile(
    r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[!-~]{1,200})?"
)
_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/=+-]{0,127}")
_TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")
_LEFT = "__holdfast_left__"
"""Attribute of an exception that holds the piece of work it left."""
_ZERO_TRACE, _ZERO_SPAN = "0" * 32, "0" * 16


class WorkContext(NamedTuple):
    """What is known of the current piece of work: a request, a task, a job."""

    trace_id: str
    """The one id: 32 hexadecimal digits, or the request id a caller sent."""
    span_id: str
    """This process's part of the trace: 16 hexadecimal digits."""
    traceparent: str = ""
    """The W3C header for calls and answers; empty when the id cannot be one."""
    boundary: str = ""
    """The boundary that began the work, such as `django.request`."""
    fields: Mapping[str, object] = _NO_FIELDS
    """What the application bound; redacted before it leaves the process."""
    within: tuple[str, ...] = ()
    """Spans of the pieces of work that this one is part of, innermost first."""
    noted: list[object] | None = None
    """Where the handler notes what explains a failing answer of this work; shared with work within it."""


TraceSource: TypeAlias = Callable[[], tuple[str, str] | None]
"""Gives the id of the trace that somebody else has begun, and the `traceparent` of what is part of it."""


class _Followed:
    """Whose trace work is part of that begins without an id of its own."""

    def __init__(self) -> None:
        self.source: TraceSource | None = None


_followed = _Followed()
_current: ContextVar[WorkContext | None] = ContextVar("holdfast_work", default=None)


def current_context() -> WorkContext | None:
    """Return the current piece of work, or None outside of any."""
    return _current.get()


def current_trace_id() -> str:
    """Return the id of the current piece of work, or an empty string outside of any."""
    work = _current.get()
    return "" if work is None else work.trace_id


def begin(
    traceparent: str | None = None, request_id: str | None = None, boundary: str = ""
) -> Token[WorkContext | None]:
    """Start a piece of work and return what `end` needs.

    Args:
        traceparent: The W3C header as received; ignored unless valid.
        request_id: The `X-Request-ID` as received; ignored unless it is at most 128 plain ASCII
            characters, so that neither line breaks nor floods come back in a header or a log.
        boundary: Name of the boundary that begins the work.
    """
    if traceparent and (parent := parse_traceparent(traceparent)):
        trace_id, flags = parent
        span_id = short_id()
        header = f"00-{trace_id}-{span_id}-{flags}"
    elif request_id and _REQUEST_ID.fullmatch(request_id):
        trace_id, span_id = request_id, short_id()
        header = _traceparent(trace_id, span_id)
    else:
        return _current.set(fresh_work(boundary))
    return _current.set(WorkContext(trace_id, span_id, header, boundary, _NO_FIELDS, *_around()))


def fresh_work(boundary: str = "") -> WorkContext:
    """Return a piece of work with ids of its own, without making it the current one."""
    trace_id, span_id = long_id(), short_id()
    header = f"00-{trace_id}-{span_id}-00"
    if _followed.source is not None and (begun := _followed.source()):
        trace_id, header = begun
    return WorkContext(trace_id, span_id, header, boundary, _NO_FIELDS, *_around())


def follow(source: TraceSource | None) -> None:
    """Let work that begins without an id of its own be part of somebody else's trace.

    Args:
        source: Asked at each beginning; must neither block nor raise. None: nobody's.
    """
    _followed.source = source


def process_work() -> WorkContext:
    """Return a piece of work for what happens outside of any: part of the trace that started the process.

    Whoever starts it says so in the environment variable `TRACEPARENT`, as `holdfast run` does.
    """
    made = fresh_work()
    parent = parse_traceparent(os.environ.get(TRACEPARENT, ""))
    if parent is None:
        return made
    trace_id, flags = parent
    return made._replace(trace_id=trace_id, traceparent=f"00-{trace_id}-{made.span_id}-{flags}")


def _around() -> tuple[tuple[str, ...], list[object] | None]:
    """Return the spans around new work, and where its errors are noted."""
    outer = _current.get()
    if outer is None:
        return (), []
    return (outer.span_id, *outer.within[: MAX_NESTED - 1]), outer.noted


def _traceparent(request_id: str, span_id: str) -> str:
    trace_id = request_id.replace("-", "").lower()  # a UUID is a trace id with dashes
    return f"00-{trace_id}-{span_id}-00" if _TRACE_ID.fullmatch(trace_id) else ""


def end(token: Token[WorkContext | None]) -> None:
    """Leave the piece of work that `begin` started, in the same context."""
    _current.reset(token)


def resume(work: WorkContext) -> Token[WorkContext | None]:
    """Go on with a piece of work that was left, as a streamed answer does; returns what `end` needs."""
    return _current.set(work)


def parse_traceparent(header: str) -> tuple[str, str] | None:
    """Return the trace id and flags of a valid W3C `traceparent`, else None.

    Follows the Trace Context recommendation: version `ff` and all-zero ids are invalid, version
    `00` ends after the flags, later versions may append more.
    """
    match = _TRACEPARENT.fullmatch(header)
    if match is None:
        return None
    version, trace_id, parent_id, flags, rest = match.groups()
    valid = version != "ff" and trace_id != _ZERO_TRACE and parent_id != _ZERO_SPAN
    return (trace_id, flags) if valid and not (version == "00" and rest) else None


def is_request_id(text: str) -> bool:
    """Tell whether `begin` takes a text for the id of a request."""
    return _REQUEST_ID.fullmatch(text) is not None


def headers_of(work: WorkContext) -> dict[str, str]:
    """Return the headers that let another process go on with a piece of work."""
    headers = {REQUEST_ID_HEADER: work.trace_id}
    if work.traceparent:
        headers[TRACEPARENT_HEADER] = work.traceparent
    return headers


@contextmanager
def work_context(
    trace_id: str = "", *, boundary: str = "", traceparent: str | None = None
) -> Generator[WorkContext, None, None]:
    """Run a block as one piece of work, with a given or a fresh id; nests.

    Args:
        trace_id: Its id; taken as `begin` takes a request's.
        boundary: Name of the boundary that begins the work.
        traceparent: The trace it is part of, before any other id; ignored unless valid.

    Example:
        >>> with work_context("job-42") as current:
        ...     current_trace_id()
        'job-42'
    """
    token = begin(traceparent, trace_id, boundary)
    try:
        yield _current.get()  # type: ignore[misc]  # begin() has just set it
    except BaseException as error:
        _leave_on(error)
        raise
    finally:
        end(token)


@contextmanager
def bind(**fields: object) -> Generator[None, None, None]:
    """Attach fields to every record made inside the block; nests, and follows tasks and threads' contexts.

    Example:
        >>> with work_context(), bind(order=42):
        ...     dict(current_context().fields)
        {'order': 42}
    """
    token = _current.set(_with_fields(fields))
    try:
        yield
    except BaseException as error:
        _leave_on(error)
        raise
    finally:
        _current.reset(token)


def bind_request(**fields: object) -> None:
    """Attach fields until the current piece of work ends, as a middleware or a login would.

    Outside of any work it does nothing: the fields would stay with the thread for ever.
    """
    if _current.get() is not None:
        _current.set(_with_fields(fields))


def _with_fields(fields: Mapping[str, object]) -> WorkContext:
    found = _current.get() or fresh_work()
    merged = {**found.fields, **fields}
    kept = dict(list(merged.items())[:MAX_FIELDS])
    return found._replace(fields=MappingProxyType(kept))


class _Left:
    """The piece of work that an exception left, put on it; it does not travel to other processes."""

    __slots__ = ("work",)

    def __init__(self, work: WorkContext | None) -> None:
        self.work = work

    def __reduce__(self) -> tuple[object, ...]:
        return _Left, (None,)


def _leave_on(error: BaseException) -> None:
    """Remember the innermost piece of work that an exception leaves: who sees it last is outside of all."""
    with suppress(Exception):  # a class may hide its attributes
        here, inner = _current.get(), left_by(error)
        # An exception may be an object that is raised again and again, in other work each time.
        if here is None or inner is None or here.span_id not in (inner.span_id, *inner.within):
            error.__dict__[_LEFT] = _Left(here)


def left_by(error: BaseException) -> WorkContext | None:
    """Return the innermost piece of work that an exception left on its way out, if any."""
    left: object = error.__dict__.get(_LEFT)
    return left.work if isinstance(left, _Left) else None
