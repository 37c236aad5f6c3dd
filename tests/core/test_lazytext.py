"""Texts that translate themselves: in the source language for operators, in the caller's for the answer."""

import copy
import pickle
import weakref
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import pytest

from holdfast import lazytext
from holdfast.errors import AppError, ResourceNotFoundError, ValidationError
from holdfast.kinds import ErrorKind
from holdfast.origin import Origin
from holdfast.runtime import Runtime
from holdfast.settings import Settings

ACTIVE = ContextVar("active", default="fr")
FRENCH = {"sold out": "épuisé", "required": "obligatoire", "Sold out": "Rupture de stock"}


class Lazy:
    """A framework's text; French is active unless somebody makes another language so."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return FRENCH[self.text] if ACTIVE.get() == "fr" else self.text


class Brokenly(Lazy):
    """A text that cannot be translated."""

    def __str__(self) -> str:
        if ACTIVE.get() == "fr":
            raise LookupError(self.text)
        return self.text


@contextmanager
def speaking(language: str) -> Generator[None, None, None]:
    """Make a language the active one."""
    token = ACTIVE.set(language)
    try:
        yield
    finally:
        ACTIVE.reset(token)


@pytest.fixture(autouse=True)
def voice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A framework that translates is there."""
    monkeypatch.setattr(lazytext, "_voices", [])
    for cls in (Lazy, Brokenly):
        lazytext.add_voice(f"{cls.__module__}.{cls.__qualname__}", speaking)


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    """A runtime that tells nobody."""
    made = Runtime(Settings(reporters=()))
    yield made
    made.close()


def lazy(text: str) -> str:
    """Return a lazy text as its framework types it."""
    return Lazy(text)  # type: ignore[return-value]  # as `gettext_lazy` does


def test_a_lazy_message_is_for_operators_in_the_source_language() -> None:
    """Whatever language is active where the error is raised."""
    error = ResourceNotFoundError(lazy("sold out"), errors=[lazy("required")])

    assert (error.message, str(error), error.errors) == ("sold out", "sold out", ("required",))


def test_a_lazy_message_is_for_the_caller_in_the_callers_language(runtime: Runtime) -> None:
    """One error, one record, and each answer in the language that is asked for."""
    verdict = runtime.handle(ResourceNotFoundError(lazy("sold out")), Origin(boundary="job"))

    assert verdict.record is not None
    assert verdict.answer is not None
    assert verdict.record.message == "sold out"
    assert verdict.answer.said("fr") == ("épuisé", ["épuisé"])
    assert verdict.answer.said("en") == ("sold out", ["sold out"])
    assert "épuisé".encode() in runtime.render(verdict.answer, language="fr").body


def test_lazy_texts_of_fields_are_for_the_caller_everywhere(runtime: Runtime) -> None:
    """In the sentences and in the details, however deep, and in every format."""
    error = ValidationError(
        field_errors={"sku": [lazy("required"), "plain"]}, details={"hint": [Lazy("sold out")]}
    )

    answer = runtime.handle(error, Origin(boundary="job")).answer

    assert answer is not None
    french = answer.in_language("fr")
    assert french.errors == ("sku: obligatoire", "sku: plain")
    assert french.details["field_errors"] == {"sku": ["obligatoire", "plain"]}
    english = answer.in_language("en")
    assert english.errors == ("sku: required", "sku: plain")
    assert english.details["field_errors"] == {"sku": ["required", "plain"]}
    problem = runtime.render(answer, accept="application/problem+json", language="fr")
    assert b"obligatoire" in problem.body


def test_the_record_has_the_source_language_of_any_error(runtime: Runtime) -> None:
    """Exceptions of a framework hold lazy texts as well."""
    record = runtime.handle(LookupError(Lazy("sold out")), Origin(boundary="job")).record

    assert record is not None
    assert record.message == "sold out"


def test_a_title_that_is_lazy_stands_in_for_a_missing_message() -> None:
    """In the source language, as the message would be."""

    class SoldOutError(AppError):
        """Nothing is left."""

        code = "TEST_LAZY_SOLD_OUT"
        kind = ErrorKind.CONFLICT
        title = Lazy("Sold out")

    assert str(SoldOutError()) == "Sold out"


def test_a_text_that_cannot_be_translated_comes_out_as_it_was_written(runtime: Runtime) -> None:
    """The caller gets the source language, and the error is not hidden."""
    broken: str = Brokenly("sold out")  # type: ignore[assignment]  # as `gettext_lazy` is typed

    answer = runtime.handle(ResourceNotFoundError(broken), Origin(boundary="job")).answer

    assert answer is not None
    assert answer.said("fr") == ("sold out", ["sold out"])


def test_what_a_lazy_text_says_is_redacted_in_every_language(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret that only the translation has does not come out."""
    monkeypatch.setitem(FRENCH, "sold out", "password=hunter2secret")

    answer = runtime.handle(ResourceNotFoundError(lazy("sold out")), Origin(boundary="job")).answer

    assert answer is not None
    assert "hunter2secret" not in str(answer.said("fr"))


def test_an_error_with_a_lazy_message_survives_pickle_and_copy() -> None:
    """A copy speaks every language; what went through pickle keeps the source language."""
    error = ValidationError(lazy("sold out"), field_errors={"sku": [lazy("required")]})

    loaded = pickle.loads(pickle.dumps(error))  # noqa: S301  # made here
    copied = copy.deepcopy(error)

    assert (loaded.message, loaded.errors) == ("sold out", ("sku: required",))
    assert type(loaded.message) is str
    assert lazytext.can_be_read_again(copied.message)


def test_one_lazy_text_is_one_sentence() -> None:
    """Like one `str`, it is not taken apart."""
    assert AppError("x", errors=lazy("required")).errors == ("required",)


def test_words_that_are_no_lazy_text_stay_as_they_are(runtime: Runtime) -> None:
    """A plain message is the raiser's, in whatever language, and nothing is kept to read it again."""
    answer = runtime.handle(ResourceNotFoundError("sold out"), Origin(boundary="job")).answer

    assert answer is not None
    assert answer.unread is None
    assert answer.said("fr") == ("sold out", ["sold out"])


def test_a_language_that_cannot_be_made_active_does_no_harm(runtime: Runtime) -> None:
    """A framework that refuses leaves the texts in the language that it speaks."""

    def refuse(language: str) -> Generator[None, None, None]:
        raise LookupError(language)

    lazytext.add_voice("tests.Refusing", contextmanager(refuse))

    answer = runtime.handle(ResourceNotFoundError(lazy("sold out")), Origin(boundary="job")).answer

    assert answer is not None
    assert answer.said("fr")[0] == "épuisé"


def test_the_answer_holds_no_error(runtime: Runtime) -> None:
    """What is kept to be read again holds neither the exception nor its frames."""
    error = ResourceNotFoundError(lazy("sold out"))
    alive = weakref.ref(error)

    answer = runtime.handle(error, Origin(boundary="job")).answer
    del error

    assert answer is not None
    assert answer.unread is not None
    assert alive() is None
