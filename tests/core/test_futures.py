"""Errors of work that nobody waits for are handled; those that somebody takes are his."""

import asyncio
import concurrent.futures
import gc
import operator
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Generator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast import (
    Settings,
    WatchedExecutor,
    bind,
    current_trace_id,
    spawn,
    watch_future,
    work_context,
)
from holdfast.events import Event
from holdfast.hooks import futures
from holdfast.origin import Origin
from holdfast.record import ErrorHandled
from holdfast.runtime import Runtime
from holdfast.settings import HooksSettings
from holdfast.testing import RecordingRuntime

P = ParamSpec("P")
T = TypeVar("T")
NO_HOOKS = HooksSettings(uncaught=False, logging=False, processes=False, asyncio=False)


@pytest.fixture
def runtime() -> Generator[RecordingRuntime]:
    """Install a runtime without any hook."""
    runtime = RecordingRuntime(Settings(reporters=(), hooks=NO_HOOKS))
    runtime.install()
    yield runtime
    runtime.uninstall()


@contextmanager
def no_collection() -> Generator[None]:
    """Free what nobody refers to, and nothing that has to be searched for."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def fail(said: str = "no row") -> int:
    """Raise an error."""
    raise LookupError(said)


def join_spawned() -> None:
    """Wait until the threads that were spawned are gone."""
    for thread in threading.enumerate():
        if thread.name.startswith("spawn "):
            thread.join()


async def turn() -> None:
    """Let the loop do what is due."""
    turned = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(turned.set_result, None)
    await turned


def told(runtime: RecordingRuntime) -> list[tuple[str, str, str]]:
    """Return where the errors came from, and of which work they were."""
    return [
        (record.origin.boundary, record.origin.operation, record.trace_id)
        for record in runtime.recorded.records
    ]


def failed(error: BaseException | None = None) -> Future[int]:
    """Return a future that has failed."""
    future = Future[int]()
    future.set_exception(error or LookupError("no row"))
    return future


class TestSpawn:
    """Fire and forget."""

    def test_an_error_of_a_function_is_handled_at_once(self, runtime: RecordingRuntime) -> None:
        """Under the function's name, with the id and the fields of the caller's work."""
        with work_context("request-1"), bind(order=7):
            future = spawn(fail, said="no order")

        with pytest.raises(LookupError):
            future.result(10)
        (record,) = runtime.recorded.records
        assert told(runtime) == [("future", "fail", "request-1")]
        assert dict(record.fields) == {"order": 7}

    def test_a_function_that_does_well_gives_its_result(self, runtime: RecordingRuntime) -> None:
        """To whoever waits all the same; the caller's variables are the function's too."""
        with work_context("request-1"):
            future = spawn(current_trace_id)

        assert future.result(10) == "request-1"
        assert runtime.recorded.records == []

    def test_an_exit_is_no_error(self, runtime: RecordingRuntime) -> None:
        """It ends the function, and is the future's."""
        future = spawn(sys.exit, 3)

        assert isinstance(future.exception(10), SystemExit)
        assert runtime.recorded.records == []

    def test_nothing_of_what_failed_is_kept(self, runtime: RecordingRuntime) -> None:
        """The future is freed with its last reference, without a search for circles."""
        with no_collection():
            future = spawn(fail)
            concurrent.futures.wait([future], 10)
            join_spawned()
            reference = weakref.ref(future)
            del future

            assert reference() is None

    async def test_an_error_of_a_coroutine_is_handled(self, runtime: RecordingRuntime) -> None:
        """Under its name, with the id and the fields of its work, those it bound itself included."""

        async def work() -> None:
            with bind(item=3):
                fail()

        with work_context("request-1"), bind(order=7):
            task = spawn(work())
        await asyncio.wait([task])

        (record,) = runtime.recorded.records
        assert record.trace_id == "request-1"
        assert record.origin.boundary == "asyncio"
        assert record.origin.operation.endswith("work")
        assert dict(record.fields) == {"order": 7, "item": 3}

    async def test_a_task_is_held_until_it_is_done(self, runtime: RecordingRuntime) -> None:
        """Loops hold their tasks weakly: one that nobody else holds may vanish in the middle."""
        awaited: list[weakref.ref[asyncio.Future[int]]] = []

        async def work() -> int:
            future = asyncio.get_running_loop().create_future()
            awaited.append(weakref.ref(future))
            number: int = await future
            return number

        task = weakref.ref(spawn(work()))
        await turn()
        gc.collect()
        future = awaited[0]()
        assert future is not None
        future.set_result(7)
        del future
        for _ in range(3):
            await turn()
        gc.collect()

        assert task() is None
        assert not futures._tasks

    async def test_a_task_may_be_cancelled(self, runtime: RecordingRuntime) -> None:
        """That is no error."""
        task = spawn(asyncio.Event().wait())
        task.cancel()
        await asyncio.wait([task])

        assert runtime.recorded.records == []

    async def test_a_task_gives_its_result(self, runtime: RecordingRuntime) -> None:
        """To whoever awaits it all the same."""

        async def work() -> int:
            return 7

        assert await spawn(work()) == 7

    def test_a_coroutine_needs_a_loop(self, runtime: RecordingRuntime) -> None:
        """Without one it says so, and the coroutine is closed rather than warned of."""

        async def work() -> None:
            """Do nothing."""

        with pytest.raises(RuntimeError, match="needs a running event loop"):
            spawn(work())

    @pytest.mark.parametrize("work", [turn, 7])
    def test_what_cannot_be_spawned_is_refused(self, work: object) -> None:
        """A coroutine function that was not called would never run."""
        with pytest.raises(TypeError, match=r"takes a function or a coroutine, not .*; call"):
            spawn(work)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]


