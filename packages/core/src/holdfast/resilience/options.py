"""Options of layers, read from settings by the fields of the layers themselves.

Any frozen dataclass that is a layer can be tuned; there is no list of options anywhere else. Where a
field is a protocol, such as `Backoff`, the setting chooses among the dataclasses beside it by `KIND`.
"""

import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from types import NoneType, SimpleNamespace, UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Final,
    Literal,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from holdfast.resilience.policy import ORDER, Policy, Spec
from holdfast.resilience.tuning import Tuning
from holdfast.strict.problems import Notation, nearest
from holdfast.strict.reader import Place, Reader

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_SCALARS: Final = (str, bool, int, float, object)
_KIND: Final = "kind"


def read_policies(told: object, notation: Notation) -> Mapping[str, Tuning]:
    """Return what the setting `POLICIES` says, read by itself.

    Raises:
        SettingsError: With everything that is wrong.
    """
    reader = Reader(notation)
    found = reader.read(Mapping[str, Tuning], told, Place((notation.spell("policies"),)))
    reader.finish()
    return cast("Mapping[str, Tuning]", found)


def read_tuning(reader: Reader, value: object, place: Place) -> object:
    """Return what settings say of one policy; what is wrong is reported to the reader."""
    reading = _Reading(reader.notation, reader.distant)
    told = reading.tuning(value, place)
    reader.problems.extend(reading.problems)
    return told


def tuned(policy: Policy, tuning: Tuning | None) -> tuple[Spec, ...]:
    """Return the layers of a policy as settings have them, outermost first.

    Raises:
        ValueError: When a layer cannot be made of what code and settings say together.
    """
    if tuning is None:
        return policy.layers
    by_kind = {type(layer): layer for layer in policy.layers}
    found: list[Spec] = []
    for kind in ORDER:
        standing, options = by_kind.get(kind), tuning.options.get(kind.__name__)
        if kind.__name__ in tuning.off:
            continue
        if options is not None:
            found.append(_changed(kind, standing, options))
        elif standing is not None:
            found.append(standing)
    return tuple(found)


def key_of(kind: type[object]) -> str:
    """Return a class's name as a name of a setting, in lower case: `rate_limit` of `RateLimit`."""
    name = kind.__name__
    return "".join(
        f"_{each}" if each.isupper() and i else each for i, each in enumerate(name)
    ).lower()


def options_of(kind: type[object]) -> "tuple[Field[Any], ...]":
    """Return what a layer, or a value among its options, can be told."""
    every = fields(cast("type[DataclassInstance]", kind))
    return tuple(each for each in every if not each.name.startswith("_"))


def default_of(option: "Field[Any]") -> object:
    """Return what an option is when nobody says; `MISSING` when somebody has to."""
    if option.default_factory is not MISSING:
        return cast("object", option.default_factory())
    return cast("object", option.default)


class _Reading(Reader):
    """Reads layers, and what they are made of."""

    def tuning(self, value: object, place: Place) -> object:
        """Return what is said of one policy."""
        if not isinstance(value, Mapping):
            return self.refuse(Mapping, value, place)
        kinds = {self.notation.spell(key_of(kind)): kind for kind in ORDER}
        options: dict[str, Mapping[str, object]] = {}
        off: set[str] = set()
        for key, told in cast("Mapping[object, object]", value).items():
            if not isinstance(key, str) or key not in kinds:
                self._no_layer(key, kinds, place)
            elif told is None or (isinstance(told, str) and told.lower() == "off"):
                off.add(kinds[key].__name__)
            elif isinstance(told, Mapping):
                inner = cast("Mapping[object, object]", told)
                found = self._options(kinds[key], inner, place.at(key))
                options[kinds[key].__name__] = found
                self._judge(kinds[key], found, place.at(key), whole=False)
            else:
                wanted = "must be a mapping of options, or 'OFF'"
                self.report(place.at(key), wanted)
        return Tuning(options, frozenset(off))

    def read(self, hint: object, value: object, place: Place) -> object:
        """Return a value as the type asks for it; a protocol asks for one of its kinds."""
        if get_origin(hint) in (Union, UnionType):
            arms = [arm for arm in get_args(hint) if arm is NoneType or _is_writable(arm)]
            return super().read(Union[tuple(arms)], value, place)  # noqa: UP007  # made as it runs
        kinds = _kinds(hint)
        if not kinds:
            return super().read(hint, value, place)
        if isinstance(value, kinds):
            return value
        if not isinstance(value, Mapping):
            return self.refuse(Mapping, value, place)
        return self._one_of(kinds, cast("Mapping[object, object]", value), place)

    def _one_of(
        self, kinds: tuple[type[object], ...], value: Mapping[object, object], place: Place
    ) -> object:
        """Return a value of the kind that is said, or that stands there by default."""
        key, before = self.notation.spell(_KIND), len(self.problems)
        kind = type(place.standing) if isinstance(place.standing, kinds) else kinds[0]
        if len(kinds) > 1 and (key in value or kind is not type(place.standing)):
            by_name = {key_of(each): each for each in kinds}
            wanted = Literal[tuple(by_name)]  # type: ignore[valid-type]  # made as it runs
            name = super().read(wanted, value.get(key), place.at(key))
            if len(self.problems) > before:
                return None
            kind = by_name[cast("str", name)]
            value = {each: value[each] for each in value if each != key}
        found = self._options(kind, value, place)
        for option in options_of(kind):
            if (
                option.name not in found
                and default_of(option) is MISSING
                and len(self.problems) == before
            ):
                self.report(place.at(self.notation.spell(option.name)), "is required")
        self._judge(kind, found, place, whole=True)
        return None if len(self.problems) > before else _make(kind, found)

    def _options(
        self, kind: type[object], value: Mapping[object, object], place: Place
    ) -> dict[str, object]:
        """Return what is said of the options of one class."""
        known = {self.notation.spell(option.name): option for option in options_of(kind)}
        hints, found = hints_of(kind), dict[str, object]()
        for key, told in value.items():
            if not isinstance(key, str) or key not in known:
                names = [option.name for option in known.values() if option.name in hints]
                self._unknown(key, [self.notation.spell(name) for name in names], place)
                continue
            name, before = known[key].name, len(self.problems)
            if name not in hints:
                self.report(place.at(key), "is the code's to say: settings cannot hold it")
                continue
            read = self.read(hints[name], told, place.at(key, default_of(known[key])))
            if len(self.problems) == before:
                found[name] = read
        return found

    def _judge(
        self, kind: type[object], found: Mapping[str, object], place: Place, *, whole: bool
    ) -> None:
        """Report values that the class itself refuses.

        Args:
            kind: The class.
            found: What is said of its options.
            place: Where.
            whole: Whether nothing is to come from the code; else only what concerns one option is told.
        """
        needed = [each.name for each in options_of(kind) if default_of(each) is MISSING]
        if any(name not in found for name in needed) or not (last := _objection(kind, found)):
            return
        least = {name: found[name] for name in needed}
        each_alone = [_objection(kind, {**least, name: told}) for name, told in found.items()]
        lone = [said for said in dict.fromkeys(each_alone) if len(_named(kind, said)) == 1]
        for sentence in lone or ([last] if whole else []):
            names = _named(kind, sentence)
            subject, _, rest = sentence.partition(" ")
            if len(names) == 1 and subject == f"{kind.__name__}.{names[0]}":
                self.report(place.at(self.notation.spell(names[0])), rest)
            else:
                self.report(place, sentence)

    def _no_layer(self, key: object, kinds: Iterable[str], place: Place) -> None:
        self._unknown(key, list(kinds), place, f"is no layer; there are {', '.join(kinds)}")

    def _unknown(
        self, key: object, names: list[str], place: Place, said: str = "is not an option"
    ) -> None:
        if not isinstance(key, str):
            self.report(place, f"a key must be a str, not {type(key).__name__}")
            return
        close = nearest(key, names)
        self.report(place.at(key), said, self.notation.join(*place.steps, close) if close else "")


