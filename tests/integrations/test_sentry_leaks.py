"""No secret reaches Sentry, in our events or in those of others that we let through."""

import json
import logging
from collections.abc import Generator
from contextlib import contextmanager

from hypothesis import given
from hypothesis import strategies as st

from tests.integrations.conftest import (
    SENSITIVE_KEYS,
    burials,
    canaries,
    hide,
    need,
    secrets_in_text,
)

need("sentry_sdk")

import sentry_sdk  # noqa: E402  # not before it is known to be there
from sentry_sdk.envelope import Envelope  # noqa: E402
from sentry_sdk.scrubber import EventScrubber  # noqa: E402
from sentry_sdk.transport import Transport  # noqa: E402
from sentry_sdk.types import Event, Hint  # noqa: E402

from holdfast import environment  # noqa: E402
from holdfast.context import bind, work_context  # noqa: E402
from holdfast.errors import DatabaseError  # noqa: E402
from holdfast.origin import Origin  # noqa: E402
from holdfast.runtime import Runtime  # noqa: E402
from holdfast.settings import HooksSettings, ReportingSettings, Settings  # noqa: E402

LOG = logging.getLogger("shop.payments")


class Capturing(Transport):
    """Keeps the bytes that would go to Sentry's server."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[str] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        """Keep one envelope."""
        self.sent.append(envelope.serialize().decode())


@contextmanager
def told() -> Generator[tuple[Runtime, Capturing]]:
    """Give a current runtime with the reporter on, and the server it tells."""
    server = Capturing()
    sentry_sdk.init(
        "https://key@sentry.invalid/1",
        transport=server,
        auto_enabling_integrations=False,
        event_scrubber=EventScrubber(denylist=[], pii_denylist=[]),
    )
    settings = Settings(
        reporters=("sentry",),
        reporting=ReportingSettings(inline=True),
        hooks=HooksSettings(logging=False),  # what Sentry's own events hold is shown here
    )
    runtime = Runtime(settings)
    try:
        with environment.activated(runtime):
            yield runtime, server
    finally:
        runtime.close()
        sentry_sdk.get_global_scope().set_client(None)
        sentry_sdk.get_isolation_scope().clear()


def test_no_secret_is_in_our_events() -> None:
    """Message, cause, notes, details, bound fields, path and locals come out clean, however nested."""
    with told() as (runtime, server):

        @given(canaries, secrets_in_text, st.sampled_from(SENSITIVE_KEYS), burials)
        def check(canary: str, shape: str, key: str, steps: list[str]) -> None:
            server.sent.clear()
            local = hide(canary, steps, shape, key)
            error = DatabaseError(shape.format(canary), details={"facts": local})
            error.add_note(shape.format(canary))
            error.__cause__ = KeyError(shape.format(canary))
            origin = Origin(boundary="job", operation="import", path=f"/a?token={canary}")
            with work_context(), bind(facts=local, **{key: canary}):
                try:
                    raise error
                except DatabaseError as raised:
                    runtime.handle(raised, origin)

            assert len(server.sent) == 1
            assert canary not in server.sent[0]

        check()


def log_failure(text: str, facts: object) -> None:
    """Log an exception, with secrets in its text and in local variables."""
    try:
        raise ValueError(text)
    except ValueError:
        LOG.exception("failed for %s", text, extra={"facts": facts})


def test_no_secret_is_in_the_events_we_let_through() -> None:
    """An event of the project's own is cleansed: text, locals, extra, request and breadcrumbs."""
    with told() as (_, server):

        @given(canaries, secrets_in_text, st.sampled_from(SENSITIVE_KEYS), burials)
        def check(canary: str, shape: str, key: str, steps: list[str]) -> None:
            server.sent.clear()
            local = hide(canary, steps, shape, key)

            def add_request(event: Event, hint: Hint) -> Event:
                event["request"] = {
                    "query_string": f"access_token={canary}&page=2",
                    "headers": {"X-Api-Key": canary, "Cookie": f"session={canary}"},
                    "data": {"user_password": canary},
                }
                return event

            with sentry_sdk.isolation_scope() as scope:
                scope.add_event_processor(add_request)
                sentry_sdk.add_breadcrumb(message=shape.format(canary), data={key: canary})
                log_failure(shape.format(canary), local)

            assert len(server.sent) == 1
            assert canary not in server.sent[0]

        check()


def test_cleansing_leaves_what_sentry_needs() -> None:
    """A cleansed event is still an event with its stack, its text and harmless values."""
    with told() as (_, server):
        try:
            raise ValueError("no such sku")
        except ValueError:
            shelf = "B7"
            LOG.exception("failed at %s", shelf, extra={"attempt": 2})

    event = json.loads(server.sent[0].splitlines()[2])
    frame = event["exception"]["values"][0]["stacktrace"]["frames"][-1]
    assert frame["vars"]["shelf"] == "'B7'"
    assert frame["context_line"].strip() == 'raise ValueError("no such sku")'
    assert (event["logentry"]["message"], event["logentry"]["params"]) == ("failed at %s", ["B7"])
    assert event["extra"]["attempt"] == 2


def test_no_secret_of_the_global_scope_is_in_our_events() -> None:
    """What a project put there for every event is cleansed on its way out, and else left."""
    with told() as (runtime, server):
        scope = sentry_sdk.get_global_scope()
        scope.set_extra("password", "hunter2-canary")
        scope.set_context("queue", {"url": "redis://u:hunter2-canary@h/0", "depth": 7})
        scope.set_tag("dsn", "postgres://u:hunter2-canary@h/0")
        try:
            with work_context("4bf92f3577b34da6a3ce929d0e0e4736"):
                runtime.handle(ValueError("no"), Origin(boundary="job"))
        finally:
            scope.clear()

    event = json.loads(server.sent[0].splitlines()[2])
    assert "canary" not in server.sent[0]
    assert event["contexts"]["queue"]["depth"] == 7
    assert event["contexts"]["trace"]["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"
