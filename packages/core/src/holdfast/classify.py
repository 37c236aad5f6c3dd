"""What an exception means: one classification that response, log, retry, breaker and health share.

An exception is read in this order: the classifiers a project gave, then rules by the exception's
classes (most specific first), then an `AppError`'s own facts, else it is INTERNAL and untrusted.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from functools import cache
from itertools import islice
from typing import TypeAlias, cast

from holdfast.brokers import MEANINGS
from holdfast.codes import (
    Effect,
    ErrorCode,
    ErrorCodes,
    ErrorKind,
    Fault,
    Severity,
    is_failure,
)
from holdfast.context import current_context
from holdfast.database import integrity_error, is_contended, is_lost, is_unreachable
from holdfast.errors import AppError
from holdfast.origin import ErrorContext

MAX_GROUP_LEAVES = 200
"""Members of an exception group that are looked at."""
MAX_CACHED_TYPES = 2048

CONTROL_FLOW: tuple[type[BaseException], ...] = (KeyboardInterrupt, SystemExit, GeneratorExit)
"""With `asyncio.CancelledError`, what is no error; see `is_control_flow`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """What one exception means."""

    code: str
    kind: ErrorKind
    title: object
    """Short text for callers: a `str`, or text translated when it is read."""
    type: str
    """Name callers see in `except.type`; never the class of something unexpected."""
    status: int
    category: str
    severity: Severity
    fault: Fault
    transient: bool
    effect: Effect | None = None
    trusted: bool = True
    action: str = ""
    """What an operator should do, in one sentence; may be empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How exceptions of one class are read.

    Either `code` says what they mean, or `translate` turns them into an `AppError` that does; the
    latter also says what a caller sees. `translate` may decline with None.

    Example:
        >>> rule = Rule(match=ZeroDivisionError, code=ErrorCode.BUSINESS_RULE_VIOLATION)
        >>> Classifier(rules=[rule]).classify(ZeroDivisionError()).status
        422
    """

    match: type[BaseException] | str
    """The class, or its dotted name when importing it is not wanted: `sqlite3.IntegrityError`."""
    code: ErrorCodes | None = None
    translate: Callable[[BaseException], AppError | None] | None = None
    when: Callable[[BaseException], bool] | None = None
    """Further condition; without one the rule holds for every exception of the class."""
    status: int | None = None
    transient: bool | None = None
    severity: Severity | None = None
    effect: Effect | None = None
    trusted: bool = True
    action: str = ""

    def __post_init__(self) -> None:
        if (self.code is None) == (self.translate is None):
            raise ValueError(f"Rule for {self.match!r} needs either a code or a translate function")
        if self.status is not None and not is_failure(self.status):
            raise ValueError(f"Rule for {self.match!r}: status must be between 400 and 599")
        overrides = (self.status, self.transient, self.severity, self.effect)
        if self.translate is not None and not (self.trusted and overrides == (None,) * 4):
            raise ValueError(
                f"Rule for {self.match!r}: what a translated error means is said by the AppError "
                "that translate returns; set status, transient, severity, effect and trusted there"
            )
        if isinstance(self.match, str) and "." not in self.match:
            raise ValueError(f"Rule for {self.match!r} needs its module: 'package.{self.match}'")

    def classification(self, code: ErrorCodes) -> Classification:
        """Return what the rule says of every exception it holds for."""
        said = classification_of(code)
        return replace(
            said,
            status=said.status if self.status is None else self.status,
            transient=said.transient if self.transient is None else self.transient,
            severity=said.severity if self.severity is None else self.severity,
            effect=self.effect,
            trusted=self.trusted,
            action=self.action,
        )


ClassifierFunction: TypeAlias = Callable[[BaseException, ErrorContext], Classification | None]
"""A project's own: answers what an exception means, or None to leave it to the next."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A classification, and the error that speaks to the caller."""

    classification: Classification
    spoken: AppError | None
    """The exception itself or its translation; None when nothing may be said of it."""

    @property
    def asked(self) -> float:
        """Seconds that the error asks to wait; 0 when it asks for nothing that makes sense."""
        seconds: object = None if self.spoken is None else self.spoken.retry_after
        if not isinstance(seconds, int | float) or math.isnan(seconds):
            return 0.0
        return max(0.0, seconds)


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
        self._rules = (*rules, *_standard_rules())
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
        return max(readings, key=_gravity, default=_UNKNOWN)

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
                return Reading(_from_app_error(spoken), spoken)
        return None

    def _own_facts(self, error: BaseException) -> Reading:
        if isinstance(error, AppError):
            return Reading(_from_app_error(error), error)
        return _UNKNOWN

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


def classification_of(code: ErrorCodes) -> Classification:
    """Return what a code says on its own."""
    return _from_app_error(AppError(code))


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


