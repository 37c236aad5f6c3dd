"""Health endpoints, served by WSGI and by ASGI."""

import asyncio
import json
import logging

import pytest
from django.core import mail
from django.core.management import call_command
from django.db import connections
from django.db.backends.signals import connection_created
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, override_settings
from django.urls import URLPattern, URLResolver, include, path, resolve, reverse

from holdfast.health import HealthRegistry
from holdfast_django.asynchrony import is_async
from holdfast_django.conf import DjangoHealthSettings
from holdfast_django.health import HealthView
from tests.django_ext.asking import Ask
from tests.django_ext.conftest import RecordingProject

TOKEN = "a-token-of-some-length"
SESSIONS = [
    "holdfast_django.middleware.HoldfastMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
]
NAMES = {
    "health": "/health/",
    "health-live": "/health/live",
    "health-ready": "/health/ready",
    "health-startup": "/health/startup",
    "health-metrics": "/health/metrics",
}


def handler404(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer in the project's words."""
    return HttpResponse("nothing here", status=404)


def beside(request: HttpRequest) -> HttpResponse:
    """Answer below the same address."""
    return HttpResponse("beside")


urlpatterns: list[URLPattern | URLResolver] = [
    path("probes/health/", include("holdfast_django.urls")),
    path("probes/health/beside", beside),
    path("livez", HealthView.as_view(group="live")),
]


def fail() -> None:
    """Fail with a secret."""
    raise ConnectionError("postgres://shop:hunter2@db/shop")


def test_the_database_is_a_ready_check(ask: Ask, project: RecordingProject) -> None:
    """Without anything registered by hand."""
    project.configure(health=DjangoHealthSettings(details="always"))

    body = json.loads(ask("/health/ready").body)

    assert body["status"] == "pass"
    assert "database" in body["checks"]


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("address", ["/health", "/health/ready"])
def test_a_failing_check_is_503_and_no_error(
    address: str, slash: str, ask: Ask, registry: HealthRegistry, project: RecordingProject
) -> None:
    """A failed probe is an answer; its text is not the exception's."""
    registry.register_check("orders", fail)

    response = ask(address + slash)

    assert response.status == 503
    assert json.loads(response.body)["checks"]["orders"][0]["status"] == "fail"
    assert b"hunter2" not in response.body
    assert response.headers["retry-after"] == "1"
    assert project.recorded.records == []


@override_settings(ADMINS=["root@example.com"], DEBUG=False)
def test_a_failed_probe_is_neither_logged_nor_mailed(
    ask: Ask, registry: HealthRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    """Django would send one mail for every probe."""
    registry.register_check("orders", fail)
    mail.outbox.clear()

    with caplog.at_level(logging.INFO, "django.request"):
        assert ask("/health/ready").status == 503

    assert [record for record in caplog.records if record.name.startswith("django")] == []
    assert mail.outbox == []


def test_a_warning_still_serves(ask: Ask, registry: HealthRegistry) -> None:
    """An optional dependency that fails degrades, and 200 says so."""
    registry.register_check("search", fail, critical=False)

    response = ask("/health")

    assert (response.status, response.json()["status"]) == (200, "warn")


def test_each_group_asks_its_own_checks(ask: Ask, registry: HealthRegistry) -> None:
    """What only the start-up needs does not take a replica out of rotation."""
    registry.register_check("migrations", lambda: False, groups=["startup"])
    registry.register_check("partner", lambda: False, groups=["partners"])

    told = {
        group: ask(f"/health/{group}").status
        for group in ("live", "ready", "startup", "partners", "partners/", "")
    }

    assert told == {
        "live": 200,
        "ready": 200,
        "startup": 503,
        "partners": 503,
        "partners/": 503,
        "": 503,
    }


@pytest.mark.parametrize("address", ["/health/nobody", "/health/nobody/", "/health/No%20body"])
def test_an_unknown_group_is_404_in_our_envelope(
    address: str, ask: Ask, registry: HealthRegistry
) -> None:
    """A misspelt probe shows in the body what is wrong with it."""
    response = ask(address)

    assert response.status == 404
    assert json.loads(response.body)["except"]["code"] == "RESOURCE_NOT_FOUND"


@override_settings(ROOT_URLCONF=__name__)
def test_addresses_of_the_project_beside_ours_are_reached(
    ask: Ask, registry: HealthRegistry
) -> None:
    """Only what a check is in is taken for a group."""
    assert ask("/probes/health/beside").body == b"beside"


@override_settings(ROOT_URLCONF=__name__)
def test_a_group_has_an_address_of_its_own_where_one_wants_it(
    ask: Ask, registry: HealthRegistry
) -> None:
    """As Kubernetes names it."""
    registry.register_check("orders", fail)

    response = ask("/livez")

    assert (response.status, response.json()["status"]) == (200, "pass")


def test_the_view_takes_no_checks() -> None:
    """They would not be asked; the message says where they belong."""
    with pytest.raises(TypeError, match="register_health_checks"):
        HealthView.as_view(checks=["health_check.Cache"])


def test_live_passes_whatever_fails(ask: Ask, registry: HealthRegistry) -> None:
    """A restart mends no database."""
    registry.register_check("orders", fail)
    registry.mark_unready("leaving")

    response = ask("/health/live")

    assert (response.status, response.json()["status"]) == (200, "pass")
    assert response.headers["cache-control"] == "no-store"


def test_a_process_that_leaves_is_not_ready(ask: Ask, registry: HealthRegistry) -> None:
    """Though all of its checks pass."""
    registry.mark_unready("leaving")

    assert ask("/health/ready").status == 503


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_a_probe_only_reads(method: str, ask: Ask, registry: HealthRegistry) -> None:
    """Whatever else is told what is allowed, without a token for forms."""
    response = ask("/health/live", method=method)

    assert response.status == 405
    assert response.headers["allow"] == "GET, HEAD"


def test_head_is_get_without_a_body(ask: Ask, registry: HealthRegistry) -> None:
    """As balancers ask."""
    registry.register_check("orders", fail)

    whole, head = ask("/health/ready"), ask("/health/ready", method="HEAD")

    assert (head.status, head.body) == (503, b"")
    assert int(head.headers["content-length"]) > 50
    assert head.headers["content-type"] == whole.headers["content-type"]


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "application/health+json"),
        ("*/*", "application/health+json"),
        ("garbage", "application/health+json"),
        ("*; q=.2", "application/health+json"),
        ("image/png", "application/health+json"),
        ("application/json", "application/json"),
        ("text/plain;q=0.9, text/csv", "text/plain; charset=utf-8"),
        ("text/html", "text/html; charset=utf-8"),
        ("application/atom+xml", "application/atom+xml; charset=utf-8"),
        ("application/rss+xml, */*;q=0.1", "application/rss+xml; charset=utf-8"),
        ("application/atom+xml;q=0.1, application/json", "application/json"),
        (
            "application/openmetrics-text",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ),
    ],
)
def test_the_format_is_read_leniently(
    accept: str, content_type: str, ask: Ask, registry: HealthRegistry
) -> None:
    """Probes send what no grammar allows, and get an answer."""
    registry.register_check("orders", lambda: True)

    response = ask("/health/", headers={"Accept": accept})

    assert (response.status, response.headers["content-type"]) == (200, content_type)


