"""What can be seen of a Django project from outside, printed as JSON: run with holdfast and without, it is the same.

The argument is `with` or `without`; at the end an error is left to Python.
"""

import contextlib
import io
import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any
from unittest.mock import patch

import django
from django.conf import settings
from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.core.management import BaseCommand, CommandError, execute_from_command_line
from django.core.signals import got_request_exception
from django.db import transaction
from django.dispatch import Signal
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import path

WITH = "with" in sys.argv
SIGNAL = Signal()
View = Callable[[HttpRequest], HttpResponseBase | None]


def fail(*_: object, **__: object) -> HttpResponse:
    """Fail, with a cause."""
    try:
        raise ValueError("the cause")
    except ValueError as cause:
        raise KeyError("sku") from cause


def raising(error: type[Exception]) -> View:
    """Return a view that raises."""

    def view(_: HttpRequest) -> HttpResponse:
        raise error("no")

    return view


def robust(_: HttpRequest) -> HttpResponse:
    """Fail where Django goes on."""
    with transaction.atomic():
        transaction.on_commit(fail, robust=True)
    SIGNAL.connect(fail)
    SIGNAL.send_robust(sender=None)
    return HttpResponse("ok")


def logs(_: HttpRequest) -> HttpResponse:
    """Handle an error by a line of the log."""
    try:
        fail()
    except KeyError:
        logging.getLogger("shop").exception("cannot sell")
    return HttpResponse("ok")


def thread(_: HttpRequest) -> HttpResponse:
    """Fail in a thread."""
    started = threading.Thread(target=fail, name="stock")
    started.start()
    started.join()
    return HttpResponse("ok")


def stream(_: HttpRequest) -> StreamingHttpResponse:
    """Fail in a body."""

    def chunks() -> Iterator[bytes]:
        yield b"first"
        fail()

    return StreamingHttpResponse(chunks())


def leave(_: HttpRequest) -> HttpResponse:
    """Leave."""
    sys.exit(3)


VIEWS: dict[str, View] = {
    "crash": fail,
    "http404": raising(Http404),
    "denied": raising(PermissionDenied),
    "bad": raising(BadRequest),
    "suspicious": raising(SuspiciousOperation),
    "none": lambda _: None,
    "silent": lambda _: HttpResponse("sorry", status=500),
    "robust": robust,
    "logs": logs,
    "thread": thread,
    "stream": stream,
    "leave": leave,
}
urlpatterns = [path(name, view) for name, view in VIEWS.items()]  # type: ignore[arg-type]  # None on purpose


class Ending(BaseCommand):
    """Ends as its argument says."""

    requires_system_checks = ()

    def add_arguments(self, parser: Any) -> None:  # noqa: ANN401  # of argparse
        """Take the way to end."""
        parser.add_argument("ending")

    def handle(self, *_: object, **options: str) -> None:
        """End so."""
        match options["ending"]:
            case "crash":
                fail()
            case "error":
                raise CommandError("nothing to sell", returncode=4)
            case "exit":
                sys.exit(5)
            case _:
                self.stdout.write("sold")


def configure() -> None:
    """Set up Django, with holdfast or without."""
    ours = WITH
    settings.configure(
        ALLOWED_HOSTS=["testserver"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        HOLDFAST={"REPORTERS": ["logging"], "FRAMEWORK_LOG": True},
        INSTALLED_APPS=["holdfast_django"] if ours else [],
        LOGGING_CONFIG=None,
        MIDDLEWARE=["holdfast_django.middleware.HoldfastMiddleware"] if ours else [],
        ROOT_URLCONF=__name__,
        SECRET_KEY="made-up",
        USE_TZ=True,
    )
    django.setup()


class Lines(logging.Handler):
    """Keeps the lines of everybody but holdfast."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.kept: list[object] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what can be compared."""
        if record.name != "holdfast":
            error = None if record.exc_info is None else repr(record.exc_info[1])
            self.kept.append([record.name, record.levelname, record.getMessage(), error])


def listen_as_sentry() -> list[object]:
    """Set up Sentry as projects do, where it is installed, and return where its events are kept."""
    kept: list[object] = []
    if find_spec("sentry_sdk") is None:
        return kept
    import sentry_sdk  # noqa: PLC0415  # may not be there
    from sentry_sdk.integrations.django import DjangoIntegration  # noqa: PLC0415

    def keep(envelope: Any) -> None:  # noqa: ANN401  # of Sentry
        event = envelope.get_event()
        if event is not None:
            values = event.get("exception", {}).get("values", [])
            told = [[one["type"], one["value"], one["mechanism"].get("handled")] for one in values]
            kept.append([event.get("transaction"), event.get("logger"), event.get("level"), told])

    transport = type("Transport", (sentry_sdk.Transport,), {"capture_envelope": staticmethod(keep)})
    sentry_sdk.init(
        dsn="http://key@127.0.0.1:1/1",
        transport=transport,
        integrations=[DjangoIntegration()],
        shutdown_timeout=0,
    )
    return kept


def ask(name: str, *, raising: bool) -> str:
    """Return what a request comes to: its status and body, or what the test client raises."""
    from django.test import Client  # noqa: PLC0415  # needs settings

    try:
        response = Client(raise_request_exception=raising).get(f"/{name}")
        streaming = getattr(response, "streaming", False)
        body = b"".join(response) if streaming else b""
    except BaseException as error:  # noqa: BLE001  # an exit too
        return repr(error)
    return f"{response.status_code} {body!r}"


def run(*arguments: str) -> list[str]:
    """Return how a command ends, and what it says."""
    out, err = io.StringIO(), io.StringIO()
    found = {"sell": Ending(stdout=out, stderr=err)}
    try:
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            patch("django.core.management.get_commands", return_value=found),
        ):
            execute_from_command_line(["manage.py", *arguments])
    except BaseException as error:  # noqa: BLE001  # an exit too
        return [repr(error), out.getvalue(), err.getvalue()]
    return ["", out.getvalue(), err.getvalue()]


def observe() -> dict[str, object]:
    """Return all there is to see."""
    lines, events = Lines(), listen_as_sentry()
    logging.getLogger().addHandler(lines)
    heard: list[str] = []

    def hear(**_: object) -> None:
        heard.append(repr(sys.exception()))

    got_request_exception.connect(hear)
    seen: dict[str, object] = {}
    for name in (*VIEWS, "nowhere"):
        for raises in (True, False):
            seen[f"{name} {raises}"] = ask(name, raising=raises)
    seen["commands"] = [
        run("sell", *arguments) for arguments in (["crash"], ["error"], ["exit"], ["all"], [])
    ]
    seen["log"], seen["sentry"], seen["signal"] = lines.kept, events, heard
    return seen


if __name__ == "__main__":
    configure()
    sys.stdout.write(json.dumps(observe()) + "\n")
    sys.stdout.flush()
    found = {"sell": Ending()}
    with patch("django.core.management.get_commands", return_value=found):
        execute_from_command_line(["manage.py", "sell", "crash"])