class TestWatchFuture:
    """A future's error, should nobody ask for it."""

    def test_an_error_that_nobody_takes_is_handled(self, runtime: RecordingRuntime) -> None:
        """As soon as the future is freed, and not before, with the id of the work it was watched in."""
        with work_context("request-1"):
            future = watch_future(failed(), operation="import")
        before = list(runtime.recorded.records)
        with work_context("request-2"), no_collection():
            del future

        assert before == []
        assert told(runtime) == [("future", "import", "request-1")]

    @pytest.mark.parametrize("way", ["result", "exception", "as_completed", "wrapped"])
    def test_an_error_that_somebody_takes_is_his(self, runtime: RecordingRuntime, way: str) -> None:
        """However he takes it."""
        future = watch_future(failed())

        if way == "result":
            with pytest.raises(LookupError):
                future.result()
        elif way == "exception":
            assert isinstance(future.exception(), LookupError)
        elif way == "as_completed":
            assert [done.exception() for done in concurrent.futures.as_completed([future])]
        else:
            asyncio.run(self._awaited(future))
        del future
        gc.collect()

        assert runtime.recorded.records == []

    async def _awaited(self, future: Future[int]) -> None:
        with pytest.raises(LookupError):
            await asyncio.wrap_future(future)

    def test_who_only_waited_has_not_taken_it(self, runtime: RecordingRuntime) -> None:
        """Nor who asked too early, or whether it is done."""
        future = watch_future(Future[int]())
        with pytest.raises(TimeoutError):
            future.result(0)
        with pytest.raises(TimeoutError):
            future.exception(0)
        future.set_exception(LookupError("no row"))
        concurrent.futures.wait([future])
        assert future.done()
        del future
        gc.collect()

        assert len(runtime.recorded.records) == 1

    def test_what_ends_well_is_nobodys_business(self, runtime: RecordingRuntime) -> None:
        """Neither results nor cancellations, nor futures that never end."""
        well, cancelled, never = (watch_future(Future[int]()) for _ in range(3))
        well.set_result(7)
        cancelled.cancel()
        assert not never.done()
        del well, cancelled, never
        gc.collect()

        assert runtime.recorded.records == []

    def test_a_future_stays_what_it_was(self) -> None:
        """Its class has the same name and is still one of futures, watched twice included."""

        class Own(Future[int]):
            """A future of somebody's own."""

        future = Own()
        watched = watch_future(watch_future(future))
        watched.set_result(7)

        assert watched is future
        assert isinstance(watched, Own)
        assert type(watched).__name__ == "Own"
        assert watched.result() == 7

    def test_a_result_is_freed_without_a_search(self, runtime: RecordingRuntime) -> None:
        """What was raised does not hold on to the future it was raised from."""
        with no_collection():
            future = watch_future(failed())
            reference = weakref.ref(future)
            try:
                future.result()
            except LookupError:
                del future

            assert reference() is None

    @pytest.mark.parametrize("thing", [None, "future", asyncio.Event()])
    def test_only_futures_of_executors_are_watched(self, thing: object) -> None:
        """Those of asyncio speak for themselves."""
        with pytest.raises(TypeError, match=r"takes a future of concurrent\.futures"):
            watch_future(thing)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    def test_what_is_left_at_the_end_is_handled(self, runtime: RecordingRuntime) -> None:
        """A future that lives as long as the process is asked when that ends; once."""
        future = watch_future(failed())

        futures._tell_all()
        futures._tell_all()
        del future
        gc.collect()

        assert len(runtime.recorded.records) == 1

    def test_without_a_runtime_nothing_happens(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Nobody is told, and nothing is raised or printed."""
        future = watch_future(failed())
        del future
        gc.collect()

        assert capsys.readouterr() == ("", "")


class TestWatchedExecutor:
    """A pool none of whose errors is lost."""

    def test_work_is_done_as_before(self, runtime: RecordingRuntime) -> None:
        """Results, iteration and `with` are those of the pool itself."""
        with WatchedExecutor(ThreadPoolExecutor(2)) as pool:
            future = pool.submit(operator.add, 2, 3)
            mapped = list(pool.map(operator.add, [1, 2], [3, 4], timeout=10))

        assert future.result() == 5
        assert mapped == [4, 6]
        with pytest.raises(RuntimeError, match="after shutdown"):
            pool.submit(int, "7")

    def test_the_callers_variables_travel_along(self, runtime: RecordingRuntime) -> None:
        """Each piece of work has the id of the work it was submitted in, in spite of one thread."""
        with WatchedExecutor(ThreadPoolExecutor(1)) as pool:
            submitted: list[Future[str]] = []
            for name in ("one", "two"):
                with work_context(name):
                    submitted.append(pool.submit(current_trace_id))

        assert [future.result() for future in submitted] == ["one", "two"]

    def test_an_error_that_nobody_takes_is_handled(self, runtime: RecordingRuntime) -> None:
        """One that somebody takes is not."""
        with WatchedExecutor(ThreadPoolExecutor(1)) as pool:
            with work_context("request-1"):
                pool.submit(fail)
            taken = pool.submit(fail, "taken")
        with pytest.raises(LookupError, match="taken"):
            taken.result()
        del taken
        gc.collect()

        assert told(runtime) == [("future", "fail", "request-1")]

    def test_an_error_of_work_that_nobody_waits_for_is_handled_at_once(
        self, runtime: RecordingRuntime
    ) -> None:
        """The future may be kept for as long as one likes."""
        with WatchedExecutor(ThreadPoolExecutor(1)) as pool, work_context("request-1"):
            kept = [pool.spawn(fail), pool.spawn(int, "7")]
        cancelled = Future[int]()
        cancelled.cancel()

        assert told(runtime) == [("future", "fail", "request-1")]
        assert kept[1].result() == 7

    def test_an_error_in_what_is_mapped_comes_up_where_one_iterates(
        self, runtime: RecordingRuntime
    ) -> None:
        """It is the caller's."""
        with (
            WatchedExecutor(ThreadPoolExecutor(1)) as pool,
            pytest.raises(ValueError, match="seven"),
        ):
            list(pool.map(int, ["seven"]))
        gc.collect()

        assert runtime.recorded.records == []

    def test_what_is_cancelled_with_the_pool_is_no_error(self, runtime: RecordingRuntime) -> None:
        """Work that never began is not told of, spawned or not."""
        release = threading.Event()
        pool = WatchedExecutor(ThreadPoolExecutor(1))
        pool.submit(release.wait, 10)
        waiting = [pool.submit(fail), pool.spawn(fail)]
        pool.shutdown(wait=False, cancel_futures=True)
        release.set()
        pool.shutdown()

        assert all(future.cancelled() for future in waiting)
        assert runtime.recorded.records == []

    async def test_a_loop_takes_what_it_awaits(self, runtime: RecordingRuntime) -> None:
        """`run_in_executor` works, and its errors are the caller's."""
        loop = asyncio.get_running_loop()
        with WatchedExecutor(ThreadPoolExecutor(1)) as pool, pytest.raises(LookupError):
            await loop.run_in_executor(pool, fail)
        gc.collect()

        assert runtime.recorded.records == []

    def test_a_pool_of_processes_gets_the_id_of_the_work(self, runtime: RecordingRuntime) -> None:
        """Variables do not travel that far; lost workers are told of once."""
        with WatchedExecutor(ProcessPoolExecutor(1)) as pool, work_context("request-1"):
            trace_id = pool.submit(current_trace_id).result()
            mapped = list(pool.map(abs, [-1, -2], chunksize=2))
            pool.submit(int, "seven")
        with WatchedExecutor(ProcessPoolExecutor(1)) as pool, work_context("request-2"):
            lost = [pool.submit(os._exit, 1) for _ in range(3)]
        del lost
        gc.collect()

        assert trace_id == "request-1"
        assert mapped == [1, 2]
        assert told(runtime)[0] == ("future", "int", "request-1")
        assert [record.classification.code for record in runtime.recorded.records[1:]] == [
            "PROCESS_CRASHED"
        ]

    def test_an_executor_of_somebodys_own_needs_no_context(self, runtime: RecordingRuntime) -> None:
        """Whatever it does with the work, the error is told of."""

        class Inline(Executor):
            """Does the work at once."""

            def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
                """Do it."""
                future = Future[T]()
                try:
                    future.set_result(fn(*args, **kwargs))
                except LookupError as error:
                    future.set_exception(error)
                return future

        with work_context("request-1"):
            WatchedExecutor(Inline()).submit(fail)
        gc.collect()

        assert told(runtime) == [("future", "fail", "request-1")]


@settings(max_examples=40)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=12))
def test_every_error_is_either_taken_or_handled(work: list[tuple[bool, bool]]) -> None:
    """Whatever fails in a pool, and whatever is looked at: nothing is lost, nothing counts twice."""
    runtime = RecordingRuntime(Settings(reporters=(), hooks=NO_HOOKS))
    runtime.install()
    try:
        with WatchedExecutor(ThreadPoolExecutor(2)) as pool:
            done = [pool.submit(int, "x" if fails else "7") for fails, _ in work]
        for number, (_, looked_at) in enumerate(work):
            if looked_at:
                done[number].exception()
        done.clear()
    finally:
        runtime.uninstall()

    assert len(runtime.recorded.records) == sum(fails and not seen for fails, seen in work)


