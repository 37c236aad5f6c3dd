"""Health endpoints: `path("health/", include("holdfast_django.urls"))`.

`/health` answers too, without a redirect; see `holdfast_django.probes.without_slash`.
"""

from holdfast_django.health.patterns import HealthPattern

urlpatterns = [
    HealthPattern(r"^$", name="health"),
    HealthPattern(r"^live/?$", "live", name="health-live"),
    HealthPattern(r"^ready/?$", "ready", name="health-ready"),
    HealthPattern(r"^startup/?$", "startup", name="health-startup"),
    HealthPattern(r"^metrics/?$", "metrics", name="health-metrics"),
    HealthPattern(r"^(?P<group>[a-z][a-z0-9_-]{0,49})/?$", name="health-group"),
]
