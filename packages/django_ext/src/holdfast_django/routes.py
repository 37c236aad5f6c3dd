"""The routes of an urlconf."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from django.urls import URLPattern, URLResolver, get_resolver

MAX_ROUTES: Final = 10_000


def routes(urlconf: str | None = None) -> Iterator[tuple[str, object]]:
    """Yield route and view of an urlconf, the root one when none is named; at most 10,000."""
    yield from islice(_walk(get_resolver(urlconf).url_patterns, ""), MAX_ROUTES)


def _walk(
    patterns: Iterable[URLPattern | URLResolver], prefix: str
) -> Iterator[tuple[str, object]]:
    for entry in patterns:
        route = f"{prefix}{entry.pattern}"
        if isinstance(entry, URLResolver):
            yield from _walk(entry.url_patterns, route)
        else:
            yield route, entry.callback
