"""What commands show of health; adapters only bind it.

`manage.py holdfast health ready`, `flask holdfast health ready` and `holdfast health ready` are the same
call of `answer`. Whoever has a shell may see all that is known.
"""

from collections.abc import Iterator
from typing import Final

from holdfast.health.check import CheckResult
from holdfast.health.probes import Probes
from holdfast.health.rendering.formats import FORMATS, HEALTH_JSON
from holdfast.health.report import HealthReport
from holdfast.health.status import HealthStatus
from holdfast.resilience.inspection import Answer

TEXT: Final = "text"
FORMS: Final = (TEXT, "json", HEALTH_JSON)
"""What `--format` takes; the first is written when nothing is said."""
FAIL_ON: Final = (HealthStatus.FAIL.value, HealthStatus.WARN.value)
"""What `--fail-on` takes: from which status on the exit status is 1; the first when nothing is said."""

FAILED: Final = 1
"""Exit status: it is not well."""
UNKNOWN: Final = 2
"""Exit status: that cannot be told, or it was asked for what there is not."""


def answer(
    probes: Probes, group: str = "", *, form: str = TEXT, fail_on: str = HealthStatus.FAIL.value
) -> Answer:
    """Look at the checks of a group, within the time limit of probes, and say all that is known.

    Args:
        probes: Of the runtime at hand; what registers checks has to be imported by now.
        group: `live`, `ready`, `startup` or one's own; empty: all.
        form: One of `FORMS`.
        fail_on: One of `FAIL_ON`.

    Returns:
        Exit status 0 when it is well, 1 when not, 2 when there is no such group.

    Example:
        >>> from holdfast.health import HealthRegistry
        >>> registry = HealthRegistry()
        >>> registry.register_check("orders-api", lambda: False, critical=False)
        >>> told = answer(Probes(registry), "ready", fail_on="warn")
        >>> told.text.split()[:2], told.status
        (['warn', 'orders-api'], 1)
    """
    known = probes.registry.groups
    if group and group not in known:
        return Answer(
            f"no check is in a group {group!r}; there are {', '.join(sorted(known))}", UNKNOWN
        )
    page = probes.page(group)
    fails = exit_status(page.report.status, fail_on)
    if form == TEXT:
        return Answer("\n".join(_lines(page.report)), fails)
    return Answer(FORMATS.get(form, FORMATS[HEALTH_JSON]).render(page).decode(), fails)


def exit_status(status: HealthStatus, fail_on: str) -> int:
    """Return the exit status for a status: 1 from the one named by `fail_on` on."""
    bad = {HealthStatus.FAIL, HealthStatus(fail_on)}
    return FAILED if status in bad else 0


def _lines(report: HealthReport) -> Iterator[str]:
    width = max((len(result.name) for result in report.results), default=0)
    for result in report.results:
        yield from _told(result, width)
    about = report.group or "all checks"
    yield f"{report.status.value}  {about}" + ("" if report.results else ": nothing to look at")


def _told(result: CheckResult, width: int) -> Iterator[str]:
    took = f"{result.duration * 1000:.1f} ms"
    line = f"{result.status.value}  {result.name:{width}}  {took:>10}  {_printable(result.output)}"
    yield line.rstrip()
    for name, value in result.details.items():
        yield f"      {_printable(name)}: {_printable(str(value))}"


def _printable(text: str) -> str:
    """Return text that does nothing to a terminal but be read, on one line."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)
