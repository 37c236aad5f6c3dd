"""Alerts by mail, against a real SMTP server: what arrives, how it is encrypted, what failures mean."""

import contextlib
import socket
import threading
import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast import CommunicationError, DeadlineExceededError, DependencyError
from holdfast.reporting.alerts.message import Stage
from holdfast.reporting.channels.mail import MailChannel, MailServer
from holdfast.reporting.channels.making import make
from holdfast.reporting.channels.text import Wording
from holdfast.settings import ChannelSettings
from holdfast.testing import RecordingRuntime
from tests.core.receiver import message
from tests.integrations.conftest import need

need("aiosmtpd")

from aiosmtpd.controller import Controller  # noqa: E402  # is optional
from aiosmtpd.smtp import (  # noqa: E402  # is optional
    SMTP,
    AuthResult,
    Envelope,
    LoginPassword,
    Session,
)

if TYPE_CHECKING:
    import asyncio

CERTIFICATE = str(Path(__file__).with_name("data") / "localhost.pem")
PASSWORD = "hunter2-canary"
TO = ("ops@example.com", "oncall@example.com")


@dataclass
class Mailbox:
    """What a server took, and what it refuses."""

    taken: list[EmailMessage] = field(default_factory=list[EmailMessage])
    recipients: list[list[str]] = field(default_factory=list[list[str]])
    logins: list[tuple[bytes, bytes]] = field(default_factory=list[tuple[bytes, bytes]])
    encrypted: list[bool] = field(default_factory=list[bool])
    refuse_recipient: Callable[[str], str] = field(default=lambda address: "")
    refuse_data: str = ""
    rude: bool = False
    """Whether it hangs up without a word when it is told goodbye."""
    port: int = 0

    async def handle_QUIT(  # noqa: N802  # as aiosmtpd calls it
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Say goodbye, or not."""
        if self.rude:
            cast("asyncio.Transport", server.transport).abort()
        return "221 Bye"

    async def handle_RCPT(  # noqa: N802  # as aiosmtpd calls it
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take or refuse a recipient."""
        refusal = self.refuse_recipient(address)
        if not refusal:
            envelope.rcpt_tos.append(address)
        return refusal or "250 OK"

    async def handle_DATA(  # noqa: N802  # as aiosmtpd calls it
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Take or refuse a mail."""
        if self.refuse_data:
            return self.refuse_data
        mail = message_from_bytes(cast("bytes", envelope.content), policy=default)
        self.taken.append(mail)
        self.recipients.append(list(envelope.rcpt_tos))
        self.encrypted.append(session.ssl is not None)
        return "250 OK"

    def login(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
    ) -> AuthResult:
        """Take one password."""
        told = cast("LoginPassword", data)
        self.logins.append((told.login, told.password))
        return AuthResult(success=told.password == PASSWORD.encode(), handled=False)


@contextmanager
def serving(
    *,
    tls: SSLContext | None = None,
    ssl: SSLContext | None = None,
    asks: bool = False,
) -> Generator[Mailbox]:
    """Run a server until the end of the block.

    Args:
        tls: What STARTTLS encrypts with; it is then required.
        ssl: What everything is encrypted with.
        asks: Whether the server asks for a password.
    """
    box = Mailbox()
    told = {"auth_required": True, "authenticator": box.login} if asks else {}
    controller = Controller(
        box,
        hostname="127.0.0.1",
        port=free_port(),
        ssl_context=ssl,
        tls_context=tls,
        require_starttls=tls is not None,
        **told,  # type: ignore[arg-type]  # of many types
    )
    controller.start()
    box.port = controller.port
    try:
        yield box
    finally:
        controller.stop()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def server_context() -> SSLContext:
    """Return what a server encrypts with."""
    context = SSLContext(PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust the certificate of the server under test, as a machine trusts its own authorities."""
    monkeypatch.setenv("SSL_CERT_FILE", CERTIFICATE)


@pytest.fixture(scope="module")
def plain() -> Generator[Mailbox]:
    """A server without encryption."""
    with serving() as box:
        yield box


def channel(port: int, **told: object) -> MailChannel:
    """Return a channel to a server."""
    server = MailServer(**{"host": "127.0.0.1", "port": port, "security": "none", **told})  # type: ignore[arg-type]  # of many types
    return MailChannel("mail", server, "holdfast@shop.example", TO, Wording())


def test_a_message_is_one_mail_to_all(plain: Mailbox) -> None:
    """In plain text, with a subject, and nothing answers it by itself."""
    plain.taken.clear()

    channel(plain.port).send(message())

    (mail,) = plain.taken
    assert plain.recipients[-1] == list(TO)
    assert mail["Subject"] == "[shop production] New: STOCK_EMPTY 12 times in 60 s"
    assert mail["From"] == "holdfast@shop.example"
    assert mail["To"] == "ops@example.com, oncall@example.com"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"].datetime == message().time
    assert mail.get_content_type() == "text/plain"
    assert "What:       STOCK_EMPTY" in mail.get_content()


def test_the_mails_of_one_alert_are_one_thread(plain: Mailbox) -> None:
    """Whichever a reader opens, it refers to the first."""
    plain.taken.clear()
    told = [message(stage) for stage in Stage]

    for one in (*told, message(id="other")):
        channel(plain.port).send(one)

    first, summary, recovery, other = plain.taken
    assert summary["References"] == summary["In-Reply-To"] == first["Message-ID"]
    assert recovery["References"] == first["Message-ID"]
    assert other["References"] is None
    assert len({mail["Message-ID"] for mail in plain.taken}) == 4
    assert first["Message-ID"].endswith("@shop.example>")


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    title=st.text(max_size=300) | st.just("x\r\nBcc: thief@evil.example\r\n\r\nbody"),
    alert=st.text(min_size=1, max_size=50),
)
def test_nothing_said_becomes_a_header(plain: Mailbox, title: str, alert: str) -> None:
    """Line breaks, control characters and any alphabet stay text."""
    plain.taken.clear()

    channel(plain.port).send(message(Stage.RECOVERED, title=title, id=alert))

    (mail,) = plain.taken
    assert set(mail.keys()) <= HEADERS
    assert plain.recipients[-1] == list(TO)


HEADERS = {"Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted", "In-Reply-To"} | {
    "References",
    "Content-Type",
    "Content-Transfer-Encoding",
    "MIME-Version",
    "X-Peer",
    "X-MailFrom",
    "X-RcptTo",
}


def test_mail_is_encrypted_and_logged_in_for(trusted: None) -> None:
    """By STARTTLS, before the password is sent."""
    with serving(tls=server_context(), asks=True) as box:
        secure = {"host": "localhost", "security": "starttls"}
        channel(box.port, **secure, user="shop", password=PASSWORD).send(message())

    assert box.encrypted == [True]
    assert box.logins == [(b"shop", PASSWORD.encode())]


def test_a_wrong_password_is_not_sent_again(trusted: None) -> None:
    """And it is not told."""
    with serving(tls=server_context(), asks=True) as box:
        secure = {"host": "localhost", "security": "starttls"}
        wrong = channel(box.port, **secure, user="shop", password="canary")

        with pytest.raises(DependencyError, match="code 535") as caught:
            wrong.send(message())

    assert not caught.value.transient
    assert "canary" not in repr(caught.value)


def test_mail_is_encrypted_from_the_first_byte(trusted: None) -> None:
    """For servers at port 465."""
    with serving(ssl=server_context()) as box:
        channel(box.port, host="localhost", security="tls").send(message())

    assert len(box.taken) == 1


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_server_that_nobody_vouches_for_gets_nothing(security: str) -> None:
    """A certificate that cannot be checked is not worth another attempt."""
    context = server_context()
    late = security == "starttls"
    with serving(tls=context if late else None, ssl=None if late else context) as box:
        stranger = channel(box.port, host="localhost", security=security)

        with pytest.raises(CommunicationError) as caught:
            stranger.send(message())

        assert box.taken == []
    assert not caught.value.transient


def test_what_should_be_encrypted_is_never_sent_in_the_clear(plain: Mailbox) -> None:
    """A server that does not offer STARTTLS gets no mail."""
    plain.taken.clear()

    with pytest.raises(DependencyError, match="does not offer") as caught:
        channel(plain.port, security="starttls").send(message())

    assert not caught.value.transient
    assert plain.taken == []


@pytest.mark.parametrize(
    ("answer", "transient"),
    [("451 try again later", True), ("452 mailbox full", True), ("554 no such thing", False)],
)
def test_a_code_says_whether_sending_again_may_help(answer: str, *, transient: bool) -> None:
    """Codes from 400 pass, those from 500 do not."""
    with serving() as box:
        box.refuse_data = answer

        with pytest.raises(DependencyError, match=answer[:3]) as caught:
            channel(box.port).send(message())

    assert caught.value.transient is transient


def test_recipients_that_are_refused_are_told_by_number() -> None:
    """The others got the mail, so it is not sent again; and no address is told."""
    with serving() as box:
        box.refuse_recipient = lambda to: "550 unknown" if to.startswith("oncall") else ""

        with pytest.raises(DependencyError, match="refused 1 of 2 recipients") as caught:
            channel(box.port).send(message())

    assert box.recipients == [["ops@example.com"]]
    assert not caught.value.transient


def test_a_server_that_takes_nobody_is_told_without_addresses() -> None:
    """What was refused may be private."""
    with serving() as box:
        box.refuse_recipient = lambda to: "550 unknown"

        with pytest.raises(DependencyError, match="with code 550") as caught:
            channel(box.port).send(message())

    assert "example.com" not in "".join(traceback.format_exception(caught.value))


def test_a_mail_that_was_taken_is_not_sent_again() -> None:
    """Whatever becomes of the connection afterwards."""
    with serving() as box:
        box.rude = True

        channel(box.port).send(message())

    assert len(box.taken) == 1


def test_a_server_that_is_not_there_may_come_back() -> None:
    """A refused connection is worth another attempt."""
    with pytest.raises(CommunicationError, match="cannot be reached") as caught:
        channel(free_port()).send(message())

    assert caught.value.transient


@pytest.mark.parametrize("greeting", [b"", b"220 slow"], ids=["silent", "slow"])
def test_a_server_that_hangs_is_left(greeting: bytes) -> None:
    """One that says nothing, and one that says a byte now and then."""
    with babbling(greeting) as port, pytest.raises(DeadlineExceededError) as caught:
        channel(port, timeout=0.3).send(message())

    assert caught.value.transient


@contextmanager
def babbling(greeting: bytes) -> Generator[int]:
    """Take one connection, and say a byte of a greeting that does not end now and then."""
    stopped = threading.Event()

    def serve() -> None:
        with contextlib.suppress(OSError):
            connection, _ = server.accept()
            with connection:
                connection.sendall(greeting)
                while not stopped.wait(0.05):
                    connection.sendall(b"." if greeting else b"")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        stopped.set()
    thread.join()


def test_settings_make_the_channel(trusted: None) -> None:
    """As a project writes them."""
    with serving(tls=server_context()) as box:
        told = ChannelSettings(
            kind="email", host="localhost", port=box.port, sender="a@b.example", to=TO
        )
        made = make("ops", told, RecordingRuntime())

        made.send(message())

    assert made.name == "ops"
    assert box.recipients == [list(TO)]
