"""The health endpoints as views of django-health-check, whose command finds them by name."""

from collections.abc import Generator

from django.http import HttpRequest, HttpResponse
from health_check.base import HealthCheck
from health_check.views import HealthCheckView

from holdfast_django.current import project_runtime
from holdfast_django.health.answering import aanswer, answer
from holdfast_django.health.ours import RegistryCheck
from holdfast_django.probes import View, exposed


class HealthView(HealthCheckView):  # type: ignore[misc]  # ships no annotations
    """Answers probes of a group: `path("livez", HealthView.as_view(group="live"))`.

    A failing group answers 503, a warning 200. It takes no `checks`: those of the registry are asked.
    Served by WSGI it costs an event loop for each request, which `holdfast_django.urls` spares.
    """

    checks = ()
    group = ""
    """Whose checks are asked; empty: all. A part of the address of this name goes before."""

    @classmethod
    def as_view(cls, **initkwargs: object) -> View:
        """Return the view, which probes reach without a login.

        Raises:
            TypeError: When it is given `checks`.
        """
        if "checks" in initkwargs:
            raise TypeError(
                "HealthView takes no checks, it asks those of the registry: add them there by "
                "register_health_checks([...]), and name their group here"
            )
        return exposed(super().as_view(**initkwargs))

    async def dispatch(self, request: HttpRequest, *_: object, **captured: str) -> HttpResponse:
        """Answer, from any thread and any event loop."""
        return await aanswer(request, captured.get("group", self.group))

    def get_checks(self) -> Generator[HealthCheck, None, None]:
        """Yield what the command `health_check --no-http` runs."""
        for check in project_runtime().health.checks:
            if not self.group or self.group in check.groups:
                yield RegistryCheck(check.name)


def synchronous(view: View) -> View:
    """Return what a view of this kind does, for a thread without an event loop."""
    told: dict[str, str] = view.view_initkwargs  # type: ignore[attr-defined]  # set by `as_view`

    def on_this_thread(request: HttpRequest, **captured: str) -> HttpResponse:
        return answer(request, captured.get("group", told.get("group", "")))

    for name in ("view_class", "view_initkwargs"):  # by which the command finds the checks
        setattr(on_this_thread, name, getattr(view, name))
    return exposed(on_this_thread)
