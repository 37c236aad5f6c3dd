"""Fixtures for pytest, there as soon as the package is installed; nothing is loaded before one is used.

Each test gets a runtime of its own; nothing is shared between tests, nor between the workers of
pytest-xdist.
"""

from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from holdfast.testing import FakeClock, RecordingReporter, RecordingRuntime


@pytest.fixture
def holdfast_clock() -> "FakeClock":
    """The clock of `holdfast_runtime`, which stands still until the test says otherwise."""
    from holdfast.testing import FakeClock  # noqa: PLC0415  # pytest loads plugins for every project

    return FakeClock()


@pytest.fixture
def holdfast_runtime(holdfast_clock: "FakeClock") -> Generator["RecordingRuntime", None, None]:
    """A fresh runtime that everything in the test finds: seeded chance, events kept, chaos allowed."""
    from holdfast.testing import RecordingRuntime  # noqa: PLC0415  # as above

    runtime = RecordingRuntime(clock=holdfast_clock)
    with runtime.current():
        yield runtime
    runtime.close()


@pytest.fixture
def holdfast_events(holdfast_runtime: "RecordingRuntime") -> "RecordingReporter":
    """What `holdfast_runtime` was told, with assertions."""
    return holdfast_runtime.recorded
