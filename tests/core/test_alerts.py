"""Alerts of a runtime: from an event to what people are told."""

import os
import sys
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest

from holdfast import AppError, ErrorCode, Event, Origin, Runtime, Severity
from holdfast.events import Scalar
from holdfast.reporting.alerts.folding import Due
from holdfast.reporting.alerts.message import AlertMessage
from holdfast.reporting.alerts.seen_file import SeenInFile
from holdfast.reporting.alerts.tallies import Heard
from holdfast.settings import QuietHoursSettings, Settings, SettingsError, load_settings
from holdfast.testing import FakeClock, RecordingRuntime

ORIGIN = Origin(boundary="job", operation="import")
kept: list[AlertMessage] = []


@pytest.fixture(autouse=True)
def _nothing_kept() -> None:
    """Begin without messages."""
    kept.clear()
    came.clear()


def keep(message: AlertMessage) -> None:
    """Keep a message: the action of rules under test."""
    kept.append(message)


class Told(NamedTuple):
    """The part of a message that most tests are about."""

    rule: str
    key: str
    stage: str
    events: int
    total: int


def told() -> list[Told]:
    """Return the messages so far."""
    return [Told(m.rule, m.key, m.stage.value, m.count, m.total) for m in kept]


HERE = f"{__name__}:keep"


def runtime_with(rules: Mapping[str, Mapping[str, object]], **alerts: object) -> RecordingRuntime:
    """Return a runtime whose rules tell this module."""
    written = {name: {"ACTION": HERE, **rule} for name, rule in rules.items()}
    given: dict[str, object] = {"SERVICE": "shop", "REPORTERS": ()}
    for name in ("ENVIRONMENT", "RELEASE"):
        given[name] = alerts.pop(name, "")
    given["ALERTS"] = {"RULES": written, **alerts}
    return RecordingRuntime(load_settings(Settings, given))


def fail(
    runtime: RecordingRuntime, times: int = 1, code: ErrorCode = ErrorCode.DATABASE_ERROR
) -> None:
    """Handle errors."""
    for _ in range(times):
        runtime.handle(AppError(code, "no"), ORIGIN)


def advance(runtime: RecordingRuntime, seconds: float) -> None:
    """Let time pass, and the alerts see it."""
    assert isinstance(runtime.clock, FakeClock)
    assert runtime.alerts is not None
    runtime.clock.advance(seconds)
    runtime.alerts.tick()


def test_an_alert_opens_goes_on_and_is_over() -> None:
    """One message at first, a summary with the count after the cool-down, and one that it is over."""
    runtime = runtime_with({"any": {"COOL_DOWN": 60, "RECOVER_AFTER": 300}})

    fail(runtime, 500)
    advance(runtime, 60)
    fail(runtime, 20)
    advance(runtime, 60)
    advance(runtime, 299)

    assert told() == [
        ("any", "DATABASE_ERROR", "opened", 1, 1),
        ("any", "DATABASE_ERROR", "continues", 499, 500),
        ("any", "DATABASE_ERROR", "continues", 20, 520),
        ("any", "DATABASE_ERROR", "recovered", 0, 520),
    ]
    assert len({message.id for message in kept}) == 1


def test_without_rules_there_is_nothing() -> None:
    """Who has no rules pays for none: nothing listens, nothing is loaded."""
    assert RecordingRuntime().alerts is None


def test_any_event_can_have_an_alert() -> None:
    """By its name, with its attributes as further facts."""
    runtime = runtime_with(
        {"circuits": {"ON": "circuit.opened", "WHERE": {"circuit": "pay*"}, "BY": "name"}}
    )

    emit(runtime, "circuit.opened", circuit="payments")
    emit(runtime, "circuit.opened", circuit="search")
    emit(runtime, "circuit.closed", circuit="payments")

    assert told() == [("circuits", "circuit.opened", "opened", 1, 1)]
    assert kept[0].attributes == {"circuit": "payments"}
    assert kept[0].record is None


