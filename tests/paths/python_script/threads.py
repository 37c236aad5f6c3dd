"""Errors of threads and of pools."""

import concurrent.futures
import gc
import os
import signal
import sys
import threading
from functools import partial

from holdfast import WatchedExecutor, spawn, watch_future
from tests.paths.python_script.kinds import end_by, fail, row, scenario


def _run(thread: threading.Thread) -> None:
    thread.start()
    thread.join()


@scenario("thread")
def in_thread() -> None:
    """Fail in a thread."""
    _run(threading.Thread(target=fail, args=("thread",)))


@scenario("timer")
def in_timer() -> None:
    """Fail in a timer."""
    _run(threading.Timer(0.001, fail, args=("timer",)))


@scenario("thread-exit")
def thread_exits() -> None:
    """Leave a thread by `sys.exit`."""
    _run(threading.Thread(target=sys.exit, args=(3,)))


@scenario("thread-hook-raises", early=True)
def thread_hook_raises() -> None:
    """Fail in the hook that was there before, while it is told of a thread that leaves."""
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = lambda _: fail("thread-hook-raises")
    else:
        _run(threading.Thread(target=sys.exit, args=(3,)))


@scenario("pool")
def in_pool() -> None:
    """Fail in a pool of threads, and look at nothing."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        pool.submit(fail, "pool")


@scenario("pool-watched", plain=False)
def in_watched_pool() -> None:
    """Fail in a pool of threads that is watched, and look at nothing."""
    with row("pool-watched"), WatchedExecutor(concurrent.futures.ThreadPoolExecutor()) as pool:
        pool.submit(int, "seven")


@scenario("pool-spawned", plain=False)
def spawned_in_pool() -> None:
    """Fail in a pool of threads, in work that nobody waits for."""
    with row("pool-spawned"), WatchedExecutor(concurrent.futures.ThreadPoolExecutor()) as pool:
        pool.spawn(int, "seven")


@scenario("future-watched", plain=False)
def watched_future() -> None:
    """Fail in a future that is watched, and forget it."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        watch_future(pool.submit(fail, "future-watched"), operation="fail")


@scenario("future-held", plain=False)
def held_future() -> None:
    """Fail in a future that is watched, and keep it to the end without a look."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        kept.append(watch_future(pool.submit(fail, "future-held")))


kept: list[object] = []


@scenario("spawned", plain=False)
def spawned() -> None:
    """Fail in a function that nobody waits for."""
    with row("spawned"):
        spawn(int, "seven")


@scenario("done-callback")
def done_callback() -> None:
    """Fail in the callback of a future."""
    future = concurrent.futures.Future[None]()
    future.add_done_callback(lambda _: fail("done-callback"))
    future.set_result(None)


@scenario("process-pool")
def in_process_pool() -> None:
    """Fail in a pool of processes, and look at nothing."""
    with concurrent.futures.ProcessPoolExecutor(1) as pool:
        pool.submit(fail, "process-pool")


@scenario("process-pool-watched", plain=False)
def in_watched_process_pool() -> None:
    """Fail in a pool of processes that is watched, and look at nothing."""
    pool = WatchedExecutor(concurrent.futures.ProcessPoolExecutor(1))
    with row("process-pool-watched"), pool:
        pool.submit(int, "seven")


@scenario("process-pool-killed", plain=False)
def process_pool_killed() -> None:
    """Lose the worker of a pool of processes that is watched."""
    pool = WatchedExecutor(concurrent.futures.ProcessPoolExecutor(1))
    with row("process-pool-killed"), pool:
        for _ in range(3):
            pool.submit(end_by, signal.SIGKILL)
    gc.collect()


@scenario("forked-by-hand")
def forked_by_hand() -> None:
    """Fail in a child of `os.fork`."""
    child = os.fork()
    if not child:
        fail("forked-by-hand")
    os.waitpid(child, 0)


@scenario("callback-of-pool")
def callback_of_pool() -> None:
    """Fail in what a pool of threads calls when its work is done."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        pool.submit(int, "7").add_done_callback(partial(_fail_with, "callback-of-pool"))


def _fail_with(key: str, _: object) -> None:
    fail(key)
