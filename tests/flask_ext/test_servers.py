"""One shape from everywhere: the table of errors, against running servers."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import httpx
import pytest

from tests.flask_ext.served_app import SECRET
from tests.flask_ext.servers import COMMANDS, Server, running

pytestmark = pytest.mark.extra("gunicorn", "uvicorn", "asgiref", "httpx")  # a marker, no query

JSON = MappingProxyType({"Content-Type": "application/json"})
FORM = MappingProxyType({"Content-Type": "application/x-www-form-urlencoded"})


@dataclass(frozen=True, kw_only=True)
class Row:
    """One request, and what has to come of it."""

    name: str
    path: str
    """With `{kind}` where the view is sync or async."""
    status: int
    code: str = ""
    """Of the envelope; empty: the answer is the application's own."""
    recorded: str = ""
    """Code of the one record, where it is not that of the envelope; `-` for no record."""
    method: str = "GET"
    content: bytes = b""
    sent: Mapping[str, str] = field(default_factory=dict[str, str])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """Among those of the answer."""
    message: str = ""
    truncated: bool = False
    """Whether the answer breaks off."""


TABLE = (
    Row(name="no error", path="/{kind}/fine", status=200, recorded="-"),
    Row(name="unknown route", path="/nowhere", status=404, code="RESOURCE_NOT_FOUND"),
    Row(
        name="method not allowed",
        path="/sync/boom",
        method="DELETE",
        status=405,
        code="METHOD_NOT_ALLOWED",
        headers={"Allow": "GET, HEAD, OPTIONS"},
    ),
    Row(
        name="malformed JSON",
        path="/{kind}/malformed",
        method="POST",
        content=b'{"a": ',
        sent=JSON,
        status=400,
        code="MALFORMED_JSON",
    ),
    Row(
        name="unsupported media type",
        path="/{kind}/malformed",
        method="POST",
        content=b"a=1",
        sent=FORM,
        status=415,
        code="UNSUPPORTED_MEDIA_TYPE",
    ),
    Row(
        name="missing field of a form",
        path="/{kind}/form_field",
        method="POST",
        content=b"a=1",
        sent=FORM,
        status=400,
        code="VALIDATION_FAILED",
    ),
    Row(
        name="oversized body",
        path="/{kind}/malformed",
        method="POST",
        content=b"[" + b"1," * 2000 + b"1]",
        sent=JSON,
        status=413,
        code="PAYLOAD_TOO_LARGE",
    ),
    Row(name="view error", path="/{kind}/boom", status=500, code="INTERNAL_ERROR"),
    Row(
        name="AppError of a caller",
        path="/{kind}/app_error_4xx",
        status=409,
        code="FLASK_TEST_OUT_OF_STOCK",
        message="2 left of SKU 881",
    ),
    Row(
        name="AppError of a dependency",
        path="/{kind}/app_error_5xx",
        status=503,
        code="DB_CONNECTION_ERROR",
        message="Database unavailable",
        headers={"Retry-After": "7"},
    ),
    Row(name="before_request", path="/hooks/{kind}?fail=before", status=500, code="INTERNAL_ERROR"),
    Row(name="after_request", path="/hooks/{kind}?fail=after", status=500, code="INTERNAL_ERROR"),
    Row(name="teardown", path="/hooks/{kind}?fail=teardown", status=500, code="INTERNAL_ERROR"),
    Row(name="template error", path="/{kind}/template", status=500, code="INTERNAL_ERROR"),
    Row(name="view returns None", path="/{kind}/none", status=500, code="INTERNAL_ERROR"),
    Row(
        name="abort 404",
        path="/{kind}/abort_with?status=404",
        status=404,
        code="RESOURCE_NOT_FOUND",
    ),
    Row(
        name="abort 403",
        path="/{kind}/abort_with?status=403",
        status=403,
        code="INSUFFICIENT_PERMISSIONS",
    ),
    Row(name="abort 500", path="/{kind}/abort_with?status=500", status=500, code="INTERNAL_ERROR"),
    Row(
        name="abort 503",
        path="/{kind}/abort_with?status=503",
        status=503,
        code="SERVICE_UNAVAILABLE",
    ),
    Row(
        name="abort with a response",
        path="/{kind}/abort_response",
        status=418,
        recorded="INVALID_REQUEST_DATA",
        headers={"X-Own": "yes"},
    ),
    Row(name="bare HTTPException", path="/{kind}/bare", status=500, code="INTERNAL_ERROR"),
    Row(
        name="server error by hand",
        path="/{kind}/server_error_by_hand",
        status=503,
        code="UNEXPLAINED_RESPONSE",
    ),
    Row(
        name="streaming error",
        path="/{kind}/stream",
        status=200,
        recorded="INTERNAL_ERROR",
        truncated=True,
    ),
    Row(
        name="blueprint answers a bug as a conflict",
        path="/own/{kind}?status=409",
        status=409,
        recorded="STATE_CONFLICT",
    ),
    Row(
        name="blueprint answers a bug as a server error",
        path="/own/{kind}?status=503",
        status=503,
        recorded="INTERNAL_ERROR",
    ),
    Row(name="group with a bug", path="/{kind}/group", status=500, code="INTERNAL_ERROR"),
    Row(
        name="group of mistakes by callers",
        path="/{kind}/group_of_callers",
        status=404,
        code="RESOURCE_NOT_FOUND",
        message="Collection 999 not found",
    ),
)


