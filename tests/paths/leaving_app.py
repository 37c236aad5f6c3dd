"""The application whose processes leave, behind real servers.

What it is told of crashes stands in the environment, as JSON.
"""

import json
import os
import threading
from datetime import UTC, datetime

from asgiref.wsgi import WsgiToAsgi
from flask import Flask
from flask.typing import ResponseReturnValue

from holdfast import Event, Severity
from holdfast_flask import Holdfast
from holdfast_flask.extension import runtime_of

NOON = datetime(2024, 1, 15, 12, tzinfo=UTC)


app = Flask("leaving")
app.config["HOLDFAST_SERVICE"] = "leaving"
app.config["HOLDFAST_REPORTERS"] = ["tests.paths.leaving_reporter:reporter"]
app.config["HOLDFAST_CRASH"] = json.loads(os.environ["HOLDFAST_TEST_CRASH"])
app.config["HOLDFAST_HEALTH"] = {"DETAILS": "always"}
Holdfast(app)


@app.get("/fine")
def fine() -> ResponseReturnValue:
    """Tell which process answers."""
    return {"pid": os.getpid()}


@app.get("/bug")
def bug() -> ResponseReturnValue:
    """Fail as a bug does."""
    raise KeyError("sku")


@app.get("/slow/<float:seconds>")
def slow(seconds: float) -> ResponseReturnValue:
    """Say that it has begun, and take a while."""
    runtime_of(app).emit(Event(name="begun", severity=Severity.DEBUG, time=NOON))
    threading.Event().wait(seconds)
    return {"pid": os.getpid()}


@app.get("/late")
def late() -> ResponseReturnValue:
    """Say that it has begun, and fail after a while."""
    slow(1.0)
    raise KeyError("sku")


asgi: object = WsgiToAsgi(app)  # type: ignore[no-untyped-call]  # ships no annotations
