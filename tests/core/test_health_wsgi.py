"""The health endpoints as an application of WSGI, alone and in front of another one."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast import environment, health_check
from holdfast.health.wsgi import Front, application
from holdfast.testing import RecordingRuntime

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


@dataclass(frozen=True)
class Answer:
    """What an application answered."""

    status: int
    headers: dict[str, str]
    body: bytes


def asked(app: "WSGIApplication", path: str, method: str = "GET", **sent: str) -> Answer:
    """Ask as a server does that keeps to the protocol, and sees that the application does."""
    told: list[tuple[int, dict[str, str]]] = []

    def start(status: str, headers: list[tuple[str, str]], *_: object) -> Callable[[bytes], None]:
        told.append((int(status.split(maxsplit=1)[0]), dict(headers)))
        return lambda _: None

    place = {"SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": ""}
    environ = {**place, "REQUEST_METHOD": method, **sent}
    setup_testing_defaults(environ)
    parts = validator(app)(environ, start)
    body = b"".join(parts)
    close: Callable[[], None] = getattr(parts, "close", lambda: None)
    close()
    ((status, headers),) = told
    return Answer(status, headers, body)


@pytest.mark.parametrize(
    "path", ["/health", "/health/", "/health/live", "/health/ready/", "/health/startup"]
)
def test_every_endpoint_is_there(runtime: RecordingRuntime, path: str) -> None:
    """With a slash at the end and without."""
    answer = asked(application(runtime), path)

    assert answer.status == 200
    assert json.loads(answer.body) == {"status": "pass"}
    assert answer.headers["Cache-Control"] == "no-store"


def test_formats_groups_and_details_are_those_of_everywhere(runtime: RecordingRuntime) -> None:
    """By query and header."""
    runtime.health.register_check("db", lambda: False, groups=["payments"])
    app = application(runtime)

    assert asked(app, "/health/payments").status == 503
    assert asked(app, "/health/ready").status == 200
    assert asked(app, "/health/metrics").body.endswith(b"# EOF\n")
    assert asked(app, "/health", QUERY_STRING="format=text").body == b"fail\n"
    assert asked(app, "/health", HTTP_ACCEPT="text/plain").body == b"fail\n"


def test_the_head_alone_has_the_length_of_the_whole(runtime: RecordingRuntime) -> None:
    """And no body."""
    app = application(runtime)

    head = asked(app, "/health", "HEAD")

    assert head.body == b""
    assert head.headers["Content-Length"] == str(len(asked(app, "/health").body))


@pytest.mark.parametrize(
    "path", ["", "/", "/healthy", "/health/nowhere", "/health/live/x", "/health//", "/x/health"]
)
def test_there_is_nothing_else(runtime: RecordingRuntime, path: str) -> None:
    """An error in the one shape, recorded like any other of a caller's."""
    answer = asked(application(runtime), path, HTTP_X_REQUEST_ID="probe-1")

    assert answer.status == 404
    assert json.loads(answer.body)["except"]["code"] == "RESOURCE_NOT_FOUND"
    assert json.loads(answer.body)["except"]["trace_id"] == "probe-1"
    assert [record.origin.boundary for record in runtime.recorded.records] == ["health"]


@pytest.mark.parametrize("method", ["POST", "DELETE", "OPTIONS"])
def test_it_is_read_only(runtime: RecordingRuntime, method: str) -> None:
    """Whatever changes things is refused, with what is allowed."""
    answer = asked(application(runtime), "/health/live", method)

    assert answer.status == 405
    assert answer.headers["Allow"] == "GET, HEAD"
    assert json.loads(answer.body)["except"]["code"] == "METHOD_NOT_ALLOWED"


@pytest.mark.parametrize("prefix", ["", "/internal/up"])
def test_the_endpoints_can_be_elsewhere(runtime: RecordingRuntime, prefix: str) -> None:
    """At the root, too."""
    app = application(runtime, prefix=prefix)

    assert asked(app, f"{prefix}/live").status == 200
    assert asked(app, f"{prefix}/").status == 200
    assert asked(app, "/health/live").status == 404


def test_the_runtime_is_found_at_each_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is installed later answers with the checks of modules that came before."""
    monkeypatch.setattr(environment, "_stand_in", [])
    monkeypatch.setattr(environment, "_default", [])
    health_check.register_check("db", lambda: False)
    app = application()

    before = asked(app, "/health").status
    environment.set_default(RecordingRuntime())
    health_check.register_check("mail", lambda: False, groups=["mail"])

    assert before == 503
    assert asked(app, "/health").status == 503
    assert asked(app, "/health/mail").status == 503


def other(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    """Be the application behind."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"other"]


@pytest.mark.parametrize(
    ("path", "method", "is_ours"),
    [
        ("/health", "GET", True),
        ("/health/live", "HEAD", True),
        ("/health/live", "POST", False),
        ("/health/nowhere", "GET", False),
        ("/healthy", "GET", False),
        ("/", "GET", False),
    ],
)
def test_what_is_no_probe_goes_on(
    runtime: RecordingRuntime, path: str, method: str, *, is_ours: bool
) -> None:
    """To the application behind."""
    answer = asked(Front(other, runtime, "/health"), path, method)

    assert (answer.headers["Content-Type"] == "application/health+json") is is_ours


TEXT = st.text(max_size=30).map(lambda text: text.encode("utf-8", "replace").decode("latin-1"))


@settings(max_examples=200, deadline=None)
@given(
    sent=st.fixed_dictionaries(
        {
            "PATH_INFO": TEXT.map("/health/{}".format) | TEXT,
            "QUERY_STRING": TEXT | st.sampled_from(["format=html", "tag=&" * 60, "a=%ff;&=&"]),
        },
        optional={
            "HTTP_ACCEPT": TEXT,
            "HTTP_AUTHORIZATION": TEXT | TEXT.map("Bearer {}".format),
            "HTTP_HOST": TEXT,
            "HTTP_TRACEPARENT": TEXT,
            "REMOTE_ADDR": TEXT,
        },
    ),
    method=st.sampled_from(["GET", "HEAD", "POST", "BREW"]),
)
def test_nothing_that_is_sent_makes_it_fail(sent: dict[str, str], method: str) -> None:
    """Whatever stands in headers, query and address: an answer, and none that is an error of ours."""
    told: list[str] = []
    app = application(RUNTIME)

    body = app(
        {**sent, "REQUEST_METHOD": method},
        lambda status, *_: told.append(status),  # type: ignore[arg-type]  # nobody writes by it
    )

    assert int(told[0].split()[0]) < 500
    assert (b"".join(body) == b"") is (method == "HEAD")


RUNTIME = RecordingRuntime()
