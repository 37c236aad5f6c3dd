"""Health endpoints."""

import re
from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import include, path, reverse

from holdfast.health import HealthRegistry
from holdfast_django import current
from holdfast_django.databases import register_databases
from holdfast_django.health import health
from tests.django_ext.conftest import RecordingProject


def handler404(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer in the project's words."""
    return HttpResponse("nothing here", status=404)


urlpatterns = [path("probes/health/", include("holdfast_django.urls"))]


@pytest.fixture
def registry() -> Iterator[HealthRegistry]:
    """Give the test a registry of its own."""
    runtime = current.project_runtime()
    before, runtime.health = runtime.health, HealthRegistry()
    yield runtime.health
    runtime.health = before


def fail() -> None:
    """Fail with a secret."""
    raise ConnectionError("postgres://shop:hunter2@db/shop")


def test_the_database_is_a_ready_check() -> None:
    """Without anything registered by hand."""
    body = Client().get("/health/ready").json()

    assert body["status"] == "pass"
    assert "database" in body["checks"]


def test_only_databases_that_the_project_has_are_asked() -> None:
    """A typing error in a probe must not take a service down."""
    registry = HealthRegistry()

    register_databases(registry, ("default", "nowhere"))

    assert list(registry.run_all_checks()) == ["database"]


@pytest.mark.parametrize("asked", ["/health", "/health/", "/health/ready", "/health/ready/"])
def test_a_failing_check_is_503_and_no_error(
    asked: str, registry: HealthRegistry, project: RecordingProject
) -> None:
    """A failed probe is an answer; its text is not the exception's."""
    registry.register_check("orders", fail)

    response = Client().get(asked)

    assert response.status_code == 503
    assert response.json()["checks"]["orders"][0]["status"] == "fail"
    assert b"hunter2" not in response.content
    assert project.recorded.records == []


def test_a_warning_still_serves(registry: HealthRegistry) -> None:
    """An optional dependency that fails degrades, and 200 says so."""
    registry.register_check("search", fail, critical=False)

    response = Client().get("/health")

    assert (response.status_code, response.json()["status"]) == (200, "warn")


def test_live_touches_nothing(registry: HealthRegistry) -> None:
    """It passes whatever fails."""
    registry.register_check("orders", fail)

    response = Client().get("/health/live")

    assert (response.status_code, response.json()) == (200, {"status": "pass"})
    assert response.headers["Cache-Control"] == "no-store"
    assert Client().post("/health/live").status_code == 405


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "application/health+json"),
        ("*/*", "application/health+json"),
        ("application/json", "application/health+json"),
        ("garbage", "application/health+json"),
        ("*; q=.2", "application/health+json"),
        ("text/plain;q=0.9, text/csv", "text/plain; charset=utf-8"),
        ("text/html", "application/health+json"),  # whose template is not installed
        (
            "application/openmetrics-text",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ),
    ],
)
def test_the_format_is_read_leniently(
    accept: str, content_type: str, registry: HealthRegistry
) -> None:
    """Probes send what no grammar allows, and get an answer."""
    registry.register_check("orders", lambda: True)

    response = Client().get("/health/", headers={"Accept": accept})

    assert (response.status_code, response.headers["Content-Type"]) == (200, content_type)


@pytest.mark.parametrize(
    ("asked", "status", "expected"),
    [
        ("json", 503, r'\{"orders": "Unavailable: ConnectionError", "search": "Warning: .*"\}'),
        ("text", 503, r"orders: Unavailable: ConnectionError\nsearch: Warning: .*\n"),
        ("openmetrics", 200, r'(?s).*django_health_check_status\{check="orders"\} 0\n.*'),
        ("atom", 200, r"(?s).*<feed.*"),
        ("rss", 200, r"(?s).*<rss.*"),
    ],
)
def test_django_health_check_renders_the_same_checks(
    asked: str, status: int, expected: str, registry: HealthRegistry
) -> None:
    """Its formats, our statuses."""
    registry.register_check("orders", fail)
    registry.register_check("search", fail, critical=False)

    response = Client().get(f"/health/?format={asked}")

    assert response.status_code == status
    assert re.fullmatch(expected, response.content.decode())


async def test_health_answers_under_asgi(registry: HealthRegistry) -> None:
    """With and without the slash."""
    registry.register_check("orders", lambda: True)

    for asked in ("/health", "/health/", "/health/live"):
        assert (await AsyncClient().get(asked)).status_code == 200


@override_settings(ROOT_URLCONF=__name__)
@pytest.mark.parametrize("debug", [True, False])
async def test_no_redirect_where_the_project_has_a_404_of_its_own(*, debug: bool) -> None:
    """Django would redirect to the address with a slash; the middleware answers instead."""
    with override_settings(DEBUG=debug):
        asynchronous = await AsyncClient().get("/probes/health")
    assert asynchronous.status_code == 200


@override_settings(ROOT_URLCONF=__name__)
@pytest.mark.parametrize("debug", [True, False])
def test_no_redirect_under_wsgi_either(*, debug: bool) -> None:
    """The same for a synchronous stack; other addresses get what they got."""
    with override_settings(DEBUG=debug):
        assert Client().get("/probes/health").status_code == 200
        assert Client().get("/probes/other").status_code == 404


def test_the_names_of_the_addresses() -> None:
    """`manage.py health_check health-ready` finds them."""
    assert [reverse(name) for name in ("health", "health-live", "health-ready")] == [
        "/health/",
        "/health/live",
        "/health/ready",
    ]


def test_probes_need_no_login() -> None:
    """`LoginRequiredMiddleware` lets them in."""
    assert getattr(health, "login_required", True) is False


def test_the_command_of_django_health_check_runs_our_checks(
    registry: HealthRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    """In process as well."""
    registry.register_check("orders", lambda: True)

    with (
        override_settings(INSTALLED_APPS=["health_check", "holdfast_django"]),
        pytest.raises(SystemExit) as ended,
    ):
        call_command("health_check", "health-ready", "--no-http")

    assert ended.value.code == 0
    assert "orders" in capsys.readouterr().out
