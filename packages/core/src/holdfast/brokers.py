"""What the errors of Celery, of its pool and of brokers mean, by dotted name: none is imported.

Facts only; `classify` makes rules of them. Celery's `Ignore` and `Retry` are not here: they are
control flow, and whoever sees them passes them on. Nor are mistakes in using these libraries, such
as `ImproperlyConfigured` and `EncodeError`: they are bugs of ours, as every unknown error is.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from holdfast.codes import Effect, ErrorCode

MAX_CAUSES: Final = 10
"""Exceptions behind an error that are looked at."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one class of exceptions means; the fields are those of a `Rule`."""

    match: str
    code: ErrorCode
    effect: Effect | None = None
    transient: bool | None = None
    trusted: bool = True
    when: Callable[[BaseException], bool] | None = None


def never_connected(error: BaseException) -> bool:
    """Tell whether a connection was refused or its host not found, so that nothing was sent."""
    return any(
        isinstance(behind, ConnectionRefusedError) or type(behind).__name__ == "gaierror"
        for behind in _behind(error)
    )


def _behind(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and those it was made from, as its library caught them."""
    current: BaseException | None = error
    for _ in range(MAX_CAUSES):
        if current is None:
            return
        yield current
        current = current.__cause__ or current.__context__


def _says(reason: str) -> Callable[[BaseException], bool]:
    return lambda error: error.args[:1] == (reason,)


_LOST, _TIMED_OUT = ErrorCode.TASK_LOST, ErrorCode.TASK_TIMED_OUT
_REJECTED, _REVOKED = ErrorCode.TASK_REJECTED, ErrorCode.TASK_REVOKED
_UNREACHABLE, _UNAVAILABLE = ErrorCode.COMMUNICATION_ERROR, ErrorCode.SERVICE_UNAVAILABLE
_REFUSED, _MISTAKE = ErrorCode.DEPENDENCY_FAILED, ErrorCode.INTERNAL_ERROR
_IN_DOUBT, _NOT_SENT, _NOTHING_DONE = Effect.IN_DOUBT, Effect.NOT_SENT, Effect.NONE

_TASKS: Final = (
    Meaning("billiard.exceptions.WorkerLostError", _LOST, _IN_DOUBT),
    # The task's own limit, and no dependency's silence: the next attempt would take as long.
    Meaning("billiard.exceptions.TimeLimitExceeded", _TIMED_OUT, _IN_DOUBT, transient=False),
    Meaning("billiard.exceptions.SoftTimeLimitExceeded", _TIMED_OUT, _IN_DOUBT, transient=False),
    Meaning("billiard.exceptions.Terminated", _REVOKED, _IN_DOUBT),
    Meaning("billiard.exceptions.RestartFreqExceeded", ErrorCode.PROCESS_CRASHED, trusted=False),
    # What a task's result says of why it was revoked; the worker's own say nothing, and are early.
    Meaning(
        "celery.exceptions.TaskRevokedError",
        ErrorCode.TASK_EXPIRED,
        _NOTHING_DONE,
        transient=False,
        when=_says("expired"),
    ),
    Meaning("celery.exceptions.TaskRevokedError", _REVOKED, _IN_DOUBT, when=_says("terminated")),
    Meaning("celery.exceptions.TaskRevokedError", _REVOKED, _NOTHING_DONE),
    Meaning("celery.exceptions.Reject", _REJECTED),
    Meaning("celery.exceptions.MaxRetriesExceededError", ErrorCode.TASK_RETRIES_EXHAUSTED),
    Meaning("celery.exceptions.ChordError", _REJECTED, _NOTHING_DONE),
    Meaning("celery.exceptions.NotRegistered", ErrorCode.TASK_UNKNOWN, _NOTHING_DONE),
    Meaning("celery.exceptions.TimeoutError", ErrorCode.DEADLINE_EXCEEDED, _IN_DOUBT),
)
_MESSAGES: Final = (
    Meaning("celery.exceptions.InvalidTaskError", _REJECTED, _NOTHING_DONE),
    Meaning("celery.exceptions.SecurityError", _REJECTED, _NOTHING_DONE),
    Meaning("kombu.exceptions.DecodeError", _REJECTED, _NOTHING_DONE),
    Meaning("kombu.exceptions.ContentDisallowed", _REJECTED, _NOTHING_DONE),
    Meaning("kombu.exceptions.SerializerNotInstalled", _MISTAKE, _NOT_SENT, trusted=False),
    Meaning("celery.exceptions.QueueNotFound", _MISTAKE, _NOT_SENT, trusted=False),
    Meaning("celery.exceptions.BackendGetMetaError", _UNAVAILABLE, _NOT_SENT),
    Meaning("celery.exceptions.BackendError", _UNAVAILABLE, _IN_DOUBT),
    Meaning("celery.exceptions.IncompleteStream", _UNAVAILABLE, _IN_DOUBT),
    Meaning("kombu.exceptions.OperationalError", _UNREACHABLE, _NOT_SENT, when=never_connected),
    Meaning("kombu.exceptions.OperationalError", _UNREACHABLE, _IN_DOUBT),
    Meaning("kombu.exceptions.BatchPublishError", _UNREACHABLE, _IN_DOUBT),
    Meaning("kombu.exceptions.LimitExceeded", _UNAVAILABLE, _NOT_SENT),
    Meaning("kombu.exceptions.HttpError", _REFUSED),
)
_AMQP: Final = (
    Meaning("amqp.exceptions.MessageNacked", _UNAVAILABLE, _NOT_SENT),
    Meaning("amqp.exceptions.IrrecoverableConnectionError", _REFUSED, _IN_DOUBT),
    Meaning("amqp.exceptions.ConnectionError", _UNREACHABLE, _IN_DOUBT),
    # A queue that is not there, is declared in two ways, is not allowed, is somebody else's.
    Meaning("amqp.exceptions.ChannelError", _REFUSED, _NOT_SENT),
)
_REDIS: Final = (
    Meaning("redis.exceptions.AuthenticationError", _REFUSED, _NOT_SENT),
    Meaning("redis.exceptions.AuthorizationError", _REFUSED, _NOT_SENT),
    Meaning("redis.exceptions.MaxConnectionsError", _UNAVAILABLE, _NOT_SENT),
    Meaning("redis.exceptions.ConnectionError", _UNREACHABLE, _NOT_SENT, when=never_connected),
    Meaning("redis.exceptions.ConnectionError", _UNREACHABLE, _IN_DOUBT),
    Meaning("redis.exceptions.TimeoutError", ErrorCode.DEADLINE_EXCEEDED, _IN_DOUBT),
    # It answered that it cannot now: it loads, has no room, has just become a replica.
    Meaning("redis.exceptions.BusyLoadingError", _UNAVAILABLE, _NOT_SENT),
    Meaning("redis.exceptions.OutOfMemoryError", _UNAVAILABLE, _NOT_SENT),
    Meaning("redis.exceptions.ReadOnlyError", _UNAVAILABLE, _NOT_SENT),
    Meaning("redis.exceptions.ClusterDownError", _UNAVAILABLE, _NOT_SENT),
    Meaning("redis.exceptions.TryAgainError", _UNAVAILABLE, _NOT_SENT),
)
_REDIS_MANY: Final = (
    Meaning("redis.multidb.exception.NoValidDatabaseException", _UNAVAILABLE, _NOT_SENT),
    Meaning("redis.multidb.exception.TemporaryUnavailableException", _UNAVAILABLE, _NOT_SENT),
    Meaning("redis.multidb.exception.UnhealthyDatabaseException", _UNAVAILABLE, _NOT_SENT),
    Meaning("redis.multidb.exception.InitialHealthCheckFailedError", _UNAVAILABLE, _NOT_SENT),
    Meaning("redis.auth.err.RequestTokenErr", _REFUSED, _NOT_SENT),
    Meaning("redis.auth.err.TokenRenewalErr", _REFUSED, _NOT_SENT),
    Meaning("redis.http.http_client.HttpError", _REFUSED, _IN_DOUBT),
)
_NATS: Final = (
    Meaning("nats.errors.NoServersError", ErrorCode.NATS_SERVICE_UNAVAILABLE, _NOT_SENT),
    Meaning("nats.errors.NoRespondersError", ErrorCode.NATS_SERVICE_UNAVAILABLE, _NOT_SENT),
    Meaning("nats.js.errors.ServiceUnavailableError", ErrorCode.NATS_SERVICE_UNAVAILABLE),
    Meaning("nats.errors.ConnectionClosedError", _UNREACHABLE, _IN_DOUBT),
    Meaning("nats.errors.ConnectionDrainingError", _UNREACHABLE, _NOT_SENT),
    Meaning("nats.errors.ConnectionReconnectingError", _UNREACHABLE, _NOT_SENT),
    Meaning("nats.errors.StaleConnectionError", _UNREACHABLE, _IN_DOUBT),
    Meaning("nats.errors.OutboundBufferLimitError", _UNREACHABLE, _NOT_SENT),
    Meaning("nats.errors.AuthorizationError", _REFUSED, _NOT_SENT),
)

MEANINGS: Final = (*_TASKS, *_MESSAGES, *_AMQP, *_REDIS, *_REDIS_MANY, *_NATS)
"""What is known; special conditions stand before the general ones of the same class."""