def is_control_flow(error: BaseException) -> bool:
    """Tell whether an exception is no error: an exit, an interrupt, a closed generator, a cancellation."""
    if isinstance(error, Exception) and not isinstance(error, BaseExceptionGroup):
        return False
    group = as_group(error)
    if group is not None:
        # Of all of them: after 200 cancellations there may be an error.
        return all(is_control_flow(leaf) for leaf in _leaves(group))
    # By name, so that importing the suite does not import asyncio.
    cancelled = any(cls.__name__ == "CancelledError" for cls in type(error).__mro__)
    return cancelled or isinstance(error, CONTROL_FLOW)


def as_group(error: BaseException) -> BaseExceptionGroup[BaseException] | None:
    """Return the exception when it is a group, else None."""
    if isinstance(error, BaseExceptionGroup):
        return cast("BaseExceptionGroup[BaseException]", error)
    return None


def leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    """Yield the members of a group and of the groups in it, at most 200."""
    yield from islice(_leaves(group), MAX_GROUP_LEAVES)


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    pending: list[BaseException] = [group]
    while pending:
        current = pending.pop()
        inner = as_group(current)
        if inner is None:
            yield current
        else:
            pending.extend(reversed(inner.exceptions))


def _gravity(reading: Reading) -> tuple[int, bool, int]:
    said = reading.classification
    return said.severity, not said.trusted, said.status


def _from_app_error(error: AppError) -> Classification:
    return Classification(
        code=error.code,
        kind=error.kind,
        title=error.title,
        type=error.type_name,
        status=error.status if is_failure(error.status) else error.kind.status,
        category=error.category,
        severity=error.severity,
        fault=error.fault,
        transient=error.transient,
        effect=error.effect,
        trusted=error.trusted,
    )


UNKNOWN = replace(classification_of(ErrorCode.INTERNAL_ERROR), trusted=False)
"""What an exception means that nobody says anything about."""
_UNKNOWN = Reading(UNKNOWN, None)


@cache
def default_classifier() -> Classifier:
    """Return the classifier with nothing but the built-in rules."""
    return Classifier()


def database_rules(
    integrity: type[BaseException] | str,
    operational: type[BaseException] | str,
    interface: type[BaseException] | str,
    other: type[BaseException] | str,
) -> Iterator[Rule]:
    """Yield what the exceptions of a database driver mean, given its four classes of PEP 249."""
    for refused in (integrity, operational):  # MariaDB's checks are operational
        yield Rule(match=refused, translate=integrity_error)
    gone = ErrorCode.DB_CONNECTION_ERROR
    for broken in (operational, interface):
        yield Rule(match=broken, code=gone, when=is_unreachable, effect=Effect.NOT_SENT)
        yield Rule(match=broken, code=gone, when=is_lost, effect=Effect.IN_DOUBT)
    yield Rule(match=operational, code=ErrorCode.DATABASE_ERROR, when=is_contended, transient=True)
    # Whatever else a database says is of a statement that should not have been sent.
    yield Rule(match=other, code=ErrorCode.DATABASE_ERROR, trusted=False)


_DRIVERS = ("sqlite3", "psycopg", "psycopg2", "pymysql.err", "MySQLdb")
_DRIVER_CLASSES = ("IntegrityError", "OperationalError", "InterfaceError", "Error")


def _standard_rules() -> Iterator[Rule]:
    """Yield what the exceptions of the standard library, database drivers, Celery and brokers mean."""
    for driver in _DRIVERS:
        yield from database_rules(*(f"{driver}.{name}" for name in _DRIVER_CLASSES))
    for known in MEANINGS:
        yield Rule(**{field.name: getattr(known, field.name) for field in fields(known)})
    yield Rule(match=TimeoutError, code=ErrorCode.DEADLINE_EXCEEDED, effect=Effect.IN_DOUBT)
    yield Rule(
        match=ConnectionRefusedError, code=ErrorCode.COMMUNICATION_ERROR, effect=Effect.NOT_SENT
    )
    yield Rule(match=ConnectionError, code=ErrorCode.COMMUNICATION_ERROR, effect=Effect.IN_DOUBT)
    yield Rule(match="socket.gaierror", code=ErrorCode.COMMUNICATION_ERROR, effect=Effect.NOT_SENT)
    yield Rule(match="ssl.SSLError", code=ErrorCode.COMMUNICATION_ERROR, transient=False)
    yield Rule(match="concurrent.futures.process.BrokenProcessPool", code=ErrorCode.PROCESS_CRASHED)
    for broken in (MemoryError, RecursionError):
        yield Rule(
            match=broken, code=ErrorCode.INTERNAL_ERROR, severity=Severity.CRITICAL, trusted=False
        )
