"""A program that fails in every way, with and without us, and writes down what others saw of it.

    python -m tests.flask_ext.host plain|connected FOLDER

Others are Sentry, the receivers of Flask's signal, teardown functions, and whoever reads standard
error. Our own reporters are off. The program ends by an error of a command.
"""

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol, cast

import click
import sentry_sdk
from flask import Flask, Response, abort, got_request_exception
from flask.cli import FlaskGroup
from flask.typing import ResponseReturnValue
from sentry_sdk.integrations.flask import FlaskIntegration
from sentry_sdk.transport import Transport

from holdfast_flask import Holdfast

MODE = "HOLDFAST_TEST_HOST"
"""Says in the environment of a server which of the two hosts it is."""
ESCAPING = ("/teardown", "/receiver")
"""Where errors would escape to the server, which we answer in its place."""


class Envelope(Protocol):
    """What the transport gets."""

    def get_event(self) -> dict[str, object] | None:
        """Return the event in it, if there is one."""
        ...


class Known(Exception):
    """Has a handler."""


def view() -> ResponseReturnValue:
    """Fail as a bug does."""
    raise ValueError("no stock")


async def coroutine() -> ResponseReturnValue:
    """Fail in a coroutine."""
    raise ValueError("no stock")


def chained() -> ResponseReturnValue:
    """Fail because of another failure."""
    try:
        return view()
    except ValueError as error:
        raise LookupError("no row") from error


def group() -> ResponseReturnValue:
    """Fail twice at once."""
    raise ExceptionGroup("two", [ValueError("one"), TypeError("two")])


def known() -> ResponseReturnValue:
    """Raise what has a handler."""
    raise Known("no stock")


def aborted() -> ResponseReturnValue:
    """Abort with nothing behind it."""
    abort(500)


def streamed() -> ResponseReturnValue:
    """Fail after the first part of the body."""

    def parts() -> Iterator[str]:
        yield "first"
        raise ValueError("no stock")

    return Response(parts())


def closed() -> ResponseReturnValue:
    """Fail when the response is closed."""
    response = Response("fine")
    response.call_on_close(view)
    return response


def threaded() -> ResponseReturnValue:
    """Fail in a thread."""
    thread = threading.Thread(target=view, name="of-view")
    thread.start()
    thread.join()
    return "fine"


def fine() -> ResponseReturnValue:
    """Answer; functions around it fail."""
    return "fine"


VIEWS: dict[str, Callable[[], object]] = {
    "/view": view,
    "/coroutine": coroutine,
    "/chained": chained,
    "/group": group,
    "/known": known,
    "/aborted": aborted,
    "/streamed": streamed,
    "/closed": closed,
    "/threaded": threaded,
    "/before": fine,
    "/after": fine,
    "/teardown": fine,
    "/receiver": view,
    "/testing": view,
    "/fine": fine,
}


class Witness:
    """Notes what Flask tells those who ask it, request by request."""

    def __init__(self, app: Flask) -> None:
        self.path = ""
        self.seen: dict[str, list[str]] = {}
        got_request_exception.connect(self.receive, sender=app, weak=False)
        app.teardown_request(self.tear_down)
        app.before_request(lambda: self.fail("/before"))
        app.after_request(self.after)
        app.register_error_handler(Known, lambda error: ("known", 503))

    def note(self, what: str) -> None:
        """Note something of the current request."""
        self.seen.setdefault(self.path, []).append(what)

    def fail(self, path: str) -> None:
        """Raise in the request of a path."""
        if self.path == path:
            raise ValueError("no stock")

    def after(self, response: Response) -> Response:
        """Fail after the view."""
        self.fail("/after")
        return response

    def receive(self, sender: Flask, exception: BaseException, **others: object) -> None:
        """Note the signal."""
        if self.path not in ESCAPING:
            self.note(f"signal: {exception!r}")
        self.fail("/receiver")

    def tear_down(self, error: BaseException | None) -> None:
        """Note the error that the request ends with."""
        self.note(f"teardown: {error!r}")
        self.fail("/teardown")


def make(*, connected: bool) -> tuple[Flask, Witness]:
    """Make the application, with us or without."""
    app = Flask("host")
    app.config["HOLDFAST_REPORTERS"] = []
    app.config["HOLDFAST_FRAMEWORK_LOG"] = True
    if connected:
        Holdfast(app)
    for path, function in VIEWS.items():
        app.add_url_rule(path, path[1:], function)  # type: ignore[arg-type]  # def and async def
    app.cli.command("raises")(view)
    app.cli.command("refuses")(refuse)
    return app, Witness(app)


def refuse() -> None:
    """Refuse as click does."""
    raise click.ClickException("the feed is closed")


def ask(app: Flask, witness: Witness, path: str) -> None:
    """Send a request, and note how it ended for whoever serves it."""
    witness.path, app.testing = path, path == "/testing"
    try:
        status = app.test_client().get(path, buffered=True).status
    except Exception as error:  # noqa: BLE001  # a server would log it
        status = repr(error)
    if path not in ESCAPING:
        witness.note(f"ended: {status}")


def described(event: dict[str, object]) -> object:
    """Return what matters of an event: how grave it is, which errors it holds and where they were raised."""
    exceptions = cast("dict[str, list[dict[str, object]]]", event.get("exception", {}))
    return [
        event.get("level"),
        [[told["type"], told["value"], functions(told)] for told in exceptions.get("values", [])],
    ]


def functions(told: dict[str, object]) -> list[object]:
    """Return the calls that led to an exception, below the one by which servers call an application."""
    found = cast("dict[str, list[dict[str, object]]]", told.get("stacktrace", {}))
    return [
        frame["function"] for frame in found.get("frames", []) if frame["function"] != "__call__"
    ]


def listen(path: Path) -> None:
    """Have Sentry write its events to a file."""

    class Filing(Transport):
        def capture_envelope(self, envelope: object) -> None:
            event = cast("Envelope", envelope).get_event()
            if event is not None:
                with path.open("a") as file:
                    file.write(json.dumps(described(event)) + "\n")

    sentry_sdk.init(
        dsn="http://key@127.0.0.1:1/1",
        transport=Filing,
        integrations=[FlaskIntegration()],
        auto_enabling_integrations=False,
        shutdown_timeout=0,
    )


def main(mode: str, folder: str) -> None:
    """Fail in every way, and end by a command that raises."""
    listen(Path(folder) / "sentry")
    app, witness = make(connected=mode == "connected")
    for path in VIEWS:
        ask(app, witness, path)
    (Path(folder) / "seen").write_text(json.dumps(witness.seen, indent=1))
    program = FlaskGroup(create_app=lambda: app)
    for command in ("refuses", "unknown", "raises"):
        try:
            program.main([command])
        except SystemExit as leaving:
            sys.stderr.write(f"{command} left with {leaving.code}\n")


def broken() -> Flask:
    """Fail while the application is built, after it was connected."""
    make(connected=os.environ[MODE] == "connected")
    raise LookupError("no catalogue")


if __name__ == "__main__":
    main(*sys.argv[1:])
