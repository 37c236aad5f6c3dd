"""What is only ever logged: errors that a framework caught, wrote down and forgot.

Django's robust callbacks and receivers, hooks of Celery tasks, callbacks of event loops and futures:
no other hook sees them. It listens where log records are made, because handlers are replaced by
whoever configures logging (`dictConfig`, Celery) and do not see loggers that do not propagate.
"""

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from holdfast.handler import LOGGED, handling
from holdfast.hooks.process import capture, hide_frame, passed_on
from holdfast.origin import Origin
from holdfast.record import ErrorRecord, type_name
from holdfast.reporting.channel import turn

if TYPE_CHECKING:
    from collections.abc import Callable

BOUNDARY: Final = LOGGED
ATTRIBUTE: Final = "holdfast_record"
"""Attribute of a log record that holds the `ErrorRecord` of its exception."""

_IGNORED = {"holdfast", "sentry_sdk", "urllib3"}
"""Loggers of those who report: to report what they say would go in circles."""


class LoggingBridge:
    """Hands the exception of every record of level ERROR and above to the handler.

    What was handled before is known by its mark and counted once. Records that a reporter causes
    are passed over.
    """

    def __init__(self) -> None:
        self._factory: _Factory | None = None
        self._ignored = set(_IGNORED)

    def install(self) -> None:
        """Listen, behind the factory of records that is there."""
        if self._factory is None:
            self._factory = _Factory(self.hear, logging.getLogRecordFactory())
            logging.setLogRecordFactory(self._factory)

    def uninstall(self) -> None:
        """Stop listening, and put back the factory that was there unless another came on top."""
        if self._factory is not None:
            self._factory.listening = False
            if logging.getLogRecordFactory() is self._factory:
                logging.setLogRecordFactory(self._factory.before)
            self._factory = None

    def ignore(self, *loggers: str) -> None:
        """Pass over records of loggers, and of those below them: others see these errors first-hand."""
        self._ignored.update(loggers)

    def heed(self, *loggers: str) -> None:
        """Undo `ignore`; the loggers of those who report stay ignored."""
        self._ignored.difference_update(set(loggers) - _IGNORED)

    def hear(self, record: logging.LogRecord) -> None:
        """Hand over the exception of one record, unless somebody else has done so or will."""
        error = record.exc_info[1] if record.exc_info else None
        if error is None or turn.busy or handling.busy or self._is_ignored(record.name):
            return
        if error is passed_on.error:
            return
        said = {"said": _template(record), "level": record.levelname}
        origin = Origin(boundary=BOUNDARY, operation=record.name, attributes=said)
        verdict = capture(error, origin)
        if verdict is not None and verdict.record is not None:
            setattr(record, ATTRIBUTE, verdict.record)

    def _is_ignored(self, logger: str) -> bool:
        while logger:
            if logger in self._ignored:
                return True
            logger = logger.rpartition(".")[0]
        return False


def _template(record: logging.LogRecord) -> str:
    # Whatever else may be logged: to ask it for its text would run somebody's code.
    said: object = record.msg
    return said if isinstance(said, str) else type_name(type(said))


class _Factory:
    """Makes log records as the factory before it does, and lets the bridge hear of them.

    One that another factory came on top of stays where it is and only makes records.
    """

    def __init__(
        self,
        hear: "Callable[[logging.LogRecord], None]",
        before: "Callable[..., logging.LogRecord]",
    ) -> None:
        self.hear = hear
        self.before = before
        self.listening = True

    def __call__(self, *args: object, **kwargs: object) -> logging.LogRecord:
        try:
            record = self.before(*args, **kwargs)
        except BaseException as failure:
            hide_frame(failure)
            raise
        if record.exc_info and record.levelno >= logging.ERROR and self.listening:
            with suppress(Exception):  # such as too deep a recursion: whoever logs must not see it
                self.hear(record)
        return record


hook = LoggingBridge()


def is_first_line(record: logging.LogRecord) -> bool:
    """Tell whether the handler knows the record's exception only because it was logged."""
    found: object = getattr(record, ATTRIBUTE, None)
    return isinstance(found, ErrorRecord) and found.origin.boundary == BOUNDARY
