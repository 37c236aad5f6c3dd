"""A reporter that takes its time, so that only what is waited for arrives."""

import os
import threading
from pathlib import Path

from holdfast.events import Event
from holdfast.runtime import Runtime
from tests.paths.filing import VARIABLE, FilingReporter


class LateReporter(FilingReporter):
    """Files every event, later."""

    def report(self, event: Event) -> None:
        """File an event."""
        threading.Event().wait(0.2)
        super().report(event)


def reporter(_: Runtime) -> LateReporter:
    """Make the reporter for `REPORTERS`: `tests.paths.leaving_reporter:reporter`."""
    return LateReporter(Path(os.environ[VARIABLE]))
