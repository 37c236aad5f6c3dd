"""Sections of settings, and where they are read from."""

from collections.abc import Iterable, Mapping
from typing import TypeVar, cast

from holdfast.strict.problems import Case, Notation, Problem
from holdfast.strict.reader import Place, Reader, hints, paths

S = TypeVar("S")


class Section:
    """Parent of dataclasses of settings that validate themselves when they are constructed.

    A field that is a list, a set or a mapping is copied, so that the section stays as it was.
    """

    __slots__ = ()

    def __post_init__(self) -> None:
        cls = type(self)
        reader = Reader(Notation(cls.__name__, case="lower"))
        given = {name: getattr(self, name) for name in hints(cls)}
        values = reader.values(cls, given, Place())
        reader.finish()
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def objections(self) -> Iterable[tuple[str, str]]:
        """Yield field, or dotted path of one further in, and message for each broken rule between several.

        Called while other fields may be wrong: those are missing, and the rules that read them, and
        the ones after, are not judged. A subclass that adds rules yields from its parent's by name
        (`Settings.objections(self)`), as `super()` fails in a slotted dataclass.
        """
        return ()


def load_settings(
    cls: type[S],
    settings: object,
    *,
    root: str = "HOLDFAST",
    joint: str = ".",
    case: Case = "upper",
) -> S:
    """Return an instance of a dataclass of settings from nested mappings.

    Args:
        cls: The dataclass; its fields' types say what is accepted, its defaults fill in.
        settings: A mapping of keys to values; anything else is reported too.
        root: Printed before each path; empty for keyword arguments.
        joint: Printed between root and first key.
        case: How field names are written as keys, at every depth.

    Raises:
        SettingsError: With everything that is wrong.
    """
    return _load(cls, settings, Notation(root, joint, case))


def load_flat_settings(
    cls: type[S], config: Mapping[str, object], *, prefix: str = "HOLDFAST_"
) -> S:
    """Return an instance from the keys of a shared mapping that carry a prefix.

    Only the first level is flat: a section is a mapping under one key, `HOLDFAST_REDACT`.

    Raises:
        SettingsError: With everything that is wrong, keys whose prefix is misspelt in case included.
    """
    root = prefix.removesuffix("_")
    keys = [key for key in cast("Mapping[object, object]", config) if isinstance(key, str)]
    strays = [
        Problem(key, f"is not read; write {prefix}<NAME>, one key for each setting or section")
        for key in keys
        if key == root or (key.upper().startswith(prefix) and not key.startswith(prefix))
    ]
    ours = {key.removeprefix(prefix): config[key] for key in keys if key.startswith(prefix)}
    return _load(cls, ours, Notation(root, "_"), strays)


def _load(cls: type[S], settings: object, notation: Notation, strays: Iterable[Problem] = ()) -> S:
    reader = Reader(notation, paths(cls, notation))
    reader.problems.extend(strays)
    section = reader.read(cls, settings, Place())
    reader.finish()
    return cast("S", section)
