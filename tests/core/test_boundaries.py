"""Boundaries for code of one's own, in `def` and `async def` alike."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import NoReturn, TypeAlias, TypeVar

import pytest

from holdfast import boundaries
from holdfast.boundaries import (
    BoundaryState,
    Transaction,
    error_boundary,
    handle_errors,
    transaction_boundary,
)
from holdfast.codes import ErrorCode
from holdfast.envelope import render
from holdfast.environment import activated
from holdfast.errors import AppError, ResourceNotFoundError, ValidationError
from holdfast.testing import RecordingRuntime

SECRET = "words of a stranger"

State = TypeVar("State")
Work: TypeAlias = Callable[[], object]


def fails(error: BaseException) -> Work:
    """Return work that raises an error."""

    def work() -> NoReturn:
        raise error

    return work


class Mode:
    """Runs work in a plain function or in a coroutine, so that each test shows both."""

    def __init__(self, *, asynchronous: bool) -> None:
        self.asynchronous = asynchronous

    def within(self, boundary: AbstractContextManager[State], work: Work) -> State:
        """Run work in a block, and return what the block was given."""
        if not self.asynchronous:
            with boundary as state:
                work()
            return state

        async def block() -> State:
            with boundary as state:
                await asyncio.sleep(0)  # noqa: TID251  # a switch of tasks, not a wait
                work()
            return state

        return asyncio.run(block())

    def decorated(
        self, decorate: Callable[[Callable[[], object]], Callable[[], object]], work: Work
    ) -> object:
        """Run work in a decorated function, and return its result."""
        if not self.asynchronous:
            return decorate(work)()

        async def function() -> object:
            await asyncio.sleep(0)  # noqa: TID251  # a switch of tasks, not a wait
            return work()

        guarded = decorate(function)
        assert inspect.iscoroutinefunction(guarded)
        return asyncio.run(guarded())


@contextmanager
def noting(
    boundary: AbstractContextManager[State], noted: list[State]
) -> Generator[State, None, None]:
    """Enter a boundary and keep what it yields."""
    with boundary as state:
        noted.append(state)
        yield state


@pytest.fixture(params=[False, True], ids=["def", "async def"])
def mode(request: pytest.FixtureRequest) -> Mode:
    """Run the test in both kinds of functions."""
    return Mode(asynchronous=bool(request.param))


@pytest.fixture
def runtime() -> Iterator[RecordingRuntime]:
    """Make a runtime of the test's own the current one."""
    made = RecordingRuntime()
    with activated(made):
        yield made


def test_a_block_that_succeeds_goes_on(mode: Mode, runtime: RecordingRuntime) -> None:
    """A boundary around work that succeeds does nothing."""
    done: list[int] = []

    state = mode.within(error_boundary("import"), lambda: done.append(1))

    assert done == [1]
    assert (state.name, state.error) == ("import", None)
    assert runtime.recorded.events == []


def test_an_app_error_passes_a_boundary_untouched(mode: Mode) -> None:
    """An error raised on purpose is the very object that comes out."""
    error = ResourceNotFoundError("no order 7")

    with pytest.raises(ResourceNotFoundError) as caught:
        mode.within(error_boundary("import"), fails(error))

    assert caught.value is error
    assert error.details == {}
    assert error.__cause__ is None


def test_a_stranger_leaves_a_boundary_as_an_app_error(mode: Mode) -> None:
    """Anything else comes out with the boundary's code, the stranger as cause, and its name."""
    stranger = ValueError(SECRET)

    with pytest.raises(AppError) as caught:
        mode.within(
            error_boundary("import", error_code=ErrorCode.VALIDATION_FAILED), fails(stranger)
        )

    assert type(caught.value) is AppError
    assert caught.value.code == ErrorCode.VALIDATION_FAILED
    assert caught.value.details == {"boundary": "import"}
    assert caught.value.__cause__ is stranger


