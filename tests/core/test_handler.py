"""The one handler: each error once, never an exception, and nothing said that may not be."""

import asyncio
import copy
import pickle
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.classify import Classification, Classifier, Rule, classification_of
from holdfast.codes import ErrorCode, ErrorKind, Fault, Severity
from holdfast.context import bind, work_context
from holdfast.envelope import Format, render
from holdfast.errors import (
    MARK,
    AppError,
    DatabaseError,
    InternalServerError,
    ResourceNotFoundError,
    ServiceUnavailableError,
    StateConflictError,
    ValidationError,
)
from holdfast.events import Event
from holdfast.handler import MAX_NOTES, Action, ErrorHandler, Middleware, Next, Verdict
from holdfast.origin import ErrorContext, Origin
from holdfast.record import ErrorHandled, ErrorRecord
from holdfast.redact import JsonValue, Redactor
from holdfast.testing import FakeClock

SECRET = "CANARY-4711"
HERE = Origin(boundary="test", operation="GET /orders/<id>", path="/orders/7")


class Masking(Redactor):
    """A redactor that knows one secret, and otherwise changes nothing."""

    def text(self, text: str) -> str:
        """Take the secret out."""
        return text.replace(SECRET, "[redacted]")

    def mapping(self, fields: "object") -> dict[str, JsonValue]:
        """Take the secret out of texts."""
        items = cast("dict[str, JsonValue]", fields).items()
        return {k: self.text(v) if isinstance(v, str) else v for k, v in items}


class Silent(Exception):
    """An error that cannot say itself."""

    def __str__(self) -> str:
        """Fail."""
        raise RuntimeError(SECRET)


class Sealed(Exception):
    """An error whose attributes cannot be set."""

    def __setattr__(self, name: str, value: object) -> NoReturn:
        """Refuse."""
        raise AttributeError(name)


class Haunted(Exception):
    """An error that fails at every attribute it does not have."""

    def __getattr__(self, name: str) -> NoReturn:
        """Fail with something unexpected."""
        raise RuntimeError(name)


class Hidden(Exception):
    """An error that shows nothing at all."""

    def __getattribute__(self, name: str) -> NoReturn:
        """Fail whatever is asked for."""
        raise RuntimeError(name)


@dataclass(frozen=True)
class Frozen(Exception):
    """A frozen dataclass that is an error."""

    left: int = 1


class Slotted(Exception):
    """An error with slots."""

    __slots__ = ("left",)


class BrokenFacts(AppError):
    """One of ours with a property that fails."""

    @property
    def fault(self) -> Fault:
        """Fail."""
        raise RuntimeError(SECRET)


class BrokenExtras(AppError):
    """One of ours whose details and errors are not what they should be."""

    def __init__(self, text: str = "") -> None:
        super().__init__(text)
        self.details = cast("dict[str, object]", 5)
        self.errors = cast("tuple[str, ...]", None)


class SilentNote:
    """A note that cannot say itself."""

    def __str__(self) -> str:
        """Fail."""
        raise RuntimeError(SECRET)


class BrokenRedactor(Redactor):
    """A redactor that fails."""

    def text(self, text: str) -> NoReturn:
        """Fail."""
        raise RuntimeError(text)


class Recorder:
    """A handler with everything it emitted."""

    def __init__(
        self,
        *middleware: Middleware,
        classifier: Classifier | None = None,
        redactor: Redactor | None = None,
        clock: FakeClock | None = None,
        expose: bool = False,
    ) -> None:
        self.events: list[Event] = []
        self.handler = ErrorHandler(
            classifier=classifier or Classifier(),
            redactor=redactor or Masking(),
            emit=self.events.append,
            clock=clock or FakeClock(),
            middleware=middleware,
            expose_learned=expose,
        )

    def handle(self, error: BaseException, origin: Origin = HERE) -> Verdict:
        """Handle an error."""
        return self.handler.handle(error, origin)

    @property
    def records(self) -> list[ErrorRecord]:
        """What was recorded."""
        return [event.record for event in self.events if isinstance(event, ErrorHandled)]


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    """Raise an error, so that it has a traceback, and give it back."""
    try:
        raise error from cause
    except BaseException as caught:  # noqa: BLE001  # given back
        return caught


