"""What checks of an application run within, whoever asks for them."""

import gc
import threading
from typing import cast

import pytest
from flask import Flask, current_app, g, has_request_context, request

from holdfast.health import HealthStatus
from holdfast_flask import runtime_of
from tests.flask_ext.conftest import MakeApp


def configured(key: str) -> object:
    """Return what the current application is told."""
    return cast("object", current_app.config[key])


@pytest.fixture
def watched(make_app: MakeApp) -> Flask:
    """An application whose check needs it, and whose context leaves a trace at its end."""
    app = make_app(SHOP_REGION="north")
    app.extensions["ended"] = []
    runtime_of(app).health.register_check("region", lambda: {"region": configured("SHOP_REGION")})

    @app.teardown_appcontext
    def close(error: BaseException | None) -> None:
        app.extensions["ended"].append(g.get("connection", "none"))

    return app


def test_a_check_finds_its_application_from_a_probe(watched: Flask) -> None:
    """Without a context of its own making."""
    watched.debug = True

    assert "north" in watched.test_client().get("/health").text


def test_a_check_finds_its_application_from_a_command(watched: Flask) -> None:
    """As a probe does."""
    result = watched.test_cli_runner().invoke(args=["holdfast", "health"])

    assert result.exit_code == 0
    assert "north" in result.output


def test_a_check_finds_its_application_from_any_thread(watched: Flask) -> None:
    """The monitor and the background refresh ask outside of any context."""
    found: list[HealthStatus] = []

    def ask() -> None:
        found.append(runtime_of(watched).health.get_health_status().status)

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()

    assert found == [HealthStatus.PASS]


def test_a_check_in_the_background_finds_its_application(watched: Flask) -> None:
    """That of the first probe is not there any more when it looks again."""
    looked = threading.Event()
    names: list[str] = []

    def check() -> None:
        names.append(current_app.name)
        if len(names) > 1:
            looked.set()

    health = runtime_of(watched).health
    health.register_check("often", check, every=0.01)

    watched.test_client().get("/health/ready")
    waited = looked.wait(10)
    health.close()

    assert waited
    assert set(names) == {watched.name}


def test_what_a_check_opened_is_closed_at_its_end(watched: Flask) -> None:
    """Functions of teardown run for every check, with the `g` of that check."""

    def check() -> None:
        g.connection = "of the check"

    runtime_of(watched).health.register_check("db", check)

    with watched.app_context():
        g.connection = "of who asks"
        runtime_of(watched).health.run_all_checks()
        within = sorted(watched.extensions["ended"])

    assert within == ["none", "of the check"]


def test_a_check_that_fails_is_torn_down(watched: Flask) -> None:
    """And fails by its own error."""

    def check() -> None:
        g.connection = "of the check"
        raise ConnectionError

    runtime_of(watched).health.register_check("db", check)
    results = runtime_of(watched).health.run_all_checks()

    assert results["db"].output == "ConnectionError"
    assert "of the check" in watched.extensions["ended"]


def test_a_check_is_no_part_of_the_request_that_asks(watched: Flask) -> None:
    """Who asks may be gone while it runs, and others are told what it said."""
    seen: list[object] = []

    def check() -> None:
        seen.append(has_request_context())
        assert request.path

    runtime_of(watched).health.register_check("asks", check, critical=False)
    watched.debug = True

    text = watched.test_client().get("/health").text

    assert seen == [False]
    assert "RuntimeError" in text
    assert "Working outside of request context" in text


def test_a_coroutine_function_finds_its_application(watched: Flask) -> None:
    """On the loop that it is run on."""

    async def check() -> dict[str, object]:
        return {"name": current_app.name}

    runtime_of(watched).health.register_check("async", check)

    assert runtime_of(watched).health.check("async").details == {"name": watched.name}


def test_checks_of_two_applications_keep_apart(make_app: MakeApp) -> None:
    """Each finds its own, though one asks within the context of the other."""
    first, second = make_app(SHOP="first"), make_app(SHOP="second")
    for app in (first, second):
        runtime_of(app).health.register_check("shop", lambda: {"shop": configured("SHOP")})

    with first.app_context():
        result = runtime_of(second).health.check("shop")

    assert result.details == {"shop": "second"}


def test_health_holds_no_application(make_app: MakeApp) -> None:
    """One that a factory made and nobody keeps goes; its checks say so."""
    app = make_app()
    health = runtime_of(app).health
    health.register_check("db", lambda: True)
    del app
    gc.collect()

    result = health.check("db")

    assert result.status is HealthStatus.FAIL
    assert "is gone" in str(result.details["error"])
