"""One shape from everywhere, recorded once: each kind of failure over real HTTP, WSGI and ASGI."""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pytest

from tests.django_ext.project.failures import CANARY
from tests.django_ext.servers import Reply, Server

JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Row:
    """A request, and what must come of it."""

    path: str
    status: int
    code: str
    type: str
    method: str = "GET"
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    expects: Mapping[str, str] = field(default_factory=dict[str, str])
    """Headers of the answer."""
    recorded: str = ""
    """Code of the record, where the answer has another."""

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.status}"


def rows() -> Iterator[Row]:
    """Yield every request."""
    yield Row("/nowhere", 404, "RESOURCE_NOT_FOUND", "ResourceNotFoundError")
    for when in ("before", "after"):
        yield Row(f"/middleware/{when}", 500, "INTERNAL_ERROR", "InternalServerError")
        yield Row(
            f"/middleware/{when}-apperror", 404, "RESOURCE_NOT_FOUND", "ResourceNotFoundError"
        )
    for mode in ("sync", "async"):
        yield from view_rows(mode)
    yield from rest_framework_rows()


def view_rows(mode: str) -> Iterator[Row]:
    """Yield requests to views."""
    internal = "INTERNAL_ERROR", "InternalServerError"
    validation = "VALIDATION_FAILED", "ValidationError"
    yield Row(f"/{mode}/crash", 500, *internal)
    yield Row(f"/{mode}/template", 500, *internal)
    yield Row(f"/{mode}/nothing", 500, *internal)
    yield Row(f"/{mode}/not-found", 404, "RESOURCE_NOT_FOUND", "ResourceNotFoundError")
    yield Row(f"/{mode}/http-404", 404, "RESOURCE_NOT_FOUND", "ResourceNotFoundError")
    yield Row(f"/{mode}/denied", 403, "INSUFFICIENT_PERMISSIONS", "AuthorizationError")
    yield Row(f"/{mode}/suspicious", 400, "INVALID_REQUEST_DATA", "ValidationError")
    yield Row(f"/{mode}/invalid", 400, *validation)
    yield Row(f"/{mode}/timeout", 504, "DEADLINE_EXCEEDED", "DeadlineExceededError")
    yield Row(
        f"/{mode}/unavailable", 503, "DB_CONNECTION_ERROR", "DatabaseError",
        expects={"retry-after": "1"},
    )  # fmt: skip
    yield Row(
        f"/{mode}/bodiless", 503, "UNEXPLAINED_RESPONSE", "UnexplainedResponseError",
        expects={"retry-after": "7"},
    )  # fmt: skip
    yield Row(
        f"/{mode}/degraded", 503, "SERVICE_UNAVAILABLE", "ServiceUnavailableError",
        recorded="INTERNAL_ERROR",
    )  # fmt: skip
    yield Row(
        f"/{mode}/only-get", 405, "METHOD_NOT_ALLOWED", "ValidationError", "POST",
        expects={"allow": "GET"},
    )  # fmt: skip
    yield Row(
        f"/{mode}/malformed", 400, "MALFORMED_JSON", "ValidationError", "POST", b"{", JSON
    )  # fmt: skip
    yield Row(
        f"/{mode}/body", 413, "PAYLOAD_TOO_LARGE", "ValidationError", "POST", b"x" * 1001
    )  # fmt: skip
    yield Row(f"/{mode}/form", 403, "CSRF_FAILED", "AuthorizationError", "POST", b"a=1")


def rest_framework_rows() -> Iterator[Row]:
    """Yield requests to views of Django REST framework, all synchronous: it has no asynchronous ones.

    `APIView.dispatch` calls handlers without awaiting them; under ASGI Django runs it in a thread.
    """
    internal = "INTERNAL_ERROR", "InternalServerError"
    validation = "VALIDATION_FAILED", "ValidationError"
    yield Row("/drf/invalid", 400, *validation, "POST", b'{"trade": {"products": [{}]}}', JSON)
    yield Row("/drf/echo", 400, "MALFORMED_JSON", "ValidationError", "POST", b"{", JSON)
    yield Row("/drf/echo", 415, "UNSUPPORTED_MEDIA_TYPE", "ValidationError", "POST", b"x", {
        "Content-Type": "text/csv"
    })  # fmt: skip
    yield Row(
        "/drf/echo", 405, "METHOD_NOT_ALLOWED", "ValidationError", "DELETE",
        expects={"allow": "GET, POST, HEAD, OPTIONS"},
    )  # fmt: skip
    yield Row("/drf/not-found", 404, "RESOURCE_NOT_FOUND", "ResourceNotFoundError")
    yield Row("/drf/crash", 500, *internal)
    yield Row("/drf/unserialisable", 500, *internal)
    yield Row("/drf/query", 500, "DATABASE_ERROR", "DatabaseError")
    yield Row("/drf/out-of-order", 503, "OUT_OF_ORDER", "ServiceUnavailableError")
    yield Row("/drf/always-fine", 500, *internal)
    yield Row("/drf/http-404", 404, "RESOURCE_NOT_FOUND", "ResourceNotFoundError")
    yield Row("/drf/denied", 403, "INSUFFICIENT_PERMISSIONS", "AuthorizationError")
    yield Row("/drf/invalid-model", 400, *validation)
    yield Row("/drf/unavailable", 503, "DB_CONNECTION_ERROR", "DatabaseError")
    yield Row(
        "/drf/throttled", 429, "RATE_LIMIT_EXCEEDED", "RateLimitError", expects={"retry-after": "0"}
    )
    yield Row(
        "/drf/unauthenticated", 401, "UNAUTHORIZED", "AuthenticationError",
        expects={"www-authenticate": 'Basic realm="api"'},
    )  # fmt: skip


