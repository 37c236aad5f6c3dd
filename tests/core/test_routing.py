"""Handlers by code, class and category: who is asked, in which order, and what becomes of the answer."""

import asyncio
import re
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, NoReturn, TypeAlias, TypeVar, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.classify import Classification, Rule
from holdfast.codes import CodeSpec, ErrorCode, ErrorCodes, ErrorKind, Severity
from holdfast.context import bind, current_context, work_context
from holdfast.errors import AppError, DatabaseError
from holdfast.events import Event
from holdfast.handler import Action, Recovered, Verdict
from holdfast.origin import ErrorContext, Origin
from holdfast.record import ErrorHandled
from holdfast.settings import SettingsError
from holdfast.starting import configure
from holdfast.testing import RecordingRuntime

HERE = Origin(boundary="test", operation="READ")
_T = TypeVar("_T")
Handle: TypeAlias = Callable[..., Verdict]


class StockCode(ErrorCodes):
    """Codes of the shop in these tests."""

    STOCK_GONE = CodeSpec(ErrorKind.CONFLICT, "Out of stock", category="STOCK")


class OutOfStock(AppError):
    """An error with classes above it."""

    def __init__(self, text: str = "") -> None:
        super().__init__(StockCode.STOCK_GONE, text)


@pytest.fixture
def runtime() -> RecordingRuntime:
    """Return a fresh runtime."""
    return RecordingRuntime()


@pytest.fixture(params=["sync", "async"])
def handle(request: pytest.FixtureRequest, runtime: RecordingRuntime) -> Handle:
    """Return what hands an error over, on a thread or on an event loop."""

    def sync(error: BaseException, origin: Origin = HERE) -> Verdict:
        return runtime.handle(error, origin)

    def on_loop(error: BaseException, origin: Origin = HERE) -> Verdict:
        return asyncio.run(runtime.ahandle(error, origin))

    return sync if request.param == "sync" else on_loop


async def turn() -> None:
    """Let other tasks have a turn."""
    waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(waiting.set_result, None)
    await waiting


def answering(
    value: object, *, asynchronous: bool
) -> Callable[[BaseException, ErrorContext, Classification], object]:
    """Return a handler that answers with a value."""

    def plain(error: BaseException, context: ErrorContext, said: Classification) -> object:
        return value

    async def coroutine(
        error: BaseException, context: ErrorContext, said: Classification
    ) -> object:
        await turn()
        return value

    return coroutine if asynchronous else plain


def noting(asked: list[_T], name: _T) -> Callable[..., None]:
    """Return a handler that notes that it was asked, and declines."""

    def handler(*_: object) -> None:
        asked.append(name)

    return handler


def named(runtime: RecordingRuntime, name: str) -> list[Event]:
    """Return the events of a name."""
    return [event for event in runtime.recorded.events if event.name == name]


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize(
    ("given", "value"), [(Recovered(None), None), (Recovered([1]), [1]), ([2], [2]), (False, False)]
)
def test_a_value_is_gone_on_with(
    runtime: RecordingRuntime, handle: Handle, given: object, value: object, *, asynchronous: bool
) -> None:
    """What a handler returns is the verdict's value, plain or as `Recovered`."""
    runtime.on(OutOfStock, answering(given, asynchronous=asynchronous))

    verdict = handle(OutOfStock("2 left"))

    assert (verdict.action, verdict.value) == (Action.RECOVERED, value)
    assert verdict.answer is not None


def test_a_recovered_error_is_told_as_such(runtime: RecordingRuntime, handle: Handle) -> None:
    """Record, event and log line say that the work went on; the event is a warning at most."""
    runtime.on(DatabaseError, answering("stale", asynchronous=False))

    record = handle(DatabaseError("down")).record
    (event,) = runtime.recorded.events

    assert record is not None
    assert (record.recovered, record.as_json()["recovered"]) == (True, True)
    assert (event.attributes["recovered"], event.severity) == (True, Severity.WARNING)
    assert record.classification.severity == Severity.ERROR


def test_an_error_nobody_recovers_from_does_not_say_so(
    runtime: RecordingRuntime, handle: Handle
) -> None:
    """The attribute is there for recovered errors alone."""
    runtime.on(DatabaseError, answering(None, asynchronous=True))

    verdict = handle(DatabaseError("down"))
    (event,) = runtime.recorded.events

    assert verdict.action is Action.RESPOND
    assert "recovered" not in event.attributes
    assert verdict.record is not None
    assert "recovered" not in verdict.record.as_json()


