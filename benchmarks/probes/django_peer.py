"""The same Django project with django-health-check alone."""

from dataclasses import dataclass
from datetime import timedelta

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.urls import path

from benchmarks.probes import trouble
from benchmarks.probes.django_settings import COMMON, empty, empty_async, load_driver
from benchmarks.probes.lag import Lag

settings.configure(
    **COMMON,
    INSTALLED_APPS=["health_check"],
    ROOT_URLCONF=__name__,
    # `Accept: */*`, which probes send, gets a page.
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
)
django.setup()
load_driver()

from health_check.base import HealthCheck  # noqa: E402  # the project is set up by now
from health_check.checks import Database  # noqa: E402  # as above
from health_check.views import HealthCheckView  # noqa: E402  # as above

TIMEOUT = timedelta(seconds=trouble.TIMEOUT)


@dataclass
class WarehouseLock(HealthCheck):  # type: ignore[misc]  # ships no annotations
    """Hangs."""

    timeout = TIMEOUT

    def run(self) -> None:
        """Hang."""
        trouble.hang()


@dataclass
class Warehouse(HealthCheck):  # type: ignore[misc]  # ships no annotations
    """Raises."""

    timeout = TIMEOUT

    def run(self) -> None:
        """Raise."""
        trouble.fail()


@dataclass
class Search(HealthCheck):  # type: ignore[misc]  # ships no annotations
    """Is slow."""

    timeout = TIMEOUT

    def run(self) -> None:
        """Take a while."""
        trouble.dawdle()


class BoundedDatabase(Database):  # type: ignore[misc]  # ships no annotations
    """The library's own, with the same time limit as the others."""

    timeout = TIMEOUT


CHECKS = (WarehouseLock, Warehouse, Search, BoundedDatabase)
urlpatterns = [
    path("health/live", HealthCheckView.as_view(checks=())),
    path("health/ready", HealthCheckView.as_view(checks=CHECKS)),
    path("empty", empty),
    path("empty-async", empty_async),
]
wsgi = get_wsgi_application()
asgi = Lag(get_asgi_application())
