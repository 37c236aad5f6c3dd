"""When a process leaves: the decision, the budget and its file, the way out, and the signal."""

import fcntl
import json
import logging
import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from holdfast.codes import Severity
from holdfast.errors import DatabaseError
from holdfast.events import Event
from holdfast.handler import Action, Next, Verdict
from holdfast.health import HealthRegistry, HealthStatus
from holdfast.hooks import leaving
from holdfast.hooks.leaving import CrashPolicy, Departure, crash, departure, hosts, ledger, sigterm
from holdfast.hooks.leaving.budget import Budget, Ledger, Ruling
from holdfast.hooks.leaving.ledger import LedgerFile
from holdfast.hooks.leaving.policy import ENDING, SURVIVED
from holdfast.origin import ErrorContext, Origin
from holdfast.record import ErrorRecord
from holdfast.runtime import Runtime
from holdfast.settings import (
    CrashSettings,
    ReportingSettings,
    Settings,
    SettingsError,
    load_settings,
)
from holdfast.testing import FakeClock, RecordingRuntime

HERE = Origin(boundary="test")
BUDGET = Budget(restarts=2, window=600.0)


@pytest.fixture(autouse=True)
def _stays() -> Iterator[None]:
    """Forget that the process was to leave."""
    yield
    departure.forget()


def record(boundary: str = "test", error: Exception | None = None) -> ErrorRecord:
    """Make the record of a bug, or of another error."""
    verdict = RecordingRuntime().handle(error or KeyError("sku"), Origin(boundary=boundary))
    assert verdict.record is not None
    return verdict.record


def runtime(folder: Path, *middleware: str, **told_of: object) -> RecordingRuntime:
    """Make a runtime that counts in a folder."""
    told = {
        "reporters": [],
        "middleware": [f"{__name__}:{name}" for name in middleware],
        "crash": {"state": str(folder), "restarts": 2, **told_of},
    }
    return RecordingRuntime(load_settings(Settings, told, root="", case="lower"))


def names(of: RecordingRuntime) -> list[str]:
    """Return the names of the events other than those of errors."""
    return [event.name for event in of.recorded.events if event.name != "error.handled"]


# The decision.


@pytest.mark.parametrize(
    ("policy", "boundary", "action"),
    [
        (CrashPolicy(), "celery.task", "continue"),
        (CrashPolicy(action="drain"), "celery.task", "drain"),
        (CrashPolicy(action="drain", boundaries={"celery.task": "exit"}), "celery.task", "exit"),
        (CrashPolicy(action="drain", boundaries={"celery.task": "exit"}), "thread", "drain"),
        (CrashPolicy(boundaries={"celery.task": "exit"}), "thread", "continue"),
        (CrashPolicy(action="exit", boundaries={"thread": "continue"}), "thread", "continue"),
        (CrashPolicy(boundaries={"log": "drain"}), "log", "drain"),
        *((CrashPolicy(action="exit"), boundary, "continue") for boundary in sorted(SURVIVED)),
        *((CrashPolicy(action="exit"), boundary, "continue") for boundary in sorted(ENDING)),
        *((CrashPolicy(boundaries={e: "exit"}), e, "continue") for e in sorted(ENDING)),
    ],
)
def test_what_becomes_of_the_process_depends_on_the_boundary(
    policy: CrashPolicy, boundary: str, action: str
) -> None:
    """What was lived through, or ends the process anyway, is left alone; the rest goes by name."""
    assert policy.after(record(boundary)) == action


@pytest.mark.parametrize(
    ("error", "untrusted", "critical"),
    [
        (KeyError("sku"), "exit", "continue"),
        (MemoryError(), "exit", "exit"),
        (RecursionError(), "exit", "exit"),
        (DatabaseError("Cannot reach the database"), "continue", "continue"),
        (TimeoutError(), "continue", "continue"),
    ],
)
def test_only_untrusted_errors_end_a_process_or_only_the_critical_ones(
    error: Exception, untrusted: str, critical: str
) -> None:
    """An error that somebody expected never does."""
    found = record(error=error)

    assert CrashPolicy(action="exit").after(found) == untrusted
    assert CrashPolicy(action="exit", on="critical").after(found) == critical


