"""A report as lines of text, for eyes and for `grep`."""

import json

from holdfast.health.check import CheckResult
from holdfast.health.rendering.page import Page, milliseconds
from holdfast.health.rendering.printable import printable


def text(page: Page) -> bytes:
    """Write the status on a line of its own, and a line for each check, parted by tabs.

    Its columns are: status, name, `critical` or `optional`, milliseconds, output, details as JSON.
    """
    lines = [page.report.status.value]
    if page.detailed:
        lines += [_line(result) for result in page.report.results]
    return "".join(f"{line}\n" for line in lines).encode()


def _line(result: CheckResult) -> str:
    details = json.dumps(dict(result.details), ensure_ascii=False) if result.details else ""
    columns = (
        result.status.value,
        result.name,
        "critical" if result.critical else "optional",
        f"{milliseconds(result.duration)} ms",
        result.output,
        details,
    )
    return "\t".join(printable(column) for column in columns).rstrip("\t")
