"""The eighth exercise: services are watched, with alerts and attempts to recover them.

What the document calls `services`, `alertesActives` and `statistiques` are here `services`,
`active_alerts` and `statistics`; of a service, `etat` is `state`, `dernierCheck` `last_check`,
`echecsConsecutifs` `consecutive_failures`, `dernierSucces` `last_success`, `dernierEchec` `last_failure`.
"""

import json
import random
from datetime import datetime
from typing import cast

from holdfast.health.monitor import HealthMonitor, Recovery
from holdfast.settings import Settings, load_settings
from holdfast.testing import FakeClock, RecordingRuntime

MINUTES = 180.0


class Database:
    """Fails one time in ten."""

    def __init__(self, seed: int, share: float = 0.1) -> None:
        self._chance = random.Random(seed)  # noqa: S311  # chance, and no secret
        self._share = share
        self.failures = 0

    def __call__(self) -> dict[str, object]:
        """Tell of the connections, or fail."""
        if self._chance.random() < self._share:
            self.failures += 1
            raise ConnectionError("Database connection failed")
        return {"status": "healthy", "connections": 5}


async def api_users() -> dict[str, object]:
    """Be healthy."""
    return {"status": "healthy", "response_time": 120}


def watched(database: Database) -> tuple[RecordingRuntime, HealthMonitor]:
    """Return a monitor of the two services of the document."""
    runtime = RecordingRuntime(load_settings(Settings, {"REPORTERS": ()}), clock=FakeClock())
    monitor = HealthMonitor(runtime.health, chance=random.Random(8))  # noqa: S311  # spreads
    monitor.add_service("api-users", api_users)
    monitor.add_service(
        "database", database, failures=2, timeout=3.0, recovery=Recovery(after=60.0)
    )
    return runtime, monitor


def let_pass(runtime: RecordingRuntime, monitor: HealthMonitor, seconds: float) -> None:
    """Let time pass, and the monitor look whenever it would."""
    clock = cast("FakeClock", runtime.clock)
    until = clock.monotonic() + seconds
    while clock.monotonic() < until:
        clock.advance(min(monitor.tick(), until - clock.monotonic()))


def test_the_case_of_the_document() -> None:
    """After three minutes the report says how each service is, what is alerted, and how often was looked."""
    database = Database(seed=8)
    runtime, monitor = watched(database)

    let_pass(runtime, monitor, MINUTES)

    report = json.loads(json.dumps(monitor.get_report().as_json()))
    services = report["services"]
    assert services["api-users"]["state"] == "HEALTHY"
    assert services["api-users"]["details"] == {"status": "healthy", "response_time": 120}
    assert datetime.fromisoformat(services["api-users"]["last_check"]) <= runtime.clock.now()
    assert services["database"]["state"] in {"HEALTHY", "DEGRADED"}
    assert services["database"]["failures"] == database.failures > 0
    assert report["active_alerts"] == []
    assert report["statistics"]["failures"] == database.failures
    assert 12 <= report["statistics"]["total_checks"] <= 16


def test_a_service_that_fails_once_is_degraded_and_twice_is_an_outage() -> None:
    """Two failures in a row make the outage of the document's database; one success ends it."""
    database = Database(seed=8, share=1.0)
    runtime, monitor = watched(database)

    monitor.tick()
    first = monitor.get_report()
    let_pass(runtime, monitor, 40.0)
    second = monitor.get_report()

    assert first.services["database"].state == "DEGRADED"
    assert first.services["database"].standing.consecutive_failures == 1
    assert second.services["database"].state == "UNHEALTHY"
    assert [alert.service for alert in second.active_alerts] == ["database"]
