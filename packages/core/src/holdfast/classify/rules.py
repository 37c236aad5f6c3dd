"""How exceptions of one class are read."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from holdfast.classify.classification import Classification, classification_of
from holdfast.codes import Effect, ErrorCodes, Severity, is_failure
from holdfast.errors import AppError


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How exceptions of one class are read.

    Either `code` says what they mean, or `translate` turns them into an `AppError` that does; the
    latter also says what a caller sees. `translate` may decline with None.

    Example:
        >>> from holdfast import Classifier, ErrorCode
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
