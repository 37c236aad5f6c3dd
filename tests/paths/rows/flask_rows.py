"""Errors of Flask: of requests, of commands, and of applications that cannot be built."""

from tests.paths.row import Row

SYNC, THREADS, ASGI = "gunicorn", "gunicorn with threads", "uvicorn through asgiref"
LIMITED = "gunicorn with a time limit"
COMMAND = "flask command"
SERVERS = (SYNC, THREADS, ASGI)

_SIGNAL = "`got_request_exception`"
_SEARCH = "around `handle_user_exception`"
_WSGI = "around `wsgi_app`"
_CLI = "around the command"


def _request(key: str, event: str, seen_by: str = _SIGNAL, code: str = "INTERNAL_ERROR") -> Row:
    return Row(
        key=key, event=event, hosts=SERVERS, seen_by=seen_by, boundary="flask.request", code=code
    )


def _no_error(key: str, event: str, why: str, hosts: tuple[str, ...] = SERVERS) -> Row:
    return Row(key=key, event=event, hosts=hosts, seen_by="nobody", records=0, why=why)


REQUEST_ROWS = (
    _request("view", "A view raises"),
    _request("async-view", "An asynchronous view raises"),
    _request("on-purpose", "A view raises an `AppError`", code="DB_CONNECTION_ERROR"),
    _request("before-request", "A `before_request` function raises"),
    _request("after-request", "An `after_request` function raises; Flask runs them twice"),
    _request("teardown", "A `teardown_request` function raises: the answer is lost", _WSGI),
    _request("teardown-context", "A `teardown_appcontext` function raises", _WSGI),
    _request(
        "own-handler",
        "A handler of the application's for `Exception` answers with a server error: Flask sends "
        "no signal, and tells teardown functions of no error",
        _SEARCH,
    ),
    _no_error(
        "own-recovery",
        "A handler of the application's for `Exception` answers as if nothing had happened",
        "the application went on from it; `flask holdfast check` names the handler",
    ),
    _request(
        "handler-raises", "A handler of the application's raises: one error, behind it the first"
    ),
    _request("abort-500", "`abort(500)`", "our handler for 500"),
    _request(
        "abort-response",
        "`abort()` with a response that is a server error",
        _SEARCH,
        "SERVICE_UNAVAILABLE",
    ),
    _no_error("abort-answer", "`abort()` with a response that is none", "an answer, and no error"),
    _request("bare", "A bare `HTTPException`, which Flask would answer with 200", _SEARCH),
    _no_error("slash", "An address without its slash", "a redirect, and no error"),
    _request(
        "unexplained",
        "A view answers 503 by itself, and nothing was raised (escape audit)",
        "after `process_response`",
        "UNEXPLAINED_RESPONSE",
    ),
    Row(
        key="stream",
        event="A streamed body raises: headers and status have left already",
        hosts=SERVERS,
        seen_by="around the body",
        boundary="flask.stream",
        code="INTERNAL_ERROR",
    ),
    Row(
        key="close",
        event="What a response does when it is closed raises; asgiref closes none",
        hosts=(SYNC, THREADS),
        seen_by="around the body's `close()`",
        boundary="flask.request",
        code="INTERNAL_ERROR",
    ),
    _request("signal-receiver", "A receiver of `got_request_exception` raises as well"),
    _request("group", "A group whose members have handlers of their own: none of them is asked"),
    _request(
        "blueprint-404",
        "An unknown address below a blueprint with a handler for 404, which is not asked",
        "our handler for `HTTPException`",
        "RESOURCE_NOT_FOUND",
    ),
    _request("propagate", "A view raises with `PROPAGATE_EXCEPTIONS`: the server answers"),
    _request("testing", "A view raises with `TESTING`: the server answers"),
    Row(
        key="thread",
        event="A thread that a view started raises: it has an id of its own, for Python gives it no context",
        hosts=SERVERS,
        seen_by="`threading.excepthook`",
        boundary="thread",
        code="INTERNAL_ERROR",
    ),
    Row(
        key="logged",
        event="A view catches an error and only logs it",
        hosts=SERVERS,
        seen_by="the logging bridge",
        boundary="log",
        code="INTERNAL_ERROR",
    ),
    _no_error(
        "exit",
        "A view raises `SystemExit`",
        "control flow: the worker ends without an answer, and gunicorn starts another",
        (SYNC,),
    ),
    Row(
        key="time-limit",
        event="gunicorn ends a worker whose request took too long",
        hosts=(LIMITED,),
        seen_by=_WSGI,
        boundary="flask.request",
        code="PROCESS_CRASHED",
    ),
)


def _command(key: str, event: str, seen_by: str = _CLI, code: str = "JOB_FAILED") -> Row:
    return Row(
        key=key, event=event, hosts=(COMMAND,), seen_by=seen_by, boundary="flask.command", code=code
    )


COMMAND_ROWS = (
    _command("raises", "A command raises", code="INTERNAL_ERROR"),
    _command("of-blueprint", "A command of a blueprint raises", code="INTERNAL_ERROR"),
    _command("refuses", "A command raises a `ClickException`"),
    _command("exits", "A command leaves with an exit status other than 0"),
    _command("aborts", "A command is aborted, and not by a person at a terminal"),
    _command(
        "arguments", "A command is called with wrong arguments, and not by a person at a terminal"
    ),
)


def _startup(key: str, event: str, seen_by: str, hosts: tuple[str, ...]) -> Row:
    return Row(
        key=key,
        event=event,
        hosts=hosts,
        seen_by=seen_by,
        boundary="startup",
        code="INTERNAL_ERROR",
    )


STARTUP_ROWS = (
    _startup(
        "after",
        "A factory raises after `Holdfast(app)`",
        "the logging bridge, or `sys.excepthook`",
        (SYNC, ASGI, COMMAND),
    ),
    _startup(
        "before",
        "A factory raises before `Holdfast(app)`, the process having a runtime of its own",
        "the logging bridge, or `sys.excepthook`",
        (SYNC, ASGI, COMMAND),
    ),
)

ROWS = (*REQUEST_ROWS, *COMMAND_ROWS, *STARTUP_ROWS)
