"""Addresses that probes ask: answered without a login, and without a redirect for a missing slash.

Apart from the views themselves, whose library costs a start-up more than all the rest.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias, cast

from django.conf import settings
from django.db.transaction import non_atomic_requests
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve

from holdfast_django.current import project_runtime
from holdfast_django.routes import routes

View: TypeAlias = Callable[..., HttpResponse]

SAFE: Final = ("GET", "HEAD")
"""Methods by which probes ask."""
_MARK: Final = "holdfast_health"
_LITERAL: Final = re.compile(r"[\w./-]*")
_GROUP: Final = "(?P<group>"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the health views of a project are."""

    groups: dict[str, str]
    """Group by address, without slashes around it."""
    prefixes: frozenset[str]
    """What comes before a group that is named in the address."""


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


def group_asked(request: HttpRequest) -> str | None:
    """Return the group that an address of the root urlconf asks for, or None when it is no probe's."""
    if request.method not in SAFE:
        return None
    path = request.path_info[1:].removesuffix("/")
    known = addresses(settings.ROOT_URLCONF)
    found = known.groups.get(path)
    if found is not None:
        return found
    before, _, group = path.rpartition("/")
    if before in known.prefixes and project_runtime().probes.knows(group):
        return group
    return None


@lru_cache(maxsize=64)
def addresses(urlconf: str) -> Addresses:
    """Return where the health views of an urlconf are, as far as their addresses say by themselves."""
    groups: dict[str, str] = {}
    prefixes: set[str] = set()
    for route, view in _marked(urlconf):
        before, named, _ = route.partition(_GROUP)
        if not _LITERAL.fullmatch(before):
            continue
        if named:
            prefixes.add(before.removesuffix("/"))
        else:
            told = getattr(view, "view_initkwargs", {})
            groups[before.removesuffix("/")] = told.get("group", "")
    return Addresses(groups, frozenset(prefixes))


@lru_cache(maxsize=64)
def _last_parts(urlconf: str) -> frozenset[str]:
    """Return what addresses of health views end with before their slash, to pass over all others."""
    return frozenset(route.removesuffix("/").rpartition("/")[2] for route, _ in _marked(urlconf))


def _marked(urlconf: str) -> Iterator[tuple[str, object]]:
    """Yield address and health view."""
    for route, view in routes(urlconf):
        if getattr(view, _MARK, False):
            yield route.replace("^", "").replace("$", "").removesuffix("?"), view


def exposed(view: View) -> View:
    """Let probes in: no login, no token for a form, no transaction, no redirect to an address with a slash."""
    for name, value in (
        (_MARK, True),
        ("login_required", False),  # what `login_not_required` sets
        ("csrf_exempt", True),  # so that whoever sends a form is told that it cannot be taken
        ("should_append_slash", False),  # what `no_append_slash` sets
    ):
        setattr(view, name, value)
    for alias in settings.DATABASES:
        non_atomic_requests(using=alias)(view)
    return view
