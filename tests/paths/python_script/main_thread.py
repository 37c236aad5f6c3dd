"""Errors of the main thread, of finalisers, and of the end of the process."""

import atexit
import ctypes
import faulthandler
import logging
import os
import resource
import signal
import sys
import weakref
from types import TracebackType

from holdfast import AppError, ErrorCode
from tests.paths.python_script.kinds import end_by, fail, no_core_dumps, row, scenario

held: list[object] = []
"""What lives until the interpreter is torn down."""


@scenario("uncaught")
def uncaught() -> None:
    """Let an error reach the end of the main thread."""
    fail("uncaught")


@scenario("on-purpose", plain=False)
def on_purpose() -> None:
    """Let an error of the suite reach the end of the main thread."""
    with row("on-purpose"):
        raise AppError(ErrorCode.DB_CONNECTION_ERROR, "Cannot reach the database")


@scenario("refused")
def refused() -> None:
    """Let an error of the standard library reach the end of the main thread."""
    with row("refused"):
        raise ConnectionRefusedError(111, "Connection refused")


@scenario("group")
def group() -> None:
    """Let a group of errors reach the end of the main thread."""
    with row("group"):
        raise ExceptionGroup("two rows", [LookupError("one"), LookupError("two")])


@scenario("chained")
def chained() -> None:
    """Let an error reach the end that was raised from one of a piece of work."""
    try:
        fail("chained")
    except LookupError as error:
        raise RuntimeError("the import failed") from error


@scenario("exit")
def exits() -> None:
    """Leave with a status."""
    with row("exit"):
        sys.exit(3)


@scenario("interrupt")
def interrupt() -> None:
    """Be interrupted as by a key."""
    with row("interrupt"):
        signal.raise_signal(signal.SIGINT)


@scenario("hook-raises", early=True)
def hook_raises() -> None:
    """Fail in a hook that was there before, while it is told of an error."""
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = _broken_hook
    else:
        fail("hook-raises")


def _broken_hook(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    raise OSError("the hook's own trouble")


@scenario("other-hooks", early=True)
def other_hooks() -> None:
    """Let an error pass hooks of others, put in place before and after ours."""
    before = sys.excepthook

    def hook(
        kind: type[BaseException], error: BaseException, traceback: TracebackType | None
    ) -> None:
        sys.stderr.write("another library's hook\n")
        before(kind, error, traceback)

    held.append(hook)
    sys.excepthook = hook
    if len(held) > 1:
        fail("other-hooks")


@scenario("interactive")
def interactive() -> None:
    """Make a mistake at the prompt."""
    sys.ps1 = ">>> "
    fail("interactive")


@scenario("signal-handler")
def signal_handler() -> None:
    """Fail in the handler of a signal."""
    signal.signal(signal.SIGUSR1, lambda _, __: fail("signal-handler"))
    signal.raise_signal(signal.SIGUSR1)


@scenario("sigterm")
def sigterm() -> None:
    """Be asked to end."""
    with row("sigterm"):
        end_by(signal.SIGTERM)


@scenario("recursion")
def recursion() -> None:
    """Call oneself for ever."""

    def deeper() -> int:
        return deeper() + 1

    with row("recursion"):
        deeper()


@scenario("memory")
def memory() -> None:
    """Run out of memory, and hold on to what one has; without any Python cannot even say so."""
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (256 * 2**20, most))
    size = 2**24
    with row("memory"):
        while True:
            try:
                held.append(bytearray(size))
            except MemoryError:
                size //= 2
                if size < 2**20:
                    raise


class Fails:
    """Fails when it is freed."""

    def __init__(self, key: str) -> None:
        self.key = key

    def __del__(self) -> None:
        fail(self.key)


@scenario("finaliser")
def finaliser() -> None:
    """Fail in `__del__`."""
    Fails("finaliser")


@scenario("finaliser-at-end")
def finaliser_at_end() -> None:
    """Fail in the `__del__` of what lives as long as the interpreter."""
    held.append(Fails("finaliser-at-end"))


@scenario("weak-callback")
def weak_callback() -> None:
    """Fail in the callback of a weak reference."""

    class Gone:
        """Is freed at once."""

    gone = Gone()
    reference = weakref.ref(gone, lambda _: fail("weak-callback"))
    del gone
    held.append(reference)


@scenario("atexit")
def at_exit() -> None:
    """Fail in what runs when the process ends."""
    atexit.register(fail, "atexit")


@scenario("atexit-early", early=True)
def at_exit_early() -> None:
    """Fail in what runs when the process ends, registered before the runtime was installed."""
    if not held:
        held.append(atexit.register(fail, "atexit-early"))


@scenario("os-exit")
def os_exit() -> None:
    """Leave without a word."""
    with row("os-exit"):
        os._exit(3)


@scenario("sigkill")
def sigkill() -> None:
    """Be killed, as by the kernel when memory is short."""
    with row("sigkill"):
        end_by(signal.SIGKILL)


@scenario("segfault", plain=False)
def segfault() -> None:
    """Read from where nothing is."""
    no_core_dumps()
    ctypes.string_at(0)


@scenario("abort", plain=False)
def abort() -> None:
    """Be aborted, as by a library that finds its memory damaged."""
    no_core_dumps()
    os.abort()


@scenario("restart", plain=False)
def restart() -> None:
    """Start again after a crash, and do nothing."""
    print(faulthandler.is_enabled())  # noqa: T201  # for the test


@scenario("logged")
def logged() -> None:
    """Catch an error and write it down."""
    with row("logged"):
        try:
            raise LookupError("no such row: logged")
        except LookupError:
            logging.getLogger("shop").exception("it failed")


@scenario("log-handler")
def log_handler() -> None:
    """Fail in a handler of `logging`."""

    class Broken(logging.Handler):
        """Cannot write."""

        def emit(self, record: logging.LogRecord) -> None:
            try:
                raise OSError("disk full")
            except OSError:
                self.handleError(record)

    logger = logging.getLogger("shop")
    logger.addHandler(Broken())
    with row("log-handler"):
        logger.error("no error by itself")


@scenario("pipeline-logs", plain=False)
def pipeline_logs() -> None:
    """Fail while a step of the handler's pipeline logs the very error it is given, see `chatty`."""
    fail("pipeline-logs")
