"""Deadlines of requests: what callers say, what the settings allow, and what comes of it."""

import asyncio
import json
from typing import TYPE_CHECKING, cast

import pytest
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.test import AsyncClient, Client, RequestFactory

from holdfast.resilience.deadline import remaining
from holdfast.settings import DeadlineSettings
from holdfast_django.middleware import HoldfastMiddleware
from tests.django_ext.conftest import RecordingProject

if TYPE_CHECKING:
    from collections.abc import Awaitable

TRUSTED = DeadlineSettings(trust_headers=True, longest=30.0)


def left(*, asynchronous: bool, **headers: str) -> float:
    """Return the seconds that a view sees of its request's deadline."""
    seen: list[float] = []

    def view(_: HttpRequest) -> HttpResponseBase:
        seen.append(remaining())
        return HttpResponse()

    async def asynchronous_view(request: HttpRequest) -> HttpResponseBase:
        return view(request)

    async def ask(request: HttpRequest) -> None:
        made = HoldfastMiddleware(asynchronous_view)(request)
        await cast("Awaitable[HttpResponseBase]", made)
        assert remaining() == float("inf")

    request = RequestFactory().get("/", headers=headers)
    if asynchronous:
        asyncio.run(ask(request))
    else:
        HoldfastMiddleware(view)(request)
    assert remaining() == float("inf")
    return seen[0]


@pytest.mark.parametrize("asynchronous", [False, True], ids=["wsgi", "asgi"])
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"X-Request-Timeout-Ms": "1500"}, 1.5),
        ({"grpc-timeout": "2S"}, 2.0),
        ({"x-envoy-expected-rq-timeout-ms": "250"}, 0.25),
        ({"X-Request-Timeout-Ms": "1500", "grpc-timeout": "1S"}, 1.0),
        ({"X-Request-Timeout-Ms": "3600000"}, 30.0),
        ({"X-Request-Timeout-Ms": "soon"}, float("inf")),
        ({}, float("inf")),
    ],
)
def test_what_a_trusted_caller_says_is_the_deadline(
    headers: dict[str, str], seconds: float, project: RecordingProject, *, asynchronous: bool
) -> None:
    """The strictest header holds, never more than the longest; after the request there is none."""
    project.configure(deadline=TRUSTED)

    assert left(asynchronous=asynchronous, **headers) == pytest.approx(seconds)


def test_callers_are_not_trusted_by_default(project: RecordingProject) -> None:
    """A default holds whatever they say; without one there is no deadline."""
    assert left(asynchronous=False, **{"X-Request-Timeout-Ms": "5"}) == float("inf")

    project.configure(deadline=DeadlineSettings(default=10.0))

    assert left(asynchronous=False, **{"X-Request-Timeout-Ms": "5"}) == 10.0


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_a_request_that_nobody_waits_for_is_refused(mode: str, project: RecordingProject) -> None:
    """No view is asked; the answer is a 504 in the envelope, recorded once."""
    project.configure(deadline=TRUSTED)
    headers = {"X-Request-Timeout-Ms": "0"}

    if mode == "sync":
        response = cast("HttpResponse", Client().get("/sync/ok", headers=headers))
    else:
        client = AsyncClient()
        response = cast("HttpResponse", asyncio.run(client.get("/async/ok", headers=headers)))

    assert response.status_code == 504
    assert json.loads(response.content)["except"]["code"] == "DEADLINE_EXCEEDED"
    assert [record.type for record in project.recorded.records] == [
        "holdfast.errors.DeadlineExceededError"
    ]
