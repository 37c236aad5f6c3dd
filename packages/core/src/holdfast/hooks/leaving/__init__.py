"""When a process should leave: after which errors, how, how often, and what a SIGTERM means to it."""

from holdfast.hooks.leaving.departure import Departure, is_leaving, use
from holdfast.hooks.leaving.hosts import Way
from holdfast.hooks.leaving.policy import CrashPolicy

__all__ = ["CrashPolicy", "Departure", "Way", "is_leaving", "use"]
