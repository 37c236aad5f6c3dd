"""`flask holdfast`."""

import gc
import sys
from collections.abc import Generator
from types import ModuleType

import pytest
from flask import Blueprint, Flask, current_app
from flask.cli import AppGroup
from flask.testing import FlaskCliRunner
from flask.typing import ResponseReturnValue
from werkzeug.middleware.proxy_fix import ProxyFix

from holdfast import AppError
from holdfast.cli import main
from holdfast.testing import RecordingReporter
from holdfast_flask import Holdfast, runtime_of
from tests.flask_ext.conftest import MakeApp


@pytest.fixture
def runner(app: Flask) -> FlaskCliRunner:
    """Runs the commands of `app`."""
    return app.test_cli_runner()


def sorry(error: Exception) -> ResponseReturnValue:
    """Answer anything."""
    return "sorry", 500


def test_codes_are_listed(runner: FlaskCliRunner) -> None:
    """Every code comes with status, type and title."""
    result = runner.invoke(args=["holdfast", "codes"])

    assert result.exit_code == 0
    (line,) = [line for line in result.output.splitlines() if line.startswith("TOKEN_EXPIRED ")]
    assert line.split(maxsplit=3) == [
        "TOKEN_EXPIRED",
        "401",
        "AuthenticationError",
        "Token expired",
    ]


def test_settings_are_shown_as_they_are_written(make_app: MakeApp) -> None:
    """Each setting stands under its key, those of sections with their path."""
    app = make_app(HOLDFAST_SERVICE="shop", HOLDFAST_REDACT={"MAX_DEPTH": 3})

    result = app.test_cli_runner().invoke(args=["holdfast", "settings"])

    lines = result.output.splitlines()
    assert 'HOLDFAST_SERVICE = "shop"' in lines
    assert "HOLDFAST_REDACT.MAX_DEPTH = 3" in lines
    assert 'HOLDFAST_HEALTH.PREFIX = "/health"' in lines


def test_an_application_as_it_should_be_passes(runner: FlaskCliRunner) -> None:
    """Without anything in the way the check ends well."""
    result = runner.invoke(args=["holdfast", "check"])

    assert (result.exit_code, result.output) == (0, "no error escapes\n")


def test_what_swallows_everything_is_named(app: Flask) -> None:
    """Handlers for Exception are found on the application and on blueprints."""
    shelf = Blueprint("shelf", __name__)
    shelf.register_error_handler(Exception, sorry)
    app.register_blueprint(shelf)
    app.register_error_handler(Exception, sorry)

    result = app.test_cli_runner().invoke(args=["holdfast", "check"])

    assert result.exit_code == 1
    assert "blueprint 'shelf': errorhandler(Exception)" in result.output
    assert f"\nerrorhandler(Exception) {__name__}.sorry" in f"\n{result.output}"


def test_a_handler_for_a_code_misspelt_is_named(make_app: MakeApp) -> None:
    """It could be a category; but nothing declares it, and it looks like a code."""
    rule = {"MESSAGE": "slow", "CATEGORY": "DB_CONNECTION_ERRORS"}
    function = f"{__name__}:sorry"
    app = make_app(
        HOLDFAST_HANDLERS={"DB_CONECTION_ERROR": function, "DB_CONNECTION_ERRORS": function},
        HOLDFAST_RULES=[rule],
    )

    result = app.test_cli_runner().invoke(args=["holdfast", "check"])

    assert result.exit_code == 1
    assert result.output == (
        "HANDLERS: nobody declares 'DB_CONECTION_ERROR', as a code or a category; "
        "did you mean 'DB_CONNECTION_ERROR'?\n"
    )


@pytest.mark.parametrize(("handled", "name"), [(500, "500"), (AppError, "AppError")])
def test_what_stands_in_the_place_of_ours_is_named(
    app: Flask, handled: type[Exception] | int, name: str
) -> None:
    """Handlers that take the answer out of our hands are found."""
    app.register_error_handler(handled, sorry)

    result = app.test_cli_runner().invoke(args=["holdfast", "check"])

    assert result.exit_code == 1
    assert f"errorhandler({name})" in result.output


@pytest.mark.parametrize(
    "key", ["TRAP_HTTP_EXCEPTIONS", "TRAP_BAD_REQUEST_ERRORS", "PROPAGATE_EXCEPTIONS"]
)
def test_switches_for_debugging_are_named(make_app: MakeApp, key: str) -> None:
    """Settings of Flask that change the path of errors are found."""
    result = make_app(**{key: True}).test_cli_runner().invoke(args=["holdfast", "check"])

    assert result.exit_code == 1
    assert result.output.startswith(f"{key} is on")


