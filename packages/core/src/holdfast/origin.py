"""Where an error became somebody's answer, and the circumstances that user code decides by."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from holdfast.context import WorkContext
from holdfast.redact import JsonValue

_NOTHING: Mapping[str, JsonValue] = MappingProxyType({})


def nothing() -> Mapping[str, JsonValue]:
    """Return the mapping without any facts; one for all, because making one costs."""
    return _NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where an error became somebody's answer."""

    boundary: str
    """Which kind of boundary: `django.request`, `flask.request`, `job`, `process`."""
    operation: str = ""
    """Which operation, of few different values: `GET /orders/<id>`, a task's name."""
    path: str = ""
    """Path of the request without its query; redacted in the record."""
    attributes: Mapping[str, JsonValue] = field(default_factory=nothing)
    """Further facts; redacted in the record."""
    resumable: bool = True
    """Whether the boundary can go on with a value in the error's place; where it cannot, as at the
    end of a process, handlers are told of the error, and what they would go on with is left."""


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"})


def operation_of(method: str | None, route: str | None) -> str:
    """Return the name of a request's operation; what callers made up does not become part of it.

    Args:
        method: The request's.
        route: As the framework writes it; None when there is none for the address.

    Example:
        >>> operation_of("GET", "/orders/<id>"), operation_of("BREW", None)
        ('GET /orders/<id>', 'OTHER (no route)')
    """
    known = method if method in _METHODS else "OTHER"
    return f"{known} {route or '(no route)'}"


NOWHERE = Origin(boundary="")
"""The origin of an error that a strategy asks about in the middle of a call: it is nobody's answer yet."""


@dataclass(frozen=True, slots=True)
class ErrorContext:
    """The circumstances of an error, as classifiers, steps of the pipeline and handlers see them."""

    origin: Origin = NOWHERE
    work: WorkContext | None = None
    """The piece of work at hand; None outside any."""
    reported: bool = True
    """Whether the reporters are told of the error."""

    @property
    def trace_id(self) -> str:
        """Id of the piece of work, empty outside any."""
        return "" if self.work is None else self.work.trace_id

    @property
    def fields(self) -> Mapping[str, object]:
        """What the application has bound to the piece of work; not redacted."""
        return nothing() if self.work is None else self.work.fields

    def enriched(self, **attributes: JsonValue) -> "ErrorContext":
        """Return the same with further facts about the origin, which the record will hold, redacted.

        Example:
            >>> ErrorContext(Origin(boundary="job")).enriched(shard=3).origin.attributes
            {'shard': 3}
        """
        known = {**self.origin.attributes, **attributes}
        return replace(self, origin=replace(self.origin, attributes=known))

    def unreported(self) -> "ErrorContext":
        """Return the same for an error that is answered, and not reported: a sample stands for it.

        That it was left out is told by an event `error.unreported` of severity DEBUG, for counts.

        Example:
            >>> ErrorContext().unreported().reported
            False
        """
        return replace(self, reported=False)
