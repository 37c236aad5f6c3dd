"""Languages under Django: whose choice counts, and what Django's machinery translates."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol, cast

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings
from django.conf.urls.i18n import i18n_patterns
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.validators import MaxLengthValidator
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import URLPattern, URLResolver, path
from django.utils.translation import gettext_lazy

from holdfast import ResourceNotFoundError
from holdfast.errors import AppError
from holdfast_django.conf import load
from tests.catalogues import write_catalogue
from tests.django_ext.conftest import RecordingProject

OURS = "holdfast_django.middleware.HoldfastMiddleware"
LOCALE = "django.middleware.locale.LocaleMiddleware"
REQUIRED, OBLIGATORY = "This field is required.", "Ce champ est obligatoire."
SITE = [("en", "English"), ("de", "Deutsch")]
FRENCH = {"Accept-Language": "fr-CA, en;q=0.5"}


def lazily(request: HttpRequest) -> HttpResponse:
    """Raise with a text that translates itself."""
    raise ResourceNotFoundError(
        gettext_lazy(REQUIRED),  # type: ignore[arg-type]  # typed as what it becomes
        details={"hint": gettext_lazy(REQUIRED)},
    )


def invalid(request: HttpRequest) -> HttpResponse:
    """Raise what Django's own validation raises, with and without values in it."""
    try:
        MaxLengthValidator(3)("four")
    except ValidationError as error:
        raise ValidationError({"sku": error, "name": gettext_lazy(REQUIRED)}) from None
    return HttpResponse()


def denied(request: HttpRequest) -> HttpResponse:
    """Raise Django's own refusal with a text that translates itself."""
    raise PermissionDenied(gettext_lazy(REQUIRED))


def expired(request: HttpRequest) -> HttpResponse:
    """Raise with one of the titles that ship."""
    raise AppError("TOKEN_EXPIRED", "")


async def lazily_in_a_coroutine(request: HttpRequest) -> HttpResponse:
    """Raise in asynchronous code."""
    return lazily(request)


urlpatterns: list[URLPattern | URLResolver] = [
    path("lazily", lazily),
    path("coroutine", lazily_in_a_coroutine),
    path("invalid", invalid),
    path("denied", denied),
    path("expired", expired),
    *i18n_patterns(path("prefixed", expired)),
]


def failing(get_response: object) -> Callable[[HttpRequest], HttpResponse]:
    """Fail before any middleware below had a say."""
    return lazily


class Get(Protocol):
    """Asks the project for an address."""

    def __call__(self, address: str, *, headers: dict[str, str]) -> HttpResponse:
        """Return what it answers."""
        ...


@pytest.fixture(params=["sync", "async"])
def get(request: pytest.FixtureRequest) -> Iterator[Get]:
    """Ask the project as a WSGI and as an ASGI server does."""

    def synchronous(address: str, *, headers: dict[str, str]) -> HttpResponse:
        found = Client(raise_request_exception=False).get(address, headers=headers)
        return cast("HttpResponse", found)

    async def asynchronous(address: str, *, headers: dict[str, str]) -> HttpResponse:
        found = await AsyncClient(raise_request_exception=False).get(address, headers=headers)
        return cast("HttpResponse", found)

    with override_settings(ROOT_URLCONF=__name__):
        yield synchronous if request.param == "sync" else async_to_sync(asynchronous)


def body_of(response: HttpResponse) -> Any:  # noqa: ANN401  # JSON
    """Return what a response says."""
    return json.loads(response.content)


@pytest.mark.parametrize("address", ["/lazily", "/coroutine"])
@pytest.mark.parametrize("middleware", [[OURS], [OURS, LOCALE]])
def test_a_lazy_message_speaks_to_each_in_his_language(
    get: Get, project: RecordingProject, address: str, middleware: list[str]
) -> None:
    """The caller reads French in message, errors and details, the record is in English."""
    with override_settings(MIDDLEWARE=middleware):
        response = get(address, headers=FRENCH)

    body = body_of(response)
    assert (body["message"], body["errors"]) == (OBLIGATORY, [OBLIGATORY])
    assert body["except"]["details"] == {"hint": OBLIGATORY}
    assert response.headers["Content-Language"] == "fr"
    assert project.recorded.records[0].message == REQUIRED


@pytest.mark.parametrize("middleware", [[OURS], [OURS, LOCALE]])
def test_what_django_says_of_fields_is_in_the_callers_language(
    get: Get, project: RecordingProject, middleware: list[str]
) -> None:
    """Values and plurals included, although it is written after the view has ended."""
    with override_settings(MIDDLEWARE=middleware):
        french = body_of(get("/invalid", headers=FRENCH))
        english = body_of(get("/invalid", headers={"Accept-Language": "en"}))

    said = french["except"]["details"]["field_errors"]
    assert said["name"] == [OBLIGATORY]
    assert said["sku"][0].startswith("Assurez-vous que cette valeur comporte au plus 3 caractères")
    assert f"name: {OBLIGATORY}" in french["errors"]
    assert english["except"]["details"]["field_errors"]["name"] == [REQUIRED]
    assert REQUIRED in project.recorded.records[0].message


def test_a_refusal_of_djangos_may_be_lazy(get: Get, project: RecordingProject) -> None:
    """`PermissionDenied(gettext_lazy(...))` says what it was given."""
    response = get("/denied", headers=FRENCH)

    assert body_of(response)["message"] == OBLIGATORY
    assert project.recorded.records[0].message == REQUIRED


