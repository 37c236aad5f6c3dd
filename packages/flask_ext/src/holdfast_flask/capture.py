"""From a request to the handler: an exception, and where it became somebody's answer."""

from contextlib import suppress
from typing import Final, Protocol, cast, runtime_checkable

from flask import Flask, Request, g, has_request_context, request

from holdfast.handler import Verdict
from holdfast.origin import Origin, operation_of
from holdfast.runtime import Runtime

BOUNDARY: Final = "flask.request"
STREAM: Final = "flask.stream"
PAGE: Final = "flask.page"

VERDICT: Final = "holdfast.verdict"
"""Key of the WSGI environment: what the handler decided about this request's error."""
RAISED: Final = "holdfast.raised"
"""Key of the WSGI environment: the exception that Flask went to find a handler for."""
EXPECTED: Final = "holdfast.expected"
"""Key of the WSGI environment: an answer of any status is meant, as a health report's is."""


@runtime_checkable
class _LoggedIn(Protocol):
    """A user of Flask-Login's."""

    def get_id(self) -> str | None: ...


class Capture:
    """Hands exceptions of one application's requests to its runtime; never raises.

    Args:
        runtime: The application's.
    """

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    def error(self, error: BaseException, boundary: str = BOUNDARY) -> Verdict:
        """Have the handler decide about an exception of the current request."""
        current = _current_request()
        verdict = self.runtime.handle(error, _origin(boundary, current))
        if current is not None:
            current.environ[VERDICT] = verdict
        return verdict

    def signalled(self, _: Flask, /, exception: BaseException, **__: object) -> None:
        """Receive `got_request_exception`."""
        self.error(exception)


def verdict() -> Verdict | None:
    """Return what was decided about the current request, or None when nothing went wrong so far."""
    found: Verdict | None = request.environ.get(VERDICT)
    return found


def origin(boundary: str = BOUNDARY) -> Origin:
    """Return where the current request is: the route, which has few values, and the path."""
    return _origin(boundary, _current_request())


def _origin(boundary: str, current: Request | None) -> Origin:
    if current is None:
        return Origin(boundary=boundary)
    rule, user = current.url_rule, _known_user()
    return Origin(
        boundary=boundary,
        operation=operation_of(current.method, None if rule is None else rule.rule),
        path=current.path,
        attributes={"user_id": user} if user else {},
        resumable=boundary == BOUNDARY,
    )


def _known_user() -> str:
    """Return the id of the user that Flask-Login has loaded for this request already, if it has."""
    user: object = g.get("_login_user")
    with suppress(Exception):  # a project's own class
        found: object = user.get_id() if isinstance(user, _LoggedIn) else None
        return "" if found is None else str(found)
    return ""


def _current_request() -> Request | None:
    # The request itself, because each use of the proxy looks it up again.
    if not has_request_context():
        return None
    return cast("Request", request._get_current_object())  # type: ignore[attr-defined]  # noqa: SLF001  # as Flask documents


def pass_on(error: BaseException) -> None:
    """Take the line of whoever caught an exception, and raises it on, out of its traceback.

    What is printed of it is then what it would have been without us.
    """
    traceback = error.__traceback__
    if traceback is not None:
        error.__traceback__ = traceback.tb_next
