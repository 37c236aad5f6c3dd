"""One rule of the setting `RULES`: which exceptions it is about, and what they mean."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypeAlias

from holdfast.classify.conditions import FOREVER, INSTEAD, may_take_forever
from holdfast.classify.rules import Rule
from holdfast.codes import Effect, ErrorKind, Fault, Severity
from holdfast.settings.types import DottedPath
from holdfast.strict import Expression, Items, Matches, Range, Section

_CONDITIONS: Final = ("match", "codes", "message", "errno", "carried_status", "when")
_SAYS: Final = (
    *("code", "kind", "status", "category", "severity", "fault"),
    *("transient", "effect", "trusted", "action"),
)
_NAME: Final = r"[^\W\d]\w*"

_KindName: TypeAlias = Literal[
    "INVALID_INPUT",
    "UNAUTHENTICATED",
    "PERMISSION_DENIED",
    "NOT_FOUND",
    "CONFLICT",
    "UNPROCESSABLE",
    "RATE_LIMITED",
    "CANCELLED",
    "INTERNAL",
    "DEPENDENCY_FAILED",
    "UNAVAILABLE",
    "TIMED_OUT",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSettings(Section):
    """How exceptions are read for which all of the conditions hold.

    Conditions: `match`, `codes`, `message`, `errno`, `carried_status`, `when`; at least one. All
    others say what such an exception means; without `code` the rule settles what it says, and what
    is asked next completes it.
    """

    match: (
        Annotated[
            str,
            Matches(
                rf"{_NAME}(\.{_NAME})+", "the dotted name of a class such as 'shop.pay.Refused'"
            ),
        ]
        | None
    ) = None
    """Dotted name of the exception's class, or of one it inherits from; nothing is imported."""

    codes: (
        Annotated[
            str,
            Matches(r"[A-Z0-9_*?]{1,100}", "the pattern of a code such as 'DB_*' or 'TASK_LOST'"),
        ]
        | None
    ) = None
    """Pattern of an `AppError`'s code; `*` and `?` stand for any characters."""

    message: Annotated[str, Expression(longest=500)] | None = None
    """Regular expression, at most 500 characters; searched in the first 1000 of the message."""

    errno: Annotated[tuple[Annotated[int, Range(1, 100_000)], ...], Items(most=100)] = ()
    """The operating system's numbers of an `OSError`, at most 100. Default: any."""

    carried_status: Annotated[tuple[Annotated[int, Range(100, 599)], ...], Items(most=500)] = ()
    """HTTP statuses that an exception of an HTTP library carries, 100 to 599. Default: any."""

    when: DottedPath | None = None
    """A function that takes the exception and tells whether the rule holds."""

    code: (
        Annotated[
            str,
            Matches(
                rf"[A-Z][A-Z0-9_]{{0,99}}|{_NAME}(\.{_NAME})*:{_NAME}(\.{_NAME})*",
                "a code such as 'CACHE_DOWN', or where it is declared: 'shop.codes:ShopCode.CACHE_DOWN'",
            ),
        ]
        | None
    ) = None
    """What such an exception means: a code that is declared, or the dotted path of one."""

    kind: _KindName | None = None
    """Its canonical category, which settles status, severity, fault and transience."""

    status: Annotated[int, Range(400, 599)] | None = None
    """HTTP status of the answer, 400 to 599."""

    category: (
        Annotated[str, Matches(r"[^\x00-\x1f\x7f-\x9f]{1,100}", "text of 1 to 100 characters")]
        | None
    ) = None
    """Free label for routing and statistics, at most 100 characters."""

    severity: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] | None = None
    """How loudly it asks for attention."""

    fault: Literal["CALLER", "SERVICE", "DEPENDENCY"] | None = None
    """Who must act."""

    transient: bool | None = None
    """Whether trying again may help."""

    effect: Literal["NOT_SENT", "IN_DOUBT", "NONE"] | None = None
    """What is known of the attempted work."""

    trusted: bool | None = None
    """Whether the process is still sane after it."""

    action: (
        Annotated[str, Matches(r"[^\x00-\x1f\x7f-\x9f]{1,500}", "text of 1 to 500 characters")]
        | None
    ) = None
    """What an operator should do, in one sentence of at most 500 characters."""

    def objections(self) -> Iterable[tuple[str, str]]:
        """Yield field and message for each broken rule between several fields."""
        if self.message is not None and may_take_forever(self.message):
            yield "message", f"is refused, as it {FOREVER}: {INSTEAD}"
        if all(getattr(self, name) in {None, ()} for name in _CONDITIONS):
            yield "match", "must be given, or another condition: codes, message, errno, when"
        if all(getattr(self, name) is None for name in _SAYS):
            yield "code", "must be given, or something else that the rule says: category, severity"

    def rule(self, code: str | None, when: Callable[[BaseException], bool] | None) -> Rule:
        """Return the rule.

        Args:
            code: What `code` stands for.
            when: What `when` stands for.
        """
        return Rule(
            match=self.match,
            codes=self.codes,
            message=self.message,
            errno=self.errno or None,
            carried_status=self.carried_status or None,
            when=when,
            code=code,
            kind=None if self.kind is None else ErrorKind[self.kind],
            status=self.status,
            category=self.category,
            severity=None if self.severity is None else Severity[self.severity],
            fault=None if self.fault is None else Fault[self.fault],
            transient=self.transient,
            effect=None if self.effect is None else Effect[self.effect],
            trusted=self.trusted,
            action=self.action,
        )
