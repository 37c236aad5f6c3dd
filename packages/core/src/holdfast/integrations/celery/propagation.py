"""The correlation id and the W3C trace, in the headers of messages: from a request to its tasks and theirs.

Two headers travel at the top of a message, `traceparent` and `x-request-id`. A deadline travels as
Celery's own `expires`, for tasks that ask for it (`ResilientTask.within_deadline`): others outlive who
sends them. A message without an id is known by its root task's id, so that the child that runs a task
and the parent that loses it speak of the same work.

This module's variables are global state, as Celery's signals are.
"""

import re
import weakref
from collections.abc import Mapping
from contextlib import suppress
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias, cast

from celery import signals

from holdfast import context
from holdfast.context import (
    REQUEST_ID_HEADER,
    TRACEPARENT_HEADER,
    WorkContext,
    current_context,
    headers_of,
    parse_traceparent,
)
from holdfast.hooks.process import count_request, responsible

if TYPE_CHECKING:
    from celery import Celery
    from celery.app.task import Task
    from celery.worker.request import Request

BOUNDARY: Final = "celery.task"

_SENT_BY_BEAT: Final = "celery_beat_task"
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_UID: Final = "holdfast.propagation"

Carrier: TypeAlias = object
"""What has the headers of a message: a mapping, a worker's request, a task's, a message of kombu's."""


class _Begun(NamedTuple):
    """A task that runs here, and what ends its piece of work."""

    request: object
    token: Token[WorkContext | None]


_running: ContextVar[tuple[_Begun, ...]] = ContextVar("holdfast_celery_tasks", default=())
_received: "weakref.WeakValueDictionary[str, Request]" = weakref.WeakValueDictionary()
"""What the parent of a worker has in hand: it may have to speak for a child that died."""


def connect(_app: "Celery") -> None:
    """Follow every task that this process sends, receives or runs; harmless when done before.

    Signals belong to the process: whichever application asks, the tasks of all are followed.
    """
    signals.before_task_publish.connect(_publishing, dispatch_uid=_UID, weak=False)
    signals.task_received.connect(_receiving, dispatch_uid=_UID, weak=False)
    signals.task_prerun.connect(_beginning, dispatch_uid=_UID, weak=False)
    # Again, so that the work ends after all that listens by now has heard of the task's end.
    signals.task_postrun.disconnect(_ending, dispatch_uid=_UID)
    signals.task_postrun.connect(_ending, dispatch_uid=_UID, weak=False)


def disconnect() -> None:
    """Follow no task any more; harmless when not connected."""
    signals.before_task_publish.disconnect(_publishing, dispatch_uid=_UID)
    signals.task_received.disconnect(_receiving, dispatch_uid=_UID)
    signals.task_prerun.disconnect(_beginning, dispatch_uid=_UID)
    signals.task_postrun.disconnect(_ending, dispatch_uid=_UID)


def request_of(task_id: str) -> "Request | None":
    """Return the request of a task that this worker has in hand."""
    return _received.get(task_id)


def work_of(carrier: Carrier) -> WorkContext:
    """Return the piece of work that a task is, without making it the current one.

    For records made outside of the process that runs the task: `context.resume(work_of(request))`
    around them, and `context.end`. The ids are those the task itself has; `task_id` and `task` are
    bound. What a message says is trusted as little as the headers of a request.

    Args:
        carrier: A worker's request, a task's, a message, or its headers.
    """
    headers = _headers_in(carrier)
    token = _begin(headers, _carried(headers) or _root_of(headers))
    try:
        return cast("WorkContext", current_context())
    finally:
        context.end(token)


def _begin(headers: Mapping[str, object], ids: Mapping[str, str]) -> Token[WorkContext | None]:
    token = context.begin(ids.get(TRACEPARENT_HEADER), ids.get(REQUEST_ID_HEADER), BOUNDARY)
    names = {"task_id": headers.get("id"), "task": headers.get("task")}
    context.bind_request(**{name: value for name, value in names.items() if value})
    return token


