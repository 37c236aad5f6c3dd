"""Reporters that fail change nothing for the caller."""

import threading
from collections.abc import Iterator
from time import perf_counter

import pytest
from django.test import Client

from holdfast.events import Event
from tests.django_ext.conftest import RecordingProject


class Raising:
    """Fails at every event."""

    name = "raising"

    def report(self, event: Event) -> None:
        """Fail."""
        raise RuntimeError("the pager is down")


class Hanging:
    """Takes 30 s for an event, or until it is let go."""

    name = "hanging"

    def __init__(self) -> None:
        self.released = threading.Event()

    def report(self, event: Event) -> None:
        """Hang."""
        self.released.wait(30)


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    """Let the reporter go when the test is over."""
    made = Hanging()
    yield made
    made.released.set()


@pytest.mark.parametrize(
    "path", ["/sync/crash", "/sync/not-found", "/async/crash", "/drf/out-of-order"]
)
def test_a_reporter_that_raises_changes_no_answer(path: str, project: RecordingProject) -> None:
    """Same status, same body; the failure is counted."""
    client = Client(raise_request_exception=False)
    project.configure(inline=False)
    expected = client.get(path, headers={"X-Request-ID": "same"})

    runtime = project.configure(Raising(), inline=False)
    response = client.get(path, headers={"X-Request-ID": "same"})

    assert (response.status_code, response.content) == (expected.status_code, expected.content)
    assert runtime.flush()
    assert [d.failed for d in runtime.dispatcher.deliveries() if d.reporter == "raising"] == [1]


def test_a_reporter_that_hangs_holds_up_nobody(hanging: Hanging, project: RecordingProject) -> None:
    """Fifty errors are answered at once while it hangs, and what it misses is counted."""
    runtime = project.configure(hanging, inline=False)
    client = Client(raise_request_exception=False)

    started = perf_counter()
    statuses = {client.get("/sync/crash").status_code for _ in range(50)}
    took = perf_counter() - started

    (delivery,) = [d for d in runtime.dispatcher.deliveries() if d.reporter == "hanging"]
    assert statuses == {500}
    assert took < 5
    assert delivery.delivered == 0
    assert delivery.waiting >= 49
