"""Alerts as Sentry events, by the real library and a transport that keeps what it would send."""

import json
from collections.abc import Generator
from typing import cast

import pytest

from holdfast import ValidationError
from holdfast.reporting.alerts.message import AlertMessage, Stage
from holdfast.reporting.channels.making import make
from holdfast.runtime import Runtime
from holdfast.settings import ChannelSettings, ReportingSettings, Settings
from tests.core.receiver import message
from tests.integrations.conftest import need

need("sentry_sdk")

import sentry_sdk  # noqa: E402  # is optional
from sentry_sdk.envelope import Envelope  # noqa: E402  # is optional
from sentry_sdk.transport import Transport  # noqa: E402  # is optional

from holdfast.integrations.sentry_event import SentryInactiveError  # noqa: E402  # needs it


class Keeping(Transport):
    """Keeps the events that would go to Sentry's server."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[dict[str, object]] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        """Keep one envelope."""
        for item in envelope.items:
            self.events.append(json.loads(item.get_bytes()))


@pytest.fixture
def kept() -> Generator[Keeping]:
    """Initialise Sentry, and take it away afterwards."""
    transport = Keeping()
    sentry_sdk.init(
        "https://key@sentry.invalid/1", transport=transport, auto_enabling_integrations=False
    )
    yield transport
    sentry_sdk.get_global_scope().set_client(None)
    sentry_sdk.get_isolation_scope().clear()


@pytest.fixture(params=[(), ("sentry",)])
def runtime(request: pytest.FixtureRequest) -> Generator[Runtime]:
    """A runtime, with Sentry among its reporters and without."""
    made = Runtime(Settings(reporters=request.param, reporting=ReportingSettings(inline=True)))
    yield made
    made.close()


def send(runtime: Runtime, told: AlertMessage) -> None:
    """Send a message by the channel of the settings."""
    link = "https://logs.example.com/{id}"
    make("ops", ChannelSettings(kind="sentry", link=link), runtime).send(told)


def test_a_message_is_one_event_with_its_facts(kept: Keeping, runtime: Runtime) -> None:
    """Found by rule, stage and alert; grouped by rule and what it was folded by."""
    send(runtime, message())

    (event,) = kept.events
    assert event["level"] == "error"
    assert event["fingerprint"] == ["holdfast-alert", "many errors", "STOCK_EMPTY"]
    tags = cast("dict[str, str]", event["tags"])
    assert (tags["alert_rule"], tags["alert_stage"], tags["code"]) == (
        "many errors",
        "opened",
        "STOCK_EMPTY",
    )
    extra = cast("dict[str, str]", event["extra"])
    assert (extra["How often"], extra["link"]) == ("12 so far", "https://logs.example.com/a1b2")


def test_all_messages_of_an_alert_are_one_issue(kept: Keeping, runtime: Runtime) -> None:
    """And its recovery is no error."""
    for stage in Stage:
        send(runtime, message(stage))

    assert len({str(event["fingerprint"]) for event in kept.events}) == 1
    assert [event["level"] for event in kept.events] == ["error", "error", "info"]


def test_an_alert_of_an_error_is_part_of_its_trace(kept: Keeping, runtime: Runtime) -> None:
    """Sentry leads from one to the other."""
    told = message(error=ValidationError("no"))
    assert told.record is not None

    send(runtime, told)

    (event,) = kept.events
    trace = cast("dict[str, dict[str, str]]", event["contexts"])["trace"]
    assert trace["trace_id"] == told.record.trace_id


def test_nothing_of_a_request_comes_along(kept: Keeping, runtime: Runtime) -> None:
    """Whoever started the thread that sends."""
    with sentry_sdk.isolation_scope() as scope:
        scope.set_extra("password", "hunter2-canary")
        sentry_sdk.add_breadcrumb(message="hunter2-canary")

        send(runtime, message())

    assert "canary" not in str(kept.events)


def test_an_alert_is_no_error_that_escaped(kept: Keeping, runtime: Runtime) -> None:
    """The reporter beside it knows whose event it is."""
    send(runtime, message())

    outcomes = [delivery.further for delivery in runtime.dispatcher.deliveries()]
    assert all(outcome["escaped"] == 0 for outcome in outcomes)


def test_without_init_there_is_nowhere_to_go(runtime: Runtime) -> None:
    """Which is said, so that the alert can count as failed."""
    with pytest.raises(SentryInactiveError):
        send(runtime, message())