def test_settings_refuse_what_cannot_be_meant() -> None:
    """Codes at which servers stop altogether, and boundaries where a process ends by itself."""
    with pytest.raises(SettingsError) as caught:
        load_settings(
            Settings,
            {"CRASH": {"EXIT_CODE": 3, "BOUNDARIES": {"startup": "exit"}, "ACTION": "restart"}},
        )

    told = {problem.path for problem in caught.value.problems}
    assert told == {
        "HOLDFAST.CRASH.EXIT_CODE",
        "HOLDFAST.CRASH.BOUNDARIES",
        "HOLDFAST.CRASH.ACTION",
    }


def test_settings_say_what_is_decided() -> None:
    """Every option reaches the policy."""
    given_ = CrashSettings(
        action="drain", on="critical", boundaries={"thread": "exit"}, exit_code=71, grace=5.0
    )

    assert given_.policy() == CrashPolicy(
        action="drain", on="critical", boundaries={"thread": "exit"}, exit_code=71, grace=5.0
    )


# The budget.


@given(st.integers(1, 5), st.lists(st.floats(0, 400), max_size=60), st.floats(1, 1000))
def test_no_window_sees_more_restarts_than_it_may(
    restarts: int, pauses: list[float], window: float
) -> None:
    """Whenever processes ask: at most so many leave in any stretch of that length, and one warning each."""
    budget, kept, now = Budget(restarts, window), Ledger(), 0.0
    granted: list[float] = []
    warned: list[float] = []

    for pause in pauses:
        now += pause
        ruling, kept = budget.judge(kept, now)
        {Ruling.GRANTED: granted, Ruling.SPENT: warned}.get(ruling, []).append(now)

    for start in granted:
        assert sum(0 <= when - start < window for when in granted) <= restarts
    assert all(later - earlier >= window for earlier, later in pairwise(warned))


class Service(RuleBasedStateMachine):
    """Processes of one service that ask, while time goes by."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.now = 1000.0
        self.left: list[float] = []
        self.said: list[float] = []

    @rule()
    def ask(self) -> None:
        """Ask for a restart: granted exactly while there is budget."""
        free = len(self._recent(self.left)) < BUDGET.restarts
        silent = not self._recent(self.said)

        ruling, self.ledger = BUDGET.judge(self.ledger, self.now)

        expected = Ruling.GRANTED if free else Ruling.SPENT if silent else Ruling.REFUSED
        assert ruling is expected
        if ruling is Ruling.GRANTED:
            self.left.append(self.now)
        elif ruling is Ruling.SPENT:
            self.said.append(self.now)

    @rule(seconds=st.sampled_from([0.0, 1.0, 299.0, 300.0, 600.0]))
    def wait(self, seconds: float) -> None:
        """Let time go by."""
        self.now += seconds

    @invariant()
    def stays_small(self) -> None:
        """Remember no more than what counts."""
        assert len(self.ledger.restarts) <= BUDGET.restarts

    def _recent(self, times: list[float]) -> list[float]:
        return [when for when in times if self.now - when < BUDGET.window]


TestService = Service.TestCase


def test_what_was_counted_before_the_machine_started_anew_is_forgotten() -> None:
    """Its monotonic clock begins at 0, so that it seems to lie ahead."""
    ruling, kept = BUDGET.judge(Ledger((5000.0, 5001.0), warned=5002.0), 10.0)

    assert (ruling, kept) == (Ruling.GRANTED, Ledger((10.0,)))


# The file.

TAKE = """
import sys
from holdfast.clock import SystemClock
from holdfast.hooks.leaving.budget import Budget
from holdfast.hooks.leaving.ledger import LedgerFile
file = LedgerFile("shop", sys.argv[1])
sys.stdin.read()
print(*(file.take(Budget(5, 600.0), SystemClock()).value for _ in range(10)))
"""


def test_processes_share_one_budget(tmp_path: Path) -> None:
    """Four that ask at the same time get together what one would, and one is told that it is spent."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", TAKE, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None

    rulings = " ".join(process.communicate()[0] for process in processes).split()

    assert len(rulings) == 40
    assert rulings.count("granted") == 5
    assert rulings.count("spent") == 1


