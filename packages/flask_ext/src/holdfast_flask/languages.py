"""Languages: which one a caller gets, and what a project with Flask-Babel has chosen and translated.

Flask-Babel is asked only where an application has it; this is its one home.
"""

import sys
import weakref
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final, Protocol, cast

from flask import Flask, current_app, has_request_context

from holdfast.language import Lookup, Texts, best_language
from holdfast.lazytext import add_voice
from holdfast.runtime import Runtime
from holdfast.settings import Settings

_EXTENSION: Final = "babel"


class _Babel(Protocol):
    """What is used of the module `flask_babel`."""

    get_locale: Callable[[], object]
    force_locale: Callable[[str], AbstractContextManager[object]]


class Languages:
    """Chooses the language of answers of one application.

    Args:
        settings: Say which languages there are.
    """

    def __init__(self, settings: Settings) -> None:
        others = (tag for tag in settings.languages if tag != settings.language)
        # A caller who asks for nothing that there is gets the first one.
        self._spoken = (settings.language, *others)

    def choose(self, accept_language: str) -> str:
        """Return what Flask-Babel chose for the request, else what the caller prefers, else `LANGUAGE`.

        A choice that we do not speak counts for nothing.
        """
        chosen = _selected()
        if chosen and (found := best_language(chosen, ("", *self._spoken))):
            return found
        if not accept_language:
            return self._spoken[0]
        return best_language(accept_language, self._spoken)


def speak_through_babel(app: Flask, runtime: Runtime) -> None:
    """Have Flask-Babel, should the application have it, translate its lazy texts, and ask its catalogues."""
    add_voice("flask_babel.speaklater.LazyString", _speaking)
    runtime.texts.lookup = _lookup(weakref.ref(app))


def _selected() -> str:
    """Return the tag that the application's own function gives to Flask-Babel; empty: it has none."""
    if not has_request_context() or _EXTENSION not in current_app.extensions:
        return ""
    try:
        if current_app.extensions[_EXTENSION].locale_selector is None:
            return ""  # Flask-Babel would take its default for everybody
        return str(_babel().get_locale() or "").replace("_", "-")
    except Exception:  # noqa: BLE001  # the function of the project may be what is broken
        return ""


@contextmanager
def _speaking(language: str) -> Generator[None, None, None]:
    with _babel().force_locale(language.replace("-", "_")):
        yield


def _babel() -> _Babel:
    # Whoever uses it has imported it; to look for it each time would cost more than the answer.
    return cast("_Babel", sys.modules["flask_babel"])


def _lookup(application: "weakref.ref[Flask]") -> Lookup:
    """Return what asks Flask-Babel's folders; not Flask-Babel, which translates within requests only."""
    known: list[Texts] = []

    def lookup(text: str, language: str) -> str | None:
        app = application()
        if not known and app is not None and _EXTENSION in app.extensions:
            folders = app.extensions[_EXTENSION].translation_directories
            known.append(Texts([folder for folder in folders if Path(folder).is_dir()]))
        found = known[0].translate(text, language) if known else text
        return None if found == text else found

    return lookup