TARGETS: dict[str, type[BaseException] | ErrorCodes | str] = {
    "code": StockCode.STOCK_GONE,
    "code as text": "STOCK_GONE",
    "class": OutOfStock,
    "name of the class": f"{__name__}.OutOfStock",
    "class above": AppError,
    "name of a class above": "builtins.Exception",
    "name where a package shows it": "holdfast.AppError",
    "category": "STOCK",
}


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_each_kind_of_target_is_routed(
    runtime: RecordingRuntime, handle: Handle, target: type[BaseException] | ErrorCodes | str
) -> None:
    """Codes and classes route as they are and by their names, categories by theirs."""
    runtime.on(target, answering("found", asynchronous=False))

    assert handle(OutOfStock()).value == "found"
    assert handle(KeyError("other")).value == ("found" if target == "builtins.Exception" else None)


@pytest.mark.parametrize("setting", ["handlers", "recoveries"])
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("builtins.KeyEror", "did you mean 'KeyError'"),
        ("KeyError", "it needs its module: 'builtins.KeyError'"),
    ],
)
def test_a_class_that_does_not_exist_is_a_mistake_in_the_settings(
    setting: str, name: str, said: str
) -> None:
    """A handler that nothing would ever reach is told when the settings are read."""
    action = "builtins:print"

    with pytest.raises(SettingsError, match=re.escape(said)):
        configure(
            reporters=[],
            **{setting: {name: action if setting == "handlers" else {"action": action}}},
        )


@given(order=st.permutations(sorted(TARGETS)))
def test_the_order_is_code_then_classes_then_category(order: list[str]) -> None:
    """Most specific first, whatever the order of registration was; each handler is asked once."""
    runtime, asked = RecordingRuntime(), list[str]()
    for name in order:
        runtime.on(TARGETS[name], noting(asked, name))

    runtime.handle(OutOfStock(), HERE)

    ranks = [0, 0, 1, 1, 2, 3, 2, 4]
    assert [ranks[list(TARGETS).index(name)] for name in asked] == sorted(ranks)
    for same in ({"code", "code as text"}, {"class", "name of the class"}):
        assert [n for n in asked if n in same] == [n for n in order if n in same]


def test_a_handler_of_several_targets_is_asked_once(runtime: RecordingRuntime) -> None:
    """Registered for the code and the category of one error, it declines once."""
    asked: list[BaseException] = []

    def declines(error: BaseException, *_: object) -> None:
        asked.append(error)

    for target in ("STOCK_GONE", OutOfStock, "STOCK"):
        runtime.on(target, declines)

    runtime.handle(OutOfStock(), HERE)

    assert len(asked) == 1


def test_what_is_no_target_is_refused(runtime: RecordingRuntime) -> None:
    """A mistake is told where it is made."""
    for wrong in (int, 7, "", None):
        with pytest.raises(TypeError, match="routed by a class"):
            runtime.on(cast("str", wrong), print)


def test_a_decorator_registers(runtime: RecordingRuntime) -> None:
    """`on` without a handler decorates one, which stays what it is."""

    @runtime.on(ErrorCode.DATABASE_ERROR)
    def from_cache(error: BaseException, context: ErrorContext, said: Classification) -> str:
        return f"{said.code} at {context.origin.operation}"

    assert runtime.handle(DatabaseError("down"), HERE).value == "DATABASE_ERROR at READ"
    assert from_cache.__name__ == "from_cache"


@pytest.mark.parametrize("asynchronous", [False, True])
def test_an_error_in_the_place_of_another_is_recorded_in_its_place(
    runtime: RecordingRuntime, handle: Handle, *, asynchronous: bool
) -> None:
    """One record, of the replacement, with the original as its cause; it is not routed again."""
    instead = DatabaseError("the replica is behind")
    runtime.on(KeyError, answering(instead, asynchronous=asynchronous))
    runtime.on(DatabaseError, answering("never", asynchronous=False))
    original = KeyError("sku")

    verdict = handle(original)

    (event,) = runtime.recorded.events
    assert isinstance(event, ErrorHandled)
    assert event.record is verdict.record
    assert (event.record.type, verdict.action) == ("holdfast.errors.DatabaseError", Action.RESPOND)
    assert (instead.__cause__, instead.__traceback__) == (None, None)
    assert [cause.type for cause in event.record.causes] == ["KeyError"]
    assert handle(original) is verdict
    assert handle(instead) is verdict


