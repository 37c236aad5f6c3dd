"""Sentry beside us: one event for each error that is nobody's fault but ours, none for a caller's."""

from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.signals import got_request_exception
from django.test import AsyncClient, Client

from tests.django_ext.conftest import RecordingProject
from tests.django_ext.project.failures import CANARY

pytestmark = pytest.mark.extra("sentry_sdk")  # a marker, not a queryset


@pytest.fixture
def events(project: RecordingProject) -> Iterator[list[dict[str, Any]]]:
    """Initialise Sentry with its Django integration, and keep what its transport gets."""
    sentry_sdk: Any = pytest.importorskip("sentry_sdk")
    integration: Any = pytest.importorskip("sentry_sdk.integrations.django")
    kept: list[dict[str, Any]] = []

    def keep(envelope: Any) -> None:  # noqa: ANN401  # Sentry's class
        event = envelope.get_event()
        if event is not None:
            kept.append(event)

    transport = type("Transport", (sentry_sdk.Transport,), {"capture_envelope": staticmethod(keep)})
    sentry_sdk.init(
        dsn="http://key@127.0.0.1:1/1",
        transport=transport,
        integrations=[integration.DjangoIntegration()],
        shutdown_timeout=0,
    )
    project.configure(named=("sentry",))
    yield kept
    project.configure()  # which closes the reporter
    sentry_sdk.get_client().close(timeout=0)
    sentry_sdk.init()


PATHS = (
    ("/sync/crash", 1),
    ("/async/crash", 1),
    ("/drf/crash", 1),
    ("/drf/unserialisable", 1),
    ("/sync/template", 1),
    ("/middleware/before", 1),
    ("/middleware/after", 1),
    ("/sync/query", 1),
    ("/sync/not-found", 0),
    ("/sync/http-404", 0),
    ("/sync/denied", 0),
    ("/sync/suspicious", 0),
    ("/sync/invalid", 0),
    ("/drf/not-found", 0),
    ("/drf/unauthenticated", 0),
    ("/middleware/before-apperror", 0),
    ("/nowhere", 0),
)


@pytest.mark.parametrize(("path", "expected"), PATHS)
def test_one_event_for_an_untrusted_error_and_none_for_a_callers_fault(
    path: str, expected: int, events: list[dict[str, Any]]
) -> None:
    """Whoever sees the error first, Sentry's integration or we."""
    Client(raise_request_exception=False).get(path)

    assert len(events) == expected
    assert CANARY not in str(events)


def test_the_signal_still_reaches_sentry() -> None:
    """Its integration listens to the same signal as ever."""
    assert got_request_exception.receivers


@pytest.mark.parametrize(("path", "expected"), PATHS)
def test_the_same_holds_where_a_loop_serves(
    path: str, expected: int, events: list[dict[str, Any]]
) -> None:
    """Sentry patches Django's handlers of ASGI in other places."""
    client = AsyncClient(raise_request_exception=False)

    async_to_sync(client.get)(path)

    assert len(events) == expected
    assert CANARY not in str(events)


@pytest.mark.parametrize("path", ["/sync/crash", "/async/crash", "/drf/crash"])
def test_an_event_says_what_we_know(path: str, events: list[dict[str, Any]]) -> None:
    """Code, kind and fault as tags, our fingerprint, and the trace that the request was part of."""
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {"traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"}

    Client(raise_request_exception=False, headers=headers).get(path)

    (event,) = events
    tags = event["tags"]
    assert (tags["code"], tags["kind"], tags["fault"]) == ("INTERNAL_ERROR", "INTERNAL", "SERVICE")
    assert event["contexts"]["trace"]["trace_id"] == trace_id == tags["trace_id"]
    assert len(event["fingerprint"]) == 1
