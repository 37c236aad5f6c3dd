"""Events as structlog's key-value pairs. Extra: `pip install "holdfast[structlog]"`.

Nothing is rendered here: the project's own processors do that, once, whether structlog writes by
itself or through the standard library's logging. What the project has bound by
`structlog.contextvars` where the event happened is bound again where it is written.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Final, cast

from holdfast.context import current_trace_id
from holdfast.events import Event
from holdfast.forks import ForkSafeLock
from holdfast.kinds import Severity
from holdfast.record import ErrorHandled
from holdfast.redact import Redactor
from holdfast.reporting.host import Host
from holdfast.reporting.logging import RESERVED

try:
    import structlog
    from structlog.contextvars import bound_contextvars, get_contextvars
except ImportError as error:
    raise ImportError(
        'the reporter "structlog" needs structlog: pip install "holdfast[structlog]"'
    ) from error

MAX_WAITING: Final = 10_000
"""Events whose bound values are kept until they are written."""
_METHODS: Final = {
    Severity.DEBUG: "debug",
    Severity.INFO: "info",
    Severity.WARNING: "warning",
    Severity.ERROR: "error",
    Severity.CRITICAL: "critical",
}
_TAKEN: Final = RESERVED | {
    *("self", "method_name", "event", "stack", "level", "logger", "timestamp"),
}
"""Names that structlog, its processors and the standard library give to what is theirs."""


def reporter(runtime: Host) -> "StructlogReporter":
    """Make the reporter that settings call `structlog`; the section `LOGGING` holds for it."""
    told = runtime.settings
    return StructlogReporter(
        logger=told.logging.logger,
        least=Severity[told.logging.level],
        traceback=told.logging.traceback,
        labels={
            "service": told.service,
            "environment": told.environment,
            "release": told.release,
        },
        redactor=runtime.redactor,
    )


class StructlogReporter:
    """Writes every event to a logger of structlog's, under its name, with its facts as pairs.

    Args:
        logger: What the logger is asked for with: its name, where it has one.
        least: The least severity that is written.
        traceback: Add the traceback of errors of severity ERROR and above, as `exception`.
        labels: Said in every line, such as the service; those that are empty are left out.
        redactor: Takes secrets out of the source lines in tracebacks, and of what the project has bound.
    """

    name = "structlog"

    def __init__(
        self,
        *,
        logger: str = "holdfast",
        least: Severity = Severity.INFO,
        traceback: bool = True,
        labels: Mapping[str, str],
        redactor: Redactor | None = None,
    ) -> None:
        self._logger: object = structlog.get_logger(logger)
        self._least = least
        self._traceback = traceback
        self._labels = {name: value for name, value in labels.items() if value}
        self._redactor = redactor or Redactor()
        self._bound: OrderedDict[int, tuple[Event, dict[str, object]]] = OrderedDict()
        self._lock = ForkSafeLock()

    def hear(self, event: Event) -> None:
        """Remember what is bound where the event happens."""
        bound = get_contextvars()
        if bound and event.severity >= self._least:
            with self._lock:
                self._bound[id(event)] = event, bound
                if len(self._bound) > MAX_WAITING:
                    self._bound.popitem(last=False)

    def report(self, event: Event) -> None:
        """Write one event, at its severity."""
        with self._lock:
            _, bound = self._bound.pop(id(event), (event, {}))
        if event.severity < self._least:
            return
        facts = {f"{k}_" if k in _TAKEN else k: v for k, v in self._facts(event).items()}
        write = getattr(self._logger, _METHODS[Severity(event.severity)])
        with bound_contextvars(**cast("dict[str, Any]", self._redactor.mapping(bound))):
            cast("Callable[..., object]", write)(event.name, **facts)

    def _facts(self, event: Event) -> dict[str, object]:
        facts: dict[str, object] = {**self._labels, "time": event.time.isoformat()}
        if not isinstance(event, ErrorHandled):
            return {**facts, **event.attributes}
        record = event.record
        facts |= {"error_message": record.message, **record.as_json()}
        del facts["event"]  # the line's own
        if self._traceback and event.severity >= Severity.ERROR:
            facts["exception"] = record.traceback(self._redactor.text).rstrip("\n")
        return facts


def add_trace_id(
    _logger: object, _method: str, event_dict: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Give the project's own lines the `trace_id` of the current piece of work; a processor of structlog's.

    Example:
        >>> from holdfast.context import work_context
        >>> with work_context("job-42"):
        ...     dict(add_trace_id(None, "info", {"event": "stock is low"}))
        {'event': 'stock is low', 'trace_id': 'job-42'}
    """
    trace_id = current_trace_id()
    if trace_id:
        event_dict.setdefault("trace_id", trace_id)
    return event_dict