def test_a_message_says_what_happened_and_where() -> None:
    """The latest error is in it, and whose it was."""
    runtime = runtime_with({"any": {}}, ENVIRONMENT="production", RELEASE="1.2")

    fail(runtime)

    (message,) = kept
    assert (message.service, message.environment, message.release) == ("shop", "production", "1.2")
    assert message.severity == Severity.ERROR
    assert message.title == "any: DATABASE_ERROR"
    assert message.record is not None
    assert message.record.message == "no"
    assert message.attributes["operation"] == "import"
    assert message.time == message.since == runtime.clock.now()


def test_work_that_was_tried_again_in_vain_has_a_rule() -> None:
    """Only what failed for good after several attempts is told: of tasks, and of messages."""
    runtime = runtime_with({"exhausted": {"WHERE": {"retried": "True"}, "BY": "operation"}})

    for operation, attributes in (
        ("first", {"retries": 0}),
        ("task", {"retries": 3}),
        ("message", {"attempt": 5, "attempts": 5}),
        ("none", {}),
    ):
        origin = Origin(boundary="celery.task", operation=operation, attributes=attributes)
        runtime.handle(ConnectionError("no"), origin)

    assert [message.key for message in kept] == ["task", "message"]


def test_facts_of_the_classification_can_be_asked_for() -> None:
    """Category and transience, beside what the event says."""
    runtime = runtime_with(
        {"db": {"WHERE": {"category": "DATABASE"}}, "passing": {"WHERE": {"transient": "True"}}}
    )

    fail(runtime, code=ErrorCode.DATABASE_ERROR)
    fail(runtime, code=ErrorCode.DB_CONNECTION_ERROR)
    fail(runtime, code=ErrorCode.INTERNAL_ERROR)

    assert [(message.rule, message.key) for message in kept] == [
        ("db", "DATABASE_ERROR"),
        ("db", "DB_CONNECTION_ERROR"),
        ("passing", "DB_CONNECTION_ERROR"),
    ]


def test_what_was_seen_before_is_not_new() -> None:
    """A code is told when it is seen for the first time, and not again when the alert is over."""
    runtime = runtime_with({"new": {"WHEN": "first_seen", "RECOVER_AFTER": 60}})

    fail(runtime, 3)
    advance(runtime, 100)
    fail(runtime, 3)
    fail(runtime, code=ErrorCode.INTERNAL_ERROR)

    assert [(message.key, message.stage.value) for message in kept] == [
        ("DATABASE_ERROR", "opened"),
        ("DATABASE_ERROR", "recovered"),
        ("INTERNAL_ERROR", "opened"),
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="the file is locked by flock()")
def test_a_folder_remembers_for_all_processes_of_a_host(tmp_path: Path) -> None:
    """What one has seen is not new to another, nor to a later one; a release is compared with the last."""
    state = {"STATE": str(tmp_path / "state")}
    rules = {"first": {"WHEN": "first_seen"}, "release": {"WHEN": "new_in_release"}}
    found: list[list[str]] = []

    for release, codes in (
        ("1", "D"),
        ("1", "D"),
        ("2", "DI"),
        ("2", "DI"),
        ("4", "I"),
        ("5", "D"),
    ):
        kept.clear()
        runtime = runtime_with(rules, RELEASE=release, **state)
        for code in codes:
            fail(
                runtime, code=ErrorCode.DATABASE_ERROR if code == "D" else ErrorCode.INTERNAL_ERROR
            )
        found.append([f"{message.rule} {message.key[0]}" for message in kept])

    assert found == [
        ["first D"],
        [],
        ["first I", "release I"],
        [],
        [],
        ["release D"],
    ]


