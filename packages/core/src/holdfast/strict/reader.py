"""The reader: turns written values into what the types of a dataclass ask for."""

import math
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from contextlib import suppress
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from functools import lru_cache, reduce
from types import NoneType, UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Literal,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from holdfast.strict.problems import (
    Notation,
    Problem,
    SettingsError,
    folded,
    is_sensitive,
    nearest,
    shown,
)

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from holdfast.strict.limits import Check

_REFUSED = object()


@dataclass(frozen=True, slots=True)
class Place:
    """Where the reader is, and what stands there if nothing is written."""

    steps: tuple[str | int, ...] = ()
    standing: object = None

    def at(self, step: str | int, standing: object = None) -> "Place":
        """Return the place one step further in."""
        return Place((*self.steps, step), standing)


class ReadsItself:
    """Parent of types of settings that know best how they are written."""

    __slots__ = ()

    @classmethod
    def read_setting(cls, reader: "Reader", value: object, place: Place) -> object:
        """Return what a value stands for, an instance as it is; what is wrong is reported."""
        raise NotImplementedError


class Reader:
    """Turn values into what the types ask for, and collect what cannot be turned.

    What is returned where a problem was reported means nothing.
    """

    def __init__(self, notation: Notation, distant: Mapping[str, str] | None = None) -> None:
        self.notation = notation
        self.distant = distant or {}
        self.problems: list[Problem] = []

    def finish(self) -> None:
        """Raise everything that was reported, if anything was."""
        if self.problems:
            raise SettingsError(self.problems)

    def report(self, place: Place, message: str, suggestion: str = "") -> None:
        """Note that something is wrong at a place."""
        self.problems.append(Problem(self.notation.join(*place.steps), message, suggestion))

    def refuse(self, hint: object, value: object, place: Place, suggestion: str = "") -> object:
        """Note that a value is not of the type asked for."""
        found = shown(value, secret=is_sensitive(*place.steps))
        self.report(place, f"must be {_wanted(hint)}, not {found}", suggestion)
        return _REFUSED

    def read(self, hint: object, value: object, place: Place) -> object:
        """Return a value as the type asks for it."""
        kind = get_origin(hint) or hint
        if kind is object:
            return value
        if isinstance(kind, type) and issubclass(kind, ReadsItself):
            return kind.read_setting(self, value, place)
        if kind in _SCALARS:
            result = _SCALARS[kind][1](value)
            return self.refuse(hint, value, place) if result is _REFUSED else result
        if isinstance(kind, type) and is_dataclass(kind):
            return self.section(kind, value, place)
        if kind not in _READERS:
            raise TypeError(f"{self.notation.join(*place.steps)}: no setting can be of type {hint}")
        return _READERS[kind](self, hint, value, place)

    def section(self, cls: type[object], value: object, place: Place) -> object:
        """Return a dataclass made from a mapping; one that is made already passes."""
        if isinstance(value, cls):
            return value
        if not isinstance(value, Mapping):
            return self.refuse(cls, value, place)
        before = len(self.problems)
        kind = type(place.standing) if isinstance(place.standing, cls) else cls
        given = self.known(kind, cast("Mapping[object, object]", value), place)
        values = self.values(kind, given, place)
        return kind(**values) if len(self.problems) == before else _REFUSED

    def known(
        self, cls: type[object], mapping: Mapping[object, object], place: Place
    ) -> dict[str, object]:
        """Return what is written by name of field, and report keys that name none."""
        names = {self.notation.spell(name): name for name in hints(cls)}
        given: dict[str, object] = {}
        for key, value in mapping.items():
            if not isinstance(key, str):
                self.report(place, _odd_key(key))
            elif key in names:
                given[names[key]] = value
            else:
                self.unknown(key, list(names), place)
        return given

    def unknown(self, key: str, names: list[str], place: Place) -> None:
        """Report a key that names no field, with the name that was probably meant."""
        close = nearest(key, names)
        here = self.notation.join(*place.steps, close) if close else ""
        elsewhere = "" if folded(close) == folded(key) else self.distant.get(folded(key), "")
        self.report(place.at(key), "is not a setting", elsewhere or here)

    def values(
        self, cls: type[object], given: Mapping[str, object], place: Place
    ) -> dict[str, object]:
        """Return the fields of a dataclass that are right, defaults included."""
        values: dict[str, object] = {}
        for field in _fields(cls):
            before = len(self.problems)
            standing = _standing(field, place.standing)
            inner = place.at(self.notation.spell(field.name), standing)
            value = given.get(field.name, standing)
            if value is MISSING:
                self.report(inner, "is required")
            elif field.name in given:
                value = self.read(hints(cls)[field.name], value, inner)
            if len(self.problems) == before:
                values[field.name] = value
        self.judge(cls, values, place)
        return values

    def judge(self, cls: type[object], values: Mapping[str, object], place: Place) -> None:
        """Report broken rules between fields, as far as the fields they read are right."""
        objections = getattr(cls, "objections", None)
        if objections is None:
            return
        draft = object.__new__(cls)
        for name, value in values.items():
            object.__setattr__(draft, name, value)
        # A rule that reads a field that is wrong itself finds it missing from the draft.
        absent = (AttributeError,) if len(values) < len(hints(cls)) else ()
        with suppress(*absent):
            for name, message in objections(draft):
                steps = map(self.notation.spell, name.split("."))
                self.report(reduce(Place.at, steps, place), message)

    def annotated(self, hint: object, value: object, place: Place) -> object:
        """Return a value that also keeps to the limits of its type."""
        bare, *notes = get_args(hint)
        before = len(self.problems)
        result = self.read(bare, value, place)
        if len(self.problems) > before:
            return _REFUSED
        for note in notes:
            # Not `isinstance`: that a protocol is kept is found out anew each time.
            if hasattr(note, "objection") and (objection := cast("Check", note).objection(result)):
                found = shown(result, secret=is_sensitive(*place.steps))
                lone = isinstance(result, str | int | float)
                self.report(place, f"{objection}; found {found}" if lone else objection)
        return result

    def union(self, hint: object, value: object, place: Place) -> object:
        """Return a value as the first alternative that takes it."""
        arms = [arm for arm in get_args(hint) if arm is not NoneType]
        if value is None and NoneType in get_args(hint):
            return None
        if len(arms) == 1:
            return self.read(arms[0], value, place)
        for arm in arms:
            trial = type(self)(self.notation, self.distant)
            result = trial.read(arm, value, place)
            if not trial.problems:
                return result
        return self.refuse(hint, value, place)

    def literal(self, hint: object, value: object, place: Place) -> object:
        """Return a value that is one of those listed."""
        plain = str.__str__(value) if isinstance(value, str) else value
        options = get_args(hint)
        for option in options:
            if type(option) is type(plain) and option == plain:
                return option
        names = [option for option in options if isinstance(option, str)]
        close = nearest(plain, names) if isinstance(plain, str) else ""
        return self.refuse(hint, value, place, close)

    def items(self, hint: object, value: object, place: Place) -> object:
        """Return a tuple or a set, each item as the type asks for it."""
        if isinstance(value, str):
            self.report(place, "must be a list, not a lone str; put it in a list of its own")
            return _REFUSED
        kind = cast("Callable[[Iterable[object]], object]", get_origin(hint))
        accepted = (list, tuple) if kind is tuple else (list, tuple, set, frozenset)
        if not isinstance(value, accepted):
            return self.refuse(hint, value, place)
        ordered = isinstance(value, list | tuple)
        item_hint = get_args(hint)[0]
        return kind(
            self.read(item_hint, item, place.at(index) if ordered else place)
            for index, item in enumerate(cast("Collection[object]", value))
        )

    def mapping(self, hint: object, value: object, place: Place) -> object:
        """Return a dictionary with its keys as written."""
        if not isinstance(value, Mapping):
            return self.refuse(hint, value, place)
        result: dict[str, object] = {}
        for key, item in cast("Mapping[object, object]", value).items():
            if isinstance(key, str):
                result[str.__str__(key)] = self.read(get_args(hint)[1], item, place.at(key))
            else:
                self.report(place, _odd_key(key))
        return result


