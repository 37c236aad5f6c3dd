"""Dependencies of a real application that go away one by one, and come back: who notices, and who is told.

`HOLDFAST_TEST_OUTAGES` says how often each of them does; the session `outages` has them do it twenty times.
"""

import json
import os
import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

import pytest

from holdfast.clock import SystemClock
from tests.integrations.conftest import need

for _library in ("flask", "gunicorn", "httpx", "kombu", "psutil", "psycopg", "redis", "sqlalchemy"):
    need(_library)

from tests.paths.leaving_host import ROOT  # noqa: E402  # needs what was looked for
from tests.paths.outages_site import Seen, Site, Told, site  # noqa: E402  # as above

ROUNDS: Final = int(os.environ.get("HOLDFAST_TEST_OUTAGES", "1"))
PATIENCE: Final = 20.0
"""Seconds that everybody has to notice."""
LOOKS: Final = 8
"""So often does the monitor look on, and tells nobody of anything more: at each service twice."""

pytestmark = [
    pytest.mark.service("rabbitmq"),  # the other servers are the test's own
    pytest.mark.timeout(30 + 30 * ROUNDS),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """One row of the table: what happens, and how everything is then. Everything else stays well."""

    happens: str
    check: str
    begin: Callable[[Site], object]
    end: Callable[[Site], object]
    status: str
    """Of the check."""
    ready: int
    startup: int = 200
    severity: str
    """Of the alert."""

    def __str__(self) -> str:
        kind = "critical" if self.severity == "ERROR" else "optional"
        return (
            f"| {self.happens} | {kind} | 200 | {self.ready} | {self.startup} | `{self.status}` "
            f"| `UNHEALTHY` | `opened`, `{self.severity}` | `recovered`, `INFO` |"
        )


OUTAGES: Final = (
    Outage(
        happens="PostgreSQL is killed",
        check="database",
        begin=lambda place: place.database.kill(),
        end=lambda place: place.database.start(),
        status="fail",
        ready=503,
        startup=503,
        severity="ERROR",
    ),
    Outage(
        happens="Redis is killed",
        check="sessions",
        begin=lambda place: place.redis.kill(),
        end=lambda place: place.redis.start(),
        status="fail",
        ready=503,
        severity="ERROR",
    ),
    Outage(
        happens="RabbitMQ refuses connections",
        check="orders-queue",
        begin=lambda place: place.rabbitmq.cut(),
        end=lambda place: place.rabbitmq.restore(),
        status="warn",
        ready=200,
        severity="WARNING",
    ),
    Outage(
        happens="RabbitMQ says nothing any more",
        check="orders-queue",
        begin=lambda place: place.rabbitmq.stall(),
        end=lambda place: place.rabbitmq.restore(),
        status="warn",
        ready=200,
        severity="WARNING",
    ),
    Outage(
        happens="The payment gateway hangs up",
        check="payment-gateway",
        begin=lambda place: place.switch_gateway(away=True),
        end=lambda place: place.switch_gateway(away=False),
        status="warn",
        ready=200,
        severity="WARNING",
    ),
)
SERVICES: Final = ("database", "sessions", "orders-queue", "payment-gateway")
OWN: Final = ("holdfast:circuits", "holdfast:errors", "holdfast:reporters")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Generator[Site]:
    """Everything that runs, and was alive all the time."""
    with site(tmp_path_factory.mktemp("outages")) as found:
        yield found
        messages, times = len(found.told()), found.liveness.times
    figures = {"messages": messages, "probes": len(times), "slowest": round(max(times), 3)}
    print(json.dumps(figures))  # noqa: T201  # figures, shown with -s


def expected(away: Iterable[Outage]) -> Seen:
    """Return how the application has to be while something is away."""
    rows = {row.check: row for row in away}
    return Seen(
        live=200,
        ready=max([200, *(row.ready for row in rows.values())]),
        startup=max([200, *(row.startup for row in rows.values())]),
        checks=dict.fromkeys((*SERVICES, *OWN), "pass")
        | {name: row.status for name, row in rows.items()},
        states=dict.fromkeys(SERVICES, "HEALTHY") | dict.fromkeys(rows, "UNHEALTHY"),
    )


def until(holds: Callable[[], bool]) -> bool:
    """Wait until something holds; tell whether it came to."""
    clock, pause = SystemClock(), threading.Event()
    end = clock.monotonic() + PATIENCE
    while not holds():
        if clock.monotonic() > end:
            return False
        pause.wait(0.02)
    return True


def settled(place: Site, *away: Outage, told: int) -> list[Told]:
    """Wait until everything is as it has to be, and so many messages were sent; return all there are."""
    wanted = [expected(away)] * 2
    assert until(lambda: place.seen() == wanted and len(place.told()) >= told), (
        f"wanted {wanted[0]}, saw {place.seen()}; told {place.told()}; it said {place.log.read_text()}"
    )
    return place.told()


def looked_on(place: Site) -> None:
    """Wait until the monitor has gone on for a while."""
    looks = place.looks() + LOOKS
    assert until(lambda: place.looks() >= looks)


def go_through(place: Site, *outages: Outage) -> None:
    """Let something go away and come back, and see that everything is, and is told, as the table says."""
    before = len(settled(place, told=0))
    with ExitStack() as stack:
        for outage in outages:
            outage.begin(place)
            stack.callback(outage.end, place)
        settled(place, *outages, told=before + len(outages))
        looked_on(place)
        opened = place.told()[before:]
    settled(place, told=before + 2 * len(outages))
    looked_on(place)
    recovered = place.told()[before + len(opened) :]

    expected_of = {(outage.check, outage.severity) for outage in outages}
    assert sorted(_facts(opened)) == sorted(("opened", *one) for one in expected_of)
    assert sorted(_facts(recovered)) == sorted(
        ("recovered", name, "INFO") for name, _ in expected_of
    )
    ids = {one.check: one.id for one in opened}
    assert ids == {one.check: one.id for one in recovered}
    assert len(set(ids.values())) == len(outages)


def _facts(messages: Iterable[Told]) -> list[tuple[str, str, str]]:
    return [(one.stage, one.check, one.severity) for one in messages]


@pytest.mark.parametrize("outage", OUTAGES, ids=lambda outage: outage.happens)
def test_an_outage_is_told_once_and_stays_where_it_is(place: Site, outage: Outage) -> None:
    """Statuses, states and alerts are those of its row, before, meanwhile and after; liveness never fails."""
    for _ in range(ROUNDS):
        go_through(place, outage)

    assert place.liveness.failures == []


def test_outages_at_a_time_are_told_one_by_one(place: Site) -> None:
    """Each dependency has its alert, and the process is still alive."""
    go_through(place, *(row for row in OUTAGES if "says nothing" not in row.happens))

    assert place.liveness.failures == []


def test_one_of_the_processes_monitors(place: Site) -> None:
    """Both know who, and what it has seen."""
    settled(place, told=0)
    first, second = place.monitors()

    assert first == second
    assert first in place.processes


def test_the_documentation_has_the_same_table() -> None:
    """Row by row, whatever stands around it."""
    page = (ROOT / "docs" / "howto" / "monitor.md").read_text(encoding="utf-8")

    assert [str(row) for row in OUTAGES] == [
        line for line in page.splitlines() if line.endswith("`recovered`, `INFO` |")
    ]
