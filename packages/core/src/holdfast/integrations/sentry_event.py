"""Sentry's shape of what we know: pure, so that what leaves the process can be read in one place."""

import linecache
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias, cast

from holdfast.codes import Severity
from holdfast.events import Event
from holdfast.record import Cause, ErrorHandled, ErrorRecord, Frame
from holdfast.redact import Redactor

Json: TypeAlias = dict[str, object]

LEVELS = {
    Severity.DEBUG: "debug",
    Severity.INFO: "info",
    Severity.WARNING: "warning",
    Severity.ERROR: "error",
    Severity.CRITICAL: "fatal",
}
_CLEANSED = ("message", "transaction", "logentry", "request", "extra", "tags", "user")
CONTEXT_LINES = 5
"""Lines of source before and after the one that raised."""
USER_ID = "user_id"
"""Attribute of an origin, or field that the application bound: whose work it was."""
_HEXADECIMAL = frozenset("0123456789abcdef")
_SOURCES = {"cause": "__cause__", "context": "__context__"}

Source: TypeAlias = Callable[[str, int], str]
"""Gives one line of a file, fit to leave the process; empty when there is none."""


class SentryInactiveError(RuntimeError):
    """There is nowhere to go for what Sentry is told: the project did not call `sentry_sdk.init`, or without a DSN."""


def error_event(handled: ErrorHandled, service: str, source: Source, *, user: bool = False) -> Json:
    """Return the event of a handled error: no values of variables, whether the project is in_app left to Sentry's options.

    Args:
        handled: The error, and how grave it is: one that was recovered from is a warning at most.
        service: Name of the service.
        source: Where lines of source come from.
        user: Whether the project lets Sentry know whose work it was.
    """
    record = handled.record
    said, origin = record.classification, record.origin
    event: Json = {
        "event_id": record.id,
        "timestamp": record.time,
        "platform": "python",
        "level": LEVELS[Severity(handled.severity)],
        "logger": "holdfast",
        "fingerprint": [record.fingerprint],
        "exception": {"values": list(_exceptions(record, source))},
        "tags": {
            **tags(said.code, str(said.kind), str(said.fault)),
            "boundary": origin.boundary,
            "trusted": str(said.trusted).lower(),
            "service": service,
            "trace_id": record.trace_id,
        },
        "contexts": {"trace": event_trace(record)},
        "extra": dict(_extra(record)),
    }
    user_id = origin.attributes.get(USER_ID) or record.fields.get(USER_ID)
    if user and user_id:
        event["user"] = {"id": str(user_id)}
    if origin.operation:
        event["transaction"] = origin.operation
        event["transaction_info"] = {"source": "route"}
    return event


def plain_event(event: Event, service: str) -> Json:
    """Return the event of something else that happened, such as a circuit that opened."""
    return {
        "timestamp": event.time,
        "level": LEVELS[Severity(event.severity)],
        "logger": "holdfast",
        "logentry": {"message": event.name},
        "fingerprint": [event.name],
        "tags": {"service": service},
        "extra": dict(event.attributes),
    }


def tags(code: str, kind: str, fault: str) -> Json:
    """Return what errors are searched and grouped by."""
    return {"code": code, "kind": kind, "fault": fault}


def _extra(record: ErrorRecord) -> Iterator[tuple[str, object]]:
    facts = record.as_json()
    # Whose work it was is said where Sentry has rules for it, or not at all.
    attributes = {k: v for k, v in record.origin.attributes.items() if k != USER_ID}
    facts |= {"attributes": attributes}
    for name in ("status", "operation", "path", "attributes", "details", "fields", "notes"):
        if facts.get(name):
            yield name, facts[name]


def event_trace(record: ErrorRecord) -> Json:
    """Return the trace that a record belongs to, in ids as Sentry has them."""
    trace_id = record.trace_id.replace("-", "").lower()
    if len(trace_id) != len(record.id) or not _HEXADECIMAL.issuperset(trace_id):
        trace_id = record.id
    return {"trace_id": trace_id, "span_id": record.span_id or record.id[:16]}


