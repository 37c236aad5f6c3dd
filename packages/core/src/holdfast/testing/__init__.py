"""For tests of what uses the suite: a clock one sets, a runtime that keeps its events."""

from holdfast.testing.clock import FakeClock
from holdfast.testing.recording import RecordingReporter, RecordingRuntime

__all__ = ["FakeClock", "RecordingReporter", "RecordingRuntime"]
