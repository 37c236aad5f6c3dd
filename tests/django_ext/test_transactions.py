"""What an error does to the transaction of a request."""

from collections.abc import Iterator
from unittest.mock import patch

import pytest
from django.db import IntegrityError, connection
from django.http import Http404, HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from holdfast.errors import ServiceUnavailableError, StateConflictError
from tests.django_ext.conftest import RecordingProject

ERRORS: dict[str, Exception] = {
    "conflict": StateConflictError("already done"),
    "unavailable": ServiceUnavailableError("later"),
    "crash": KeyError("text"),
    "missing": Http404("nothing"),
    "integrity": IntegrityError("UNIQUE constraint failed: entry.id"),
}


def write() -> None:
    """Write a row."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO entry VALUES (1)")


def view(request: HttpRequest, name: str) -> HttpResponse:
    """Write, then fail."""
    write()
    if name == "ok":
        return HttpResponse()
    raise ERRORS[name]


class Api(APIView):
    """The same in Django REST framework."""

    def get(self, request: Request, name: str) -> Response:
        """Write, then fail."""
        write()
        if name == "ok":
            return Response()
        raise ERRORS[name]


urlpatterns = [path("django/<str:name>", view), path("drf/<str:name>", Api.as_view())]


@pytest.fixture
def entries() -> Iterator[None]:
    """Make a table to write to, and run each request in a transaction."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE entry (id integer PRIMARY KEY)")
    with patch.dict(connection.settings_dict, ATOMIC_REQUESTS=True):
        yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE entry")


def written() -> int:
    """Return how many rows there are."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM entry")
        count: int = cursor.fetchone()[0]
        return count


@pytest.mark.usefixtures("entries")
@override_settings(ROOT_URLCONF=__name__)
@pytest.mark.parametrize("kind", ["django", "drf"])
@pytest.mark.parametrize("name", sorted(ERRORS))
def test_a_failing_request_rolls_back(kind: str, name: str, project: RecordingProject) -> None:
    """Answered or not, by whom ever: nothing of a failed request is kept, and it is recorded once."""
    response = Client(raise_request_exception=False).get(f"/{kind}/{name}")

    assert response.json()["success"] is False
    assert written() == 0
    assert len(project.recorded.records) == 1


@pytest.mark.usefixtures("entries")
@override_settings(ROOT_URLCONF=__name__)
@pytest.mark.parametrize("kind", ["django", "drf"])
def test_a_succeeding_request_commits(kind: str) -> None:
    """As ever."""
    assert Client().get(f"/{kind}/ok").status_code == 200
    assert written() == 1