def while_handling(first: BaseException, second: BaseException) -> BaseException:
    """Raise the second error while the first is handled."""
    try:
        try:
            raise first
        except BaseException:  # noqa: BLE001  # what happens then is the point
            raise second  # noqa: B904  # its context is the point
    except BaseException as caught:  # noqa: BLE001  # given back
        return caught


def body_of(verdict: Verdict, chosen: Format = Format.ENVELOPE) -> str:
    """Return what a caller sees."""
    assert verdict.answer is not None
    return render(verdict.answer, chosen).body.decode()


def status_of(verdict: Verdict) -> int:
    """Return the status a caller gets."""
    assert verdict.answer is not None
    return verdict.answer.status


def test_an_error_is_recorded_and_answered() -> None:
    """An error becomes one record, one event, and an answer that refers to the record."""
    recorder = Recorder()

    verdict = recorder.handle(raised(ResourceNotFoundError("no order 7")))

    assert verdict.action is Action.RESPOND
    assert recorder.records == [verdict.record]
    assert verdict.record is not None
    assert verdict.answer is not None
    assert verdict.answer.record is verdict.record
    assert (verdict.answer.status, verdict.answer.message) == (404, "no order 7")


def test_a_record_has_all_that_is_known() -> None:
    """Origin, ids, time, class, message, notes, fields, details and frames are in the record."""
    recorder, clock = Recorder(), FakeClock()
    error = raised(ValidationError("wrong", details={"a": 1}))
    error.add_note("while importing")

    with work_context("req-1", boundary="test") as current, bind(order=7):
        record = recorder.handle(error).record

    assert record is not None
    assert (record.trace_id, record.span_id) == ("req-1", current.span_id)
    assert record.origin == HERE
    assert record.time == clock.now()
    assert (record.type, record.message) == ("holdfast.errors.ValidationError", "wrong")
    assert (record.details, record.fields) == ({"a": 1}, {"order": 7})
    assert record.notes == ("while importing",)
    assert record.frames[-1].function == "raised"
    assert record.classification.code == "VALIDATION_FAILED"


def test_an_event_tells_of_the_record() -> None:
    """The event has the record's severity, time and facts as flat attributes."""
    recorder = Recorder()

    record = recorder.handle(DatabaseError("down")).record
    (event,) = recorder.events

    assert record is not None
    assert (event.name, event.severity, event.time) == (
        "error.handled",
        Severity.ERROR,
        record.time,
    )
    assert event.attributes == {
        "code": "DATABASE_ERROR",
        "kind": "INTERNAL",
        "fault": "SERVICE",
        "status": 500,
        "trusted": True,
        "fingerprint": record.fingerprint,
        "boundary": "test",
        "operation": "GET /orders/<id>",
    }


def test_outside_of_any_work_an_error_gets_an_id_all_the_same() -> None:
    """Without a piece of work each error has a fresh trace id."""
    recorder = Recorder()

    ids = {cast("ErrorRecord", recorder.handle(ValueError()).record).trace_id for _ in range(2)}

    assert len(ids) == 2
    assert all(len(one) == 32 for one in ids)


def test_the_same_error_is_recorded_once() -> None:
    """A second boundary gets the very verdict of the first."""
    recorder = Recorder()
    error = raised(ValueError("x"))

    first, second = recorder.handle(error), recorder.handle(error, Origin(boundary="outer"))

    assert second is first
    assert len(recorder.records) == 1


def test_the_same_error_in_another_thread_is_recorded_once() -> None:
    """An error that crosses threads, as a future's does, is still the same."""
    recorder = Recorder()
    error = raised(ValueError("x"))
    verdicts: list[Verdict] = []
    thread = threading.Thread(target=lambda: verdicts.append(recorder.handle(error)))
    thread.start()
    thread.join()

    assert recorder.handle(error) is verdicts[0]
    assert len(recorder.records) == 1


WRAPPED: list[Callable[[Exception], BaseException]] = [
    lambda error: raised(InternalServerError("outer"), error),
    lambda error: while_handling(error, KeyError("outer")),
    lambda error: ExceptionGroup("outer", [error, error]),
    lambda error: ExceptionGroup("outer", [ExceptionGroup("inner", [error])]),
    lambda error: raised(KeyError("far"), raised(KeyError("near"), error)),
    lambda error: ExceptionGroup("outer", [cast("Exception", raised(KeyError(), error))]),
]


