"""Which rules are asked about the exceptions of one class, in order; worked out once for each."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from holdfast.classify.classification import UNKNOWN_READING, Classification, Reading, facts_of
from holdfast.classify.conditions import Condition
from holdfast.classify.rules import Rule, Translate, is_about
from holdfast.errors import AppError

MAX_CACHED_TYPES = 2048

Facts: TypeAlias = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Entry:
    """One rule as it applies to one class, or the end: the exception's own facts."""

    source: str
    """Whose it is and where it stands: `project's rule 2`."""
    rule: Rule | None = None
    tests: tuple[tuple[str, Condition], ...] = ()
    reading: Reading | None = None
    """The whole answer, where it is the same for every exception of the class."""
    said: Classification | None = None
    translate: Translate | None = None
    facts: Facts | None = None
    always: Reading | None = None
    """The same as `reading`, where there is no condition: nothing else need be asked."""

    @property
    def label(self) -> str:
        """Whose it is, where it stands, and what it asks."""
        return self.source if self.rule is None else f"{self.source}, {self.rule.asks()}"

    def refusal(self, error: BaseException) -> str:
        """Return the name of the first condition that does not hold, or an empty string."""
        for name, holds in self.tests:
            if not holds(error):
                return name
        return ""

    def answer(self, error: BaseException) -> Reading | Facts | None:
        """Return what the rule says of an exception for which it holds; None when it declines."""
        if self.reading is not None:
            return self.reading
        if self.said is not None:
            return Reading(self.said, error if isinstance(error, AppError) else None)
        if self.translate is None:
            return self.facts
        spoken = self.translate(error)
        translated = spoken is not error
        return None if spoken is None else Reading(facts_of(spoken), spoken, translated)


_NOBODY = Entry("nobody knows it", reading=UNKNOWN_READING, always=UNKNOWN_READING)


def _own(error: BaseException) -> AppError | None:
    return error if isinstance(error, AppError) else None


ITSELF = Entry("the error itself", translate=_own)
"""The end for an `AppError`: what it says of itself."""


class Rulebook:
    """Rules in two tiers, the project's before all others; thread-safe.

    Within a tier those for the most specific class are asked first, then in the order given, and
    those without a class last.
    """

    def __init__(self, project: Iterable[Rule], others: Iterable[tuple[str, Rule]]) -> None:
        own = tuple((f"project's rule {i}", rule) for i, rule in enumerate(project, 1))
        self._tiers = own, tuple(others)
        self._by_type: dict[type[BaseException], tuple[Entry, ...]] = {}

    def __len__(self) -> int:
        """Return how many classes are remembered, at most 2048."""
        return len(self._by_type)

    def of(self, cls: type[BaseException]) -> tuple[Entry, ...]:
        """Return what is asked about the exceptions of a class; the last one always answers."""
        found = self._by_type.get(cls)
        if found is None:
            found = tuple(self._entries(cls))
            if len(self._by_type) < MAX_CACHED_TYPES:
                self._by_type[cls] = found
        return found

    def _entries(self, cls: type[BaseException]) -> Iterator[Entry]:
        purposeful = issubclass(cls, AppError)
        for tier in self._tiers:
            for parent in (*_readable(cls), None):
                for source, rule in tier:
                    if rule.match is None if parent is None else is_about(rule, parent):
                        yield _entry(source, rule, purposeful=purposeful)
        if purposeful:
            yield ITSELF
        yield _NOBODY


def _entry(source: str, rule: Rule, *, purposeful: bool) -> Entry:
    tests = rule.tests()
    if rule.translate is not None:
        return Entry(source, rule, tests, translate=rule.translate)
    if rule.code is None:
        return Entry(source, rule, tests, facts=rule.says().facts())
    said = rule.classification(rule.code)
    reading = None if purposeful else Reading(said, None)
    return Entry(source, rule, tests, reading, said, always=None if tests else reading)


def _readable(cls: type[BaseException]) -> Iterator[type]:
    """Yield the classes whose rules apply: an `AppError` speaks for what else it inherits from."""
    purposeful = issubclass(cls, AppError)
    return (parent for parent in cls.__mro__ if not purposeful or issubclass(parent, AppError))
