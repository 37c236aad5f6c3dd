"""What settings name by dotted path becomes objects; what cannot be loaded is told all at once."""

import builtins
import importlib
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import TypeVar, cast

from holdfast import catalog
from holdfast.callables import is_async
from holdfast.classify import ClassifierFunction, Rule
from holdfast.classify.classifier import objection_to
from holdfast.classify.conditions import attribute_of
from holdfast.codes import declared, spec_of
from holdfast.language import Texts
from holdfast.record import text_of, type_name
from holdfast.redact import Redactor
from holdfast.settings import Problem, RuleSettings, Settings, SettingsError
from holdfast.strict import Notation, nearest

T = TypeVar("T")
_MAX_SAID = 500
"""Characters kept of what an error at start-up says."""
_LIKENESS = 0.8
"""From which on a target looks like a code misspelt, 0 to 1: a category may be what it likes."""


def misspelt_targets(settings: Settings) -> list[str]:
    """Return one sentence per target of a handler or recover action that looks like a code, and is none.

    Asked when all that declares codes is imported: by checks, and not when the settings are read.
    """
    import difflib  # noqa: PLC0415  # only for checks

    codes = {declaration.code for declaration in declared()}
    known = codes | {declaration.spec.category for declaration in declared()}
    known |= {rule.category for rule in settings.rules if rule.category}
    return [
        f"{setting}: nobody declares {target!r}, as a code or a category; did you mean {near!r}?"
        for setting, targets in (
            ("HANDLERS", settings.handlers),
            ("RECOVERIES", settings.recoveries),
        )
        for target in targets
        if target not in known
        for near in difflib.get_close_matches(target, codes, n=1, cutoff=_LIKENESS)
    ]


