"""The applications that the rows of Flask are raised in: one per key, behind real servers.

Most rows are raised in the application at the root; those that need other settings have one of
their own, mounted below their key.
"""

import contextvars
import os
import threading
from collections.abc import Callable, Iterator

import click
from asgiref.wsgi import WsgiToAsgi
from flask import Blueprint, Flask, Response, abort, got_request_exception, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from holdfast import AppError, ErrorCode
from holdfast_flask import Holdfast
from tests.paths.filing import VARIABLE

PATIENCE = 30.0
"""Seconds for which the view of the time limit does not answer."""


class MishapError(Exception):
    """What the views raise."""


class FirstError(Exception):
    """What a handler answers by raising."""


class KnownError(Exception):
    """Has a handler, and is raised in a group."""


def fine() -> ResponseReturnValue:
    """Answer as it should be; other functions of the request fail."""
    return {"fine": True}


def view() -> ResponseReturnValue:
    """Fail as a bug does."""
    raise MishapError("no stock")


async def async_view() -> ResponseReturnValue:
    """Fail in a coroutine."""
    raise MishapError("no stock")


def on_purpose() -> ResponseReturnValue:
    """Give up for want of a dependency."""
    raise AppError(ErrorCode.DB_CONNECTION_ERROR, "no database")


def handler_raises() -> ResponseReturnValue:
    """Raise what has a handler that raises."""
    raise FirstError("no stock")


def abort_500() -> ResponseReturnValue:
    """Abort, with nothing behind it."""
    abort(500)


def abort_response() -> ResponseReturnValue:
    """Abort with a server error of one's own."""
    abort(Response("later", 503))


def abort_answer() -> ResponseReturnValue:
    """Abort with an answer."""
    abort(Response("short and stout"))


def bare() -> ResponseReturnValue:
    """Raise what Flask would answer with 200."""
    raise HTTPException("bare")


def unexplained() -> ResponseReturnValue:
    """Answer with a server error although nothing was raised."""
    return "later", 503


def stream() -> ResponseReturnValue:
    """Fail after the first part of the body."""

    def parts() -> Iterator[str]:
        yield "first,"
        raise MishapError("no stock")

    return Response(parts(), mimetype="text/plain")


def close() -> ResponseReturnValue:
    """Fail when the response is closed."""
    response = Response("fine")

    @response.call_on_close
    def fail() -> None:
        raise MishapError("no stock")

    return response


def group() -> ResponseReturnValue:
    """Raise two errors that each have a handler."""
    raise ExceptionGroup("two", [KnownError("one"), KnownError("two")])


def thread() -> ResponseReturnValue:
    """Fail in a thread, whose name says in which request."""
    begun = threading.Thread(target=view, name=request.headers["X-Request-ID"])
    begun.start()
    begun.join()
    return fine()


def logged() -> ResponseReturnValue:
    """Catch an error and only write it down."""
    try:
        return view()
    except MishapError:
        site.logger.exception("went another way")
        return fine()


def leave() -> ResponseReturnValue:
    """End the worker."""
    raise SystemExit(3)


def time_limit() -> ResponseReturnValue:
    """Take longer than the server waits."""
    threading.Event().wait(PATIENCE)
    return fine()


VIEWS: dict[str, Callable[[], object]] = {
    "abort-500": abort_500,
    "abort-answer": abort_answer,
    "abort-response": abort_response,
    "after-request": fine,
    "async-view": async_view,
    "bare": bare,
    "before-request": fine,
    "close": close,
    "exit": leave,
    "group": group,
    "handler-raises": handler_raises,
    "logged": logged,
    "on-purpose": on_purpose,
    "signal-receiver": view,
    "slash/": fine,
    "stream": stream,
    "teardown": fine,
    "teardown-context": fine,
    "thread": thread,
    "time-limit": time_limit,
    "unexplained": unexplained,
    "view": view,
}


