"""What Celery only logs: read where it is said, so that the record says where in the system it was.

The logging bridge would know it too, but of a logger and no task; it leaves these loggers to us.
What a signal tells as well is passed over.
"""

import logging
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final, NamedTuple, TypeAlias, cast

from billiard import einfo
from celery import current_task

from holdfast.clock import Clock
from holdfast.handler import handling
from holdfast.hooks import bridge
from holdfast.hooks.bridge import BOUNDARY as LOG
from holdfast.integrations.celery.applications import Applications
from holdfast.integrations.celery.origins import (
    BEAT,
    WORKER,
    capture_for,
    task_origin,
)
from holdfast.integrations.celery.outages import Outages
from holdfast.integrations.celery.propagation import Carrier, request_of
from holdfast.origin import Origin
from holdfast.reporting.channel import turn

TRACE: Final = "celery.app.trace"
BEAT_LOGGER: Final = "celery.beat"
WORKER_LOGGERS: Final = (
    "celery.worker",
    "celery.worker.autoscale",
    "celery.worker.consumer.connection",
    "celery.worker.consumer.consumer",
    "celery.worker.consumer.control",
    "celery.worker.consumer.delayed_delivery",
    "celery.worker.consumer.gossip",
    "celery.worker.consumer.mingle",
    "celery.worker.consumer.tasks",
    "celery.worker.control",
    "celery.worker.loops",
    "celery.worker.pidbox",
    "celery.worker.request",
    "celery.worker.strategy",
)

# How messages begin, in English always: to import them would load the worker into every process.
SIGNALLED: Final = (
    "Received unregistered task of type ",
    "Received invalid task message: ",
    "Task handler raised error: ",
)
"""Of what a signal tells as well."""
UNREACHABLE: Final = ("consumer: Cannot connect to ", "beat: Connection error: ")
"""Of an attempt to reach a broker that failed, with the exception among the arguments."""
BAD_TIME: Final = "Couldn't convert ETA "
"""Of a task whose time cannot be computed: it fails without a signal."""
NO_NEXT_RUN: Final = "beat: Cannot calculate the next run of "
_WRAPPED: Final = getattr(einfo, "ExceptionWithTraceback", ())
_ENTRY: Final = re.compile(r"Couldn't apply scheduled task (.+?): ")


class Sight(NamedTuple):
    """An error that a log record tells of, and where it came up."""

    error: BaseException
    origin: Origin
    carrier: Carrier | None = None
    """The request of the task it is about, where it does not run."""


Reader: TypeAlias = Callable[[logging.LogRecord], Sight | None]


class Listener(logging.Filter):
    """Hears what a logger says at level ERROR and above, and keeps nothing back."""

    def __init__(self, read: Reader) -> None:
        super().__init__()
        self._read = read

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, having read it."""
        if record.levelno >= logging.ERROR and not (turn.busy or handling.busy):
            with suppress(Exception):  # observation never hurts
                sight = self._read(record)
                if sight is not None:
                    capture_for(sight.carrier, sight.error, sight.origin)
        return True


class Said:
    """Reads the loggers of Celery that tell what no signal does.

    Args:
        apps: Whose tasks are heard of by signals; of others there is only what is logged.
        clock: Tells one outage of a broker from the next.
    """

    def __init__(self, apps: Applications, clock: Clock) -> None:
        self._apps = apps
        self._outages = Outages(clock)
        worker, beat = Listener(self.of_worker), Listener(self.of_beat)
        self._listeners = {
            TRACE: Listener(self.of_trace),
            BEAT_LOGGER: beat,
            **dict.fromkeys(WORKER_LOGGERS, worker),
        }

    def install(self) -> None:
        """Listen; harmless when listening."""
        bridge.hook.ignore(*self._listeners)
        for name, listener in self._listeners.items():
            logging.getLogger(name).addFilter(listener)

    def uninstall(self) -> None:
        """Listen no more, and leave the loggers to the bridge; harmless when not listening."""
        bridge.hook.heed(*self._listeners)
        for name, listener in self._listeners.items():
            logging.getLogger(name).removeFilter(listener)

    def of_trace(self, record: logging.LogRecord) -> Sight | None:
        """Read what is said of a run beside its end: a hook that raised when all was over."""
        error = _error_of(record)
        if error is None:
            return None
        running = bool(current_task)  # a proxy, of nothing outside of tasks
        if hasattr(record, "data"):  # of the end itself, which a signal tells as well
            strange = running and current_task.app not in self._apps
            return Sight(error, Origin(boundary=LOG, operation=record.name)) if strange else None
        if running:
            return Sight(error, task_origin(current_task, current_task.request))
        return Sight(error, Origin(boundary=WORKER, operation=record.name))

    def of_worker(self, record: logging.LogRecord) -> Sight | None:
        """Read what the parent of a worker says."""
        text = str(record.msg)
        if text.startswith(SIGNALLED):
            return None
        if text.startswith(UNREACHABLE[0]):
            return self._unreachable(record, WORKER, *_arguments(record)[:2])
        error = _error_of(record)
        if error is None:
            return None
        if text.startswith(BAD_TIME):
            return self._bad_time(record, error)
        return Sight(error, Origin(boundary=WORKER, operation=record.name))

    def of_beat(self, record: logging.LogRecord) -> Sight | None:
        """Read what beat says: it has no signals at all."""
        text = str(record.msg)
        if text.startswith(UNREACHABLE[1]):
            return self._unreachable(record, BEAT, "", *_arguments(record)[:1])
        error = _error_of(record)
        if error is None:
            return None
        named = _ENTRY.match(str(error))
        if named is not None:  # what beat makes of it says less than what it was
            origin = Origin(boundary=BEAT, operation=named[1])
            return Sight(error.__cause__ or error.__context__ or error, origin)
        if text.startswith(NO_NEXT_RUN):
            entry = str(_arguments(record)[0])
            origin = Origin(boundary=BEAT, operation=entry)
            return Sight(error, origin) if self._outages.begins(f"{BEAT} {entry}") else None
        return Sight(error, Origin(boundary=BEAT, operation=record.name))

    def _unreachable(
        self, record: logging.LogRecord, boundary: str, place: object = "", error: object = None
    ) -> Sight | None:
        if isinstance(error, BaseException) and self._outages.begins(f"{record.name} {place}"):
            attributes = {"broker": str(place)} if place else {}
            origin = Origin(boundary=boundary, operation="connect", attributes=attributes)
            return Sight(error, origin)
        return None

    def _bad_time(self, record: logging.LogRecord, error: BaseException) -> Sight:
        said = _arguments(record)[2]
        task_id = cast("Mapping[str, object]", said)["id"]
        request = request_of(str(task_id))
        if request is None:
            return Sight(error, Origin(boundary=WORKER, operation=record.name))
        return Sight(error, task_origin(request.task, request), request)


def _error_of(record: logging.LogRecord) -> BaseException | None:
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, _WRAPPED):  # what Celery logs in the parent
        inner: object = getattr(error, "exc", None)
        return inner if isinstance(inner, BaseException) else error
    return error


def _arguments(record: logging.LogRecord) -> tuple[object, ...]:
    return record.args if isinstance(record.args, tuple) else (record.args,)