def test_without_a_code_a_stranger_is_an_internal_error(mode: Mode) -> None:
    """The code of a stranger that leaves a boundary is INTERNAL_ERROR unless another is named."""
    with pytest.raises(AppError) as caught:
        mode.within(error_boundary("import"), fails(KeyError("k")))

    assert caught.value.code == ErrorCode.INTERNAL_ERROR


@pytest.mark.parametrize("code", [ErrorCode.VALIDATION_FAILED, ErrorCode.INTERNAL_ERROR])
def test_a_strangers_text_never_becomes_a_callers_message(
    mode: Mode, runtime: RecordingRuntime, code: ErrorCode
) -> None:
    """Also under a code that is the caller's fault, a stranger's words stay inside."""
    state = mode.within(
        error_boundary("import", error_code=code, reraise=False), fails(ValueError(SECRET))
    )
    (record,) = runtime.recorded.records

    assert state.error is not None
    answer = runtime.handle(state.error, record.origin).answer
    assert answer is not None
    assert SECRET not in render(answer).body.decode()
    assert SECRET in record.causes[0].message


@pytest.mark.parametrize("error", [ValueError("x"), ResourceNotFoundError("x")])
def test_a_boundary_reports_nothing_itself(
    mode: Mode, runtime: RecordingRuntime, error: Exception
) -> None:
    """An error that leaves a boundary is handled by whoever answers for it, not by the boundary."""
    with pytest.raises(AppError):
        mode.within(error_boundary("import"), fails(error))

    assert runtime.recorded.events == []


@pytest.mark.parametrize("error", [ValueError("x"), ResourceNotFoundError("x")])
def test_a_boundary_that_keeps_an_error_hands_it_over_and_goes_on(
    mode: Mode, runtime: RecordingRuntime, error: Exception
) -> None:
    """With reraise=False the current runtime handles the error, and the block's state has it."""
    state = mode.within(error_boundary("import", reraise=False), fails(error))
    (record,) = runtime.recorded.records

    assert isinstance(state, BoundaryState)
    assert isinstance(state.error, AppError)
    behind = state.error.__cause__
    assert (state.error is error) if behind is None else (behind is error)
    assert isinstance(error, AppError) is (behind is None)
    assert (record.origin.boundary, record.origin.operation) == ("block", "import")
    assert record.frames[-1].function == "fails.<locals>.work"


def test_boundaries_nest(mode: Mode) -> None:
    """The innermost boundary that meets a stranger names it; the outer ones let it pass."""

    def inner() -> None:
        mode_inner = Mode(asynchronous=False)
        mode_inner.within(error_boundary("inner"), fails(KeyError("k")))

    with pytest.raises(AppError) as caught:
        mode.within(error_boundary("outer"), inner)

    assert caught.value.details == {"boundary": "inner"}


CONTROL_FLOW = [KeyboardInterrupt(), SystemExit(3), GeneratorExit(), asyncio.CancelledError()]


@pytest.mark.parametrize("error", CONTROL_FLOW, ids=lambda e: type(e).__name__)
def test_control_flow_passes_a_boundary(runtime: RecordingRuntime, error: BaseException) -> None:
    """What is no error comes out as it is, also where errors are kept."""
    with pytest.raises(type(error)) as caught, error_boundary("import", reraise=False):
        raise error

    assert caught.value is error
    assert runtime.recorded.events == []


def test_a_stopped_iteration_is_a_stranger(mode: Mode) -> None:
    """A `StopIteration` that leaves a block is no end of a loop, but an error like another."""
    with pytest.raises(AppError) as caught:
        mode.within(error_boundary("import"), lambda: next(iter(())))

    assert isinstance(caught.value.__cause__, StopIteration)


def test_a_transaction_that_succeeds_is_committed(mode: Mode) -> None:
    """The status goes from active to committed, and nothing is called back."""
    called: list[BaseException] = []
    seen: list[str] = []
    boundary = transaction_boundary("booking", on_error_callback=called.append)

    tx = mode.within(boundary, lambda: seen.append("worked"))

    assert (tx["status"], called, seen) == ("committed", [], ["worked"])


