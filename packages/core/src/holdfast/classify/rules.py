"""How exceptions are read that look in a certain way."""

import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from holdfast.classify.classification import Classification, classification_of
from holdfast.classify.conditions import (
    FOREVER,
    INSTEAD,
    Condition,
    attribute_of,
    holds_for_code,
    holds_for_errno,
    holds_for_message,
    holds_for_status,
    may_take_forever,
)
from holdfast.classify.partial import Partial, overridden
from holdfast.codes import Effect, ErrorCodes, ErrorKind, Fault, Severity, spec_of
from holdfast.errors import AppError

Translate: TypeAlias = Callable[[BaseException], AppError | None]
_SAYS = (
    *("code", "kind", "title", "status", "category", "severity"),
    *("fault", "transient", "effect", "trusted", "action"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How exceptions are read for which all of its conditions hold.

    Conditions are `match`, `codes`, `message`, `errno`, `carried_status` and `when`. `code` says
    what such an exception means, or `translate` turns it into an `AppError` that does; the latter
    also says what a caller sees, and may decline with None. A rule with neither is partial: it
    settles the fields it has, and what is asked next completes them.

    Raises:
        ValueError: When it has no condition, says nothing, or what no answer can have.
        TypeError: When a value is not of its field's type.

    Example:
        >>> from holdfast import Classifier, ErrorCode
        >>> rule = Rule(match=ZeroDivisionError, code=ErrorCode.BUSINESS_RULE_VIOLATION)
        >>> urgent = Rule(codes="RULE_*", severity=Severity.CRITICAL)
        >>> Classifier(rules=[rule, urgent]).classify(ZeroDivisionError()).status
        422
    """

    match: type[BaseException] | str | None = None
    """The class, or its dotted name when importing it is not wanted: `sqlite3.IntegrityError`.
    Without one the rule holds for any exception, and is asked after those that have one."""
    codes: str | None = None
    """Pattern of an `AppError`'s code, such as `DB_*`."""
    message: str | None = None
    """Regular expression, searched in the first 1000 characters of the message."""
    errno: int | Collection[int] | None = None
    """The operating system's number of an `OSError`, or several."""
    carried_status: int | Collection[int] | None = None
    """HTTP status that the exception carries, or several: what httpx's or requests' response, or
    the exception itself says."""
    when: Callable[[BaseException], bool] | None = None
    """Further condition."""

    code: ErrorCodes | str | None = None
    """What it means; a string has to be declared when the rule is made."""
    translate: Translate | None = None
    kind: ErrorKind | None = None
    title: object = None
    """Short text for callers: a `str`, or text translated when it is read."""
    status: int | None = None
    """HTTP status of the answer, 400 to 599."""
    category: str | None = None
    severity: Severity | None = None
    fault: Fault | None = None
    transient: bool | None = None
    effect: Effect | None = None
    trusted: bool | None = None
    action: str | None = None
    """What an operator should do, in one sentence."""

    def __post_init__(self) -> None:
        try:
            objection = self._objection()
        except (TypeError, ValueError) as error:
            raise type(error)(f"{self}: {error}") from None
        if objection:
            raise ValueError(f"{self}: {objection}")

    def __str__(self) -> str:
        return f"Rule for {self.asks()}"

    def asks(self) -> str:
        """Return its conditions in words."""
        return ", ".join(self._asks()) or "anything"

    def _asks(self) -> Iterator[str]:
        if self.match is not None:
            yield repr(self.match) if isinstance(self.match, str) else self.match.__qualname__
        for name in ("codes", "message", "errno", "carried_status"):
            asked: object = getattr(self, name)
            if asked is not None:
                yield f"{name} {asked!r}"
        if self.when is not None:
            yield f"when {getattr(self.when, '__qualname__', type(self.when).__qualname__)}"

    def says(self) -> Partial:
        """Return what it says by itself, without what `translate` would."""
        return Partial(**{name: getattr(self, name) for name in _SAYS})

    def classification(self, code: ErrorCodes | str) -> Classification:
        """Return what the rule says of every exception it holds for."""
        return overridden(classification_of(code), self.says().facts())

    def tests(self) -> tuple[tuple[str, Condition], ...]:
        """Return what it asks beyond the class, by name, the cheapest first."""
        return tuple(self._tests())

    def _tests(self) -> Iterator[tuple[str, Condition]]:
        if self.codes is not None:
            yield "codes", holds_for_code(self.codes)
        if self.errno is not None:
            yield "errno", holds_for_errno(self.errno)
        if self.carried_status is not None:
            yield "carried_status", holds_for_status(self.carried_status)
        if self.message is not None:
            yield "message", holds_for_message(self.message)
        if self.when is not None:
            yield "when", self.when

    def _objection(self) -> str:
        return next((told for told, wrong in self._judged() if wrong), "")

    def _judged(self) -> Iterator[tuple[str, bool]]:
        """Yield each thing that may be wrong with a rule, and whether it is."""
        says = self.says() != Partial()
        yield (
            f"it needs its module: 'package.{self.match}'",
            isinstance(self.match, str) and "." not in self.match,
        )
        yield (
            "it needs a condition: match, codes, message, errno, carried_status or when",
            self.match is None and not self.tests(),
        )
        yield (
            f"message {FOREVER}: {INSTEAD}",
            self.message is not None and may_take_forever(self.message),
        )
        yield (
            "it needs either a code or a translate function, not both",
            self.translate is not None and self.code is not None,
        )
        yield (
            "what a translated error means is said by the AppError that translate returns: "
            + ", ".join(_SAYS),
            self.translate is not None and says,
        )
        yield (
            "it needs either a code or a translate function, or another field that it settles",
            self.translate is None and not says,
        )
        yield (
            f"no code {self.code!r} is declared",
            isinstance(self.code, str) and spec_of(self.code) is None,
        )


def is_about(rule: Rule, cls: type) -> bool:
    """Tell whether a rule names a class, by itself or by a dotted name."""
    match = rule.match
    return is_named(match, cls) if isinstance(match, str) else match is cls


def is_named(dotted: str, cls: type) -> bool:
    """Tell whether a dotted name is that of a class: where it is defined, or where a package shows it."""
    if dotted.rpartition(".")[2] != cls.__name__:
        return False
    return dotted == f"{cls.__module__}.{cls.__qualname__}" or _found(dotted) is cls


def _found(dotted: str) -> object:
    """Return what a dotted name stands for in a module that is loaded, or None."""
    module, _, name = dotted.rpartition(".")
    # Asked for, because a package may load what it shows when that is first asked for.
    return attribute_of(sys.modules[module], name) if module in sys.modules else None
