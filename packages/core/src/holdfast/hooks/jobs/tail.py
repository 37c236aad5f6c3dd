"""The end of what a command writes: whole lines of both its streams, bounded, without secrets."""

import threading
from collections import deque
from dataclasses import replace
from typing import Final

from holdfast.redact import Redactor

MAX_LINES: Final = 20
MAX_BYTES: Final = 4096
_SEEN_LINES: Final = 400
_SEEN_BYTES: Final = 32_768
"""Kept before redaction: a secret over several lines is only known for one by its beginning."""
_LONGEST: Final = 8192
"""Bytes of a line that are kept; of a longer one nothing is, for a secret may be cut in two."""


class Tail:
    r"""Collects from several threads; binary, for a command may write anything.

    Example:
        >>> tail = Tail()
        >>> tail.add("out", b"reading\npassword=hunter2\n")
        >>> print(tail.text(Redactor()))
        reading
        password=[redacted]
    """

    def __init__(self) -> None:
        self._lines: deque[bytes] = deque(maxlen=_SEEN_LINES)
        self._bytes = 0
        self._partial: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def add(self, stream: str, data: bytes) -> None:
        """Take what one stream wrote; its lines are not mixed with those of another."""
        with self._lock:
            # Of a flood of lines only the last are ever separated.
            lines = (self._partial.get(stream, b"") + data).rsplit(b"\n", _SEEN_LINES + 1)
            self._partial[stream] = lines.pop()[: _LONGEST + 1]
            for line in lines[-_SEEN_LINES:]:
                self._keep(line)

    def text(self, redactor: Redactor) -> str:
        """Return the last lines, at most 20 and 4 kB, as text."""
        with self._lock:
            unfinished = [_shown(line) for line in self._partial.values() if line]
            lines = [*self._lines, *unfinished]
        text = b"\n".join(lines).decode("utf-8", "replace")
        return _end_of(_redacted(text, redactor))

    def _keep(self, line: bytes) -> None:
        shown = _shown(line)
        if len(self._lines) == _SEEN_LINES:
            self._bytes -= len(self._lines[0])
        self._lines.append(shown)
        self._bytes += len(shown)
        while self._bytes > _SEEN_BYTES:
            self._bytes -= len(self._lines.popleft())


def _shown(line: bytes) -> bytes:
    if len(line) > _LONGEST:
        return b"[a line of more than %d bytes]" % _LONGEST
    # Of a line that was drawn over and over, such as a progress bar, what was to be seen last.
    return line.rstrip(b"\r").rpartition(b"\r")[2]


def _redacted(text: str, redactor: Redactor) -> str:
    """Redact all that was kept as one text, which the redactor is told not to cut."""
    return replace(redactor, max_length=4 * _SEEN_BYTES).text(text)


def _end_of(text: str) -> str:
    kept: list[str] = []
    left = MAX_BYTES
    for line in reversed(text.split("\n")[-MAX_LINES:]):
        left -= len(line.encode()) + 1
        if left < 0:
            break
        kept.append(line)
    return "\n".join(reversed(kept)) if kept else _start_of(text.rpartition("\n")[2])


def _start_of(line: str) -> str:
    return line.encode()[: MAX_BYTES - 4].decode("utf-8", "ignore") + "…"
