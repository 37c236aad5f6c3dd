"""Every request of the project counts once, whichever way it comes in and however it ends."""

import asyncio

import pytest
from django.test import AsyncClient, Client

from holdfast_django import current


@pytest.mark.parametrize("asynchronous", [False, True], ids=["wsgi", "asgi"])
def test_requests_are_counted(asynchronous: bool) -> None:  # noqa: FBT001  # a parameter of the test
    """Those that succeed, those that fail and those to nowhere: what the rate of errors is out of."""
    paths = ["/sync/ok", "/sync/ok", "/sync/crash", "/nowhere"]

    if asynchronous:
        asked = AsyncClient(raise_request_exception=False)
        for path in paths:
            asyncio.run(get(asked, path))
    else:
        client = Client(raise_request_exception=False)
        for path in paths:
            client.get(path)

    seen = current.project_runtime().statistics.snapshot()
    assert (seen.requests, seen.total_errors, seen.error_rate) == (4, 2, 0.5)
    assert seen.by_boundary.totals() == {"django.request": 2}


async def get(client: AsyncClient, path: str) -> None:
    """Ask for a page."""
    await client.get(path)
