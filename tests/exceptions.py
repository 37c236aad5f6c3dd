"""Every exception class of a library, an instance of each, and the table that says their statuses."""

import builtins
import importlib
import pkgutil
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from hypothesis import strategies as st

from holdfast.classify import Classifier, Rule, leaves
from holdfast.handler import Action, ErrorHandler
from holdfast.origin import Origin
from holdfast.redact import Redactor
from holdfast.statuses import SERVER_ERROR

CONTROL_FLOW = "control flow"
"""Stands in a table for what is no error."""

_UNIMPORTABLE = frozenset(
    # They open a browser, print, draw, need a display, or are no library.
    [
        "antigravity",
        "this",
        "idlelib",
        "test",
        "lib2to3",
        "turtledemo",
        "turtle",
        "ensurepip",
        "distutils",
        "tkinter",
        "venv",
    ]
)

_INNER = ("_interp", "_remote", "_test", "_xx")
"""Modules in C that others are made of, or that test the interpreter."""


@dataclass(frozen=True)
class Table:
    """The statuses that a library's exceptions are answered with.

    A row is a class and a status; with `+` behind the class it is one for those below it, too, as far
    as they have no row of their own.
    """

    exact: Mapping[str, int | str]
    below: Mapping[str, int | str]

    @classmethod
    def of(cls, text: str) -> "Table":
        """Read a table: `module:`, then lines of `status Class Class+ …`."""
        exact: dict[str, int | str] = {}
        below: dict[str, int | str] = {}
        module = ""
        for line in filter(None, map(str.strip, text.splitlines())):
            if line.endswith(":"):
                module = line.removesuffix(":")
                continue
            said, *names = line.split()
            status = CONTROL_FLOW if said == "-" else int(said)
            for name in names:
                (below if name.endswith("+") else exact)[f"{module}.{name.rstrip('+')}"] = status
        return cls(exact, below)

    def __or__(self, other: "Table") -> "Table":
        return Table({**self.exact, **other.exact}, {**self.below, **other.below})

    def status(self, cls: type[BaseException]) -> int | str | None:
        """Return what the table says of a class; None when it says nothing."""
        if dotted(cls) in self.exact:
            return self.exact[dotted(cls)]
        rows = (self.below.get(dotted(parent)) for parent in cls.__mro__)
        return next((row for row in rows if row is not None), None)

    def names(self) -> set[str]:
        """Return every class that has a row."""
        return {*self.exact, *self.below}


def dotted(cls: type) -> str:
    """Return a class's name as rules write it."""
    return f"{cls.__module__}.{cls.__qualname__}"


