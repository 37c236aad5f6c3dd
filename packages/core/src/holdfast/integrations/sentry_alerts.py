"""Alerts as Sentry events. Extra: `pip install "holdfast[sentry]"`.

One issue for each rule and what it was folded by, so that Sentry's own ownership and notification
rules go on from there. The project initialises Sentry itself.
"""

from contextvars import Context
from typing import TYPE_CHECKING, cast

from holdfast.integrations.sentry_event import LEVELS, Json, SentryInactiveError, event_trace
from holdfast.reporting.alerts.message import AlertMessage
from holdfast.reporting.channels.making import Host, Options
from holdfast.reporting.channels.text import Wording, level

try:
    import sentry_sdk
except ImportError as error:
    raise ImportError(
        'the channel "sentry" needs sentry-sdk: pip install "holdfast[sentry]"'
    ) from error

if TYPE_CHECKING:
    from sentry_sdk.types import Event as SentryEvent

HINT = "holdfast_alert"
"""Key of the message in the hint of our events, for the project's `before_send`."""


def channel(name: str, options: Options, host: Host) -> "SentryChannel":
    """Make the channel of kind `sentry`."""
    return SentryChannel(name, Wording(host.redactor.text, options.link))


class SentryChannel:
    """Sends each message as one event; a recovery at level `info`.

    Args:
        name: Of the channel.
        wording: Puts messages into words.
    """

    def __init__(self, name: str, wording: Wording) -> None:
        self.name = name
        self._wording = wording

    def send(self, message: AlertMessage) -> None:
        """Send an event; Sentry's transport delivers it.

        Raises:
            SentryInactiveError: When the project has not initialised Sentry.
        """
        client = sentry_sdk.get_client()
        if not client.is_active():
            raise SentryInactiveError("sentry_sdk.init() was not called in this process")
        event = cast("SentryEvent", alert_event(message, self._wording))
        # In an empty context, so that no request's data comes along from whoever started the thread.
        scope = sentry_sdk.get_global_scope().fork()
        Context().run(client.capture_event, event, {HINT: message}, scope)


def alert_event(message: AlertMessage, wording: Wording) -> Json:
    """Return the event of a message; pure."""
    facts = wording.facts(message)
    address = wording.address(message)
    event: Json = {
        "timestamp": message.time,
        "level": LEVELS[level(message)],
        "logger": "holdfast.alerts",
        "logentry": {"message": wording.subject(message)},
        "fingerprint": ["holdfast-alert", message.rule, wording.clean(message.key)],
        "tags": {
            "alert_rule": message.rule,
            "alert_stage": message.stage.value,
            "alert_id": message.id,
            "service": message.service,
            **_tags(message),
        },
        "extra": {**facts, "link": address} if address else facts,
    }
    if message.record is not None:
        event["contexts"] = {"trace": event_trace(message.record)}
    return event


def _tags(message: AlertMessage) -> Json:
    names = ("code", "kind", "fault")
    return {name: str(message.attributes[name]) for name in names if message.attributes.get(name)}