_READERS: dict[object, Callable[[Reader, object, object, Place], object]] = {
    Annotated: Reader.annotated,
    Union: Reader.union,
    UnionType: Reader.union,
    Literal: Reader.literal,
    tuple: Reader.items,
    frozenset: Reader.items,
    Mapping: Reader.mapping,
}


def _text(value: object) -> object:
    # A str of a subclass, such as one marked safe, becomes a plain one.
    return str.__str__(value) if isinstance(value, str) else _REFUSED


def _flag(value: object) -> object:
    return value if isinstance(value, bool) else _REFUSED


def _whole(value: object) -> object:
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else _REFUSED


def _number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _REFUSED
    try:
        number = float(value)
    except OverflowError:
        return _REFUSED
    return number if math.isfinite(number) else _REFUSED


_SCALARS: dict[object, tuple[str, Callable[[object], object]]] = {
    str: ("a str", _text),
    bool: ("True or False", _flag),
    int: ("an int", _whole),
    float: ("a finite number", _number),
}
_NAMES: dict[object, str] = {
    tuple: "a list",
    frozenset: "a list or a set",
    Mapping: "a mapping",
    NoneType: "None",
}


def _wanted(hint: object) -> str:
    kind = get_origin(hint) or hint
    if kind is Annotated:
        return _wanted(get_args(hint)[0])
    if kind in (Union, UnionType):
        return " or ".join(map(_wanted, get_args(hint)))
    if kind is Literal:
        return "one of " + ", ".join(map(repr, get_args(hint)))
    if kind in _SCALARS:
        return _SCALARS[kind][0]
    return _NAMES.get(kind, "a mapping of settings")


def hints(cls: type[object]) -> Mapping[str, object]:
    """Return the types of a dataclass's fields, with their limits."""
    return _hints(cast("Hashable", cls))


@lru_cache(maxsize=256)  # to find them out is most of what it costs to make a runtime
def _hints(hashed: Hashable) -> Mapping[str, object]:
    cls = cast("type[object]", hashed)
    resolved = get_type_hints(cls, include_extras=True)
    return {field.name: resolved[field.name] for field in _fields(cls)}


def paths(cls: type[object], notation: Notation) -> dict[str, str]:
    """Return the path of each field and of each field of a section, by every name it may go by."""
    known: dict[str, str] = {}
    for name, hint in hints(cls).items():
        known[folded(name)] = notation.path(name)
        for inner in hints(hint) if isinstance(hint, type) and is_dataclass(hint) else ():
            path = notation.path(name, inner)
            known[folded(f"{name}_{inner}")] = path
            known.setdefault(folded(inner), path)
    return known


def _fields(cls: type[object]) -> list[Field[object]]:
    return [field for field in fields(cast("type[DataclassInstance]", cls)) if field.init]


def _standing(field: Field[object], section: object) -> object:
    """Return what a field holds if nothing is written, or `MISSING` if something has to be."""
    if section is not None and hasattr(section, field.name):
        return getattr(section, field.name)
    return field.default if field.default_factory is MISSING else field.default_factory()


def _odd_key(key: object) -> str:
    return f"a key must be a str, not {shown(key, secret=True)}"
