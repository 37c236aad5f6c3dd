"""What reporters need of the runtime that owns them; one that needs more says so beside itself."""

from typing import Protocol

from holdfast.redact import Redactor


class LoggingSettings(Protocol):
    """How the project's own lines are written."""

    @property
    def logger(self) -> str:
        """Name of the logger of ours."""
        ...

    @property
    def level(self) -> str:
        """The least severity that is told of."""
        ...

    @property
    def traceback(self) -> bool:
        """Whether tracebacks are told."""
        ...


class HostSettings(Protocol):
    """Whose reports they are."""

    @property
    def service(self) -> str:
        """Name of the service."""
        ...

    @property
    def environment(self) -> str:
        """Where it runs, or an empty text."""
        ...

    @property
    def release(self) -> str:
        """Its version, or an empty text."""
        ...

    @property
    def logging(self) -> LoggingSettings:
        """How lines are written."""
        ...


class Host(Protocol):
    """A runtime, as far as every reporter needs it."""

    @property
    def settings(self) -> HostSettings:
        """Say whose reports they are."""
        ...

    @property
    def redactor(self) -> Redactor:
        """Cleans what is told beside records, which are clean."""
        ...
