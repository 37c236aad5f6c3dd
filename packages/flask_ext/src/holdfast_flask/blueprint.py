"""Health endpoints: is the process alive, is it ready, has it started, how is everything."""

import weakref
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, cast

from flask import Blueprint, Flask, Request, Response, abort, current_app, request

from holdfast import environment
from holdfast.health.check import BUILT_IN_GROUPS
from holdfast.health.disclosure import Caller
from holdfast.health.probes import METRICS
from holdfast.health.wsgi import Front, probe_of
from holdfast.runtime import Runtime
from holdfast_flask.capture import EXPECTED

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


def health_blueprint(runtime: Runtime, prefix: str = "/health") -> Blueprint:
    """Return the endpoints of an application's health.

    `live`, `ready`, `startup` and the groups of one's own run the checks that are in them, the prefix
    itself and `metrics` run all. The names of the endpoints are `holdfast_health.live` and so on,
    `holdfast_health.report` of the prefix, and `holdfast_health.group` of groups of one's own.

    Args:
        runtime: Whose checks are run.
        prefix: Path of the report, without a slash at its end.
    """
    health = Blueprint("holdfast_health", __name__, url_prefix=prefix)

    def report(group: str = "") -> Response:
        # What modules registered outside of any application, before this one was connected or after.
        environment.take_over(runtime)
        if not runtime.probes.knows(group):
            abort(404)
        asking = cast("Request", request._get_current_object())  # type: ignore[attr-defined]  # noqa: SLF001  # as Flask documents
        caller = _caller(current_app, asking)
        answer = runtime.probes.answer(probe_of(asking.environ, group, caller))
        asking.environ[EXPECTED] = True
        response = Response(
            answer.body, answer.status, answer.headers, content_type=answer.content_type
        )
        response.content_length = answer.length
        return response

    # Two rules instead of a redirect: probes do not follow any.
    for slash in ("", "/"):
        health.add_url_rule(slash, "report", report)
        health.add_url_rule(f"/<group>{slash}", "group", report)
    for group in (*sorted(BUILT_IN_GROUPS), METRICS):
        view = partial(report, group)
        for slash in ("", "/"):
            health.add_url_rule(f"/{group}{slash}", group, view)
    return health


def front(app: Flask, runtime: Runtime, prefix: str) -> Front:
    """Return what answers probes in front of an application, and passes everything else on to it.

    Args:
        app: The application; held by what it is put in front of.
        runtime: Whose checks are run.
        prefix: Path of the report, without a slash at its end.
    """

    def caller(environ: "WSGIEnvironment") -> Caller:
        return _caller(app, app.request_class(environ))

    return Front(app.wsgi_app, runtime, prefix, caller)


def _caller(app: Flask, asking: Request) -> Caller:
    return Caller(
        authorization=asking.environ.get("HTTP_AUTHORIZATION", ""),
        address=asking.remote_addr or "",
        request=asking,
        is_trusted=app.debug,
    )


def check_within(app: Flask, runtime: Runtime) -> None:
    """Let every check of a runtime run within a context of its application, and outside of any request.

    What teardown functions do at the end of a context is done at the end of the check.
    """
    found, around = weakref.ref(app), runtime.health.around

    @contextmanager
    def within() -> Generator[None]:
        with around(), _context_of(found):
            yield

    runtime.health.around = within


def _context_of(found: Callable[[], Flask | None]) -> AbstractContextManager[object]:
    app = found()
    if app is None:
        raise RuntimeError("the Flask application of this check is gone")
    return app.app_context()
