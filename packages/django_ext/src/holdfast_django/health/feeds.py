"""A report as a feed, which django-health-check writes."""

from typing import TYPE_CHECKING, cast

from django.http import HttpRequest, HttpResponse
from health_check.base import HealthCheckResult
from health_check.views import HealthCheckView

from holdfast.health import CheckResult
from holdfast.health.rendering.page import Page
from holdfast_django.health.ours import RegistryCheck, error_of

if TYPE_CHECKING:
    from collections.abc import Callable

WHOLE = "service"
"""Title of the one entry for whoever sees no details."""


def render_feed(request: HttpRequest, name: str, page: Page) -> HttpResponse:
    """Write a feed; whoever sees no details gets one entry, which says how everything is.

    Args:
        request: Who asks; its host must be allowed, as the entries are addresses.
        name: `atom` or `rss`.
        page: What the checks said.
    """
    view = HealthCheckView()
    view.setup(request)
    view.results = [
        HealthCheckResult(
            check=RegistryCheck(each.name), error=error_of(each), time_taken=each.duration
        )
        for each in (page.report.results if page.detailed else (_whole(page),))
    ]
    return cast("Callable[[], HttpResponse]", getattr(view, f"render_to_response_{name}"))()


def _whole(page: Page) -> CheckResult:
    return CheckResult(name=WHOLE, status=page.report.status, time=page.time, duration=0.0)
