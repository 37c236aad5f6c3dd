"""Pages of the codes of a Django project, and the command that exports them."""

import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from types import ModuleType

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import clear_url_caches, include, path, set_script_prefix
from django.utils.translation import gettext_lazy

from holdfast import AppError, CodeSpec, Detail, ErrorCodes, ErrorKind, SettingsError
from holdfast.catalog.compare import compare, load
from holdfast.codes import Declaration, register
from holdfast_django import current
from tests.django_ext.conftest import RecordingProject

PROBLEM = {"Accept": "application/problem+json"}
JSON = {"Accept": "application/json"}


class SledgeCode(ErrorCodes):
    """Codes of a project, in texts that Django translates, and that have to be escaped."""

    SLEDGE_GONE = CodeSpec(
        ErrorKind.CONFLICT,
        gettext_lazy("No"),
        description="Somebody & the <snow>.",
        advice=gettext_lazy("Yes"),
        carries={"hill": Detail(str, gettext_lazy("Monday"))},
    )


def gone(request: HttpRequest) -> HttpResponse:
    """Fail."""
    raise AppError(SledgeCode.SLEDGE_GONE, "Your sledge is gone")


def urlconf(name: str, *patterns: object) -> str:
    """Make a module of addresses and return its name."""
    module = ModuleType(f"{__name__}.{name}")
    setattr(module, "urlpatterns", list(patterns))  # noqa: B010  # of a module made here
    sys.modules[module.__name__] = module
    return module.__name__


CODES = include("holdfast_django.catalog_urls")
SERVED = urlconf("served", path("about/errors/", CODES), path("gone", gone))
PREFIXED = urlconf("prefixed", *i18n_patterns(path("errors/", CODES), path("gone", gone)))
NAMED = urlconf(
    "named",
    path("errors/", include(("holdfast_django.catalog_urls", "codes"))),
    path("gone", gone),
)


@pytest.fixture
def client() -> Iterator[Client]:
    """A client of a project that shows its codes."""
    with override_settings(ROOT_URLCONF=SERVED):
        yield Client()
    clear_url_caches()


