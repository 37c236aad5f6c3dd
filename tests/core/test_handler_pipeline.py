"""Middlewares of both kinds, around each other, on threads and on event loops."""

import asyncio
import threading
from collections.abc import Callable
from typing import NoReturn, TypeAlias

import pytest

from holdfast.codes import Severity
from holdfast.context import bind, work_context
from holdfast.errors import AppError, DatabaseError
from holdfast.handler import Action, AsyncNext, ErrorHandler, Next, Verdict, pipeline
from holdfast.origin import ErrorContext, Origin
from holdfast.record import ErrorHandled
from holdfast.testing import RecordingRuntime

HERE = Origin(boundary="test", operation="READ")
Handle: TypeAlias = Callable[[BaseException], Verdict]


@pytest.fixture
def runtime() -> RecordingRuntime:
    """Return a fresh runtime."""
    return RecordingRuntime()


@pytest.fixture(params=["sync", "async", "within a loop"])
def handle(request: pytest.FixtureRequest, runtime: RecordingRuntime) -> Handle:
    """Return what hands an error over."""

    async def within(error: BaseException) -> Verdict:
        return runtime.handle(error, HERE)

    ways: dict[str, Handle] = {
        "sync": lambda error: runtime.handle(error, HERE),
        "async": lambda error: asyncio.run(runtime.ahandle(error, HERE)),
        "within a loop": lambda error: asyncio.run(within(error)),
    }
    return ways[request.param]


def plain(error: BaseException, context: ErrorContext, following: Next) -> Verdict:
    """Enrich, and bind a field."""
    with bind(plain=1):
        return following(error, context.enriched(plain="yes"))


async def coroutine(error: BaseException, context: ErrorContext, following: AsyncNext) -> Verdict:
    """Do the same as a coroutine."""
    with bind(coroutine=2):
        return await following(error, context.enriched(coroutine="yes"))


@pytest.mark.parametrize("order", [(plain, coroutine), (coroutine, plain)], ids=["outer", "inner"])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_both_kinds_stand_around_each_other(
    runtime: RecordingRuntime,
    handle: Handle,
    order: tuple[Callable[..., object], ...],
    *,
    asynchronous: bool,
) -> None:
    """Whatever the order and the way of handling, all take part, and a handler sees what they did."""
    seen: list[ErrorContext] = []

    def answers(error: BaseException, context: ErrorContext, _: object) -> str:
        seen.append(context)
        return "value"

    async def answers_later(error: BaseException, context: ErrorContext, _: object) -> str:
        return answers(error, context, _)

    for step in order:
        runtime.handler.add_middleware(step)  # type: ignore[arg-type]  # of either kind
    runtime.on(KeyError, answers_later if asynchronous else answers)

    with work_context("req-1"):
        verdict = handle(KeyError("sku"))

    assert verdict.record is not None
    assert verdict.value == "value"
    assert verdict.record.origin.attributes == {"plain": "yes", "coroutine": "yes"}
    assert verdict.record.fields == {"plain": 1, "coroutine": 2}
    assert dict(seen[0].fields) == {"plain": 1, "coroutine": 2}
    assert verdict.record.trace_id == "req-1"
    assert len(runtime.recorded.records) == 1


def test_a_sample_stands_for_what_is_not_reported(
    runtime: RecordingRuntime, handle: Handle
) -> None:
    """Left out of the reports, an error is answered as ever, marked, and counted by a quiet event."""

    @runtime.add_middleware
    def samples(error: BaseException, context: ErrorContext, following: Next) -> Verdict:
        return following(error, context.unreported())

    error = DatabaseError("down")
    verdict = handle(error)

    (event,) = runtime.recorded.events
    assert verdict.answer is not None
    assert verdict.answer.status == 500
    assert not isinstance(event, ErrorHandled)
    assert (event.name, event.severity) == ("error.unreported", Severity.DEBUG)
    assert event.attributes["code"] == "DATABASE_ERROR"
    assert handle(error) is verdict


def test_an_error_is_ignored_by_a_verdict_of_ones_own(
    runtime: RecordingRuntime, handle: Handle
) -> None:
    """Nothing is recorded of what a middleware decides by itself."""

    @runtime.add_middleware
    async def ignores(error: BaseException, _: ErrorContext, __: AsyncNext) -> Verdict:
        return Verdict(action=Action.PROPAGATE)

    assert handle(KeyError("sku")).action is Action.PROPAGATE
    assert runtime.recorded.events == []


