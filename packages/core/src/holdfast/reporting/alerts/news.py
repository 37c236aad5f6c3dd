"""What somebody else than the rules has to tell, such as the monitor of an outage."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from holdfast.events import Scalar
from holdfast.kinds import Severity
from holdfast.reporting.alerts.message import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """The part of a message that whoever announces it knows; redacted already."""

    id: str
    """The same in all messages of one alert, from its opening to its recovery."""
    source: str
    """Who announces it; stands where messages name their rule."""
    key: str
    """What it is about."""
    stage: Stage
    severity: Severity
    title: str
    """One line, for a subject."""
    since: datetime
    """When the alert opened; aware, UTC."""
    count: int
    """Events since the message before; in the first, those that led to it."""
    total: int
    """Events since the alert opened, those that led to it included."""
    attributes: Mapping[str, Scalar] = field(default_factory=dict[str, Scalar])
