"""A report as JSON: by the health+json draft, and plain."""

import json
from collections.abc import Mapping

from holdfast.health.check import CheckResult
from holdfast.health.rendering.page import Page, milliseconds, timestamp
from holdfast.health.status import HealthStatus


def health_json(page: Page) -> bytes:
    """Write a report as draft-inadarei-api-health-check-06 has it.

    Keys that the draft does not name, and allows: `critical` and `details` of a check.
    """
    body: dict[str, object] = {"status": page.report.status.value}
    if page.detailed:
        checks = {result.name: [_component(result)] for result in page.report.results}
        body |= _given(releaseId=page.release, serviceId=page.service, checks=checks)
    return _dump(body)


def _component(result: CheckResult) -> dict[str, object]:
    is_well = result.status is HealthStatus.PASS
    return {
        "status": result.status.value,
        "componentType": "component",
        "time": timestamp(result.time),
        "observedValue": milliseconds(result.duration),
        "observedUnit": "ms",
        "critical": result.critical,
        **_given(output="" if is_well else result.output, details=result.details),
    }


def plain_json(page: Page) -> bytes:
    """Write a report for scripts: one object, in which `checks` has an object for each check."""
    body: dict[str, object] = {"status": page.report.status.value}
    if page.detailed:
        body |= {"group": page.report.group, "time": timestamp(page.time)}
        body |= _given(service=page.service, release=page.release)
        body["checks"] = {result.name: _described(result) for result in page.report.results}
    return _dump(body)


def _described(result: CheckResult) -> dict[str, object]:
    return {
        "status": result.status.value,
        "critical": result.critical,
        "duration_ms": milliseconds(result.duration),
        "time": timestamp(result.time),
        **_given(output=result.output, details=result.details),
    }


def _given(**facts: object) -> dict[str, object]:
    """Return those facts that say something."""
    return {name: fact for name, fact in facts.items() if fact}


def _dump(body: Mapping[str, object]) -> bytes:
    # Half a character cannot be sent; as an escape it would end the parsers of several languages.
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "replace")