def test_a_project_does_not_start_with_a_code_that_two_places_declare(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Making its runtime names both places."""
    declared = register.known["SLEDGE_GONE"]
    other = Declaration("SLEDGE_GONE", declared.spec, "shop.errors.SledgeGone")
    monkeypatch.setattr(register, "clashes", [(declared, other)])

    with pytest.raises(SettingsError, match=r"SledgeCode and again by shop\.errors\.SledgeGone"):
        current.rebuild()


def test_the_type_of_a_problem_leads_to_its_page(client: Client) -> None:
    """What a caller finds at the address of the problem's type is what the code means."""
    problem = client.get("/gone", headers=PROBLEM).json()

    page = client.get(problem["type"], headers=JSON).json()

    assert problem["type"] == "/about/errors/SLEDGE_GONE"
    assert (page["code"], page["status"], page["kind"]) == ("SLEDGE_GONE", 409, "CONFLICT")


def test_the_type_leads_there_below_a_mount(client: Client) -> None:
    """Below a path of the server's, the type is the page's whole path."""
    set_script_prefix("/shop/")  # as Django's handlers do, and its test client does not
    try:
        problem = client.get("/gone", headers=PROBLEM).json()
    finally:
        set_script_prefix("/")

    assert problem["type"] == "/shop/about/errors/SLEDGE_GONE"


def test_the_type_is_the_same_in_every_language() -> None:
    """A type says which error it is, so that it is one address, under i18n_patterns too."""
    with override_settings(ROOT_URLCONF=PREFIXED, LANGUAGE_CODE="en"):
        in_french, in_english = (
            Client().get(f"/{language}/gone", headers=PROBLEM).json() for language in ("fr", "en")
        )

        assert in_french["type"] == in_english["type"] == "/en/errors/SLEDGE_GONE"
        assert Client().get(in_french["type"]).status_code == 200


@pytest.mark.parametrize("addresses", [NAMED, "tests.django_ext.project.urls"])
def test_without_pages_no_type_promises_one(addresses: str) -> None:
    """Where the pages are not included, or under a name that cannot be known, the type is none."""
    with override_settings(ROOT_URLCONF=addresses):
        problem = Client().get("/nowhere", headers=PROBLEM).json()

    assert problem["type"] == "about:blank"


def test_a_type_that_the_project_sets_stays(client: Client, project: RecordingProject) -> None:
    """`PROBLEM_TYPE` goes before the pages: their public address may be another."""
    project.configure(problem_type="https://docs.example/{code}")

    problem = client.get("/gone", headers=PROBLEM).json()

    assert problem["type"] == "https://docs.example/SLEDGE_GONE"


def test_people_get_a_page(client: Client) -> None:
    """Whoever does not ask for JSON gets HTML, escaped, without scripts and styles."""
    response = client.get("/about/errors/SLEDGE_GONE")

    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    text = response.content.decode()
    assert "<h1>SLEDGE_GONE: No</h1>" in text
    assert "<p>Somebody &amp; the &lt;snow&gt;.</p>" in text
    assert "<dd>string. Monday</dd>" in text
    assert "<script" not in text
    assert "style" not in text


def test_a_page_speaks_the_language_of_the_request(client: Client) -> None:
    """Texts that Django translates are translated, and so is what the page says itself."""
    response = client.get("/about/errors/SLEDGE_GONE", headers={"Accept-Language": "fr"})

    text = response.content.decode()
    assert response.headers["Content-Language"] == "fr"
    assert '<html lang="fr">' in text
    assert "<h1>SLEDGE_GONE: Non</h1>" in text
    assert "<p>Oui</p>" in text
    assert "lundi" in text.lower()
    assert {"Accept", "Accept-Language"} <= set(response.headers["Vary"].split(", "))


def test_the_list_for_programs_is_an_export(client: Client) -> None:
    """A client may compare what a service promises today with what it promised before."""
    listed = load(client.get("/about/errors/", headers=JSON).content)

    assert listed["SLEDGE_GONE"].status == 409
    assert compare(listed, listed) == []


def test_the_list_has_a_link_to_every_page(client: Client) -> None:
    """From the list one gets to any code, and without the slash one gets to the list."""
    response = client.get("/about/errors", follow=True)

    assert response.status_code == 200
    assert '<a href="SLEDGE_GONE"><code>SLEDGE_GONE</code></a>' in response.content.decode()


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("headers", [JSON, {}])
def test_only_a_developer_sees_where_a_code_is_declared(
    client: Client,
    debug: bool,  # noqa: FBT001  # a parameter
    headers: dict[str, str],
) -> None:
    """Names of modules and classes stay inside, unless DEBUG is on."""
    with override_settings(DEBUG=debug):
        response = client.get("/about/errors/SLEDGE_GONE", headers=headers)

    assert ("SledgeCode" in response.content.decode()) is debug


def test_a_page_that_has_not_changed_is_not_sent_again(client: Client) -> None:
    """A cache asks with the tag it got, and is told that it has the page already."""
    first = client.get("/about/errors/SLEDGE_GONE")
    tag = {"If-None-Match": first.headers["ETag"]}

    second = client.get("/about/errors/SLEDGE_GONE", headers=tag)
    in_french = client.get("/about/errors/SLEDGE_GONE", headers={**tag, "Accept-Language": "fr"})

    assert first.headers["Cache-Control"] == "no-cache"
    assert (second.status_code, second.content) == (304, b"")
    assert in_french.status_code == 200


def test_head_gets_the_headers_alone(client: Client) -> None:
    """A link checker need not load the page; other methods are refused."""
    response = client.head("/about/errors/SLEDGE_GONE")

    assert (response.status_code, response.content) == (200, b"")
    assert client.post("/about/errors/SLEDGE_GONE", headers=JSON).status_code == 405


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("code", ["NOBODY_DECLARED_THIS", "nobody", "%3Cscript%3E", "A" * 300])
def test_an_unknown_code_is_not_found(
    client: Client,
    project: RecordingProject,
    code: str,
    debug: bool,  # noqa: FBT001  # a parameter
) -> None:
    """An address that no code has is answered as any other that is not there."""
    with override_settings(DEBUG=debug):
        response = client.get(f"/about/errors/{code}", headers=JSON)

    assert response.status_code == 404
    assert response.json()["except"]["code"] == "RESOURCE_NOT_FOUND"
    (record,) = project.recorded.records
    assert record.classification.code == "RESOURCE_NOT_FOUND"


def test_a_code_in_lower_case_leads_to_its_page(client: Client) -> None:
    """There is one address for each code, and whoever types another way is sent there."""
    response = client.get("/about/errors/sledge_Gone")

    assert response.status_code == 301
    assert response.headers["Location"] == "/about/errors/SLEDGE_GONE"


def test_a_code_that_a_view_declares_again_is_told_by_check_and_by_the_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Views are imported after the start, where the runtime cannot see it any more."""
    (tmp_path / "ice_urls.py").write_text(
        "from holdfast import CodeSpec, ErrorCodes, ErrorKind\n"
        "class IceCode(ErrorCodes):\n"
        "    SLEDGE_GONE = CodeSpec(ErrorKind.NOT_FOUND, 'Again')\n"
        "urlpatterns = []\n"
    )
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(register, "clashes", [])

    with override_settings(ROOT_URLCONF="ice_urls"):
        found = [message for message in run_checks() if message.id == "holdfast.E002"]
        with pytest.raises(CommandError, match=r"SLEDGE_GONE is declared by .*IceCode"):
            export()

    clear_url_caches()
    assert [message.msg for message in found] == [
        f"code SLEDGE_GONE is declared by {__name__}.SledgeCode and again by ice_urls.IceCode"
    ]


def export(*arguments: str) -> str:
    """Return what the command writes."""
    out = StringIO()
    call_command("holdfast_codes", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_exports_the_codes_in_english() -> None:
    """An export does not depend on the language of the project."""
    with override_settings(LANGUAGE_CODE="fr"):
        written = export("--format", "json")

    assert load(written)["SLEDGE_GONE"].status == 409
    assert '"title": "No"' in written
    assert '"description": "Monday"' in written


@pytest.mark.parametrize("form", ["typescript", "markdown", "text"])
def test_the_command_knows_every_form(form: str) -> None:
    """`manage.py holdfast_codes` knows the forms that `holdfast codes` knows."""
    assert "SLEDGE_GONE" in export("--format", form)


def test_the_command_imports_what_it_is_told_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module that no app imports may declare codes, too."""
    (tmp_path / "skate_errors.py").write_text(
        "from holdfast import AppError, ErrorKind\n"
        "class SkateBlunt(AppError):\n    kind = ErrorKind.CONFLICT\n"
    )
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])

    assert "SKATE_BLUNT" in export("skate_errors")
