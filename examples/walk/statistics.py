"""What a shop says of its errors in all, and whether its metrics say the same."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from examples.walk.answers import ask
from examples.walk.processes import Server

ERRORS = re.compile(r'(?m)^holdfast_errors_total\{.*code="(\w+)".*service="shop".*\} (\S+)$')
REQUESTS = re.compile(r'(?m)^holdfast_requests_total\{service="shop"\} (\S+)$')


@dataclass(frozen=True, slots=True)
class Counted:
    """Numbers since a shop was started."""

    requests: int
    errors: int
    recovered: int
    by_code: dict[str, int]
    error_rate: float
    """Errors that came to somebody, by request."""

    def commonest(self) -> list[tuple[str, int]]:
        """Return the codes with the most errors."""
        return sorted(self.by_code.items(), key=lambda counted: (-counted[1], counted[0]))[:3]


def read(shop: Server) -> Counted:
    """Return what the statistics say."""
    said = cast("dict[str, object]", ask(shop, "GET", "/statistics").data)
    return Counted(
        requests=cast("int", said["requests"]),
        errors=cast("int", said["total_errors"]),
        recovered=cast("int", said["recovered_errors"]),
        by_code=cast("dict[str, int]", said["errors_by_code"]),
        error_rate=cast("float", said["error_rate"]),
    )


def objections(counted: Counted, metrics: str) -> Iterator[str]:
    """Return one sentence for everything that metrics say otherwise.

    Args:
        counted: What the statistics say.
        metrics: The page of the metrics; no other request may have come in between.
    """
    by_code: Counter[str] = Counter()
    for code, number in ERRORS.findall(metrics):
        by_code[code] += int(float(number))
    if counted.by_code != by_code:
        yield f"statistics, by code: expected {dict(by_code)}, got {counted.by_code}"
    if counted.errors != by_code.total():
        yield f"statistics, errors: expected {by_code.total()}, got {counted.errors}"
    requests = sum(int(float(number)) for number in REQUESTS.findall(metrics)) + 1  # this one
    if counted.requests != requests:
        yield f"statistics, requests: expected {requests}, got {counted.requests}"