@pytest.mark.parametrize("kind", ["atom", "rss"])
def test_django_health_check_writes_the_feeds(
    kind: str, ask: Ask, registry: HealthRegistry
) -> None:
    """Always with 200, as readers of feeds expect; with what each check said."""
    registry.register_check("orders", fail)
    registry.register_check("search", fail, critical=False)

    response = ask(f"/health/?format={kind}")

    assert response.status == 200
    assert "orders" in response.body.decode()
    assert "Unavailable: ConnectionError" in response.body.decode()
    assert "Warning: ConnectionError" in response.body.decode()


@pytest.mark.parametrize(
    "kind", ["", "health+json", "json", "text", "html", "openmetrics", "atom", "rss"]
)
def test_a_stranger_sees_the_status_alone(
    kind: str, ask: Ask, registry: HealthRegistry, project: RecordingProject
) -> None:
    """In no format names of checks, or what they said; tags pick nothing."""
    registry.register_check("orders-of-atlantis", fail, tags=["atlantis"])
    project.configure(health=DjangoHealthSettings(), service="atlantis")

    response = ask(f"/health/?format={kind}&tag=nothing")

    assert b"atlantis" not in response.body
    assert b"ConnectionError" not in response.body
    assert response.status == (200 if kind in {"openmetrics", "atom", "rss"} else 503)