def test_a_replacement_keeps_its_own_cause(runtime: RecordingRuntime) -> None:
    """The original comes behind what the handler gave as the cause."""
    instead, why = ValueError("instead"), OSError("why")
    instead.__cause__ = why
    runtime.on(KeyError, lambda _, __, ___: instead)

    record = runtime.handle(KeyError("sku"), HERE).record

    assert record is not None
    assert [cause.type for cause in record.causes] == ["OSError", "KeyError"]


def test_one_replacement_for_many_errors_has_the_one_at_hand_behind_it(
    runtime: RecordingRuntime, handle: Handle
) -> None:
    """What is known of one caller's error does not come into the record of another's, nor stay."""
    busy = AppError(ErrorCode.SERVICE_UNAVAILABLE)
    runtime.on(LookupError, answering(busy, asynchronous=False))
    for sku in ("first", "second"):
        try:
            raise KeyError(sku)  # for its traceback
        except KeyError as error:
            handle(error)

    first, second = runtime.recorded.records

    assert [cause.message for cause in first.causes] == ["'first'"]
    assert [cause.message for cause in second.causes] == ["'second'"]
    assert first.frames == second.frames != ()
    assert (busy.__cause__, busy.__traceback__) == (None, None)


def test_the_error_behind_may_be_answered_in_place(runtime: RecordingRuntime) -> None:
    """A handler may give an error's own cause; no circle comes of it."""
    behind, error = DatabaseError("down"), ValueError("outer")
    error.__cause__ = behind
    runtime.on(ValueError, lambda error, _, __: error.__cause__)

    verdict = runtime.handle(error, HERE)

    assert verdict.record is not None
    assert verdict.record.classification.code == "DATABASE_ERROR"
    assert (behind.__cause__, error.__cause__) == (None, behind)


def fails(error: BaseException, context: ErrorContext, said: Classification) -> NoReturn:
    """Fail with a secret."""
    raise OSError("cannot connect, password=hunter2")


async def fails_later(
    error: BaseException, context: ErrorContext, said: Classification
) -> NoReturn:
    """Fail as a coroutine."""
    await turn()
    raise OSError("cannot connect, password=hunter2")


async def cancels_itself(
    error: BaseException, context: ErrorContext, said: Classification
) -> NoReturn:
    """Fail by a cancellation that nobody asked for."""
    raise asyncio.CancelledError


def leaves(error: BaseException, context: ErrorContext, said: Classification) -> object:
    """Return what is no error."""
    return SystemExit(1)


def gives_class(error: BaseException, context: ErrorContext, said: Classification) -> object:
    """Return a class in the place of an error of it."""
    return ValueError


@pytest.mark.parametrize("handler", [fails, fails_later, cancels_itself, leaves, gives_class])
def test_a_handler_that_fails_hides_nothing(
    runtime: RecordingRuntime, handle: Handle, handler: Callable[..., object]
) -> None:
    """Its failure is an event without secrets, the next handler is asked, the error is recorded."""
    runtime.on(OutOfStock, handler)
    runtime.on(AppError, answering("next", asynchronous=False))

    verdict = handle(OutOfStock())

    (failed,) = named(runtime, "handler.failed")
    assert verdict.value == "next"
    assert len(runtime.recorded.records) == 1
    assert failed.severity is Severity.ERROR
    assert failed.attributes["handler"] == f"{__name__}.{handler.__name__}"
    assert failed.attributes["code"] == "STOCK_GONE"
    assert failed.attributes["error_type"]
    assert "hunter2" not in str(failed.attributes)


@pytest.mark.parametrize("exit_", [KeyboardInterrupt, SystemExit])
def test_an_exit_goes_through_after_the_error_was_recorded(
    runtime: RecordingRuntime, handle: Handle, exit_: type[BaseException]
) -> None:
    """An interrupt in the middle of a handler is not swallowed, and hides no error."""

    def interrupted(*_: object) -> NoReturn:
        raise exit_

    runtime.on(OutOfStock, interrupted)

    with pytest.raises(exit_):
        handle(OutOfStock())

    assert [record.classification.code for record in runtime.recorded.records] == ["STOCK_GONE"]


def test_a_cancelled_caller_is_cancelled_after_the_error_was_recorded(
    runtime: RecordingRuntime,
) -> None:
    """A cancellation from outside goes through a waiting handler."""
    reached = asyncio.Event()

    async def waits(*_: object) -> None:
        reached.set()
        await asyncio.Event().wait()

    async def main() -> None:
        task = asyncio.ensure_future(runtime.ahandle(OutOfStock(), HERE))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    runtime.on(OutOfStock, waits)
    asyncio.run(main())

    assert len(runtime.recorded.records) == 1
    assert not named(runtime, "handler.failed")


