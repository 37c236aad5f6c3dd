"""What is done by the clock: every run of an entry that fails is recorded once, under an id of its own."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from threading import Event
from typing import cast

from examples.walk.answers import TASK_TIMEOUT, as_object, ask, failures
from examples.walk.expectations import differences
from examples.walk.processes import LOOK_AGAIN, Site

LEAST = 2
"""Runs of every entry that are waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry of the schedule, and what becomes of it."""

    title: str
    ask: str
    """Its name in the schedule."""
    operation: str
    """What records of it name."""
    code: str = ""
    """The error's code; empty when it runs well, and then nothing may be recorded."""
    origin: str = "celery.task"


ENTRIES = (
    Entry(
        title="Expired reservations are released every second",
        ask="release-reservations",
        operation="shop.release_reservations",
    ),
    Entry(
        title="The supplier writes its prices in another way: a bug, every second",
        ask="import-prices",
        operation="shop.import_prices",
        code="INTERNAL_ERROR",
    ),
    Entry(
        title="An entry that beat cannot send",
        ask="import-some-prices",
        operation="import-some-prices",
        code="INTERNAL_ERROR",
        origin="celery.beat",
    ),
)


@dataclass(frozen=True, slots=True)
class Watched:
    """What became of an entry until now."""

    records: list[dict[str, object]]
    runs: int
    """As those know who were asked, or as the records say."""
    due: int
    """Runs that beat had sent when we began to wait."""
    sent: int
    """Runs that it had sent at the end."""


def watch(entry: Entry, site: Site) -> Watched:
    """Wait for every run that beat has sent until now, and return their records."""
    due = max(LEAST, sent(entry, site))
    found = records(entry, site)
    for _ in range(int(TASK_TIMEOUT / LOOK_AGAIN)):
        if _runs(entry, found, site) >= due:
            break
        Event().wait(LOOK_AGAIN)
        found = records(entry, site)
    return Watched(found, _runs(entry, found, site), due, sent(entry, site))


def sent(entry: Entry, site: Site) -> int:
    """Return how often beat has tried to send an entry."""
    return site.beat.said().count(f"Sending due task {entry.ask} (") if site.beat else 0


def records(entry: Entry, site: Site) -> list[dict[str, object]]:
    """Return the records about an entry, wherever it failed."""
    lines = [as_object(line) for running in site.behind() for line in running.said().splitlines()]
    return [line for line in failures(lines) if line.get("operation") == entry.operation]


def _runs(entry: Entry, found: list[dict[str, object]], site: Site) -> int:
    if entry.code:
        return len(found)
    data = ask(site.neighbours, "GET", "/reservations").data
    return cast("dict[str, int]", data)["releases"]


def objections(entry: Entry, seen: Watched) -> Iterator[str]:
    """Return one sentence for everything that is not as the entry says."""
    if not seen.due <= seen.runs <= seen.sent:
        yield f"runs: expected {seen.due} to {seen.sent}, got {seen.runs}"
    if not entry.code:
        yield from (f"records: expected none, got {line.get('code')}" for line in seen.records)
        return
    if len(_different("trace_id", seen.records)) != len(seen.records):
        yield f"trace_id: expected one for each run, got {_different('trace_id', seen.records)}"
    if len(_different("fingerprint", seen.records)) > 1:
        yield f"fingerprint: expected one for all, got {_different('fingerprint', seen.records)}"
    for line in seen.records:
        yield from differences(line, {"code": entry.code, "level": "ERROR", "origin": entry.origin})


def _different(name: str, lines: Iterable[dict[str, object]]) -> set[object]:
    return {line.get(name) for line in lines}
