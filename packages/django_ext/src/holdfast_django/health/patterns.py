"""Addresses of health endpoints, each answered in the way that suits the server."""

from django.urls import ResolverMatch, URLPattern
from django.urls.resolvers import RegexPattern

from holdfast_django.asynchrony import on_loop
from holdfast_django.current import project_runtime
from holdfast_django.health.views import HealthView, synchronous


class HealthPattern(URLPattern):
    """An address whose view is asynchronous for whoever resolves it on an event loop, and plain otherwise.

    Django answers an asynchronous view under WSGI by an event loop of its own for each request, and a
    plain one under ASGI on a thread: a probe is to cost neither. A group that no check is in is passed
    over, so that addresses of the project's beside ours are reached.

    Args:
        route: A regular expression.
        group: Whose checks are asked; empty: those of the group in the address, or all.
        name: Of the address.
    """

    def __init__(self, route: str, group: str = "", *, name: str) -> None:
        view = HealthView.as_view(group=group)
        super().__init__(RegexPattern(route, name=name, is_endpoint=True), view, name=name)
        self._plain = synchronous(view)

    def resolve(self, path: str) -> ResolverMatch | None:
        """Return what answers a path, or None when nothing here does."""
        match = super().resolve(path)
        if match is None or not _is_known(match.kwargs.get("group", "")):
            return None
        if not on_loop():
            match.func = self._plain
        return match


def _is_known(group: str) -> bool:
    return not group or project_runtime().probes.knows(group)
