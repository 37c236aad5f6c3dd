"""The catalogue as pages: what the type of a problem leads to, for people and for programs."""

import json
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import catalog
from holdfast.catalog.pages import SAID, Page, Pages, canonical
from holdfast.codes import CodeSpec, Declaration, Detail, ErrorKind, register
from holdfast.envelope import prefers_json
from holdfast.language import Texts

SOURCE = f"{__name__}.RaftCode"
MARKUP = st.lists(st.sampled_from(["<b>", "</p>", "<!--", "&lt;", '"', "'", ">", "x"])).map("".join)


@pytest.fixture(autouse=True)
def own_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget at the end of the test which codes it made."""
    monkeypatch.setattr(register, "known", dict(register.known))


def declare(title: str = "Raft sunk", description: str = "", advice: str = "") -> None:
    """Declare the code RAFT_SUNK, or declare it again."""
    spec = CodeSpec(
        ErrorKind.UNAVAILABLE,
        title,
        description=description,
        advice=advice,
        category="RIVER",
        carries={"depth": Detail(float | None, "In metres")},
    )
    register.known["RAFT_SUNK"] = Declaration("RAFT_SUNK", spec, SOURCE)


def pages(*, language: str = "en", as_json: bool = False, debug: bool = False) -> Pages:
    """Return the pages for a caller, in a language that writes everything in capitals but English."""
    texts = Texts(lookup=lambda text, tag: text.upper() if tag == "xx" else None)
    return Pages(language=language, texts=texts, as_json=as_json, debug=debug)


def text_of(page: Page | None) -> str:
    """Return the body of a page that is there."""
    assert page is not None
    return page.body.decode()


class Elements(HTMLParser):
    """Collects the tags of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.said: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep a tag."""
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        """Keep text."""
        self.said.append(data)


def test_a_page_says_everything_of_a_code() -> None:
    """Title, description, advice, the facts and the details of a code are on its page."""
    declare(description="It hit `the` bank.", advice="Swim.")

    said = Elements(text_of(pages().of("RAFT_SUNK"))).said

    assert [text for text in said if text.strip()] == [
        *("RAFT_SUNK: Raft sunk", "RAFT_SUNK: Raft sunk", "It hit ", "the", " bank."),
        *("What you can do", "Swim.", "Status", "503", "Kind", "UNAVAILABLE"),
        *("Type", "ServiceUnavailableError", "Category", "RIVER", "Trying again may help", "yes"),
        *("Details", "depth", "number or null. In metres", "Error codes"),
    ]


def test_a_page_is_in_the_language_of_its_reader() -> None:
    """Every word that is not a name of something is translated, those of the page too."""
    declare(description="It hit the bank.", advice="Swim.")

    page = pages(language="xx").of("RAFT_SUNK")

    said = Elements(text_of(page)).said
    names = {
        "RAFT_SUNK: RAFT SUNK",
        "ServiceUnavailableError",
        "depth",
        "number or null. IN METRES",
    }
    assert [text for text in said if text.upper() != text and text not in names] == []
    assert page is not None
    assert page.headers["Content-Language"] == "xx"
    assert '<html lang="xx">' in text_of(page)


def test_a_page_that_nobody_has_translated_says_that_it_is_english() -> None:
    """Whatever language was chosen for it."""
    page = Pages(language="de", texts=Texts(), as_json=False).index()

    assert page.headers["Content-Language"] == "en"
    assert '<html lang="en">' in text_of(page)


def test_what_the_pages_say_themselves_is_listed_for_translators() -> None:
    """`SAID` holds the words that a catalogue has to translate."""
    declare()
    asked: set[str] = set()
    texts = Texts(lookup=lambda text, tag: asked.add(text))
    made = Pages(language="xx", texts=texts, as_json=False, debug=True)

    made.index()
    made.of("RAFT_SUNK")
    made.of("TOKEN_EXPIRED")

    of_codes = {text for entry in catalog.entries() for text in texts_of(entry)}
    assert asked - of_codes == set(SAID)


def texts_of(entry: catalog.CatalogEntry) -> Iterator[str]:
    """Yield what a code says."""
    yield from (entry.title, entry.description, entry.advice)
    yield from (str(detail.description) for detail in entry.details.values())


@given(MARKUP, MARKUP, MARKUP)
def test_no_text_becomes_an_element(title: str, description: str, advice: str) -> None:
    """Whatever a project writes, it is text on the page; only a pair of backquotes marks code."""
    declare("-", "-", "-")
    plain = Elements(text_of(pages().of("RAFT_SUNK"))).tags

    declare(title, description, advice or "-")
    page = text_of(pages().of("RAFT_SUNK"))

    assert Elements(page).tags == plain


@given(st.text(), st.text())
def test_json_holds_every_text_as_it_is(title: str, advice: str) -> None:
    """What a program gets is JSON, whatever a project writes."""
    declare(title, advice=advice or "-")

    found = json.loads(text_of(pages(as_json=True).of("RAFT_SUNK")))

    assert (found["title"], found["advice"]) == (title, advice or "-")


def test_the_list_holds_every_code() -> None:
    """For people as a table with links, for programs as an export."""
    declare()

    listed = json.loads(text_of(pages(as_json=True).index()))["codes"]

    assert [entry["code"] for entry in listed] == [entry.code for entry in catalog.entries()]
    assert '<a href="RAFT_SUNK"><code>RAFT_SUNK</code></a>' in text_of(pages().index())


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("as_json", [False, True])
def test_only_developers_see_where_a_code_is_declared(as_json: bool, debug: bool) -> None:  # noqa: FBT001  # parameters
    """What is inside stays inside."""
    declare()

    assert (SOURCE in text_of(pages(as_json=as_json, debug=debug).of("RAFT_SUNK"))) is debug


def test_the_tag_changes_with_the_page() -> None:
    """A cache notices a text that was reworded, and that nothing was."""
    declare("Raft sunk")
    first, again = pages().of("RAFT_SUNK"), pages().of("RAFT_SUNK")
    declare("Raft lost")
    second = pages().of("RAFT_SUNK")

    assert first and again and second  # noqa: PT018  # they are there
    assert first.etag == again.etag != second.etag


def test_an_unknown_code_has_no_page() -> None:
    """None stands for a code that nobody declared."""
    assert pages().of("NOBODY_DECLARED_THIS") is None


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("token_expired", "TOKEN_EXPIRED"),
        ("Token_Expired", "TOKEN_EXPIRED"),
        ("TOKEN_EXPIRED", ""),
        ("nobody", ""),
        ("", ""),
        ("token_expıred", ""),  # noqa: RUF001  # a letter whose capital is an I
    ],
)
def test_a_code_has_one_address(typed: str, written: str) -> None:
    """What was typed in another case leads to the one address, and nothing else leads anywhere."""
    assert canonical(typed) == written


@pytest.mark.parametrize(
    ("accept", "program"),
    [
        ("", False),
        ("*/*", False),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", False),
        ("text/html, application/json;q=0.5", False),
        ("application/json;q=0", False),
        ("image/png", False),
        ("application/json", True),
        ("application/json, text/plain, */*", True),
        ("application/json, text/html", True),
        ("application/*", True),
        ("x" * 10_000, False),
    ],
)
def test_who_names_json_is_a_program(accept: str, program: bool) -> None:  # noqa: FBT001  # a parameter
    """A browser, and whoever takes anything, gets a page to read."""
    assert prefers_json(accept) is program