def test_a_transaction_has_an_id_data_and_a_status() -> None:
    """Each transaction has an id of its own, room for progress, and is active in its block."""
    with transaction_boundary("a") as one, transaction_boundary("b") as other:
        one["data"]["progress"] = 50
        assert one["status"] == "active"

    assert len({one["id"], other["id"]}) == 2
    assert len(one["id"]) == 32
    assert (one["data"], other["data"]) == ({"progress": 50}, {})


@pytest.mark.parametrize("error", [ValueError("x"), ValidationError("x")])
def test_a_transaction_that_fails_calls_back_once_and_raises(mode: Mode, error: Exception) -> None:
    """The very error is passed to the callback and comes out."""
    called: list[BaseException] = []
    boundary = transaction_boundary("booking", on_error_callback=called.append)
    state: list[Transaction] = []

    with pytest.raises(type(error)) as caught:
        mode.within(noting(boundary, state), fails(error))

    assert caught.value is error
    assert called == [error]
    assert state[0]["status"] == "rolled_back"


def test_a_callback_sees_that_it_is_rolled_back() -> None:
    """While the callback runs the status says what happens."""
    seen: list[str] = []

    with (
        pytest.raises(ValueError, match="x"),
        transaction_boundary("b", on_error_callback=lambda _: seen.append(tx["status"])) as tx,
    ):
        raise ValueError("x")

    assert seen == ["rolled_back"]


class Silent(Exception):
    """An error that cannot say itself."""

    def __str__(self) -> str:
        """Fail."""
        raise RuntimeError


@pytest.mark.parametrize(
    ("failure", "note"),
    [
        (OSError("disk"), "rollback of 'booking' failed: OSError: disk"),
        (
            Silent(),
            "rollback of 'booking' failed: Silent: <no text: str() raised RuntimeError>",
        ),
    ],
)
def test_a_callback_that_fails_is_noted_on_the_original(
    mode: Mode, failure: Exception, note: str
) -> None:
    """What the callback raises does not hide the error; the error says that undoing failed."""

    def undo(_: BaseException) -> None:
        raise failure

    with pytest.raises(KeyError) as caught:
        mode.within(
            transaction_boundary("booking", on_error_callback=undo), fails(KeyError("original"))
        )

    assert caught.value.__notes__ == [note]


@pytest.mark.parametrize("callback", [None, repr])
def test_a_callback_that_succeeds_leaves_no_note(
    mode: Mode, callback: Callable[[BaseException], object] | None
) -> None:
    """Undone, or with nothing to undo, the error comes out as it was raised."""
    with pytest.raises(KeyError) as caught:
        mode.within(
            transaction_boundary("booking", on_error_callback=callback), fails(KeyError("k"))
        )

    assert not hasattr(caught.value, "__notes__")


def test_a_callback_that_would_have_to_be_awaited_is_noted(mode: Mode) -> None:
    """A coroutine function as callback undoes nothing, and the error says so."""

    async def undo(_: BaseException) -> None:
        raise AssertionError("never runs")

    with pytest.raises(KeyError) as caught:
        mode.within(transaction_boundary("booking", on_error_callback=undo), fails(KeyError("k")))

    (note,) = caught.value.__notes__
    assert "must not be a coroutine function" in note


@pytest.mark.parametrize("error", CONTROL_FLOW, ids=lambda e: type(e).__name__)
def test_a_transaction_is_undone_on_control_flow(error: BaseException) -> None:
    """Exits and cancellations undo the work as errors do, and go on."""
    called: list[BaseException] = []

    with (
        pytest.raises(type(error)) as caught,
        transaction_boundary("booking", on_error_callback=called.append),
    ):
        raise error

    assert caught.value is error
    assert called == [error]


