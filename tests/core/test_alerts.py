"""Alerts of a runtime: from an event to what people are told."""

from collections.abc import Mapping
from typing import NamedTuple

import pytest

from holdfast import AppError, ErrorCode, Origin
from holdfast.reporting.alerts.message import AlertMessage
from holdfast.settings import Settings, load_settings
from holdfast.testing import FakeClock, RecordingRuntime

ORIGIN = Origin(boundary="job", operation="import")
kept: list[AlertMessage] = []


@pytest.fixture(autouse=True)
def _nothing_kept() -> None:
    """Begin without messages."""
    kept.clear()


def keep(message: AlertMessage) -> None:
    """Keep a message: the action of rules under test."""
    kept.append(message)


class Told(NamedTuple):
    """The part of a message that most tests are about."""

    rule: str
    key: str
    stage: str
    events: int
    total: int


def told() -> list[Told]:
    """Return the messages so far."""
    return [Told(m.rule, m.key, m.stage.value, m.count, m.total) for m in kept]


HERE = f"{__name__}:keep"


def runtime_with(rules: Mapping[str, Mapping[str, object]], **alerts: object) -> RecordingRuntime:
    """Return a runtime whose rules tell this module."""
    written = {name: {"ACTION": HERE, **rule} for name, rule in rules.items()}
    given: dict[str, object] = {"SERVICE": "shop", "REPORTERS": ()}
    given["ALERTS"] = {"RULES": written, **alerts}
    return RecordingRuntime(load_settings(Settings, given))


def fail(
    runtime: RecordingRuntime, times: int = 1, code: ErrorCode = ErrorCode.DATABASE_ERROR
) -> None:
    """Handle errors."""
    for _ in range(times):
        runtime.handle(AppError(code, "no"), ORIGIN)


def advance(runtime: RecordingRuntime, seconds: float) -> None:
    """Let time pass, and the alerts see it."""
    assert isinstance(runtime.clock, FakeClock)
    assert runtime.alerts is not None
    runtime.clock.advance(seconds)
    runtime.alerts.tick()


def test_an_alert_opens_goes_on_and_is_over() -> None:
    """One message at first, a summary with the count after the cool-down, and one that it is over."""
    runtime = runtime_with({"any": {"COOL_DOWN": 60, "RECOVER_AFTER": 300}})

    fail(runtime, 500)
    advance(runtime, 60)
    fail(runtime, 20)
    advance(runtime, 60)
    advance(runtime, 299)

    assert told() == [
        ("any", "DATABASE_ERROR", "opened", 1, 1),
        ("any", "DATABASE_ERROR", "continues", 499, 500),
        ("any", "DATABASE_ERROR", "continues", 20, 520),
        ("any", "DATABASE_ERROR", "recovered", 0, 520),
    ]
    assert len({message.id for message in kept}) == 1
