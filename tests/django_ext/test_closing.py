"""What a response releases after it has left."""

import pytest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import RequestFactory

from holdfast.context import current_context
from holdfast_django.closing import watch_closers
from holdfast_django.middleware import HoldfastMiddleware
from tests.django_ext.conftest import RecordingProject


def closed(*closers: object, request_id: str = "order-42") -> None:
    """Answer with a response that has these closers, and close it as a server does."""

    def view(_: HttpRequest) -> HttpResponse:
        response = HttpResponse()
        response._resource_closers.extend(closers)  # type: ignore[attr-defined]  # what Django's own responses do
        return response

    request = RequestFactory().get("/", HTTP_X_REQUEST_ID=request_id)
    answer = HoldfastMiddleware(view)(request)
    assert isinstance(answer, HttpResponse)
    answer.close()


def test_a_closer_that_fails_is_recorded_within_its_request(project: RecordingProject) -> None:
    """Django passes over it; the others are called as before."""
    called: list[str] = []

    def fail() -> None:
        work = current_context()
        called.append("" if work is None else work.trace_id)
        raise OSError("the file is gone")

    closed(fail, lambda: called.append("next"))

    assert called == ["order-42", "next"]
    (record,) = project.recorded.records
    assert (record.origin.boundary, record.type) == ("django.request", "OSError")
    assert record.trace_id == "order-42"
    assert current_context() is None


def test_a_body_that_fails_when_it_is_closed_is_recorded(project: RecordingProject) -> None:
    """A generator's `finally`, a cursor, a file."""

    def chunks() -> object:
        try:
            yield b"first"
            yield b"second"
        finally:
            raise OSError("the cursor is gone")

    body = chunks()
    answer = HoldfastMiddleware(lambda _: StreamingHttpResponse(body))(RequestFactory().get("/"))  # type: ignore[arg-type]  # an iterator
    assert isinstance(answer, StreamingHttpResponse)
    next(iter(answer))

    answer.close()

    assert [record.type for record in project.recorded.records] == ["OSError"]


def test_closers_that_succeed_leave_nothing(project: RecordingProject) -> None:
    """They are called once."""
    called: list[str] = []

    closed(lambda: called.append("closed"))

    assert called == ["closed"]
    assert project.recorded.records == []


@pytest.mark.parametrize("response", [HttpResponse(), object()], ids=["none", "unknown"])
def test_a_response_without_closers_is_left_alone(
    response: HttpResponse, rf_request: HttpRequest
) -> None:
    """Almost every response; or one of a Django that keeps them elsewhere."""
    watch_closers(rf_request, response)

    assert getattr(response, "_resource_closers", []) == []
