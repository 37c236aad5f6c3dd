"""Connecting applications: once, early, each with its own settings and runtime."""

import gc
import logging
import sys
import weakref
from typing import TYPE_CHECKING

import pytest
from flask import Flask
from flask.testing import FlaskClient

import holdfast
from holdfast import Rule, SettingsError
from holdfast.codes import ErrorCode
from holdfast.testing import FakeClock, RecordingReporter
from holdfast_flask import FlaskSettings, Holdfast, runtime_of
from tests.flask_ext.conftest import MakeApp

if TYPE_CHECKING:
    from holdfast.runtime import Runtime


def quiet(name: str = "quiet", **config: object) -> Flask:
    """Make an application that is not connected yet, with no reporter."""
    app = Flask(name)
    app.config["HOLDFAST_REPORTERS"] = []
    app.config.from_mapping(config)
    return app


def test_a_second_connection_is_refused() -> None:
    """The same application cannot be connected twice, by whichever extension object."""
    app = quiet()
    Holdfast(app)

    with pytest.raises(RuntimeError, match="'quiet' is connected to holdfast already"):
        Holdfast().init_app(app)


def test_a_connection_after_the_first_request_is_refused() -> None:
    """An application that has served a request cannot be connected any more, and is told where to."""
    app = quiet()
    app.test_client().get("/")

    with pytest.raises(RuntimeError, match="has served a request already; call Holdfast"):
        Holdfast(app)

    assert "holdfast" not in app.extensions


def test_every_mistake_in_the_settings_is_reported_together() -> None:
    """Unknown keys, wrong types and impossible values come in one error, with key and suggestion."""
    app = quiet(
        HOLDFAST_SERVIC="shop",
        HOLDFAST_HEALTH={"PREFIX": "health/"},
        HOLDFAST_EXPOSE_DETAILS="yes",
        HOLDFAST_REDACT={"MAX_LENGHT": 10, "MAX_DEPTH": 0},
    )

    with pytest.raises(SettingsError) as caught:
        Holdfast(app)

    suggested = {problem.path: problem.suggestion for problem in caught.value.problems}
    assert suggested == {
        "HOLDFAST_SERVIC": "HOLDFAST_SERVICE",
        "HOLDFAST_HEALTH.PREFIX": "",
        "HOLDFAST_EXPOSE_DETAILS": "",
        "HOLDFAST_REDACT.MAX_LENGHT": "HOLDFAST_REDACT.MAX_LENGTH",
        "HOLDFAST_REDACT.MAX_DEPTH": "",
    }
    assert "did you mean 'HOLDFAST_SERVICE'?" in str(caught.value)


def test_an_application_with_wrong_settings_stays_as_it_was() -> None:
    """Nothing is attached before the settings are right, so that a second try can succeed."""
    app = quiet(HOLDFAST_SERVIC="shop")
    errors = Holdfast()

    with pytest.raises(SettingsError):
        errors.init_app(app)
    del app.config["HOLDFAST_SERVIC"]

    assert errors.init_app(app) is runtime_of(app)


def test_settings_of_the_adapter_have_defaults() -> None:
    """Without any key Flask's own log line gives way and health is below /health."""
    settings = FlaskSettings()

    assert (settings.framework_log, settings.health.prefix) == (False, "/health")


def test_two_applications_do_not_see_each_other() -> None:
    """Each has its own settings, records, checks and current runtime, served by one extension."""
    errors = Holdfast()
    first = quiet("first", HOLDFAST_SERVICE="one", HOLDFAST_RESPONSE_FORMAT="problem")
    second = quiet("second", HOLDFAST_SERVICE="two", HOLDFAST_HEALTH={"PREFIX": "/up"})
    one, two = errors.init_app(first), errors.init_app(second)
    one.health.register_check("db", lambda: False)

    answers = [app.test_client().get("/nowhere") for app in (first, second)]
    health = [
        first.test_client().get("/health").status_code,
        second.test_client().get("/up").status_code,
    ]

    assert [answer.mimetype for answer in answers] == [
        "application/problem+json",
        "application/json",
    ]
    assert health == [503, 200]
    assert (one.settings.service, two.settings.service) == ("one", "two")
    with first.app_context():
        assert errors.runtime is one
    with second.app_context():
        assert errors.runtime is two


def test_an_exception_of_one_application_is_news_to_another() -> None:
    """What one application has handled is recorded by another that meets the same exception."""
    error = ValueError("shared")
    reporters = RecordingReporter(), RecordingReporter()
    for reporter in reporters:
        app = quiet(HOLDFAST_REPORTING={"INLINE": True})
        Holdfast(app, reporters=[reporter])

        @app.get("/")
        def view() -> str:
            raise error

        app.test_client().get("/")

    assert [len(reporter.records) for reporter in reporters] == [1, 1]


def test_the_runtime_is_found_from_anywhere_in_a_request(client: FlaskClient, app: Flask) -> None:
    """The top-level names of the suite use the current application's runtime."""
    found: list[object] = []

    @app.get("/")
    def view() -> str:
        found.append(holdfast.current_runtime())
        holdfast.health_check.register_check("cellar", lambda: True)
        return "fine"

    answer = client.get("/")

    assert answer.status_code == 200
    assert found == [runtime_of(app)]
    assert "cellar" in runtime_of(app).health.run_all_checks()


