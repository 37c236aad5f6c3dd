"""Log lines as JSON by python-json-logger, or as plain text.

Extra: `pip install "holdfast[json]"`; plain text needs no library.
"""

import json
import logging
import math
import sys
import time
from collections.abc import Callable
from functools import cache
from typing import Any, Literal, TextIO, cast

from holdfast.reporting.logging import EventFacts, TraceContextFilter

__all__ = ["TraceContextFilter", "attach_handler", "json_formatter", "plain_formatter"]

HANDLER = "holdfast"
"""Name of the handler that `attach_handler` attaches."""
_PLAIN = "%(asctime)s %(levelname)-8s %(name)s [%(trace_id)s] %(message)s"


def attach_handler(logger_name: str, format: Literal["json", "plain"], level: int | str) -> None:  # noqa: A002  # named as the setting is
    """Let a logger write to standard error by itself.

    Records no longer go to the loggers above, which would write them a second time. A second call
    changes the handler that is there.

    Args:
        logger_name: The logger, such as `holdfast`.
        format: `json`: one object a line; `plain`: one line a record, tracebacks below it.
        level: The least severity that is written.

    Raises:
        ImportError: When JSON is asked for and python-json-logger is not installed.
    """
    formatter = json_formatter() if format == "json" else plain_formatter()
    logger = logging.getLogger(logger_name)
    handler = next((known for known in logger.handlers if known.name == HANDLER), None)
    if handler is None:
        handler = _StandardError()
        handler.name = HANDLER
        handler.addFilter(TraceContextFilter())
        logger.addHandler(handler)
    handler.setFormatter(formatter)
    logger.setLevel(level)
    logger.propagate = False


def json_formatter() -> logging.Formatter:
    """Return a formatter of JSON objects: `timestamp` (ISO 8601, UTC), `level`, `logger`, `message`, every extra field.

    A traceback stands under `traceback`. For use in one's own logging configuration too:
    `{"()": "holdfast.integrations.jsonlogger.json_formatter"}`.

    Raises:
        ImportError: When python-json-logger is not installed.
    """
    try:
        from pythonjsonlogger.json import JsonFormatter  # noqa: PLC0415  # plain text does without
    except ImportError as error:
        raise ImportError(
            'JSON log lines need python-json-logger: pip install "holdfast[json]"'
        ) from error

    class Formatter(JsonFormatter):
        """Leaves out of a message what is written as fields."""

        def add_fields(
            self,
            log_data: dict[str, Any],
            record: logging.LogRecord,
            message_dict: dict[str, Any],
        ) -> None:
            if isinstance(record.args, tuple) and record.args:
                facts = record.args[-1]
                if isinstance(facts, EventFacts):
                    record.message = record.message.removesuffix(facts)
            super().add_fields(log_data, record, message_dict)

    return Formatter(
        "%(levelname)s %(name)s %(message)s",
        rename_fields={"levelname": "level", "name": "logger", "exc_info": "traceback"},
        timestamp=True,
        json_serializer=_dumps,
    )


def plain_formatter() -> logging.Formatter:
    """Return the standard formatter with time in UTC, level, logger, trace id and message."""
    formatter = logging.Formatter(_PLAIN, "%Y-%m-%dT%H:%M:%SZ", defaults={"trace_id": "-"})
    formatter.converter = time.gmtime
    return formatter


class _StandardError(logging.StreamHandler[TextIO]):
    """Writes to what `sys.stderr` is at the time of writing: daemons and tests replace it."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def _dumps(fields: dict[str, object], **options: object) -> str:
    """Write standard JSON: `NaN` and `Infinity`, which Python would write, break readers of logs."""
    try:
        return _encode(fields, options)
    except ValueError:
        return _encode(cast("dict[str, object]", _finite(fields)), options)


def _encode(fields: dict[str, object], options: dict[str, object]) -> str:
    chosen = options.get("cls") or json.JSONEncoder
    return _encoder(cast("Callable[..., json.JSONEncoder]", chosen))(fields)


@cache
def _encoder(cls: Callable[..., json.JSONEncoder]) -> Callable[[object], str]:
    return cls(allow_nan=False).encode


def _finite(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in cast("dict[object, object]", value).items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in cast("list[object]", value)]
    return value
