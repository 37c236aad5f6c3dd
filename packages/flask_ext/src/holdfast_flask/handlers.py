"""What Flask asks when a request went wrong, and what it is told.

Registered on 500, `HTTPException` and `AppError`, and never on `Exception`: that would silence
Flask's signal, its log and the error that teardown functions get, by which transactions roll back.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import cast

from flask import Flask, Response, current_app, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException, RequestedRangeNotSatisfiable
from werkzeug.wsgi import FileWrapper

from holdfast.context import current_context
from holdfast.envelope import fitting
from holdfast.errors import AppError
from holdfast.handler import Action, Verdict, bare_answer, last_server_error
from holdfast.runtime import Runtime
from holdfast.statuses import CLIENT_ERROR, SERVER_ERROR, error_of, unexplained
from holdfast_flask.capture import (
    EXPECTED,
    RAISED,
    STREAM,
    Capture,
    origin,
    pass_on,
    verdict,
)
from holdfast_flask.neighbours import unanswered
from holdfast_flask.responses import Responder
from holdfast_flask.rules import headers_of
from holdfast_flask.streams import WatchedStream

_UNFIT = "holdfast.unfit"
"""Key of the WSGI environment: a verdict whose value cannot be answered with."""


class Handlers:
    """Captures and renders the errors of one application; holds no reference to it.

    Args:
        runtime: The application's.
        capture: Hands errors to it.
        responder: Renders what it decided.
    """

    def __init__(self, runtime: Runtime, capture: Capture, responder: Responder) -> None:
        self._runtime = runtime
        self._capture = capture
        self._responder = responder

    def register(self, app: Flask) -> None:
        """Attach everything that answers to an application."""
        app.register_error_handler(500, self.on_server_error)
        app.register_error_handler(HTTPException, self.on_http_error)
        app.register_error_handler(AppError, self.on_app_error)
        for left in unanswered(app):
            app.register_error_handler(left, self._answer)
        override(app, "handle_user_exception", self._observing(app, app.handle_user_exception))
        override(app, "process_response", self._checking(app.process_response))

    def on_server_error(self, error: HTTPException) -> ResponseReturnValue:
        """Answer an error that nobody handled, or an `abort(500)`."""
        if error.response is not None:
            return error
        original = getattr(error, "original_exception", None)
        return self._answer(error if original is None else original)

    def on_http_error(self, error: HTTPException) -> ResponseReturnValue:
        """Answer what `abort` and routing raise; what is no error, or has its answer, passes."""
        if error.response is not None or (error.code is not None and error.code < CLIENT_ERROR):
            return error
        if error.code is None:
            raise error
        answered = self._answer(error)
        if isinstance(error, RequestedRangeNotSatisfiable) and isinstance(answered, Response):
            # An answer has no headers that describe its body, but this one tells of the resource.
            answered.headers.extend(headers_of(error))
        return answered

    def on_app_error(self, error: AppError) -> ResponseReturnValue:
        """Answer a caller's mistake; anything graver takes Flask's path, signal and teardown included."""
        if self._status(error) >= SERVER_ERROR:
            raise error
        return self._answer(error)

    def _answer(self, error: BaseException) -> ResponseReturnValue:
        decided = self._capture.error(error)
        recovered = self._recovered(decided)
        if recovered is not None:
            return recovered
        # A middleware of the handler's ignores the error: it is not recorded, and the caller has to be answered.
        return self._responder.respond(decided.answer or bare_answer(error, origin()))

    def _recovered(self, decided: Verdict) -> Response | None:
        """Return the response that a recovered value is, or None when the error is to be answered."""
        if decided.action is not Action.RECOVERED or request.environ.get(_UNFIT) is decided:
            return None
        value = ("", 204) if decided.value is None else decided.value
        try:
            return current_app.make_response(cast("ResponseReturnValue", value))
        except Exception as unfit:  # noqa: BLE001  # of a handler's making: it must not hide the error
            request.environ[_UNFIT] = decided
            self._runtime.handle(unfit, replace(origin(), resumable=False))
            return None

    def _recovery_from(self, error: Exception) -> Response | None:
        """Return what a handler recovers with, before Flask makes a server error of what nobody handled."""
        if not self._runtime.handler.may_recover:
            return None
        return self._recovered(self._capture.error(error))

    def _status(self, error: BaseException) -> int:
        return self._runtime.handler.classifier.classify(error).status

    def _observing(
        self,
        app: Flask,
        dispatch: Callable[[Exception], HTTPException | ResponseReturnValue],
    ) -> Callable[[Exception], HTTPException | ResponseReturnValue]:
        """Return Flask's search for a handler, with what it misses seen."""

        def handle_user_exception(error: Exception) -> HTTPException | ResponseReturnValue:
            request.environ[RAISED] = error
            if _is_bare(error) and not app.trap_http_exception(error):
                raise error  # Flask would answer it with 200 and ask nobody
            try:
                return dispatch(error)
            except Exception as raised:
                recovered = self._recovery_from(raised)
                if recovered is not None:
                    return recovered
                unhandled = raised is error and not isinstance(error, (HTTPException, AppError))
                if not unhandled or self._status(error) >= SERVER_ERROR:
                    pass_on(raised)
                    raise
                return self._answer(error)

        return handle_user_exception

    def _checking(self, process: Callable[[Response], Response]) -> Callable[[Response], Response]:
        """Return the last step of every response, with the net behind it."""

        def process_response(response: Response) -> Response:
            try:
                response = process(response)
            except BaseException as error:
                pass_on(error)
                raise
            if response.status_code >= CLIENT_ERROR:
                response = self._explained(response)
            if type(response.response) is not list and not _is_file(response):
                self._watch(response)
            return response

        return process_response

    def _watch(self, response: Response) -> None:
        work = current_context()
        if response.is_streamed and work is not None:
            response.response = WatchedStream(  # type: ignore[assignment]  # werkzeug takes any iterable
                response.response, self._runtime, origin(STREAM), work
            )

    def _explained(self, response: Response) -> Response:
        """Return an error's response with a body, after making sure that the error is recorded."""
        environ = request.environ
        raised = environ.pop(RAISED, None)
        if EXPECTED in environ or _is_recovery(verdict()):
            return response
        empty = _is_empty(response)
        decided = verdict() or self._explain(response.status_code, raised, empty=empty)
        if decided is None or decided.answer is None or not empty:
            return response
        answer = fitting(decided.answer, response.status_code, self._runtime.handler.classifier)
        return self._responder.fill(response, answer)

    def _explain(self, status: int, raised: Exception | None, *, empty: bool) -> Verdict | None:
        if raised is not None and (status >= SERVER_ERROR or self._status(raised) < SERVER_ERROR):
            return self._capture.error(raised)
        if raised is not None:
            # The application's own handler made a caller's mistake of it; that is what it is.
            meant = error_of(status)
            meant.__cause__ = raised
            return self._capture.error(meant)
        if status >= SERVER_ERROR:
            return last_server_error() or self._capture.error(unexplained(status))
        return self._capture.error(error_of(status)) if empty else None


def _is_bare(error: Exception) -> bool:
    return isinstance(error, HTTPException) and error.code is None and error.response is None


def _is_recovery(decided: Verdict | None) -> bool:
    return decided is not None and decided.action is Action.RECOVERED


def _is_file(response: Response) -> bool:
    """Tell whether a body is for the server to send as it likes, which it knows by the object itself."""
    if not response.direct_passthrough:
        return False
    body, wrapper = response.response, request.environ.get("wsgi.file_wrapper")
    # Servers may have a function in the place of the class; what it returns is the file.
    known = (FileWrapper, wrapper) if isinstance(wrapper, type) else FileWrapper
    return isinstance(body, known) or hasattr(body, "read") or not hasattr(body, "__iter__")


def _is_empty(response: Response) -> bool:
    body = response.response
    return isinstance(body, (list, tuple)) and not any(body)


def override(owner: object, name: str, method: object) -> None:
    """Put a method in the place of one that Flask or click document as an override point."""
    setattr(owner, name, method)
