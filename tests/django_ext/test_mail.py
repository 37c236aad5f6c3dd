"""Alerts by the project's own mail: its backend, its sender, its administrators."""

import socket
from collections.abc import Iterator

import pytest
from django.core import mail
from django.test import override_settings

from holdfast import CommunicationError
from holdfast.reporting.alerts.message import AlertChannel, Stage
from holdfast.reporting.channels.making import make
from holdfast.settings import ChannelSettings
from holdfast_django.current import project_runtime
from tests.core.receiver import message

pytestmark = pytest.mark.usefixtures("outbox")
SMTP = "django.core.mail.backends.smtp.EmailBackend"
MEMORY = "django.core.mail.backends.locmem.EmailBackend"
HAS_MAILERS = hasattr(mail, "mailers")
"""Since Django 6.1."""


def through(backend: str, **options: object) -> dict[str, object]:
    """Return settings that send mail through a backend, as this version of Django has them."""
    if HAS_MAILERS:
        return {"MAILERS": {"default": {"BACKEND": backend, "OPTIONS": options}}}
    return {"EMAIL_BACKEND": backend, **{f"EMAIL_{key.upper()}": options[key] for key in options}}


@pytest.fixture
def outbox() -> Iterator[None]:
    """An empty one, as Django's own test runner gives each test."""
    mail.outbox = []
    with override_settings(
        SERVER_EMAIL="root@shop.example",
        ADMINS=["ann@shop.example"] if HAS_MAILERS else [("Ann", "ann@shop.example")],
        **through(MEMORY),
    ):
        yield


def channel(**settings: object) -> AlertChannel:
    """Return a channel of kind `email` that names no host."""
    options = ChannelSettings(kind="email", **settings)  # type: ignore[arg-type]  # of many types
    return make("ops", options, project_runtime())


def test_mail_goes_to_the_administrators() -> None:
    """From the address that Django's own error mails come from, through the project's backend."""
    channel().send(message())

    (sent,) = mail.outbox
    assert sent.subject == "[shop production] New: STOCK_EMPTY 12 times in 60 s"
    assert (sent.from_email, sent.to) == ("root@shop.example", ["ann@shop.example"])
    assert "What:       STOCK_EMPTY" in sent.body


@override_settings(ADMINS=["ann@shop.example", "bob@shop.example"])
def test_administrators_may_be_addresses_alone() -> None:
    """As Django 6 has them."""
    channel().send(message())

    assert mail.outbox[0].to == ["ann@shop.example", "bob@shop.example"]


def test_settings_go_before_the_projects() -> None:
    """Who gets alerts may be others than administrators."""
    channel(to=("ops@shop.example",), sender="holdfast@shop.example").send(message())

    (sent,) = mail.outbox
    assert (sent.from_email, sent.to) == ("holdfast@shop.example", ["ops@shop.example"])


def test_the_mails_of_one_alert_are_one_thread() -> None:
    """And nothing answers them by itself."""
    channel().send(message())
    channel().send(message(Stage.RECOVERED))

    first, last = (sent.message() for sent in mail.outbox)
    assert last["References"] == first["Message-ID"]
    assert first["Auto-Submitted"] == "auto-generated"


def test_nothing_said_becomes_a_header() -> None:
    """A line break in a title stays text."""
    channel().send(message(title="x\r\nBcc: thief@evil.example"))

    (sent,) = mail.outbox
    assert sent.message()["Bcc"] is None
    assert sent.recipients() == ["ann@shop.example"]


@override_settings(ADMINS=[])
def test_without_anybody_to_tell_the_channel_cannot_be_made() -> None:
    """The mistake is told at the start."""
    with pytest.raises(ValueError, match="needs TO, or ADMINS"):
        channel()


def test_a_server_that_is_not_there_may_come_back() -> None:
    """What the backend raises is classified, and holds no address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with (
        override_settings(**through(SMTP, host="127.0.0.1", port=port)),
        pytest.raises(CommunicationError, match="mail server of the project") as caught,
    ):
        channel().send(message())

    assert caught.value.transient


def test_a_server_that_hangs_is_left() -> None:
    """Although the project's settings say nothing of time."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with (
            override_settings(**through(SMTP, host="127.0.0.1", port=port)),
            pytest.raises(CommunicationError) as caught,
        ):
            channel(timeout=0.2).send(message())

    assert caught.value.transient