@pytest.mark.parametrize("wrap", WRAPPED, ids=["cause", "context", "member", "deep", "far", "both"])
def test_an_error_that_wraps_a_handled_one_is_not_recorded_again(
    wrap: Callable[[Exception], BaseException],
) -> None:
    """Found behind cause, context or membership, a handled error's record is the record."""
    recorder = Recorder()
    inner = raised(ValueError("inner"))

    record = recorder.handle(inner).record
    verdict = recorder.handle(wrap(cast("Exception", inner)))

    assert verdict.record is record
    assert recorder.records == [record]
    assert recorder.handler.saw(inner)


def test_a_group_with_a_member_that_nobody_handled_is_recorded() -> None:
    """One handled member does not hide the others: they may be errors of their own."""
    recorder = Recorder()
    first = raised(ValueError("first"))
    recorder.handle(first)

    recorder.handle(ExceptionGroup("both", [cast("Exception", first), ZeroDivisionError()]))

    assert [record.type for record in recorder.records] == ["ValueError", "ExceptionGroup"]


def test_an_object_that_is_raised_again_is_a_new_error_in_each_piece_of_work() -> None:
    """A shared instance is recorded once per piece of work, each time with that work's id."""
    recorder = Recorder()
    shared = InternalServerError("down")

    for trace_id in ("one", "two"):
        with work_context(trace_id):
            verdict = recorder.handle(raised(shared))
            assert recorder.handle(shared) is verdict
            wrapped = raised(InternalServerError("outer"), shared)
            assert recorder.handle(wrapped).record is verdict.record

    assert [record.trace_id for record in recorder.records] == ["one", "two"]
    assert recorder.handler.saw(shared)


def test_an_error_of_inner_work_is_known_to_the_work_around_it() -> None:
    """What a job within a request handled is not recorded again by the request."""
    recorder = Recorder()
    error = raised(InternalServerError("down"))

    with work_context("request"):
        with work_context("job"):
            recorder.handle(error)
        recorder.handle(error)

    assert [record.trace_id for record in recorder.records] == ["job"]


def test_marks_of_many_pieces_of_work_do_not_pile_up() -> None:
    """An instance that is raised for ever keeps one mark of one handler."""
    recorder = Recorder()
    shared = InternalServerError("down")

    for _ in range(50):
        with work_context():
            recorder.handle(shared)

    assert getattr(shared, MARK).before is None


def test_a_middleware_that_fails_after_the_decision_does_not_undo_it() -> None:
    """Once the next step has decided, even about another error, its verdict stands."""

    def replace_and_fail(error: BaseException, context: ErrorContext, step: Next) -> Verdict:
        step(ResourceNotFoundError("gone"), context)
        raise RuntimeError

    recorder = Recorder(replace_and_fail)

    verdict = recorder.handle(raised(KeyError("x")))

    assert verdict.answer is not None
    assert verdict.answer.status == 404
    assert len(recorder.records) == 1


@pytest.mark.parametrize("wrap", WRAPPED, ids=["cause", "context", "member", "deep", "far", "both"])
def test_an_error_behind_a_handled_one_is_not_recorded_again(
    wrap: Callable[[Exception], BaseException],
) -> None:
    """Once the outer error was handled, what is behind it was, too."""
    recorder = Recorder()
    inner = ValueError("inner")

    verdict = recorder.handle(wrap(inner))

    assert recorder.handle(inner) is verdict
    assert len(recorder.records) == 1


def test_a_milder_wrapping_answers_for_itself() -> None:
    """Not recorded again, a wrapping error still decides what its own caller sees."""
    recorder = Recorder()
    inner = raised(ValueError("inner"))
    recorder.handle(inner)

    verdict = recorder.handle(raised(ResourceNotFoundError("outer"), inner))

    assert status_of(verdict) == 404
    assert len(recorder.records) == 1
    assert status_of(recorder.handle(inner)) == 500


