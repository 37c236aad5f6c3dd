"""A reporter that writes one line of JSON for each record, for the test to read."""

import json
import os
from pathlib import Path

from holdfast.events import Event
from holdfast.record import ErrorHandled
from holdfast.runtime import Runtime


class Lines:
    """Appends records to a file."""

    name = "lines"

    def __init__(self, path: Path) -> None:
        self.path = path

    def report(self, event: Event) -> None:
        """Write one record."""
        if isinstance(event, ErrorHandled):
            line = json.dumps({**event.record.as_json(), "message": event.record.message})
            with self.path.open("a") as file:
                file.write(f"{line}\n")


def lines(runtime: Runtime) -> Lines:
    """Make the reporter."""
    return Lines(Path(os.environ["HOLDFAST_TEST_RECORDS"]))