def test_the_time_is_read_while_the_file_is_locked(tmp_path: Path) -> None:
    """By an earlier time, what another process has just written would not count."""
    file = LedgerFile("shop", str(tmp_path))
    asked: list[bool] = []

    class Watching(FakeClock):
        def monotonic(self) -> float:
            """Try to lock the file as well."""
            with (tmp_path / file.name).open() as other, pytest.raises(BlockingIOError):
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            asked.append(True)
            return 0.0

    file.take(BUDGET, Watching())

    assert asked == [True]


@pytest.mark.parametrize("spent", [0, 1])
def test_an_error_that_interrupts_the_question_for_a_restart_is_answered_at_once(
    tmp_path: Path, spent: int
) -> None:
    """A finaliser or a signal handler comes on the thread that asks, which then goes on."""
    made = runtime(tmp_path, action="drain", restarts=1)
    for _ in range(spent):
        runtime(tmp_path, action="drain", restarts=1).handle(KeyError("first"), HERE)
    between: list[Action] = []

    class Interrupted(FakeClock):
        def monotonic(self) -> float:
            """Have an error come in between."""
            between.append(made.handle(KeyError("in between"), HERE).action)
            return 0.0

    at_work = made.handler.leaving
    assert isinstance(at_work, crash.Crash)
    at_work._clock = Interrupted()

    verdict = made.handle(KeyError("sku"), HERE)

    assert between == [Action.RESPOND]
    assert verdict.action is (Action.RESPOND if spent else Action.EXIT)
    assert names(made) == ["crash.budget_spent"] * spent
    assert len(made.departures) == 1 - spent


def test_nobody_waits_while_another_thread_asks_for_a_restart(tmp_path: Path) -> None:
    """Its error is answered, and the process leaves after the other's."""
    made = runtime(tmp_path, action="drain")
    at_work = made.handler.leaving
    assert isinstance(at_work, crash.Crash)
    with at_work._asking:
        assert made.handle(KeyError("sku"), HERE).action is Action.RESPOND


def test_a_forked_child_begins_with_a_lock_of_its_own(tmp_path: Path) -> None:
    """Another thread may have held it when the process was forked."""
    made = runtime(tmp_path, action="drain")
    at_work = made.handler.leaving
    assert isinstance(at_work, crash.Crash)
    with at_work._asking:
        crash._forget_threads()  # what the child does

        assert made.handle(KeyError("sku"), HERE).action is Action.EXIT


def test_services_have_a_budget_each(tmp_path: Path) -> None:
    """Even if their names look alike once they are fit for a file."""
    for service in ("shop/eu", "shop_eu", "../shop", "x" * 300):
        file = LedgerFile(service, str(tmp_path))

        assert [file.take(BUDGET, FakeClock()) for _ in range(3)] == [
            Ruling.GRANTED,
            Ruling.GRANTED,
            Ruling.SPENT,
        ]
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize(
    "content", ["", "nonsense", "[]", "7", '{"restarts": 3}', '{"restarts": ["a"]}', "[" * 20_000]
)
def test_a_damaged_file_is_written_anew(tmp_path: Path, content: str) -> None:
    """It is nobody's count."""
    file = LedgerFile("shop", str(tmp_path))
    (tmp_path / file.name).write_text(content)

    assert file.take(BUDGET, FakeClock()) is Ruling.GRANTED
    assert json.loads((tmp_path / file.name).read_text()) == {"restarts": [0.0], "warned": None}


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder that the system's own files are put into."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_by_default_the_count_is_kept_where_only_this_user_can_reach_it(temporary: Path) -> None:
    """In a folder of its own among the temporary ones."""
    file = LedgerFile("shop")

    file.take(BUDGET, FakeClock())

    (folder,) = temporary.iterdir()
    assert folder.name == f"holdfast-{os.geteuid()}"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / file.name).stat().st_mode) == 0o600