def test_a_file_that_makes_no_sense_is_begun_anew(tmp_path: Path) -> None:
    """Half a file, or another one, keeps nobody from being told."""
    seen = SeenInFile(tmp_path, "shop")
    (path,) = [tmp_path / seen._path.name]
    for text in ("", "{", "[]", '{"releases": 1, "keys": {}}', '{"keys": {}}'):
        path.write_text(text)

        assert SeenInFile(tmp_path, "shop").note(["A"], "1") == {"A": (True, False)}
        assert SeenInFile(tmp_path, "shop").note(["A"], "1") == {"A": (False, False)}


def test_quiet_hours_hold_what_is_less_grave() -> None:
    """It comes as one summary when they are over; what is graver comes at once."""
    runtime = runtime_with(
        {"any": {"BY": "operation", "COOL_DOWN": 3600, "RECOVER_AFTER": 7200}},
        QUIET_HOURS={"START": "10:00", "END": "12:00", "ZONE": "UTC"},
    )

    fail(runtime, 3)
    runtime.handle(RecursionError("deep"), Origin(boundary="job", operation="deep"))
    advance(runtime, 3600)
    before = told()
    advance(runtime, 1800)

    assert before == [("any", "deep", "opened", 1, 1)]
    assert [(m.rule, m.title, m.count, dict(m.attributes)) for m in kept[1:]] == [
        ("quiet-hours", "1 alert in quiet hours, 0 over by now; 3 events", 3, {"any: import": 3})
    ]


@pytest.mark.parametrize(
    ("hour", "day", "quiet"),
    [
        (21, 15, False),
        (22, 15, True),
        (23, 19, True),  # a Friday
        (3, 20, True),  # it began on Friday
        (23, 20, False),
        (3, 21, False),
        (3, 22, False),
        (7, 16, False),
    ],
)
def test_quiet_hours_begin_on_their_days(hour: int, day: int, *, quiet: bool) -> None:
    """They may go past midnight, in the zone that they are said in."""
    told_hours = QuietHoursSettings(
        zone="Europe/Paris", days=frozenset({"mon", "tue", "wed", "thu", "fri"})
    )
    moment = datetime(2024, 1, day, hour, tzinfo=ZoneInfo("Europe/Paris")).astimezone(UTC)

    assert told_hours.hours().are_on(moment) is quiet


def test_quiet_hours_follow_the_clocks_of_their_zone() -> None:
    """When clocks change, so do they."""
    hours = QuietHoursSettings(zone="Europe/Paris").hours()

    winter, summer = (datetime(2024, month, 15, 5, 30, tzinfo=UTC) for month in (1, 7))

    assert (hours.are_on(winter), hours.are_on(summer)) == (True, False)


def test_an_action_that_fails_hurts_nobody() -> None:
    """Other rules are told, and the error's verdict stands."""
    runtime = runtime_with({"broken": {"ACTION": f"{__name__}:refuse"}, "any": {}})

    verdict = runtime.handle(AppError(ErrorCode.DATABASE_ERROR, "no"), ORIGIN)

    assert verdict.record is not None
    assert [message.rule for message in kept] == ["any"]
    assert runtime.alerts is not None
    assert [line.dropped for line in runtime.alerts.deliveries()] == [1, 0]


def test_what_telling_causes_is_not_told() -> None:
    """An action that fails and handles its own failure does not go in circles."""
    runtime = runtime_with({"circular": {"ACTION": f"{__name__}:handle_another"}})
    circular.append(runtime)

    try:
        fail(runtime)
    finally:
        circular.clear()

    assert len(kept) == 1


def test_a_thread_of_its_own_tells() -> None:
    """Whoever handles an error waits for nobody; flushing waits for what is on its way."""
    runtime = live_runtime({"any": {}})

    runtime.handle(AppError(ErrorCode.DATABASE_ERROR, "no"), ORIGIN)
    flushed = runtime.flush(20)
    runtime.close()

    assert flushed
    assert told() == [("any", "DATABASE_ERROR", "opened", 1, 1)]
    assert threads == ["holdfast-alerts-action of any"]


