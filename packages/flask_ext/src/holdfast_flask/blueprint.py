"""Health endpoints: is the process alive, is it ready, how is everything."""

import json
from functools import cache

from flask import Blueprint, Response, request

from holdfast import environment
from holdfast.health import HealthStatus
from holdfast.runtime import Runtime
from holdfast_flask.capture import EXPECTED

CONTENT_TYPE = "application/health+json"


def health_blueprint(runtime: Runtime, prefix: str = "/health") -> Blueprint:
    """Return the endpoints of an application's health.

    `live` asks nothing but the process; `ready` and the prefix itself run the registered checks
    and answer 503 when a critical one fails.

    Args:
        runtime: Whose checks are run.
        prefix: Path of the report, without a slash at its end.
    """
    health = Blueprint("holdfast_health", __name__, url_prefix=prefix)

    def live() -> Response:
        return _answer({"status": HealthStatus.PASS.value}, failed=False)

    @cache
    def complete() -> None:
        # What modules registered outside of any application after this one was connected.
        environment.take_over(runtime)

    def report() -> Response:
        complete()
        found = runtime.health.get_health_status()
        body = runtime.redactor.mapping(found.as_json())
        return _answer(body, failed=found.status is HealthStatus.FAIL)

    # Two rules instead of a redirect: probes do not follow any.
    for slash in ("", "/"):
        health.add_url_rule(slash, f"report{slash and '_slash'}", report)
        health.add_url_rule(f"/live{slash}", f"live{slash and '_slash'}", live)
        health.add_url_rule(f"/ready{slash}", f"ready{slash and '_slash'}", report)
    return health


def _answer(body: object, *, failed: bool) -> Response:
    request.environ[EXPECTED] = True
    return Response(
        json.dumps(body, separators=(",", ":")),
        503 if failed else 200,
        {"Cache-Control": "no-store"},
        content_type=CONTENT_TYPE,
    )
