"""Formats of a report, and which of them a caller means."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from holdfast.health.rendering import as_html, as_json, as_metrics, as_text
from holdfast.health.rendering.page import Page

HEALTH_JSON: Final = "health+json"
_VERSIONED_TEXT: Final = "text/plain;version"
"""Text that names its version, as scrapers of metrics ask for it and nobody else does."""
_WEIGHT: Final = re.compile(r"[01](\.[0-9]*)?|\.[0-9]+")
_MAX_ACCEPT: Final = 1000


@dataclass(frozen=True, slots=True)
class Format:
    """One way to write a report."""

    content_type: str
    render: Callable[[Page], bytes]
    always_ok: bool = False
    """Whether the status is 200 whatever the report says, as readers of metrics expect."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """What goes with it beside the headers of every answer."""


_HTML: Final = "text/html; charset=utf-8"
FORMATS: Final[Mapping[str, Format]] = {
    HEALTH_JSON: Format("application/health+json", as_json.health_json),
    "json": Format("application/json", as_json.plain_json),
    "text": Format("text/plain; charset=utf-8", as_text.text),
    "html": Format(_HTML, as_html.html, headers=as_html.HEADERS),
    "html-still": Format(_HTML, as_html.still_html, headers=as_html.HEADERS),
    "openmetrics": Format(
        "application/openmetrics-text; version=1.0.0; charset=utf-8",
        as_metrics.openmetrics,
        always_ok=True,
    ),
    "prometheus": Format(
        "text/plain; version=0.0.4; charset=utf-8", as_metrics.prometheus, always_ok=True
    ),
}
"""By the name that `?format=` takes."""

MEDIA: Final[Mapping[str, str]] = {
    "application/health+json": HEALTH_JSON,
    "application/json": "json",
    "text/plain": "text",
    "text/html": "html",
    "application/xhtml+xml": "html",
    "application/openmetrics-text": "openmetrics",
    _VERSIONED_TEXT: "prometheus",
}
"""Names of formats by media type; what comes first is for whoever does not care."""

METRICS_MEDIA: Final[Mapping[str, str]] = {
    "application/openmetrics-text": "openmetrics",
    "text/plain": "prometheus",
    _VERSIONED_TEXT: "prometheus",
}
"""The same where metrics are asked for."""


def chosen(asked: str, accept: str, media: Mapping[str, str] = MEDIA) -> str:
    """Return the name of the format a caller means; lenient, because probes send what no grammar allows.

    Args:
        asked: Value of `?format=`; goes before, if there is such a format.
        accept: The header `Accept`; when it wants nothing there is, the first of `media` is meant.
        media: Names of formats by media type.

    Example:
        >>> chosen("", "text/html,application/xml;q=0.9,*/*;q=0.8"), chosen("json", "text/html")
        ('html', 'json')
    """
    name = asked.strip().lower().replace(" ", "+")  # which is what a query makes of a plus
    if name in FORMATS:
        return name
    default = next(iter(media))
    if accept in {"", "*/*"}:
        return media[default]
    ranges = list(_ranges(accept))
    best = max(media, key=lambda known: _rank(known, ranges))
    return media[best if _rank(best, ranges)[0] > 0 else default]


def _rank(media: str, ranges: "list[tuple[str, float]]") -> tuple[float, int, int]:
    """Return how much a media type is wanted: by weight, by how exactly it is named, by how early.

    Of several that fit it, the most exact counts, as RFC 9110 says.
    """
    exact = {media: 2, f"{media.partition('/')[0]}/*": 1, "*/*": 0, "*": 0}
    fitting = [
        (exact[wanted], weight, -place)
        for place, (wanted, weight) in enumerate(ranges)
        if wanted in exact
    ]
    exactness, weight, place = max(fitting, default=(0, 0.0, 0))
    return weight, exactness, place


def _ranges(accept: str) -> Iterator[tuple[str, float]]:
    for part in accept[:_MAX_ACCEPT].lower().split(","):
        media, *parameters = ("".join(piece.split()) for piece in part.split(";"))
        told = {name: said for name, _, said in (each.partition("=") for each in parameters)}
        if media == "text/plain" and "version" in told:
            media = _VERSIONED_TEXT
        weight = told.get("q", "1")
        if _WEIGHT.fullmatch(weight):
            yield media, min(1.0, float(weight))
