"""What goes wrong: four things that readiness asks, the same for every application of this benchmark."""

import os
import threading
from typing import Final

HANGS: Final = 30.0
"""Seconds that one check hangs, each time."""
SLOW: Final = 0.8
"""Seconds that another takes, of the one that it may."""
TIMEOUT: Final = 1.0
"""Seconds that every check may take."""
TIME_LIMIT: Final = 2.0
"""Seconds in which every probe has to be answered, as the settings of ours say."""
EVERY: Final = 1.0
"""Seconds between two looks in the background, in the variant that looks there."""

PORT: Final = "PROBES_DATABASE_PORT"
"""Environment variable with the port of the proxy in front of PostgreSQL."""
BACKGROUND: Final = "PROBES_IN_BACKGROUND"
"""Environment variable; set where checks are looked at in the background."""


def hang() -> None:
    """Hang, as who waits for a lock or for a network without a time limit."""
    threading.Event().wait(HANGS)


def fail() -> None:
    """Raise at once."""
    raise ConnectionError("the warehouse refuses connections")


def dawdle() -> None:
    """Take nearly as long as is allowed, and be well."""
    threading.Event().wait(SLOW)


def database_port() -> int:
    """Return the port at which the applications find PostgreSQL."""
    return int(os.environ[PORT])


def period() -> float | None:
    """Return the seconds between two looks in the background, None where probes look."""
    return EVERY if os.environ.get(BACKGROUND) else None