def _publishing(headers: dict[str, object] | None = None, **_: object) -> None:
    if headers is None:
        return
    work = None if headers.get(_SENT_BY_BEAT) else current_context()
    carried = _carried(headers)
    if carried and (work is None or not _is_of(carried, work)):
        return  # the publisher's own, or a retry of what is no part of the present work
    ids = headers_of(work or _work_behind(headers))
    headers.update(ids)
    inner = headers.get("headers")
    if isinstance(inner, dict):
        # Where there is one, as Sentry makes it, a retry keeps nothing but what is in it.
        headers["headers"] = {**cast("dict[str, object]", inner), **ids}


def _receiving(request: "Request", **_: object) -> None:
    _received[request.id] = request


def _beginning(task: "Task[..., object]", **_: object) -> None:
    request = task.request
    headers = _headers_in(request)
    if not request.is_eager:
        _leave_all()  # whatever a task left behind that was torn out of this thread
    around = current_context() if request.is_eager else None
    inherited = {} if around is None else _carried(headers_of(around))
    count_request(responsible())
    token = _begin(headers, _carried(headers) or inherited or _root_of(headers))
    _running.set((*_running.get(), _Begun(request, token)))


def _ending(task: "Task[..., object]", **_: object) -> None:
    request = task.request
    if any(begun.request is request for begun in _running.get()):
        while _leave_last() is not request:
            pass


def _leave_all() -> None:
    while _running.get():
        _leave_last()


def _leave_last() -> object:
    *before, last = _running.get()
    _running.set(tuple(before))
    with suppress(ValueError):  # begun in another context: that one ended with it
        context.end(last.token)
    return last.request


def _headers_in(carrier: Carrier) -> Mapping[str, object]:
    if isinstance(carrier, Mapping):
        return cast("Mapping[str, object]", carrier)
    found: object = getattr(carrier, "request_dict", None)  # a worker's request
    if found is None:
        attributes: dict[str, object] = getattr(carrier, "__dict__", {})
        found = attributes if "id" in attributes else getattr(carrier, "headers", None)
    return cast("Mapping[str, object]", found) if isinstance(found, Mapping) else {}


def _carried(headers: Mapping[str, object]) -> dict[str, str]:
    """Return the valid ids among headers; those at the top before those a library put into them."""
    for place in (headers, headers.get("headers")):
        if isinstance(place, Mapping):
            ids = _valid(cast("Mapping[str, object]", place))
            if ids:
                return ids
    return {}


def _valid(headers: Mapping[str, object]) -> dict[str, str]:
    parent, request_id = headers.get(TRACEPARENT_HEADER), headers.get(REQUEST_ID_HEADER)
    trace = parse_traceparent(parent) if isinstance(parent, str) else None
    named = isinstance(request_id, str) and context.is_request_id(request_id)
    if trace is None:
        return {REQUEST_ID_HEADER: cast("str", request_id)} if named else {}
    if named and _compact(cast("str", request_id)) == trace[0] != request_id:
        # The same id, as its owner writes it: a UUID.
        return {REQUEST_ID_HEADER: cast("str", request_id)}
    return {TRACEPARENT_HEADER: cast("str", parent)}


def _is_of(ids: Mapping[str, str], work: WorkContext) -> bool:
    trace = parse_traceparent(ids.get(TRACEPARENT_HEADER, ""))
    return work.trace_id == (trace[0] if trace else ids.get(REQUEST_ID_HEADER))


def _work_behind(headers: Mapping[str, object]) -> WorkContext:
    """Return the work that a message belongs to which is sent outside of any."""
    parent = request_of(str(headers.get("parent_id")))
    if parent is not None:
        return work_of(parent)
    # An id that somebody chose may come again with every run.
    return work_of(headers if _UUID.fullmatch(str(headers.get("root_id"))) else {})


def _root_of(headers: Mapping[str, object]) -> dict[str, str]:
    root = headers.get("root_id") or headers.get("id")
    if not isinstance(root, str):
        return {}
    return {REQUEST_ID_HEADER: _compact(root) if _UUID.fullmatch(root) else root}


def _compact(identifier: str) -> str:
    return identifier.replace("-", "").lower()