class Loader:
    """Turns names in settings into objects, and collects what cannot be loaded.

    Args:
        notation: How the settings were written, for messages about them.
        redactor: Cleans what errors say.
    """

    def __init__(self, notation: Notation, redactor: Redactor) -> None:
        self._notation = notation
        self._redactor = redactor
        self.problems = [Problem("codes", clash) for clash in catalog.clashes()]

    def load_all(self, setting: str, paths: Iterable[str]) -> list[object]:
        """Return what the dotted paths of a setting stand for, as far as it can be called."""
        loaded = [self.load(self._notation.path(setting, i), path) for i, path in enumerate(paths)]
        return [found for found in loaded if found is not None]

    def load_named(self, setting: str, paths: Mapping[str, str]) -> dict[str, object]:
        """Return what the dotted paths of a setting stand for, by what errors it has them for."""
        place = self._notation.path(setting)
        for name in paths:
            self._check_match(f"{place}[{name!r}]", name)
        loaded = {name: self.load(f"{place}[{name!r}]", path) for name, path in paths.items()}
        return {name: found for name, found in loaded.items() if found is not None}

    def load_classifiers(self, paths: Iterable[str]) -> list[ClassifierFunction]:
        """Return the functions of `CLASSIFIERS`; one that is asynchronous is a problem."""
        functions: list[ClassifierFunction] = []
        for i, path in enumerate(paths):
            place = self._notation.path("classifiers", i)
            function = self.load(place, path)
            objection = "" if function is None else objection_to(function)
            if objection:
                self.problems.append(Problem(place, f"{path!r} {objection}"))
            elif function is not None:
                functions.append(cast("ClassifierFunction", function))
        return functions

    def load_rules(self, rules: Iterable[RuleSettings]) -> list[Rule]:
        """Return the rules of `RULES`; last of all, when what declares their codes is loaded."""
        loaded = [self._load_rule(i, told) for i, told in enumerate(rules)]
        return [rule for rule in loaded if rule is not None]

    def make_all(
        self, setting: str, names: Iterable[str], shipped: Mapping[str, str], owner: object
    ) -> list[object]:
        """Return the reporters that a setting names.

        Args:
            setting: The setting.
            names: Of what ships, or dotted paths of factories.
            shipped: Dotted paths by name.
            owner: What each factory is given.
        """
        made: list[object] = []
        for i, name in enumerate(names):
            place = self._notation.path(setting, i)
            factory = self.load(place, self._path_of(place, name, shipped))
            if factory is not None:
                self._make(place, name, factory, owner, made)
        return made

    def load(self, place: str, path: str) -> Callable[..., object] | None:
        """Return what a dotted path stands for, or None after noting why it cannot be had.

        Args:
            place: Path of the setting, for the message.
            path: `package.module:name`, or with a dot; empty: nothing.
        """
        found = self._found(place, path) if path else None
        if found is not None and not callable(found):
            self.problems.append(Problem(place, f"{path!r} cannot be called"))
            return None
        return found

    def load_plain(self, place: str, path: str) -> Callable[..., object] | None:
        """Return what `load` does, unless it is asynchronous: who calls it has no event loop."""
        found = self.load(place, path)
        if found is not None and is_async(found):
            self.problems.append(
                Problem(place, f"{path!r} must not be async: it is called where no event loop runs")
            )
            return None
        return found

    def texts(self, folders: Sequence[str]) -> Texts:
        """Return the texts of an application with catalogues in these folders."""
        found = Texts(folders)
        for index, said in found.check():
            self.problems.append(Problem(self._notation.path("locale", index), said))
        return found

    def attempt(self, place: str, name: str, make: Callable[[], T]) -> T | None:
        """Return what a function makes, or None after noting why it cannot.

        Args:
            place: Path of the setting, for the message.
            name: What is made.
            make: Makes it; may raise anything.
        """
        try:
            return make()
        except Exception as error:  # noqa: BLE001  # of a project or a library: told with the rest
            self.problems.append(Problem(place, f"cannot make {name!r}: {self._said(error)}"))
            return None

    def finish(self) -> None:
        """Raise all that was noted.

        Raises:
            SettingsError: When something was.
        """
        if self.problems:
            raise SettingsError(self.problems)

    def _found(self, place: str, path: str) -> object:
        module_name, _, name = path.partition(":") if ":" in path else path.rpartition(".")
        try:
            return cast("object", attrgetter(name)(importlib.import_module(module_name)))
        except Exception as error:  # noqa: BLE001  # a module may raise anything when imported
            self.problems.append(Problem(place, f"cannot load {path!r}: {self._said(error)}"))
            return None

    def _load_rule(self, number: int, told: RuleSettings) -> Rule | None:
        def place(field: str) -> str:
            return self._notation.path("rules", number, self._notation.spell(field))

        before = len(self.problems)
        self._check_match(place("match"), told.match or "")
        code = self._code(place("code"), told.code)
        when = self.load(place("when"), told.when or "")
        if len(self.problems) > before:
            return None
        return told.rule(code, cast("Callable[[BaseException], bool] | None", when))

    def _code(self, place: str, told: str | None) -> str | None:
        if told is None or ":" not in told:
            code = told
        else:
            found = self._found(place, told)
            code = None if found is None else str(getattr(found, "code", ""))
        if code is not None and spec_of(code) is None:
            near = nearest(code, [known.code for known in declared()])
            told = "; name it as 'module:Class.CODE' where it is not imported yet"
            self.problems.append(Problem(place, f"no code {code!r} is declared{told}", near))
        return code

    def _check_match(self, place: str, dotted: str) -> None:
        """Note a name that a module which is loaded does not have; others may come yet."""
        module, _, name = dotted.rpartition(".")
        if not module and isinstance(vars(builtins).get(name), type):
            self.problems.append(Problem(place, f"it needs its module: 'builtins.{name}'"))
        loaded = sys.modules.get(module)
        if loaded is not None and attribute_of(loaded, name) is None:
            known = vars(loaded)
            near = nearest(name, [key for key in known if isinstance(known[key], type)])
            self.problems.append(Problem(place, f"module {module!r} has no {name!r}", near))

    def _make(
        self,
        place: str,
        name: str,
        factory: Callable[..., object],
        owner: object,
        made: list[object],
    ) -> None:
        try:
            reporter = factory(owner)
        except Exception as error:  # noqa: BLE001  # of a project or a library: told with the rest
            self.problems.append(Problem(place, f"cannot make {name!r}: {self._said(error)}"))
            return
        if callable(getattr(reporter, "report", None)):
            made.append(reporter)
        else:
            kind = type(reporter).__name__
            self.problems.append(Problem(place, f"{name!r} makes no reporter, but {kind}"))

    def _path_of(self, place: str, name: str, shipped: Mapping[str, str]) -> str:
        if name in shipped or ":" in name or "." in name:
            return shipped.get(name, name)
        known, near = ", ".join(shipped), nearest(name, shipped)
        self.problems.append(Problem(place, f"no reporter {name!r}; there are {known}", near))
        return ""

    def _said(self, error: Exception) -> str:
        kind, text = type_name(type(error)), self._redactor.text(text_of(error))
        line = " ".join(text.split())[:_MAX_SAID]
        if not line:
            return kind
        # An ImportError is written to be read: what is missing, and how to get it.
        return line if isinstance(error, ImportError) else f"{kind}: {line}"
