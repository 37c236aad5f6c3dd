"""One probe has one answer: from Django under WSGI and ASGI, from Flask, and without a framework."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias, cast
from wsgiref.util import setup_testing_defaults

import pytest

pytest.importorskip("django")
pytest.importorskip("flask")
pytest.importorskip("health_check")

from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.test import override_settings
from flask import Flask

from holdfast import Runtime, Settings, environment
from holdfast.health import HealthRegistry, degraded
from holdfast.health.wsgi import Endpoints
from holdfast.settings import load_settings
from holdfast.testing import FakeClock
from holdfast_django import current
from holdfast_django.conf import DjangoSettings
from holdfast_flask import Holdfast, runtime_of
from tests.django_ext import conftest as django_project  # which sets Django up

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

TOKEN: Final = "a-token-of-some-length"
BEARER: Final = {"Authorization": f"Bearer {TOKEN}"}
COMPARED: Final = frozenset(
    {
        "allow",
        "cache-control",
        "content-length",
        "content-type",
        "refresh",
        "retry-after",
        "vary",
        "x-content-type-options",
    }
)
"""Headers that probes and caches go by; ids of requests are each host's own."""
HEALTH: Final[Mapping[str, Mapping[str, object]]] = {
    "a token": {"TOKEN": TOKEN},
    "details for everybody": {"DETAILS": "always"},
    "details for nobody": {"DETAILS": "never", "TOKEN": TOKEN},
    "a network": {"NETWORKS": ["127.0.0.0/8"], "TTL": {"FAILING": 7.5}},
}


class Asked(NamedTuple):
    """A request."""

    path: str
    query: str = ""
    headers: Mapping[str, str] = {}
    method: str = "GET"


