"""Errors nobody caught are handled, and whoever listened before still hears of them."""

import gc
import sys
import threading
import weakref
from collections.abc import Callable, Generator
from types import SimpleNamespace, TracebackType
from typing import Any

import pytest

from holdfast import Runtime, Settings, current_trace_id, work_context
from holdfast.events import Event
from holdfast.hooks import uncaught
from holdfast.hooks.servers import program
from holdfast.hooks.uncaught import Uncaught, is_interactive
from holdfast.record import ErrorRecord
from holdfast.settings import HooksSettings
from holdfast.testing import RecordingRuntime

Excepthook = Callable[[type[BaseException], BaseException, TracebackType | None], object]
ONLY_THESE = HooksSettings(logging=False, processes=False, asyncio=False)


@pytest.fixture(autouse=True)
def hooks_before(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Put hooks of others in place that keep what they hear, and take them away afterwards."""
    heard: list[str] = []

    def process(_: object, error: BaseException, __: object) -> None:
        heard.append(f"process {error}")

    def thread(args: threading.ExceptHookArgs) -> None:
        heard.append(f"thread {args.exc_value}")

    def unraisable(args: "sys.UnraisableHookArgs") -> None:
        heard.append(f"unraisable {args.exc_value}")

    monkeypatch.setattr(sys, "excepthook", process)
    monkeypatch.setattr(threading, "excepthook", thread)
    monkeypatch.setattr(sys, "unraisablehook", unraisable)
    return heard


@pytest.fixture
def runtime() -> Generator[RecordingRuntime]:
    """Install a runtime that listens to these three hooks."""
    runtime = RecordingRuntime(Settings(reporters=(), hooks=ONLY_THESE))
    runtime.install()
    yield runtime
    runtime.uninstall()


def raised(error: BaseException) -> BaseException:
    """Return an exception that has been raised."""
    try:
        raise error
    except BaseException as caught:  # noqa: BLE001  # exits included
        return caught


def raised_in(trace_id: str) -> BaseException:
    """Return an exception that has been raised in a piece of work."""
    with pytest.raises(LookupError) as caught, work_context(trace_id):
        fail()
    return caught.value


def reach_the_end(error: BaseException) -> None:
    """Let an error reach the end of the main thread, as the interpreter does."""
    sys.excepthook(type(error), error, error.__traceback__)


def put_on_top() -> Excepthook:
    """Put a hook in front, as libraries do that keep the one they find."""
    before = sys.excepthook

    def hook(
        kind: type[BaseException], error: BaseException, traceback: TracebackType | None
    ) -> None:
        before(kind, error, traceback)

    sys.excepthook = hook
    return hook


def in_thread(function: Callable[[], object], name: str = "worker-7") -> None:
    """Run a function to its end in a thread."""
    thread = threading.Thread(target=function, name=name)
    thread.start()
    thread.join()


def fail() -> None:
    """Raise an error."""
    raise LookupError("no row")


class Fails:
    """Fails when it is freed."""

    def __del__(self) -> None:
        fail()


def told(records: list[ErrorRecord]) -> list[tuple[str, str, str]]:
    """Return where the errors came from, and what they said."""
    return [(one.origin.boundary, one.origin.operation, one.message) for one in records]


def test_an_error_at_the_end_of_the_main_thread_is_handled(
    runtime: RecordingRuntime, hooks_before: list[str]
) -> None:
    """It is recorded under the name of the program, and the hook before hears of it."""
    reach_the_end(raised(LookupError("no row")))

    assert told(runtime.recorded.records) == [("process", program(), "no row")]
    assert hooks_before == ["process no row"]


def test_the_reports_of_an_uncaught_error_stand_before_its_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two threads that write into standard error at once would tear each other's lines apart."""
    told: list[str] = []

    class Slow:
        name = "slow"

        def report(self, event: Event) -> None:
            threading.Event().wait(0.05)  # what a report takes, and nothing that is waited for
            told.append(event.name)

    def last(*_: object) -> None:
        told.append("traceback")

    monkeypatch.setattr(sys, "excepthook", last)
    runtime = Runtime(Settings(reporters=(), hooks=ONLY_THESE), reporters=[Slow()])
    runtime.install()

    reach_the_end(raised(LookupError("no such order")))
    runtime.uninstall()
    runtime.close()

    assert told == ["error.handled", "traceback"]


def test_an_error_of_a_thread_is_handled(
    runtime: RecordingRuntime, hooks_before: list[str]
) -> None:
    """It is recorded under the thread's name, of which there are few."""
    in_thread(fail)

    assert told(runtime.recorded.records) == [("thread", "worker-N", "no row")]
    assert hooks_before == ["thread no row"]


def test_an_error_of_a_finaliser_is_handled(
    runtime: RecordingRuntime, hooks_before: list[str]
) -> None:
    """It is recorded under the name of the function."""
    Fails()

    assert told(runtime.recorded.records) == [("unraisable", "Fails.__del__", "no row")]
    assert hooks_before == ["unraisable no row"]


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_control_flow_is_no_error(
    runtime: RecordingRuntime, hooks_before: list[str], error: BaseException
) -> None:
    """Exits and interrupts leave no record, and pass on."""
    reach_the_end(raised(error))

    assert runtime.recorded.records == []
    assert hooks_before == [f"process {error}"]


def test_a_thread_may_exit(runtime: RecordingRuntime, hooks_before: list[str]) -> None:
    """`sys.exit` in a thread is no error; other hooks hear of it as without us."""
    in_thread(sys.exit)

    assert runtime.recorded.records == []
    assert hooks_before == ["thread "]


def test_an_error_that_passes_several_hooks_counts_once(runtime: RecordingRuntime) -> None:
    """A hook for threads may well call the one for processes."""
    before = threading.excepthook

    def both(args: threading.ExceptHookArgs) -> None:
        before(args)
        assert args.exc_value is not None
        reach_the_end(args.exc_value)

    threading.excepthook = both
    in_thread(fail)

    assert [record.origin.boundary for record in runtime.recorded.records] == ["thread"]


def test_an_uncaught_error_belongs_to_the_work_it_left(runtime: RecordingRuntime) -> None:
    """By the time it is seen the work is over; the record has its id all the same."""
    left = raised_in("import-1")

    reach_the_end(left)

    assert [record.trace_id for record in runtime.recorded.records] == ["import-1"]


def test_an_error_from_one_of_another_work_belongs_to_the_work_at_hand(
    runtime: RecordingRuntime,
) -> None:
    """What an exception left elsewhere is of no interest within other work."""
    left = raised_in("import-1")

    with work_context("import-2"):
        reach_the_end(left)
        assert current_trace_id() == "import-2"

    assert [record.trace_id for record in runtime.recorded.records] == ["import-2"]


def test_each_hook_is_put_back_on_its_own(runtime: RecordingRuntime) -> None:
    """One that came on top of ours stays; the other two are what they were."""
    foreign = put_on_top()

    runtime.uninstall()

    assert sys.excepthook is foreign
    assert "hooks_before" in repr(threading.excepthook)
    assert "hooks_before" in repr(sys.unraisablehook)


def test_a_hook_that_stayed_in_a_chain_only_passes_on(
    runtime: RecordingRuntime, hooks_before: list[str]
) -> None:
    """Uninstalled below another library's hook it records nothing, and calls the one before."""
    put_on_top()
    runtime.uninstall()
    quiet = RecordingRuntime(
        Settings(reporters=(), hooks=HooksSettings(uncaught=False, logging=False))
    )
    quiet.install()

    reach_the_end(raised(LookupError("no row")))
    quiet.uninstall()

    assert runtime.recorded.records == quiet.recorded.records == []
    assert hooks_before == ["process no row"]


def test_a_runtime_that_comes_back_hears_once(
    runtime: RecordingRuntime, hooks_before: list[str]
) -> None:
    """Put in front again, over a library that kept our former hook, nothing goes in circles."""
    put_on_top()
    runtime.uninstall()
    runtime.install()

    reach_the_end(raised(LookupError("no row")))

    assert len(runtime.recorded.records) == 1
    assert hooks_before == ["process no row"]


def test_a_hook_that_was_overwritten_comes_back_with_the_next_runtime(
    hooks_before: list[str],
) -> None:
    """A program that sets the hook without keeping ours loses it until we are installed anew."""
    runtime = RecordingRuntime(Settings(reporters=(), hooks=ONLY_THESE)).install()
    sys.excepthook = lambda _, error, __: hooks_before.append(f"new {error}")
    runtime.uninstall()
    again = RecordingRuntime(Settings(reporters=(), hooks=ONLY_THESE))
    again.install()

    reach_the_end(raised(LookupError("no row")))
    again.uninstall()

    assert len(again.recorded.records) == 1
    assert hooks_before == ["new no row"]


def test_several_runtimes_share_the_hooks(runtime: RecordingRuntime) -> None:
    """The hooks stay until the last runtime goes, and tell the one that is responsible."""
    other = RecordingRuntime(Settings(reporters=(), hooks=ONLY_THESE))
    other.attach()
    runtime.uninstall()

    reach_the_end(raised(LookupError("no row")))
    other.uninstall()
    reach_the_end(raised(LookupError("no other row")))

    assert len(other.recorded.records) == 1
    assert runtime.recorded.records == []


def test_hooks_that_are_not_asked_for_are_not_put_in_place() -> None:
    """A setting leaves the interpreter's hooks alone."""
    before = sys.excepthook, threading.excepthook, sys.unraisablehook
    quiet = RecordingRuntime(
        Settings(reporters=(), hooks=HooksSettings(uncaught=False, logging=False))
    )

    quiet.install()
    found = sys.excepthook, threading.excepthook, sys.unraisablehook
    quiet.uninstall()

    assert found == before


@pytest.mark.parametrize("sign", ["ps1", "flags"])
def test_an_interactive_interpreter_is_left_alone(
    runtime: RecordingRuntime,
    hooks_before: list[str],
    monkeypatch: pytest.MonkeyPatch,
    sign: str,
) -> None:
    """What is typed at a prompt of Python or IPython goes wrong in front of its user."""
    if sign == "ps1":
        monkeypatch.setattr(sys, "ps1", "In [1]: ", raising=False)
    else:
        monkeypatch.setattr(sys, "flags", SimpleNamespace(interactive=1))

    reach_the_end(raised(NameError("x")))
    in_thread(fail)

    assert is_interactive()
    assert runtime.recorded.records == []
    assert hooks_before == ["process x", "thread no row"]


def test_a_hook_that_raised_before_still_raises(
    runtime: RecordingRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python has its own way with hooks that fail; the error is recorded first."""

    def broken(kind: type[BaseException], error: BaseException, _: TracebackType | None) -> None:
        raise OSError("the hook's own trouble")

    runtime.uninstall()
    monkeypatch.setattr(sys, "excepthook", broken)
    runtime.install()

    with pytest.raises(OSError, match="own trouble"):
        reach_the_end(raised(LookupError("no row")))

    assert len(runtime.recorded.records) == 1


def test_a_failure_of_ours_does_not_keep_the_error_from_the_others(
    runtime: RecordingRuntime, hooks_before: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the end of the interpreter modules are empty, and in a deep recursion nothing can be called."""
    monkeypatch.setattr(uncaught, "capture", None)

    reach_the_end(raised(LookupError("no row")))

    assert runtime.recorded.records == []
    assert hooks_before == ["process no row"]


def test_nothing_of_a_thread_is_kept_alive(runtime: RecordingRuntime) -> None:
    """Neither the thread nor its error outlives its end."""

    class Failure(LookupError):
        """Can be watched."""

    gone: list[weakref.ref[object]] = []

    def fails() -> None:
        error = Failure("no row")
        gone.append(weakref.ref(error))
        gone.append(weakref.ref(threading.current_thread()))
        raise error

    in_thread(fails)
    gc.collect()

    assert len(runtime.recorded.records) == 1
    assert [reference() for reference in gone] == [None, None]


def test_what_fails_in_its_finaliser_is_not_revived(runtime: RecordingRuntime) -> None:
    """An object whose `__del__` raises is gone afterwards, its names unasked."""

    class Wary(Fails):
        """Fails when it is freed, and whenever it is asked for anything."""

        def __getattr__(self, name: str) -> object:
            raise AssertionError(name)

    wary = Wary()
    reference = weakref.ref(wary)
    del wary
    gc.collect()

    assert reference() is None
    assert len(runtime.recorded.records) == 1


def test_an_unraisable_error_of_an_object_goes_by_its_class(runtime: RecordingRuntime) -> None:
    """What is half gone is asked for nothing but its class; addresses are left out of what was done."""
    args: Any = SimpleNamespace(  # nobody can make one of the real class
        exc_type=LookupError,
        exc_value=raised(LookupError("no row")),
        exc_traceback=None,
        err_msg="Exception ignored in <Thing at 0x7f00>",
        object=SimpleNamespace(),
    )

    sys.unraisablehook(args)

    (record,) = runtime.recorded.records
    assert record.origin.operation == "types.SimpleNamespace"
    assert record.origin.attributes == {"while": "Exception ignored in <Thing>"}


@pytest.mark.parametrize(
    ("argument", "name"),
    [
        ("/srv/shop/import.py", "import.py"),
        ("/srv/shop/__main__.py", "shop"),
        ("", "python"),
        ("-c", "-c"),
    ],
)
def test_a_program_goes_by_its_script_or_package(
    monkeypatch: pytest.MonkeyPatch, argument: str, name: str
) -> None:
    """Without its folder, which is another on every machine."""
    monkeypatch.setattr(sys, "argv", [argument])

    assert program() == name


def test_hooks_are_put_in_place_once() -> None:
    """To ask again changes nothing; to take them out twice neither."""
    before = sys.excepthook
    hooks = Uncaught()

    hooks.install()
    once = sys.excepthook
    hooks.install()
    twice = sys.excepthook
    hooks.uninstall()
    hooks.uninstall()

    assert once is twice
    assert sys.excepthook is before
