"""`HEALTH.DIRECT`: probes are answered in front of everything else."""

import json
from collections.abc import Callable

import pytest
from django.conf import settings
from django.core.checks import run_checks
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.test import override_settings
from django.urls import URLPattern, URLResolver, include, path

from holdfast.health import HealthRegistry
from holdfast_django.conf import DjangoHealthSettings
from holdfast_django.health import HealthView
from tests.django_ext.asking import Ask
from tests.django_ext.conftest import RecordingProject

STRICT = [
    "holdfast_django.middleware.HoldfastMiddleware",
    "django.middleware.security.SecurityMiddleware",
    f"{__name__}.closed",
    "django.middleware.common.CommonMiddleware",
]
BY_ADDRESS = {"Host": "10.1.2.3:8000"}


def closed(get_response: Callable[[HttpRequest], HttpResponseBase]) -> object:
    """Let nobody in."""

    def answer(_: HttpRequest) -> HttpResponse:
        return HttpResponse("closed", status=418)

    return answer


urlpatterns: list[URLPattern | URLResolver] = [
    path("deep/health/", include("holdfast_django.urls")),
    path("livez", HealthView.as_view(group="live")),
    path("<str:tenant>/readyz", HealthView.as_view(group="ready")),
]


@pytest.fixture
def direct(registry: HealthRegistry, project: RecordingProject) -> HealthRegistry:
    """Answer probes in front, and show everybody details."""
    return project.configure(health=DjangoHealthSettings(direct=True, details="always")).health


@override_settings(MIDDLEWARE=STRICT, SECURE_SSL_REDIRECT=True)
@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/health", 503),
        ("/health/", 503),
        ("/health/live", 200),
        ("/health/live/", 200),
        ("/health/ready", 503),
        ("/health/startup", 200),
        ("/health/metrics", 200),
        ("/health/partners", 200),
    ],
)
def test_nothing_is_in_the_way_of_a_probe(
    address: str, status: int, ask: Ask, direct: HealthRegistry
) -> None:
    """No unknown host, redirect to TLS, login or other middleware."""
    direct.register_check("orders", lambda: False)
    direct.register_check("partner", lambda: True, groups=["partners"])

    reply = ask(address, headers=BY_ADDRESS)

    assert reply.status == status


@override_settings(MIDDLEWARE=STRICT, ROOT_URLCONF=__name__)
@pytest.mark.parametrize("address", ["/deep/health", "/deep/health/ready", "/livez"])
def test_addresses_are_those_of_the_urlconf(address: str, ask: Ask, direct: HealthRegistry) -> None:
    """Wherever the project has put them."""
    assert ask(address, headers=BY_ADDRESS).status == 200


@override_settings(MIDDLEWARE=STRICT, ROOT_URLCONF=__name__)
@pytest.mark.parametrize(
    "address", ["/", "/health", "/deep/health/nobody", "/orders", "/acme/readyz", "/deep"]
)
def test_everything_else_goes_through_the_stack(
    address: str, ask: Ask, direct: HealthRegistry
) -> None:
    """Addresses with variables among it, whose views only Django finds."""
    assert ask(address).status == 418


@override_settings(MIDDLEWARE=STRICT)
def test_without_the_setting_probes_go_through_the_stack(
    ask: Ask, registry: HealthRegistry
) -> None:
    """As every request does."""
    assert ask("/health/live").status == 418


@override_settings(MIDDLEWARE=STRICT)
def test_what_no_probe_sends_goes_through_the_stack(ask: Ask, direct: HealthRegistry) -> None:
    """A form is the project's to refuse; HEAD is a probe, and gets no body."""
    head = ask("/health/live", method="HEAD")

    assert ask("/health/live", method="POST").status == 418
    assert (head.status, head.body) == (200, b"")
    assert int(head.headers["content-length"]) > 0


@override_settings(MIDDLEWARE=STRICT)
@pytest.mark.parametrize("kind", ["atom", "rss"])
def test_a_feed_needs_a_host_that_is_allowed(kind: str, ask: Ask, direct: HealthRegistry) -> None:
    """Its entries are addresses; whoever comes by another host gets the default."""
    allowed = ask(f"/health/?format={kind}")
    refused = ask(f"/health/?format={kind}", headers=BY_ADDRESS)

    assert kind in allowed.headers["content-type"]
    assert (refused.status, json.loads(refused.body)["status"]) == (200, "pass")


def told() -> dict[str | None, str]:
    """Return what the checks say of health, by id."""
    wanted = {"holdfast.W013", "holdfast.W014", "holdfast.W015"}
    return {found.id: found.msg for found in run_checks() if found.id in wanted}


def test_a_project_as_it_should_be_is_told_nothing() -> None:
    """By the checks of health."""
    assert told() == {}


@override_settings(MIDDLEWARE=STRICT, SECURE_SSL_REDIRECT=True)
def test_probes_that_are_redirected_are_told_of(project: RecordingProject) -> None:
    """Unless the setting or Django's own lets them through."""
    assert "'/health'" in told()["holdfast.W013"]
    with override_settings(SECURE_REDIRECT_EXEMPT=["^health"]):
        assert told() == {}
    with override_settings(MIDDLEWARE=STRICT[:1]):
        assert told() == {}
    project.configure(health=DjangoHealthSettings(direct=True))
    assert told() == {}


@override_settings(ROOT_URLCONF="holdfast_django.catalog_urls")
def test_a_setting_that_is_about_nothing_is_told_of(project: RecordingProject) -> None:
    """As somebody relies on it."""
    project.configure(health=DjangoHealthSettings(direct=True))

    assert [*told()] == ["holdfast.W014"]


def test_databases_that_nobody_has_are_told_of(project: RecordingProject) -> None:
    """Probes pass them over."""
    project.configure(
        health=DjangoHealthSettings(databases=("default", "replica"), migrations=("replica",))
    )

    assert "'replica'" in told()["holdfast.W015"]
    assert "replica" not in settings.DATABASES
