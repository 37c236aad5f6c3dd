"""A reporter that files each record as a line: many processes may write one file, and one may die at once."""

import json
import os
from pathlib import Path

from holdfast.events import Event
from holdfast.record import ErrorHandled
from holdfast.runtime import Runtime

VARIABLE = "HOLDFAST_TEST_RECORDS"
"""Names the file in the environment of the processes under test."""


class FilingReporter:
    """Appends what it is told, one JSON object a line, with a single write each."""

    name = "filing"

    def __init__(self, path: Path) -> None:
        self._path = path

    def report(self, event: Event) -> None:
        """File an event; of an error its record."""
        facts: dict[str, object] = {"event": event.name, **event.attributes}
        if isinstance(event, ErrorHandled):
            facts = {**event.record.as_json(), "message": event.record.message}
        facts["pid"] = os.getpid()
        line = json.dumps(facts, default=str).encode() + b"\n"
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)


def reporter(_: Runtime) -> FilingReporter:
    """Make the reporter for `REPORTERS`: `tests.paths.filing:reporter`."""
    return FilingReporter(Path(os.environ[VARIABLE]))


def filed(path: Path) -> list[dict[str, object]]:
    """Return the error records filed so far, oldest first."""
    return [facts for facts in events(path) if facts["event"] == "error.handled"]


def events(path: Path) -> list[dict[str, object]]:
    """Return everything filed so far, oldest first; a line that is being written is for the next time."""
    whole, _, _ = (path.read_text() if path.exists() else "").rpartition("\n")
    return [json.loads(line) for line in whole.splitlines()]
