"""The caller's language: which one is chosen, and what happens to text without a translation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.codes import ErrorCode
from holdfast.language import best_language, translate


class LazyText:
    """A text that translates itself when it is read."""

    def __str__(self) -> str:
        return "texte paresseux"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", "en"),
        ("en", "en"),
        ("fr", "fr"),
        ("FR", "fr"),
        ("fr-CA", "fr"),
        ("fr-CH, fr;q=0.9, en;q=0.8", "fr"),
        ("en;q=0.8, fr;q=0.9", "fr"),
        ("en, fr", "en"),
        ("fr, en", "fr"),
        ("de", "en"),
        ("de, fr;q=0.2", "fr"),
        ("*", "en"),
        ("fr;q=0", "en"),
        ("fr;q=0.000, en;q=0.001", "en"),
        ("fr ; q=0.9", "fr"),
        ("fr;q=2", "en"),
        ("fr;q=high", "en"),
        (",,;;fr", "en"),
        (",fr", "fr"),
    ],
)
def test_the_preferred_language_is_chosen(header: str, expected: str) -> None:
    """The best weighted available language wins; junk, refusals and strangers give the first."""
    assert best_language(header) == expected


def test_the_first_available_language_is_the_default() -> None:
    """What a site names first is what a caller without preference gets."""
    assert best_language("", ("fr", "en")) == "fr"
    assert best_language("de", ("fr", "en")) == "fr"


def test_an_exact_tag_goes_before_its_language() -> None:
    """A site's regional variant is chosen by those who ask for it, its general one by others."""
    available = ("en", "pt", "pt-BR")

    assert best_language("pt-BR", available) == "pt-BR"
    assert best_language("pt-PT", available) == "pt"


@given(st.text(max_size=400))
def test_any_header_gives_an_available_language(header: str) -> None:
    """Whatever is sent, the answer is one of the languages there are."""
    assert best_language(header) in {"en", "fr"}


def test_text_is_given_in_the_callers_language() -> None:
    """A title of the suite has a French translation, found by region as well."""
    title = ErrorCode.TOKEN_EXPIRED.title

    assert translate(title, "fr") != title
    assert translate(title, "fr-CA") == translate(title, "fr")


@pytest.mark.parametrize("language", ["en", "ja", "", "../fr", "x" * 10_000, "fr\r\n"])
def test_text_without_a_translation_stays_english(language: str) -> None:
    """A language nobody translated, or that is none, leaves the text as it is."""
    assert translate("Nobody translated this", language) == "Nobody translated this"


@pytest.mark.parametrize("language", ["en", "fr"])
def test_an_empty_text_stays_empty(language: str) -> None:
    """No text is given for no text: a catalogue's header does not come out."""
    assert translate("", language) == ""


@pytest.mark.parametrize("language", ["en", "fr"])
def test_lazy_text_translates_itself(language: str) -> None:
    """A framework's lazy text is read as it is, in whatever language it finds."""
    assert translate(LazyText(), language) == "texte paresseux"
