"""Turn any object into something JSON can hold, without its secrets and within bounds."""

import math
from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from datetime import date, time, timedelta
from enum import Enum
from itertools import islice
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, cast

from holdfast.redact.spans import compiled

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["JsonValue", "Rules", "Walk"]

JsonValue: TypeAlias = "str | int | float | bool | list[JsonValue] | dict[str, JsonValue] | None"

CUT: Final = "…[cut]"
CYCLE: Final = "…[cycle]"

_CARDS: Final = range(10**12, 10**19)
_LONGEST_INTEGER: Final = 256
"""Bits. JSON has no limit, but the readers of JSON have one, and so has Python's writer."""
_LONGEST_KEY: Final = 256
_PLAIN_KEY: Final = 12
"""Up to this length an identifier is too short for a token, so it need not be searched for one."""

# By name: whoever has an instance has imported the module, nobody else need.
# Django's and Flask-Babel's lazy translations are text that is made when it is read.
_TEXTUAL: Final = frozenset({
    ("decimal", "Decimal"), ("uuid", "UUID"), ("django.utils.functional", "Promise"),
    ("flask_babel.speaklater", "LazyString"),
})  # fmt: skip
# Below these keys the names of fields are keys and complaints about the fields are values.
_COMPLAINTS: Final = frozenset({"errors", "field_errors", "fielderrors"})
_QUOTATION: Final = r"(?<!\w)(?:'[^']*+(?:'|\Z)|\"[^\"]*+(?:\"|\Z))"
_OPENED: Final = (Mapping, Sequence, AbstractSet)
_UNOPENED: Final = (bytes, bytearray, memoryview, type)
_LABELS: Final = ("name", "key", "field", "header")


class Rules(Protocol):
    """What a walk asks of the redactor it works for."""

    @property
    def mask(self) -> str:
        """Return what stands in a secret's place."""
        ...

    @property
    def max_depth(self) -> int:
        """Return how many levels of containers are opened."""
        ...

    @property
    def max_items(self) -> int:
        """Return how many items of one container are kept."""
        ...

    @property
    def max_length(self) -> int:
        """Return how many characters of one text are kept."""
        ...

    @property
    def searches_numbers(self) -> bool:
        """Tell whether every number is searched as text, because of patterns of one's own."""
        ...

    def text(self, text: str) -> str:
        """Return a text without its secrets."""
        ...

    def is_sensitive(self, key: str) -> bool:
        """Tell whether a name announces a secret."""
        ...