def modules_of(top: str, without: tuple[str, ...] = ()) -> Iterator[str]:
    """Import a library with all of its modules that can be imported here, and yield their names."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of modules that will go
        module = importlib.import_module(top)
        yield top
        for found in pkgutil.iter_modules(getattr(module, "__path__", ()), f"{top}."):
            last = found.name.rpartition(".")[2]
            if last in {"__main__", "tests", "test"} or found.name.startswith(without):
                continue
            try:
                yield from modules_of(found.name, without)
            except Exception:  # noqa: BLE001, S112  # for another system, or it needs what is not here
                continue


def import_standard_library() -> None:
    """Import every module of the standard library that can be imported without a side effect."""
    for name in sorted(sys.stdlib_module_names - _UNIMPORTABLE):
        if not name.startswith("_"):
            try:
                list(modules_of(name, ("encodings.",)))
            except ImportError:
                continue


def classes_of(tops: frozenset[str]) -> list[type[BaseException]]:
    """Return the exceptions, but for warnings, that modules below these names define, by name."""
    found = {
        cls
        for cls in _below(BaseException)
        if cls.__module__.partition(".")[0] in tops
        and not issubclass(cls, Warning)
        and not cls.__module__.startswith(_INNER)
        # Some that are not, say that they are built in.
        and (cls.__module__ != "builtins" or getattr(builtins, cls.__name__, None) is cls)
    }
    return sorted(found, key=dotted)


def _below(cls: type[BaseException]) -> Iterator[type[BaseException]]:
    yield cls
    for child in cls.__subclasses__():
        yield from _below(child)


Builders = Mapping[str, Callable[[type[BaseException]], BaseException]]


def instance(cls: type[BaseException], builders: Builders) -> BaseException:
    """Return an exception of a class: made as its library makes it, or without any argument.

    Where both is impossible it is made without its constructor, as an unpickled one would be.
    """
    for parent in cls.__mro__:
        if dotted(parent) in builders:
            return builders[dotted(parent)](cls)
    if issubclass(cls, BaseExceptionGroup):
        member = ValueError() if issubclass(cls, Exception) else KeyboardInterrupt()
        return cast("BaseException", cls("group", [member]))
    try:
        return cls()
    except Exception:  # noqa: BLE001  # it has arguments that are nobody's business here
        return cls.__new__(cls)


def behind(head: BaseException, others: list[BaseException], *, as_cause: bool) -> BaseException:
    """Put exceptions behind one another and return the first."""
    current = head
    for other in others:
        if as_cause:
            current.__cause__ = other
        else:
            current.__context__ = other
        current = other
    return head


def groups(members: st.SearchStrategy[BaseException]) -> st.SearchStrategy[BaseException]:
    """Return groups of exceptions, and groups of groups."""
    return st.recursive(
        members,
        lambda inner: st.lists(inner, min_size=1, max_size=4).map(
            lambda some: BaseExceptionGroup("some", some)
        ),
        max_leaves=8,
    )


def advice(missing: list[str]) -> str:
    """Return what to do about classes that are in no table."""
    return (
        f"no row says what these are answered with: {', '.join(missing)}. Decide whose fault each "
        "is; where it is not 500, add a rule (holdfast/classify/clients.py, databases.py, "
        "holdfast/brokers.py or an adapter's rules.py); then add a row to the table of this test."
    )


class Handled:
    """What a handler with certain rules answers, one fresh handler for all of a library."""

    def __init__(self, adapter_rules: Iterable[Rule] = ()) -> None:
        self.handler = ErrorHandler(
            classifier=Classifier(adapter_rules=adapter_rules),
            redactor=Redactor(),
            emit=lambda _: None,
        )

    def status(self, error: BaseException) -> int | str:
        """Handle an exception and return the status of the answer, or that it is control flow."""
        verdict = self.handler.handle(error, Origin(boundary="test"))
        if verdict.action is Action.PROPAGATE:
            return CONTROL_FLOW
        assert verdict.record is not None
        assert verdict.answer is not None
        assert verdict.record.classification.status == verdict.answer.classification.status
        return verdict.answer.classification.status


def check_all(
    classes: list[type[BaseException]], table: Table, builders: Builders, handled: Handled
) -> None:
    """Handle one of each class, and compare the answer with the table."""
    missing = [dotted(cls) for cls in classes if table.status(cls) is None]
    found = {dotted(cls): handled.status(instance(cls, builders)) for cls in classes}
    wrong = {
        dotted(cls): f"{found[dotted(cls)]}, not {table.status(cls)}"
        for cls in classes
        if found[dotted(cls)] != table.status(cls)
    }

    assert classes
    assert not missing, advice(missing)
    assert wrong == {}


def check_group(group: BaseException, handled: Handled, alone: Handled) -> None:
    """Handle a group, and compare with the gravest of its members, each handled alone."""
    members = list(leaves(cast("BaseExceptionGroup[BaseException]", group)))
    expected = [status for one in members if isinstance(status := alone.status(one), int)]

    status = handled.status(group)

    if not expected:
        assert status == CONTROL_FLOW
    else:
        assert status in expected
        # Of a caller's mistake and an error that is not, the latter is told.
        assert isinstance(status, int)
        assert status >= SERVER_ERROR or max(expected) < SERVER_ERROR
