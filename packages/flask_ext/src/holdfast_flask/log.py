"""Flask's own log lines: one error, one line."""

import logging

from holdfast.hooks.bridge import is_first_line
from holdfast.runtime import Runtime


class HandledElsewhere(logging.Filter):
    """Drops log lines about exceptions that the runtime has handled: its reporters tell of those.

    Flask's line shows the exception's text as it is; the reporters' is redacted.

    Args:
        runtime: The application's.
    """

    def __init__(self, runtime: Runtime) -> None:
        super().__init__()
        self._runtime = runtime

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a line is to be written."""
        error = record.exc_info[1] if record.exc_info else None
        return error is None or is_first_line(record) or not self._runtime.handler.saw(error)