def test_testing_is_named_as_long_as_it_propagates(make_app: MakeApp) -> None:
    """What TESTING does to errors is found, unless it was told not to."""
    propagating = make_app(TESTING=True).test_cli_runner().invoke(args=["holdfast", "check"])
    answering = make_app(TESTING=True, PROPAGATE_EXCEPTIONS=False).test_cli_runner()

    assert propagating.output.startswith("TESTING is on")
    assert answering.invoke(args=["holdfast", "check"]).exit_code == 0


def test_what_was_put_around_the_application_afterwards_is_named(app: Flask) -> None:
    """A WSGI middleware outside of ours has errors that only the server sees."""
    app.wsgi_app = ProxyFix(app.wsgi_app)  # type: ignore[method-assign]  # as Flask documents

    result = app.test_cli_runner().invoke(args=["holdfast", "check"])

    assert result.exit_code == 1
    assert result.output.startswith("ProxyFix was put around wsgi_app")


def test_commands_that_were_put_in_the_place_of_others_are_named(app: Flask) -> None:
    """A group that replaced the application's is not watched."""
    ours, app.cli = app.cli, AppGroup("other")
    app.cli.commands.update(ours.commands)

    result = app.test_cli_runner().invoke(args=["holdfast", "check"])

    assert result.exit_code == 1
    assert result.output.startswith("app.cli was replaced")


@pytest.mark.parametrize("hook", ["UNCAUGHT", "LOGGING"])
def test_hooks_that_are_off_are_named(make_app: MakeApp, hook: str) -> None:
    """Whoever switches off a hook is told what is not recorded then."""
    runner = make_app(HOLDFAST_HOOKS={hook: False}).test_cli_runner()

    result = runner.invoke(args=["holdfast", "check"])

    assert result.exit_code == 1
    assert result.output.startswith(f"HOLDFAST_HOOKS.{hook} is off")


@pytest.mark.parametrize(
    ("rule", "is_named"),
    [
        ("/health", True),
        ("/health/", True),
        ("/health/live", True),
        ("/health/metrics/", True),
        ("/health/payments", True),
        ("/health/<name>", True),
        ("/health/history", False),
        ("/health/live/<name>", False),
        ("/healthy", False),
    ],
)
def test_a_route_at_the_address_of_a_health_endpoint_is_named(
    app: Flask, rule: str, *, is_named: bool
) -> None:
    """A view of the project's is found where a probe would get it, or it a probe."""
    runtime_of(app).health.register_check("gateway", lambda: True, groups=["payments"])
    app.add_url_rule(rule, "own_health", str)

    result = app.test_cli_runner().invoke(args=["holdfast", "check"])

    assert result.exit_code == is_named
    assert ("'own_health'" in result.output) is is_named


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ([], 0, "warn"),
        (["ready"], 0, "orders-api"),
        (["--fail-on", "warn"], 1, "orders-api"),
        (["payments"], 1, "gateway"),
        (["live"], 0, "pass"),
        (["nowhere"], 2, "no check is in a group 'nowhere'"),
        (["--format", "health+json"], 0, '"orders-api":'),
        (["--format", "json"], 0, '"orders-api":'),
    ],
)
def test_health_is_shown_with_everything_that_is_known(
    app: Flask, recorded: RecordingReporter, arguments: list[str], status: int, said: str
) -> None:
    """Whoever has a shell may see it; the exit status tells how it is, and is no error."""
    health = runtime_of(app).health
    health.register_check("orders-api", lambda: False, critical=False)
    if "payments" in arguments:
        health.register_check("gateway", lambda: False, groups=["payments"])

    result = app.test_cli_runner().invoke(args=["holdfast", "health", *arguments])

    assert result.exit_code == status
    assert said in result.output
    assert recorded.records == []


@pytest.fixture
def _thorough() -> Generator[None]:
    """Let what nobody holds be gone at once, cycles included."""
    before = gc.get_threshold()
    gc.freeze()  # so that there is little to go through, and Python does so often
    gc.set_threshold(1, 1, 1)
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


@pytest.mark.usefixtures("_thorough")
def test_an_application_that_a_factory_returns_is_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`holdfast health --app` keeps it for as long as its checks run."""
    module = ModuleType("made_by_a_factory")

    def create_app() -> Flask:
        app = Flask("made")
        runtime = Holdfast(reporters=()).init_app(app)
        runtime.health.register_check("name", lambda: {"name": current_app.name})
        return app

    module.create_app = create_app  # type: ignore[attr-defined]  # a module that one would import
    monkeypatch.setitem(sys.modules, module.__name__, module)

    status = main(["health", "--app", "made_by_a_factory:create_app"])

    assert (status, '{"name": "made"}' in capsys.readouterr().out) == (0, True)
