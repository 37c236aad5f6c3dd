"""How many errors there were, of which kind and where, and out of how many requests.

Counted in the thread that handles the error, before anything is queued, so that no count is lost
to a full queue.
"""

from itertools import count

from holdfast.events import Event
from holdfast.record import ErrorHandled


class ErrorStatistics:
    """Counts errors and requests of one runtime; thread-safe."""

    def __init__(self) -> None:
        self.request = count(1).__next__
        """Called once for every request, task or message that begins: one step of a counter."""
        self.total = 0

    def hear(self, event: Event) -> None:
        """Count an event; quick, neither blocks nor raises."""
        if isinstance(event, ErrorHandled):
            self.total += 1
