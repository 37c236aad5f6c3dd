"""What an alert says, and who carries it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from holdfast.events import Scalar
from holdfast.kinds import Severity
from holdfast.record import ErrorRecord


class Stage(StrEnum):
    """Where in its course an alert is."""

    OPENED = "opened"
    """It is told of for the first time."""
    CONTINUES = "continues"
    """A summary: it goes on, at most one for each cool-down."""
    RECOVERED = "recovered"
    """It has not happened for a while."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertMessage:
    """One message of an alert: immutable, redacted, the same for every channel."""

    id: str
    """The same in all messages of one alert, from its opening to its recovery."""
    rule: str
    """Name of the rule."""
    key: str
    """What it was folded by: a code, a fingerprint, the name of an event."""
    stage: Stage
    severity: Severity
    title: str
    """One line, for a subject."""
    time: datetime
    """When it was written; aware, UTC."""
    since: datetime
    """When the alert opened; aware, UTC."""
    count: int
    """Events since the message before; in the first, those that led to it."""
    total: int
    """Events since the alert opened."""
    service: str = ""
    environment: str = ""
    release: str = ""
    host: str = ""
    attributes: Mapping[str, Scalar] = field(default_factory=dict[str, Scalar])
    """Of the latest event."""
    record: ErrorRecord | None = None
    """The latest error, if the event was one; None when another process saw it."""


class AlertChannel(Protocol):
    """Carries messages to people."""

    name: str

    def send(self, message: AlertMessage) -> None:
        """Send one message; called on a thread of the alerts' own, may block, and raises what went wrong.

        What is transient by the classifier is sent again later.
        """
        ...
