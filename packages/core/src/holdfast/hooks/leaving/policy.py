"""After which errors a process leaves, and how: decided here, without doing anything."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from holdfast.codes import Severity
from holdfast.record import ErrorRecord

CrashAction: TypeAlias = Literal["continue", "drain", "exit"]
"""`continue`: the process goes on. `drain`: it finishes what is in flight and leaves. `exit`: it
leaves as soon as it has answered."""

ENDING: Final = frozenset(
    {"child", "django.command", "fault", "flask.command", "job", "process", "startup"}
)
"""Boundaries at which the process ends, or has ended, by itself and with its own exit code."""

SURVIVED: Final = frozenset({"block", "celery.beat", "celery.worker", "log", "unraisable"})
"""Boundaries of errors that the code around them lived through, or ends from by itself: asked for by
name or not at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CrashPolicy:
    """Says what becomes of the process after an error.

    Example:
        >>> CrashPolicy(action="drain", boundaries={"celery.task": "exit"}).at("celery.task")
        'exit'
    """

    action: CrashAction = "continue"
    """At every boundary that `boundaries` does not name."""
    on: Literal["untrusted", "critical"] = "untrusted"
    """Which errors: all that are untrusted, or of these only the critical ones."""
    boundaries: Mapping[str, CrashAction] = field(default_factory=dict[str, CrashAction])
    """Action by boundary."""
    exit_code: int = 70
    """Status that the process leaves with."""
    grace: float = 30.0
    """Seconds that `drain` waits for what is in flight."""

    def at(self, boundary: str) -> CrashAction:
        """Return the action after a grave error at a boundary."""
        if boundary in ENDING:
            return "continue"
        return self.boundaries.get(boundary, "continue" if boundary in SURVIVED else self.action)

    def after(self, record: ErrorRecord) -> CrashAction:
        """Return the action after an error that was handled."""
        said = record.classification
        if said.trusted or (self.on == "critical" and said.severity < Severity.CRITICAL):
            return "continue"
        return self.at(record.origin.boundary)