def _changed(kind: type[Spec], standing: Spec | None, options: Mapping[str, object]) -> Spec:
    if standing is not None and not options:
        return standing
    kept = {} if standing is None else _values(standing)
    try:
        return cast("Spec", _make(kind, {**kept, **options}))
    except TypeError as error:  # of the generated constructor: an option is missing
        raise ValueError(
            f"{kind.__name__} cannot be made of what the settings say: {error}"
        ) from None


def _values(spec: Spec) -> dict[str, object]:
    return {
        option.name: cast("object", getattr(spec, option.name)) for option in options_of(type(spec))
    }


def _make(kind: type[object], values: Mapping[str, object]) -> object:
    """Make a value of its options; those that it takes as many arguments are passed so."""
    named, listed = dict(values), list[object]()
    for parameter in inspect.signature(kind).parameters.values():
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            listed.extend(cast("Iterable[object]", named.pop(parameter.name, ())))
    return cast("Callable[..., object]", kind)(*listed, **named)


def _objection(kind: type[object], values: Mapping[str, object]) -> str:
    try:
        _make(kind, values)
    except (TypeError, ValueError) as error:
        return str(error)
    return ""


def _named(kind: type[object], sentence: str) -> list[str]:
    """Return the options of a class that a sentence names: more than one when it is between them."""
    words = set(re.findall(r"\w+", sentence))
    return [option.name for option in options_of(kind) if option.name in words]


def hints_of(kind: type[object]) -> Mapping[str, object]:
    """Return the types of those options of a class that settings can hold."""
    return dict(_hints(kind))


def _hints(kind: type[object]) -> "Iterator[tuple[str, object]]":
    names = vars(sys.modules[kind.__module__])
    for option in options_of(kind):
        lone = SimpleNamespace(__annotations__={option.name: option.type})
        try:
            hint = get_type_hints(lone, names, include_extras=True)[option.name]
        except NameError:  # of a name that only type checkers import
            continue
        if _is_writable(hint):
            yield option.name, hint


def _is_writable(hint: object) -> bool:
    kind, args = get_origin(hint) or hint, get_args(hint)
    if kind in _SCALARS or kind is Literal:
        return True
    if kind in (Union, UnionType):
        return any(_is_writable(arm) for arm in args if arm is not NoneType)
    if kind in (Annotated, tuple, frozenset):
        return _is_writable(args[0])
    if kind is Mapping:
        return _is_writable(args[1])
    return bool(_kinds(hint))


def _kinds(hint: object) -> tuple[type[object], ...]:
    """Return the dataclasses a value may be of.

    Of a protocol, those of its module, and of the modules that it calls `FURTHER`, that have what it
    asks for.
    """
    if not isinstance(hint, type) or not getattr(hint, "_is_protocol", False):
        return (hint,) if isinstance(hint, type) and is_dataclass(hint) else ()
    wanted = {name for name, value in vars(hint).items() if callable(value) and name[0] != "_"}
    names = vars(sys.modules[hint.__module__])
    for module in names.get("FURTHER", ()):
        names = {**names, **vars(importlib.import_module(module))}
    made = [each for each in names.values() if isinstance(each, type) and is_dataclass(each)]
    return tuple(each for each in made if wanted and wanted <= set(dir(each)))
