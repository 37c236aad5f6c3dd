"""Pages to be rendered, and parsers of others for what comes of them."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Final, Protocol, TypeAlias, cast
from xml.etree import ElementTree as ET

from holdfast.health import CheckResult, HealthReport, HealthStatus
from holdfast.health.rendering.formats import FORMATS
from holdfast.health.rendering.page import Page
from holdfast.redact import JsonValue

NOON: Final = datetime(2026, 11, 21, 12, 0, 0, 250_000, tzinfo=UTC)
SCHEMA: Final = cast(
    "dict[str, object]",
    json.loads((Path(__file__).parent / "data/health_json.schema.json").read_text("utf-8")),
)
PARSING: Final = ("jsonschema", "prometheus_client")
"""Libraries that the parsers below need, for marks of tests."""


class Schema(Protocol):
    """What tells whether JSON is as a schema has it."""

    def is_valid(self, instance: object) -> bool:
        """Tell it."""
        ...


class Sample(Protocol):
    """One line of metrics."""

    name: str
    labels: Mapping[str, str]
    value: float


class Family(Protocol):
    """Lines of one name."""

    samples: Iterable[Sample]


@cache
def _draft() -> Schema:
    library = import_module("jsonschema")
    return cast(
        "Schema", library.Draft202012Validator(SCHEMA, format_checker=library.FormatChecker())
    )


def _samples(module: str, body: str) -> "Samples":
    families = cast("Iterable[Family]", import_module(module).text_string_to_metric_families(body))
    return {
        (sample.name, tuple(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


Json: TypeAlias = "dict[str, Json] | list[Json] | str | float | bool | None"


def result(
    name: str,
    status: HealthStatus = HealthStatus.PASS,
    output: str = "",
    details: Mapping[str, JsonValue] | None = None,
    *,
    critical: bool = True,
) -> CheckResult:
    """Make what a check said at noon, after an eighth of a second."""
    return CheckResult(
        name=name,
        status=status,
        time=NOON,
        duration=0.125,
        output=output,
        details=details or {},
        critical=critical,
    )


def page(*results: CheckResult, group: str = "", detailed: bool = True) -> Page:
    """Make a page of release 1.2 of the shop."""
    report = HealthReport(results=results, group=group)
    return Page(report=report, detailed=detailed, time=NOON, service="shop", release="1.2")


def rendered(format_: str, of: Page) -> str:
    """Write a page in a format."""
    return FORMATS[format_].render(of).decode()


def read_json(body: str) -> object:
    """Read JSON as its standard has it: no NaN."""

    def refuse(constant: str) -> object:
        raise ValueError(constant)

    return cast("object", json.loads(body, parse_constant=refuse))


def follows_draft(body: "Json") -> bool:
    """Tell whether JSON is health+json, as the schema has it."""
    return _draft().is_valid(body)


def read_health_json(body: str) -> object:
    """Read health+json, and check it against the draft."""
    found = read_json(body)
    assert follows_draft(cast("Json", found)), body
    return found


def read_text(body: str) -> "list[list[str]]":
    """Read columns of lines."""
    assert body.endswith("\n")
    return [line.split("\t") for line in body.splitlines()]


def read_html(body: str) -> ET.Element:
    """Read a page as XML, whose parser forgives nothing."""
    return ET.fromstring(body)  # noqa: S314  # our own page


Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def read_openmetrics(body: str) -> Samples:
    """Read samples by name and labels."""
    return _samples("prometheus_client.openmetrics.parser", body)


def read_prometheus(body: str) -> Samples:
    """Read samples of the older format."""
    return _samples("prometheus_client.parser", body)


PARSERS: Final[Mapping[str, Callable[[str], object]]] = {
    "health+json": read_health_json,
    "json": read_json,
    "text": read_text,
    "html": read_html,
    "html-still": read_html,
    "openmetrics": read_openmetrics,
    "prometheus": read_prometheus,
}
"""By the name of the format; each raises for what is not well-formed."""
