"""The scripts of the rows of jobs: `python -m tests.paths.job_script KEY…` runs one after the other.

Each scenario is a piece of work of its own, named `row-KEY`; what comes out of a job is caught here,
so that the next can follow, but for those that end the process.
"""

import asyncio
import logging
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

import holdfast
from holdfast import AppError, ErrorCode, Origin
from holdfast.environment import current
from holdfast.hooks.jobs import FileLock, LeaseLock, find_folder

log = logging.getLogger("shop")
SCENARIOS: dict[str, Callable[[], object]] = {}


def scenario(key: str) -> Callable[[Callable[[], object]], Callable[[], object]]:
    """Make a function the scenario of a row."""

    def named(function: Callable[[], object]) -> Callable[[], object]:
        SCENARIOS[key] = function
        return function

    return named


class Leases:
    """A store that takes a lease away, or cannot be asked."""

    def __init__(self, *, away: bool = False) -> None:
        self._away = away

    def take(self, job: str, owner: str, seconds: float) -> bool:
        """Give the lease, when it can be asked."""
        if self._away:
            raise ConnectionRefusedError(111, "Connection refused")
        return True

    def renew(self, job: str, owner: str, seconds: float) -> bool:
        """Say that another has it."""
        return False

    def drop(self, job: str, owner: str) -> None:
        """Have nothing to drop."""

    def owner(self, job: str) -> str:
        """Name another."""
        return "another"


@scenario("raised")
@scenario("uncaught")
@holdfast.job("nightly")
def raised() -> None:
    """Raise what nobody expects."""
    raise LookupError("no such invoice")


@scenario("on-purpose")
@scenario("python-job")
@holdfast.job("nightly")
def on_purpose() -> None:
    """Raise an error of the application."""
    raise AppError(ErrorCode.DB_CONNECTION_ERROR, "Cannot reach the database")


@scenario("group")
@holdfast.job("nightly")
def group() -> None:
    """Raise several at once."""
    gone = AppError(ErrorCode.DB_CONNECTION_ERROR, "gone")
    raise ExceptionGroup("two invoices", [gone, AppError(ErrorCode.BUSINESS_RULE_VIOLATION, "no")])


@scenario("coroutine")
def coroutine() -> None:
    """Raise in a coroutine."""

    @holdfast.job("nightly")
    async def fail() -> None:
        raise LookupError("no such invoice")

    asyncio.run(fail())


@scenario("block")
def block() -> None:
    """Raise in a block."""
    with holdfast.job("nightly"):
        raise LookupError("no such invoice")


@scenario("nested")
def nested() -> None:
    """Raise through two jobs."""
    with holdfast.job("outer"), holdfast.job("inner"):
        raise LookupError("no such invoice")


@scenario("status-3")
@holdfast.job("nightly")
def status() -> None:
    """Leave with a status."""
    sys.exit(3)


@scenario("status-0")
@holdfast.job("nightly")
def success() -> None:
    """Leave with success."""
    sys.exit(0)


@scenario("text")
@holdfast.job("nightly")
def text() -> None:
    """Leave with a sentence."""
    sys.exit("no such month")


@scenario("alarm")
@holdfast.job("nightly", within=0.1)
def alarm() -> None:
    """Take too long."""
    threading.Event().wait(20)


@scenario("loop")
def loop() -> None:
    """Take too long in a coroutine."""

    @holdfast.job("nightly", within=0.1)
    async def wait() -> None:
        await asyncio.Event().wait()

    asyncio.run(wait())


@scenario("elsewhere")
def elsewhere() -> None:
    """Take too long where nothing can interrupt it."""

    @holdfast.job("nightly", within=0.01)
    def wait() -> None:
        threading.Event().wait(0.1)

    thread = threading.Thread(target=wait)
    thread.start()
    thread.join()


@scenario("store-away")
def store_away() -> None:
    """Ask for a lock in a store that is away."""
    with holdfast.job("nightly", lock=LeaseLock(Leases(away=True))):
        pass


@scenario("lost")
def lost() -> None:
    """Go on until the lease is another's."""
    with holdfast.job("nightly", lock=LeaseLock(Leases(), seconds=1)) as run:
        while not run.lost:
            threading.Event().wait(0.05)


@scenario("running")
def running() -> None:
    """Begin while the job is running."""
    held = FileLock(find_folder()).acquire("nightly")
    try:
        with holdfast.job("nightly", lock="file"):
            pass
    finally:
        held.release()


@scenario("handled")
@holdfast.job("nightly")
def handled() -> None:
    """Let an error go on that was handled."""
    error = LookupError("no such invoice")
    current().handle(error, Origin(boundary="block", operation="invoices"))
    raise error


@scenario("thread")
@holdfast.job("nightly")
def thread() -> None:
    """Start a thread that fails: it is part of the process's trace, as the run is."""
    started = threading.Thread(target=in_thread)
    started.start()
    started.join()


def in_thread() -> None:
    """Fail in a thread."""
    raise LookupError("no such invoice")


@scenario("logged")
@holdfast.job("nightly")
def logged() -> None:
    """Log an exception and go on."""
    try:
        raise LookupError("no such invoice")
    except LookupError:
        log.exception("could not write the invoice")


@scenario("swallowed")
@holdfast.job("nightly")
def swallowed() -> None:
    """Catch everything."""
    with suppress(Exception):
        raise LookupError("no such invoice")


@scenario("keyboard")
@holdfast.job("nightly")
def keyboard() -> None:
    """Be interrupted."""
    raise KeyboardInterrupt


@scenario("cancelled")
def cancelled() -> None:
    """Be cancelled."""

    @holdfast.job("nightly")
    async def wait() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.Event().wait()

    asyncio.run(wait())


@scenario("python")
def python() -> None:
    """Raise outside of any job."""
    raise LookupError("no such invoice")


@scenario("python-status")
def python_status() -> None:
    """Handle an error and leave with a status."""
    current().handle(LookupError("no such invoice"), Origin(boundary="process"))
    sys.exit(1)


@scenario("exited")
@holdfast.job("nightly")
def exited() -> None:
    """End past everything."""
    os._exit(3)


def main(keys: list[str]) -> None:
    """Run scenarios; a single one ends the process as it does."""
    holdfast.configure(service="shop", reporters=["tests.paths.filing:reporter"]).install()
    if len(keys) == 1:
        SCENARIOS[keys[0]]()
    for key in keys if len(keys) > 1 else ():
        with suppress(BaseException), holdfast.work_context(f"row-{key}"):
            SCENARIOS[key]()


if __name__ == "__main__":
    main(sys.argv[1:])
