"""The current runtime as lower layers may see it; this module's variables are global state.

The runtime of a call is, in this order: the one that `activated` put in place, the current
application's (an adapter's resolver knows it), the process's default.
"""

import importlib
import weakref
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Protocol, cast

from holdfast.events import Event
from holdfast.handler import Verdict
from holdfast.origin import Origin
from holdfast.redact import Redactor


class Environment(Protocol):
    """What boundaries and strategies need of a runtime."""

    @property
    def redactor(self) -> Redactor:
        """Cleans what is told beside errors."""
        ...

    def emit(self, event: Event) -> None:
        """Tell the reporters of something other than an error; neither blocks nor raises."""
        ...

    def handle(self, error: BaseException, origin: Origin) -> Verdict:
        """Decide about an exception; never raises."""
        ...

    def flush(self, timeout: float | None = None) -> bool:
        """Wait a limited time until all that was reported is delivered; False when it was not.

        Args:
            timeout: Seconds; None leaves it to the settings.
        """
        ...


class StandIn(Environment, Protocol):
    """A runtime that was made because somebody needed one before there was any."""

    def give_way(self, successor: Environment) -> None:
        """Hand over what was registered, and end."""
        ...


_active: ContextVar[Environment | None] = ContextVar("holdfast_runtime", default=None)
_resolvers: list[Callable[[], Environment | None]] = []
_default: list[Environment] = []
_known: "weakref.WeakSet[Environment]" = weakref.WeakSet()
"""Every runtime that is not closed."""
_crowd_watchers: list[Callable[[], None]] = []
_stand_in: list[StandIn] = []
"""Made because somebody asked before there was a runtime; gives way to the first that is made."""


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


def enlist(environment: Environment) -> None:
    """Count a runtime among those that calls may belong to."""
    _known.add(environment)
    # Alone, too: the one before may be closed, and is still at hand.
    for crowded in _crowd_watchers:
        crowded()


def dismiss(environment: Environment) -> None:
    """Count a runtime no more: it is closed."""
    _known.discard(environment)


def is_alone(environment: Environment) -> bool:
    """Tell whether every call of this process belongs to one runtime."""
    return len(_known) == 1 and environment in _known


def at_crowd(watcher: Callable[[], None]) -> None:
    """Call a function whenever there comes to be another runtime."""
    _crowd_watchers.append(watcher)


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


def set_default(environment: Environment | None) -> None:
    """Make a runtime the process's default, to which a stand-in gives way; None takes it away."""
    if environment is None:
        _default.clear()
        _stand_in.clear()
    else:
        _default[:] = [environment]
        take_over(environment)


@contextmanager
def as_default(environment: Environment) -> Generator[None, None, None]:
    """Make a runtime the process's default inside a block, whatever is installed; for tests."""
    before = [*_default]
    _default[:] = [environment]
    try:
        yield
    finally:
        _default[:] = before


def take_over(environment: Environment) -> None:
    """Give a runtime the health checks that were registered before there was any.

    For adapters that make one runtime for each application and install none: called for every
    runtime they make, it gives the checks to the first. Harmless when nothing waits.
    """
    with suppress(IndexError):
        while True:
            _stand_in.pop(0).give_way(environment)


def _standing_in() -> Environment:
    if not _stand_in:
        # Loaded by name: the composition root stands above this layer.
        runtime = importlib.import_module("holdfast.runtime")
        _stand_in.append(cast("StandIn", runtime.stand_in()))
    return _stand_in[0]
