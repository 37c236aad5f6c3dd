"""Alerts as e-mail: one for each message, those of one alert in one thread.

Nothing of a message can become a header of its own, and no automatic answer is asked for.
"""

import smtplib
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from typing import Final

from holdfast.errors import AppError, CommunicationError, DeadlineExceededError, DependencyError
from holdfast.reporting.alerts.message import AlertChannel, AlertMessage, Stage
from holdfast.reporting.channels.making import Host, Options, Security, factory
from holdfast.reporting.channels.text import Wording, message_key
from holdfast.reporting.post import cut, time_limit

_PORTS: Final = {"starttls": 587, "tls": 465, "none": 25}
_PERMANENT: Final = 500
_IN_IDS: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


def channel(name: str, options: Options, host: Host) -> AlertChannel:
    """Make the channel of kind `email`: through the host of its settings, else the framework's mail.

    Raises:
        ValueError: When there is neither.
    """
    if options.host:
        server = MailServer(
            host=options.host,
            port=options.port or _PORTS[options.security],
            security=options.security,
            user=options.user,
            password=options.password,
            timeout=options.timeout,
        )
        wording = Wording(host.redactor.text, options.link)
        return MailChannel(name, server, options.sender, options.to, wording)
    if not host.settings.mailer:
        raise ValueError("a channel of kind 'email' needs a HOST")
    return factory(host.settings.mailer)(name, options, host)


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """A server that takes mail, and how it is spoken to.

    Example:
        >>> MailServer(host="mail.example.com", user="shop", password="hunter2")
        MailServer(host='mail.example.com', port=587, security='starttls', timeout=5.0)
    """

    host: str
    port: int = 587
    security: Security = "starttls"
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    timeout: float = 5.0
    """Seconds for everything from connecting to the end."""

    def deliver(self, mail: EmailMessage, sender: str, to: tuple[str, ...]) -> None:
        """Hand over one mail; returns when the server has taken it for all.

        Raises:
            AppError: It has not; transient when sending it again may help.
        """
        session = _Session(self)
        try:
            with time_limit(self.timeout, session.cut):
                refused = session.deliver(mail, sender, to)
        except (OSError, ValueError) as error:
            if session.was_cut or isinstance(error, TimeoutError):
                raise DeadlineExceededError(
                    f"{self.host} did not take the mail within {self.timeout:g} s"
                ) from None
            raise unsent(error, self.host) from None  # it may hold addresses
        if refused:
            raise DependencyError(f"{self.host} refused {refused} of {len(to)} recipients")


class MailChannel:
    """Sends each message as one mail.

    Args:
        name: Of the channel.
        server: Takes the mail.
        sender: Address it comes from.
        to: Addresses it goes to.
        wording: Puts messages into words.
    """

    def __init__(
        self, name: str, server: MailServer, sender: str, to: tuple[str, ...], wording: Wording
    ) -> None:
        self.name = name
        self._server = server
        self._sender = sender
        self._to = to
        self._wording = wording

    def send(self, message: AlertMessage) -> None:
        """Send a mail to all recipients at once.

        Raises:
            AppError: It was not taken; transient when sending it again may help.
        """
        mail = EmailMessage(policy=SMTP)
        mail["Subject"] = self._wording.subject(message)
        mail["From"] = self._sender
        mail["To"] = ", ".join(self._to)
        mail["Date"] = message.time
        for name, value in headers_of(message, self._sender).items():
            mail[name] = value
        mail.set_content(self._wording.lines(message))
        self._server.deliver(mail, self._sender, self._to)


def headers_of(message: AlertMessage, sender: str) -> dict[str, str]:
    """Return the headers by which readers of mail keep the messages of one alert together.

    Args:
        message: The message.
        sender: Whose domain the ids are of.
    """
    domain = _id_text(sender.rpartition("@")[2].rstrip(">")) or "localhost"
    opening = f"<holdfast.{_id_text(message.id)}-{Stage.OPENED}@{domain}>"
    ours = f"<holdfast.{_id_text(message_key(message))}@{domain}>"
    headers = {"Message-ID": ours, "Auto-Submitted": "auto-generated"}
    if message.stage is not Stage.OPENED:
        headers |= {"In-Reply-To": opening, "References": opening}
    return headers


def unsent(error: Exception, host: str) -> AppError:
    """Return what a failure of `smtplib` means, without the addresses that it may hold.

    Args:
        error: What was raised.
        host: Of the server.
    """
    codes = _codes(error)
    if codes:
        failure: AppError = DependencyError(f"{host} refused the mail with code {max(codes)}")
        failure.transient = max(codes) < _PERMANENT
    elif isinstance(error, smtplib.SMTPNotSupportedError):
        failure = DependencyError(f"{host} does not offer what was asked for: {error}")
    elif _is_connection(error):
        said = error.strerror if isinstance(error, OSError) else ""
        failure = CommunicationError(f"{host} cannot be reached: {said or type(error).__name__}")
        failure.transient = not isinstance(error, ssl.SSLCertVerificationError)
    else:
        failure = DependencyError(f"{host} cannot be spoken to: {type(error).__name__}")
    return failure


def _is_connection(error: Exception) -> bool:
    """Tell whether the connection failed; everything that `smtplib` raises is an `OSError`, too."""
    lost = isinstance(error, smtplib.SMTPServerDisconnected)
    return lost or (isinstance(error, OSError) and not isinstance(error, smtplib.SMTPException))


class _Session:
    """One conversation with a server, which another thread may end."""

    was_cut = False
    client: smtplib.SMTP | None = None

    def __init__(self, server: MailServer) -> None:
        self._server = server

    def deliver(self, mail: EmailMessage, sender: str, to: tuple[str, ...]) -> int:
        """Hand over a mail, and return how many recipients were refused."""
        told = self._server
        context = ssl.create_default_context()
        try:
            client = _Tls(self, told, context) if told.security == "tls" else _Plain(self, told)
            if told.security == "starttls":
                client.starttls(context=context)
            if told.user:
                client.login(told.user, told.password)
            refused = client.send_message(mail, sender, to)
            with suppress(OSError):  # the mail is taken, whatever becomes of the farewell
                client.quit()
            return len(refused)
        finally:
            if self.client is not None:
                self.client.close()

    def cut(self) -> None:
        """End the conversation, from another thread."""
        self.was_cut = True
        sock: object = getattr(self.client, "sock", None)
        cut(sock if isinstance(sock, socket.socket) else None)


class _Plain(smtplib.SMTP):
    """Known to its session before it connects."""

    def __init__(self, session: _Session, told: MailServer) -> None:
        session.client = self
        super().__init__(told.host, told.port, _own_name(), told.timeout)


class _Tls(smtplib.SMTP_SSL):
    """The same, encrypted from the first byte."""

    def __init__(self, session: _Session, told: MailServer, context: ssl.SSLContext) -> None:
        session.client = self
        super().__init__(told.host, told.port, _own_name(), timeout=told.timeout, context=context)


def _own_name() -> str:
    """Return how we introduce ourselves: without asking a name server, which may take its time."""
    name = socket.gethostname()
    return name if "." in name else "[127.0.0.1]"


def _codes(error: Exception) -> list[int]:
    """Return the codes by which a server refused, if that is what happened."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return [code for code, _ in error.recipients.values()]
    return [error.smtp_code] if isinstance(error, smtplib.SMTPResponseException) else []


def _id_text(text: str) -> str:
    return "".join(c if c in _IN_IDS else "-" for c in text)[:120]
