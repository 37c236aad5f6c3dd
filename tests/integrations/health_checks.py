"""What tests of health checks share: running them as probes do, through an outage, and many times."""

import gc
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from holdfast.health import HealthRegistry
from holdfast.health.check import CheckResult
from tests.integrations.proxy import proxied

PATIENCE: Final = 20.0
"""Seconds within which every check ends, on any machine."""
SHORT: Final = 0.3
"""Seconds that a check waits for a server which is known to hang."""
SECRET: Final = "canary-4711"

Check = Callable[[], object]


def run(check: Check, registry: HealthRegistry | None = None) -> CheckResult:
    """Run a check once, as probes do."""
    registry = registry or HealthRegistry()
    registry.register_check("it", check, timeout=PATIENCE, replace=True)
    return registry.check("it", fresh=True)


def said(check: Check, registry: HealthRegistry | None = None) -> tuple[str, str]:
    """Return the status and the output of a check."""
    result = run(check, registry)
    return result.status.value, result.output


def comes(condition: Callable[[], object]) -> bool:
    """Wait until a condition holds; tell whether it came to hold."""
    pause = threading.Event()
    for _ in range(500):
        if condition():
            return True
        pause.wait(0.02)
    return bool(condition())


def course(check_of: Callable[[int], Check], port: int) -> list[tuple[str, str]]:
    """Return what one check says while its server is well, hangs, goes on, is away, and is back.

    Args:
        check_of: Makes it for a port.
        port: Of the server.
    """
    with proxied(port) as proxy:
        check = check_of(proxy.port)
        found = [said(check)]
        for happen in (proxy.stall, proxy.restore, proxy.cut, proxy.restore):
            happen()
            found.append(said(check))
    return found


def left_behind(check: Check, times: int = 20) -> tuple[int, int]:
    """Return how many threads and open files a number of runs leave, after a first one."""
    registry = HealthRegistry()
    registry.register_check("it", check, timeout=PATIENCE)
    registry.run_all_checks()
    before = _resources()
    for _ in range(times):
        registry.run_all_checks()
    after = _resources()
    # Threads of other tests may end meanwhile.
    return max(0, after[0] - before[0]), max(0, after[1] - before[1])


def _resources() -> tuple[int, int]:
    gc.collect()
    folder = Path("/proc/self/fd")
    return threading.active_count(), len(list(folder.iterdir())) if folder.exists() else 0