class Walk:
    """One pass over one value. Neither shared between threads nor used twice."""

    __slots__ = ("_items_left", "_open", "_rules", "_sensitive", "_text", "_text_left")

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._text = rules.text
        self._sensitive = rules.is_sensitive
        self._items_left = rules.max_items * 20
        self._text_left = rules.max_length * 8
        self._open: set[int] = set()

    def value(self, value: object, key: str) -> JsonValue:
        """Return what may be shown of a value that has this name."""
        return self._hidden(value) if key and self._sensitive(key) else self._shown(value, 0)

    def _hidden(self, value: object) -> JsonValue:
        # That there is no secret is none, and often the whole explanation of an error.
        if value is None or value is True or value is False or (type(value) is str and not value):
            return value
        return self._rules.mask

    def _shown(self, value: object, depth: int, *, complaints: bool = False) -> JsonValue:
        self._items_left -= 1
        if self._items_left < 0:
            return CUT
        try:
            return self._converted(value, depth, complaints=complaints)
        except Exception:  # noqa: BLE001 - code of strangers runs here: __iter__, __len__, items()
            return self._named(value)

    def _converted(self, value: object, depth: int, *, complaints: bool) -> JsonValue:
        kind = type(value)
        if kind is str:
            return self._string(cast("str", value))
        if value is None or kind is bool:
            return cast("bool | None", value)
        if isinstance(value, (str, int, float, Enum)):
            return self._scalar(value)
        if isinstance(value, _OPENED) or is_dataclass(value):
            return self._container(cast("object", value), depth, complaints=complaints)
        return self._other(value)

    def _scalar(self, value: str | float | Enum) -> JsonValue:
        """Convert what has a value of its own; through the built-in class, whatever it overrides."""
        if isinstance(value, Enum):
            own = cast("object", value.value)
            return self._string(str.__str__(own) if isinstance(own, str) else str(value.name))
        if isinstance(value, str):
            return self._string(str.__str__(value))
        if isinstance(value, int):
            return self._integer(int.__int__(value))
        return self._real(float.__float__(value))

    def _string(self, text: str) -> str:
        if self._text_left <= 0:
            return CUT
        shown = self._text(text)
        self._text_left -= len(shown)
        return shown

    def _integer(self, number: int) -> int | str:
        if number.bit_length() > _LONGEST_INTEGER:
            return f"<integer of {number.bit_length()} bits>"
        if abs(number) in _CARDS or self._rules.searches_numbers:
            digits = str(number)
            shown = self._text(digits)
            return number if shown == digits else shown
        return number

    def _real(self, number: float) -> float | str:
        if not math.isfinite(number):
            return str(number)
        if number.is_integer() and abs(number) < _CARDS.stop:
            whole = self._integer(int(number))
            return whole if isinstance(whole, str) else number
        return number

    def _other(self, value: object) -> JsonValue:
        if isinstance(value, (bytes, bytearray)):
            return f"<{len(value)} bytes>"
        if isinstance(value, memoryview):
            return f"<{cast('memoryview[int]', value).nbytes} bytes>"
        if isinstance(value, (date, time)):
            return self._string(value.isoformat())
        if isinstance(value, timedelta) or not _TEXTUAL.isdisjoint(
            (cls.__module__, cls.__qualname__) for cls in type(value).__mro__
        ):
            return self._string(str(value))
        return self._named(value)

    def _named(self, value: object) -> str:
        """Return the name of the type: a repr shows whatever its author thought of."""
        try:
            kind = value if isinstance(value, type) else type(value)
            return self._text(f"<{kind.__module__}.{kind.__qualname__}>"[:_LONGEST_KEY])
        except Exception:  # noqa: BLE001 - a metaclass may have its own idea of a name
            return "<object>"

    def _container(self, value: object, depth: int, *, complaints: bool) -> JsonValue:
        if isinstance(value, _UNOPENED):
            return self._other(cast("object", value))
        if depth >= self._rules.max_depth:
            return self._named(value)
        if id(value) in self._open:
            return CYCLE
        self._open.add(id(value))
        try:
            return self._opened(value, depth + 1, complaints=complaints)
        finally:
            self._open.discard(id(value))

    def _opened(self, value: object, depth: int, *, complaints: bool) -> JsonValue:
        if isinstance(value, Mapping):
            mapping = cast("Mapping[object, object]", value)
            return self._mapping(mapping, depth, complaints=complaints)
        names: object = getattr(value, "_fields", None)
        if isinstance(value, tuple) and isinstance(names, tuple):
            named = zip(
                cast("tuple[object, ...]", names), cast("tuple[object, ...]", value), strict=False
            )
            return self._mapping(dict(named), depth, complaints=complaints)
        if isinstance(value, (Sequence, AbstractSet)):
            shown = self._sequence(cast("Collection[object]", value), depth, complaints=complaints)
            # The same set gives the same text in every process.
            return sorted(shown, key=str) if isinstance(value, AbstractSet) else shown
        return self._dataclass(value, depth)

    def _mapping(
        self, mapping: Mapping[object, object], depth: int, *, complaints: bool
    ) -> dict[str, JsonValue]:
        shown: dict[str, JsonValue] = {}
        entry = self._is_secret_entry(mapping)
        for key, value in islice(mapping.items(), self._rules.max_items):
            label = self._label(key)
            name = self._key(label)
            if name in shown:
                name = f"{name}#{len(shown)}"
            if self._sensitive(label) or (entry and label == "value"):
                shown[name] = self._complaint(value) if complaints else self._hidden(value)
            else:
                told = complaints or label.lower() in _COMPLAINTS
                shown[name] = self._shown(value, depth, complaints=told)
        if len(mapping) > self._rules.max_items:
            shown["…"] = f"[cut {len(mapping) - self._rules.max_items} items]"
        return shown

    def _is_secret_entry(self, mapping: Mapping[object, object]) -> bool:
        """Recognise `{"name": "DB_PASSWORD", "value": …}`, as lists of variables and headers have it."""
        if "value" not in mapping:
            return False
        labels = map(mapping.get, _LABELS)
        return any(isinstance(label, str) and self._sensitive(label) for label in labels)

    def _label(self, key: object) -> str:
        if type(key) is str:
            return key
        if isinstance(key, tuple):
            parts = islice(cast("tuple[object, ...]", key), self._rules.max_items)
            return ".".join(map(self._part, parts))
        return self._part(key)

    def _part(self, key: object) -> str:
        if isinstance(key, Enum):
            own = cast("object", key.value)
            return str.__str__(own) if isinstance(own, str) else str(key.name)
        if isinstance(key, str):
            return str.__str__(key)
        if isinstance(key, (bytes, bytearray)):
            return key.decode("utf-8", "replace")
        return str(self._shown(key, self._rules.max_depth))

    def _key(self, label: str) -> str:
        if len(label) <= _PLAIN_KEY and label.isidentifier():
            return label
        shown = self._string(label)
        return shown if len(shown) <= _LONGEST_KEY else shown[:_LONGEST_KEY] + CUT

    def _sequence(
        self, items: Collection[object], depth: int, *, complaints: bool
    ) -> list[JsonValue]:
        shown: list[JsonValue] = []
        announced = False
        for item in islice(items, self._rules.max_items):
            hidden = announced and isinstance(item, str) and not item.startswith("-")
            shown.append(self._rules.mask if hidden else self._item(item, depth, complaints))
            announced = type(item) is str and self._announces(item)
        if len(items) > self._rules.max_items:
            shown.append(f"…[cut {len(items) - self._rules.max_items} items]")
        return shown

    def _announces(self, item: str) -> bool:
        """Recognise `--password` in the arguments of a command."""
        return item.startswith("-") and "=" not in item and self._sensitive(item)

    def _item(self, item: object, depth: int, complaints: bool) -> JsonValue:  # noqa: FBT001
        """Convert one item; a pair such as `(b"cookie", b"…")` is a key and its value."""
        key, value = _pair(item)
        if isinstance(key, (str, bytes)) and self._sensitive(self._label(key)):
            return [self._key(self._label(key)), self._hidden(value)]
        return self._shown(item, depth, complaints=complaints)

    def _complaint(self, value: object, depth: int = 0) -> JsonValue:
        """Show what a validator says about a sensitive field, without what it may quote of it."""
        given = value
        if isinstance(value, str) and " " in value:
            return self._string(compiled(_QUOTATION).sub(self._rules.mask, str.__str__(value)))
        if isinstance(value, (list, tuple)) and depth < self._rules.max_depth:
            items = islice(cast("list[object]", value), self._rules.max_items)
            return [self._complaint(item, depth + 1) for item in items]
        return self._hidden(given)

    def _dataclass(self, value: object, depth: int) -> dict[str, JsonValue]:
        record: dict[str, JsonValue] = {}
        for field in islice(fields(cast("DataclassInstance", value)), self._rules.max_items):
            own = getattr(value, field.name, None)
            # repr=False is how the author of a class says that a field is not for eyes.
            secret = not field.repr or self._sensitive(field.name)
            record[field.name] = self._hidden(own) if secret else self._shown(own, depth)
        return record


def _pair(item: object) -> tuple[object, object]:
    if type(item) is tuple or type(item) is list:  # JSON has no tuples
        items = cast("Sequence[object]", item)
        if len(items) == len(("key", "value")):
            return items[0], items[1]
    return None, None
