"""Errors while the project is being built, before it has its runtime.

Our app's entry in `INSTALLED_APPS` is read long before it gets ready: from then on the hooks listen,
and an error makes the runtime that it is told to. Put first, the app hears of all that follow.
"""

from typing import Final

from holdfast.events import Event
from holdfast.handler import Action, Verdict
from holdfast.hooks import process
from holdfast.origin import Origin
from holdfast.redact import Redactor
from holdfast.settings import SettingsError
from holdfast_django import conf, current

_HOOKS: Final = frozenset({"uncaught", "logging"})
"""Where an error comes up that ends a process or a worker before it has begun."""


class Beginning:
    """Stands for the project's runtime until there is one, and makes it when there is something to tell."""

    def __init__(self) -> None:
        self.redactor = Redactor()

    def handle(self, error: BaseException, origin: Origin) -> Verdict:
        """Hand an error over; where the settings are what is broken, there is nobody to tell."""
        try:
            return current.project_runtime().handle(error, origin)
        except Exception:  # noqa: BLE001  # of the settings, or of what they name: the error goes on by itself
            return Verdict(action=Action.PROPAGATE)

    def emit(self, event: Event) -> None:
        """Pass over what is no error."""

    def flush(self, timeout: float | None = None) -> bool:  # noqa: ARG002  # as the protocol has it
        """Say that nothing waits here."""
        return True


_beginning = Beginning()


def listen() -> None:
    """Listen until the project has its runtime; settings that are wrong are told of when that is made."""
    try:
        wanted = conf.load().hooks.chosen()
    except SettingsError:
        return
    process.attach(_beginning, [name for name in wanted if name in _HOOKS])


def end() -> None:
    """Leave the rest to the project's runtime."""
    process.detach(_beginning)
