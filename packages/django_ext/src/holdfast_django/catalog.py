"""Pages of the catalogue, which the `type` of a problem leads to.

They are there where the project includes them: `path("errors/", include("holdfast_django.catalog_urls"))`.
"""

from contextlib import suppress
from functools import lru_cache
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.http.response import HttpResponseBase
from django.urls import get_script_prefix, get_urlconf, reverse
from django.utils.cache import get_conditional_response
from django.utils.translation import override
from django.views.decorators.http import require_safe

from holdfast.catalog.pages import Page, Pages, canonical
from holdfast.envelope import prefers_json
from holdfast.errors import ResourceNotFoundError
from holdfast_django.current import project_runtime
from holdfast_django.languages import language_of

INDEX: Final = "holdfast-codes"
"""Name of the route of the list."""


@require_safe
def index(request: HttpRequest) -> HttpResponseBase:
    """List every code."""
    return _respond(request, _pages(request).index())


@require_safe
def page(request: HttpRequest, code: str) -> HttpResponseBase:
    """Say what a code means."""
    if written := canonical(code):
        return HttpResponsePermanentRedirect(f"{request.path.rpartition('/')[0]}/{written}")
    found = _pages(request).of(code)
    if found is None:
        raise ResourceNotFoundError("There is no such error code")
    return _respond(request, found)


def catalog_address() -> str:
    """Return the path of the list of codes, with a slash at its end; empty when it is not served.

    It is the same for callers of every language, under `i18n_patterns` too: the address of a page
    says which error it is.
    """
    urlconf = get_urlconf() or settings.ROOT_URLCONF
    return _address(urlconf, get_script_prefix(), settings.LANGUAGE_CODE)


@lru_cache(maxsize=64)
def _address(urlconf: str | None, _prefix: str, language: str) -> str:
    with suppress(Exception), override(language):  # the addresses may be what is broken
        return reverse(INDEX, urlconf)
    return ""


def _pages(request: HttpRequest) -> Pages:
    runtime = project_runtime()
    return Pages(
        language=language_of(request, runtime),
        texts=runtime.texts,
        as_json=prefers_json(request.META.get("HTTP_ACCEPT", "")),
        debug=settings.DEBUG,
    )


def _respond(request: HttpRequest, found: Page) -> HttpResponseBase:
    etag = f'"{found.etag}"'
    headers = {**found.headers, "ETag": etag}
    response = HttpResponse(found.body, content_type=found.content_type, headers=headers)
    return get_conditional_response(request, etag=etag, response=response) or response
