"""Languages under Flask: folders of one's own, and Flask-Babel where a project has it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from holdfast import AppError, ResourceNotFoundError
from holdfast.testing import RecordingReporter
from holdfast_flask import Holdfast
from tests.catalogues import write_catalogue
from tests.flask_ext.conftest import MakeApp

FRENCH = {"Accept-Language": "fr-CA, en;q=0.5"}
TEXTS = {"Collection %(id)s is gone": "La collection %(id)s a disparu", "Token expired": "Fini"}

WithBabel = Callable[..., Flask]


@pytest.fixture
def with_babel(make_app: MakeApp, tmp_path: Path) -> WithBabel:
    """Make an application with Flask-Babel, set up behind ours, that speaks as `selector` says."""
    babel = pytest.importorskip("flask_babel")
    write_catalogue(tmp_path, "fr", TEXTS, "messages")

    def make(selector: Callable[[], str | None] | None = None, **config: object) -> Flask:
        app = make_app(BABEL_TRANSLATION_DIRECTORIES=str(tmp_path), **config)
        babel.Babel(app, locale_selector=selector)

        @app.get("/gone")
        def gone() -> str:
            words = babel.lazy_gettext("Collection %(id)s is gone", id=7)
            raise ResourceNotFoundError(words, details={"hint": [words]})

        @app.get("/expired")
        def expired() -> str:
            raise AppError("TOKEN_EXPIRED", "")

        return app

    return make


def test_a_folder_of_the_application_translates(make_app: MakeApp, tmp_path: Path) -> None:
    """HOLDFAST_LOCALE has the first word on texts that ship, and adds languages."""
    write_catalogue(tmp_path, "de", {"Resource not found": "Nicht gefunden"})
    app = make_app(HOLDFAST_LANGUAGES=["en", "de"], HOLDFAST_LOCALE=[str(tmp_path)])

    answer = app.test_client().get("/nowhere", headers={"Accept-Language": "de-CH"})

    assert answer.json is not None
    assert answer.json["message"] == "Nicht gefunden"
    assert answer.headers["Content-Language"] == "de"


def test_a_folder_is_found_from_wherever_the_application_is_started(tmp_path: Path) -> None:
    """It is relative to the application, as its templates are."""
    write_catalogue(tmp_path / "locale", "fr", {"Resource not found": "Rien ici"})
    app = Flask("tests.flask_ext.app", root_path=str(tmp_path))
    app.config.from_mapping(HOLDFAST_REPORTERS=[], HOLDFAST_LOCALE=["locale"])
    Holdfast(app)

    answer = app.test_client().get("/nowhere", headers=FRENCH)

    assert answer.json is not None
    assert answer.json["message"] == "Rien ici"


@pytest.mark.extra("flask_babel")
def test_a_lazy_message_of_flask_babel_speaks_to_each_in_his_language(
    with_babel: WithBabel, recorded: RecordingReporter
) -> None:
    """French for the caller, values filled in, and English for the record."""
    answer = with_babel().test_client().get("/gone", headers=FRENCH)

    assert answer.json is not None
    assert answer.json["message"] == "La collection 7 a disparu"
    assert answer.json["except"]["details"] == {"hint": ["La collection 7 a disparu"]}
    assert answer.headers["Content-Language"] == "fr"
    assert recorded.records[0].message == "Collection 7 is gone"


@pytest.mark.extra("flask_babel")
@pytest.mark.parametrize(
    ("selected", "expected"), [("fr", "fr"), ("fr_CA", "fr"), ("ja", "en"), (None, "en")]
)
def test_what_flask_babel_chose_goes_before_the_header(
    with_babel: WithBabel, selected: str | None, expected: str
) -> None:
    """The project's own function knows its users; what we do not speak counts for nothing."""
    client = with_babel(lambda: selected).test_client()

    answer = client.get("/nowhere", headers={"Accept-Language": "en"})

    assert answer.headers["Content-Language"] == expected


@pytest.mark.extra("flask_babel")
def test_a_choice_that_fails_leaves_it_to_the_header(with_babel: WithBabel) -> None:
    """The function of the project may be what is broken."""

    def broken() -> str:
        raise LookupError

    answer = with_babel(broken).test_client().get("/nowhere", headers=FRENCH)

    assert (answer.status_code, answer.headers["Content-Language"]) == (404, "fr")


@pytest.mark.extra("flask_babel")
def test_flask_babels_catalogues_have_the_first_word(with_babel: WithBabel) -> None:
    """What the project's `translations` say of a title that ships is what callers read."""
    answer = with_babel().test_client().get("/expired", headers=FRENCH)

    assert answer.json is not None
    assert answer.json["message"] == "Fini"
