"""Where the peers and ours write what they report: nowhere, but by the usual way."""

import logging
import os
import threading
from typing import TextIO

import sentry_sdk
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport


def nowhere() -> TextIO:
    """Open the device that forgets."""
    return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123  # lives as long as the process


def text_log(logger: str) -> None:
    """Let a logger write plain text with tracebacks."""
    handler = logging.StreamHandler(nowhere())
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    _only(logger, handler)


def no_log(logger: str) -> None:
    """Let a logger make its records and format none of them."""
    _only(logger, logging.NullHandler())


def _only(logger: str, handler: logging.Handler) -> None:
    found = logging.getLogger(logger)
    found.handlers[:] = [handler]
    found.propagate = False


class _NoTransport(Transport):
    """Drops every envelope unserialised; in a service another thread would send them."""

    def capture_envelope(self, envelope: Envelope) -> None:
        """Take an envelope and do nothing with it."""


def start_sentry() -> None:
    """Initialise the SDK with its defaults, but for the transport."""
    sentry_sdk.init(dsn="http://key@127.0.0.1:9/1", transport=_NoTransport())


def json_log(logger: str) -> None:
    """Let a logger write lines of JSON as `LOGGING.FORMAT` has it, but for where they go."""
    # Loaded here, because peers must not pay for it.
    from holdfast.integrations.jsonlogger import TraceContextFilter, json_formatter  # noqa: PLC0415

    handler = logging.StreamHandler(nowhere())
    handler.setFormatter(json_formatter())
    handler.addFilter(TraceContextFilter())
    _only(logger, handler)
    logging.getLogger(logger).setLevel("INFO")


REPORTERS = {
    "hanging": ["subjects.sinks:hanging_reporter"],
    "raising": ["subjects.sinks:raising_reporter"],
}
"""Reporters to be added, by the flavour's word for them."""


class _Hanging:
    name = "hanging"

    def report(self, _: object) -> None:
        """Never come back."""
        threading.Event().wait()


class _Raising:
    name = "raising"

    def report(self, _: object) -> None:
        """Break every time."""
        raise ConnectionError("not reachable")


def hanging_reporter(_: object) -> _Hanging:
    """Make a reporter that hangs with its first event."""
    return _Hanging()


def raising_reporter(_: object) -> _Raising:
    """Make a reporter that raises on every event."""
    return _Raising()