def others_folder(folder: Path, _: str) -> None:
    """Make the folder one that everybody may write to."""
    folder.mkdir()
    folder.chmod(0o777)


def link_as_folder(folder: Path, _: str) -> None:
    """Make the folder a link to another."""
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    folder.symlink_to(elsewhere)


def link_as_file(folder: Path, name: str) -> None:
    """Make the file a link to one that is to be overwritten."""
    folder.mkdir(mode=0o700)
    (folder.parent / "precious").write_text("kept")
    (folder / name).symlink_to(folder.parent / "precious")


def pipe_as_file(folder: Path, name: str) -> None:
    """Make the file one that does not end."""
    folder.mkdir(mode=0o700)
    os.mkfifo(folder / name)


@pytest.mark.parametrize("prepare", [others_folder, link_as_folder, link_as_file, pipe_as_file])
def test_what_another_user_may_have_prepared_is_not_used(
    temporary: Path, prepare: Callable[[Path, str], None]
) -> None:
    """Neither a folder that others can write to, nor a link, nor a pipe."""
    file = LedgerFile("shop")
    prepare(temporary / f"holdfast-{os.geteuid()}", file.name)

    with pytest.raises(OSError, match=r".+"):
        file.take(BUDGET, FakeClock())

    precious = temporary / "precious"
    assert not precious.exists() or precious.read_text() == "kept"


def test_a_lock_that_is_held_for_long_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows the count then."""
    monkeypatch.setattr(ledger, "_TRIES", 2)
    file = LedgerFile("shop", str(tmp_path))
    with (tmp_path / file.name).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)

        with pytest.raises(TimeoutError, match="holds the file"):
            file.take(BUDGET, FakeClock())


# The verdict.


def test_the_process_goes_on_by_default(tmp_path: Path) -> None:
    """A bug is answered, and that is all."""
    made = runtime(tmp_path)

    assert made.handle(KeyError("sku"), HERE).action is Action.RESPOND
    assert made.departures == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("action", "grace"), [("drain", 12.0), ("exit", None)])
def test_the_verdict_is_exit_and_has_an_answer(
    tmp_path: Path, action: str, grace: float | None
) -> None:
    """The process leaves once it is given; how long it waits depends on the action."""
    made = runtime(tmp_path, action=action, grace=12, exit_code=71)

    verdict = made.handle(KeyError("sku"), HERE)

    assert verdict.action is Action.EXIT
    assert verdict.answer is not None
    assert verdict.record is not None
    assert made.departures == [
        Departure(
            code=71,
            grace=grace,
            reason="leaving after an error",
            error_code="INTERNAL_ERROR",
            fingerprint=verdict.record.fingerprint,
            boundary="test",
        )
    ]


def test_one_error_ends_one_process_however_often_it_is_seen(tmp_path: Path) -> None:
    """A second boundary gets the same verdict, and nothing is counted again."""
    made, error = runtime(tmp_path, action="drain", restarts=1), KeyError("sku")

    verdicts = [made.handle(error, HERE).action for _ in range(3)]

    assert verdicts == [Action.EXIT] * 3
    assert len(made.departures) == 1


def test_what_was_logged_before_it_ends_a_thread_ends_the_process_once(tmp_path: Path) -> None:
    """The boundary that it reaches decides anew: about the same record, which is reported once."""
    made = runtime(tmp_path, action="exit", restarts=1)
    error = KeyError("sku")

    actions = [
        made.handle(error, Origin(boundary=boundary)).action
        for boundary in ("log", "log", "thread", "thread", "log", "consumer")
    ]

    assert actions == [Action.RESPOND] * 2 + [Action.EXIT] * 4
    assert [found.origin.boundary for found in made.recorded.records] == ["log"]
    assert [(each.boundary, each.grace) for each in made.departures] == [("thread", None)]


@pytest.mark.parametrize(
    ("raised", "action"),
    [(RuntimeError("no order"), Action.EXIT), (DatabaseError("No order"), Action.RESPOND)],
)
def test_what_was_raised_from_a_logged_error_is_decided_by_what_it_is(
    tmp_path: Path, raised: Exception, action: Action
) -> None:
    """As if nothing had been logged; the record is that of the logged error."""
    made, logged = runtime(tmp_path, action="exit", restarts=1), KeyError("sku")
    made.handle(logged, Origin(boundary="log"))
    raised.__cause__ = logged

    actions = [made.handle(raised, Origin(boundary="thread")).action for _ in range(2)]

    assert actions == [action] * 2
    assert len(made.recorded.records) == 1


def test_a_thread_that_logs_and_raises_has_the_process_leave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the hooks in place, as without the line in the log."""

    def silent(_: threading.ExceptHookArgs) -> None:
        """Stand in for pytest's, which complains."""

    monkeypatch.setattr(threading, "excepthook", silent)
    made = runtime(tmp_path, action="exit", restarts=1)
    made.install()

    def work() -> None:
        try:
            raise KeyError("sku")
        except KeyError:
            logging.getLogger("shop").exception("cannot ship")
            raise

    failing = threading.Thread(target=work)
    failing.start()
    failing.join()
    made.uninstall()

    assert [found.origin.boundary for found in made.recorded.records] == ["log"]
    assert [each.boundary for each in made.departures] == ["thread"]