@pytest.fixture(scope="module", params=sorted(COMMANDS))
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """Each server in turn, with the application of `served_app` behind it."""
    with running(request.param, tmp_path_factory.mktemp(request.param)) as served:
        yield served


def cases() -> Iterator[object]:
    """Yield each row, once per kind of view where views matter."""
    for row in TABLE:
        for kind in ("sync", "async") if "{kind}" in row.path else ("sync",):
            yield pytest.param(row, kind, id=f"{row.name}, {kind}".replace(" ", "-"))


@pytest.mark.parametrize(("row", "kind"), [*cases()])
def test_every_error_has_one_shape_and_one_record(server: Server, row: Row, kind: str) -> None:
    """Whatever raises it, an error leaves in the one shape and is recorded once."""
    trace_id = f"{row.name}.{kind}".replace(" ", "_")

    status, headers, body = exchange(server, row, kind, trace_id)

    assert status == row.status
    assert headers["X-Request-ID"] == trace_id
    assert {name: words(headers[name]) for name in row.headers} == {
        name: words(value) for name, value in row.headers.items()
    }
    assert SECRET not in body
    if row.code:
        assert_envelope(json.loads(body), row, trace_id)
        assert headers["Content-Type"] == "application/json"
        assert int(headers["Content-Length"]) == len(body.encode())
    expected = [] if row.recorded == "-" else [row.recorded or row.code]
    assert [record["code"] for record in server.recorded(trace_id)] == expected


def exchange(
    server: Server, row: Row, kind: str, trace_id: str
) -> tuple[int, Mapping[str, str], str]:
    """Send a row's request; a body that breaks off is read as far as it came."""
    received = b""
    with server.client.stream(
        row.method,
        row.path.format(kind=kind),
        content=row.content,
        headers={**row.sent, "X-Request-ID": trace_id},
    ) as answer:
        try:
            for chunk in answer.iter_bytes():
                received += chunk
        except httpx.RemoteProtocolError:
            assert row.truncated
        else:
            assert not row.truncated
    assert len(answer.headers.get_list("Content-Length")) <= 1
    return answer.status_code, answer.headers, received.decode()


def words(value: str) -> list[str]:
    """Return the parts of a header, whose order means nothing."""
    return sorted(part.strip() for part in value.split(","))


def assert_envelope(body: Mapping[str, object], row: Row, trace_id: str) -> None:
    """Check the members that every error has."""
    about = body["except"]

    assert isinstance(about, dict)
    assert list(body) == ["success", "message", "result", "errors", "except"]
    assert (body["success"], body["result"]) == (False, None)
    assert isinstance(body["errors"], list)
    assert body["errors"]
    assert about["code"] == row.code
    assert about["trace_id"] == trace_id
    assert about["type"]
    assert about["timestamp"]
    if row.message:
        assert body["message"] == row.message


def test_a_trace_of_the_caller_is_continued(server: Server) -> None:
    """A valid traceparent comes back with its trace id, and is the id of the record."""
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"

    answer = server.client.get(
        "/sync/boom", headers={"traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"}
    )

    assert answer.headers["X-Request-ID"] == trace_id
    assert answer.headers["traceparent"].startswith(f"00-{trace_id}-")
    assert len(server.recorded(trace_id)) == 1


@pytest.mark.parametrize("path", ["/health", "/health/", "/health/live", "/health/ready"])
def test_health_is_answered_without_a_redirect(server: Server, path: str) -> None:
    """Probes get 200 and health+json, with and without a slash; the errors of other tests may warn."""
    answer = server.client.get(path)

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/health+json"
    assert answer.json()["status"] in {"pass", "warn"}
