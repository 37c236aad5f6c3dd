"""Which channels ship, and how each is made of its settings; loads none before it is asked for."""

import importlib
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import ClassVar, Final, Literal, Protocol, TypeAlias, cast

from holdfast.clock import Clock
from holdfast.redact import Redactor
from holdfast.reporting.alerts.message import AlertChannel

SHIPPED_CHANNELS: Final[Mapping[str, str]] = {
    "log": "holdfast.reporting.channels.log:channel",
    "email": "holdfast.reporting.channels.mail:channel",
    "webhook": "holdfast.reporting.channels.webhook:channel",
    "slack": "holdfast.reporting.channels.slack:channel",
    "teams": "holdfast.reporting.channels.teams:channel",
    "sentry": "holdfast.integrations.sentry_alerts:channel",
}
"""Channels by the kind that settings use, and where their factories are."""


LINKED: Final = ("id", "rule", "key", "code", "trace_id", "record_id", "fingerprint")
"""What the address that a message refers to may have in it, in braces."""

Security: TypeAlias = Literal["starttls", "tls", "none"]
"""How mail is encrypted."""


class Options(Protocol):
    """What the settings say of one channel."""

    @property
    def kind(self) -> str:
        """Which channel it is: a name, or a dotted path."""
        ...

    @property
    def url(self) -> str:
        """Address to post to."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers sent beside ours."""
        ...

    @property
    def secret(self) -> str:
        """What bodies are signed with."""
        ...

    @property
    def timeout(self) -> float:
        """Seconds that one message may take."""
        ...

    @property
    def host(self) -> str:
        """Server of mail."""
        ...

    @property
    def port(self) -> int | None:
        """Its port; None for the usual one."""
        ...

    @property
    def security(self) -> Security:
        """How mail is encrypted."""
        ...

    @property
    def user(self) -> str:
        """Name to log in with."""
        ...

    @property
    def password(self) -> str:
        """Password to log in with."""
        ...

    @property
    def sender(self) -> str:
        """Address that mail comes from."""
        ...

    @property
    def to(self) -> tuple[str, ...]:
        """Addresses that mail goes to."""
        ...

    @property
    def link(self) -> str:
        """Address that a message refers to."""
        ...


class _LoggingSettings(Protocol):
    @property
    def logger(self) -> str: ...


class _Settings(Protocol):
    mailer: ClassVar[str]

    @property
    def logging(self) -> _LoggingSettings: ...


class Host(Protocol):
    """What channels need of the runtime that owns them."""

    @property
    def settings(self) -> _Settings:
        """Names the logger, and what mails in the place of a server."""
        ...

    @property
    def redactor(self) -> Redactor:
        """Cleans what is sent."""
        ...

    @property
    def clock(self) -> Clock:
        """Gives the time of signatures."""
        ...


Factory = Callable[[str, Options, Host], AlertChannel]
"""What a kind of channel stands for: takes the channel's name, its settings, and the runtime."""


def make(name: str, options: Options, host: Host) -> AlertChannel:
    """Return the channel that a section of the settings describes.

    Args:
        name: What messages, counts and errors call it.
        options: The section.
        host: The runtime that will own it.

    Raises:
        ImportError: When a library is missing, or there is no such module.
        TypeError: When what was made is no channel.
        ValueError: When the settings cannot be used together.
    """
    made = factory(SHIPPED_CHANNELS.get(options.kind, options.kind))(name, options, host)
    if not callable(getattr(made, "send", None)):
        raise TypeError(f"{options.kind!r} makes no channel, but {type(made).__name__}")
    return made


def factory(path: str) -> Factory:
    """Return what a dotted path stands for."""
    module_name, _, attribute = path.partition(":") if ":" in path else path.rpartition(".")
    found: object = attrgetter(attribute)(importlib.import_module(module_name))
    return cast("Factory", found)