def _exceptions(record: ErrorRecord, source: Source) -> Iterator[Json]:
    """Yield what raised what, the innermost first, as Sentry wants it; the error itself is number 0."""
    for number in range(len(record.causes), 0, -1):
        yield _cause(number, record.causes, source)
    handled = record.classification.trusted or record.recovered
    mechanism: Json = {"type": "holdfast", "handled": handled, "exception_id": 0}
    if any(cause.relation == "member" for cause in record.causes):
        mechanism["is_exception_group"] = True
    yield _exception(record.type, record.message, record.frames, mechanism, source)


def _cause(number: int, causes: tuple[Cause, ...], source: Source) -> Json:
    cause = causes[number - 1]
    member = sum(earlier.relation == "member" for earlier in causes[: number - 1])
    mechanism: Json = {
        "type": "chained",
        "handled": True,
        "exception_id": number,
        "parent_id": 0 if cause.relation == "member" else number - 1,
        "source": _SOURCES.get(cause.relation, f"exceptions[{member}]"),
    }
    return _exception(cause.type, cause.message, cause.frames, mechanism, source)


def _exception(
    type_name: str, message: str, frames: tuple[Frame, ...], mechanism: Json, source: Source
) -> Json:
    module, _, name = type_name.rpartition(".")
    made: Json = {"type": name, "value": message, "mechanism": mechanism}
    if module:
        made["module"] = module
    if frames:
        made["stacktrace"] = {"frames": [_frame(frame, source) for frame in frames]}
    return made


def _frame(frame: Frame, source: Source) -> Json:
    parts = frame.filename.replace("\\", "/").split("/")
    made: Json = {
        "filename": "/".join(parts[-1 - frame.module.count(".") :]),
        "abs_path": frame.filename,
        "function": frame.function,
        "module": frame.module,
        "lineno": frame.line,
    }
    line = source(frame.filename, frame.line)
    if line:
        first = max(1, frame.line - CONTEXT_LINES)
        made["context_line"] = line
        made["pre_context"] = [source(frame.filename, n) for n in range(first, frame.line)]
        after = range(frame.line + 1, frame.line + 1 + CONTEXT_LINES)
        made["post_context"] = [source(frame.filename, n) for n in after]
    return made


def source_line(filename: str, line: int) -> str:
    """Return one line of a file without its line break; empty when there is none."""
    return linecache.getline(filename, line).rstrip("\r\n")


def no_source(_filename: str, _line: int) -> str:
    """Return nothing, for projects that keep source out of Sentry."""
    return ""


def cleanse(event: Mapping[str, object], redactor: Redactor) -> Json:
    """Return an event that somebody else made, with secrets taken out of whatever may hold them."""
    clean = _redacted(event, redactor, *_CLEANSED)
    contexts = part(event, "contexts")
    if contexts:  # the ids of the trace stay, by which Sentry joins what belongs together
        others = [name for name in contexts if name != "trace"]
        clean["contexts"] = _redacted(contexts, redactor, *others)
    for crumb in values_of(clean, "breadcrumbs"):
        crumb.update(_redacted(crumb, redactor, "message", "data"))
    for raised in values_of(clean, "exception"):
        raised.update(_redacted(raised, redactor, "value"))
    for holder in (*values_of(clean, "exception"), *values_of(clean, "threads")):
        for frame in _dicts(part(holder, "stacktrace").get("frames")):
            frame.update(_redacted(frame, redactor, "vars"))
    return clean


def _redacted(event: Mapping[str, object], redactor: Redactor, *names: str) -> Json:
    return {
        name: redactor.value(value) if name in names and value else value
        for name, value in event.items()
    }


def values_of(event: Mapping[str, object], name: str) -> list[Json]:
    """Return the entries of an event's list, such as its exceptions."""
    return _dicts(part(event, name).get("values"))


def part(event: Mapping[str, object], name: str) -> Json:
    """Return a part that is a mapping; an empty one when it is missing or something else."""
    value = event.get(name)
    return cast("Json", value) if isinstance(value, dict) else {}


def _dicts(value: object) -> list[Json]:
    if not isinstance(value, list | tuple):
        return []
    items = cast("list[object]", value)
    return [cast("Json", item) for item in items if isinstance(item, dict)]
