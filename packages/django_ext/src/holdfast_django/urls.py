"""Health endpoints: `path("health/", include("holdfast_django.urls"))`.

`/health` answers too, without a redirect; see `holdfast_django.probes.without_slash`.
"""

from django.urls import re_path

from holdfast_django.health import health, live, ready

urlpatterns = [
    re_path(r"^$", health, name="health"),
    re_path(r"^live/?$", live, name="health-live"),
    re_path(r"^ready/?$", ready, name="health-ready"),
]
