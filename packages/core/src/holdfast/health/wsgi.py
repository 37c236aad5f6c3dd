"""The health endpoints as an application of WSGI: in front of another one, or alone without any framework."""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, cast
from urllib.parse import parse_qsl

from holdfast import environment
from holdfast.codes import ErrorCode
from holdfast.context import begin, end
from holdfast.envelope import Answer, Rendered
from holdfast.errors import AppError, ResourceNotFoundError
from holdfast.handler import bare_answer
from holdfast.health.disclosure import Caller
from holdfast.health.probes import Probe, ProbeAnswer, Probes
from holdfast.origin import Origin, operation_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PREFIX: Final = "/health"
BOUNDARY: Final = "health"
METHODS: Final = ("GET", "HEAD")
_MAX_FIELDS: Final = 50
"""Fields of a query that are read; with more of them none is."""


class _Probed(environment.Environment, Protocol):
    """A runtime as it is; type checkers do not see through how it makes `probes`."""

    @property
    def probes(self) -> Probes:
        """What answers them."""
        ...

    def render(self, answer: Answer, *, accept: str = "") -> Rendered:
        """Write an answer to an error."""
        ...


FindCaller: TypeAlias = "Callable[[WSGIEnvironment], Caller]"


def caller_of(environ: "WSGIEnvironment") -> Caller:
    """Return who asks; a function of the project's gets the WSGI environment itself."""
    return Caller(
        authorization=environ.get("HTTP_AUTHORIZATION", ""),
        address=environ.get("REMOTE_ADDR", ""),
        request=environ,
    )


def probe_of(environ: "WSGIEnvironment", group: str, caller: Caller) -> Probe:
    """Return what a request asks of a group; whatever its query holds, it does not raise."""
    query = _query(environ.get("QUERY_STRING", ""))
    return Probe(
        group=group,
        format=next((value for name, value in query if name == "format"), ""),
        accept=environ.get("HTTP_ACCEPT", ""),
        tags=tuple(value for name, value in query if name == "tag"),
        caller=caller,
        is_head=environ["REQUEST_METHOD"] == "HEAD",
    )


def _query(written: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(written, max_num_fields=_MAX_FIELDS)
    except ValueError:
        return []


class Front:
    """Stands in front of an application and answers probes itself, so that nothing of it is in their way.

    What is no probe goes on to the application, an address below the prefix that is no group's included.

    Args:
        following: The application.
        runtime: Its runtime.
        prefix: Path of the report, without a slash at its end.
        caller: Tells who asks.
    """

    def __init__(
        self,
        following: "WSGIApplication",
        runtime: environment.Environment,
        prefix: str,
        caller: FindCaller = caller_of,
    ) -> None:
        self._following = following
        self._runtime = cast("_Probed", runtime)
        self._prefix = prefix
        self._caller = caller

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer a probe, or pass a request on."""
        if environ.get("PATH_INFO", "").startswith(self._prefix):
            answer = _answer(environ, self._runtime, self._prefix, self._caller)
            if answer is not None:
                return _send(answer, environ, start_response)
        return self._following(environ, start_response)


class Endpoints:
    """The health endpoints and nothing else, as an application of WSGI; `application` makes it.

    Args:
        runtime: Who is asked. Default: the process's runtime at each probe.
        prefix: Path of the report, without a slash at its end.
    """

    def __init__(self, runtime: environment.Environment | None, prefix: str) -> None:
        self._runtime = runtime
        self._prefix = prefix

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer a request."""
        return _send(self.answer(environ), environ, start_response)

    def answer(self, environ: "WSGIEnvironment") -> ProbeAnswer:
        """Answer a probe, or what is none as an error of the caller's."""
        runtime = cast("_Probed", self._runtime or environment.current())
        answer = _answer(environ, runtime, self._prefix, caller_of)
        return answer or self._refusal(environ, runtime)

    def _refusal(self, environ: "WSGIEnvironment", runtime: _Probed) -> ProbeAnswer:
        token = begin(environ.get("HTTP_TRACEPARENT"), environ.get("HTTP_X_REQUEST_ID"), BOUNDARY)
        try:
            error = self._error(environ, runtime)
            operation = operation_of(environ["REQUEST_METHOD"], None)
            origin = Origin(boundary=BOUNDARY, operation=operation)
            answer = runtime.handle(error, origin).answer or bare_answer(error, origin)
            told = runtime.render(answer, accept=environ.get("HTTP_ACCEPT", ""))
        finally:
            end(token)
        return ProbeAnswer(
            status=told.status,
            content_type=told.content_type,
            body=told.body,
            headers=dict(told.headers),
            length=len(told.body),
        )

    def _error(self, environ: "WSGIEnvironment", runtime: _Probed) -> AppError:
        group = _group(environ, self._prefix)
        if group is not None and runtime.probes.knows(group):
            return AppError(ErrorCode.METHOD_NOT_ALLOWED, headers={"Allow": ", ".join(METHODS)})
        return ResourceNotFoundError(f"There is nothing here; health is at {self._prefix or '/'}")


def application(
    runtime: environment.Environment | None = None, *, prefix: str = PREFIX
) -> Endpoints:
    """Return an application of WSGI that has the health endpoints and nothing else.

    Args:
        runtime: Who is asked. Default: the process's runtime at each probe, installed by then or not.
        prefix: Path of the report, without a slash at its end; empty: the endpoints are at the root.

    Example:
        >>> from wsgiref.util import setup_testing_defaults
        >>> from holdfast import configure
        >>> environ = {"PATH_INFO": "/health/live"}
        >>> setup_testing_defaults(environ)
        >>> application(configure(reporters=[]))(environ, lambda status, headers: print(status))
        200 OK
        [b'{"status":"pass"}']
    """
    return Endpoints(runtime, prefix)


def _answer(
    environ: "WSGIEnvironment", runtime: _Probed, prefix: str, caller: FindCaller
) -> ProbeAnswer | None:
    """Answer a probe; None when the request is none."""
    group = _group(environ, prefix)
    if group is None or environ["REQUEST_METHOD"] not in METHODS:
        return None
    environment.take_over(runtime)
    if not runtime.probes.knows(group):
        return None
    return runtime.probes.answer(probe_of(environ, group, caller(environ)))


def _group(environ: "WSGIEnvironment", prefix: str) -> str | None:
    """Return the group that an address stands for, empty for all; None when it is none of ours."""
    path: str = environ.get("PATH_INFO", "")
    rest = path.removeprefix(prefix).removesuffix("/")
    if not path.startswith(prefix) or (rest and not rest.startswith("/")):
        return None
    group = rest.removeprefix("/")
    return None if rest and not group else group


def _send(
    answer: ProbeAnswer, environ: "WSGIEnvironment", start_response: "StartResponse"
) -> Iterable[bytes]:
    headers = [
        *answer.headers.items(),
        ("Content-Type", answer.content_type),
        ("Content-Length", str(answer.length)),
    ]
    start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", headers)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [answer.body]