def test_a_graver_error_while_handling_is_recorded() -> None:
    """A bug met while a caller's mistake was handled is an error of its own."""
    recorder = Recorder()
    mistake = raised(ValidationError("mistake"))
    recorder.handle(mistake)

    verdict = recorder.handle(while_handling(mistake, KeyError("bug")))

    assert [record.type for record in recorder.records] == [
        "holdfast.errors.ValidationError",
        "KeyError",
    ]
    assert status_of(verdict) == 500


def test_a_bug_behind_an_error_raised_on_purpose_is_recorded() -> None:
    """Of two errors as severe, the one that nobody raised on purpose is the graver."""
    recorder = Recorder()
    known = raised(DatabaseError("known"))
    recorder.handle(known)

    recorder.handle(while_handling(known, KeyError("bug")))
    recorder.handle(raised(InternalServerError("milder"), known))

    assert [record.type for record in recorder.records] == [
        "holdfast.errors.DatabaseError",
        "KeyError",
    ]


@pytest.mark.parametrize("redactor", [None, BrokenRedactor()])
def test_a_record_has_an_id_of_its_own(redactor: Redactor | None) -> None:
    """Each record, also one made in distress, has 32 hexadecimal digits that are no other's."""
    recorder = Recorder(redactor=redactor)

    ids = {cast("ErrorRecord", recorder.handle(ValueError()).record).id for _ in range(3)}

    assert len(ids) == 3
    assert all(len(one) == 32 and int(one, 16) for one in ids)


def test_an_error_keeps_its_own_verdict() -> None:
    """A, then graver B raised while handling A, then A again: two records, and A's own answer."""
    recorder = Recorder()
    first = raised(ValidationError("first"))
    verdict = recorder.handle(first)
    second = while_handling(first, KeyError("second"))

    graver = recorder.handle(second)

    assert recorder.handle(first) is verdict
    assert recorder.handle(second) is graver
    assert (status_of(verdict), status_of(graver)) == (400, 500)
    assert len(recorder.records) == 2


def test_an_error_raised_from_none_is_another_one() -> None:
    """What hides its context on purpose is not taken for what it hides."""
    recorder = Recorder()
    first = raised(ValueError("first"))
    recorder.handle(first)
    second = while_handling(first, ValueError("second"))
    second.__suppress_context__ = True

    recorder.handle(second)

    assert len(recorder.records) == 2


def test_two_handlers_do_not_see_each_others_marks() -> None:
    """Each application records an error that reaches it, whoever else did."""
    one, other = Recorder(), Recorder()
    error = raised(ValueError("x"))

    one.handle(error)

    assert not other.handler.saw(error)
    assert other.handle(error).record is not one.handle(error).record
    assert len(one.records) == len(other.records) == 1


def test_the_mark_of_a_strangers_error_does_not_travel() -> None:
    """Pickled or copied with all it holds, a handled error of a stranger's class is a new one."""
    recorder = Recorder()
    error = ValueError("x")
    recorder.handle(error)

    for duplicate in (pickle.loads(pickle.dumps(error)), copy.deepcopy(error)):  # noqa: S301  # our own bytes
        recorder.handle(duplicate)

    assert len(recorder.records) == 3


CONTROL_FLOW = [
    KeyboardInterrupt(),
    SystemExit(1),
    GeneratorExit(),
    asyncio.CancelledError(),
    BaseExceptionGroup("all", [asyncio.CancelledError(), SystemExit()]),
]


@pytest.mark.parametrize("error", CONTROL_FLOW, ids=lambda e: type(e).__name__)
def test_control_flow_goes_on_and_is_not_recorded(error: BaseException) -> None:
    """What is no error propagates: no record, no answer, no event, no middleware."""
    met: list[BaseException] = []

    def meets(error: BaseException, context: ErrorContext, step: Next) -> Verdict:
        met.append(error)
        return step(error, context)

    recorder = Recorder(meets)
    verdict = recorder.handle(error)

    assert (verdict.action, verdict.record, verdict.answer) == (Action.PROPAGATE, None, None)
    assert (recorder.events, met) == ([], [])


def deep_recursion() -> BaseException:
    """Return a stack overflow with its traceback."""

    def again() -> None:
        again()

    try:
        again()
    except RecursionError as error:
        return error
    raise AssertionError