async def test_a_cancelled_task_undoes_its_transaction() -> None:
    """A task that is cancelled while it waits inside the block calls back and stays cancelled."""
    called: list[BaseException] = []
    entered = asyncio.Event()

    async def work() -> None:
        with transaction_boundary("booking", on_error_callback=called.append):
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.ensure_future(work())
    await asyncio.wait_for(entered.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert [type(error) for error in called] == [asyncio.CancelledError]
    assert task.cancelled()


def test_a_decorated_function_returns_what_it_returns(mode: Mode) -> None:
    """A function that succeeds is not changed by its decorator."""
    assert mode.decorated(handle_errors(), lambda: 7) == 7


def test_an_app_error_passes_a_decorator_untouched(mode: Mode) -> None:
    """An error raised on purpose is the very object that comes out."""
    error = ResourceNotFoundError("no order 7")

    with pytest.raises(ResourceNotFoundError) as caught:
        mode.decorated(handle_errors(error_code=ErrorCode.VALIDATION_FAILED), fails(error))

    assert caught.value is error


def test_a_stranger_leaves_a_decorated_function_as_an_app_error(mode: Mode) -> None:
    """Anything else comes out with the decorator's code and the stranger as cause."""
    stranger = ValueError(SECRET)

    with pytest.raises(AppError) as caught:
        mode.decorated(handle_errors(error_code=ErrorCode.VALIDATION_FAILED), fails(stranger))

    assert caught.value.code == ErrorCode.VALIDATION_FAILED
    assert caught.value.__cause__ is stranger
    assert caught.value.details == {}
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), SystemExit(3), GeneratorExit()], ids=lambda e: type(e).__name__
)
def test_control_flow_passes_a_decorator(error: BaseException) -> None:
    """What is no error comes out of a decorated function as it is."""
    with pytest.raises(type(error)) as caught:
        handle_errors()(fails(error))()

    assert caught.value is error


async def test_a_cancellation_passes_a_decorator() -> None:
    """A decorated coroutine can be cancelled."""
    entered = asyncio.Event()

    @handle_errors()
    async def waits() -> None:
        entered.set()
        await asyncio.Event().wait()

    task = asyncio.ensure_future(waits())
    await asyncio.wait_for(entered.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_decorated_function_is_still_known() -> None:
    """Name, docstring, signature, and being a coroutine function or not, stay."""

    @handle_errors()
    def plain(a: int, *, b: str = "x") -> str:
        """Do something."""
        return b * a

    @handle_errors()
    async def coroutine(a: int) -> int:
        """Do something later."""
        return a

    assert (plain.__name__, plain.__doc__) == ("plain", "Do something.")
    assert str(inspect.signature(plain)) == "(a: int, *, b: str = 'x') -> str"
    assert not inspect.iscoroutinefunction(plain)
    assert plain(2, b="y") == "yy"
    assert (coroutine.__name__, coroutine.__doc__) == ("coroutine", "Do something later.")
    assert inspect.iscoroutinefunction(coroutine)
    assert asyncio.run(coroutine(3)) == 3


def test_a_decorated_method_gets_its_object() -> None:
    """Methods can be decorated like functions."""

    class Shop:
        stock = 3

        @handle_errors()
        def left(self, taken: int) -> int:
            return self.stock - taken

    assert Shop().left(1) == 2


def test_of_a_generator_only_the_call_is_guarded() -> None:
    """What is raised while a generator is iterated over comes out as it is."""

    @handle_errors()
    def numbers() -> Iterator[int]:
        yield 1
        raise KeyError("k")

    @handle_errors()
    async def letters() -> AsyncIterator[str]:
        yield "a"
        raise KeyError("k")

    async def read() -> None:
        async for _ in letters():
            pass

    with pytest.raises(KeyError):
        list(numbers())
    with pytest.raises(KeyError):
        asyncio.run(read())


def test_a_decorator_without_its_call_is_told_at_once() -> None:
    """Forgetting the parentheses fails where the function is defined, not when it is called."""
    with pytest.raises(TypeError):
        handle_errors(lambda: 1)  # type: ignore[call-arg, arg-type]  # pyright: ignore[reportCallIssue]


def test_the_longer_name_is_the_same_decorator() -> None:
    """`enhanced_error_handling` is `handle_errors`."""
    assert boundaries.enhanced_error_handling is handle_errors
