"""A Django project with holdfast: `/health/live`, `/health/ready`, and two empty views."""

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.urls import include, path

from benchmarks.probes import trouble
from benchmarks.probes.django_settings import COMMON, empty, empty_async, load_driver
from benchmarks.probes.lag import Lag

settings.configure(
    **COMMON,
    HOLDFAST={"HEALTH": {"TIME_LIMIT": trouble.TIME_LIMIT, "TIMEOUT": trouble.TIMEOUT}},
    INSTALLED_APPS=["holdfast_django"],
    MIDDLEWARE=["holdfast_django.middleware.HoldfastMiddleware"],
    ROOT_URLCONF=__name__,
)
django.setup()
load_driver()

from holdfast import health_check  # noqa: E402  # the project is set up by now


def database() -> None:
    """Ask for a row, on a connection that is closed afterwards."""
    with connection.temporary_connection() as cursor:
        cursor.execute("SELECT 1")


for name, check in {
    "warehouse-lock": trouble.hang,
    "warehouse": trouble.fail,
    "search": trouble.dawdle,
    "database": database,
}.items():
    health_check.register_check(name, check, every=trouble.period(), replace=True)

urlpatterns = [
    path("health/", include("holdfast_django.urls")),
    path("empty", empty),
    path("empty-async", empty_async),
]
wsgi = get_wsgi_application()
asgi = Lag(get_asgi_application())
