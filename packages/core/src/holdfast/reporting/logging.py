"""Errors as log records: one line each, with the facts of the record as extra fields.

The formatter is the project's, or `holdfast.integrations.jsonlogger` when a setting asks for one.
"""

import json
import logging
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from holdfast.context import current_trace_id
from holdfast.events import Event
from holdfast.record import ErrorHandled
from holdfast.redact import Redactor

_MAX_VALUE: Final = 200
_MAX_FACTS: Final = 1000
"""Characters that a line says of an attribute, and of all."""
_SAID: Final = frozenset({"trace_id"})
"""Attributes that a line has elsewhere."""


class EventFacts(str):
    """What an event's line says behind its name; a formatter that writes fields leaves it out."""

    __slots__ = ()


class LoggingReporter:
    """Writes every event to a logger, which is best left to it alone.

    The message of an error is its code, place and text; that of any other event is its name, with
    its attributes behind it: `job.failed job=nightly exit_status=9`.

    Args:
        logger: Name of the logger.
        traceback: Add the traceback of errors of severity ERROR and above. It stands where every
            formatter looks for one (`LogRecord.exc_text`), and shows no values of variables.
        level: The least severity that is written; the logger's own level holds beside it.
        labels: Fields of every line, such as `service`; those that are empty are left out.
        redactor: Takes secrets out of the source lines in tracebacks; by default the built-in rules.
    """

    name = "logging"

    def __init__(
        self,
        *,
        logger: str = "holdfast",
        traceback: bool = True,
        level: int = logging.NOTSET,
        labels: Mapping[str, str] = MappingProxyType({}),
        redactor: Redactor | None = None,
    ) -> None:
        self._clean = None if redactor is None else redactor.text
        self._logger = logging.getLogger(logger)
        self._traceback = traceback
        self._level = level
        self._labels = {name: value for name, value in labels.items() if value}
        self._taken = RESERVED | self._labels.keys()
        self._kept_apart = False

    def report(self, event: Event) -> None:
        """Write one line, at the event's severity."""
        if event.severity < self._level or not self._logger.isEnabledFor(event.severity):
            return
        if not self._kept_apart:
            self._kept_apart = _keep_apart(self._logger.name)
        if isinstance(event, ErrorHandled):
            self._write(event, _one_line(_error_message(event)), event.record.as_json())
        else:
            name, said = _one_line(event.name), _said(event.attributes)
            if said:
                self._write(event, name.replace("%", "%%") + "%s", event.attributes, said)
            else:
                self._write(event, name, event.attributes)

    def _write(
        self, event: Event, message: str, facts: Mapping[str, object], *args: EventFacts
    ) -> None:
        # Made and handled here, because `Logger.log` would take the time of delivery for the time
        # of the event. Without arguments a message is never taken for a format.
        record = self._logger.makeRecord(
            self._logger.name,
            event.severity,
            "(holdfast)",
            0,
            message,
            args,
            None,
            extra=self._labels | _safe(facts, self._taken),
        )
        record.created = event.time.timestamp()
        record.msecs = (record.created % 1) * 1000
        if self._traceback and isinstance(event, ErrorHandled) and event.severity >= logging.ERROR:
            record.exc_text = event.record.traceback(self._clean).rstrip("\n")
        self._logger.handle(record)


class TraceContextFilter(logging.Filter):
    """Gives the application's own log records the `trace_id` of the current piece of work.

    For handlers, so that it sees the records of every logger below:

        LOGGING = {
            "version": 1,
            "filters": {"trace": {"()": "holdfast.reporting.logging.TraceContextFilter"}},
            "handlers": {"console": {"class": "logging.StreamHandler", "filters": ["trace"]}},
            "root": {"handlers": ["console"]},
        }

    Example:
        >>> from holdfast.context import work_context
        >>> record = logging.makeLogRecord({"msg": "stock is low"})
        >>> with work_context("job-42"):
        ...     TraceContextFilter().filter(record)
        True
        >>> record.__dict__["trace_id"]
        'job-42'
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the id, unless the record has one, and let the record pass."""
        if "trace_id" not in record.__dict__:
            record.trace_id = current_trace_id()
        return True


RESERVED = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
"""Names that records of the standard library keep for themselves."""


def _safe(facts: Mapping[str, object], taken: frozenset[str]) -> dict[str, object]:
    """Rename what `logging` keeps for itself, which would otherwise raise, and what we say already."""
    if taken.isdisjoint(facts):
        return dict(facts)
    return {f"{name}_" if name in taken else name: value for name, value in facts.items()}


def _error_message(event: ErrorHandled) -> str:
    record = event.record
    where = record.origin.operation or record.origin.boundary
    return f"{record.classification.code} at {where}: {record.message or record.type}"


def _said(attributes: Mapping[str, object]) -> EventFacts:
    """Return an event's attributes as text, within bounds and in one line; empty ones are left out."""
    said = [
        f" {name}={_readable(value)}"
        for name, value in attributes.items()
        if name not in _SAID and isinstance(value, str | int | float) and value != ""
    ]
    return EventFacts(_cut(_one_line("".join(said)), _MAX_FACTS))


def _readable(value: str | float) -> str:
    """Return a value as it is, or quoted where it could be taken for more than one."""
    text = _cut(str(value), _MAX_VALUE)
    plain = text.isprintable() and not any(c in text for c in ' "=')
    return text if plain else json.dumps(text, ensure_ascii=False)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _one_line(text: str) -> str:
    """Escape line breaks and control characters, with which a caller could write lines of their own."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _keep_apart(logger: str) -> bool:
    """Tell Sentry, when the project uses it, that the logger's lines are no errors of their own.

    Without that every line at ERROR becomes an event beside the one of the error itself. Asked for
    at each line until it is there, because a project may set Sentry up after us; and found among
    what is loaded, because whoever does not use it must not need it.
    """
    sentry = sys.modules.get("sentry_sdk.integrations.logging")
    ignore_logger = getattr(sentry, "ignore_logger", None)
    if ignore_logger is None:
        return False
    ignore_logger(logger)
    return True
