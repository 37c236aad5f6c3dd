"""Errors as log records: one line each, with the facts of the record as extra fields.

The formatter is the project's, or `holdfast.integrations.jsonlogger` when a setting asks for JSON.
"""

import logging

from holdfast.events import Event, Scalar
from holdfast.record import ErrorHandled


class LoggingReporter:
    """Writes every event to a logger.

    Args:
        logger: Name of the logger.
        traceback: Add the traceback of errors that nobody raised on purpose.
    """

    name = "logging"

    def __init__(self, *, logger: str = "holdfast", traceback: bool = True) -> None:
        self._logger = logging.getLogger(logger)
        self._traceback = traceback

    def report(self, event: Event) -> None:
        """Write one line, at the event's severity."""
        if not self._logger.isEnabledFor(event.severity):
            return
        if isinstance(event, ErrorHandled):
            self._write(event, _error_message(event), self._facts_of_error(event))
        else:
            self._write(event, event.name, dict(event.attributes))

    def _facts_of_error(self, event: ErrorHandled) -> dict[str, object]:
        facts: dict[str, object] = dict(event.record.as_json())
        if self._traceback and event.severity >= logging.ERROR:
            facts["traceback"] = event.record.traceback()
        return facts

    def _write(self, event: Event, message: str, facts: dict[str, object] | dict[str, Scalar]) -> None:
        # Made and handled here, because `Logger.log` would take a message for a format and the
        # time of delivery for the time of the event.
        record = self._logger.makeRecord(
            self._logger.name, event.severity, "(holdfast)", 0, message, (), None, extra=_safe(facts)
        )
        record.created = event.time.timestamp()
        record.msecs = (record.created % 1) * 1000
        self._logger.handle(record)


_RESERVED = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}


def _safe(facts: dict[str, object] | dict[str, Scalar]) -> dict[str, object]:
    """Rename what `logging` keeps for itself, which would otherwise raise."""
    return {f"{name}_" if name in _RESERVED else name: value for name, value in facts.items()}


def _error_message(event: ErrorHandled) -> str:
    record = event.record
    where = record.origin.operation or record.origin.boundary
    return f"{record.classification.code} at {where}: {record.message or record.type}"
