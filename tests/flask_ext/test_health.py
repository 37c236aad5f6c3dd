"""The health endpoints."""

import pytest
from flask import Flask, Request, url_for
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import create_environ, run_wsgi_app

from holdfast import environment, health_check
from holdfast.testing import RecordingReporter
from holdfast_flask import runtime_of
from tests.flask_ext.conftest import MakeApp


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("group", ["", "/live", "/ready", "/startup"])
def test_all_is_well_without_checks(client: FlaskClient, group: str, slash: str) -> None:
    """Every endpoint answers 200 and is not redirected, slash or none."""
    answer = client.get(f"/health{group}{slash}")

    assert answer.status_code == 200
    assert answer.content_type == "application/health+json"
    assert answer.json == {"status": "pass"}
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_group_of_ones_own_has_an_address(client: FlaskClient, app: Flask) -> None:
    """As soon as a check is in it, and it asks that one alone."""
    before = client.get("/health/payments")
    runtime_of(app).health.register_check("gateway", lambda: False, groups=["payments"])

    answers = {path: client.get(f"/health/{path}").status_code for path in ("payments", "ready")}

    assert before.status_code == 404
    assert answers == {"payments": 503, "ready": 200}


def test_an_unknown_group_is_answered_as_any_unknown_address(client: FlaskClient) -> None:
    """In the one shape of errors."""
    answer = client.get("/health/nowhere")

    assert answer.status_code == 404
    assert answer.json is not None
    assert answer.json["except"]["code"] == "RESOURCE_NOT_FOUND"


def test_metrics_are_for_scrapers(client: FlaskClient, app: Flask) -> None:
    """They say what fails in a body, not in the status."""
    runtime_of(app).health.register_check("db", lambda: False)

    for path in ("/health/metrics", "/health/metrics/"):
        answer = client.get(path)

        assert answer.status_code == 200
        assert answer.text.endswith("# EOF\n")


def test_addresses_have_names(app: Flask) -> None:
    """For `url_for`; without a slash at the end."""
    with app.test_request_context():
        found = {name: url_for(f"holdfast_health.{name}") for name in ("report", "live", "metrics")}
        own = url_for("holdfast_health.group", group="payments")

    assert found == {"report": "/health", "live": "/health/live", "metrics": "/health/metrics"}
    assert own == "/health/payments"


def test_a_failing_check_is_not_ready(
    client: FlaskClient, app: Flask, recorded: RecordingReporter
) -> None:
    """A critical check that fails makes 503 of ready and of the report, and is no error."""
    runtime_of(app).health.register_check("db", lambda: False)

    answers = [client.get(path) for path in ("/health/ready", "/health", "/health/")]

    assert [answer.status_code for answer in answers] == [503, 503, 503]
    assert all(answer.json and answer.json["status"] == "fail" for answer in answers)
    assert recorded.records == []


@pytest.fixture
def _nothing_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the process be as it begins: nothing was registered before there is an application."""
    monkeypatch.setattr(environment, "_stand_in", [])
    monkeypatch.setattr(environment, "_default", [])


@pytest.mark.usefixtures("_nothing_waits")
def test_checks_of_modules_wait_for_the_application(make_app: MakeApp) -> None:
    """What is registered where there is no application yet belongs to the first that is connected."""
    health_check.register_check("db", lambda: False)

    first, second = make_app(), make_app()

    assert second.test_client().get("/health").status_code == 200
    assert first.test_client().get("/health").status_code == 503


@pytest.mark.usefixtures("_nothing_waits")
def test_checks_of_modules_may_follow_the_application(make_app: MakeApp) -> None:
    """What a module registers below `Holdfast(app)`, outside of any context, counts as well."""
    app = make_app()
    health_check.register_check("db", lambda: False)

    assert app.test_client().get("/health/ready").status_code == 503


@pytest.mark.usefixtures("_nothing_waits")
def test_a_check_of_the_application_itself_is_kept(make_app: MakeApp) -> None:
    """Of two checks of one name, the one that was registered with the application is asked."""
    app = make_app()
    health_check.register_check("db", lambda: False)
    with app.app_context():
        health_check.register_check("db", lambda: True)

    assert app.test_client().get("/health").status_code == 200


def test_a_warning_is_served(client: FlaskClient, app: Flask) -> None:
    """A check that is not critical degrades the service, which goes on."""
    runtime_of(app).health.register_check("mail", lambda: False, critical=False)

    answer = client.get("/health/ready")

    assert answer.status_code == 200
    assert answer.json is not None
    assert answer.json["status"] == "warn"


def test_liveness_asks_nobody(client: FlaskClient, app: Flask) -> None:
    """`live` runs no check, so that a dependency's outage restarts nothing."""
    asked: list[bool] = []
    runtime_of(app).health.register_check("db", lambda: asked.append(True))

    assert client.get("/health/live").status_code == 200
    assert asked == []


def fails() -> bool:
    """Fail with words that nobody should read."""
    raise ConnectionError("no route to db.internal")


def test_who_asks_sees_the_status_alone(client: FlaskClient, app: Flask) -> None:
    """No name of a check, no reason."""
    runtime_of(app).health.register_check("db", fails)

    assert client.get("/health").json == {"status": "fail"}