class Told(NamedTuple):
    """What was answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes


Ask: TypeAlias = Callable[[Asked], Told]

PATHS: Final = (
    *(f"/health{path}" for path in ("", "/", "/live", "/ready", "/ready/", "/startup")),
    *(f"/health{path}" for path in ("/metrics", "/payments", "/payments/")),
)
ACCEPTED: Final = (
    "*/*",
    "application/json",
    "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8",
    "text/plain",
    "application/openmetrics-text; version=1.0.0",
    "image/png",
    "text/html;q=nan, */*;q=",
)
QUERIES: Final = (
    *(f"format={name}" for name in ("health%2Bjson", "json", "text", "openmetrics", "html", "no")),
    *("tag=orders", "tag=nothing", "tag=orders&tag=&format=text", "tag=&" * 60, "%ff=&&="),
)
TABLE: Final = (
    *(Asked(path, headers=head) for path, head in product(PATHS, ({}, BEARER))),
    *(Asked("/health/ready", headers={"Accept": accept}) for accept in ACCEPTED),
    *(Asked("/health/", headers={"Accept": accept, **BEARER}) for accept in ACCEPTED),
    *(Asked("/health/ready", query, head) for query, head in product(QUERIES, ({}, BEARER))),
    *(Asked(path, method="HEAD", headers=BEARER) for path in PATHS),
    Asked("/health/ready", headers={"Authorization": "Bearer of-some-other-length"}),
    Asked("/health/ready", headers={"Authorization": "é"}),
)


def raises() -> None:
    """Fail."""
    raise ConnectionError("postgres://shop:hunter2@db/shop")


def register(registry: HealthRegistry) -> None:
    """Register a check of each kind."""
    registry.register_check("disk", lambda: {"free": 0.5}, groups=["ready", "startup"])
    registry.register_check("orders", raises, tags=["orders"])
    registry.register_check("queue", lambda: degraded("lags behind"), tags=["orders"])
    registry.register_check("partner", lambda: False, critical=False, groups=["payments"])


def told_settings(health: Mapping[str, object]) -> dict[str, object]:
    """Return settings as a project writes them, of a service that is told alone."""
    return {
        "SERVICE": "shop",
        "RELEASE": "4.2",
        "REPORTERS": [],
        "REPORTING": {"INLINE": True},
        "HEALTH": {"OWN": [], **health},
    }


def asking_wsgi(app: "WSGIApplication") -> Ask:
    """Return what asks an application of WSGI, without a client that would add anything."""

    def ask(asked: Asked) -> Told:
        environ: dict[str, object] = {}
        setup_testing_defaults(environ)
        environ |= {
            "REQUEST_METHOD": asked.method,
            "PATH_INFO": asked.path,
            "QUERY_STRING": asked.query,
            "REMOTE_ADDR": "127.0.0.1",
        }
        for name, value in asked.headers.items():
            environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
        begun: list[tuple[str, list[tuple[str, str]]]] = []
        written: list[bytes] = []

        def start(
            status: str, headers: list[tuple[str, str]], *_: object
        ) -> Callable[[bytes], None]:
            begun.append((status, headers))
            return written.append

        body = app(environ, start)
        try:
            said = b"".join(body)
        finally:
            getattr(body, "close", lambda: None)()
        status, headers = begun[-1]
        return Told(int(status[:3]), {name.lower(): value for name, value in headers}, said)

    return ask


def asking_asgi(app: ASGIHandler) -> Ask:
    """Return what asks an application of ASGI."""

    def ask(asked: Asked) -> Told:
        return asyncio.run(exchange(asked))

    async def exchange(asked: Asked) -> Told:
        sent = {"Host": "127.0.0.1", **asked.headers}
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": asked.method,
            "path": asked.path,
            "raw_path": asked.path.encode(),
            "query_string": asked.query.encode(),
            "root_path": "",
            "scheme": "http",
            "server": ("127.0.0.1", 80),
            "client": ("127.0.0.1", 4000),
            "headers": [(k.lower().encode(), v.encode("latin-1")) for k, v in sent.items()],
        }
        sending: list[dict[str, object]] = [{"type": "http.request", "body": b""}]
        said: list[Mapping[str, object]] = []

        async def receive() -> dict[str, object]:
            if not sending:
                await asyncio.Event().wait()  # the caller stays until it has its answer
            return sending.pop()

        async def send(part: Mapping[str, object]) -> None:
            said.append(part)

        await app(scope, receive, send)
        begun, *parts = said
        body = b"".join(cast("bytes", part.get("body", b"")) for part in parts)
        headers = cast("list[tuple[bytes, bytes]]", begun["headers"])
        found = {name.decode().lower(): value.decode("latin-1") for name, value in headers}
        return Told(cast("int", begun["status"]), found, body)

    return ask


class Hosts(NamedTuple):
    """Who is asked."""

    plain: Ask
    others: dict[str, Ask]


def hosts_of(health: Mapping[str, object], *, direct: bool) -> Hosts:
    """Return who is asked, each with a runtime of its own with these settings and checks."""
    written = told_settings({**health, "DIRECT": direct})
    clock = FakeClock()
    alone = Runtime(load_settings(Settings, written), clock=clock)

    app = Flask("shop")
    app.config.from_mapping({f"HOLDFAST_{name}": value for name, value in written.items()})
    Holdfast(app, clock=clock)

    of_django = told_settings({**health, "DIRECT": direct, "DATABASES": []})
    project = Runtime(load_settings(DjangoSettings, of_django), clock=clock)
    current.replace(project)

    for runtime in (alone, runtime_of(app), project):
        for check in runtime.health.checks:  # of the app of tests that is installed
            runtime.health.unregister_check(check.name)
        register(runtime.health)
    return Hosts(
        asking_wsgi(Endpoints(alone, "/health")),
        {
            "flask": asking_wsgi(app.wsgi_app),
            "django-wsgi": asking_wsgi(WSGIHandler()),
            "django-asgi": asking_asgi(ASGIHandler()),
        },
    )


@pytest.fixture
def _django() -> Iterator[None]:
    """Have a project whose only middleware is ours, and leave its runtime as it was."""
    before = current.project_runtime()
    kept = before.health.checks
    with override_settings(
        MIDDLEWARE=["holdfast_django.middleware.HoldfastMiddleware"],
        ROOT_URLCONF=f"{django_project.__package__}.project.urls",
    ):
        yield
    current.project_runtime().uninstall()
    current.replace(before)
    for check in before.health.checks:  # those of the test were handed over
        before.health.unregister_check(check.name)
    for check in kept:
        before.health.add(check)
    environment.set_default(None)


def compared(told: Told) -> Told:
    """Return what has to be the same everywhere."""
    headers = {name: value for name, value in told.headers.items() if name in COMPARED}
    return told._replace(headers=headers)


@pytest.mark.usefixtures("_django")
@pytest.mark.parametrize("direct", [False, True], ids=["routed", "direct"])
@pytest.mark.parametrize("who", HEALTH)
def test_every_host_answers_a_probe_alike(who: str, *, direct: bool) -> None:
    """Status, headers and body, byte by byte."""
    hosts = hosts_of(HEALTH[who], direct=direct)

    for asked in TABLE:
        expected = compared(hosts.plain(asked))

        assert expected.status in {200, 503}
        assert {name: compared(ask(asked)) for name, ask in hosts.others.items()} == dict.fromkeys(
            hosts.others, expected
        ), asked


@pytest.mark.usefixtures("_django")
@pytest.mark.parametrize("direct", [False, True], ids=["routed", "direct"])
@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (Asked("/health/nowhere"), 404),
        (Asked("/health/ready/deeper"), 404),
        (Asked("/health/live", method="POST"), 405),
        (Asked("/health/", method="DELETE"), 405),
    ],
)
def test_every_host_refuses_alike_what_is_no_probe(
    asked: Asked, status: int, *, direct: bool
) -> None:
    """As an error of the caller's, in the one error body."""
    hosts = hosts_of({}, direct=direct)
    told = {"plain": hosts.plain(asked)} | {name: ask(asked) for name, ask in hosts.others.items()}

    assert {name: one.status for name, one in told.items()} == dict.fromkeys(told, status)
    errors = {name: json.loads(one.body)["except"] for name, one in told.items()}
    codes = {name: (error["type"], error["code"]) for name, error in errors.items()}
    assert codes == dict.fromkeys(told, codes["plain"])
    allowed = [set(one.headers.get("allow", "").split(", ")) for one in told.values()]
    assert all(methods >= {"GET", "HEAD"} for methods in allowed) is (status == 405)
