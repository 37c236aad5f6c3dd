"""How one call ended: a value or an error, handed from layer to layer instead of being raised.

An error that travels as a value keeps its traceback as the call left it, and a `StopIteration` of
user code stays what it is.
"""

from typing import Final, NamedTuple


class Outcome(NamedTuple):
    """How a call ended."""

    error: BaseException | None = None
    value: object = None

    @property
    def failed(self) -> bool:
        """Whether it ended with an error, and not with an exit or a cancellation."""
        return isinstance(self.error, Exception)


NOTHING: Final = Outcome()
"""The outcome of what returns nothing."""
