"""The caller's language: which one is chosen, and what happens to text without a translation."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.codes import ErrorCode
from holdfast.language import Texts, best_language, translate
from holdfast.origin import Origin
from holdfast.runtime import Runtime
from holdfast.settings import Settings, SettingsError
from holdfast.starting import configure
from tests.catalogues import write_catalogue


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
        ("fr-CA-x-shop", "fr"),
        ("fr;q=0.5, *;q=0.9", "en"),
        ("*;q=0.5, fr", "fr"),
        ("en;q=0, *", "fr"),
        ("en;q=0, en-GB", "en"),
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
    available = ("en", "pt", "pt-BR", "zh-Hant")

    assert best_language("pt-BR", available) == "pt-BR"
    assert best_language("pt-PT", available) == "pt"
    assert best_language("zh-Hant-TW", available) == "zh-Hant"


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


def test_a_project_translates_its_own_texts(tmp_path: Path) -> None:
    """Every domain in a folder is read, for a region too, and English remains what it was."""
    write_catalogue(tmp_path, "fr", {"Out of stock": "Rupture de stock"}, "shop")
    write_catalogue(tmp_path, "fr", {"Too heavy": "Trop lourd"}, "freight")
    texts = Texts([tmp_path])

    assert texts.translate("Out of stock", "fr-CA") == "Rupture de stock"
    assert texts.translate("Too heavy", "fr") == "Trop lourd"
    assert texts.translate("Out of stock", "en") == "Out of stock"


def test_a_project_has_its_own_words_for_the_texts_that_ship(tmp_path: Path) -> None:
    """In French and in English; what it does not mention stays, and so do other runtimes."""
    write_catalogue(tmp_path, "fr", {"Token expired": "Session terminée"})
    write_catalogue(tmp_path, "en", {"Token expired": "Please sign in again"})
    texts = Texts([tmp_path])

    assert texts.translate("Token expired", "fr") == "Session terminée"
    assert texts.translate("Token expired", "en") == "Please sign in again"
    assert texts.translate("Already exists", "fr") == translate("Already exists", "fr")
    assert translate("Token expired", "fr") == "Token expiré"


def test_a_project_adds_a_language(tmp_path: Path) -> None:
    """A catalogue for the suite's texts is all that it takes."""
    german = write_catalogue(tmp_path, "de", {"Token expired": "Token abgelaufen"}, "holdfast")

    assert Texts([german]).translate("Token expired", "de-AT") == "Token abgelaufen"


def test_a_region_says_what_it_says_otherwise(tmp_path: Path) -> None:
    """Brazilian Portuguese is not that of Portugal; what it lacks comes from the language."""
    write_catalogue(tmp_path, "pt", {"Token expired": "Token expirou", "Gone": "Perdido"})
    write_catalogue(tmp_path, "pt_BR", {"Token expired": "Token vencido"})
    texts = Texts([tmp_path])

    assert texts.translate("Token expired", "pt-BR") == "Token vencido"
    assert texts.translate("Token expired", "pt") == "Token expirou"
    assert texts.translate("Gone", "pt-BR") == "Perdido"


def test_the_first_folder_goes_before_the_second(tmp_path: Path) -> None:
    """And any folder before what the framework knows, which goes before what ships."""
    first = write_catalogue(tmp_path / "a", "fr", {"Token expired": "un"})
    second = write_catalogue(tmp_path / "b", "fr", {"Token expired": "deux", "Gone": "parti"})
    framework = {"Token expired": "trois", "Gone": "quatre", "Task failed": "cinq"}

    texts = Texts([first, second], lambda text, language: framework.get(text))

    assert texts.translate("Token expired", "fr") == "un"
    assert texts.translate("Gone", "fr") == "parti"
    assert texts.translate("Task failed", "fr") == "cinq"
    assert texts.translate("Already exists", "fr") == translate("Already exists", "fr")


def test_a_lookup_that_fails_leaves_the_text(tmp_path: Path) -> None:
    """A framework that is not ready must not hide the error."""

    def fail(text: str, language: str) -> str | None:
        raise LookupError(text)

    assert Texts(lookup=fail).translate("Token expired", "fr") == "Token expired"


def test_an_application_answers_with_its_own_texts(tmp_path: Path) -> None:
    """What the setting `locale` names is used by every format."""
    texts = write_catalogue(tmp_path, "de", {"Internal server error": "Interner Fehler"})
    runtime = Runtime(Settings(reporters=(), languages=("en", "de"), locale=(str(texts),)))
    answer = runtime.handle(RuntimeError("x"), Origin(boundary="job")).answer
    assert answer is not None

    bodies = [
        runtime.render(answer, accept=accept, language="de").body
        for accept in ("", "application/problem+json", "text/html")
    ]

    runtime.close()
    assert all(b"Interner Fehler" in body for body in bodies)
    assert answer.said("de", runtime.texts)[0] == "Interner Fehler"


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (None, "cannot read the catalogues in"),
        ("", "no catalogue such as fr/LC_MESSAGES/shop.mo in"),
        ("fr/LC_MESSAGES/shop.mo", "cannot read the catalogues in"),
    ],
)
def test_folders_of_no_use_are_named_at_start_up(
    tmp_path: Path, made: str | None, said: str
) -> None:
    """One that is not there, holds nothing, or holds a broken catalogue."""
    folder = tmp_path / "locale"
    if made is not None:
        folder.mkdir()
    if made:
        (folder / made).parent.mkdir(parents=True)
        (folder / made).write_bytes(b"broken")

    with pytest.raises(SettingsError, match=r"locale\[0\].*" + said):
        configure(reporters=[], locale=[str(folder)])
