"""A request becomes a probe, and what is answered to it a response.

Knows nothing of django-health-check, so that a middleware can answer without loading it.
"""

import importlib
from typing import TYPE_CHECKING, Final, cast

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed

from holdfast.errors import ResourceNotFoundError
from holdfast.health.disclosure import Caller
from holdfast.health.probes import HEADERS, METRICS, Probe, ProbeAnswer, Probes
from holdfast.health.rendering.formats import MEDIA, chosen
from holdfast.health.wsgi import probe_of
from holdfast_django.capture import explain
from holdfast_django.current import project_runtime, project_settings
from holdfast_django.probes import SAFE
from holdfast_django.responses import silence

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.health.rendering.page import Page

_FEEDS: Final = {"application/atom+xml": "atom", "application/rss+xml": "rss"}
"""What django-health-check writes beside the formats of the core, by media type."""
_WITH_FEEDS: Final = {**MEDIA, **_FEEDS}


def answer(request: HttpRequest, group: str = "") -> HttpResponse:
    """Answer a probe on this thread, within the time limit.

    Args:
        request: The probe.
        group: Whose checks are asked; empty: all.

    Raises:
        ResourceNotFoundError: When there is no such group.
    """
    if request.method not in SAFE:
        return HttpResponseNotAllowed(SAFE)
    probes, probe = _asked(request, group)
    feed = _feed_of(request, probe)
    if not feed:
        return _finished(request, _response(probes.answer(probe)))
    detailed = probes.sees_details(probe.caller)
    limit = project_settings().health.time_limit
    report = probes.registry.report(group, tags=probe.tags if detailed else (), within=limit)
    return _finished(request, _feed(request, feed, probes.shown(report, detailed=detailed)))


async def aanswer(request: HttpRequest, group: str = "") -> HttpResponse:
    """Answer a probe as `answer` does, and leave the running event loop to others."""
    if request.method not in SAFE:
        return HttpResponseNotAllowed(SAFE)
    probes, probe = _asked(request, group)
    sees = probes.sees_details
    if project_settings().health.allow:  # a function that may ask for the session, or the database
        detailed = await sync_to_async(sees)(probe.caller)
    else:
        detailed = sees(probe.caller)
    feed = _feed_of(request, probe)
    if not feed:
        return _finished(request, _response(await probes.aanswer(probe, detailed=detailed)))
    limit, tags = project_settings().health.time_limit, probe.tags if detailed else ()
    report = await probes.registry.areport(group, tags=tags, within=limit)
    return _finished(request, _feed(request, feed, probes.shown(report, detailed=detailed)))


def _asked(request: HttpRequest, group: str) -> tuple[Probes, Probe]:
    probes, meta = project_runtime().probes, request.META
    if not probes.knows(group):
        raise ResourceNotFoundError(f"No health check is in a group {group!r}")
    caller = Caller(
        authorization=meta.get("HTTP_AUTHORIZATION", ""),
        address=meta.get("REMOTE_ADDR") or "",
        request=request,
        is_trusted=settings.DEBUG,
    )
    return probes, probe_of(meta, group, caller)


def _response(answered: ProbeAnswer) -> HttpResponse:
    return HttpResponse(
        answered.body,
        status=answered.status,
        content_type=answered.content_type,
        headers={**answered.headers, "Content-Length": str(answered.length)},
    )


def _finished(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    explain(request)  # a 503 is an answer here
    return silence(response)


def _feed_of(request: HttpRequest, probe: Probe) -> str:
    """Return the name of the feed that a caller means, or an empty string for the formats of the core."""
    asked, accept = probe.format.lower(), probe.accept.lower()
    if asked not in _FEEDS.values():
        if probe.group == METRICS or not any(media in accept for media in _FEEDS):
            return ""
        asked = chosen(probe.format, accept, _WITH_FEEDS)
    return asked if asked in _FEEDS.values() and _is_addressable(request) else ""


def _is_addressable(request: HttpRequest) -> bool:
    """Tell whether a feed can link to where it is; a probe in front of the project may come by any host."""
    try:
        request.get_host()
    except DisallowedHost:
        return False
    return True


def _feed(request: HttpRequest, name: str, page: "Page") -> HttpResponse:
    # By name: django-health-check is loaded for those alone who want a feed in front of their project.
    render = importlib.import_module("holdfast_django.health.feeds").render_feed
    made = cast("Callable[..., HttpResponse]", render)(request, name, page)
    for header, value in {**HEADERS, "Content-Length": str(len(made.content))}.items():
        made.headers[header] = value
    if request.method == "HEAD":
        made.content = b""
    return made