def test_a_spent_budget_keeps_the_process_and_is_said_once(tmp_path: Path) -> None:
    """Each process of a service finds out by itself; one of them tells."""
    made = [runtime(tmp_path, action="drain") for _ in range(5)]

    actions = [each.handle(KeyError("sku"), HERE).action for each in made]

    assert actions == [Action.EXIT] * 2 + [Action.RESPOND] * 3
    told = [event for each in made for event in each.recorded.events]
    (spent,) = [event for event in told if event.name == "crash.budget_spent"]
    assert spent.severity is Severity.WARNING
    assert (spent.attributes["restarts"], spent.attributes["window"]) == (2, 600.0)


def test_a_budget_comes_back(tmp_path: Path) -> None:
    """After the window another process may leave."""
    early, late = (runtime(tmp_path, action="drain", restarts=1) for _ in range(2))
    early.handle(KeyError("sku"), HERE)
    assert isinstance(late.clock, FakeClock)

    late.clock.advance(600)

    assert late.handle(KeyError("sku"), HERE).action is Action.EXIT


def test_nobody_leaves_when_nobody_can_count(tmp_path: Path) -> None:
    """Processes that cannot write would start over for ever; it is said once in a window."""
    (tmp_path / "file").write_text("")
    made = runtime(tmp_path / "file", action="drain")

    actions = {made.handle(KeyError("sku"), HERE).action for _ in range(3)}

    assert actions == {Action.RESPOND}
    assert names(made) == ["crash.state_lost"]
    assert isinstance(made.clock, FakeClock)
    made.clock.advance(600)
    made.handle(KeyError("sku"), HERE)
    assert names(made) == ["crash.state_lost"] * 2


def asks_to_leave(error: BaseException, context: ErrorContext, following: Next) -> Verdict:
    """Have the process leave, whatever the error."""
    return replace(following(error, context), action=Action.EXIT)


def begs_to_stay(error: BaseException, context: ErrorContext, following: Next) -> Verdict:
    """Have the process go on, whatever the error."""
    return replace(following(error, context), action=Action.RESPOND)


