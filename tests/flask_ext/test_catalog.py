"""Pages of the codes of a Flask application, and the command that exports them."""

import json
import sys
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from holdfast import AppError, CodeSpec, Detail, ErrorCodes, ErrorKind, SettingsError
from holdfast.catalog.compare import compare, load
from holdfast.codes import Declaration, register
from holdfast.testing import RecordingReporter
from tests.flask_ext.conftest import MakeApp

PROBLEM = {"Accept": "application/problem+json"}
JSON = {"Accept": "application/json"}


class KiteCode(ErrorCodes):
    """Codes of a project, with texts that have to be escaped."""

    KITE_TORN = CodeSpec(
        ErrorKind.CONFLICT,
        "Kite <torn>",
        description="Somebody & the wind.",
        advice="See `details.holes` & <mend> it.",
        carries={"holes": Detail(int, "How <many>")},
    )


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """An application that shows its codes."""
    app = make_app(HOLDFAST_CATALOG_PREFIX="/about/errors")

    @app.get("/torn")
    def torn() -> str:
        raise AppError(KiteCode.KITE_TORN, "Your kite is torn")

    return app


def test_an_application_does_not_start_with_a_code_that_two_places_declare(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connecting it names both places."""
    declared = register.known["KITE_TORN"]
    other = Declaration("KITE_TORN", declared.spec, "shop.errors.KiteTorn")
    monkeypatch.setattr(register, "clashes", [(declared, other)])

    with pytest.raises(SettingsError, match=r"KiteCode and again by shop\.errors\.KiteTorn"):
        make_app()


def test_the_type_of_a_problem_leads_to_its_page(client: FlaskClient) -> None:
    """What a caller finds at the address of the problem's type is what the code means."""
    problem = client.get("/torn", headers=PROBLEM).json
    assert problem

    page = client.get(problem["type"], headers=JSON).json

    assert problem["type"] == "/about/errors/KITE_TORN"
    assert page
    assert (page["code"], page["status"], page["kind"]) == ("KITE_TORN", 409, "CONFLICT")
    assert page["details"] == {"holes": {"type": "integer", "description": "How <many>"}}


def test_the_type_leads_there_below_a_mount(app: Flask) -> None:
    """Mounted below a path, the application names the page's whole path, percent-encoded."""
    mounted = DispatcherMiddleware(Flask("empty"), {"/café".encode().decode("latin-1"): app})
    client = Client(mounted)

    problem = json.loads(client.get("/café/torn", headers=PROBLEM).data)

    assert problem["type"] == "/caf%C3%A9/about/errors/KITE_TORN"
    assert client.get(problem["type"]).status_code == 200


def test_a_type_that_the_project_sets_stays(make_app: MakeApp) -> None:
    """`PROBLEM_TYPE` goes before the pages: their public address may be another."""
    app = make_app(
        HOLDFAST_CATALOG_PREFIX="/errors", HOLDFAST_PROBLEM_TYPE="https://docs.example/{code}"
    )

    problem = app.test_client().get("/nowhere", headers=PROBLEM).json

    assert problem
    assert problem["type"] == "https://docs.example/RESOURCE_NOT_FOUND"


def test_without_a_prefix_there_are_no_pages(make_app: MakeApp) -> None:
    """Nothing is served unless the project asks for it, and no type promises a page."""
    client = make_app().test_client()

    problem = client.get("/errors/TOKEN_EXPIRED", headers=PROBLEM)

    assert problem.status_code == 404
    assert problem.json
    assert problem.json["type"] == "about:blank"


@pytest.mark.parametrize("accept", ["text/html,*/*;q=0.8", "*/*", "", "image/png"])
def test_people_get_a_page(client: FlaskClient, accept: str) -> None:
    """Whoever does not ask for JSON gets HTML, escaped, without scripts and styles."""
    response = client.get("/about/errors/KITE_TORN", headers={"Accept": accept})

    assert response.content_type == "text/html; charset=utf-8"
    for text in (
        "<h1>KITE_TORN: Kite &lt;torn&gt;</h1>",
        "<p>Somebody &amp; the wind.</p>",
        "<p>See <code>details.holes</code> &amp; &lt;mend&gt; it.</p>",
        "<dd>409</dd>",
        "<dt><code>holes</code></dt><dd>integer. How &lt;many&gt;</dd>",
        '<a href="./">Error codes</a>',
    ):
        assert text in response.text
    assert "<script" not in response.text
    assert "style" not in response.text


@pytest.mark.parametrize(
    "accept", ["application/json", "application/json, text/plain, */*", "application/*"]
)
def test_programs_get_json(client: FlaskClient, accept: str) -> None:
    """Whoever names JSON and does not prefer HTML gets JSON."""
    response = client.get("/about/errors/KITE_TORN", headers={"Accept": accept})

    assert response.content_type == "application/json"
    assert response.json
    assert response.json["advice"] == "See `details.holes` & <mend> it."


def test_the_list_has_a_link_to_every_page(client: FlaskClient) -> None:
    """From the list one gets to any code, and without the slash one gets to the list."""
    response = client.get("/about/errors", follow_redirects=True)

    assert response.status_code == 200
    assert '<a href="KITE_TORN"><code>KITE_TORN</code></a>' in response.text
    assert '<a href="TOKEN_EXPIRED">' in response.text


def test_the_list_for_programs_is_an_export(client: FlaskClient) -> None:
    """A client may compare what a service promises today with what it promised before."""
    listed = load(client.get("/about/errors/", headers=JSON).data)

    assert listed["KITE_TORN"].status == 409
    assert compare(listed, listed) == []


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_nothing_says_where_a_code_is_declared(client: FlaskClient, accept: str) -> None:
    """Names of modules and classes stay inside."""
    for path in ("/about/errors/", "/about/errors/KITE_TORN"):
        response = client.get(path, headers={"Accept": accept})

        assert "test_catalog" not in response.text
        assert "KiteCode" not in response.text


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_a_developer_sees_where_a_code_is_declared(app: Flask, accept: str) -> None:
    """In debug mode the page names the declaration."""
    app.debug = True

    response = app.test_client().get("/about/errors/KITE_TORN", headers={"Accept": accept})

    assert f"{__name__}.KiteCode" in response.text


def test_a_page_speaks_the_language_of_the_request(client: FlaskClient) -> None:
    """Titles are translated, and the response says into what."""
    response = client.get("/about/errors/TOKEN_EXPIRED", headers={"Accept-Language": "fr"})

    assert response.headers["Content-Language"] == "fr"
    assert '<html lang="fr">' in response.text
    assert "Token expiré" in response.text
    assert response.headers["Vary"] == "Accept, Accept-Language"


def test_a_page_that_has_not_changed_is_not_sent_again(client: FlaskClient) -> None:
    """A cache asks with the tag it got, and is told that it has the page already."""
    first = client.get("/about/errors/KITE_TORN")
    tag = {"If-None-Match": first.headers["ETag"]}

    second = client.get("/about/errors/KITE_TORN", headers=tag)
    in_french = client.get("/about/errors/KITE_TORN", headers={**tag, "Accept-Language": "fr"})

    assert first.headers["Cache-Control"] == "no-cache"
    assert (second.status_code, second.data) == (304, b"")
    assert in_french.status_code == 200


def test_head_gets_the_headers_alone(client: FlaskClient) -> None:
    """A link checker need not load the page."""
    response = client.head("/about/errors/KITE_TORN")

    assert (response.status_code, response.data) == (200, b"")
    assert response.headers["Content-Length"] == str(
        len(client.get("/about/errors/KITE_TORN").data)
    )


@pytest.mark.parametrize("code", ["NOBODY_DECLARED_THIS", "nobody", "%3Cscript%3E", "A" * 300])
def test_an_unknown_code_is_not_found(
    client: FlaskClient, recorded: RecordingReporter, code: str
) -> None:
    """An address that no code has is answered as any other that is not there."""
    response = client.get(f"/about/errors/{code}", headers=JSON)

    assert response.status_code == 404
    assert response.json
    assert response.json["except"]["code"] == "RESOURCE_NOT_FOUND"
    assert [record.classification.code for record in recorded.records] == ["RESOURCE_NOT_FOUND"]


def test_a_code_in_lower_case_leads_to_its_page(client: FlaskClient) -> None:
    """There is one address for each code, and whoever types another way is sent there."""
    response = client.get("/about/errors/kite_Torn")

    assert (response.status_code, response.headers["Location"]) == (301, "/about/errors/KITE_TORN")
    assert client.get("/about/errors/kite_torn", follow_redirects=True).status_code == 200


@pytest.mark.parametrize("form", ["json", "typescript", "markdown", "text"])
def test_the_command_exports_the_codes(app: Flask, form: str) -> None:
    """`flask holdfast codes` knows the forms that `holdfast codes` knows."""
    result = app.test_cli_runner().invoke(args=["holdfast", "codes", "--format", form])

    assert result.exit_code == 0
    assert "KITE_TORN" in result.output
    if form == "json":
        assert load(result.output)["KITE_TORN"].type == "StateConflictError"


def test_the_command_imports_what_it_is_told_to(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module that the application itself does not import may declare codes, too."""
    (tmp_path / "balloon_errors.py").write_text(
        "from holdfast import AppError, ErrorKind\n"
        "class BalloonBurst(AppError):\n    kind = ErrorKind.CONFLICT\n"
    )
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])

    result = app.test_cli_runner().invoke(args=["holdfast", "codes", "balloon_errors"])

    assert "\nBALLOON_BURST " in f"\n{result.output}"


@pytest.mark.parametrize("command", ["check", "codes"])
def test_a_code_that_is_declared_again_after_the_start_is_told_by_the_commands(
    app: Flask, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Blueprints are often imported later than the extension is connected."""
    declared = register.known["KITE_TORN"]
    monkeypatch.setattr(register, "clashes", [])
    register.declare(Declaration("KITE_TORN", declared.spec, "shop.views.KiteTorn"))

    result = app.test_cli_runner().invoke(args=["holdfast", command])

    assert result.exit_code == 1
    assert "KiteCode and again by shop.views.KiteTorn" in result.output
