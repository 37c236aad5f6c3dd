"""The application that the table of errors is walked through against, behind real servers.

Every view exists twice, as `def` below `/sync` and as `async def` below `/async`.
"""

import json
import os
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from asgiref.wsgi import WsgiToAsgi
from flask import Blueprint, Flask, Response, abort, g, render_template_string, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from holdfast import AppError, ErrorCode, Event, ResourceNotFoundError, Runtime
from holdfast.record import ErrorHandled
from holdfast_flask import Holdfast

SECRET = "hunter2-canary"


class FileReporter:
    """Appends each record to a file, which the test reads."""

    name = "file"

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._lock = threading.Lock()

    def report(self, event: Event) -> None:
        """Append the record of an error."""
        if not isinstance(event, ErrorHandled):
            return
        record = event.record
        line = {
            **record.as_json(),
            "message": record.message,
            "status": record.classification.status,
        }
        with self._lock, self._path.open("a") as file:
            file.write(json.dumps(line, default=str) + "\n")


def file_reporter(runtime: Runtime) -> FileReporter:
    """Make the reporter for the file that the environment names."""
    return FileReporter(os.environ["HOLDFAST_TEST_RECORDS"])


class OutOfStockError(AppError):
    """An order line cannot be met from stock."""

    code = "FLASK_TEST_OUT_OF_STOCK"
    kind = ErrorCode.STATE_CONFLICT.kind
    title = "Out of stock"


class TeapotError(Exception):
    """Known to one blueprint alone."""


def boom() -> ResponseReturnValue:
    """Fail as a bug does."""
    return {"result": int(f"{SECRET}")}


def app_error_4xx() -> ResponseReturnValue:
    """Refuse a caller on purpose."""
    raise OutOfStockError("2 left of SKU 881", details={"left": 2})


def app_error_5xx() -> ResponseReturnValue:
    """Give up for want of a dependency."""
    raise AppError(ErrorCode.DB_CONNECTION_ERROR, f"no route to {SECRET}", retry_after=7)


def group() -> ResponseReturnValue:
    """Raise two errors at once, one of them a bug."""
    raise ExceptionGroup("two", [ValueError(SECRET), ResourceNotFoundError("gone")])


def group_of_callers() -> ResponseReturnValue:
    """Raise a group of nothing but a caller's mistakes."""
    raise ExceptionGroup("one", [ResourceNotFoundError("Collection 999 not found")])


def malformed() -> ResponseReturnValue:
    """Read JSON."""
    return {"read": request.get_json()}


def form_field() -> ResponseReturnValue:
    """Read a field of a form."""
    return {"read": request.form["quantity"]}


def template() -> ResponseReturnValue:
    """Render what cannot be rendered."""
    return render_template_string("{{ 1 / 0 }}")


def none() -> ResponseReturnValue:
    """Forget to answer."""
    return None  # type: ignore[return-value]  # the mistake under test


def bare() -> ResponseReturnValue:
    """Raise what Flask would answer with 200."""
    raise HTTPException(f"bare {SECRET}")


def abort_with() -> ResponseReturnValue:
    """Abort with the status in the query."""
    abort(int(request.args["status"]))


def abort_response() -> ResponseReturnValue:
    """Abort with a response of one's own."""
    abort(Response("short and stout", 418, {"X-Own": "yes"}))


def fine() -> ResponseReturnValue:
    """Answer as it should be."""
    return {"fine": True}


def stream() -> ResponseReturnValue:
    """Fail after the first part of the body."""

    def parts() -> Iterator[str]:
        yield "first,"
        raise RuntimeError(f"lost {SECRET}")

    return Response(parts(), mimetype="text/plain")


def server_error_by_hand() -> ResponseReturnValue:
    """Answer 500 although nothing was raised, with no body."""
    return "", 503


def teapot() -> ResponseReturnValue:
    """Raise what only the blueprint handles."""
    raise TeapotError(SECRET)


VIEWS: tuple[Callable[[], ResponseReturnValue], ...] = (
    boom,
    app_error_4xx,
    app_error_5xx,
    group,
    group_of_callers,
    malformed,
    form_field,
    template,
    none,
    bare,
    abort_with,
    abort_response,
    fine,
    stream,
    server_error_by_hand,
)


def as_async(
    view: Callable[[], ResponseReturnValue],
) -> Callable[[], Awaitable[ResponseReturnValue]]:
    """Return the same view as a coroutine function."""

    async def run() -> ResponseReturnValue:
        """Call the view."""
        return view()

    run.__name__ = f"async_{view.__name__}"
    return run


def hooked() -> Blueprint:
    """Return a blueprint whose hooks fail when the query asks for it."""
    hooks = Blueprint("hooks", __name__, url_prefix="/hooks")

    @hooks.before_request
    def before() -> None:
        if request.args.get("fail") == "before":
            raise LookupError(SECRET)

    @hooks.after_request
    def after(response: Response) -> Response:
        if request.args.get("fail") == "after":
            raise LookupError(SECRET)
        return response

    @hooks.teardown_request
    def teardown(error: BaseException | None) -> None:
        if request.args.get("fail") == "teardown":
            raise LookupError(SECRET)

    hooks.add_url_rule("/sync", "sync", fine)
    hooks.add_url_rule("/async", "async", as_async(fine))
    return hooks


def own_handler() -> Blueprint:
    """Return a blueprint that answers one class of errors itself, with the status in the query."""
    own = Blueprint("own", __name__, url_prefix="/own")

    @own.errorhandler(TeapotError)
    def handle(error: TeapotError) -> ResponseReturnValue:
        return "my own words", int(request.args["status"])

    own.add_url_rule("/sync", "sync", teapot)
    own.add_url_rule("/async", "async", as_async(teapot))
    return own


def create_app() -> Flask:
    """Build the application; its settings are in the environment of the process."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = 1000
    app.config["HOLDFAST_SERVICE"] = "served"
    app.config["HOLDFAST_REPORTERS"] = ["logging", f"{__name__}:file_reporter"]
    Holdfast(app)
    for view in VIEWS:
        methods = ["GET", "POST"] if view in (malformed, form_field) else ["GET"]
        app.add_url_rule(f"/sync/{view.__name__}", view.__name__, view, methods=methods)
        app.add_url_rule(
            f"/async/{view.__name__}", f"async_{view.__name__}", as_async(view), methods=methods
        )
    app.register_blueprint(hooked())
    app.register_blueprint(own_handler())

    @app.before_request
    def note() -> None:
        g.noted = True

    return app


if "HOLDFAST_TEST_RECORDS" in os.environ:  # in a server, not where the tests are collected
    app = create_app()
    asgi = WsgiToAsgi(app)  # type: ignore[no-untyped-call]  # asgiref has no annotations here