def is_operator(request: Request) -> bool:
    """Tell who may see details, as a project does: by the request of Flask."""
    return request.headers.get("X-Operator") == "yes" and request.args["by"] == "hand"


@pytest.mark.parametrize(
    ("settings", "headers", "address"),
    [
        ({"TOKEN": "0123456789abcdef"}, {"Authorization": "Bearer 0123456789abcdef"}, ""),
        ({"NETWORKS": ["10.0.0.0/8"]}, {}, "10.1.2.3"),
        ({"ALLOW": f"{__name__}:is_operator"}, {"X-Operator": "yes"}, ""),
    ],
    ids=["token", "network", "function"],
)
@pytest.mark.parametrize("direct", [False, True])
def test_who_may_sees_details(
    make_app: MakeApp,
    settings: dict[str, object],
    headers: dict[str, str],
    address: str,
    direct: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    """And nobody else: by header, by address, by a function that is given Flask's request."""
    app = make_app(HOLDFAST_HEALTH={**settings, "DIRECT": direct})
    runtime_of(app).health.register_check("db", fails)
    client = app.test_client()

    seen = client.get(
        "/health?by=hand", headers=headers, environ_base={"REMOTE_ADDR": address or "192.0.2.1"}
    )
    unseen = client.get("/health?by=hand")

    assert "ConnectionError" in seen.text
    assert unseen.json == {"status": "fail"}


@pytest.mark.parametrize(("details", "sees"), [("authorized", True), ("never", False)])
@pytest.mark.parametrize("direct", [False, True])
def test_everybody_sees_details_while_the_application_is_debugged(
    make_app: MakeApp, details: str, *, sees: bool, direct: bool
) -> None:
    """From the moment it is, unless nobody is to see them at all."""
    app = make_app(HOLDFAST_HEALTH={"DETAILS": details, "DIRECT": direct})
    runtime_of(app).health.register_check("db", lambda: True)
    before = app.test_client().get("/health").text
    app.debug = True

    assert "db" not in before
    assert ("db" in app.test_client().get("/health").text) is sees


@pytest.mark.parametrize("direct", [False, True])
def test_health_can_be_elsewhere(make_app: MakeApp, *, direct: bool) -> None:
    """PREFIX moves all endpoints."""
    client = make_app(HOLDFAST_HEALTH={"PREFIX": "/internal/up", "DIRECT": direct}).test_client()

    assert client.get("/internal/up/live").status_code == 200
    assert client.get("/health").status_code == 404


@pytest.mark.parametrize("direct", [False, True])
def test_health_can_be_turned_off(make_app: MakeApp, *, direct: bool) -> None:
    """PREFIX = None leaves the application without these endpoints."""
    app = make_app(HOLDFAST_HEALTH={"PREFIX": None, "DIRECT": direct})

    assert [rule for rule in app.url_map.iter_rules() if "health" in rule.rule] == []
    assert app.test_client().get("/health").status_code == 404


@pytest.mark.parametrize("direct", [False, True])
def test_health_is_read_only(make_app: MakeApp, *, direct: bool) -> None:
    """HEAD answers as GET does, without the body; POST does not."""
    client = make_app(HOLDFAST_HEALTH={"DIRECT": direct}).test_client()
    whole, head = client.get("/health/live"), client.head("/health/live")

    refused = client.post("/health/live")

    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Content-Length"] == str(len(whole.data))
    assert refused.status_code == 405
    assert refused.json is not None
    assert refused.json["except"]["code"] == "METHOD_NOT_ALLOWED"


def raw(text: str) -> str:
    """Return text as WSGI has it: bytes, each as a character."""
    return text.encode("utf-8", "replace").decode("latin-1")


TOKEN = "a-token-of-16-letters"
ENVIRONS = st.fixed_dictionaries(
    {
        "PATH_INFO": st.text(max_size=20).map("/health/{}".format).map(raw),
        "QUERY_STRING": st.one_of(
            st.text(max_size=30).map(raw),
            st.sampled_from(["format=html", "tag=&" * 60, "format=%ff&&=&a", "tag=%00"]),
        ),
        "HTTP_ACCEPT": st.one_of(
            st.text(max_size=40).map(raw),
            st.sampled_from(["*/*;q=", "text/html;q=nan", ",;=,", "*" * 600]),
        ),
        "HTTP_HOST": st.text(max_size=20).map(raw),
        "HTTP_AUTHORIZATION": st.one_of(
            st.text(max_size=20).map(raw),
            st.text(max_size=20).map("Bearer {}".format).map(raw),
        ),
        "REQUEST_METHOD": st.sampled_from(["GET", "HEAD", "POST", "BREW"]),
    }
)
"""What nobody sends who means well."""


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(sent=ENVIRONS, direct=st.booleans())
def test_nothing_that_is_sent_makes_it_fail(
    make_app: MakeApp, sent: dict[str, str], *, direct: bool
) -> None:
    """Whatever stands in headers, query and address: an answer, and none that is an error of ours."""
    app = make_app(HOLDFAST_HEALTH={"DIRECT": direct, "TOKEN": TOKEN})

    _, status, _ = run_wsgi_app(app.wsgi_app, {**create_environ(), **sent})

    assert int(status.split()[0]) < 500
