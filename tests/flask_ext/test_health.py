"""The health endpoints."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from holdfast import environment, health_check
from holdfast.testing import RecordingReporter
from holdfast_flask import runtime_of
from tests.flask_ext.conftest import MakeApp


@pytest.mark.parametrize(
    "path", ["/health", "/health/", "/health/live", "/health/live/", "/health/ready"]
)
def test_all_is_well_without_checks(client: FlaskClient, path: str) -> None:
    """Every endpoint answers 200 and is not redirected, slash or none."""
    answer = client.get(path)

    assert answer.status_code == 200
    assert answer.content_type == "application/health+json"
    assert answer.json == {"status": "pass"}
    assert answer.headers["Cache-Control"] == "no-store"


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
    health_check.register_check("db", lambda: False)
    app = make_app()
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


def test_the_text_of_an_exception_stays_inside(client: FlaskClient, app: Flask) -> None:
    """A check that raises is reported by the class of its error."""

    def check() -> bool:
        raise ValueError("postgres://shop:hunter2@db")

    runtime_of(app).health.register_check("db", check)

    answer = client.get("/health")

    assert "hunter2" not in answer.text
    assert "ValueError" in answer.text


def test_health_can_be_elsewhere(make_app: MakeApp) -> None:
    """HOLDFAST_HEALTH_PREFIX moves all endpoints."""
    client = make_app(HOLDFAST_HEALTH_PREFIX="/internal/up").test_client()

    assert client.get("/internal/up/live").status_code == 200
    assert client.get("/health").status_code == 404


def test_health_can_be_turned_off(make_app: MakeApp) -> None:
    """HOLDFAST_HEALTH_PREFIX = None leaves the application without these endpoints."""
    app = make_app(HOLDFAST_HEALTH_PREFIX=None)

    assert [rule for rule in app.url_map.iter_rules() if "health" in rule.rule] == []


def test_health_is_read_only(client: FlaskClient) -> None:
    """HEAD works, POST does not."""
    assert client.head("/health").status_code == 200
    assert client.post("/health").status_code == 405