@pytest.mark.parametrize("row", tuple(rows()), ids=str)
def test_every_failure_has_one_shape_and_one_record(server: Server, row: Row) -> None:
    """Whatever layer fails, the caller gets the envelope, and the error is recorded exactly once."""
    trace_id = uuid.uuid4().hex

    reply = server.ask(row.method, row.path, row.body, {**row.headers, "X-Request-ID": trace_id})

    records = server.records_of(trace_id)
    assert_envelope(reply, row, trace_id)
    assert [row.recorded or row.code] == [record["code"] for record in records]
    assert row.expects.items() <= reply.headers.items()
    if row.status >= 500:
        assert CANARY.encode() not in reply.body
        assert b"canary" not in reply.body


def assert_envelope(reply: Reply, row: Row, trace_id: str) -> None:
    """Fail unless the reply is the envelope of the error."""
    body = reply.json()
    about = body["except"]
    assert reply.status == row.status
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["x-request-id"] == trace_id
    assert list(body) == ["success", "message", "result", "errors", "except"]
    assert body["success"] is False
    assert body["result"] is None
    assert body["errors"]
    assert isinstance(about, dict)
    assert (row.code, row.type, trace_id) == (about["code"], about["type"], about["trace_id"])


def test_the_failing_middleware_is_of_the_kind_of_the_server(server: Server) -> None:
    """The rows for middlewares above are of one that is synchronous here and a coroutine there."""
    kind = server.ask("GET", "/middleware/ok").headers["x-kind"]

    assert kind == {"wsgi": "sync", "asgi": "async"}[server.protocol]


@pytest.mark.parametrize("path", ["/sync/stream", "/async/stream", "/async/async-stream"])
def test_an_error_in_a_stream_is_recorded_and_breaks_off_the_body(
    server: Server, path: str
) -> None:
    """The status has left; the error is recorded once, under the request's id, and the body ends early.

    Under WSGI Django reads an asynchronous body to its end before anything leaves.
    """
    trace_id = uuid.uuid4().hex

    reply = server.ask("GET", path, headers={"X-Request-ID": trace_id})

    begun = not (path == "/async/async-stream" and server.protocol == "wsgi")
    assert (reply.status, reply.broken) == ((200, True) if begun else (500, False))
    (record,) = server.records_of(trace_id)
    assert (record["code"], record["message"]) == ("INTERNAL_ERROR", "'the stream broke'")


def test_head_gets_the_headers_of_the_answer_and_no_body(server: Server) -> None:
    """An error of a HEAD request has its status and length, and nothing follows."""
    reply = server.ask("HEAD", "/sync/crash")

    assert (reply.status, reply.body) == (500, b"")
    assert int(reply.headers["content-length"]) > 100


@pytest.mark.parametrize("path", ["/health", "/health/", "/health/live", "/health/ready/"])
def test_health_answers_with_and_without_a_slash(server: Server, path: str) -> None:
    """Probes get 200 and health+json, never a redirect."""
    reply = server.ask("GET", path)

    assert reply.status == 200
    assert reply.json()["status"] in {"pass", "warn"}  # other tests have let it fail a lot
    assert reply.headers["content-type"] == "application/health+json"
    assert "no-store" in reply.headers["cache-control"]


def test_no_secret_is_in_the_servers_log(server: Server) -> None:
    """Django's own lines, with text and traceback of exceptions, do not appear beside ours."""
    for name in ("crash", "unavailable", "suspicious", "query", "bodiless"):
        server.ask("GET", f"/sync/{name}", headers={"Authorization": f"Bearer {CANARY}"})

    assert CANARY not in server.log()