def circle() -> BaseException:
    """Return an error that is its own cause by a detour, and its own context."""
    one, other = ValueError("1"), ValueError("2")
    one.__cause__, other.__cause__ = other, one
    one.__context__, other.__context__ = other, one
    return one


def long_chain() -> BaseException:
    """Return an error with thousands of contexts."""
    error = ValueError("0")
    for _ in range(5000):
        outer = ValueError("n")
        outer.__context__ = error
        error = outer
    return error


def deep_group() -> BaseException:
    """Return a group in a group, hundreds deep."""
    error = ExceptionGroup[Exception]("group", [ValueError("leaf")])
    for _ in range(500):
        error = ExceptionGroup[Exception]("group", [error])
    return error


def noted(error: BaseException, notes: object) -> BaseException:
    """Give an error notes of a kind it should not have."""
    error.__dict__["__notes__"] = notes
    return error


WEIRD = {
    "silent": Silent(SECRET),
    "sealed": Sealed(SECRET),
    "haunted": Haunted(SECRET),
    "hidden": Hidden(SECRET),
    "frozen": Frozen(),
    "slotted": Slotted(SECRET),
    "broken facts": BrokenFacts(SECRET),
    "broken extras": BrokenExtras(SECRET),
    "silent note": noted(ValueError(), [SilentNote()]),
    "odd notes": noted(ValueError(), 5),
    "circle": circle(),
    "long chain": long_chain(),
    "deep group": deep_group(),
    "recursion": deep_recursion(),
    "memory": MemoryError(),
    "big text": ValueError("x" * 1_000_000),
    "surrogate": ValueError("\ud800"),
    "bytes": ValueError(b"\xff"),
    "decode": UnicodeDecodeError("utf-8", b"\xff", 0, 1, "odd"),
    "base": BaseException("bare"),
    "empty": Exception(),
}


@pytest.mark.parametrize("name", WEIRD)
@pytest.mark.parametrize("chosen", Format)
def test_the_weirdest_error_is_recorded_once_and_answered(name: str, chosen: Format) -> None:
    """An error that fights back leads to one record and a 500 without its text."""
    recorder, error = Recorder(), WEIRD[name]

    verdict = recorder.handle(error)

    assert verdict.action is Action.RESPOND
    assert status_of(verdict) == 500
    assert SECRET not in body_of(verdict, chosen)
    assert len(recorder.records) == 1


@pytest.mark.parametrize("name", sorted(WEIRD.keys() - {"hidden"}))
def test_the_weirdest_error_is_recognised(name: str) -> None:
    """Also an error whose attributes cannot be set is known when it comes again."""
    recorder, error = Recorder(), WEIRD[name]

    assert recorder.handle(error) is recorder.handle(error)
    assert len(recorder.records) == 1


class BrokenClock(FakeClock):
    """A clock that fails."""

    def now(self) -> datetime:
        """Fail."""
        raise RuntimeError(SECRET)


class BrokenClassifier(Classifier):
    """A classifier that fails."""

    def read(self, error: BaseException, context: ErrorContext | None = None) -> NoReturn:
        """Fail."""
        raise RuntimeError(SECRET)


