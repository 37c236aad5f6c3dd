"""The one classifier: asks functions, then rules, then the exception itself."""

import inspect
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from typing import TypeAlias, cast

from holdfast.callables import is_async, name_of
from holdfast.classify.classification import UNKNOWN_READING, Classification, Reading, facts_of
from holdfast.classify.explain import Explanation, Journal, Note, explained
from holdfast.classify.groups import as_group, is_control_flow, leaves
from holdfast.classify.partial import Partial, completed
from holdfast.classify.rulebook import ITSELF, Entry, Rulebook
from holdfast.classify.rules import Rule
from holdfast.classify.standard import standard_rules
from holdfast.codes import is_failure
from holdfast.context import current_context
from holdfast.errors import AppError
from holdfast.origin import ErrorContext

ClassifierFunction: TypeAlias = Callable[
    [BaseException, ErrorContext], Classification | Partial | None
]
"""A project's own: answers what an exception means, a part of it, or None to leave it to the next."""

_Settled: TypeAlias = dict[str, object]


class Classifier:
    """Answers what an exception means; thread-safe, never raises.

    Functions are asked first, then the project's rules, then an adapter's and the built-in ones,
    then the exception itself. The first answer for a field holds; a whole answer ends it.

    Args:
        rules: The project's own.
        functions: Asked before any rule, in order. One that raises is passed over.
        on_failure: Called with what a function or rule raised.
        adapter_rules: Those of an adapter, asked after the project's, before the built-in ones of
            the same class.

    Raises:
        TypeError: When a function is asynchronous.
    """

    def __init__(
        self,
        rules: Iterable[Rule] = (),
        functions: Iterable[ClassifierFunction] = (),
        on_failure: Callable[[Exception], None] | None = None,
        *,
        adapter_rules: Iterable[Rule] = (),
    ) -> None:
        self._functions = tuple(functions)
        for function in self._functions:
            objection = objection_to(function)
            if objection:
                raise TypeError(f"classifier function {name_of(function)} {objection}")
        self._on_failure = on_failure
        self._rulebook = Rulebook(rules, _others(adapter_rules))

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
        entries = self._rulebook.of(type(error))
        if not self._functions:
            if entries[0].always is not None:
                return entries[0].always
            if entries[0] is ITSELF:
                return self._of_itself(error)
        return self._decide(error, context, entries)

    def explain(self, error: BaseException, context: ErrorContext | None = None) -> Explanation:
        """Return what the exception means, who settled which field, and who was asked and declined.

        Members of a group, and the exceptions behind it, are explained each on its own. Functions
        and rules are asked once more. No message of any exception is in it.

        Args:
            error: The exception.
            context: Its circumstances; None where it is nobody's answer yet.
        """

        def read(one: BaseException, journal: Journal) -> Reading:
            return self._decide(one, context, self._rulebook.of(type(one)), journal)

        return explained(error, read, gravity)

    def _of_itself(self, error: BaseException) -> Reading:
        """Read an `AppError` that no rule is about: the usual way, without a detour."""
        spoken = cast("AppError", error)
        try:
            return Reading(facts_of(spoken), spoken)
        except Exception as failure:  # noqa: BLE001  # a class may do anything with its attributes
            self._note(failure, ITSELF.source, None)
            return UNKNOWN_READING

    def _read_group(
        self, group: BaseExceptionGroup[BaseException], context: ErrorContext | None
    ) -> Reading:
        readings = [self.read(leaf, context) for leaf in leaves(group) if not is_control_flow(leaf)]
        return max(readings, key=gravity, default=UNKNOWN_READING)

    def _decide(
        self,
        error: BaseException,
        context: ErrorContext | None,
        entries: tuple[Entry, ...],
        journal: Journal | None = None,
    ) -> Reading:
        settled: _Settled = {}
        told = self._ask_functions(error, context, settled, journal)
        if told is None and not settled and journal is None and entries[0] is ITSELF:
            return self._of_itself(error)
        return (
            told
            or self._ask_rules(error, entries, settled, journal)
            or completed(UNKNOWN_READING, settled)
        )

    def _ask_functions(
        self,
        error: BaseException,
        context: ErrorContext | None,
        settled: _Settled,
        journal: Journal | None,
    ) -> Reading | None:
        if not self._functions:
            return None
        known = context or ErrorContext(work=current_context())
        for function in self._functions:
            try:
                answer = _checked(function(error, known))
            except Exception as failure:  # noqa: BLE001  # user code; the next one may know
                self._note(failure, f"function {name_of(function)}", journal)
                continue
            if journal is not None:
                journal.append(Note.of(f"function {name_of(function)}", answer, settled))
            if isinstance(answer, Classification):
                spoken = error if isinstance(error, AppError) else None
                return completed(Reading(answer, spoken), settled)
            if answer is not None:
                settled.update(answer.facts() | settled)
        return None

    def _ask_rules(
        self,
        error: BaseException,
        entries: tuple[Entry, ...],
        settled: _Settled,
        journal: Journal | None,
    ) -> Reading | None:
        always = entries[0].always
        if always is not None and journal is None:
            return completed(always, settled)
        for entry in entries:
            try:
                refusal = entry.refusal(error)
                answer = None if refusal else entry.answer(error)
            except Exception as failure:  # noqa: BLE001  # a rule must never hide the error it reads
                self._note(failure, entry.label, journal)
                continue
            if journal is not None:
                journal.append(Note.of(entry.label, answer, settled, refusal))
            if isinstance(answer, Reading):
                return completed(answer, settled)
            if answer is not None:
                settled.update({**answer, **settled})
        return None

    def _note(self, failure: Exception, source: str, journal: Journal | None) -> None:
        if journal is not None:
            journal.append(Note.failed(source, failure))
        elif self._on_failure is not None:
            with suppress(Exception):  # to note a failure must not be one
                self._on_failure(failure)


def gravity(reading: Reading) -> tuple[int, bool, int]:
    """Return by what the gravest member of a group is found."""
    said = reading.classification
    return said.severity, not said.trusted, said.status


def objection_to(function: object) -> str:
    """Return why a function cannot classify, to follow its name; empty when it can."""
    if is_async(function):
        return "must not be async: whoever asks what an exception means cannot wait"
    return ""


@cache
def default_classifier() -> Classifier:
    """Return the classifier with nothing but the built-in rules."""
    return Classifier()


def determine_http_status(error: BaseException) -> int:
    """Return the HTTP status an exception is answered with, by the built-in rules.

    Example:
        >>> from holdfast import AppError, ErrorCode
        >>> (
        ...     determine_http_status(AppError(ErrorCode.TOKEN_EXPIRED)),
        ...     determine_http_status(KeyError("a")),
        ... )
        (401, 500)
    """
    return default_classifier().classify(error).status


def _others(adapter_rules: Iterable[Rule]) -> Iterable[tuple[str, Rule]]:
    yield from ((f"adapter's rule {i}", rule) for i, rule in enumerate(adapter_rules, 1))
    yield from (("built-in rule", rule) for rule in standard_rules())


def _checked(answer: object) -> Classification | Partial | None:
    if answer is None:
        return None
    if isinstance(answer, Classification) and not is_failure(answer.status):
        raise ValueError(f"status must be between 400 and 599, not {answer.status!r}")
    if isinstance(answer, (Classification, Partial)):
        return answer
    if inspect.iscoroutine(answer):
        answer.close()  # or Python warns that nobody waited for it
    raise TypeError(
        f"a classifier must return a Classification, a Partial or None, not {answer!r:.100}"
    )
