"""Whose request it was, told without asking anybody."""

import asyncio

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from holdfast_django.capture import capture
from holdfast_django.users import known_user
from tests.django_ext.conftest import RecordingProject

USER = User(pk=7041, username="jo")


def never() -> User:
    """Be the query that asking would make."""
    raise AssertionError("the user was asked for")


def request_of(user: object) -> HttpRequest:
    """Return a request as a middleware leaves it."""
    request = HttpRequest()
    request.method = "GET"
    request.user = user  # type: ignore[assignment]  # whatever a project puts there
    return request


def asked(user: object) -> object:
    """Return a lazy user that somebody has asked for."""
    lazy = SimpleLazyObject(lambda: user)
    assert str(lazy)
    return lazy


def test_a_user_that_nobody_asked_for_stays_unknown() -> None:
    """The request of a lazy user is not the moment for a query."""
    assert known_user(request_of(SimpleLazyObject(never))) == ""
    assert known_user(HttpRequest()) == ""


@pytest.mark.parametrize(
    ("user", "known"),
    [
        (USER, "7041"),
        (asked(USER), "7041"),
        (AnonymousUser(), ""),
        (asked(AnonymousUser()), ""),
        (None, ""),
        ("jo", ""),
    ],
    ids=["plain", "asked", "anonymous", "asked anonymous", "none", "another's"],
)
def test_a_user_that_is_there_is_known(user: object, known: str) -> None:
    """By id; nobody who is logged in has none."""
    assert known_user(request_of(user)) == known


def test_a_user_that_was_awaited_is_known() -> None:
    """`await request.auser()` keeps it elsewhere."""
    request = request_of(SimpleLazyObject(never))
    request._acached_user = USER  # type: ignore[attr-defined]  # as Django's middleware does

    assert known_user(request) == "7041"


def test_a_record_says_whose_request_it_was(project: RecordingProject) -> None:
    """By id, for whoever has to tell the person."""
    capture(request_of(asked(USER)), ValueError("no"))

    assert project.recorded.records[0].origin.attributes == {"user_id": "7041"}


def test_in_asynchronous_code_nobody_is_asked(project: RecordingProject) -> None:
    """There a query would raise, and hide the error."""

    async def fail() -> None:
        await asyncio.to_thread(str)
        capture(request_of(SimpleLazyObject(never)), ValueError("no"))

    async_to_sync(fail)()

    (record,) = project.recorded.records
    assert record.message == "no"
    assert record.origin.attributes == {}
