"""Events as JSON to an address of the project's."""

from collections.abc import Mapping
from typing import Final, Protocol, cast

from holdfast.clock import Clock
from holdfast.events import Event
from holdfast.ids import long_id
from holdfast.kinds import Severity
from holdfast.record import ErrorHandled
from holdfast.redact import Redactor
from holdfast.reporting import host
from holdfast.reporting.post import Receiver

_UNBOUNDED: Final = frozenset({"attributes", "details", "fields", "notes", "causes"})
"""Facts of an error that may make it larger than a receiver takes."""


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


class _Settings(host.HostSettings, Protocol):
    @property
    def webhook(self) -> _WebhookSettings: ...


class Host(host.Host, Protocol):
    """What the reporter needs of the runtime that owns it."""

    @property
    def settings(self) -> _Settings:
        """Say where to post, and who does."""
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
    return WebhookReporter(
        receiver, least=Severity[settings.level], labels=labels, redactor=runtime.redactor
    )


class WebhookReporter:
    """Posts events one by one; what is not accepted counts as failed, and is not sent again.

    Args:
        receiver: The address.
        least: The least severity that is posted.
        labels: Said with every event, such as the service.
        redactor: Makes the attributes of events fit for JSON.
    """

    name = "webhook"

    def __init__(
        self,
        receiver: Receiver,
        *,
        least: Severity,
        labels: Mapping[str, str],
        redactor: Redactor,
    ) -> None:
        self._receiver = receiver
        self._least = least
        self._labels = dict(labels)
        self._redactor = redactor

    def report(self, event: Event) -> None:
        """Post one event.

        Raises:
            AppError: It was not accepted.
        """
        if event.severity < self._least:
            return
        content = self._content(event)
        # Without an id a signature of Standard Webhooks is none.
        key = event.record.id if isinstance(event, ErrorHandled) else long_id()
        try:
            self._receiver.post(content, key)
        except ValueError:  # larger than a receiver takes, by what a caller may have sent
            self._receiver.post(_brief(content), key)

    def _content(self, event: Event) -> dict[str, object]:
        """Return the facts of an event, and of an error those of its record."""
        content: dict[str, object] = {
            "event": event.name,
            "severity": Severity(event.severity).name,
            "time": event.time.isoformat(),
            **self._labels,
        }
        if not isinstance(event, ErrorHandled):
            return {**content, "attributes": self._redactor.mapping(event.attributes)}
        error = {"message": event.record.message, **event.record.as_json()}
        return {**content, "attributes": dict(event.attributes), "error": error}


def _brief(content: Mapping[str, object]) -> dict[str, object]:
    """Return what is posted of an event that is too large: nothing that has no bound of its own."""
    error = content.get("error")
    if not isinstance(error, dict):
        return {**content, "attributes": {}, "cut": True}
    facts = cast("dict[str, object]", error)
    kept = {name: fact for name, fact in facts.items() if name not in _UNBOUNDED}
    return {**content, "error": kept, "cut": True}
