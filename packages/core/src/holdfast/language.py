"""Text in the caller's language: English is in the code, other languages in gettext catalogues.

Text that a framework translates itself (Django's lazy strings, Flask-Babel's) is read as it is.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Protocol

DEFAULT = "en"
LOCALE = Path(__file__).parent / "locale"

_WEIGHTED = re.compile(
    r"\s*([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*|\*)\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?))?\s*"
)


class _Catalogue(Protocol):
    def gettext(self, message: str) -> str: ...


def translate(text: object, language: str = DEFAULT) -> str:
    """Return a text of the suite in a language, or as it is when no catalogue has it.

    Args:
        text: English text of the suite, or a lazy object that translates itself.
        language: A tag such as `fr` or `fr-CA`; unknown ones give English.

    Example:
        >>> translate("Token expired", "fr"), translate("Token expired", "ja")
        ('Token expiré', 'Token expired')
    """
    if not isinstance(text, str):
        return _lazy(text)
    if language == DEFAULT:
        return text
    return _catalogue(language[:35].partition("-")[0].lower()).gettext(text) if text else ""


def _lazy(text: object) -> str:
    try:
        return str(text)
    except Exception:  # noqa: BLE001  # a text that cannot be translated must not hide the error
        return ""


@lru_cache(maxsize=64)
def _catalogue(language: str) -> _Catalogue:
    import gettext  # noqa: PLC0415  # only services that answer in another language pay for it

    return gettext.translation("holdfast", LOCALE, [language], fallback=True)


def best_language(accept_language: str, available: Iterable[str] = (DEFAULT, "fr")) -> str:
    """Return the available language a caller prefers by `Accept-Language`, else the first one.

    Example:
        >>> best_language("fr-CH, fr;q=0.9, en;q=0.8"), best_language("de")
        ('fr', 'en')
    """
    return _best_language(accept_language[:200], tuple(available))


@lru_cache(maxsize=256)
def _best_language(accept_language: str, available: tuple[str, ...]) -> str:
    known = {tag.lower(): tag for tag in reversed(available)}
    best, best_weight = available[0], 0.0
    for part in accept_language.split(","):
        match = _WEIGHTED.fullmatch(part)
        if match is None:
            continue
        tag, weight = match[1].lower(), float(match[2] or 1)
        found = known.get(tag) or known.get(tag.partition("-")[0])
        if found is not None and weight > best_weight:
            best, best_weight = found, weight
    return best
