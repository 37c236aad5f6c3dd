"""A request as a WSGI server makes it, without a socket."""

import io
from collections.abc import Callable, Iterable
from wsgiref.types import WSGIApplication
from wsgiref.util import setup_testing_defaults


def get(application: WSGIApplication, path: str, *, status: int) -> Callable[[], object]:
    """Return a call that gets a path and closes the response; its status is checked once, here."""
    environ: dict[str, object] = {
        "PATH_INFO": path,
        "HTTP_HOST": "127.0.0.1",
        "HTTP_ACCEPT": "application/json",
        "REMOTE_ADDR": "127.0.0.1",
    }
    setup_testing_defaults(environ)
    environ["wsgi.errors"] = io.StringIO()
    answered: list[str] = []

    def start_response(line: str, *_: object) -> Callable[[bytes], object]:
        answered[:] = [line]
        return lambda _: None

    def call() -> None:
        # A server makes a new environment for each request.
        body: Iterable[bytes] = application(dict(environ), start_response)
        for _ in body:
            pass
        close = getattr(body, "close", None)
        if close is not None:
            close()

    call()
    assert answered[0].startswith(str(status)), f"{path} answered {answered[0]}"
    return call
