"""What can go wrong in a Django project, under a server, on its command line and while it starts."""

from typing import Final

from tests.paths.row import Row

_BOTH: Final = ("gunicorn", "uvicorn")
_REQUEST: Final = "django.request"
_COMMAND: Final = "django.command"
_TASK: Final = "django.task"
_INTERNAL: Final = "INTERNAL_ERROR"
_SIGNAL: Final = "`got_request_exception`"
_VIEWS: Final = "default error views"
_MIDDLEWARE: Final = "`HoldfastMiddleware`"
_NET: Final = "escape audit of 5xx in `HoldfastMiddleware`"
_BRIDGE: Final = "logging bridge"
_FETCH: Final = "`ManagementUtility.fetch_command`, wrapped"
_HOOKS: Final = "`sys.excepthook` or the logging bridge, from the app's entry on"


def _request(
    key: str, event: str, seen_by: str, code: str = _INTERNAL, hosts: tuple[str, ...] = _BOTH
) -> Row:
    return Row(key=key, event=event, hosts=hosts, seen_by=seen_by, boundary=_REQUEST, code=code)


_VIEW_ROWS: Final = (
    _request("view", "A view raises", "`process_exception`"),
    _request("async-view", "A coroutine view raises", "`process_exception`"),
    _request(
        "exception-group", "A coroutine view raises an exception group", "`process_exception`"
    ),
    _request("http-404", "A view raises `Http404`", _VIEWS, "RESOURCE_NOT_FOUND"),
    _request("denied", "A view raises `PermissionDenied`", _VIEWS, "INSUFFICIENT_PERMISSIONS"),
    _request("bad-request", "A view raises `BadRequest`", _VIEWS, "INVALID_REQUEST_DATA"),
    _request("suspicious", "A view raises `SuspiciousOperation`", _VIEWS, "INVALID_REQUEST_DATA"),
    _request(
        "suspicious-own-view",
        "A view raises `SuspiciousOperation`, and the project's own `handler400` answers",
        "`process_exception`",
        "INVALID_REQUEST_DATA",
    ),
    _request("unknown-url", "No route has the address", _VIEWS, "RESOURCE_NOT_FOUND"),
    _request("view-none", "A view returns None", _SIGNAL),
    _request("view-coroutine", "A view returns a coroutine that nobody awaits", _SIGNAL),
    _request("middleware-before", "A middleware raises before the view", _SIGNAL),
    _request("middleware-after", "A middleware raises after the view", _SIGNAL),
    _request("template", "A `TemplateResponse` cannot be rendered", "`process_exception`"),
    _request("drf-render", "A response of DRF cannot be rendered", "`process_exception`"),
    _request(
        "drf-5xx", "DRF answers an `APIException` of 500 or more", "DRF handler", "OUT_OF_ORDER"
    ),
    _request("drf-other", "A view of DRF raises what DRF does not know", "`process_exception`"),
    _request(
        "call-command", "A view calls a command that fails", "`process_exception`", "JOB_FAILED"
    ),
    _request("urlconf", "The urlconf cannot be imported at the first request", _SIGNAL),
    _request(
        "propagated", "A view raises under `DEBUG_PROPAGATE_EXCEPTIONS`", "`process_exception`"
    ),
)
_BODY_ROWS: Final = (
    _request("stream", "A streaming body raises", "body wrapped by `HoldfastMiddleware`"),
    _request(
        "async-stream", "An async streaming body raises", "body wrapped by `HoldfastMiddleware`"
    ),
    _request("closing-stream", "A streaming body raises when it is closed", "closers wrapped"),
    _request("closer", "A closer of `response.close()` raises", "closers wrapped"),
)
_CONTROL_ROWS: Final = (
    Row(
        key="system-exit",
        event="A view raises `SystemExit`",
        hosts=_BOTH,
        seen_by=_MIDDLEWARE,
        records=0,
        why="control flow, not an error: the server's log line, or its exit, shows it",
    ),
    Row(
        key="keyboard-interrupt",
        event="A view raises `KeyboardInterrupt`",
        hosts=_BOTH,
        seen_by=_MIDDLEWARE,
        records=0,
        why="control flow, not an error: the server's log line, or its exit, shows it",
    ),
    Row(
        key="cancelled",
        event="A coroutine view raises `CancelledError`",
        hosts=_BOTH,
        seen_by=_MIDDLEWARE,
        records=0,
        why="control flow, not an error: the server's log line shows it",
    ),
    Row(
        key="caller-left",
        event="The caller leaves before the answer",
        hosts=("uvicorn",),
        seen_by=_MIDDLEWARE,
        records=0,
        why="control flow, not an error: the view is cancelled; the server's access log shows it",
    ),
)
_SWALLOWED_ROWS: Final = (
    _request(
        "answered-with-500",
        "`process_exception` of an inner middleware answers with 500",
        _NET,
        "UNEXPLAINED_RESPONSE",
    ),
    Row(
        key="answered-with-200",
        event="`process_exception` of an inner middleware answers with less than 500",
        hosts=_BOTH,
        seen_by="nobody",
        records=0,
        why="the project answered it as no failure, and Django tells nobody else; "
        "the check `holdfast.W010` names such middlewares",
    ),
    _request("silent-500", "A view returns a 500 by itself", _NET, "UNEXPLAINED_RESPONSE"),
    _request("receiver-raises", "Another receiver of `got_request_exception` raises", _SIGNAL),
    _request("handler500-raises", "The project's own `handler500` raises", _SIGNAL),
    _request("on-commit", "A callback of `on_commit` raises", "`process_exception`"),
)
_LOGGED_ROWS: Final = tuple(
    Row(key=key, event=event, hosts=hosts, seen_by=_BRIDGE, boundary="log", code=_INTERNAL)
    for key, event, hosts in (
        ("on-commit-robust", "A callback of `on_commit(robust=True)` raises", _BOTH),
        ("send-robust", "A receiver of `send_robust` raises", _BOTH),
        ("request-started", "A receiver of `request_started` raises", _BOTH),
        ("request-finished", "A receiver of `request_finished` raises", _BOTH),
        ("logged-and-raised", "A view logs its error and raises it again", _BOTH),
        ("wsgi-callback", "A callback of an async view's loop raises under WSGI", ("gunicorn",)),
    )
)
_BESIDE_ROWS: Final = (
    Row(
        key="thread",
        event="A thread that a view started raises",
        hosts=_BOTH,
        seen_by="`threading.excepthook`",
        boundary="thread",
        code=_INTERNAL,
    ),
    Row(
        key="loop-callback",
        event="A callback of the loop raises",
        hosts=("uvicorn",),
        seen_by="exception handler of the loop",
        boundary="asyncio",
        code=_INTERNAL,
    ),
    Row(
        key="background-task",
        event="A task that nobody awaits raises",
        hosts=("uvicorn",),
        seen_by="exception handler of the loop",
        boundary="asyncio",
        code=_INTERNAL,
    ),
    Row(
        key="worker-time-out",
        event="gunicorn ends a worker whose request takes too long",
        hosts=("gunicorn",),
        seen_by=_MIDDLEWARE,
        boundary=_REQUEST,
        code="PROCESS_CRASHED",
    ),
    Row(
        key="worker-killed",
        event="A worker is killed in the middle of a request, or hangs where no signal reaches Python",
        hosts=_BOTH,
        seen_by="nobody",
        records=0,
        why="nothing of the process runs any more: gunicorn's own log names the worker and the "
        "signal, and whoever called gets no answer",
    ),
)
_COMMAND_ROWS: Final = (
    *(
        Row(
            key=key, event=event, hosts=("manage.py",), seen_by=_FETCH, boundary=_COMMAND, code=code
        )
        for key, event, code in (
            ("command-raises", "A command raises", _INTERNAL),
            ("command-error", "A command raises `CommandError`", "JOB_FAILED"),
            ("command-exits", "A command ends with a status other than 0", "JOB_FAILED"),
            (
                "command-misused",
                "A command is called with arguments it does not take",
                "JOB_FAILED",
            ),
            ("command-unknown", "There is no such command", "JOB_FAILED"),
            ("command-of-django", "A command of Django's own fails", "JOB_FAILED"),
        )
    ),
    Row(
        key="command-explained",
        event="A command ends with a status for an error that it handled",
        hosts=("manage.py",),
        seen_by="`error_boundary`",
        boundary="block",
        code=_INTERNAL,
    ),
    Row(
        key="command-interrupted",
        event="A command is stopped from the keyboard",
        hosts=("manage.py",),
        seen_by=_FETCH,
        records=0,
        why="control flow, not an error: the exit status shows it",
    ),
    Row(
        key="command-answers",
        event="A command of Django's own answers by its status, as `makemigrations --check` does",
        hosts=("manage.py",),
        seen_by=_FETCH,
        records=0,
        why="an answer, not an error: the exit status is what was asked for",
    ),
)
_STARTUP_ROWS: Final = tuple(
    Row(key=key, event=event, hosts=hosts, seen_by=seen_by, boundary="startup", code=_INTERNAL)
    for key, event, hosts, seen_by in (
        (
            "startup-models",
            "The models of an app cannot be imported",
            _BOTH,
            _HOOKS,
        ),
        ("startup-ready", "An app raises while it gets ready", (*_BOTH, "manage.py"), _HOOKS),
        ("startup-entry", "The module that the server loads raises", _BOTH, _HOOKS),
        (
            "startup-settings",
            "The settings cannot be imported",
            (*_BOTH, "manage.py"),
            "a runtime that was installed before Django",
        ),
        ("startup-runserver", "`runserver` finds the project broken", ("runserver",), _HOOKS),
    )
)
_TASK_ROWS: Final = (
    Row(
        key="task-crash",
        event="A task of `django.tasks` raises (Django 6)",
        hosts=(*_BOTH, "db_worker"),
        seen_by="`task_finished`",
        boundary=_TASK,
        code=_INTERNAL,
    ),
    Row(
        key="task-crash-later",
        event="A coroutine task of `django.tasks` raises (Django 6)",
        hosts=(*_BOTH, "db_worker"),
        seen_by="`task_finished`",
        boundary=_TASK,
        code=_INTERNAL,
    ),
    Row(
        key="task-leave",
        event="A task of `django.tasks` raises `SystemExit`, which the backend swallows (Django 6)",
        hosts=(*_BOTH, "db_worker"),
        seen_by="`task_finished`",
        boundary=_TASK,
        code="UNEXPLAINED_FAILURE",
    ),
)

ROWS: Final[tuple[Row, ...]] = (
    *_VIEW_ROWS,
    *_BODY_ROWS,
    *_CONTROL_ROWS,
    *_SWALLOWED_ROWS,
    *_LOGGED_ROWS,
    *_BESIDE_ROWS,
    *_COMMAND_ROWS,
    *_STARTUP_ROWS,
    *_TASK_ROWS,
)
"""All of them, by where they happen."""
