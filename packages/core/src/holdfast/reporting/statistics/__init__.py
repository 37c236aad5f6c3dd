"""How many errors there were, of which kind and where, and out of how many requests."""

from holdfast.reporting.statistics.counting import ErrorStatistics
from holdfast.reporting.statistics.pulse import Pulse
from holdfast.reporting.statistics.sketch import DurationSummary
from holdfast.reporting.statistics.snapshot import (
    LastError,
    StatisticsSnapshot,
    Tallies,
    Tally,
)
from holdfast.reporting.statistics.tap import Labels, Taken, Tap
from holdfast.reporting.statistics.windows import Recent

__all__ = [
    "DurationSummary",
    "ErrorStatistics",
    "Labels",
    "LastError",
    "Pulse",
    "Recent",
    "StatisticsSnapshot",
    "Taken",
    "Tallies",
    "Tally",
    "Tap",
]
