"""Text in the caller's language: English is in the code, other languages in gettext catalogues.

Text that a framework translates itself (Django's lazy strings, Flask-Babel's) is read while the
language is the active one; see `lazytext`.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol, TypeAlias, cast

from holdfast.lazytext import DEFAULT, speaking

__all__ = ["DEFAULT", "LOCALE", "SHIPPED", "Lookup", "Texts", "best_language", "translate"]

LOCALE = Path(__file__).parent / "locale"

Lookup: TypeAlias = Callable[[str, str], str | None]
"""Takes a text and a language, and returns the translation or None."""

_MAX_TAG = 35
_WEIGHTED = re.compile(
    r"\s*([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*|\*)\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?))?\s*"
)


class _Catalogue(Protocol):
    def gettext(self, message: str) -> str: ...


class Texts:
    """The texts of one application: of its own catalogues, of its framework, and those that ship.

    The first that has a text gives it, so that a project may change the suite's words. Thread-safe.

    Args:
        folders: Folders with gettext catalogues, as `fr/LC_MESSAGES/shop.mo`; every domain is read.
        lookup: Asks the framework.

    Example:
        >>> Texts().translate("Token expired", "fr")
        'Token expiré'
    """

    def __init__(self, folders: Sequence[str | Path] = (), lookup: Lookup | None = None) -> None:
        self.lookup = lookup
        self._folders = tuple(map(Path, folders))
        self._catalogue = lru_cache(maxsize=64)(self._opened)
        # Titles are few and come again and again; what a framework says costs far more.
        self._translation = lru_cache(maxsize=1024)(self._found)

    def translate(self, text: object, language: str = DEFAULT) -> str:
        """Return a text in a language, or as it is when nobody has translated it.

        Args:
            text: English text, or an object that translates itself.
            language: A tag such as `fr` or `fr-CA`; what a region lacks, its language says.
        """
        if not isinstance(text, str):
            return _lazy(text, language)
        if not text or (language == DEFAULT and not self._folders and self.lookup is None):
            return text
        try:
            return self._translation(text, language[:_MAX_TAG])
        except Exception:  # noqa: BLE001  # a text that cannot be translated must not hide the error
            return text

    def check(self) -> Iterator[tuple[int, str]]:
        """Yield the position of each folder that is of no use, and why."""
        for index, folder in enumerate(self._folders):
            try:
                found = [file for files in _catalogues(folder).values() for file in files]
                for file in found:
                    _read(file)
            except Exception as error:  # noqa: BLE001  # gettext has many words for a broken file
                yield index, f"cannot read the catalogues in {str(folder)!r}: {error}"
                continue
            if not found:
                yield index, f"no catalogue such as fr/LC_MESSAGES/shop.mo in {str(folder)!r}"

    def _found(self, text: str, language: str) -> str:
        mine = self._catalogue(language).gettext(text) if self._folders else text
        if mine == text and self.lookup is not None:
            mine = self.lookup(text, language) or text
        return _shipped(language).gettext(text) if mine == text else mine

    def _opened(self, language: str) -> _Catalogue:
        return _joined(self._folders, language)


def _lazy(text: object, language: str) -> str:
    try:
        with speaking(language):
            return str(text)
    except Exception:  # noqa: BLE001  # a text that cannot be translated must not hide the error
        return ""


@lru_cache(maxsize=64)
def _shipped(language: str) -> _Catalogue:
    return _joined((LOCALE,), language)


def _joined(folders: Iterable[Path], language: str) -> _Catalogue:
    """Return the catalogues of a language, the most specific tag first, then folder by folder."""
    import gettext  # noqa: PLC0415  # only services that answer in another language pay for it

    joined = gettext.NullTranslations()
    known = [_catalogues(folder) for folder in folders]
    for tag in _ever_shorter(language.lower()):
        for by_tag in known:
            for file in by_tag.get(tag, ()):
                joined.add_fallback(cast("gettext.NullTranslations", _read(file)))
    return joined


def _read(file: Path) -> _Catalogue:
    import gettext  # noqa: PLC0415  # as above

    with file.open("rb") as opened:
        return gettext.GNUTranslations(opened)


def _catalogues(folder: Path) -> dict[str, list[Path]]:
    """Return the catalogues in a folder by tag, in lower case and with dashes."""
    found: dict[str, list[Path]] = {}
    for language in sorted(folder.iterdir()):
        files = sorted(language.glob("LC_MESSAGES/*.mo"))
        if files:
            found[language.name.replace("_", "-").lower()] = files
    return found


def _ever_shorter(tag: str) -> Iterator[str]:
    """Yield a tag without its last part, again and again: `zh-hant-tw`, `zh-hant`, `zh`."""
    while tag:
        yield tag
        tag = tag.rpartition("-")[0]


SHIPPED = Texts()
"""The texts of the suite itself."""


def translate(text: object, language: str = DEFAULT) -> str:
    """Return a text of the suite in a language, or as it is when no catalogue has it.

    Args:
        text: English text of the suite, or a lazy object that translates itself.
        language: A tag such as `fr` or `fr-CA`; unknown ones give English.

    Example:
        >>> translate("Token expired", "fr"), translate("Token expired", "ja")
        ('Token expiré', 'Token expired')
    """
    return SHIPPED.translate(text, language)


def best_language(accept_language: str, available: Iterable[str] = (DEFAULT, "fr")) -> str:
    """Return the available language a caller prefers by `Accept-Language`, else the first one.

    The longest part of a tag that is available counts: `fr` for `fr-CA`, `zh-Hant` for `zh-Hant-TW`.

    Example:
        >>> best_language("fr-CH, fr;q=0.9, en;q=0.8"), best_language("de")
        ('fr', 'en')
    """
    return _best_language(accept_language[:200], tuple(available))


@lru_cache(maxsize=256)
def _best_language(accept_language: str, available: tuple[str, ...]) -> str:
    known = {tag.lower(): tag for tag in reversed(available)}
    weights = dict(_weights(accept_language))
    best, best_weight = available[0], 0.0
    for asked, weight in weights.items():
        if asked == "*":
            found = next((tag for tag in available if tag.lower() not in weights), None)
        else:
            found = next((known[tag] for tag in _ever_shorter(asked) if tag in known), None)
        # Who refuses a language may still have named a region of it.
        if found is not None and weight > best_weight and weights.get(found.lower(), 1.0) > 0:
            best, best_weight = found, weight
    return best


def _weights(accept_language: str) -> Iterator[tuple[str, float]]:
    """Yield the tags of a header with their weights; what is none is passed over."""
    for part in accept_language.split(","):
        match = _WEIGHTED.fullmatch(part)
        if match is not None:
            yield match[1].lower(), float(match[2] or 1)
