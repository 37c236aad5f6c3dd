"""What ends in a loop's exception handler is handled, once, and the handler before is called."""

import asyncio
import gc
import logging
import subprocess
import sys
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from contextvars import ContextVar
from functools import partial

import pytest

from holdfast import Settings, bind, watch_loop, work_context
from holdfast.hooks import loops
from holdfast.hooks.loops import Loops, name_of, unwatch_loop
from holdfast.settings import HooksSettings
from holdfast.testing import RecordingRuntime

Told = dict[str, object]
colour: ContextVar[str] = ContextVar("colour", default="none")


@pytest.fixture
def runtime() -> Generator[RecordingRuntime]:
    """Install a runtime that listens to loops and to logging."""
    hooks = HooksSettings(uncaught=False, processes=False)
    runtime = RecordingRuntime(Settings(reporters=(), hooks=hooks))
    runtime.install()
    yield runtime
    runtime.uninstall()


def run(main: Callable[[], Coroutine[object, object, None]], *, watched: bool = True) -> None:
    """Run a coroutine on a loop of its own."""

    def new_loop() -> asyncio.AbstractEventLoop:
        loop = asyncio.new_event_loop()
        return watch_loop(loop) if watched else loop

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())


async def turns(count: int = 3) -> None:
    """Let the loop do what is due."""
    loop = asyncio.get_running_loop()
    for _ in range(count):
        turned = loop.create_future()
        loop.call_soon(turned.set_result, None)
        await turned


async def fails(said: str = "no row") -> None:
    """Raise an error."""
    raise LookupError(said)


def told(runtime: RecordingRuntime) -> list[tuple[str, str, str]]:
    """Return where the errors came from, and of which work they were."""
    return [
        (record.origin.boundary, record.origin.operation, record.trace_id)
        for record in runtime.recorded.records
    ]


async def forget(work: Coroutine[object, object, None], name: str | None = None) -> None:
    """Run work in a task that nobody awaits, until it is gone."""
    task = asyncio.get_running_loop().create_task(work, name=name)
    await asyncio.wait([task])
    del task
    gc.collect()


def test_a_task_that_nobody_awaits_is_handled(runtime: RecordingRuntime) -> None:
    """The record names the coroutine, and has the id and the fields of the work it was begun in."""

    async def main() -> None:
        with work_context("request-1"), bind(order=7):
            task = asyncio.create_task(fails(), name="import-42")
        await asyncio.wait([task])
        del task
        gc.collect()

    run(main)

    (record,) = runtime.recorded.records
    assert told(runtime) == [("asyncio", "fails", "request-1")]
    assert dict(record.fields) == {"order": 7}
    assert record.origin.attributes == {"while": "task", "task": "import-N"}


def test_a_callback_that_raises_is_handled(runtime: RecordingRuntime) -> None:
    """The record names the function, without its arguments, and has the id of its work."""

    def call(secret: str) -> None:
        raise LookupError("no row")

    async def main() -> None:
        with work_context("request-1"):
            asyncio.get_running_loop().call_soon(partial(call, "hunter2"))
        await turns()

    run(main)

    (record,) = runtime.recorded.records
    assert record.trace_id == "request-1"
    assert record.origin.operation.endswith("call")
    assert "hunter2" not in str(record.origin)


def test_an_async_generator_that_is_closed_late_is_handled(runtime: RecordingRuntime) -> None:
    """The record names the generator."""

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await fails()

    held: list[object] = []

    async def main() -> None:
        unfinished = numbers()
        held.append(unfinished)
        await anext(unfinished)

    run(main)

    (record,) = runtime.recorded.records
    assert record.origin.boundary == "asyncio"
    assert record.origin.operation.endswith("numbers")


def test_a_plain_future_goes_by_its_class(runtime: RecordingRuntime) -> None:
    """It has neither a name nor a coroutine."""

    async def main() -> None:
        future = asyncio.get_running_loop().create_future()
        future.set_exception(LookupError("no row"))
        del future
        gc.collect()

    run(main)

    (record,) = runtime.recorded.records
    assert record.origin.operation.endswith("Future")
    assert record.origin.attributes == {"while": "future"}


