"""What happens in each row, by its key: functions for `def` views and coroutines for `async def` views."""

import asyncio
import importlib
import logging
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import NoReturn

from django.core.exceptions import BadRequest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.dispatch import Signal
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse

from holdfast.context import current_trace_id
from tests.django_ext.project import failures
from tests.paths.django_project import receivers

Synchronous = Callable[[HttpRequest], HttpResponseBase | None]
Asynchronous = Callable[[HttpRequest], Awaitable[HttpResponseBase | None]]

_signal = Signal()
_tasks: set["asyncio.Task[NoReturn]"] = set()


def fail(*_: object, **__: object) -> NoReturn:
    """Fail; the text says for which request."""
    raise KeyError(f"broke in {current_trace_id()}")


def bad_request(_: HttpRequest) -> HttpResponse:
    """Refuse."""
    raise BadRequest("no")


def coroutine(_: HttpRequest) -> object:
    """Return what nobody awaits, as a view does that lacks `async` in its caller."""

    async def forgotten() -> HttpResponse:
        return HttpResponse()

    return forgotten()


def exit_(_: HttpRequest) -> HttpResponse:
    """Leave the process."""
    sys.exit(5)


def interrupted(_: HttpRequest) -> HttpResponse:
    """Be stopped from the keyboard."""
    raise KeyboardInterrupt


def silent(_: HttpRequest) -> HttpResponse:
    """Say that something failed, and nothing more."""
    return HttpResponse("sorry", status=500)


def logged(_: HttpRequest) -> HttpResponse:
    """Log what failed, and let it go on."""
    try:
        fail()
    except KeyError:
        logging.getLogger("shop").exception("the view broke")
        raise


def on_commit(_: HttpRequest) -> HttpResponse:
    """Fail after the data is committed."""
    with transaction.atomic():
        transaction.on_commit(fail)
    return HttpResponse("committed")


def on_commit_robust(_: HttpRequest) -> HttpResponse:
    """Fail after the data is committed, without failing the request."""
    with transaction.atomic():
        transaction.on_commit(fail, robust=True)
    return HttpResponse("committed")


def send_robust(_: HttpRequest) -> HttpResponse:
    """Let a receiver fail that may."""
    _signal.connect(fail)
    try:
        _signal.send_robust(sender=None)
    finally:
        _signal.disconnect(fail)
    return HttpResponse("sent")


def closer(_: HttpRequest) -> HttpResponse:
    """Fail after the answer has left, where the response releases what it holds."""
    response = HttpResponse("ok")
    response._resource_closers.append(fail)  # type: ignore[attr-defined]  # what Django's own responses do
    return response


def closing_stream(_: HttpRequest) -> StreamingHttpResponse:
    """Fail while the body of a stream is closed."""

    class Body:
        def __iter__(self) -> Iterator[bytes]:
            return iter([b"all of it"])

        close = fail

    return StreamingHttpResponse(Body())


def thread(_: HttpRequest) -> HttpResponse:
    """Fail in a thread of its own; the text carries what the thread's context does not."""
    trace_id = current_trace_id()

    def run() -> None:
        raise KeyError(f"broke in {trace_id}")

    started = threading.Thread(target=run)
    started.start()
    started.join()
    return HttpResponse("started")


def finished(_: HttpRequest) -> HttpResponse:
    """Let a receiver fail after the answer has left."""
    receivers.finish_badly(current_trace_id())
    return HttpResponse("ok")


def command(_: HttpRequest) -> HttpResponse:
    """Call a command that fails."""
    call_command("mishap", "error")
    return HttpResponse()


def command_error(_: HttpRequest) -> HttpResponse:
    """Fail as commands do."""
    raise CommandError("nothing to import")


def enqueue(request: HttpRequest) -> HttpResponse:
    """Enqueue the task that the address ends with."""
    work = importlib.import_module("tests.paths.django_project.work")  # needs Django 6
    name = request.path.rpartition("/task-")[2]
    return HttpResponse(getattr(work, name.replace("-", "_")).enqueue().id)


def template(request: HttpRequest) -> TemplateResponse:
    """Fail while the template is rendered."""
    return TemplateResponse(request, "broken.html", {"explode": lambda: 1 / 0})


def hang(_: HttpRequest) -> HttpResponse:
    """Take longer than the server allows."""
    threading.Event().wait(30)
    return HttpResponse("late")


def slow(_: HttpRequest) -> HttpResponse:
    """Fail after a while."""
    threading.Event().wait(0.5)
    fail()


def killed(_: HttpRequest) -> HttpResponse:
    """Be killed, as for want of memory."""
    os.kill(os.getpid(), signal.SIGKILL)
    return HttpResponse()


async def async_fail(_: HttpRequest) -> HttpResponse:
    """Fail after having waited."""
    await asyncio.get_running_loop().run_in_executor(None, int)
    fail()


async def group(_: HttpRequest) -> HttpResponse:
    """Fail twice at once."""

    async def one() -> NoReturn:
        fail()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(one())
        tasks.create_task(one())
    return HttpResponse()


async def cancelled(_: HttpRequest) -> HttpResponse:
    """Be cancelled."""
    raise asyncio.CancelledError


async def leaving(_: HttpRequest) -> HttpResponse:
    """Wait for longer than the caller does."""
    await asyncio.Event().wait()
    return HttpResponse("late")


async def callback(_: HttpRequest) -> HttpResponse:
    """Fail in a callback of the loop."""
    asyncio.get_running_loop().call_soon(fail)
    return HttpResponse("called")


async def background(_: HttpRequest) -> HttpResponse:
    """Fail in a task that nobody waits for."""

    async def run() -> NoReturn:
        fail()

    task = asyncio.create_task(run())
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
    return HttpResponse("started")


async def async_stream(_: HttpRequest) -> StreamingHttpResponse:
    """Fail in the middle of a body."""

    async def chunks() -> AsyncIterator[bytes]:
        yield b"first,"
        await asyncio.get_running_loop().run_in_executor(None, int)
        fail()

    return StreamingHttpResponse(chunks())


SYNCHRONOUS: dict[str, Synchronous] = {
    "view": fail,
    "http-404": failures.http_404,
    "denied": failures.denied,
    "bad-request": bad_request,
    "suspicious": failures.suspicious,
    "view-none": failures.nothing,
    "view-coroutine": coroutine,  # type: ignore[dict-item]  # on purpose
    "template": template,
    "stream": failures.stream,
    "system-exit": exit_,
    "keyboard-interrupt": interrupted,
    "answered-with-500": fail,
    "answered-with-200": fail,
    "receiver-raises": fail,
    "silent-500": silent,
    "logged-and-raised": logged,
    "on-commit": on_commit,
    "on-commit-robust": on_commit_robust,
    "send-robust": send_robust,
    "closer": closer,
    "closing-stream": closing_stream,
    "thread": thread,
    "request-started": failures.ok,
    "request-finished": finished,
    "call-command": command,
    "command-error": command_error,
    "worker-time-out": hang,
    "worker-killed": killed,
    "slow": slow,
    "propagated": fail,
    "task-crash": enqueue,
    "task-leave": enqueue,
    "task-crash-later": enqueue,
    "task-succeed": enqueue,
    "ok": failures.ok,
}
ASYNCHRONOUS: dict[str, Asynchronous] = {
    "async-view": async_fail,
    "exception-group": group,
    "cancelled": cancelled,
    "caller-left": leaving,
    "loop-callback": callback,
    "background-task": background,
    "async-stream": async_stream,
}