def test_an_error_that_is_raised_on_is_declined_and_unchanged(
    runtime: RecordingRuntime, handle: Handle
) -> None:
    """A handler that raises the error itself declines; nothing of it changes the error."""

    def raises_on(error: BaseException, *_: object) -> NoReturn:
        raise error from OSError("another")

    error = KeyError("sku")
    runtime.on(KeyError, raises_on)

    verdict = handle(error)

    assert verdict.action is Action.RESPOND
    assert not named(runtime, "handler.failed")
    assert (error.__cause__, error.__traceback__, error.__suppress_context__) == (None, None, False)


def test_a_handler_that_returns_the_error_itself_has_it_answered(
    runtime: RecordingRuntime, handle: Handle
) -> None:
    """The same error again is no replacement: it is answered as usual, and nobody else is asked."""
    runtime.on(OutOfStock, lambda error, _, __: error)
    runtime.on(AppError, answering("never", asynchronous=False))

    verdict = handle(OutOfStock())

    assert (verdict.action, len(runtime.recorded.records)) == (Action.RESPOND, 1)


def test_what_a_handler_has_handled_is_not_routed_again(
    runtime: RecordingRuntime, handle: Handle
) -> None:
    """Handling the same error, or another, in a handler ends: it is recorded and answered."""
    inner: list[Verdict] = []

    def handles(error: BaseException, *_: object) -> object:
        inner.extend(runtime.handle(one, HERE) for one in (error, OutOfStock("inner")))
        return "outer"

    runtime.on(OutOfStock, handles)

    outer = handle(OutOfStock("outer"))

    assert outer.value == "outer"
    assert [verdict.action for verdict in inner] == [Action.RESPOND] * 2
    assert [record.message for record in runtime.recorded.records] == ["inner", "outer"]


def test_an_error_that_was_recovered_and_is_raised_elsewhere_is_a_new_one(
    runtime: RecordingRuntime,
) -> None:
    """The value was meant for the boundary that recovered; another one decides for itself."""
    answers = iter(["first", None])
    runtime.on(OutOfStock, lambda _, __, ___: next(answers))
    error = OutOfStock()

    with work_context():
        first = runtime.handle(error, HERE)
        again = runtime.handle(error, HERE)
        elsewhere = runtime.handle(error, Origin(boundary="outer"))

    assert again is first
    assert elsewhere.action is Action.RESPOND
    assert [record.recovered for record in runtime.recorded.records] == [True, False]


def test_where_nobody_goes_on_handlers_are_only_told(
    runtime: RecordingRuntime, handle: Handle
) -> None:
    """At the end of a process a value is of no use, and the record does not claim otherwise."""
    told: list[BaseException] = []

    def tells(error: BaseException, *_: object) -> str:
        told.append(error)
        return "value"

    runtime.on(OutOfStock, tells)

    verdict = handle(OutOfStock(), Origin(boundary="process", resumable=False))

    assert len(told) == 1
    assert (verdict.action, verdict.value) == (Action.RESPOND, None)
    assert verdict.record is not None
    assert not verdict.record.recovered


def test_an_error_that_is_only_logged_is_routed_where_it_arrives(
    runtime: RecordingRuntime,
) -> None:
    """Logging decides nothing; the boundary after it does, once."""
    runtime.on(OutOfStock, answering("value", asynchronous=False))
    error = OutOfStock()

    with work_context():
        logged = runtime.handle(error, Origin(boundary="log"))
        arrived = runtime.handle(error, HERE)

    assert (logged.action, arrived.value) == (Action.RESPOND, "value")
    assert len(runtime.recorded.records) == 1


def test_a_recovered_error_that_is_logged_afterwards_is_no_further_error(
    runtime: RecordingRuntime,
) -> None:
    """What somebody writes about it in the end decides nothing, and is not recorded again."""
    runtime.on(OutOfStock, answering("value", asynchronous=False))
    error = OutOfStock()

    with work_context():
        recovered = runtime.handle(error, HERE)
        logged = runtime.handle(error, Origin(boundary="log"))

    assert logged is recovered
    assert len(runtime.recorded.records) == 1


_AMBIENT: ContextVar[str] = ContextVar("ambient", default="unset")