def test_an_event_is_seen_that_comes_when_the_thread_falls_asleep() -> None:
    """It was still awake for whoever counted the event, and looks once more."""
    runtime = live_runtime({"both": {"COUNT": 2, "BY": "none"}})
    alerts = runtime.alerts
    assert alerts is not None
    fold, late = alerts._folding.fold, threading.Event()
    other = Event(
        name="error.handled", severity=Severity.ERROR, time=WHEN, attributes={"code": "LATE"}
    )

    def fold_while_another_counts(heard: Sequence[Heard]) -> list[Due]:
        if not heard and not late.is_set():
            late.set()
            counting = threading.Thread(target=alerts.hear, args=(other,))
            counting.start()
            counting.join()
        return fold(heard)

    alerts._folding.fold = fold_while_another_counts  # type: ignore[method-assign]  # to come in between
    runtime.handle(AppError(ErrorCode.DATABASE_ERROR, "no"), ORIGIN)
    assert late.wait(20)
    arrived = [came.wait(20)]
    runtime.close()

    assert arrived == [True]
    assert told() == [("both", "", "opened", 2, 2)]


def test_closing_tells_what_is_left() -> None:
    """An alert that has anything to tell gets a last summary; that it is over, nobody claims."""
    runtime = live_runtime({"any": {}})
    for _ in range(3):
        runtime.handle(AppError(ErrorCode.DATABASE_ERROR, "no"), ORIGIN)
        runtime.flush(20)

    runtime.close()

    assert [(message.stage.value, message.count) for message in kept] == [
        ("opened", 1),
        ("continues", 2),
    ]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_tells_its_own() -> None:
    """It begins at nothing and with threads of its own; what was counted before is the parent's."""
    runtime = live_runtime({"any": {}})
    runtime.handle(AppError(ErrorCode.DATABASE_ERROR, "no"), ORIGIN)
    runtime.flush(20)
    reader, writer = os.pipe()

    child = os.fork()
    if child == 0:
        kept.clear()
        runtime.handle(AppError(ErrorCode.INTERNAL_ERROR, "no"), ORIGIN)
        runtime.flush(20)
        os.write(writer, repr([tuple(one) for one in told()]).encode())
        os._exit(0)
    os.waitpid(child, 0)
    said = os.read(reader, 1000).decode()
    os.close(reader)
    os.close(writer)
    runtime.close()

    assert said == repr([("any", "INTERNAL_ERROR", "opened", 1, 1)])
    assert told() == [("any", "DATABASE_ERROR", "opened", 1, 1)]


@pytest.mark.parametrize(
    ("alerts", "problem"),
    [
        (
            {"RULES": {"a": {"CHANNELS": ["opz"]}}, "CHANNELS": {"ops": {"KIND": "log"}}},
            "HOLDFAST.ALERTS.RULES: 'a' names the channel 'opz', which there is not; did you mean 'ops'?",
        ),
        ({"RULES": {"a": {}}}, "HOLDFAST.ALERTS.RULES: 'a' tells nobody"),
        (
            {"RULES": {"a": {"COUNT": 0}}},
            "HOLDFAST.ALERTS.RULES.a.COUNT: must be between 1 and 1000000000; found 0 (int)",
        ),
        (
            {"RULES": {"a": {"WHERE": {"kind": "TIMEDOUT"}, "ACTION": "m:f"}}},
            "did you mean 'TIMED_OUT'?",
        ),
        (
            {"RULES": {"a": {"WHEN": "new_in_release", "ACTION": "m:f"}}},
            "needs a memory of releases",
        ),
        (
            {"RULES": {"a": {"WHEN": "new_in_release", "ACTION": "m:f"}}, "STATE": "/tmp/x"},  # noqa: S108  # never made
            "HOLDFAST.RELEASE: is required by a rule of alerts",
        ),
        ({"BUDGETS": {"ops": {}}}, "HOLDFAST.ALERTS.BUDGETS: is for the channel 'ops'"),
        ({"QUIET_HOURS": {"ZONE": "Europe/Atlantis"}}, "HOLDFAST.ALERTS.QUIET_HOURS.ZONE: must be"),
        ({"QUIET_HOURS": {"START": "25:00"}}, "HOLDFAST.ALERTS.QUIET_HOURS.START: must be"),
        ({"SHARED": "localhost"}, "HOLDFAST.ALERTS.SHARED: must be a URL"),
        (
            {"RULES": {"a": {"ACTION": "no.such:thing"}}},
            "HOLDFAST.ALERTS.RULES.a.ACTION: cannot load",
        ),
        (
            {"RULES": {"a": {}}, "CHANNELS": {"ops": {"KIND": "no.such:thing"}}},
            "HOLDFAST.ALERTS.CHANNELS.ops: cannot make",
        ),
    ],
)
def test_settings_that_cannot_be_are_told_by_path(alerts: dict[str, object], problem: str) -> None:
    """Each mistake says where it is, and what was probably meant."""
    with pytest.raises(SettingsError) as caught:
        RecordingRuntime(load_settings(Settings, {"REPORTERS": [], "ALERTS": alerts}))

    assert problem in str(caught.value)


