"""For tests of what uses the suite: a clock one sets, a runtime that keeps its events, faults on demand.

Names are loaded when they are first used: pytest imports this package with the plugin beside it, in
every project that has the suite installed.
"""

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from holdfast.resilience.chaos import Chaos
    from holdfast.testing.clock import FakeClock
    from holdfast.testing.faults import fail_times, force_open
    from holdfast.testing.recording import RecordingReporter, RecordingRuntime

__all__ = [
    "Chaos",
    "FakeClock",
    "RecordingReporter",
    "RecordingRuntime",
    "fail_times",
    "force_open",
]

_HOMES: Final = {
    "Chaos": "holdfast.resilience.chaos",
    "FakeClock": "holdfast.testing.clock",
    "RecordingReporter": "holdfast.testing.recording",
    "RecordingRuntime": "holdfast.testing.recording",
    "fail_times": "holdfast.testing.faults",
    "force_open": "holdfast.testing.faults",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(home), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