def test_a_middleware_replaces_the_error(runtime: RecordingRuntime, handle: Handle) -> None:
    """What it goes on with is what is classified, routed and recorded."""
    runtime.on(DatabaseError, lambda _, __, ___: "routed")

    @runtime.add_middleware
    async def replaces(
        error: BaseException, context: ErrorContext, following: AsyncNext
    ) -> Verdict:
        return await following(DatabaseError("instead"), context)

    error = KeyError("sku")
    verdict = handle(error)

    assert verdict.value == "routed"
    assert [record.message for record in runtime.recorded.records] == ["instead"]
    assert handle(error) is verdict


@pytest.mark.parametrize("given", [KeyboardInterrupt(), SystemExit(1), asyncio.CancelledError()])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_no_middleware_makes_control_flow_of_an_error(
    runtime: RecordingRuntime,
    handle: Handle,
    capsys: pytest.CaptureFixture[str],
    given: BaseException,
    *,
    asynchronous: bool,
) -> None:
    """It is passed over, standard error says so, and the error at hand is decided about."""

    def plain(error: BaseException, context: ErrorContext, following: Next) -> Verdict:
        return following(given, context)

    async def coroutine(
        error: BaseException, context: ErrorContext, following: AsyncNext
    ) -> Verdict:
        return await following(given, context)

    runtime.add_middleware(coroutine if asynchronous else plain)

    verdict = handle(KeyError("sku"))

    assert verdict.action is Action.RESPOND
    assert [record.type for record in runtime.recorded.records] == ["KeyError"]
    assert "raised TypeError" in capsys.readouterr().err


async def breaks(error: BaseException, _: ErrorContext, __: AsyncNext) -> NoReturn:
    """Fail before."""
    raise OSError("broken")


async def breaks_after(
    error: BaseException, context: ErrorContext, following: AsyncNext
) -> NoReturn:
    """Fail after."""
    await following(error, context)
    raise OSError("broken")


async def forgets(error: BaseException, context: ErrorContext, following: AsyncNext) -> None:
    """Return nothing."""
    await following(error, context)


