"""A report as JSON: by the health+json draft, and plain."""

import json
from collections.abc import Mapping

from holdfast.health.check import CheckResult
from holdfast.health.rendering.page import Page


def health_json(page: Page) -> bytes:
    """Write a report as draft-inadarei-api-health-check has it."""
    body: dict[str, object] = {"status": page.report.status.value}
    if page.detailed:
        facts = {"releaseId": page.release, "serviceId": page.service}
        body |= {name: value for name, value in facts.items() if value}
        checks = {result.name: [_described(result)] for result in page.report.results}
        body |= {"checks": checks} if checks else {}
    return _dump(body)


def _described(result: CheckResult) -> dict[str, object]:
    body: dict[str, object] = {
        "status": result.status.value,
        "time": result.time.isoformat(),
        "observedValue": round(result.duration * 1000, 1),
        "observedUnit": "ms",
    }
    if result.output:
        body["output"] = result.output
    return {**body, **({"details": dict(result.details)} if result.details else {})}


def _dump(body: Mapping[str, object]) -> bytes:
    return json.dumps(body, separators=(",", ":"), default=str).encode()
