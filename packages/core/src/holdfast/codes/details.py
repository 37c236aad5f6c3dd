"""What errors with a code carry in `details`, as callers may rely on it."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import Final, Literal, TypeAlias, Union, cast, get_args, get_origin

Schema: TypeAlias = dict[str, object]
"""A JSON Schema."""

# By name: most processes need none of these modules.
_PLAIN: Final[Mapping[str, Schema]] = {
    "builtins.str": {"type": "string"},
    "builtins.int": {"type": "integer"},
    "builtins.float": {"type": "number"},
    "builtins.bool": {"type": "boolean"},
    "builtins.NoneType": {"type": "null"},
    "builtins.object": {},
    "builtins.list": {"type": "array"},
    "builtins.dict": {"type": "object"},
    "datetime.datetime": {"type": "string", "format": "date-time"},
    "datetime.date": {"type": "string", "format": "date"},
    "datetime.time": {"type": "string", "format": "time"},
    "uuid.UUID": {"type": "string", "format": "uuid"},
    "decimal.Decimal": {"type": "string"},
}
_ARRAYS: Final = (list, tuple, set, frozenset, Sequence, Iterable, AbstractSet)


@dataclass(frozen=True, slots=True)
class Detail:
    """One of the details that errors with a code may carry; none of them has to be there.

    Raises:
        TypeError: When nothing in JSON is of that type.

    Example:
        >>> Detail(list[str] | None, "Articles that are missing").schema()["anyOf"]
        [{'type': 'array', 'items': {'type': 'string'}}, {'type': 'null'}]
    """

    type: object
    """A type of Python: `str`, `int`, `float`, `bool`, `object` for anything, dates, `UUID`, `Decimal`,
    enumerations, `Literal`, lists and dictionaries of these, and unions."""
    description: object = ""
    """What it says: a `str`, or text that a framework translates when it is read."""

    def __post_init__(self) -> None:
        _schema_of(self.type)

    def schema(self) -> Schema:
        """Return the type as JSON Schema, with the description in it."""
        said = str(self.description)
        return {**_schema_of(self.type), **({"description": said} if said else {})}


def _schema_of(kind: object) -> Schema:
    origin, inner = get_origin(kind), get_args(kind)
    if origin is None:
        return _plain(NoneType if kind is None else kind)
    if origin is Literal and all(isinstance(one, str | int | None) for one in inner):
        return {"enum": list(inner)}
    if origin in {Union, UnionType}:
        return {"anyOf": [_schema_of(one) for one in inner]}
    if origin in {dict, Mapping} and inner[0] is str:
        return {"type": "object", "additionalProperties": _schema_of(inner[1])}
    if origin in _ARRAYS and len(set(inner) - {Ellipsis}) == 1:
        return {"type": "array", "items": _schema_of(inner[0])}
    raise _refused(kind)


def _plain(kind: object) -> Schema:
    if not isinstance(kind, type):
        raise _refused(kind)
    if issubclass(kind, Enum):
        members = cast("Iterable[Enum]", kind)
        # As redaction writes them.
        values = [one.value if isinstance(one.value, str) else one.name for one in members]
        return {"type": "string", "enum": values}
    found = _PLAIN.get(f"{kind.__module__}.{kind.__qualname__}")
    if found is None:
        raise _refused(cast("object", kind))
    return dict(found)


def _refused(kind: object) -> TypeError:
    return TypeError(
        f"a detail must be of a type that JSON has, such as str, int or list[str], not {kind!r}"
    )