def test_a_block_that_swallows_reports_to_the_current_application(
    client: FlaskClient, app: Flask, recorded: RecordingReporter
) -> None:
    """error_boundary(reraise=False) hands its error to the application's own handler."""

    @app.get("/")
    def view() -> str:
        with holdfast.error_boundary("block", reraise=False):
            int("x")
        return "fine"

    client.get("/")

    assert [record.origin.boundary for record in recorded.records] == ["block"]


def test_the_runtime_of_a_lone_application_needs_no_context() -> None:
    """At set-up, outside of any context, the only application connected is meant."""
    app = quiet()
    errors = Holdfast(app)

    assert errors.runtime is runtime_of(app)


def test_the_runtime_is_not_guessed() -> None:
    """With two applications and no current one, the error says what to do."""
    errors, apps = Holdfast(), (quiet("one"), quiet("two"))
    for app in apps:
        errors.init_app(app)

    with pytest.raises(RuntimeError, match="app_context"):
        _ = errors.runtime


def test_an_application_that_was_not_connected_has_no_runtime() -> None:
    """The error names the application and the call that is missing."""
    with pytest.raises(RuntimeError, match=r"'bare' is not connected; call Holdfast\(app\)"):
        runtime_of(Flask("bare"))


@pytest.fixture
def _without_sentry() -> None:
    """Take away the client that tests of Sentry leave behind: with it, any Flask application that served stays."""
    sentry = sys.modules.get("sentry_sdk")
    if sentry is not None:
        sentry.get_global_scope().set_client(None)


@pytest.mark.usefixtures("_without_sentry")
def test_connected_applications_can_be_collected() -> None:
    """Neither the extension, nor Flask's signals, nor its logger keep an application alive."""
    app = quiet("collected")
    errors = Holdfast(app)
    app.test_client().get("/nowhere")
    gone = weakref.ref(app)

    del app
    gc.collect()

    assert gone() is None
    assert logging.getLogger("collected").filters == []
    with pytest.raises(RuntimeError):
        _ = errors.runtime


@pytest.mark.usefixtures("_without_sentry")
def test_no_runtime_outlives_its_application() -> None:
    """Factories of tests make applications by the hundred; what is thrown away leaves nothing."""

    def thrown_away(number: int) -> "weakref.ref[Runtime]":
        app = quiet(f"thrown-away-{number}")
        errors = Holdfast(app)
        assert app.test_client().get("/nowhere").status_code == 404
        return weakref.ref(errors.runtime)

    left = [thrown_away(number) for number in range(20)]
    gc.collect()  # the applications, whose end lets go of the runtimes
    gc.collect()

    assert [runtime for runtime in left if runtime() is not None] == []


def test_rules_reporters_and_clock_of_the_project_are_used(recorded: RecordingReporter) -> None:
    """What is passed in code joins what the settings name."""
    clock = FakeClock()
    app = quiet(HOLDFAST_REPORTING={"INLINE": True})
    rule = Rule(match=LookupError, code=ErrorCode.RESOURCE_GONE)
    Holdfast(app, rules=[rule], reporters=[recorded], clock=clock)

    @app.get("/")
    def view() -> str:
        raise LookupError("long gone")

    answer = app.test_client().get("/")

    assert answer.status_code == 410
    assert [record.time for record in recorded.records] == [clock.now()]


def test_the_log_line_of_flask_gives_way(
    make_app: MakeApp, caplog: pytest.LogCaptureFixture
) -> None:
    """An error that is reported is not logged by Flask a second time, in full and unredacted."""
    app = make_app()

    @app.get("/")
    def view() -> str:
        app.logger.warning("before it breaks")
        raise ValueError("text of the error")

    app.test_client().get("/")

    assert [record.message for record in caplog.records] == ["before it breaks"]


def test_the_log_line_of_flask_stays_when_a_setting_says_so(
    make_app: MakeApp, caplog: pytest.LogCaptureFixture
) -> None:
    """HOLDFAST_FRAMEWORK_LOG keeps Flask's own line."""
    app = make_app(HOLDFAST_FRAMEWORK_LOG=True)

    @app.get("/")
    def view() -> str:
        raise ValueError("text of the error")

    app.test_client().get("/")

    assert [record.message for record in caplog.records] == ["Exception on / [GET]"]


def test_the_logger_of_flask_is_not_made_early() -> None:
    """Connecting leaves the project time to configure logging before Flask adds its handler."""
    app = quiet("logger-untouched")

    Holdfast(app)

    assert logging.getLogger("logger-untouched").handlers == []


def test_errors_that_are_not_handled_yet_are_logged(
    make_app: MakeApp, caplog: pytest.LogCaptureFixture
) -> None:
    """A view that logs an exception it recovers from keeps its line."""
    app = make_app()

    @app.get("/")
    def view() -> str:
        try:
            raise ValueError("recovered")
        except ValueError:
            app.logger.exception("went another way")
        return "fine"

    app.test_client().get("/")

    assert [record.message for record in caplog.records] == ["went another way"]