@pytest.mark.parametrize(
    "recorder",
    [
        Recorder(redactor=BrokenRedactor()),
        Recorder(clock=BrokenClock()),
        Recorder(classifier=BrokenClassifier()),
    ],
    ids=["redactor", "clock", "classifier"],
)
def test_a_broken_part_leads_to_a_plain_500(
    recorder: Recorder, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever of ours fails, the caller gets a 500 without text, and the error is told of."""
    with work_context("req-1"):
        verdict = recorder.handle(raised(ValidationError(SECRET)))

    said = capsys.readouterr().err
    (event,) = recorder.events

    assert status_of(verdict) == 500
    assert SECRET not in body_of(verdict) + said
    assert '"trace_id":"req-1"' in body_of(verdict)
    assert "could not handle ValidationError at test" in said
    assert "RuntimeError" in said
    assert event.attributes["boundary"] == "test"


@pytest.mark.parametrize("stream", [None, "closed"])
def test_a_broken_part_without_standard_error_leads_to_a_500(
    stream: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process whose standard error is gone is answered just as well."""

    class Closed:
        def write(self, _: str) -> None:
            raise ValueError("I/O operation on closed file")

    monkeypatch.setattr(sys, "stderr", Closed() if stream else None)
    recorder = Recorder(fails, redactor=BrokenRedactor())

    assert status_of(recorder.handle(ValueError())) == 500


def test_a_queue_that_fails_leads_to_an_answer(capsys: pytest.CaptureFixture[str]) -> None:
    """An `emit` that breaks its promise does not break the answer."""

    def emit(_: Event) -> NoReturn:
        raise RuntimeError(SECRET)

    handler = ErrorHandler(classifier=Classifier(), redactor=Masking(), emit=emit)

    assert status_of(handler.handle(ValueError(), HERE)) == 500
    assert "could not report it: RuntimeError" in capsys.readouterr().err


def fails(_: BaseException, __: ErrorContext, ___: Next) -> NoReturn:
    """Fail, as user code may."""
    raise RuntimeError(SECRET)


def forgets(error: BaseException, context: ErrorContext, step: Next) -> Verdict:
    """Pass the error on and forget to return the verdict."""
    step(error, context)
    return cast("Verdict", None)


def fails_afterwards(error: BaseException, context: ErrorContext, step: Next) -> NoReturn:
    """Fail when all is done."""
    step(error, context)
    raise RuntimeError(SECRET)


@pytest.mark.parametrize("middleware", [fails, forgets, fails_afterwards])
def test_a_middleware_that_fails_is_passed_over(
    middleware: Middleware, capsys: pytest.CaptureFixture[str]
) -> None:
    """A middleware that raises, before or after, or returns nothing, is noted without effect."""
    recorder = Recorder(middleware)

    verdict = recorder.handle(raised(ValidationError("wrong")))
    said = capsys.readouterr().err

    assert status_of(verdict) == 400
    assert len(recorder.records) == 1
    assert middleware.__name__ in said
    assert SECRET not in said


def test_middlewares_run_from_the_outside_in() -> None:
    """The first middleware is outermost: it sees the error first and the verdict last."""
    seen: list[str] = []

    def named(name: str) -> Middleware:
        def middleware(error: BaseException, context: ErrorContext, step: Next) -> Verdict:
            seen.append(f"{name} in")
            verdict = step(error, context)
            seen.append(f"{name} out")
            return verdict

        return middleware

    Recorder(named("a"), named("b")).handle(ValueError())

    assert seen == ["a in", "b in", "b out", "a out"]


def test_a_middleware_may_enrich() -> None:
    """What a middleware adds to an error or binds around it is in the record."""

    def enriches(error: BaseException, context: ErrorContext, step: Next) -> Verdict:
        error.add_note("seen by a middleware")
        with bind(tenant="blue"):
            return step(error, context)

    (record,) = (Recorder(enriches).handle(ValueError()).record,)

    assert record is not None
    assert record.notes == ("seen by a middleware",)
    assert record.fields == {"tenant": "blue"}


def test_a_middleware_may_replace_the_error() -> None:
    """What goes on is handled in the original's place, and the original is known afterwards."""

    def replaces(_: BaseException, context: ErrorContext, step: Next) -> Verdict:
        return step(StateConflictError("replaced"), context)

    recorder = Recorder(replaces)
    error = raised(KeyError("original"))

    verdict = recorder.handle(error)

    assert status_of(verdict) == 409
    assert recorder.handle(error) is verdict
    assert len(recorder.records) == 1


def test_a_middleware_may_stop() -> None:
    """A verdict of a middleware's own is the verdict; nothing is recorded."""
    recovered = Verdict(action=Action.RECOVERED, value=[1, 2])

    def stops(_: BaseException, __: ErrorContext, ___: Next) -> Verdict:
        return recovered

    recorder = Recorder(stops, fails)
    error = raised(KeyError())

    assert recorder.handle(error) is recovered
    assert recorder.handle(error) is recovered
    assert recorder.events == []


@pytest.mark.parametrize("kind", ErrorKind)
@pytest.mark.parametrize("chosen", Format)
def test_only_a_caller_hears_what_was_said_to_a_caller(kind: ErrorKind, chosen: Format) -> None:
    """The message of an error is in the answer just when the fault is the caller's."""
    error = AppError("words of the raiser")
    error.kind, error.status, error.severity = kind, kind.status, kind.severity

    body = body_of(Recorder().handle(raised(error)), chosen)

    assert ("words of the raiser" in body) is (kind.fault is Fault.CALLER)


@given(st.text(alphabet=st.characters(min_codepoint=0x21), min_size=12), st.sampled_from(Format))
def test_a_strangers_text_never_reaches_a_caller(text: str, chosen: Format) -> None:
    """No 500 contains the text of the exception, of its causes, its notes or its members."""
    cause, member = OSError(f"cause {text}"), ValueError(f"member {text}")
    error = ExceptionGroup(f"group {text}", [KeyError(text), member])
    error.__cause__ = cause
    error.add_note(text)

    verdict = Recorder().handle(raised(error))

    body, bland = body_of(verdict, chosen), body_of(bland_verdict(verdict), chosen)
    assert body == bland


def bland_verdict(verdict: Verdict) -> Verdict:
    """Return the verdict about an error without words that has the same record."""
    assert verdict.record is not None
    assert verdict.answer is not None
    bland = Recorder().handle(ValueError())
    assert bland.answer is not None
    object.__setattr__(bland.answer, "record", verdict.record)
    return bland


def test_everything_recorded_is_redacted() -> None:
    """Message, cause, note, details, fields, operation, path and attributes lose their secrets."""
    error = ValidationError(f"m {SECRET}", details={"d": f"d {SECRET}"}, errors=[f"e {SECRET}"])
    error.learned = {"l": f"l {SECRET}"}
    error.add_note(f"n {SECRET}")
    origin = Origin(
        boundary="test",
        operation=f"o {SECRET}",
        path=f"/p/{SECRET}",
        attributes={"a": f"a {SECRET}"},
    )
    recorder = Recorder(expose=True)

    with work_context("w"), bind(f=f"f {SECRET}"):
        verdict = recorder.handle(raised(error, KeyError(f"c {SECRET}")), origin)

    assert verdict.record is not None
    assert SECRET not in repr(verdict.record) + repr(recorder.events) + body_of(verdict)
    assert repr(verdict.record).count("[redacted]") == 9
    assert SECRET not in verdict.record.traceback()


@pytest.mark.parametrize(
    "origin",
    [
        Origin(boundary="test", operation=SECRET, path="/fine"),
        Origin(boundary="test", operation="fine", path=SECRET),
        Origin(boundary="test", operation="fine", path="/fine", attributes={"a": SECRET}),
    ],
    ids=["operation", "path", "attributes"],
)
def test_every_part_of_an_origin_is_redacted(origin: Origin) -> None:
    """A secret in one part of an origin is taken out though the others have none."""
    record = Recorder().handle(ValueError(), origin).record

    assert record is not None
    assert SECRET not in repr(record.origin)
    assert "[redacted]" in repr(record.origin)


@pytest.mark.parametrize("notes", [5, None, "text", {"a": 1}])
def test_notes_that_are_none_are_left_out(notes: object) -> None:
    """A class that uses the name for something else has no notes."""
    record = Recorder().handle(noted(ValueError(), notes)).record

    assert record is not None
    assert record.notes == ()


def test_a_verdict_cannot_be_changed() -> None:
    """A verdict is given to every boundary that asks, and therefore immutable."""
    verdict = Recorder().handle(ValueError())

    with pytest.raises(AttributeError):
        verdict.action = Action.EXIT  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    assert not hasattr(verdict, "__dict__")


def test_learned_facts_are_recorded_always_and_shown_on_request() -> None:
    """What the suite found out is for operators, unless a setting exposes it."""
    error = DatabaseError(ErrorCode.UNIQUE_CONSTRAINT, "no")
    error.learned = {"constraint": "uq_email"}

    hidden, shown = Recorder().handle(error), Recorder(expose=True).handle(error)

    for verdict in (hidden, shown):
        assert verdict.record is not None
        assert verdict.record.details == {"constraint": "uq_email"}
    assert "uq_email" not in body_of(hidden)
    assert "uq_email" in body_of(shown)


def test_notes_are_bounded() -> None:
    """Of thousands of notes the first few are recorded."""
    error = ValueError()
    for n in range(1000):
        error.add_note(str(n))

    record = Recorder().handle(error).record

    assert record is not None
    assert record.notes == tuple(str(n) for n in range(MAX_NOTES))


def test_a_translated_error_is_recorded_as_itself() -> None:
    """The caller hears the translation; the record names the stranger, with the details of both."""
    rule = Rule(
        match=KeyError, translate=lambda _: ValidationError("say which", details={"field": "sku"})
    )

    verdict = Recorder(classifier=Classifier([rule])).handle(raised(KeyError("sku")))

    assert verdict.record is not None
    assert (verdict.record.type, verdict.record.message) == ("KeyError", "'sku'")
    assert verdict.record.details == {"field": "sku"}
    assert status_of(verdict) == 400
    assert "say which" in body_of(verdict)


def test_a_projects_function_decides_within_the_work() -> None:
    """A function sees the piece of work it is asked in."""

    def classify(_: BaseException, context: ErrorContext) -> Classification | None:
        known = context.fields.get("kind") == "import"
        return classification_of(ErrorCode.BUSINESS_RULE_VIOLATION) if known else None

    recorder = Recorder(classifier=Classifier(functions=[classify]))

    with work_context("w"), bind(kind="import"):
        inside = recorder.handle(ValueError())

    assert status_of(inside) == 422
    assert status_of(recorder.handle(ValueError())) == 500


def test_a_severe_error_is_not_hidden_by_a_mild_wrapping() -> None:
    """A group that holds a handled mistake and a new bug is recorded for the bug."""
    recorder = Recorder()
    mistake = ValidationError("mistake")
    recorder.handle(mistake)

    recorder.handle(ExceptionGroup("both", [mistake, KeyError("bug")]))

    assert [record.classification.status for record in recorder.records] == [400, 500]


WEIRD_MAKERS: list[Callable[[], BaseException]] = [
    Silent,
    Sealed,
    Haunted,
    Frozen,
    BrokenFacts,
    BrokenExtras,
    SystemExit,
    asyncio.CancelledError,
    StopIteration,
    circle,
]


def exceptions() -> st.SearchStrategy[BaseException]:
    """Make exceptions: plain, of ours, weird, grouped, chained."""
    single: st.SearchStrategy[BaseException] = st.one_of(
        st.builds(ValueError, st.text()),
        st.builds(AppError, st.text()),
        st.builds(AppError, st.sampled_from(ErrorCode), st.text()),
        st.builds(OSError, st.integers(), st.text()),
        st.builds(ServiceUnavailableError, st.text(), retry_after=st.floats() | st.integers()),
        st.builds(ValidationError, details=st.dictionaries(st.text(), st.floats() | st.text())),
        st.builds(AppError, headers=st.dictionaries(st.text(), st.text())),
        st.sampled_from(WEIRD_MAKERS).flatmap(st.builds),
    )
    return st.recursive(single, linked, max_leaves=6)


def linked(inner: st.SearchStrategy[BaseException]) -> st.SearchStrategy[BaseException]:
    """Put exceptions into groups and chains."""

    def grouped(members: list[BaseException]) -> BaseException:
        return BaseExceptionGroup("group", members)

    return st.builds(raised, inner, inner) | st.builds(
        grouped, st.lists(inner, min_size=1, max_size=3)
    )


@given(exceptions(), st.sampled_from([(), (fails,), (forgets, fails_afterwards)]))
def test_handling_never_fails(error: BaseException, middleware: tuple[Middleware, ...]) -> None:
    """Any exception gets a verdict, the same one twice, with a body unless it goes on."""
    recorder = Recorder(*middleware)

    verdict = recorder.handle(error)

    assert verdict.action in {Action.RESPOND, Action.PROPAGATE}
    assert (verdict.answer is None) is (verdict.action is Action.PROPAGATE)
    assert recorder.handle(error) is verdict
    assert len(recorder.records) == (verdict.action is Action.RESPOND)
    if verdict.answer is not None:
        for chosen in Format:
            assert render(verdict.answer, chosen).body