def test_a_step_of_the_pipeline_may_have_the_process_leave(tmp_path: Path) -> None:
    """It drains, within the budget."""
    made = [runtime(tmp_path, "asks_to_leave", restarts=1) for _ in range(2)]

    actions = [each.handle(DatabaseError("gone"), HERE).action for each in made]

    assert actions == [Action.EXIT] * 2
    assert [departure.grace for departure in made[0].departures] == [30.0]
    assert made[1].departures == []


def test_a_step_of_the_pipeline_may_keep_the_process(tmp_path: Path) -> None:
    """It knows better than the settings."""
    made = runtime(tmp_path, "begs_to_stay", action="exit")

    assert made.handle(KeyError("sku"), HERE).action is Action.RESPOND
    assert made.departures == []


class Broken:
    """Decides nothing."""

    def decide(self, record: ErrorRecord) -> bool:
        """Fail."""
        raise ZeroDivisionError

    def begin(self, record: ErrorRecord | None) -> None:
        """Fail."""
        raise ZeroDivisionError


@pytest.mark.parametrize("middleware", [(), ("asks_to_leave",)])
def test_the_answer_comes_out_whatever_fails_in_leaving(
    tmp_path: Path, middleware: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """The process goes on, and standard error says why."""
    made = runtime(tmp_path, *middleware, action="drain")
    made.handler.leaving = Broken()

    verdict = made.handle(KeyError("sku"), HERE)

    assert verdict.answer is not None
    assert verdict.answer.status == 500
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_runtime_that_was_only_made_ends_no_process(tmp_path: Path) -> None:
    """It has to be installed, or an adapter's."""
    settings = Settings(reporters=(), crash=CrashSettings(action="exit", state=str(tmp_path)))

    verdict = Runtime(settings).handle(KeyError("sku"), HERE)

    assert verdict.action is Action.RESPOND


# Readiness.


def test_what_is_not_ready_fails_the_report_and_nothing_else() -> None:
    """Checks are run and told all the same."""
    registry = HealthRegistry(FakeClock())
    registry.register_check("disk", lambda: True)

    registry.mark_unready("warming up")
    report = registry.get_health_status()

    assert report.status is HealthStatus.FAIL
    assert [(each.name, each.status.value, each.output) for each in report.results] == [
        ("process:readiness", "fail", "warming up"),
        ("disk", "pass", ""),
    ]
    assert list(registry.run_all_checks()) == ["disk"]
    registry.mark_ready()
    assert registry.get_health_status().status is HealthStatus.PASS


def test_readiness_needs_a_reason() -> None:
    """Whoever asks has a right to know."""
    with pytest.raises(ValueError, match="needs a reason"):
        HealthRegistry().mark_unready("")


def test_a_registry_asks_whether_the_process_is_stopping() -> None:
    """Each time, so that nobody has to be told."""
    answers = iter(["", "terminated"])
    registry = HealthRegistry(FakeClock(), stopping=lambda: next(answers))

    assert [registry.get_health_status().status.value for _ in range(2)] == ["pass", "fail"]


# The way out.


class Stoppable:
    """A server that takes note of being asked."""

    brief = 0.0

    def __init__(self, exit_code: int | None = None) -> None:
        self.asked = 0
        self.exit_code = exit_code

    def stop(self) -> bool:
        """Take note."""
        self.asked += 1
        return True

    def is_stopping(self) -> bool:
        """Tell whether it was asked."""
        return self.asked > 0


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Undo a departure, which is not carried out; the event is set when it would have been."""
    over, way = threading.Event(), departure._state.way

    def end(_: int) -> None:
        over.set()

    monkeypatch.setattr(departure, "_end", end)
    yield over
    departure.use(way)


def test_a_process_that_leaves_is_not_ready_and_its_server_is_asked_to_stop(
    left: threading.Event,
) -> None:
    """All runtimes in charge are told, and after the grace it is over; `sys.exit` stays as it is."""
    made, way, plain = RecordingRuntime().install(), Stoppable(), sys.exit
    leaving.use(way)
    assert isinstance(made, RecordingRuntime)

    departure.begin(Departure(code=71, grace=0.0, reason="leaving after an error"))
    departure.begin(Departure(code=72, grace=0.0, reason="once more"))

    assert left.wait(5)
    assert way.asked == 1
    assert leaving.is_leaving()
    assert made.health.unready == "leaving after an error"
    assert sys.exit is plain
    with pytest.raises(SystemExit, match="71"):
        departure.leave()
    made.close()
    assert names(made) == ["process.draining", "process.leaving"]
    assert made.recorded.events[0].attributes["exit_code"] == 71
    departure.forget()
    departure.leave()
    assert not leaving.is_leaving()
    made.uninstall()


def test_a_host_may_have_a_code_of_its_own_for_those_that_leave(left: threading.Event) -> None:
    """It counts where the process ends by itself, and in what is reported."""
    made = RecordingRuntime().install()
    assert isinstance(made, RecordingRuntime)
    leaving.use(Stoppable(exit_code=155))

    departure.begin(Departure(code=71, grace=0.0, reason="leaving after an error"))

    with pytest.raises(SystemExit, match="155"):
        departure.leave()
    assert made.recorded.events[0].attributes["exit_code"] == 155
    assert left.wait(5)
    made.uninstall()


def test_what_fails_while_the_process_leaves_is_delivered_before_it_is_answered(
    left: threading.Event,
) -> None:
    """There may be no later; but a reporter that is late once is not waited for again."""
    delivered: list[str] = []
    busy = threading.Event()

    class Reporter:
        name = "slow"

        def report(self, event: Event) -> None:
            """Wait until it may."""
            busy.wait(5)
            delivered.append(event.name)

    settings = Settings(reporters=(), reporting=ReportingSettings(flush_timeout=0.1))
    made = Runtime(settings, reporters=[Reporter()]).install()
    try:
        made.handle(KeyError("before"), HERE)
        departure.terminated("SIGTERM")
        busy.set()
        made.handle(KeyError("meanwhile"), HERE)
        assert delivered == ["error.handled", "process.draining", "error.handled"]
        busy.clear()
        made.handle(KeyError("late"), HERE)
        made.handle(KeyError("later"), HERE)
        assert made._is_late
    finally:
        busy.set()
        made.uninstall()
        made.close()


def test_further_errors_of_a_process_that_leaves_cost_nothing(
    tmp_path: Path, left: threading.Event
) -> None:
    """It leaves once, and it is counted once."""
    leaving.use(Stoppable())
    departure.begin(Departure(code=70, grace=0.0, reason="leaving after an error"))
    made = runtime(tmp_path, action="drain")

    assert made.handle(KeyError("sku"), HERE).action is Action.EXIT
    assert list(tmp_path.iterdir()) == []
    assert left.wait(5)


def test_who_is_ended_by_somebody_else_does_not_leave_by_itself(
    tmp_path: Path, left: threading.Event
) -> None:
    """The exit code is the supervisor's to expect."""
    made = runtime(tmp_path, action="drain")

    departure.terminated("SIGTERM")

    assert made.handle(KeyError("sku"), HERE).action is Action.RESPOND
    assert made.health.unready == "terminated"


def made_by(library: str) -> type:
    """Make the class of a server, as a library would."""

    class Server:
        alive = True
        should_exit = False
        signals: tuple[int, ...] = ()

        def handle_exit(self, signum: int, frame: FrameType | None) -> None:
            """Take a signal."""
            self.signals += (signum,)

    Server.__module__ = f"{library}.server"
    return type("OfTheProject", (Server,), {})


@pytest.fixture
def handled() -> Iterator[Callable[[object], None]]:
    """Put handlers of SIGTERM in place until the test is over."""
    before = signal.getsignal(signal.SIGTERM)

    def handle(handler: object) -> None:
        signal.signal(signal.SIGTERM, handler)  # type: ignore[arg-type]  # a handler, or one of signal's own

    yield handle
    sigterm.hook.uninstall()
    sigterm.hook._before = None  # it may have been left below another
    signal.signal(signal.SIGTERM, before)


def test_uvicorn_is_told_to_exit(handled: Callable[[object], None]) -> None:
    """Without a signal, after which it would end by that."""
    server = made_by("uvicorn")()
    handled(server.handle_exit)
    way = hosts.ServerWay()

    assert not way.is_stopping()
    assert way.stop()
    assert server.should_exit
    assert server.signals == ()
    assert way.is_stopping()


@pytest.mark.parametrize("library", ["gunicorn", "shop"])
def test_any_other_server_gets_the_signal_it_handles(
    handled: Callable[[object], None], library: str
) -> None:
    """Also from behind our own handler."""
    server = made_by(library)()
    handled(server.handle_exit)
    sigterm.hook.install()

    assert hosts.ServerWay().stop()
    assert server.signals == (signal.SIGTERM,)


@pytest.mark.parametrize(("library", "stopping"), [("gunicorn", True), ("shop", False)])
def test_a_worker_of_gunicorn_that_is_not_alive_is_stopping(
    handled: Callable[[object], None], library: str, *, stopping: bool
) -> None:
    """Even if our handler was not there when the signal came; what others mean by it nobody knows."""
    server = made_by(library)()
    handled(server.handle_exit)
    server.alive = False

    assert hosts.ServerWay().is_stopping() is stopping


@pytest.mark.parametrize("handler", [signal.SIG_DFL, signal.SIG_IGN])
def test_where_nobody_handles_the_signal_nobody_is_asked(
    handled: Callable[[object], None], handler: signal.Handlers
) -> None:
    """The process is run by its own code alone."""
    handled(handler)

    assert not hosts.ServerWay().stop()


# The signal.


def test_the_handler_that_was_there_is_called_and_put_back(
    handled: Callable[[object], None], left: threading.Event
) -> None:
    """We are told, it does what it did, and nothing of ours is left."""
    server, made = made_by("gunicorn")(), RecordingRuntime()
    handled(server.handle_exit)
    made.install()

    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGTERM)
    made.uninstall()

    assert server.signals == (signal.SIGTERM, signal.SIGTERM)
    assert names(made) == ["process.draining"]
    assert made.recorded.events[0].attributes == {"reason": "SIGTERM"}
    assert made.recorded.events[0].severity is Severity.INFO
    assert made.health.unready == "SIGTERM"
    assert signal.getsignal(signal.SIGTERM) == server.handle_exit


