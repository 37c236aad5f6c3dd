"""What a cache answers, and where the answer comes from."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

_Value = TypeVar("_Value")


class Source(StrEnum):
    """Where an answer comes from."""

    FRESH = "fresh"
    """The cache, within its time."""
    STALE = "stale"
    """The cache, after its time; the reason says why."""
    COMPUTED = "computed"
    """The function that knows, asked just now."""


@dataclass(frozen=True, slots=True)
class Answer(Generic[_Value]):
    """A value with its provenance.

    Example:
        >>> Answer(42, Source.STALE, "failed", age=75.0).degraded
        True
    """

    value: _Value
    source: Source
    reason: str = ""
    """Of a stale value: `refreshing` (somebody else asks), `failed` (the function just did),
    `back-off` (it did a moment ago), `deadline` (no time is left to ask); of a computed one:
    `shared`, when another call asked; of any from the cache: `store down`, when the store was."""
    age: float = 0.0
    """Seconds since the value was computed."""

    @property
    def degraded(self) -> bool:
        """Whether the value is older than it should be."""
        return self.source is Source.STALE