@pytest.mark.parametrize(
    ("told", "headers"),
    [
        ({"token": TOKEN}, {"Authorization": f"Bearer {TOKEN}"}),
        ({"networks": ("127.0.0.0/8",)}, {}),
        ({"allow": f"{__name__}:knows_the_session"}, {"X-Operator": "yes"}),
    ],
)
@pytest.mark.parametrize("kind", ["json", "atom"])
def test_whom_the_settings_let_in_sees_details(
    kind: str,
    told: dict[str, object],
    headers: dict[str, str],
    ask: Ask,
    registry: HealthRegistry,
    project: RecordingProject,
) -> None:
    """By token, by network, or by a function that may use the database."""
    registry.register_check("orders", lambda: True, tags=["shop"])
    registry.register_check("search", lambda: True)
    project.configure(health=DjangoHealthSettings(**told))  # type: ignore[arg-type]  # validated by the class

    response = ask(f"/health/?format={kind}&tag=shop", headers=headers)

    assert b"orders" in response.body
    assert b"search" not in response.body


def knows_the_session(request: HttpRequest) -> bool:
    """Ask the database, which must not be asked on an event loop."""
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT 1")
    return request.headers.get("X-Operator") == "yes"


@pytest.mark.parametrize(("details", "shown"), [("authorized", True), ("never", False)])
@override_settings(DEBUG=True)
def test_everybody_sees_details_while_the_project_is_debugged(
    details: str, *, shown: bool, ask: Ask, registry: HealthRegistry, project: RecordingProject
) -> None:
    """Unless the settings say never."""
    registry.register_check("orders", lambda: True)
    project.configure(health=DjangoHealthSettings(details=details))  # type: ignore[arg-type]  # validated by the class

    assert ("checks" in ask("/health/").json()) is shown


@override_settings(
    MIDDLEWARE=SESSIONS,
    SESSION_ENGINE="django.contrib.sessions.backends.db",
    LOGIN_URL="/login",
)
@pytest.mark.parametrize("address", ["/health", "/health/", "/health/live", "/health/ready"])
def test_a_probe_asks_neither_login_nor_session_nor_database(
    address: str, ask: Ask, registry: HealthRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where every request is a transaction, and every view wants a login."""
    registry.register_check("orders", lambda: True)
    opened: list[object] = []
    monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)

    def note(connection: object, **_: object) -> None:
        opened.append(connection)

    connections["default"].close()
    connection_created.connect(note)
    try:
        response = ask(address)
    finally:
        connection_created.disconnect(note)

    assert response.status == 200
    assert opened == []
    assert "set-cookie" not in response.headers


@override_settings(ROOT_URLCONF=__name__)
@pytest.mark.parametrize("debug", [True, False])
def test_no_redirect_where_the_project_has_a_404_of_its_own(
    *, debug: bool, ask: Ask, registry: HealthRegistry
) -> None:
    """Django would redirect to the address with a slash; the middleware answers instead."""
    with override_settings(DEBUG=debug):
        assert ask("/probes/health").status == 200
        assert ask("/probes/other").status == 404


def test_the_names_of_the_addresses() -> None:
    """`manage.py health_check health-ready` finds them."""
    assert {name: reverse(name) for name in NAMES} == NAMES
    assert reverse("health-group", args=["partners"]) == "/health/partners"


@pytest.mark.parametrize("name", NAMES)
async def test_the_view_suits_the_server(name: str) -> None:
    """A thread resolves a plain one, an event loop an asynchronous one; both say what they are."""
    plain = await asyncio.to_thread(resolve, NAMES[name])
    asynchronous = resolve(NAMES[name])

    assert (is_async(plain.func), is_async(asynchronous.func)) == (False, True)
    for view in (plain.func, asynchronous.func):
        assert getattr(view, "view_class", None) is HealthView
        assert getattr(view, "login_required", True) is False


async def test_a_probe_on_a_loop_needs_no_thread(registry: HealthRegistry) -> None:
    """Whatever waits for threads, the process says that it is alive."""
    from asgiref.sync import SyncToAsync  # noqa: PLC0415  # for this test alone

    before = len(SyncToAsync.context_to_thread_executor)
    response = await AsyncClient().get("/health/live")

    assert response.status_code == 200
    assert len(SyncToAsync.context_to_thread_executor) == before


@pytest.mark.parametrize(("name", "status"), [("health-live", 0), ("health-ready", 1)])
def test_the_command_of_django_health_check_runs_the_checks_of_a_group(
    name: str, status: int, registry: HealthRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    """In process as well."""
    registry.register_check("orders", fail)

    with (
        override_settings(INSTALLED_APPS=["health_check", "holdfast_django"]),
        pytest.raises(SystemExit) as ended,
    ):
        call_command("health_check", name, "--no-http")

    assert ended.value.code == status
    assert ("orders: Unavailable: ConnectionError" in capsys.readouterr().out) is bool(status)
