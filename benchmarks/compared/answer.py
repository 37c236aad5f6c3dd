"""What came of trying one claim on one library."""

from dataclasses import dataclass
from threading import Thread
from typing import Protocol

PATIENCE = 1.0
"""Seconds after which a thread that ought to go on is said to be held up."""
LONG = 10.0
"""Seconds after which something that always comes has failed to come."""


class UnableError(Exception):
    """A library has nothing for this; the text says what it has instead."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether a claim holds, and how."""

    holds: bool | None
    """None: could not be tried here."""
    said: str = ""


class _Called(Protocol):
    def __call__(self) -> object: ...


class Running(Thread):
    """Calls a function on a thread and keeps how it ended."""

    def __init__(self, function: _Called) -> None:
        super().__init__(daemon=True)
        self._function = function
        self.value: object = None
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        """Call it."""
        try:
            self.value = self._function()
        except BaseException as error:
            self.error = error

    def is_over(self, seconds: float = PATIENCE) -> bool:
        """Tell whether it ends within a time."""
        self.join(seconds)
        return not self.is_alive()
