"""Limits a value of a setting keeps to, attached to its type by `Annotated`."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Protocol, cast, runtime_checkable


@runtime_checkable
class Check(Protocol):
    """A rule for one value whose type is already right, attached by `Annotated`."""

    def objection(self, value: object, /) -> str:
        """Return what is wrong, to follow the path ("must be at least 1"), or an empty string."""
        ...


@dataclass(frozen=True, slots=True)
class Range:
    """Check that a number lies between two bounds, both included."""

    low: float
    high: float

    def objection(self, value: object, /) -> str:
        """Return what is wrong with a number, or an empty string."""
        inside = isinstance(value, int | float) and self.low <= value <= self.high
        return "" if inside else f"must be between {self.low} and {self.high}"


@dataclass(frozen=True, slots=True)
class Matches:
    """Check that the whole of a text has a certain form."""

    pattern: str
    form: str
    """What the form is, to follow "must be"."""

    def objection(self, value: object, /) -> str:
        """Return what is wrong with a text, or an empty string."""
        fits = isinstance(value, str) and re.fullmatch(self.pattern, value)
        return "" if fits else f"must be {self.form}"


@dataclass(frozen=True, slots=True)
class Items:
    """Check that a collection has a bearable size and holds nothing twice."""

    most: int
    least: int = 0

    def objection(self, value: object, /) -> str:
        """Return what is wrong with a collection, or an empty string."""
        items = list(cast("Iterable[object]", value)) if isinstance(value, Collection) else []
        if not self.least <= len(items) <= self.most:
            return f"must hold {self.least} to {self.most} items, not {len(items)}"
        repeated = any(item in items[:index] for index, item in enumerate(items))
        return "must not hold the same item twice" if repeated else ""


@dataclass(frozen=True, slots=True)
class Expression:
    """Check that a text is a regular expression that can be used to find something."""

    longest: int
    """In characters."""

    def objection(self, value: object, /) -> str:
        """Return what is wrong with an expression, or an empty string."""
        if not isinstance(value, str) or len(value) > self.longest:
            return f"must be a regular expression of at most {self.longest} characters"
        try:
            matches_nothing = re.compile(value).search("")
        except re.error as error:
            # What follows a quote in the message is a piece of the expression.
            reason = error.msg.partition("'")[0].strip()
            return f"must be a regular expression: {reason} at position {error.pos}"
        except (OverflowError, RecursionError, Warning) as error:
            return f"must be a regular expression Python accepts ({type(error).__name__})"
        return "must not match the empty text, and so everywhere" if matches_nothing else ""
