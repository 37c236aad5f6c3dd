"""A partial answer: what a classifier knows of an exception, and no more."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from types import MappingProxyType
from typing import Any, Final, cast

from holdfast.classify.classification import UNKNOWN, Classification, Reading, classification_of
from holdfast.codes import Effect, ErrorCodes, ErrorKind, Fault, Severity, is_failure, spec_of
from holdfast.statuses import code_of

_CODE: Final = re.compile(r"[A-Z][A-Z0-9_]{0,99}")
_SAYS_NOTHING: Final = ("effect", "action")
"""What no code says."""
_NOTHING: Final[Mapping[str, object]] = MappingProxyType({})
_TYPES: Final[Mapping[str, type]] = {
    "kind": ErrorKind,
    "category": str,
    "severity": Severity,
    "fault": Fault,
    "transient": bool,
    "effect": Effect,
    "trusted": bool,
    "action": str,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Partial:
    """What a classifier knows of an exception; whatever is None is left to the next that is asked.

    A code that is declared settles all that it says, a kind what the kind says; what is given
    beside them goes before. A code that nobody declared is the label only.

    Raises:
        TypeError: When a value is not of its field's type.
        ValueError: When a status is not that of an error, or a code not in `UPPER_SNAKE`.

    Example:
        >>> from holdfast import Classifier
        >>> urgent = Partial(severity=Severity.CRITICAL)
        >>> said = Classifier(functions=[lambda error, context: urgent]).classify(TimeoutError())
        >>> said.severity.name, said.code
        ('CRITICAL', 'DEADLINE_EXCEEDED')
    """

    code: ErrorCodes | str | None = None
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
        for name, kind in _TYPES.items():
            value: object = getattr(self, name)
            if value is not None and not isinstance(value, kind):
                raise TypeError(f"{name} must be of type {kind.__name__}, not {value!r:.100}")
        if self.status is not None and not is_failure(self.status):
            raise ValueError(f"status must be between 400 and 599, not {self.status!r}")
        if self.code is not None and _CODE.fullmatch(str(self.code)) is None:
            raise ValueError(
                f"code {str(self.code)!r:.100} must be UPPER_SNAKE: "
                "capital letters, digits and underscores, at most 100"
            )

    def facts(self) -> dict[str, object]:
        """Return the fields of a classification that this settles."""
        names = (field.name for field in fields(self))
        given = {name: value for name in names if (value := getattr(self, name)) is not None}
        said: Mapping[str, object] = (
            _NOTHING if self.code is None else _said_by_code(str(self.code))
        )
        if self.kind is not None:
            said = {**said, **_said_by_kind(self.kind)}
        if self.code is not None:
            given["code"] = str(self.code)
        return {**said, **given}


@cache
def _said_by_kind(kind: ErrorKind) -> Mapping[str, object]:
    return {name: getattr(kind, name) for name in ("status", "severity", "fault", "transient")}


def _said_by_code(code: str) -> Mapping[str, object]:
    if spec_of(code) is None:
        return _NOTHING
    said = facts_of_classification(classification_of(code))
    silent = _SAYS_NOTHING if said["category"] else (*_SAYS_NOTHING, "category")
    return {name: fact for name, fact in said.items() if name not in silent}


def facts_of_classification(said: Classification) -> dict[str, object]:
    """Return the fields of a classification by name."""
    return {field.name: getattr(said, field.name) for field in fields(said)}


def overridden(said: Classification, facts: Mapping[str, object]) -> Classification:
    """Return a classification with some of its fields, given by name, replaced."""
    return replace(said, **cast("dict[str, Any]", facts))


def completed(reading: Reading, settled: Mapping[str, object]) -> Reading:
    """Return a reading in which what was settled before goes before what it says.

    Where the meaning itself was settled, a translation no longer speaks to the caller.
    """
    if not settled:
        return reading
    spoken = None if "kind" in settled and reading.translated else reading.spoken
    return Reading(overridden(_base(reading.classification, settled), settled), spoken)


def _base(said: Classification, settled: Mapping[str, object]) -> Classification:
    """Return what completes an answer: for an error nobody knows, what its kind or status means."""
    if said is not UNKNOWN:
        return said
    kind, status = settled.get("kind"), settled.get("status")
    if isinstance(kind, ErrorKind):
        return classification_of(code_of(kind.status))
    return classification_of(code_of(status)) if isinstance(status, int) else said
