"""The pages of the codes that ship are French from top to bottom, and what ships is what was written."""

import pytest
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

from holdfast import ErrorCode
from holdfast.catalog.entry import _ADVICE
from holdfast.catalog.pages import SAID
from holdfast.language import LOCALE, translate

FOLDER = LOCALE / "fr" / "LC_MESSAGES"
TEXTS = sorted(
    {
        *SAID,
        *_ADVICE.values(),
        *(str(text) for code in ErrorCode for text in (code.spec.description, code.spec.advice)),
        *(str(detail.description) for code in ErrorCode for detail in code.spec.carries.values()),
    }
)


def written() -> dict[str, str]:
    """Return the French text by English text, as the catalogue has it that people edit."""
    with (FOLDER / "catalog.po").open("rb") as file:
        return {str(one.id): str(one.string) for one in read_po(file) if one.id}


@pytest.mark.parametrize("text", TEXTS)
def test_every_text_of_a_page_is_translated(text: str) -> None:
    """No description, advice, detail or word of a page comes out in English."""
    assert written()[text]
    assert translate(text, "fr") == written()[text]


def test_the_catalogue_holds_nothing_that_is_never_said() -> None:
    """A text that was reworded or dropped leaves the catalogue as well."""
    assert written().keys() - set(TEXTS) == set()


def test_the_compiled_catalogue_is_the_written_one() -> None:
    """After a change of the texts the catalogue was compiled again."""
    with (FOLDER / "catalog.mo").open("rb") as file:
        compiled = {str(one.id): str(one.string) for one in read_mo(file) if one.id}

    assert compiled == written()


def test_code_is_quoted_alike_in_both_languages() -> None:
    """Names of headers and members stand in the French text as in the English one."""
    for english, french in written().items():
        assert english.split("`")[1::2] == french.split("`")[1::2]
