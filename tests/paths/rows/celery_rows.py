"""Errors of Celery: of tasks, of messages, of workers and of beat."""

from tests.paths.row import Row

RABBITMQ, REDIS = "prefork worker on RabbitMQ", "prefork worker on Redis"
BOTH = (RABBITMQ, REDIS)
OWN_WORKER = ("worker of its own, RabbitMQ",)
BEAT = ("beat, RabbitMQ",)

_CHILD = "`task_failure` in the child"
_PARENT = "`task_failure` in the parent"
_ENDED = "`task_postrun` in the child"
_POOL = "the pool's own account of its children"


def _task(key: str, event: str, seen_by: str = _CHILD, code: str = "INTERNAL_ERROR") -> Row:
    return Row(key=key, event=event, hosts=BOTH, seen_by=seen_by, boundary="celery.task", code=code)


def _no_error(key: str, event: str, seen_by: str, why: str) -> Row:
    return Row(key=key, event=event, hosts=BOTH, seen_by=seen_by, records=0, why=why)


def _worker(key: str, event: str, seen_by: str, code: str) -> Row:
    return Row(
        key=key, event=event, hosts=BOTH, seen_by=seen_by, boundary="celery.worker", code=code
    )


TASK_ROWS = (
    _task("raises", "A task raises"),
    _task("on-purpose", "A task raises an `AppError`", code="DB_CONNECTION_ERROR"),
    _task("unpicklable", "A task raises what cannot be pickled"),
    _task("arguments", "A task is called with wrong arguments"),
    _task("unserialisable", "A task returns what its result cannot hold"),
    _task("before-start", "`before_start` raises"),
    _task(
        "on-failure",
        "`on_failure` raises: recorded with the task's own error as its context",
        _ENDED,
    ),
    _task(
        "on-success", "`on_success` raises: the task has succeeded", "the logger `celery.app.trace`"
    ),
    _task(
        "after-return",
        "`after_return` raises: the task has its result",
        "the logger `celery.app.trace`",
    ),
    _task("errback", "A task raises that has an errback: it counts once"),
    _task(
        "cancelled",
        "A task ends by a `CancelledError`, which is no error by itself",
        _ENDED,
        "UNEXPLAINED_FAILURE",
    ),
    _task(
        "unheard",
        "A task fails and no signal says so (escape audit)",
        _ENDED,
    ),
    _task("reject", "A task rejects its message for good", _ENDED, "TASK_REJECTED"),
    _task("retry-always", "A task asks to be tried again until it may not: the last attempt"),
    _task("autoretry", "A task is tried again by `autoretry_for`: the last attempt"),
    _task(
        "retry-blindly",
        "A task asks to be tried again once too often, without an error",
        code="TASK_RETRIES_EXHAUSTED",
    ),
    _task("soft-limit", "The soft time limit", code="TASK_TIMED_OUT"),
    _task("hard-limit", "The hard time limit, signalled twice", _PARENT, "TASK_TIMED_OUT"),
    _task("exit", "A task raises `SystemExit`", _ENDED, "TASK_LOST"),
    _task("interrupt", "A task raises `KeyboardInterrupt`", _ENDED, "TASK_LOST"),
    _task("os-exit", "A task ends its process by `os._exit`", _PARENT, "TASK_LOST"),
    _task("sigkill", "A task's process is killed, as for its memory", _PARENT, "TASK_LOST"),
    _task("sigsegv", "A task's process crashes", _PARENT, "TASK_LOST"),
    _task(
        "kill-redelivered",
        "A task's process is killed and the message goes back to its queue",
        _POOL,
        "TASK_LOST",
    ),
    _task("expired", "A task is too late", "`task_revoked`", "TASK_EXPIRED"),
    _task("revoked", "A task is revoked before it runs", "`task_revoked`", "TASK_REVOKED"),
    _task("terminated", "A task is terminated while it runs", "`task_revoked`", "TASK_REVOKED"),
    _task(
        "bad-time",
        "A task's ETA is no time of this world: it fails without a signal",
        "the logger `celery.worker.strategy`",
    ),
    _task(
        "internal",
        "Celery itself cannot run a task",
        "`task_internal_error` in the child",
        "TASK_REJECTED",
    ),
    Row(
        key="receiver",
        event="A receiver of the project's own raises",
        hosts=BOTH,
        seen_by="the logging bridge",
        boundary="log",
        code="INTERNAL_ERROR",
    ),
    Row(
        key="thread",
        event="A thread within a task raises, and the task succeeds",
        hosts=BOTH,
        seen_by="`threading.excepthook`",
        boundary="thread",
        code="INTERNAL_ERROR",
    ),
    _no_error(
        "expected",
        "A task raises what its `throws` names",
        _CHILD,
        "Whoever wrote the task says that it is no error; an event `task.failed_as_expected` tells of it.",
    ),
    _no_error(
        "retry-once",
        "A task asks to be tried again, and then succeeds",
        "`task_retry`",
        "No error as long as there is a next attempt; an event `task.retried` tells of it.",
    ),
    _no_error("ignore", "A task raises `Ignore`", _ENDED, "Control flow."),
    _no_error(
        "reject-once",
        "A task gives its message back to the queue",
        _ENDED,
        "Control flow: the task will run again.",
    ),
)

CHILD_ROWS = (
    _worker(
        "idle", "A child of the worker is killed while it has no task", _POOL, "PROCESS_CRASHED"
    ),
)

MESSAGE_ROWS = (
    _worker("unknown", "A message asks for an unknown task", "`task_unknown`", "TASK_UNKNOWN"),
    _worker("invalid", "A message is a malformed task's", "`task_rejected`", "TASK_REJECTED"),
    _worker("stranger", "A message is no task's at all", "`task_rejected`", "TASK_REJECTED"),
    _worker(
        "undecodable",
        "A message's body cannot be decoded",
        "the consumer's `on_decode_error`",
        "TASK_REJECTED",
    ),
)

WORKER_ROWS = (
    Row(
        key="crash",
        event="A worker crashes: “Unrecoverable error”",
        hosts=OWN_WORKER,
        seen_by="the logger `celery.worker`",
        boundary="celery.worker",
        code="INTERNAL_ERROR",
    ),
    Row(
        key="worker-without-broker",
        event="A worker cannot reach its broker: one record for each outage",
        hosts=OWN_WORKER,
        seen_by="the logger `celery.worker.consumer.consumer`",
        boundary="celery.worker",
        code="COMMUNICATION_ERROR",
    ),
)

BEAT_ROWS = (
    Row(
        key="unsendable",
        event="Beat cannot send a task that is due",
        hosts=BEAT,
        seen_by="the logger `celery.beat`",
        boundary="celery.beat",
        code="INTERNAL_ERROR",
    ),
    Row(
        key="incalculable",
        event="Beat cannot calculate when an entry is due: one record, although it tries again",
        hosts=BEAT,
        seen_by="the logger `celery.beat`",
        boundary="celery.beat",
        code="INTERNAL_ERROR",
    ),
    Row(
        key="loop",
        event="Beat's loop breaks, and beat ends",
        hosts=BEAT,
        seen_by="the logger `celery.beat`",
        boundary="celery.beat",
        code="INTERNAL_ERROR",
    ),
    Row(
        key="beat-without-broker",
        event="Beat cannot reach its broker: one record for each outage",
        hosts=BEAT,
        seen_by="the logger `celery.beat`",
        boundary="celery.beat",
        code="COMMUNICATION_ERROR",
    ),
)

ROWS = (*TASK_ROWS, *CHILD_ROWS, *MESSAGE_ROWS, *WORKER_ROWS, *BEAT_ROWS)
