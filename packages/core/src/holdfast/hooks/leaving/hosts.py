"""What runs this process, told by who handles its SIGTERM, and how it is asked to stop."""

import os
import signal
from typing import Protocol, cast, runtime_checkable


class Way(Protocol):
    """How what runs this process is asked to stop."""

    brief: float
    """Seconds that it needs to send an answer, when nothing else is waited for."""
    exit_code: int | None
    """By which it knows a process that leaves on purpose; None: by any."""

    def stop(self) -> bool:
        """Ask it, from any thread; False when nothing but the process's own code runs it."""
        ...

    def is_stopping(self) -> bool:
        """Tell whether it has begun to stop, whoever asked it."""
        ...


@runtime_checkable
class Listening(Protocol):
    """Who has put a handler in front of the one that was there."""

    @property
    def handler_before(self) -> object:
        """The handler that was there."""
        ...


class ServerWay:
    """Asks a server that handles SIGTERM, as gunicorn, uvicorn and a Celery worker do."""

    brief = 1.0
    exit_code: int | None = None

    def stop(self) -> bool:
        """Ask the server to finish what is in flight and to end."""
        handler = host_handler()
        server = _server_of(handler, "uvicorn")
        if server is not None:
            # As its documentation says; after a signal it would end by that signal, without our code.
            setattr(server, "should_exit", True)  # noqa: B010  # of a class that is not imported here
            return True
        if callable(handler):
            send_sigterm()
            return True
        return False

    def is_stopping(self) -> bool:
        """Tell whether gunicorn's worker or uvicorn's server has taken a signal."""
        handler = host_handler()
        gunicorn, uvicorn = _server_of(handler, "gunicorn"), _server_of(handler, "uvicorn")
        return (
            getattr(gunicorn, "alive", None) is False
            or getattr(uvicorn, "should_exit", None) is True
        )


def send_sigterm() -> None:
    """Have the handler of SIGTERM called in the main thread, even if that is waiting for something."""
    if os.name == "posix":
        os.kill(os.getpid(), signal.SIGTERM)
    else:
        signal.raise_signal(signal.SIGTERM)  # to kill() means there what it says


def host_handler() -> object:
    """Return the handler of SIGTERM that is not ours: a callable, `SIG_DFL`, `SIG_IGN` or None."""
    handler = cast("object", signal.getsignal(signal.SIGTERM))
    owner: object = getattr(handler, "__self__", None)
    return owner.handler_before if isinstance(owner, Listening) else handler


def ends_by_signal(handler: object) -> bool:
    """Tell whether a server ends in a way that nothing at the end of Python is called: as uvicorn does."""
    return _server_of(handler, "uvicorn") is not None


def _server_of(handler: object, library: str) -> object:
    """Return the object whose method a handler is, when its class or one above it is a library's."""
    server: object = getattr(handler, "__self__", None)
    classes = type(server).__mro__
    return server if any(c.__module__.partition(".")[0] == library for c in classes) else None
