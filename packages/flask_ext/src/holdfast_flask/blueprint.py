"""Health endpoints: is the process alive, is it ready, has it started, how is everything."""

from functools import cache

from flask import Blueprint, Response, abort, request

from holdfast import environment
from holdfast.health.disclosure import Caller
from holdfast.health.probes import Probe
from holdfast.runtime import Runtime
from holdfast_flask.capture import EXPECTED


def health_blueprint(runtime: Runtime, prefix: str = "/health") -> Blueprint:
    """Return the endpoints of an application's health.

    `live` asks nothing but the process; `ready` and the prefix itself run the registered checks
    and answer 503 when a critical one fails.

    Args:
        runtime: Whose checks are run.
        prefix: Path of the report, without a slash at its end.
    """
    health = Blueprint("holdfast_health", __name__, url_prefix=prefix)

    @cache
    def complete() -> None:
        # What modules registered outside of any application after this one was connected.
        environment.take_over(runtime)

    def report(group: str = "") -> Response:
        complete()
        if not runtime.probes.knows(group):
            abort(404)
        answer = runtime.probes.answer(_probe(group))
        request.environ[EXPECTED] = True
        return Response(
            answer.body, answer.status, answer.headers, content_type=answer.content_type
        )

    # Two rules instead of a redirect: probes do not follow any.
    for slash in ("", "/"):
        health.add_url_rule(slash, f"report{slash and '_slash'}", report)
        health.add_url_rule(f"/<group>{slash}", f"group{slash and '_slash'}", report)
    return health


def _probe(group: str) -> Probe:
    caller = Caller(
        authorization=request.headers.get("Authorization", ""),
        address=request.remote_addr or "",
        request=request,
    )
    return Probe(
        group=group,
        format=request.args.get("format", ""),
        accept=request.headers.get("Accept", ""),
        tags=tuple(request.args.getlist("tag")),
        caller=caller,
        is_head=request.method == "HEAD",
    )
