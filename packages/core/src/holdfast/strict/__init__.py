"""Read a frozen dataclass from a mapping strictly: every mistake is found, at one go.

An unknown key, a wrong type and an impossible value are reported together, each with its path and,
where there is one, the nearest valid name. What a field accepts follows from its type: `str`,
`bool`, `int`, `float` (an `int` will do), `Literal`, `tuple[X, ...]`, `frozenset[X]`,
`Mapping[str, X]`, `X | None`, another dataclass, `object` (anything), and `Annotated[X, check]`
with any number of `Check`s. Keys of a `Mapping` are kept as written; all others are field names.
"""

from holdfast.strict.limits import Check, Expression, Items, Matches, Range
from holdfast.strict.problems import Case, Notation, Problem, SettingsError, nearest
from holdfast.strict.section import Section, load_flat_settings, load_settings

__all__ = [
    "Case",
    "Check",
    "Expression",
    "Items",
    "Matches",
    "Notation",
    "Problem",
    "Range",
    "Section",
    "SettingsError",
    "load_flat_settings",
    "load_settings",
    "nearest",
]