def make(**config: object) -> Flask:
    """Make an application that fails when it is asked to."""
    app = Flask(__name__)
    app.config.from_mapping(HOLDFAST_SERVICE="matrix", HOLDFAST_REPORTERS=[REPORTER])
    app.config.from_mapping(config)
    Holdfast(app)
    for key, function in VIEWS.items():
        app.add_url_rule(f"/{key}", key, function)  # type: ignore[arg-type]  # Flask's type knows no mixture of def and async def
    return app


REPORTER = "tests.paths.filing:reporter"


def fail_at(path: str) -> None:
    """Raise when the request asks for it."""
    if request.path == path:
        raise MishapError("no stock")


def hook(app: Flask) -> None:
    """Register functions that fail around views."""

    @app.before_request
    def before() -> None:
        fail_at("/before-request")

    @app.after_request
    def after(response: Response) -> Response:
        fail_at("/after-request")
        return response

    @app.teardown_request
    def teardown(error: BaseException | None) -> None:
        fail_at("/teardown")

    @app.teardown_appcontext
    def teardown_context(error: BaseException | None) -> None:
        path = ending.get()
        ending.set("")  # a thread's next request may end before it is remembered
        if path == "/teardown-context":
            raise MishapError("no stock")

    @app.before_request
    def remember() -> None:
        ending.set(request.path)


def answer_some(app: Flask) -> None:
    """Register handlers for errors, and a receiver of Flask's signal, that fail in their turn."""

    @app.errorhandler(FirstError)
    def fail_again(error: FirstError) -> ResponseReturnValue:
        raise MishapError("the handler has no stock either")

    @app.errorhandler(KnownError)
    def answer(error: KnownError) -> ResponseReturnValue:
        return "known", 400

    def receive(sender: Flask, exception: BaseException, **others: object) -> None:
        if request.path == "/signal-receiver":
            raise MishapError("the receiver has no stock either")

    got_request_exception.connect(receive, sender=app, weak=False)


ending: contextvars.ContextVar[str] = contextvars.ContextVar("ending", default="")
"""The path of the request whose application context ends: the request itself is gone by then."""


def answering(name: str, status: int) -> Blueprint:
    """Return a blueprint that answers every error itself."""
    own = Blueprint(name, __name__)

    @own.errorhandler(Exception)
    def answer(error: Exception) -> ResponseReturnValue:
        return "my own words", status

    own.add_url_rule(f"/{name}", name, view)
    return own


def missing() -> Blueprint:
    """Return a blueprint that would answer unknown addresses, if it were asked."""
    shelf = Blueprint("shelf", __name__, url_prefix="/blueprint-404")

    @shelf.errorhandler(404)
    def answer(error: HTTPException) -> ResponseReturnValue:
        return "nothing here", 404

    return shelf


def command(app: Flask) -> None:
    """Register commands that fail."""

    @app.cli.command("raises")
    def raises() -> None:
        view()

    @app.cli.command("refuses")
    def refuses() -> None:
        raise click.ClickException("the feed is closed")

    @app.cli.command("exits")
    def exits() -> None:
        raise SystemExit(3)

    @app.cli.command("aborts")
    def aborts() -> None:
        click.confirm("Go on?", abort=True)

    @app.cli.command("arguments")
    @click.argument("month", type=int)
    def arguments(month: int) -> None:
        click.echo(month)

    shelf = Blueprint("of-blueprint", __name__, cli_group=None)
    shelf.cli.command("of-blueprint")(view)
    app.register_blueprint(shelf)


if VARIABLE in os.environ:  # in a server, not where the tests are collected
    site = make()
    hook(site)
    answer_some(site)
    site.register_blueprint(answering("own-handler", 500))
    site.register_blueprint(answering("own-recovery", 200))
    site.register_blueprint(missing())
    command(site)
    app = DispatcherMiddleware(
        site,
        {
            "/propagate": make(PROPAGATE_EXCEPTIONS=True),
            "/testing": make(TESTING=True),
        },
    )
    asgi = WsgiToAsgi(app)  # type: ignore[no-untyped-call]  # asgiref has no annotations here
