"""An application that cannot be built, and the two lines by which its process hears of it."""

import os

from asgiref.wsgi import WsgiToAsgi
from flask import Flask

from holdfast import init_error_system
from holdfast_flask import Holdfast
from tests.paths.filing import VARIABLE

WHEN = "HOLDFAST_TEST_FAILS"
"""Says in the environment when the factory fails: `before` or `after` it connects the application."""
REPORTERS = ["tests.paths.filing:reporter"]


def create_app() -> Flask:
    """Fail where the environment says."""
    if os.environ[WHEN] == "before":
        raise LookupError("no configuration")
    app = Flask(__name__)
    app.config["HOLDFAST_REPORTERS"] = REPORTERS
    Holdfast(app)
    raise LookupError("no catalogue")


if VARIABLE in os.environ:
    if os.environ[WHEN] == "before":
        init_error_system(service="matrix", reporters=REPORTERS)
    app = create_app()
    asgi = WsgiToAsgi(app)  # type: ignore[no-untyped-call]  # asgiref has no annotations here