def test_a_handler_on_top_of_ours_is_left_there(handled: Callable[[object], None]) -> None:
    """Taken out, ours only passes on."""
    below, above, made = made_by("a")(), made_by("b")(), RecordingRuntime()
    handled(below.handle_exit)
    made.install()
    ours = signal.getsignal(signal.SIGTERM)

    handled(above.handle_exit)
    made.uninstall()

    assert signal.getsignal(signal.SIGTERM) == above.handle_exit
    assert callable(ours)
    ours(signal.SIGTERM, None)
    assert below.signals == (signal.SIGTERM,)
    assert names(made) == []


@pytest.mark.parametrize("handler", [signal.SIG_IGN, None])
def test_a_signal_that_python_does_not_handle_stays_so(
    handled: Callable[[object], None], handler: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is ignored on purpose, or somebody else's."""
    if handler is None:
        monkeypatch.setitem(sys.modules, "uwsgi", sys)
        handler = signal.SIG_DFL
    handled(handler)

    sigterm.hook.install()

    assert signal.getsignal(signal.SIGTERM) == handler


def test_only_the_main_thread_listens(handled: Callable[[object], None]) -> None:
    """Python allows it nowhere else."""
    handled(signal.SIG_DFL)
    thread = threading.Thread(target=sigterm.hook.install)
    thread.start()
    thread.join()

    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