@pytest.mark.extra("rest_framework")
@override_settings(ROOT_URLCONF="tests.django_ext.project.urls")
def test_what_rest_framework_says_of_fields_is_in_the_callers_language() -> None:
    """It translates where it raises, while `LocaleMiddleware`'s choice is active."""
    client = Client(raise_request_exception=False)

    response = client.post("/drf/invalid", {}, content_type="application/json", headers=FRENCH)

    assert OBLIGATORY in str(response.json()["except"]["details"])
    assert response.headers["Content-Language"] == "fr"


@pytest.mark.parametrize(
    ("address", "cookie", "expected"),
    [
        ("/lazily", "", "en"),
        ("/lazily", "fr", "fr"),
        ("/fr/prefixed", "", "fr"),
        ("/fr/prefixed", "en", "fr"),
        ("/en/prefixed", "fr", "en"),
    ],
)
@override_settings(ROOT_URLCONF=__name__)
def test_an_error_before_djangos_choice_is_answered_as_one_behind_it(
    address: str, cookie: str, expected: str, project: RecordingProject
) -> None:
    """By the path, by the cookie, by the header: the answer does not depend on where the error was."""
    client = Client(raise_request_exception=False)
    if cookie:
        client.cookies[settings.LANGUAGE_COOKIE_NAME] = cookie

    with override_settings(MIDDLEWARE=[OURS, f"{__name__}.failing", LOCALE]):
        before = client.get(address)
    with override_settings(MIDDLEWARE=[OURS, LOCALE, f"{__name__}.failing"]):
        behind = client.get(address)

    languages = [response.headers["Content-Language"] for response in (before, behind)]
    assert languages == [expected, expected]
    assert before.json()["message"] == behind.json()["message"]


def test_the_projects_catalogue_has_the_first_word(
    get: Get, project: RecordingProject, tmp_path: Path
) -> None:
    """What its `locale` says of a title that ships is what callers read."""
    write_catalogue(tmp_path, "fr", {"Token expired": "Session terminée"}, "django")

    with override_settings(LOCALE_PATHS=[tmp_path]):
        mine = body_of(get("/expired", headers=FRENCH))["message"]

    assert mine == "Session terminée"


@override_settings(HOLDFAST={"LANGUAGES": ["en", "de"], "REPORTERS": []})
def test_the_projects_catalogue_may_add_a_language(get: Get, tmp_path: Path) -> None:
    """A German catalogue of Django's kind, and German among `LANGUAGES`."""
    write_catalogue(tmp_path, "de", {"Token expired": "Token abgelaufen"}, "django")

    with override_settings(LOCALE_PATHS=[tmp_path]):
        response = get("/expired", headers={"Accept-Language": "de-AT"})

    assert body_of(response)["message"] == "Token abgelaufen"
    assert response.headers["Content-Language"] == "de"


@pytest.mark.parametrize("middleware", [[OURS], [OURS, LOCALE]])
@pytest.mark.parametrize("ours", [{}, {"LANGUAGE": "de"}])
def test_a_language_that_the_site_offers_is_spoken(
    get: Get, middleware: list[str], ours: dict[str, str]
) -> None:
    """`LANGUAGES` of the site is enough for the project's own texts; what ships says that it is English."""
    german = {"Accept-Language": "de-AT, fr;q=0.5"}
    told: dict[str, object] = {**ours, "REPORTERS": ()}
    with override_settings(LANGUAGES=SITE, MIDDLEWARE=middleware, HOLDFAST=told):
        mine, shipped = get("/lazily", headers=german), get("/expired", headers=german)
        french = get("/expired", headers={"Accept-Language": "fr"})

    assert body_of(mine)["message"] == "Dieses Feld ist zwingend erforderlich."
    assert mine.headers["Content-Language"] == "de"
    assert body_of(shipped)["message"] == "Token expired"
    assert shipped.headers["Content-Language"] == "en"
    if middleware == [OURS] and not ours:
        assert french.headers["Content-Language"] == "fr"


def test_djangos_own_list_of_languages_is_nobodys_offer() -> None:
    """A project that chose none keeps those that ship."""
    with override_settings(HOLDFAST={"REPORTERS": []}):
        assert load().languages == ("en", "fr")


@override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=[OURS])
def test_the_projects_page_is_written_in_the_language_of_the_answer(tmp_path: Path) -> None:
    """What the template translates itself is what the message is in."""
    (tmp_path / "404.html").write_text(f'{{% load i18n %}}{{% translate "{REQUIRED}" %}}')
    (engine,) = settings.TEMPLATES

    with override_settings(TEMPLATES=[{**engine, "DIRS": [tmp_path]}]):
        response = Client().get("/lazily", headers={**FRENCH, "Accept": "text/html"})

    assert response.content.decode() == OBLIGATORY
    assert response.headers["Content-Language"] == "fr"


@override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=[OURS], LANGUAGES=SITE)
def test_the_projects_page_has_the_callers_language_though_our_words_are_english(
    tmp_path: Path,
) -> None:
    """The template is the project's, and so is its translation."""
    (tmp_path / "401.html").write_text(f'{{% load i18n %}}{{% translate "{REQUIRED}" %}}')
    (engine,) = settings.TEMPLATES

    with override_settings(TEMPLATES=[{**engine, "DIRS": [tmp_path]}]):
        page = Client().get("/expired", headers={"Accept-Language": "de", "Accept": "text/html"})

    assert page.content.decode() == "Dieses Feld ist zwingend erforderlich."
    assert page.headers["Content-Language"] == "de"
