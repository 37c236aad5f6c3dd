"""The current runtime as lower layers may see it; this module's variables are global state.

The runtime of a call is, in this order: the one that `activated` put in place, the current
application's (an adapter's resolver knows it), the process's default.
"""

import importlib
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, cast

from holdfast.handler import Verdict
from holdfast.record import Origin


class Environment(Protocol):
    """What boundaries and strategies need of a runtime."""

    def handle(self, error: BaseException, origin: Origin) -> Verdict:
        """Decide about an exception; never raises."""
        ...


_active: ContextVar[Environment | None] = ContextVar("holdfast_runtime", default=None)
_resolvers: list[Callable[[], Environment | None]] = []
_default: list[Environment] = []
_stand_in: list[Environment] = []
"""Made because somebody asked before a runtime was installed; gives way to the one that is."""


def current() -> Environment:
    """Return the runtime of the current application, else the process's default, made when missing."""
    return found() or _standing_in()


def found() -> Environment | None:
    """Return what `current` would without making a runtime: None when there is none."""
    active = _active.get()
    if active is not None:
        return active
    for resolve in _resolvers:
        environment = resolve()
        if environment is not None:
            return environment
    return default()


@contextmanager
def activated(environment: Environment) -> Generator[None, None, None]:
    """Make a runtime the current one inside a block, for this task or thread only."""
    token = _active.set(environment)
    try:
        yield
    finally:
        _active.reset(token)


def add_resolver(resolve: Callable[[], Environment | None]) -> None:
    """Ask a function for the current application's runtime; it must be fast and must not raise."""
    if resolve not in _resolvers:
        _resolvers.append(resolve)


def default() -> Environment | None:
    """Return the process's default runtime, or None before one is installed."""
    return _default[-1] if _default else None


def set_default(environment: Environment | None) -> Environment | None:
    """Make a runtime the process's default, None takes it away; return the stand-in that gives way."""
    _default[:] = [] if environment is None else [environment]
    return _stand_in.pop() if _stand_in else None


def _standing_in() -> Environment:
    if not _stand_in:
        # Loaded by name: the composition root stands above this layer.
        runtime = importlib.import_module("holdfast.runtime")
        _stand_in.append(cast("Environment", runtime.stand_in()))
    return _stand_in[0]
