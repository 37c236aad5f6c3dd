"""Events as JSON to an address of the project's."""

from collections.abc import Mapping
from typing import Protocol

from holdfast.clock import Clock
from holdfast.events import Event
from holdfast.kinds import Severity
from holdfast.record import ErrorHandled
from holdfast.redact import Redactor
from holdfast.reporting.post import Receiver


class _WebhookSettings(Protocol):
    @property
    def url(self) -> str: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def secret(self) -> str: ...
    @property
    def timeout(self) -> float: ...
    @property
    def level(self) -> str: ...


class _Settings(Protocol):
    @property
    def service(self) -> str: ...
    @property
    def environment(self) -> str: ...
    @property
    def release(self) -> str: ...
    @property
    def webhook(self) -> _WebhookSettings: ...


class Host(Protocol):
    """What the reporter needs of the runtime that owns it."""

    @property
    def settings(self) -> _Settings:
        """Say where to post, and who does."""
        ...

    @property
    def redactor(self) -> Redactor:
        """Cleans what the receiver answers."""
        ...

    @property
    def clock(self) -> Clock:
        """Gives the time of signatures."""
        ...


def reporter(runtime: Host) -> "WebhookReporter":
    """Make the reporter that settings call `webhook`.

    Raises:
        ValueError: When the settings have no address for it.
    """
    told = runtime.settings
    settings = told.webhook
    if not settings.url:
        raise ValueError("the section WEBHOOK needs a URL")
    receiver = Receiver(
        url=settings.url,
        headers=settings.headers,
        secret=settings.secret,
        timeout=settings.timeout,
        clean=runtime.redactor.text,
        clock=runtime.clock,
    )
    labels = {"service": told.service, "environment": told.environment, "release": told.release}
    return WebhookReporter(receiver, least=Severity[settings.level], labels=labels)


class WebhookReporter:
    """Posts events one by one; what is not accepted counts as failed, and is not sent again.

    Args:
        receiver: The address.
        least: The least severity that is posted.
        labels: Said with every event, such as the service.
    """

    name = "webhook"

    def __init__(self, receiver: Receiver, *, least: Severity, labels: Mapping[str, str]) -> None:
        self._receiver = receiver
        self._least = least
        self._labels = dict(labels)

    def report(self, event: Event) -> None:
        """Post one event.

        Raises:
            AppError: It was not accepted.
        """
        if event.severity < self._least:
            return
        key = event.record.id if isinstance(event, ErrorHandled) else ""
        self._receiver.post(event_content(event, self._labels), key)


def event_content(event: Event, labels: Mapping[str, str]) -> dict[str, object]:
    """Return what is posted of an event: its facts, and of an error those of its record; pure."""
    content: dict[str, object] = {
        "event": event.name,
        "severity": Severity(event.severity).name,
        "time": event.time.isoformat(),
        **labels,
        "attributes": dict(event.attributes),
    }
    if isinstance(event, ErrorHandled):
        content["error"] = {"message": event.record.message, **event.record.as_json()}
    return content
