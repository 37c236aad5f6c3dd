"""The outermost layer of an application: the trace of each request, and what escapes Flask."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, cast

from flask import Flask, got_request_exception
from werkzeug.wsgi import ClosingIterator

from holdfast.context import WorkContext, begin, current_context, end, resume
from holdfast.envelope import Answer
from holdfast.handler import Verdict, bare_answer
from holdfast.hooks.servers import aborted
from holdfast.origin import Origin, operation_of
from holdfast.resilience.headers import Inbound
from holdfast.runtime import Runtime
from holdfast_flask.capture import BOUNDARY, pass_on
from holdfast_flask.responses import Responder

if TYPE_CHECKING:
    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class Boundary:
    """Stands in the place of `app.wsgi_app`.

    Args:
        app: The application; held by it alone, as its method was.
        runtime: The application's.
        responder: Renders what escaped before a server saw it.
    """

    def __init__(self, app: Flask, runtime: Runtime, responder: Responder) -> None:
        self._app = app
        self._next: WSGIApplication = app.wsgi_app
        self._runtime = runtime
        self._responder = responder
        self._inbound = runtime.inbound

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Serve one request as one piece of work."""
        self._runtime.statistics.request()
        around = current_context()
        token = begin(environ.get("HTTP_TRACEPARENT"), environ.get("HTTP_X_REQUEST_ID"), BOUNDARY)
        work = cast("WorkContext", current_context())
        if around is not None:
            work = _apart(work)
        start = Start(start_response, work)
        limit = None if self._inbound is None else self._inbound.begin(environ)
        try:
            late = None if limit is None else self._too_late(environ, start)
            body = self._next(environ, start) if late is None else late
        except BaseException as error:
            pass_on(error)
            answer = self._escaped(error, environ)
            if answer is None:
                raise
            body = self._answer(answer, environ, start)
        finally:
            if limit is not None:
                Inbound.end(limit)
            end(token)
            if around is not None:
                _explain(around, work)
        start.released = True
        begun, start.begun = start.begun, None
        if begun is not None:
            start.server_write = start_response(*begun)
        # Not around files, which servers know by the object itself.
        return Closing(body, self, environ, work) if type(body) is ClosingIterator else body

    def _too_late(self, environ: "WSGIEnvironment", start: "Start") -> Iterable[bytes] | None:
        """Answer a request that nobody waits for any more, which no view needs to see."""
        error = None if self._inbound is None else self._inbound.refusal()
        if error is None:
            return None
        answer = self.record(error, environ).answer
        return self._answer(answer or bare_answer(error, Origin(boundary=BOUNDARY)), environ, start)

    def _escaped(self, error: BaseException, environ: "WSGIEnvironment") -> Answer | None:
        """Record what Flask let through, and return an answer unless it has to go on to the server."""
        verdict = self.record(error, environ)
        if self._propagates(error):
            return None
        self._signal(error)
        return verdict.answer or bare_answer(error, Origin(boundary=BOUNDARY))

    def _signal(self, error: BaseException) -> None:
        """Tell the receivers of Flask's signal of an error that the server, where they may look, never sees."""
        app = self._app
        with suppress(Exception):  # they are used to have a request, and it is gone
            got_request_exception.send(app, _async_wrapper=app.ensure_sync, exception=error)

    def record(self, error: BaseException, environ: "WSGIEnvironment") -> Verdict:
        """Hand over what Flask let through, or the end of a worker whose time was over."""
        origin = Origin(
            boundary=BOUNDARY,
            operation=operation_of(environ["REQUEST_METHOD"], self._route(environ)),
            path=environ.get("PATH_INFO", "").encode("latin-1").decode("utf-8", "replace"),
            resumable=False,
        )
        abort = aborted(error)
        verdict = self._runtime.handle(abort or error, origin)
        if abort is not None:
            self._runtime.flush()  # the worker has a second before it is killed
        return verdict

    def _propagates(self, error: BaseException) -> bool:
        told = cast("bool | None", self._app.config["PROPAGATE_EXCEPTIONS"])
        propagate = self._app.testing or self._app.debug if told is None else told
        return propagate or not isinstance(error, Exception)

    def _route(self, environ: "WSGIEnvironment") -> str | None:
        # The request is gone by now, and with it the rule that matched.
        try:
            rule, _ = self._app.url_map.bind_to_environ(environ).match(return_rule=True)
        except Exception:  # noqa: BLE001  # no such route, or the map itself is what failed
            return None
        return rule.rule

    def _answer(
        self, answer: Answer, environ: "WSGIEnvironment", start: "Start"
    ) -> Iterable[bytes]:
        rendered = self._responder.render(answer, environ)
        headers = [
            *rendered.headers,
            ("Content-Type", rendered.content_type),
            ("Content-Length", str(len(rendered.body))),
        ]
        start(_status_line(rendered.status), headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [rendered.body]


class Closing:
    """A body whose end is still part of its request: what a response does when it is closed may fail.

    Args:
        body: What werkzeug made of the response.
        boundary: Takes what closing raises, which goes on to the server.
        environ: The request's.
        work: The request's.
    """

    __slots__ = ("_body", "_boundary", "_environ", "_work")

    def __init__(
        self,
        body: ClosingIterator,
        boundary: Boundary,
        environ: "WSGIEnvironment",
        work: WorkContext,
    ) -> None:
        self._body = body
        self._boundary = boundary
        self._environ = environ
        self._work = work

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        """Close the body, as the server asks when it is sent or the client is gone."""
        token = resume(self._work)
        try:
            self._body.close()
        except BaseException as error:
            pass_on(error)
            self._boundary.record(error, self._environ)
            raise
        finally:
            end(token)


class Start:
    """A `start_response` that adds the request's id, and waits until nothing can fail any more.

    A response that was started may be replaced by protocol, but servers then send the headers of
    both, two lengths among them.

    Args:
        start_response: The server's.
        work: Whose id is added.
    """

    # Of the class until they change: most responses are started once, and every instance costs.
    begun: tuple[str, list[tuple[str, str]]] | None = None
    released = False
    server_write: Callable[[bytes], object] | None = None

    def __init__(self, start_response: "StartResponse", work: WorkContext | None) -> None:
        self._start_response = start_response
        self._work = work

    def __call__(
        self, status: str, headers: list[tuple[str, str]], exc_info: "OptExcInfo | None" = None, /
    ) -> Callable[[bytes], object]:
        """Keep what a response begins with; a body that starts it while it is sent is not kept."""
        if self._work is not None:
            headers = _traced(headers, self._work)
        if self.released:
            return self._pass_on(status, headers, exc_info)
        self.begun = status, headers
        return self._write

    def _write(self, data: bytes) -> object:
        begun, self.begun = self.begun, None
        if begun is not None:
            self.released = True
            self.server_write = self._start_response(*begun)
        if self.server_write is None:
            raise RuntimeError("write() was called before the response was started")
        return self.server_write(data)

    def _pass_on(
        self, status: str, headers: list[tuple[str, str]], exc_info: "OptExcInfo | None"
    ) -> Callable[[bytes], object]:
        if exc_info is None:
            return self._start_response(status, headers)
        return self._start_response(status, headers, exc_info)


def _apart(work: WorkContext) -> WorkContext:
    """Return a request's work, made current without what explains other answers of the work around it."""
    work = work._replace(noted=[])
    resume(work)
    return work


def _explain(around: WorkContext, work: WorkContext) -> None:
    """Let what a request failed of explain how the work around it fails, which may have served it."""
    if around.noted is not None and work.noted:
        around.noted[:] = work.noted


_OURS = frozenset({"x-request-id", "traceparent"})


def _traced(headers: list[tuple[str, str]], work: WorkContext) -> list[tuple[str, str]]:
    for name, _ in headers:
        if name.lower() in _OURS:
            headers = [pair for pair in headers if pair[0].lower() not in _OURS]
            break
    traceparent = work.traceparent
    if not traceparent:
        return [*headers, ("X-Request-ID", work.trace_id)]
    return [*headers, ("X-Request-ID", work.trace_id), ("traceparent", traceparent)]


def _status_line(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} UNKNOWN"
