"""A report as metrics: of OpenMetrics, and of Prometheus before it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from holdfast.health.check import CheckResult
from holdfast.health.rendering.page import Page
from holdfast.health.status import HealthStatus

ALL: Final = "all"
"""Label of the report of all checks, in the place of its group."""
_ESCAPES: Final = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})

_Sample: TypeAlias = tuple[Mapping[str, str], float]


@dataclass(frozen=True, slots=True)
class _Family:
    name: str
    help: str
    samples: tuple[_Sample, ...]
    unit: str = ""


def openmetrics(page: Page) -> bytes:
    """Write a report as OpenMetrics 1.0 has it; without details only its status.

    | metric | labels |
    |---|---|
    | `holdfast_health_status` | group, status |
    | `holdfast_health_check_status` | check, status |
    | `holdfast_health_check_critical` | check |
    | `holdfast_health_check_duration_seconds` | check |
    | `holdfast_health_check_timestamp_seconds` | check |
    | `holdfast_health_info` | service, release |

    A status has a sample for each that there is, 1 for the one that holds. How old an answer is:
    `time() - holdfast_health_check_timestamp_seconds`.
    """
    return _written([*_lines(page, info="info"), "# EOF"])


def prometheus(page: Page) -> bytes:
    """Write the same samples in the text format of Prometheus, version 0.0.4."""
    return _written(_lines(page, info="gauge"))


def _written(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")


def _lines(page: Page, *, info: str) -> Iterator[str]:
    for family in _families(page):
        yield f"# TYPE {family.name} gauge"
        if family.unit:
            yield f"# UNIT {family.name} {family.unit}"
        yield f"# HELP {family.name} {family.help}"
        yield from (_sample(family.name, *sample) for sample in family.samples)
    facts = {"service": page.service, "release": page.release}
    given = {name: fact for name, fact in facts.items() if fact}
    if page.detailed and given:
        # The type of OpenMetrics puts the end on the name itself.
        name = "holdfast_health" if info == "info" else "holdfast_health_info"
        yield f"# TYPE {name} {info}"
        yield f"# HELP {name} What is looked at."
        yield _sample("holdfast_health_info", given, 1)


def _families(page: Page) -> Iterator[_Family]:
    report = page.report
    overall = _statuses(report.status, group=report.group or ALL)
    yield _Family("holdfast_health_status", "What all checks of a group add up to.", overall)
    if not (page.detailed and report.results):
        return
    yield _Family(
        "holdfast_health_check_status",
        "What a check said.",
        tuple(one for each in report.results for one in _statuses(each.status, check=each.name)),
    )
    yield _Family(
        "holdfast_health_check_critical",
        "Whether the failure of a check fails the whole.",
        _of_each(report.results, lambda result: float(result.critical)),
    )
    yield _Family(
        "holdfast_health_check_duration_seconds",
        "How long a check took.",
        _of_each(report.results, lambda result: result.duration),
        "seconds",
    )
    yield _Family(
        "holdfast_health_check_timestamp_seconds",
        "When a check said it.",
        _of_each(report.results, lambda result: result.time.timestamp()),
        "seconds",
    )


def _statuses(held: HealthStatus, **labels: str) -> tuple[_Sample, ...]:
    return tuple(
        ({**labels, "status": status.value}, float(status is held)) for status in HealthStatus
    )


def _of_each(
    results: Iterable[CheckResult], number: Callable[[CheckResult], float]
) -> tuple[_Sample, ...]:
    return tuple(({"check": result.name}, number(result)) for result in results)


def _sample(name: str, labels: Mapping[str, str], number: float) -> str:
    told = ",".join(f'{label}="{said.translate(_ESCAPES)}"' for label, said in labels.items())
    return f"{name}{{{told}}} {number:.13g}"
