"""What a command's processes have recorded themselves, so that no error is recorded twice.

`holdfast run` names a file in the environment of its command. Every runtime below it notes its
errors there, and which of them ended a process: that explains a command that failed. Any other was
survived, at least for a while, and is only named beside the run's own record.
"""

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self, cast

from holdfast.events import Event
from holdfast.record import ErrorHandled, ErrorRecord
from holdfast.statuses import SERVER_ERROR

VARIABLE: Final = "HOLDFAST_RUN"
"""Names the file in the environment."""
_ENDING: Final = frozenset({"process", "startup", "job", "django.command", "flask.command"})
"""Boundaries at which an error ends the process, whoever's fault it is."""
_MOST: Final = 65_536
"""Bytes that are read of the file, from its end."""
_FULL: Final = 1_048_576
"""Bytes after which the file begins anew: a command may fail at something for months."""


class Told(NamedTuple):
    """An error that a process of the command recorded."""

    code: str = ""
    record_id: str = ""


class RunFile:
    """The file of one run; there only inside the block.

    Where it cannot be made, there is none, and the run's own record is made beside the command's.
    """

    def __init__(self) -> None:
        self._path: Path | None = None

    def __enter__(self) -> Self:
        with contextlib.suppress(OSError):
            descriptor, path = tempfile.mkstemp(prefix="holdfast-run-")
            os.close(descriptor)
            self._path = Path(path)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._path.unlink()

    def environment(self) -> dict[str, str]:
        """Return what the command's environment holds of it."""
        return {} if self._path is None else {VARIABLE: str(self._path)}

    def last(self) -> Told | None:
        """Return the error that was noted last, whatever became of it."""
        return next((told for told, _ in self._told()), None)

    def ending(self) -> Told | None:
        """Return the last error that ended a process."""
        return next((told for told, ends in self._told() if ends), None)

    def _told(self) -> Iterator[tuple[Told, bool]]:
        for line in reversed(self._end()):
            with contextlib.suppress(ValueError, LookupError, TypeError):
                facts = cast("dict[str, object]", json.loads(line))
                yield Told(str(facts["code"]), str(facts["record_id"])), facts["ends"] is True

    def _end(self) -> list[bytes]:
        if self._path is None:
            return []
        try:
            with self._path.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _MOST))
                return file.read(_MOST).splitlines()
        except OSError:
            return []


class Notes:
    """A reporter that notes errors in the file of the run this process is part of."""

    name = "run"

    def __init__(self, path: str) -> None:
        self._path = path

    def report(self, event: Event) -> None:
        """Note an error that may be why the process ends."""
        if not isinstance(event, ErrorHandled):
            return
        record = event.record
        said = record.classification
        if said.kind.status < SERVER_ERROR and record.origin.boundary not in _ENDING:
            return
        self.note(record, ends=record.origin.boundary in _ENDING)

    def note(self, record: ErrorRecord, *, ends: bool) -> None:
        """Note an error, and whether it ended the process."""
        told = {"code": record.classification.code, "record_id": record.id, "ends": ends}
        # The run may be over, or another user's: then it makes a record of its own.
        with contextlib.suppress(OSError):
            self._append(json.dumps(told).encode() + b"\n")

    def _append(self, line: bytes) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        try:
            if os.fstat(descriptor).st_size + len(line) > _FULL:
                os.ftruncate(descriptor, 0)
            os.write(descriptor, line)
        finally:
            os.close(descriptor)


def ended(record: ErrorRecord) -> None:
    """Note that an error ended this process, wherever it had been recorded."""
    for reporter in notes():
        reporter.note(record, ends=True)


def notes() -> list[Notes]:
    """Return the reporter for this process, if it is part of a run."""
    path = os.environ.get(VARIABLE, "")
    return [Notes(path)] if path else []
