"""Alerts by the project's own mail: its `MAILERS` or its `EMAIL_*` settings, to its `ADMINS`."""

from typing import cast

from django.conf import settings
from django.core import mail
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.smtp import EmailBackend

from holdfast.reporting.alerts.message import AlertMessage
from holdfast.reporting.channels.mail import headers_of, unsent
from holdfast.reporting.channels.making import Host, Options
from holdfast.reporting.channels.text import Wording


def channel(name: str, options: Options, host: Host) -> "DjangoMailChannel":
    """Make the channel of kind `email` that names no host.

    Raises:
        ValueError: When there is nobody to send to.
    """
    to = options.to or _admins()
    if not to:
        raise ValueError("a channel of kind 'email' needs TO, or ADMINS in the project's settings")
    sender = options.sender or settings.SERVER_EMAIL
    wording = Wording(host.redactor.text, options.link)
    return DjangoMailChannel(name, sender, to, wording, options.timeout)


class DjangoMailChannel:
    """Sends each message as one mail through the project's backend.

    Args:
        name: Of the channel.
        sender: Address it comes from.
        to: Addresses it goes to.
        wording: Puts messages into words.
        timeout: Seconds that the server may take for each answer, where `EMAIL_TIMEOUT` says nothing.
    """

    def __init__(
        self, name: str, sender: str, to: tuple[str, ...], wording: Wording, timeout: float
    ) -> None:
        self.name = name
        self._sender = sender
        self._to = to
        self._wording = wording
        self._timeout = timeout

    def send(self, message: AlertMessage) -> None:
        """Send a mail to all recipients at once.

        Raises:
            AppError: It was not taken; transient when sending it again may help.
        """
        connection = _connection()
        if isinstance(connection, EmailBackend) and connection.timeout is None:
            connection.timeout = self._timeout
        written = EmailMessage(
            subject=self._wording.subject(message),
            body=self._wording.lines(message),
            from_email=self._sender,
            to=list(self._to),
            headers=headers_of(message, self._sender),
        )
        try:
            connection.send_messages([written])
        except OSError as error:
            raise unsent(error, "the mail server of the project") from None  # it may hold addresses


def _connection() -> BaseEmailBackend:
    """Return a connection of the default mailer, which has a name since Django 6.1."""
    if hasattr(mail, "mailers"):
        return mail.mailers.default
    return mail.get_connection()


def _admins() -> tuple[str, ...]:
    """Return the addresses of `ADMINS`: strings, or pairs of a name and an address before Django 6."""
    admins = cast("list[str | tuple[str, str]]", settings.ADMINS)
    return tuple(admin if isinstance(admin, str) else admin[1] for admin in admins)
