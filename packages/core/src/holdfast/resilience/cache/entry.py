"""`Entry`: one value as a cache keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """One value, and until when it holds; all times in seconds of one clock."""

    value: object
    created: float
    fresh_until: float
    stale_until: float
    """Until when it may be served in the place of a failure."""
    stamps: Mapping[str, str] | None = None
    """What the stamps of its tags were when it was computed; None without tags."""
