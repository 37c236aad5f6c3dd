"""Alerts as JSON to an address: whatever their receiver wants to see, each shape a function."""

from collections.abc import Callable
from math import isfinite
from typing import TypeAlias

from holdfast.reporting.alerts.message import AlertMessage
from holdfast.reporting.channels.making import Host, Options
from holdfast.reporting.channels.text import Wording, level, message_key
from holdfast.reporting.post import Receiver

Shape: TypeAlias = Callable[[AlertMessage, Wording], object]
"""Makes what is sent, of what JSON can hold."""


def channel(name: str, options: Options, host: Host) -> "WebhookChannel":
    """Make the channel of kind `webhook`."""
    return posting(name, options, host, generic)


def posting(name: str, options: Options, host: Host, shape: Shape) -> "WebhookChannel":
    """Make a channel that posts a shape to the address of its settings."""
    clean = host.redactor.text
    receiver = Receiver(
        url=options.url,
        headers=options.headers,
        secret=options.secret,
        timeout=options.timeout,
        clean=clean,
        clock=host.clock,
    )
    return WebhookChannel(name, receiver, Wording(clean, options.link), shape)


class WebhookChannel:
    """Posts each message to an address.

    Args:
        name: Of the channel.
        receiver: The address.
        wording: Puts messages into words.
        shape: What is sent.
    """

    def __init__(self, name: str, receiver: Receiver, wording: Wording, shape: Shape) -> None:
        self.name = name
        self._receiver = receiver
        self._wording = wording
        self._shape = shape

    def send(self, message: AlertMessage) -> None:
        """Post a message, with a key by which the receiver takes it once.

        Raises:
            AppError: It was not accepted; transient when sending it again may help.
        """
        self._receiver.post(self._shape(message, self._wording), message_key(message))


def generic(message: AlertMessage, wording: Wording) -> dict[str, object]:
    """Return all that is known, for programs, and the same in words, for people."""
    told: dict[str, object] = {
        "id": message.id,
        "stage": message.stage.value,
        "rule": message.rule,
        "key": message.key,
        "severity": level(message).name,
        "title": message.title,
        "subject": wording.subject(message),
        "time": message.time.isoformat(),
        "since": message.since.isoformat(),
        "count": message.count,
        "total": message.total,
        "service": message.service,
        "environment": message.environment,
        "release": message.release,
        "host": message.host,
        "link": wording.address(message),
    }
    cleaned = {name: _cleaned(value, wording) for name, value in told.items()}
    attributes = {name: _cleaned(value, wording) for name, value in message.attributes.items()}
    return {**cleaned, "facts": wording.facts(message), "attributes": attributes}


def _cleaned(value: object, wording: Wording) -> object:
    """Return a value as JSON has it; what JSON has no form for is told in words."""
    if (
        value is None
        or isinstance(value, bool | int)
        or (isinstance(value, float) and isfinite(value))
    ):
        return value
    return wording.clean(str(value))
