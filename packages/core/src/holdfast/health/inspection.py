"""What commands show of health; adapters only bind it.

`manage.py holdfast health ready`, `flask holdfast health ready` and `holdfast health ready` are the same
call of `answer`. Whoever has a shell may see all that is known.
"""

from typing import Final

from holdfast.health.probes import Probes
from holdfast.health.rendering.formats import FORMATS, HEALTH_JSON
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
        >>> told.text.split()[:3], told.status
        (['warn', 'warn', 'orders-api'], 1)
    """
    known = probes.registry.groups
    if group and group not in known:
        return Answer(
            f"no check is in a group {group!r}; there are {', '.join(sorted(known))}", UNKNOWN
        )
    page = probes.page(group)
    text = FORMATS[form].render(page).decode().removesuffix("\n")
    return Answer(text, exit_status(page.report.status, fail_on))


def exit_status(status: HealthStatus, fail_on: str) -> int:
    """Return the exit status for a status: 1 from the one named by `fail_on` on."""
    bad = {HealthStatus.FAIL, HealthStatus(fail_on)}
    return FAILED if status in bad else 0
