"""Errors of child processes."""

import multiprocessing
import os
import signal
import sys
import threading
from contextvars import copy_context
from functools import partial
from multiprocessing.context import ForkProcess

from holdfast import Origin, current_runtime, start_process
from tests.paths.python_script.kinds import end_by, fail, row, scenario

SPAWN = multiprocessing.get_context("spawn")
FORK = multiprocessing.get_context("fork")
FORKSERVER = multiprocessing.get_context("forkserver")


def _fails() -> None:
    raise LookupError("no such row")


def _fails_in_thread() -> None:
    threading.Thread(target=fail, args=("forked-thread",)).start()


class Worker(ForkProcess):
    """A process of its own class."""

    def run(self) -> None:
        """Fail."""
        fail("forked-class")


@scenario("forked")
def forked() -> None:
    """Fail in a forked child."""
    child = FORK.Process(target=_fails)
    with row("forked"):
        child.start()
    child.join()


@scenario("forked-class")
def forked_class() -> None:
    """Fail in a forked child of a class of one's own."""
    child = Worker()
    child.start()
    child.join()


@scenario("forked-thread")
def forked_thread() -> None:
    """Fail in a thread of a forked child, while the child ends."""
    child = FORK.Process(target=_fails_in_thread)
    child.start()
    child.join()


@scenario("forked-while-handling")
def forked_while_handling() -> None:
    """Fork a child that does well, while an error is handled."""
    try:
        _fails()
    except LookupError:
        child = FORK.Process(target=int, args=("7",))
        child.start()
        child.join()


@scenario("child-exits")
def child_exits() -> None:
    """Let a child leave with a status."""
    child = FORK.Process(target=sys.exit, args=(3,))
    child.start()
    child.join()


@scenario("spawned-alone")
def spawned_alone() -> None:
    """Fail in a spawned child that has no runtime."""
    child = SPAWN.Process(target=_fails)
    child.start()
    child.join()


@scenario("spawned-child", plain=False)
def spawned_child() -> None:
    """Fail in a spawned child that was started with ours."""
    with row("spawned-child"):
        start_process(SPAWN.Process(target=_fails)).join()


@scenario("forkserver", plain=False)
def from_forkserver() -> None:
    """Fail in a child of the fork server."""
    with row("forkserver"):
        start_process(FORKSERVER.Process(target=_fails)).join()


@scenario("child-killed", plain=False)
def child_killed() -> None:
    """Have a child killed."""
    with row("child-killed"):
        start_process(FORK.Process(target=end_by, args=(signal.SIGKILL,))).join()


@scenario("child-os-exit", plain=False)
def child_os_exit() -> None:
    """Have a child leave without a word."""
    with row("child-os-exit"):
        start_process(SPAWN.Process(target=os._exit, args=(3,))).join()


@scenario("child-terminated", plain=False)
def child_terminated() -> None:
    """Ask a child to end."""
    with row("child-terminated"):
        child = start_process(FORK.Process(target=signal.pause))
        child.terminate()
        child.join()


@scenario("worker")
def in_worker() -> None:
    """Fail in the worker of a `multiprocessing.Pool`, and look at nothing."""
    with FORK.Pool(1) as pool:
        pool.apply_async(_fails).wait()


@scenario("worker-callback", plain=False)
def worker_callback() -> None:
    """Fail in the worker of a `multiprocessing.Pool`, with a callback for the error."""
    handle = partial(current_runtime().handle, origin=Origin(boundary="child", operation="_fails"))
    with FORK.Pool(1) as pool, row("worker-callback"):
        # The callback is called on a thread of the pool, which knows nothing of the work.
        told = partial(copy_context().run, handle)
        pool.apply_async(_fails, error_callback=told).wait()