@pytest.mark.parametrize("step", [breaks, breaks_after, forgets])
def test_a_coroutine_that_fails_is_passed_over(
    runtime: RecordingRuntime,
    handle: Handle,
    step: Callable[..., object],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As a plain one is: the error is recorded once and answered."""
    runtime.handler.add_middleware(step)  # type: ignore[arg-type]  # what is wrong with it is the point

    verdict = handle(KeyError("sku"))

    assert verdict.action is Action.RESPOND
    assert len(runtime.recorded.records) == 1
    assert step.__name__ in capsys.readouterr().err


def test_a_coroutine_that_hangs_is_not_waited_for_for_ever(
    runtime: RecordingRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`handle` is bounded in time: the error is recorded and answered without the rest."""
    monkeypatch.setattr(pipeline, "PATIENCE", 0.05)

    @runtime.add_middleware
    async def hangs(error: BaseException, _: ErrorContext, __: AsyncNext) -> Verdict:
        await asyncio.Event().wait()
        raise AssertionError

    verdict = runtime.handle(KeyError("sku"), HERE)

    assert verdict.action is Action.RESPOND
    assert len(runtime.recorded.records) == 1


@pytest.mark.parametrize("exit_", [KeyboardInterrupt, SystemExit])
def test_an_interrupted_middleware_hides_no_error(
    runtime: RecordingRuntime, handle: Handle, exit_: type[BaseException]
) -> None:
    """An exit goes through, and the error was recorded before."""

    @runtime.add_middleware
    def interrupted(error: BaseException, _: ErrorContext, __: Next) -> Verdict:
        raise exit_

    with pytest.raises(exit_):
        handle(KeyError("sku"))

    assert len(runtime.recorded.records) == 1


def test_a_plain_step_around_a_coroutine_leaves_the_loop_to_others(
    runtime: RecordingRuntime,
) -> None:
    """In `ahandle` it runs on a thread: what it waits for may be done by another task meanwhile."""
    released, threads = threading.Event(), list[int]()

    @runtime.add_middleware
    def waits(error: BaseException, context: ErrorContext, following: Next) -> Verdict:
        threads.append(threading.get_ident())
        assert released.wait(20)
        return following(error, context)

    runtime.handler.add_middleware(coroutine)

    async def main() -> Verdict:
        handling = asyncio.ensure_future(runtime.ahandle(KeyError("sku"), HERE))
        asyncio.get_running_loop().call_soon(released.set)
        return await handling

    verdict = asyncio.run(main())

    assert verdict.record is not None
    assert threads != [threading.get_ident()]
    assert verdict.record.origin.attributes == {"coroutine": "yes"}


def test_without_anything_to_await_ahandle_is_handle(runtime: RecordingRuntime) -> None:
    """Plain user code runs on the loop's own thread, as in `handle`."""
    threads: list[int] = []

    @runtime.add_middleware
    def notes(error: BaseException, context: ErrorContext, following: Next) -> Verdict:
        threads.append(threading.get_ident())
        return following(error, context)

    asyncio.run(runtime.ahandle(KeyError("sku"), HERE))

    assert threads == [threading.get_ident()]
    assert not runtime.handler.asynchronous


def test_what_user_code_logs_while_it_runs_is_no_further_error(
    runtime: RecordingRuntime,
) -> None:
    """The loop's other tasks are not taken for it: what they log is theirs."""
    from holdfast.handler import handling  # noqa: PLC0415  # looked at where it counts

    busy: list[bool] = []

    async def main() -> None:
        going = asyncio.Event()

        @runtime.on(KeyError)
        async def waits(*_: object) -> None:
            busy.append(handling.busy)
            await going.wait()
            busy.append(handling.busy)

        task = asyncio.ensure_future(runtime.ahandle(KeyError("sku"), HERE))
        for _ in range(3):
            await asyncio.wait([asyncio.ensure_future(asyncio.to_thread(int))])
        busy.append(handling.busy)
        going.set()
        await task
        busy.append(handling.busy)

    asyncio.run(main())

    assert busy == [True, False, True, False]


def test_an_object_with_a_coroutine_for_its_call_is_a_coroutine(runtime: RecordingRuntime) -> None:
    """Not functions alone are told apart."""

    class Enriching:
        """A middleware with state."""

        async def __call__(
            self, error: BaseException, context: ErrorContext, following: AsyncNext
        ) -> Verdict:
            """Enrich."""
            return await following(error, context.enriched(by="object"))

    runtime.handler.add_middleware(Enriching())

    record = runtime.handle(AppError("x"), HERE).record

    assert runtime.handler.asynchronous
    assert record is not None
    assert record.origin.attributes == {"by": "object"}
    assert isinstance(runtime.handler, ErrorHandler)


def test_plain_steps_around_a_coroutine_do_not_wait_for_each_others_threads(
    runtime: RecordingRuntime,
) -> None:
    """However many errors there are at once: none waits for a thread that another one holds."""
    runtime.handler.add_middleware(plain)
    runtime.handler.add_middleware(plain)

    @runtime.on(KeyError)
    async def answers(*_: object) -> object:
        return await asyncio.to_thread(lambda: "value")

    async def main() -> list[Verdict]:
        errors = [KeyError(number) for number in range(40)]
        going = asyncio.gather(*(runtime.ahandle(error, HERE) for error in errors))
        return await asyncio.wait_for(going, 20)

    verdicts = asyncio.run(main())

    assert {verdict.value for verdict in verdicts} == {"value"}


def test_what_a_plain_step_waits_for_ends_with_a_cancellation(runtime: RecordingRuntime) -> None:
    """The error is recorded once, as one that nobody went on from, and no thread is left."""
    threads: list[threading.Thread] = []

    @runtime.add_middleware
    def waits(error: BaseException, context: ErrorContext, following: Next) -> Verdict:
        threads.append(threading.current_thread())
        return following(error, context)

    async def main() -> None:
        reached = asyncio.Event()

        @runtime.on(KeyError)
        async def hangs(*_: object) -> None:
            reached.set()
            await asyncio.Event().wait()

        task = asyncio.ensure_future(runtime.ahandle(KeyError("sku"), HERE))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(threads[0].join, 10)
        assert not threads[0].is_alive()  # while the loop goes on

    asyncio.run(main())

    assert [record.recovered for record in runtime.recorded.records] == [False]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_middleware_that_met_a_cancelled_task_is_passed_over(
    runtime: RecordingRuntime, handle: Handle, *, asynchronous: bool
) -> None:
    """Nobody cancels the work at hand: it is a failure like any other."""

    def meets(error: BaseException, _: ErrorContext, __: Next) -> Verdict:
        raise asyncio.CancelledError

    async def meets_later(error: BaseException, _: ErrorContext, __: AsyncNext) -> Verdict:
        raise asyncio.CancelledError

    runtime.handler.add_middleware(meets_later if asynchronous else meets)

    assert handle(KeyError("sku")).action is Action.RESPOND
    assert len(runtime.recorded.records) == 1
