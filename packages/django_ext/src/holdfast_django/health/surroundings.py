"""What checks of a project run within: the connections that they open end with them.

A check has a thread, and so connections, of its own. Nobody else looks after them: Django closes
those of a request's thread, at the end of the request.
"""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager

from asgiref.sync import SyncToAsync, ThreadSensitiveContext
from django.db import connections

from holdfast.health import HealthRegistry

Around = Callable[[], AbstractContextManager[object]]


class Surroundings:
    """Closes connections when a check has ended, within whatever checks ran within before.

    Args:
        inner: What that was.
    """

    def __init__(self, inner: Around) -> None:
        self._inner = inner

    @contextmanager
    def __call__(self) -> Generator[None, None, None]:
        """Surround one run of one check, on the thread that runs it."""
        aside = ThreadSensitiveContext()
        token = SyncToAsync.thread_sensitive_context.set(aside)
        try:
            with self._inner():
                yield
        finally:
            SyncToAsync.thread_sensitive_context.reset(token)
            _close(aside)


def surround(registry: HealthRegistry) -> None:
    """Let the checks of a registry run so; once, however often it is called."""
    if not isinstance(registry.around, Surroundings):
        registry.around = Surroundings(registry.around)


def _close(aside: ThreadSensitiveContext) -> None:
    """Close the connections of this thread, and of the one that an asynchronous check used the ORM on."""
    executor = SyncToAsync.context_to_thread_executor.pop(aside, None)
    if executor is not None:
        executor.submit(connections.close_all)
        executor.shutdown()  # waits: a check is not started again while a thread of it hangs
    connections.close_all()
