"""Kata 11 in requests of Django: WSGI and ASGI, plain views and coroutines."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, NoReturn, TypeAlias

import pytest
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.test import AsyncClient, Client, override_settings
from django.urls import path

from holdfast.context import bind_request
from holdfast_django import current
from tests.core.kata11 import CLASSIFIERS, DatabaseDown, Operations, installed
from tests.django_ext.conftest import RecordingProject

Ask: TypeAlias = Callable[[str, str], HttpResponseBase]


def user(request: HttpRequest) -> NoReturn:
    """Read or change a user, which the database does not let."""
    bind_request(user="user-123")
    raise DatabaseDown


async def auser(request: HttpRequest) -> NoReturn:
    """Do the same as a coroutine."""
    user(request)


urlpatterns = [path("api/sync/users/123", user), path("api/async/users/123", auser)]


@pytest.fixture(params=["wsgi", "asgi"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """Return what sends a request, as a server of the one or the other kind does."""
    headers = {"X-Request-ID": "work-1"}

    def by_wsgi(method: str, address: str) -> HttpResponseBase:
        client = Client(raise_request_exception=False)
        return client.generic(method, address, headers=headers)

    async def on_loop(method: str, address: str) -> HttpResponseBase:
        client = AsyncClient(raise_request_exception=False)
        return await client.generic(method, address, headers=headers)

    def by_asgi(method: str, address: str) -> HttpResponseBase:
        return asyncio.run(on_loop(method, address))

    return by_wsgi if request.param == "wsgi" else by_asgi


def body_of(response: HttpResponseBase) -> dict[str, Any]:
    """Return the body of a JSON answer."""
    assert isinstance(response, HttpResponse)
    body: dict[str, Any] = json.loads(response.content)
    return body


@pytest.fixture(params=[False, True], ids=["functions", "coroutines"])
def operations(project: RecordingProject, request: pytest.FixtureRequest) -> Operations:
    """Return what handler and middleware of the project do."""
    project.configure(classifiers=CLASSIFIERS)
    return installed(current.project_runtime(), asynchronous=request.param)


@pytest.mark.parametrize("view", ["sync", "async"])
@override_settings(ROOT_URLCONF=__name__)
def test_a_failed_read_is_answered_from_the_cache(
    project: RecordingProject, operations: Operations, ask: Ask, view: str
) -> None:
    """The caller gets what the cache holds; one record says that the work went on."""
    response = ask("GET", f"/api/{view}/users/123")

    assert response.status_code == 200
    assert body_of(response) == {"id": 123, "stale": True}
    notified = "notified of DatabaseDown by user-123 in work-1"
    assert operations.done == ["reconnected", notified, "cached"]
    assert [record.recovered for record in project.recorded.records] == [True]


@pytest.mark.parametrize("view", ["sync", "async"])
@override_settings(ROOT_URLCONF=__name__)
def test_a_failed_update_is_answered_with_the_error(
    project: RecordingProject, operations: Operations, ask: Ask, view: str
) -> None:
    """It is reconnected and notified, logged and recorded once; the caller gets the error."""
    response = ask("PUT", f"/api/{view}/users/123")

    about = body_of(response)["except"]
    assert (response.status_code, about["code"]) == (500, "DATABASE_ERROR")
    assert len(operations.done) == 2
    assert operations.logged[0][2:] == (f"/api/{view}/users/123", "user-123")
    (record,) = project.recorded.records
    assert record.trace_id == about["trace_id"] == "work-1"