def test_channels_and_budgets_come_from_the_settings() -> None:
    """A rule tells the channels it names, within their budget."""
    made.clear()
    kind = {"KIND": f"{__name__}:make_channel"}
    runtime = runtime_with(
        {"pager": {"CHANNELS": ["pager"], "ACTION": ""}, "all": {"ACTION": "", "BY": "name"}},
        CHANNELS={"pager": kind, "ops": kind},
        BUDGETS={"pager": {"MESSAGES": 2, "WINDOW": 60}},
    )

    for code in (ErrorCode.DATABASE_ERROR, ErrorCode.INTERNAL_ERROR, ErrorCode.DB_CONNECTION_ERROR):
        fail(runtime, code=code)
    advance(runtime, 60)

    assert [(m.rule, m.key) for m in made["ops"].messages] == [("all", "error.handled")]
    assert [m.title for m in made["pager"].messages] == [
        "pager: DATABASE_ERROR",
        "all: error.handled",
        "2 messages to pager held back",
    ]


class Keeping:
    """A channel that keeps what it is given."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.messages: list[AlertMessage] = []

    def send(self, message: AlertMessage) -> None:
        """Keep a message."""
        self.messages.append(message)


made: dict[str, Keeping] = {}
circular: list[RecordingRuntime] = []
threads: list[str] = []
came = threading.Event()
WHEN = datetime(2024, 1, 15, tzinfo=UTC)


def make_channel(name: str, *_: object) -> Keeping:
    """Make a channel: what settings under test name."""
    made[name] = Keeping(name)
    return made[name]


def refuse(message: AlertMessage) -> None:
    """Fail: the action of a rule under test."""
    raise ValueError("not today")


def handle_another(message: AlertMessage) -> None:
    """Handle an error: the action of a rule under test."""
    kept.append(message)
    fail(circular[0], code=ErrorCode.INTERNAL_ERROR)


def keep_apart(message: AlertMessage) -> None:
    """Keep a message, and the name of the thread that brings it."""
    kept.append(message)
    came.set()
    threads[:] = [threading.current_thread().name]


def emit(runtime: RecordingRuntime, name: str, **attributes: Scalar) -> None:
    """Emit an event other than an error."""
    now = runtime.clock.now()
    runtime.emit(Event(name=name, severity=Severity.WARNING, time=now, attributes=attributes))


def live_runtime(rules: Mapping[str, Mapping[str, object]]) -> Runtime:
    """Return a runtime with threads."""
    written = {name: {**rule, "ACTION": f"{__name__}:keep_apart"} for name, rule in rules.items()}
    return Runtime(load_settings(Settings, {"REPORTERS": [], "ALERTS": {"RULES": written}}))