@pytest.mark.parametrize("asynchronous", [False, True])
def test_the_ambient_context_is_visible(
    runtime: RecordingRuntime, handle: Handle, *, asynchronous: bool
) -> None:
    """Context variables and the piece of work are the caller's, on whatever thread a handler runs."""

    def sees(error: BaseException, context: ErrorContext, said: Classification) -> object:
        return _AMBIENT.get(), context.trace_id, context.fields["order"], current_context()

    async def sees_later(
        error: BaseException, context: ErrorContext, said: Classification
    ) -> object:
        return sees(error, context, said)

    runtime.on(OutOfStock, sees_later if asynchronous else sees)
    token = _AMBIENT.set("set")

    with work_context("req-1"), bind(order=7):
        verdict = handle(OutOfStock())
        _AMBIENT.reset(token)
        assert verdict.value == ("set", "req-1", 7, current_context())


def test_a_coroutine_runs_within_a_running_loop(runtime: RecordingRuntime) -> None:
    """`handle`, called in a coroutine, waits for a coroutine of user code on another thread."""
    runtime.on(OutOfStock, answering("value", asynchronous=True))

    async def main() -> Verdict:
        return runtime.handle(OutOfStock(), HERE)

    assert asyncio.run(main()).value == "value"


def test_ahandle_awaits_on_the_callers_loop(runtime: RecordingRuntime) -> None:
    """A coroutine of user code may use what belongs to the loop of the request."""
    loops: list[object] = []

    @runtime.on(OutOfStock)
    async def remembers(*_: object) -> str:
        loops.append(asyncio.get_running_loop())
        return "value"

    async def main() -> object:
        await runtime.ahandle(OutOfStock(), HERE)
        return asyncio.get_running_loop()

    assert asyncio.run(main()) is loops[0]


def test_other_tasks_go_on_while_a_handler_waits(runtime: RecordingRuntime) -> None:
    """What is awaited holds up nobody: here another task ends the wait."""

    async def main() -> Verdict:
        done = asyncio.Event()

        async def waits(*_: object) -> str:
            await done.wait()
            return "value"

        runtime.on(OutOfStock, waits)
        handling = asyncio.ensure_future(runtime.ahandle(OutOfStock(), HERE))
        await turn()
        done.set()
        return await handling

    assert asyncio.run(main()).value == "value"


def test_registering_while_errors_are_handled_is_safe(runtime: RecordingRuntime) -> None:
    """Threads register and handle at the same time; nothing registered is lost, nothing fails."""
    start = threading.Barrier(6)
    asked: list[int] = []

    def registers(number: int) -> None:
        start.wait()
        for i in range(50):
            runtime.on(OutOfStock, noting(asked, number * 50 + i))

    def handles() -> None:
        start.wait()
        for _ in range(50):
            runtime.handle(OutOfStock(), HERE)

    threads = [threading.Thread(target=registers, args=(n,)) for n in range(3)]
    threads += [threading.Thread(target=handles) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asked.clear()
    runtime.handle(OutOfStock(), HERE)

    assert sorted(asked) == list(range(150))
    assert not named(runtime, "handler.failed")


ANSWERS: list[Any] = [None, "value", Recovered(), ValueError("instead"), OSError, SystemExit(1)]


@given(
    raised=st.lists(
        st.sampled_from([None, OSError, RecursionError, asyncio.CancelledError]), max_size=4
    ),
    answer=st.sampled_from(ANSWERS),
)
def test_whatever_handlers_do_there_is_one_record_and_a_verdict(
    raised: list[type[BaseException] | None], answer: object
) -> None:
    """An invariant: one record for an error, and a verdict that can be answered with."""
    runtime = RecordingRuntime(rules=[Rule(match=LookupError, code=ErrorCode.INTERNAL_ERROR)])

    def failing(cls: type[BaseException] | None) -> Callable[..., object]:
        def handler(*_: object) -> object:
            if cls is not None:
                raise cls("broken")
            return None

        return handler

    for cls in raised:
        runtime.on(LookupError, failing(cls))
    runtime.on(LookupError, lambda _, __, ___: answer)

    for verdict in both_ways(runtime):
        assert verdict.answer is not None
        assert verdict.record is not None
    assert len(runtime.recorded.records) == 2


def both_ways(runtime: RecordingRuntime) -> Iterator[Verdict]:
    """Yield what is decided about an error in either way."""
    yield runtime.handle(KeyError("sku"), HERE)
    yield asyncio.run(runtime.ahandle(KeyError("sku"), HERE))
