"""Languages: which one Django has chosen for a request, and what Django's catalogues know."""

from contextlib import suppress
from typing import Final

from django.conf import settings
from django.conf.urls.i18n import is_language_prefix_patterns_used
from django.http import HttpRequest
from django.utils.translation import get_language_from_path, gettext, override

from holdfast.language import best_language
from holdfast.lazytext import add_voice
from holdfast.runtime import Runtime

_MIDDLEWARE: Final = "LocaleMiddleware"


def speak_through_django(runtime: Runtime) -> None:
    """Have Django translate its lazy texts, and ask its catalogues for the texts of a runtime."""
    add_voice("django.utils.functional.Promise", override)
    runtime.texts.lookup = translated


def translated(text: str, language: str) -> str | None:
    """Return what Django's catalogues, the project's and its apps' among them, have for a text."""
    with override(language):
        found = gettext(text)
    return None if found == text else found


def language_of(request: HttpRequest, runtime: Runtime) -> str:
    """Return the language of an answer: what Django chose, else what the caller prefers, else `LANGUAGE`.

    Django's choice is `request.LANGUAGE_CODE`, and for an error that came before it was made, what the
    path or the cookie says; one that we do not speak counts for nothing.
    """
    ours = runtime.settings
    chosen = getattr(request, "LANGUAGE_CODE", "") or _coming(request)
    if chosen and (found := best_language(chosen, ("", *ours.languages))):
        return found
    accepted = request.META.get("HTTP_ACCEPT_LANGUAGE", "")
    return best_language(accepted, (ours.language, *ours.languages))


def _coming(request: HttpRequest) -> str:
    """Return what `LocaleMiddleware` finds in the path or the cookie of a request, or an empty string."""
    if not settings.USE_I18N or not any(name.endswith(_MIDDLEWARE) for name in settings.MIDDLEWARE):
        return ""
    with suppress(Exception):  # the addresses of the project may be what is broken
        urlconf = getattr(request, "urlconf", None) or settings.ROOT_URLCONF
        prefixed, _ = is_language_prefix_patterns_used(urlconf)
        if prefixed and (found := get_language_from_path(request.path_info)):
            return found
    return request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")
