"""Everything the suite says by itself is there in French, and what ships is what was written."""

import ast
import gettext
import re

import pytest

from holdfast import ErrorCode
from holdfast.envelope import _GENERAL, _LATER
from holdfast.language import LOCALE, translate

FOLDER = LOCALE / "fr" / "LC_MESSAGES"
ENTRY = re.compile(r'^msgid ((?:"[^\n]*"\n)+)msgstr ((?:"[^\n]*"(?:\n|\Z))+)', re.MULTILINE)
TITLES = {str(code.title) for code in ErrorCode}
SAID = sorted({*TITLES, *_GENERAL.values(), _LATER})


def written() -> dict[str, str]:
    """Return the French text by English text, as the catalogue has it that people edit."""
    text = (FOLDER / "holdfast.po").read_text(encoding="utf-8")
    found = {_text(english): _text(french) for english, french in ENTRY.findall(text)}
    del found[""]
    return found


def _text(lines: str) -> str:
    return "".join(map(ast.literal_eval, lines.splitlines()))


def compiled() -> dict[str, str]:
    """Return the French text by English text, as the catalogue has it that programs read."""
    with (FOLDER / "holdfast.mo").open("rb") as file:
        catalogue = gettext.GNUTranslations(file)
    return {english: catalogue.gettext(english) for english in written()}


@pytest.mark.parametrize("text", SAID)
def test_every_title_and_general_sentence_is_translated(text: str) -> None:
    """No title of a built-in code and no general sentence comes out in English."""
    assert written()[text]
    assert translate(text, "fr") == written()[text] != text


def test_the_catalogue_holds_nothing_that_is_never_said() -> None:
    """A text that was reworded or dropped leaves the catalogue as well."""
    assert written().keys() - set(SAID) == set()


def test_the_catalogues_hold_nothing_in_doubt() -> None:
    """No entry is fuzzy, obsolete or there twice."""
    for catalogue in sorted(FOLDER.glob("*.po")):
        text = catalogue.read_text(encoding="utf-8")
        ids = re.findall(r"^msgid (.*(?:\n\".*)*)", text, re.MULTILINE)

        assert not re.search(r"^#,|^#~", text, re.MULTILINE), catalogue
        assert len(ids) == len(set(ids)), catalogue


def test_the_compiled_catalogue_is_the_written_one() -> None:
    """After a change of the texts the catalogue was compiled again."""
    assert compiled() == written()


@pytest.mark.parametrize("tag", ["fr", "fr-CH", "FR"])
def test_regional_french_is_french(tag: str) -> None:
    """A region and the case of a tag do not matter."""
    assert translate("Token expired", tag) == "Token expiré"