def test_a_future_is_told_of_when_the_process_ends() -> None:
    """Even when the runtime was installed before, and its reporters are closed already."""
    program = """
import concurrent.futures
from holdfast import Runtime, Settings, watch_future

class Printer:
    name = "printer"
    def report(self, event):
        print(event.record.origin.boundary, event.record.message)

kept = concurrent.futures.Future()
kept.set_exception(LookupError("no row"))
if {early}:
    watch_future(kept)
Runtime(Settings(reporters=()), reporters=[Printer()]).install()
watch_future(kept)
"""
    for early in (True, False):
        done = subprocess.run(
            [sys.executable, "-c", program.format(early=early)],
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
        assert done.stdout == "future no row\n"
        assert done.stderr == ""


@pytest.mark.parametrize(("of_reporter", "told"), [(False, 2), (True, 1)])
def test_a_future_that_is_freed_in_the_middle_of_a_report_is_told_unless_it_is_the_reporters(
    *, of_reporter: bool, told: int
) -> None:
    """The collector runs on any thread; but what a reporter causes is not reported, for ever."""
    held: list[Future[int]] = []

    def failed() -> None:
        future = Future[int]()
        held.append(watch_future(future))
        future.set_exception(LookupError("no row"))

    class Collecting:
        name = "collecting"

        def __init__(self) -> None:
            self.messages: list[str] = []

        def report(self, event: Event) -> None:
            """Free what nobody holds."""
            assert isinstance(event, ErrorHandled)
            self.messages.append(event.record.message)
            if of_reporter:
                failed()
            held.clear()

    reporter = Collecting()
    runtime = Runtime(Settings(reporters=(), hooks=NO_HOOKS), reporters=[reporter]).install()
    if not of_reporter:
        failed()

    runtime.handle(KeyError("sku"), Origin(boundary="test"))
    assert runtime.flush()
    assert runtime.flush()  # what came up in the middle of the first report

    assert len(reporter.messages) == told
    assert runtime.dispatcher.deliveries()[0].dropped == 2 - told
    runtime.uninstall()
    runtime.close()