def test_one_error_on_a_watched_loop_is_one_record_whoever_is_at_work(
    runtime: RecordingRuntime, caplog: pytest.LogCaptureFixture
) -> None:
    """asyncio logs it as before, perhaps within other work: the line adds nothing."""

    async def main() -> None:
        with work_context("request-1"):
            task = asyncio.create_task(fails())
        await asyncio.wait([task])
        with work_context("request-2"):
            del task
            gc.collect()

    run(main)

    assert told(runtime) == [("asyncio", "fails", "request-1")]
    assert [line.name for line in caplog.records] == ["asyncio"]
    assert caplog.records[0].getMessage().startswith("Task exception was never retrieved")


def test_an_error_of_the_handler_before_is_one_of_its_own(runtime: RecordingRuntime) -> None:
    """Only the line about the error that is passed on is passed over."""

    def handler(_: asyncio.AbstractEventLoop, told: Told) -> None:
        try:
            raise OSError("of the handler")
        except OSError:
            logging.getLogger("shop").exception("trouble")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(handler)
        watch_loop()
        await forget(fails())

    run(main, watched=False)

    assert [boundary for boundary, _, _ in told(runtime)] == ["asyncio", "log"]


def test_on_a_loop_that_is_not_watched_the_line_is_heard(runtime: RecordingRuntime) -> None:
    """asyncio logs the error, and the bridge hears that."""
    run(lambda: forget(fails()), watched=False)

    assert [(boundary, name) for boundary, name, _ in told(runtime)] == [("log", "asyncio")]


def test_the_handler_before_is_called_as_before(runtime: RecordingRuntime) -> None:
    """It gets the loop and all that is told, and is back in place afterwards."""
    heard: list[Told] = []

    def handler(loop: asyncio.AbstractEventLoop, told: Told) -> None:
        assert loop.is_running()
        heard.append(told)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(handler)
        watch_loop()
        loop.call_soon(int, "seven")
        loop.call_exception_handler({"message": "no exception"})
        await turns()
        unwatch_loop(loop)
        assert loop.get_exception_handler() is handler

    run(main, watched=False)

    assert heard[0]["message"] == "no exception"
    assert [type(told.get("exception")) for told in heard] == [type(None), ValueError]
    assert len(runtime.recorded.records) == 1


def test_a_handler_before_that_raises_is_treated_as_before(
    runtime: RecordingRuntime, caplog: pytest.LogCaptureFixture
) -> None:
    """The loop logs the handler's own error, which came up while the first was dealt with: one record."""

    def handler(_: asyncio.AbstractEventLoop, __: Told) -> None:
        raise OSError("of the handler")

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(handler)
        watch_loop()
        asyncio.get_running_loop().call_soon(int, "seven")
        await turns()

    run(main, watched=False)

    assert [line.getMessage().splitlines()[0] for line in caplog.records] == [
        "Unhandled error in exception handler"
    ]
    assert [boundary for boundary, _, _ in told(runtime)] == ["asyncio"]


def test_a_loop_is_watched_once(runtime: RecordingRuntime) -> None:
    """To ask again changes nothing."""
    loop = asyncio.new_event_loop()
    try:
        handler = watch_loop(loop).get_exception_handler()
        again = watch_loop(loop).get_exception_handler()
    finally:
        loop.close()

    assert handler is again


def test_a_handler_that_came_on_top_is_left_there(runtime: RecordingRuntime) -> None:
    """Unwatched below it, ours passes on and records nothing; watched again, it counts once."""
    heard: list[str] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, told: heard.append(str(told["message"])))
        ours = watch_loop().get_exception_handler()
        assert ours is not None

        def on_top(loop: asyncio.AbstractEventLoop, told: Told) -> None:
            ours(loop, told)

        loop.set_exception_handler(on_top)
        unwatch_loop(loop)
        assert loop.get_exception_handler() is on_top
        loop.call_soon(int, "one")
        await turns()
        assert runtime.recorded.records == []
        watch_loop()
        loop.call_soon(int, "two")
        await turns()

    run(main, watched=False)

    assert len(heard) == 2
    assert len(runtime.recorded.records) == 1


def test_uninstalling_forgets_every_loop(runtime: RecordingRuntime) -> None:
    """Loops that live on are as they were before they were watched."""
    watched = [watch_loop(asyncio.new_event_loop()) for _ in range(2)]

    runtime.uninstall()

    assert [loop.get_exception_handler() for loop in watched] == [None, None]
    for loop in watched:
        loop.close()


