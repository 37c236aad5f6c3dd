"""`Holdfast`: connects Flask applications to the suite."""

import logging
import weakref
from collections.abc import Iterable

from flask import Flask, current_app, got_request_exception, has_app_context

from holdfast import environment
from holdfast.classify import Rule
from holdfast.clock import Clock
from holdfast.reporting.dispatcher import Reporter
from holdfast.runtime import Runtime
from holdfast_flask.blueprint import check_within, front, health_blueprint
from holdfast_flask.capture import Capture
from holdfast_flask.catalog import catalog_blueprint
from holdfast_flask.cli import commands
from holdfast_flask.commands import watch_commands
from holdfast_flask.config import FlaskHealthSettings, FlaskSettings, settings_of
from holdfast_flask.handlers import Handlers
from holdfast_flask.languages import speak_through_babel
from holdfast_flask.log import HandledElsewhere
from holdfast_flask.neighbours import neighbour_rules
from holdfast_flask.responses import Responder
from holdfast_flask.rules import click_rules, werkzeug_rules
from holdfast_flask.wsgi import Boundary

NAME = "holdfast"


class Holdfast:
    """Every error of a Flask application arrives at one handler and leaves as one error body.

    One extension serves any number of applications, each with settings and a runtime of its own.
    Settings are the `HOLDFAST_*` keys of `app.config`, read by `init_app` and not again.

    Args:
        app: The application; leave it out and call `init_app` in a factory.
        rules: How exceptions of the project or its libraries are read.
        reporters: Told beside those the settings name.
        clock: Source of time.

    Raises:
        SettingsError: With every mistake in the settings at once.

    Example:
        >>> app = Flask("shop")
        >>> errors = Holdfast(app)
        >>> app.test_client().get("/nowhere").json["except"]["code"]
        'RESOURCE_NOT_FOUND'
    """

    def __init__(
        self,
        app: Flask | None = None,
        *,
        rules: Iterable[Rule] = (),
        reporters: Iterable[Reporter] = (),
        clock: Clock | None = None,
    ) -> None:
        self._rules = tuple(rules)
        self._reporters = tuple(reporters)
        self._clock = clock
        self._runtimes: weakref.WeakKeyDictionary[Flask, Runtime] = weakref.WeakKeyDictionary()
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> Runtime:
        """Connect an application, before its first request, and return its runtime.

        Raises:
            RuntimeError: When it is connected already, or has served a request.
            SettingsError: With every mistake in the settings at once; the application is untouched.
        """
        if NAME in app.extensions:
            raise RuntimeError(
                f"Flask application {app.name!r} is connected to holdfast already; "
                "call Holdfast(app) or init_app(app), once"
            )
        settings = settings_of(app)
        runtime = Runtime(
            settings,
            rules=self._rules,
            adapter_rules=(*neighbour_rules(), *werkzeug_rules(), *click_rules()),
            clock=self._clock,
            reporters=self._reporters,
        )
        _connect(app, runtime, settings)
        self._runtimes[app] = runtime
        return runtime

    @property
    def runtime(self) -> Runtime:
        """The current application's runtime; outside of any, that of the only one connected.

        Raises:
            RuntimeError: When it cannot be told which application is meant.
        """
        if has_app_context():
            return runtime_of(current_app)
        if len(self._runtimes) == 1:
            return next(iter(self._runtimes.values()))
        raise RuntimeError(
            "no Flask application is current; work inside `with app.app_context():`, "
            "or keep the runtime that init_app(app) returns"
        )


def runtime_of(app: Flask) -> Runtime:
    """Return the runtime of an application.

    Raises:
        RuntimeError: When it is not connected.
    """
    found = app.extensions.get(NAME)
    if not isinstance(found, Runtime):
        raise RuntimeError(  # noqa: TRY004  # it is absent, not of a wrong type
            f"Flask application {app.name!r} is not connected; call Holdfast(app)"
        )
    return found


def _connect(app: Flask, runtime: Runtime, settings: FlaskSettings) -> None:
    speak_through_babel(app, runtime)
    capture, responder = Capture(runtime), Responder(runtime, settings.catalog_prefix)
    try:
        Handlers(runtime, capture, responder).register(app)
    except AssertionError as error:  # Flask's, whose advice does not fit here
        raise RuntimeError(
            f"Flask application {app.name!r} has served a request already; "
            "call Holdfast(app) or init_app(app) where the application is made"
        ) from error
    _listen(app, capture)
    _answer_probes(app, runtime, settings.health)
    if settings.catalog_prefix is not None:
        app.register_blueprint(catalog_blueprint(runtime, settings.catalog_prefix))
    app.wsgi_app = Boundary(app, runtime, responder)  # type: ignore[method-assign]  # as Flask documents
    app.cli.add_command(commands)
    watch_commands(app, runtime)
    app.extensions[NAME] = runtime
    environment.add_resolver(_runtime_of_current_app)
    environment.take_over(runtime)
    runtime.attach()
    if not settings.framework_log:
        _drop_handled_lines(app, runtime)
    # At the end of the process, or when a factory's application is thrown away.
    weakref.finalize(app, _end, runtime)


def _answer_probes(app: Flask, runtime: Runtime, settings: FlaskHealthSettings) -> None:
    check_within(app, runtime)
    if settings.prefix is None:
        return
    app.register_blueprint(health_blueprint(runtime, settings.prefix))
    if settings.direct:
        app.wsgi_app = front(app, runtime, settings.prefix)  # type: ignore[method-assign]  # as Flask documents


def _end(runtime: Runtime) -> None:
    runtime.uninstall()
    runtime.close()


def _listen(app: Flask, capture: Capture) -> None:
    got_request_exception.connect(capture.signalled, sender=app, weak=False)
    # The signal lets go of an application by itself, but not of who listened to it.
    weakref.finalize(app, got_request_exception.disconnect, capture.signalled).atexit = False


def _drop_handled_lines(app: Flask, runtime: Runtime) -> None:
    # By name: `app.logger` would attach Flask's handler before the project configured logging.
    logger = logging.getLogger(app.name)
    line = HandledElsewhere(runtime)
    logger.addFilter(line)
    weakref.finalize(app, logger.removeFilter, line).atexit = False


def _runtime_of_current_app() -> environment.Environment | None:
    return current_app.extensions.get(NAME) if has_app_context() else None
