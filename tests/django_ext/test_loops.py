"""The loop under ASGI: watched from its first request on."""

import asyncio
import sys
from collections.abc import Iterator

import django.core.handlers.asgi as handlers
import pytest
from django.core.signals import request_started

from holdfast.settings import HooksSettings
from holdfast_django import signals
from tests.django_ext.conftest import RecordingProject


@pytest.fixture(autouse=True)
def _disconnected() -> Iterator[None]:
    """Begin and end without our receiver."""
    request_started.disconnect(dispatch_uid="holdfast_django")
    yield
    request_started.disconnect(dispatch_uid="holdfast_django")


async def serve() -> None:
    """Begin a request as ASGI does."""
    await request_started.asend(sender=handlers.ASGIHandler, scope={})


async def fail_in_a_callback() -> None:
    """Let a callback of the loop fail, and the loop come to it."""
    loop = asyncio.get_running_loop()
    loop.call_soon(lambda: 1 / 0)
    await loop.run_in_executor(None, int)


async def serve_and_fail() -> None:
    """Begin a request, and let a callback fail after it."""
    await serve()
    await fail_in_a_callback()


def test_a_loop_is_watched_from_its_first_request_on(project: RecordingProject) -> None:
    """Later requests pay nothing: the receiver is gone."""
    receivers = len(request_started.receivers)
    signals.await_loop()

    asyncio.run(serve_and_fail())

    (record,) = project.recorded.records
    assert (record.origin.boundary, record.type) == ("asyncio", "ZeroDivisionError")
    assert len(request_started.receivers) == receivers


def test_a_loop_is_left_alone_where_that_is_asked_for(project: RecordingProject) -> None:
    """`HOOKS.ASYNCIO` off: what the loop logs is still heard of by its log."""
    project.configure(hooks=HooksSettings(asyncio=False))
    signals.await_loop()

    asyncio.run(serve_and_fail())

    assert [record.origin.boundary for record in project.recorded.records] == ["log"]


def test_a_project_without_asgi_awaits_no_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under WSGI an asynchronous receiver would cost every request a loop."""
    monkeypatch.delitem(sys.modules, "django.core.handlers.asgi")
    receivers = len(request_started.receivers)

    signals.await_loop()

    assert len(request_started.receivers) == receivers


def test_a_loop_that_cannot_be_watched_serves_all_the_same(
    monkeypatch: pytest.MonkeyPatch, project: RecordingProject
) -> None:
    """Django would break off the request."""

    def fail() -> None:
        raise RuntimeError("a loop with a mind of its own")

    monkeypatch.setattr(signals, "watch_loop", fail)
    signals.await_loop()

    asyncio.run(serve())

    assert project.recorded.records == []
