"""Addresses that probes ask: answered without a login, and without a redirect for a missing slash.

Apart from the views themselves, whose library costs a start-up more than all the rest.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeAlias, cast

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve

from holdfast_django.routes import routes

View: TypeAlias = Callable[..., HttpResponseBase]

_MARK: Final = "holdfast_health"


def without_slash(request: HttpRequest) -> View | None:
    """Return the health view when the address lacks nothing but its slash at the end.

    A probe takes neither a redirect nor a 404 for an answer, and an `include` that ends in a slash
    cannot match without it.
    """
    path = request.path_info
    urlconf = getattr(request, "urlconf", None) or settings.ROOT_URLCONF
    if path.rpartition("/")[2] not in _last_parts(urlconf):
        return None
    try:
        match = resolve(f"{path}/", urlconf)
    except Resolver404:
        return None
    if not getattr(match.func, _MARK, False):
        return None
    request.resolver_match = match
    return cast("View", match.func)


@lru_cache(maxsize=64)
def _last_parts(urlconf: str) -> frozenset[str]:
    """Return what addresses of health views end with before their slash, to pass over all others."""
    plain = (
        route.replace("^", "").replace("$", "").removesuffix("?")
        for route, view in routes(urlconf)
        if getattr(view, _MARK, False)
    )
    return frozenset(route.removesuffix("/").rpartition("/")[2] for route in plain)


def exposed(view: View) -> View:
    """Let probes in: without a login, and without a redirect to the address with a slash."""
    setattr(view, _MARK, True)
    setattr(view, "login_required", False)  # noqa: B010  # what `login_not_required` sets
    setattr(view, "should_append_slash", False)  # noqa: B010  # what `no_append_slash` sets
    return view
