"""Probes that are answered in front of the application, and what is in their way otherwise."""

import pytest
from flask import Flask, redirect, request
from flask.typing import ResponseReturnValue
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.test import TestResponse

from holdfast.testing import RecordingReporter
from holdfast_flask import runtime_of
from tests.flask_ext.conftest import MakeApp


def guard() -> ResponseReturnValue:
    """Send everybody to TLS, as extensions do."""
    return redirect(request.url.replace("http:", "https:", 1))


def guarded(make_app: MakeApp, *, direct: bool) -> Flask:
    """Make an application that talks to those who know its name, over TLS."""
    app = make_app(HOLDFAST_HEALTH={"DIRECT": direct}, TRUSTED_HOSTS=["shop.example"])
    app.before_request(guard)
    return app


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready/", "/health/metrics"])
def test_nothing_of_the_application_is_in_the_way(make_app: MakeApp, path: str) -> None:
    """No host check, no hook, no redirect to TLS."""
    client = guarded(make_app, direct=True).test_client()

    answer = client.get(path, headers={"Host": "10.1.2.3:8000"})

    assert answer.status_code == 200


def test_an_application_answers_itself_unless_it_is_told(make_app: MakeApp) -> None:
    """What it does with every request it does with probes."""
    client = guarded(make_app, direct=False).test_client()

    assert client.get("/health/live", headers={"Host": "10.1.2.3:8000"}).status_code == 400
    assert client.get("/health/live", headers={"Host": "shop.example"}).status_code == 302


@pytest.mark.parametrize(
    ("path", "status"), [("/health/nowhere", 404), ("/healthy", 200), ("/", 200)]
)
def test_what_is_no_probe_goes_on(make_app: MakeApp, path: str, status: int) -> None:
    """To the application, whose answer it is."""
    app = make_app(HOLDFAST_HEALTH={"DIRECT": True})
    app.add_url_rule("/healthy", "healthy", lambda: "fine")
    app.add_url_rule("/", "index", lambda: "fine")

    assert app.test_client().get(path).status_code == status


def asked(make_app: MakeApp, path: str, method: str, *, direct: bool) -> TestResponse:
    """Ask an application of its own, one of whose checks fails."""
    app = make_app(HOLDFAST_HEALTH={"DIRECT": direct})
    runtime_of(app).health.register_check("db", lambda: False)
    return app.test_client().open(path, method=method, headers={"X-Request-ID": "probe-1"})


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/health?format=json"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_both_ways_answer_alike(make_app: MakeApp, path: str, method: str) -> None:
    """Status, body and headers are the same."""
    through, direct_answer = (asked(make_app, path, method, direct=on) for on in (False, True))

    assert direct_answer.status_code == through.status_code
    assert direct_answer.data == through.data
    assert dict(direct_answer.headers) == dict(through.headers)


def test_a_failing_check_is_no_error(make_app: MakeApp, recorded: RecordingReporter) -> None:
    """A probe that is told of a failure leaves no record."""
    app = make_app(HOLDFAST_HEALTH={"DIRECT": True})
    runtime_of(app).health.register_check("db", lambda: False)

    assert app.test_client().get("/health").status_code == 503
    assert recorded.records == []


def test_an_application_may_stand_below_a_path(make_app: MakeApp) -> None:
    """What counts is the address as the application sees it."""
    client = make_app(HOLDFAST_HEALTH={"DIRECT": True}).test_client()

    answer = client.get("/health/live", base_url="http://localhost/shop")

    assert answer.status_code == 200


def test_the_address_of_a_caller_is_what_a_proxy_says(make_app: MakeApp) -> None:
    """Where the application trusts one, in front of everything."""
    app = make_app(HOLDFAST_HEALTH={"DIRECT": True, "NETWORKS": ["10.0.0.0/8"]})
    runtime_of(app).health.register_check("db", lambda: True)
    app.wsgi_app = ProxyFix(app.wsgi_app)  # type: ignore[method-assign]  # as Flask documents

    answer = app.test_client().get("/health", headers={"X-Forwarded-For": "10.1.2.3"})

    assert "db" in answer.text


def test_nothing_stands_in_front_unless_it_is_told(make_app: MakeApp, app: Flask) -> None:
    """Without the setting a request takes the way it took before."""
    told = make_app(HOLDFAST_HEALTH={"DIRECT": True})

    assert vars(app.wsgi_app)["_next"] == app.__class__.wsgi_app.__get__(app)
    assert type(vars(told.wsgi_app)["_next"]).__name__ == "Front"
