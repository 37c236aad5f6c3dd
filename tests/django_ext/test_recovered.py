"""Values that handlers recover with, as responses: of plain views and coroutines, WSGI and ASGI."""

import asyncio
import json
from collections.abc import Callable
from typing import TypeAlias
from unittest.mock import patch

import pytest
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.test import AsyncClient, Client, override_settings

from holdfast.classify import Classification
from holdfast.handler import Action, Next, Recovered, Verdict
from holdfast.origin import ErrorContext
from holdfast_django import current
from tests.django_ext.conftest import RecordingProject
from tests.django_ext.project.failures import FAILURES

Get: TypeAlias = Callable[[str], HttpResponseBase]


@pytest.fixture(params=["wsgi", "asgi"])
def get(request: pytest.FixtureRequest) -> Get:
    """Return what asks for an address, as a server of the one or the other kind does."""

    def by_wsgi(address: str) -> HttpResponseBase:
        return Client(raise_request_exception=False).get(address)

    def by_asgi(address: str) -> HttpResponseBase:
        return asyncio.run(AsyncClient(raise_request_exception=False).get(address))

    return by_wsgi if request.param == "wsgi" else by_asgi


VALUES: dict[str, tuple[object, int, bytes]] = {
    "response": (HttpResponse("cached", status=203), 203, b"cached"),
    "dict": ({"stale": True}, 200, b'{"stale": true}'),
    "list": ([1, 2], 200, b"[1, 2]"),
    "text": ("cached", 200, b"cached"),
    "nothing": (Recovered(None), 204, b""),
    "empty list": ([], 200, b"[]"),
    "failing response": (HttpResponse(status=503), 503, b""),
}


@pytest.mark.parametrize("asynchronous", [False, True], ids=["plain", "coroutine"])
@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("view", ["sync", "async"])
def test_a_recovered_value_is_the_response(
    project: RecordingProject, get: Get, view: str, value: str, *, asynchronous: bool
) -> None:
    """Whatever kind of view and handler: the value is answered, once recorded, and needs no explanation."""
    given, status, body = VALUES[value]

    async def coroutine(*_: object) -> object:
        return given

    def plain(*_: object) -> object:
        return given

    current.project_runtime().on(KeyError, coroutine if asynchronous else plain)

    with patch.dict(FAILURES, crash=fails):
        response = get(f"/{view}/crash")

    assert (response.status_code, getattr(response, "content", None)) == (status, body)
    assert [record.recovered for record in project.recorded.records] == [True]


def ignores(error: BaseException, context: ErrorContext, following: Next) -> Verdict:
    """Ignore an error."""
    return Verdict(action=Action.PROPAGATE)


@pytest.mark.parametrize("view", ["sync", "async"])
def test_an_ignored_error_is_answered_and_not_recorded(
    project: RecordingProject, get: Get, view: str
) -> None:
    """A caller has to be told something: the general answer; nobody else hears of it."""
    current.project_runtime().add_middleware(ignores)

    with patch.dict(FAILURES, crash=fails):
        response = get(f"/{view}/crash")

    assert response.status_code == 500
    assert b"INTERNAL_ERROR" in getattr(response, "content", b"")
    assert project.recorded.events == []


def fails(_: object) -> HttpResponseBase:
    """Fail as a view."""
    raise KeyError("sku")


@pytest.mark.parametrize("value", [7, object(), {"set": {1}}], ids=["number", "object", "no JSON"])
def test_what_is_no_response_is_a_mistake_of_the_handler(
    project: RecordingProject, get: Get, value: object
) -> None:
    """It is recorded as an error of its own, and the error at hand is answered."""
    current.project_runtime().on(KeyError, lambda _, __, ___: value)

    with patch.dict(FAILURES, crash=fails):
        response = get("/sync/crash")

    assert response.status_code == 500
    assert [record.type for record in project.recorded.records] == ["KeyError", "TypeError"]


def test_a_coroutine_runs_on_the_loop_of_the_request(project: RecordingProject) -> None:
    """Under ASGI a handler may use what belongs to the loop that serves."""
    loops: list[object] = []

    @current.project_runtime().on(KeyError)
    async def remembers(error: BaseException, context: ErrorContext, said: Classification) -> str:
        loops.append(asyncio.get_running_loop())
        return context.trace_id

    async def main() -> object:
        with patch.dict(FAILURES, crash=fails):
            answer = await AsyncClient().get("/async/crash", headers={"X-Request-ID": "req-1"})
        assert answer.content == b"req-1"
        return asyncio.get_running_loop()

    assert asyncio.run(main()) is loops[0]


@pytest.mark.parametrize("value", [{"stale": True}, HttpResponse('{"stale":true}')])
def test_a_view_of_rest_framework_is_recovered(
    project: RecordingProject, get: Get, value: object
) -> None:
    """Unexpected errors of its views too; data is rendered as its own responses are."""
    current.project_runtime().on(KeyError, lambda _, __, ___: value)

    with patch.dict(FAILURES, crash=fails):
        response = get("/drf/crash")

    assert response.status_code == 200
    assert json.loads(getattr(response, "content", b"")) == {"stale": True}
    assert [record.recovered for record in project.recorded.records] == [True]


def test_a_view_of_rest_framework_that_is_not_recovered_fails_as_before(
    project: RecordingProject, get: Get
) -> None:
    """A handler that declines changes nothing."""
    current.project_runtime().on(KeyError, lambda _, __, ___: None)

    with patch.dict(FAILURES, crash=fails):
        response = get("/drf/crash")

    assert response.status_code == 500
    assert [record.recovered for record in project.recorded.records] == [False]


def test_an_error_of_a_middleware_is_recovered(project: RecordingProject, get: Get) -> None:
    """What comes to the view for server errors goes on with the value as well."""
    current.project_runtime().on(Exception, lambda _, __, ___: "recovered")

    response = get("/middleware/before")

    assert (response.status_code, getattr(response, "content", b"")) == (200, b"recovered")


@override_settings(DEBUG_PROPAGATE_EXCEPTIONS=True)
def test_a_recovered_error_does_not_propagate(project: RecordingProject) -> None:
    """It is over, also where errors are to come out."""
    current.project_runtime().on(KeyError, lambda _, __, ___: "recovered")

    with patch.dict(FAILURES, crash=fails):
        assert Client().get("/sync/crash").content == b"recovered"
