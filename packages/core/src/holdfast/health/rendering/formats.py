"""Formats of a report, and which of them a caller means."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from holdfast.health.rendering.as_json import health_json
from holdfast.health.rendering.page import Page

HEALTH_JSON: Final = "health+json"
_WEIGHT: Final = re.compile(r"[01](\.\d{0,3})?")
_MAX_ACCEPT: Final = 500


@dataclass(frozen=True, slots=True)
class Format:
    """One way to write a report."""

    content_type: str
    render: Callable[[Page], bytes]
    always_ok: bool = False
    """Whether the status is 200 whatever the report says, as readers of metrics expect."""


FORMATS: Final[Mapping[str, Format]] = {
    HEALTH_JSON: Format("application/health+json", health_json),
}
"""By the name that `?format=` takes."""

MEDIA: Final[Mapping[str, str]] = {
    "application/health+json": HEALTH_JSON,
}
"""Names of formats by media type."""


def chosen(asked: str, accept: str) -> str:
    """Return the name of the format a caller means; lenient, because probes send what no grammar allows.

    Args:
        asked: Value of `?format=`; goes before, if there is such a format.
        accept: The header `Accept`.
    """
    if asked in FORMATS:
        return asked
    best, best_weight = HEALTH_JSON, 0.0
    for part in accept[:_MAX_ACCEPT].split(","):
        media, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        weight = float(quality) if _WEIGHT.fullmatch(quality) else 0.0
        if weight > best_weight and (media in MEDIA or media == "*/*"):
            best, best_weight = MEDIA.get(media, HEALTH_JSON), weight
    return best
