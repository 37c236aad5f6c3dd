"""What tests of the core share: every protected call is tried on a thread and on an event loop."""

import weakref
from collections.abc import Generator
from pathlib import Path
from typing import cast

import pytest

from holdfast import environment
from holdfast.testing import RecordingRuntime
from tests.core.ways import OnLoop, OnThread, Way


@pytest.fixture(params=[OnThread, OnLoop], ids=["thread", "loop"])
def way(request: pytest.FixtureRequest) -> Way:
    """Make protected calls on a thread, then on an event loop."""
    return cast("Way", request.param())


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Generator[RecordingRuntime, None, None]:
    """Give every call of a test one fresh runtime, with a clock that stands still.

    It is the only one of the process, as in a real one, so that decorated functions take the short way.
    """
    monkeypatch.setattr(environment, "_known", weakref.WeakSet[environment.Environment]())
    made = RecordingRuntime()
    with environment.activated(made):
        yield made


@pytest.fixture
def descriptors() -> Generator[None]:
    """See that a test leaves no file and no socket open, where the system tells."""
    folder = Path("/proc/self/fd")
    before = len(list(folder.iterdir())) if folder.exists() else 0
    yield
    if folder.exists():
        assert len(list(folder.iterdir())) <= before
