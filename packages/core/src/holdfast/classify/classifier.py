"""The one classifier: asks functions, then rules, then the exception itself."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cache
from typing import TypeAlias

from holdfast.classify.classification import UNKNOWN_READING, Classification, Reading, facts_of
from holdfast.classify.groups import as_group, is_control_flow, leaves
from holdfast.classify.rules import Rule
from holdfast.classify.standard import standard_rules
from holdfast.codes import is_failure
from holdfast.context import current_context
from holdfast.errors import AppError
from holdfast.origin import ErrorContext

MAX_CACHED_TYPES = 2048

ClassifierFunction: TypeAlias = Callable[[BaseException, ErrorContext], Classification | None]
"""A project's own: answers what an exception means, or None to leave it to the next."""


class Classifier:
    """Answers what an exception means; thread-safe, never raises.

    Args:
        rules: Tried before the built-in ones, in order, for each class of the exception's MRO.
        functions: Asked before any rule, in order. One that raises is passed over.
        on_failure: Called with what a function or rule raised.
    """

    def __init__(
        self,
        rules: Iterable[Rule] = (),
        functions: Iterable[ClassifierFunction] = (),
        on_failure: Callable[[Exception], None] | None = None,
    ) -> None:
        self._functions = tuple(functions)
        self._on_failure = on_failure
        self._rules = (*rules, *standard_rules())
        self._by_type: dict[
            type[BaseException], tuple[tuple[Rule, Classification | None], ...]
        ] = {}

    def classify(self, error: BaseException) -> Classification:
        """Return what the exception means."""
        return self.read(error).classification

    def read(self, error: BaseException, context: ErrorContext | None = None) -> Reading:
        """Return what the exception means and who speaks for it to the caller.

        Args:
            error: The exception.
            context: Its circumstances; None where it is nobody's answer yet.
        """
        group = as_group(error)
        if group is not None:
            return self._read_group(group, context)
        return (
            self._ask_functions(error, context)
            or self._apply_rules(error)
            or self._own_facts(error)
        )

    def _read_group(
        self, group: BaseExceptionGroup[BaseException], context: ErrorContext | None
    ) -> Reading:
        readings = [self.read(leaf, context) for leaf in leaves(group) if not is_control_flow(leaf)]
        return max(readings, key=_gravity, default=UNKNOWN_READING)

    def _ask_functions(self, error: BaseException, context: ErrorContext | None) -> Reading | None:
        if not self._functions:
            return None
        known = context or ErrorContext(work=current_context())
        for function in self._functions:
            try:
                answer = _checked(function(error, known))
            except Exception as failure:  # noqa: BLE001  # user code; the next one may know
                self._note(failure)
                continue
            if answer is not None:
                return Reading(answer, error if isinstance(error, AppError) else None)
        return None

    def _apply_rules(self, error: BaseException) -> Reading | None:
        for rule, classification in self._rules_for(type(error)):
            try:
                if rule.when is not None and not rule.when(error):
                    continue
                if classification is not None:
                    return Reading(classification, error if isinstance(error, AppError) else None)
                spoken = rule.translate(error) if rule.translate is not None else None
            except Exception as failure:  # noqa: BLE001  # a rule must never hide the error it reads
                self._note(failure)
                continue
            if spoken is not None:
                return Reading(facts_of(spoken), spoken)
        return None

    def _own_facts(self, error: BaseException) -> Reading:
        if isinstance(error, AppError):
            return Reading(facts_of(error), error)
        return UNKNOWN_READING

    def _rules_for(
        self, cls: type[BaseException]
    ) -> tuple[tuple[Rule, Classification | None], ...]:
        found = self._by_type.get(cls)
        if found is None:
            rules = [rule for parent in _readable(cls) for rule in self._matching(parent)]
            found = tuple((r, None if r.code is None else r.classification(r.code)) for r in rules)
            if len(self._by_type) < MAX_CACHED_TYPES:
                self._by_type[cls] = found
        return found

    def _matching(self, cls: type) -> Iterator[Rule]:
        names = (cls, f"{cls.__module__}.{cls.__qualname__}")
        return (rule for rule in self._rules if rule.match in names)

    def _note(self, failure: Exception) -> None:
        if self._on_failure is not None:
            with suppress(Exception):  # to note a failure must not be one
                self._on_failure(failure)


def _checked(answer: object) -> Classification | None:
    if isinstance(answer, Classification) and not is_failure(answer.status):
        raise ValueError(f"status must be between 400 and 599, not {answer.status!r}")
    if answer is None or isinstance(answer, Classification):
        return answer
    raise TypeError(f"a classifier must return a Classification or None, not {answer!r:.100}")


def _readable(cls: type[BaseException]) -> Iterator[type]:
    """Yield the classes whose rules apply: an `AppError` speaks for what else it inherits from."""
    purposeful = issubclass(cls, AppError)
    return (parent for parent in cls.__mro__ if not purposeful or issubclass(parent, AppError))


@cache
def default_classifier() -> Classifier:
    """Return the classifier with nothing but the built-in rules."""
    return Classifier()


def determine_http_status(error: BaseException) -> int:
    """Return the HTTP status an exception is answered with, by the built-in rules.

    Example:
        >>> (
        ...     determine_http_status(AppError(ErrorCode.TOKEN_EXPIRED)),
        ...     determine_http_status(KeyError("a")),
        ... )
        (401, 500)
    """
    return default_classifier().classify(error).status


def _gravity(reading: Reading) -> tuple[int, bool, int]:
    said = reading.classification
    return said.severity, not said.trusted, said.status