def test_a_runtime_that_is_installed_in_a_running_loop_watches_it() -> None:
    """Lazily: there is no other way, since policies are on their way out."""
    hooks = HooksSettings(uncaught=False, logging=False, processes=False)
    runtime = RecordingRuntime(Settings(reporters=(), hooks=hooks))

    async def main() -> None:
        runtime.install()
        await forget(fails())
        runtime.uninstall()
        await forget(fails())

    run(main, watched=False)

    assert told(runtime)[0][:2] == ("asyncio", "fails")
    assert len(runtime.recorded.records) == 1


def test_each_further_runtime_watches_the_loop_it_is_made_in(runtime: RecordingRuntime) -> None:
    """The hooks being there already does not keep the second loop from being watched."""
    other = RecordingRuntime(
        Settings(reporters=(), hooks=HooksSettings(uncaught=False, logging=False, processes=False))
    )

    async def main() -> None:
        other.attach()
        assert asyncio.get_running_loop().get_exception_handler() is not None
        other.uninstall()

    run(main, watched=False)


def test_a_setting_leaves_loops_alone() -> None:
    """Unless somebody asks for one by `watch_loop`."""
    hooks = HooksSettings(uncaught=False, logging=False, processes=False, asyncio=False)
    runtime = RecordingRuntime(Settings(reporters=(), hooks=hooks))

    async def main() -> None:
        runtime.install()
        assert asyncio.get_running_loop().get_exception_handler() is None
        runtime.uninstall()

    run(main, watched=False)


def test_without_a_runtime_a_watched_loop_passes_on(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody is told, and asyncio logs as ever."""
    run(lambda: forget(fails()))

    assert len(caplog.records) == 1


def test_control_flow_is_no_error(runtime: RecordingRuntime) -> None:
    """A cancellation that a handler is told of leaves no record."""

    async def main() -> None:
        asyncio.get_running_loop().call_exception_handler(
            {"message": "cancelled", "exception": asyncio.CancelledError()}
        )

    run(main)

    assert runtime.recorded.records == []


def test_nothing_of_a_task_or_a_loop_is_kept(runtime: RecordingRuntime) -> None:
    """Neither outlives its end on our account."""
    gone: list[weakref.ref[object]] = []

    async def main() -> None:
        gone.append(weakref.ref(asyncio.get_running_loop()))
        task = asyncio.create_task(fails())
        gone.append(weakref.ref(task))
        await asyncio.wait([task])

    logging.disable()  # lines that are captured for tests keep what they tell of
    try:
        run(main)
    finally:
        logging.disable(logging.NOTSET)
    gc.collect()

    assert len(runtime.recorded.records) == 1
    assert [reference() for reference in gone] == [None, None]


def test_what_a_loop_tells_may_be_strange(runtime: RecordingRuntime) -> None:
    """A loop of somebody else's may tell of anything; the error is recorded all the same."""

    class Strange:
        """Fails whatever it is asked."""

        def __getattr__(self, name: str) -> object:
            raise LookupError(name)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, __: None)
        watch_loop()
        loop.call_exception_handler(
            {"message": "odd", "exception": OSError("one"), "protocol": Strange()}
        )
        loop.call_exception_handler({"message": "odd", "exception": OSError("two")})
        loop.call_exception_handler({"message": "odd", "exception": "three"})

    run(main, watched=False)

    assert [record.message for record in runtime.recorded.records] == ["one", "two"]


def test_watching_needs_a_loop() -> None:
    """Outside of any the message says what to do."""
    with pytest.raises(RuntimeError, match="needs a loop, or to be called within a running one"):
        watch_loop()


def test_installing_loads_no_asyncio() -> None:
    """A process without a loop does not pay for one."""
    program = "import holdfast, sys; holdfast.configure(reporters=[]).install(); print('asyncio' in sys.modules)"

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
    )

    assert done.stdout.split() == ["False"]


def test_the_hook_may_be_put_in_place_without_a_loop() -> None:
    """Nothing happens outside of a loop."""
    hook = Loops()

    hook.install()
    hook.uninstall()

    assert not tuple(loops._handlers)


@pytest.mark.parametrize(
    ("thing", "name"),
    [(partial(partial(fails)), "fails"), (Loops(), "holdfast.hooks.loops.Loops"), (None, "")],
)
def test_names_of_work_have_no_values_in_them(thing: object, name: str) -> None:
    """A partial goes by its function, an object by its class."""
    assert name_of(thing) == name
