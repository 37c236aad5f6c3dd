"""The monitor: what it looks at and when, whom it tells, what it tries; all without a thread or a wait."""

import json
import os
import random
import threading
from itertools import pairwise
from pathlib import Path

import pytest

from holdfast import Runtime, Severity
from holdfast.health import Check, Finding, HealthRegistry, HealthStatus, degraded
from holdfast.health.monitor import HealthMonitor, Recovery, Thresholds, Watch
from holdfast.health.monitor.rounds import Rounds
from holdfast.health.monitor.service import Service
from holdfast.settings import Settings, SettingsError, load_settings
from holdfast.testing import FakeClock, RecordingRuntime
from tests.core.monitors import Subject, Watched


@pytest.fixture
def subject() -> Subject:
    """Make a service that is well."""
    return Subject()


@pytest.fixture
def watched(subject: Subject) -> Watched:
    """Make a monitor of it that attempts nothing by itself within a test's minutes."""
    made = Watched(watch=Watch(recovery=Recovery(attempts=0)))
    made.monitor.add_service("database", subject)
    return made


def test_a_service_is_unknown_until_it_was_looked_at(watched: Watched) -> None:
    """Nothing is claimed of what nobody has seen; the first look is at once."""
    before = watched.state()
    watched.monitor.tick()

    assert (before, watched.state()) == ("UNKNOWN", "HEALTHY")


def test_services_are_looked_at_every_interval_give_or_take_a_tenth(
    watched: Watched, subject: Subject
) -> None:
    """Ten minutes of looks every 30 s are 20, spread so that many monitors do not look together."""
    watched.let_pass(600.0)

    times = [result.time for result in watched.monitor.history("database")]
    gaps = [(late - early).total_seconds() for early, late in pairwise(times)]
    assert 18 <= subject.looks <= 23
    assert all(27.0 <= gap <= 33.1 for gap in gaps)
    assert len(set(gaps)) > 1


def test_each_service_has_an_interval_and_thresholds_of_its_own(watched: Watched) -> None:
    """One is looked at more often and believed sooner than the other."""
    hasty = Subject()
    hasty.broken = True
    watched.monitor.add_service("queue", hasty, interval=10.0, failures=2)

    watched.let_pass(60.0)

    assert 5 <= hasty.looks <= 8
    assert (watched.state("queue"), watched.state()) == ("UNHEALTHY", "HEALTHY")


def test_an_outage_and_its_end_are_told_once_each(watched: Watched, subject: Subject) -> None:
    """As events and as one alert with one id, however long it lasts."""
    watched.monitor.tick()
    subject.broken = True
    watched.let_pass(600.0)
    subject.broken = False
    watched.let_pass(60.0)

    assert watched.kept.names() == ["service.degraded", "service.failed", "service.recovered"]
    assert watched.kept.stages() == [("database", "opened"), ("database", "recovered")]
    opened, recovered = watched.kept.news
    assert opened.id == recovered.id
    assert opened.since == recovered.since
    assert (opened.count, opened.total) == (3, 3)
    assert 15 <= recovered.total <= 23
    assert opened.title == "database does not work: ConnectionError"
    assert recovered.title == "database works again"


def test_events_say_what_has_become_of_which_service(watched: Watched, subject: Subject) -> None:
    """Flat facts, and a severity by how critical the service is."""
    watched.monitor.tick()
    subject.broken = True
    watched.let_pass(110.0)
    subject.broken = False
    watched.let_pass(60.0)

    degraded_, failed, recovered = watched.kept.events
    assert degraded_.severity == Severity.WARNING
    assert degraded_.attributes["failures"] == 1
    assert failed.severity == Severity.ERROR
    assert failed.attributes == {
        "check": "database",
        "state": "UNHEALTHY",
        "was": "DEGRADED",
        "critical": True,
        "output": "ConnectionError",
        "failures": 3,
    }
    assert recovered.severity == Severity.INFO
    assert (recovered.attributes["state"], recovered.attributes["was"]) == ("HEALTHY", "UNHEALTHY")
    assert 0 < float(str(recovered.attributes["duration"])) < 90


def test_an_outage_of_an_optional_service_is_a_warning(watched: Watched) -> None:
    """It is told all the same, though as less grave."""
    extra = Subject()
    extra.broken = True
    watched.monitor.add_service("extra", extra, critical=False, failures=1)

    watched.monitor.tick()

    assert watched.state("extra") == "UNHEALTHY"
    assert watched.kept.events[0].severity == Severity.WARNING
    assert watched.kept.news[0].severity == Severity.WARNING


def test_secrets_of_a_check_do_not_leave(watched: Watched, subject: Subject) -> None:
    """What is told of an exception is its class; the report has its text without the secret."""
    subject.broken = True
    watched.let_pass(120.0)

    report = json.dumps(watched.monitor.get_report().as_json())
    assert "refused" in report
    assert "hunter2" not in report + repr(watched.kept)


def test_a_service_that_says_it_is_degraded_has_no_outage(watched: Watched) -> None:
    """A warning is no failure: it is told as an event, and nobody is woken."""
    watched.monitor.add_service("replica", lambda: degraded("lags behind", seconds=42))

    watched.let_pass(600.0)

    told = watched.monitor.get_report().services["replica"]
    assert told.state == "DEGRADED"
    assert (told.standing.failures, told.standing.output) == (0, "lags behind")
    assert watched.kept.names() == ["service.degraded"]
    assert watched.kept.news == []


def test_every_kind_of_check_can_be_watched(watched: Watched) -> None:
    """Functions, coroutine functions, findings, and False for a failure."""

    async def fine() -> None:
        """Be well."""

    watched.monitor.add_service("async", fine)
    watched.monitor.add_service("false", lambda: False)
    watched.monitor.add_service("finding", lambda: Finding(status=HealthStatus.FAIL, output="no"))
    watched.monitor.tick()

    states = [watched.state(name) for name in ("async", "false", "finding")]
    assert states == ["HEALTHY", "DEGRADED", "DEGRADED"]


def test_the_report_has_every_service_the_open_alerts_and_the_sums(
    watched: Watched, subject: Subject
) -> None:
    """As values and as JSON."""
    watched.monitor.add_service("queue", Subject(), interval=60.0)
    subject.broken = True
    watched.let_pass(100.0)

    report = watched.monitor.get_report()
    told = json.loads(json.dumps(report.as_json()))
    assert set(told["services"]) == {"database", "queue"}
    database = told["services"]["database"]
    assert database["state"] == "UNHEALTHY"
    assert database["consecutive_failures"] == report.services["database"].standing.checks
    assert database["details"] == {"error": "password=[redacted] refused"}
    (alert,) = told["active_alerts"]
    assert (alert["service"], alert["id"]) == ("database", watched.kept.news[0].id)
    assert alert["failures"] == told["statistics"]["failures"] == database["failures"]
    assert told["statistics"]["total_checks"] == database["checks"] + 2
    assert told["statistics"]["outages"] == 1
    assert (told["process"], told["age"]) == (os.getpid(), 0.0)


def test_no_more_services_are_looked_at_at_a_time_than_there_are_threads() -> None:
    """Those of the registry's settings: what has to wait too long for its turn has failed."""
    release = threading.Event()
    monitor = HealthMonitor(HealthRegistry(threads=1))
    for name in ("orders", "stock"):
        monitor.add_service(name, lambda: release.wait(5), timeout=0.05)

    monitor.tick()
    release.set()

    said = sorted(told.standing.output for told in monitor.get_report().services.values())
    assert said == ["no answer in 0.05 s", "no thread was free for it"]
    assert monitor.stop()


def test_the_history_is_a_ring(watched: Watched, subject: Subject) -> None:
    """The latest looks are kept, oldest first, and no more than told."""
    watched.let_pass(300.0)
    subject.broken = True
    watched.let_pass(40.0)

    history = watched.monitor.history("database")
    assert len(history) == 5
    assert [result.time for result in history] == sorted(result.time for result in history)
    assert history[-1].has_failed


def test_looking_now_counts(watched: Watched, subject: Subject) -> None:
    """`check_service` returns what it sees, which changes the state as any look does."""
    subject.broken = True

    seen = [watched.monitor.check_service("database") for _ in range(3)]

    assert [result.output for result in seen] == ["ConnectionError"] * 3
    assert watched.state() == "UNHEALTHY"
    assert watched.kept.stages() == [("database", "opened")]


def test_an_unknown_service_is_told(watched: Watched) -> None:
    """Whoever asks for one that is not watched learns which, and what to do."""
    with pytest.raises(KeyError, match="no service named 'queue' is watched"):
        watched.monitor.check_service("queue")
    with pytest.raises(KeyError, match="no service named 'queue' is watched"):
        watched.monitor.history("queue")


def test_a_removed_service_is_not_looked_at_any_more(watched: Watched, subject: Subject) -> None:
    """It is in no report; removing it again is harmless."""
    watched.monitor.tick()
    watched.monitor.remove_service("database")
    watched.monitor.remove_service("database")
    watched.let_pass(120.0)

    assert subject.looks == 1
    assert watched.monitor.get_report().services == {}
    assert watched.kept.news == []


def test_people_are_told_when_nobody_looks_at_an_outage_any_more(
    watched: Watched, subject: Subject
) -> None:
    """The alert does not stay open for ever."""
    subject.broken = True
    watched.let_pass(100.0)
    watched.monitor.remove_service("database")

    assert watched.kept.stages() == [("database", "opened"), ("database", "recovered")]
    assert watched.kept.news[-1].title == "database is not watched any more"
    assert watched.monitor.get_report().active_alerts == ()


def test_a_service_that_is_added_again_keeps_its_standing(
    watched: Watched, subject: Subject
) -> None:
    """Other options do not make an outage forgotten."""
    subject.broken = True
    watched.let_pass(100.0)
    watched.monitor.add_service("database", subject, interval=5.0)
    watched.let_pass(20.0)

    assert watched.state() == "UNHEALTHY"
    assert watched.kept.stages() == [("database", "opened")]


def test_checks_of_the_registry_are_watched_those_that_come_later_too() -> None:
    """And not those that were taken away."""
    watched = Watched(follows=True)
    first, second = Subject(), Subject()
    watched.registry.register_check("first", first)
    watched.monitor.tick()
    watched.registry.register_check("second", second)
    watched.registry.unregister_check("first")
    watched.let_pass(31.0)

    assert set(watched.monitor.get_report().services) == {"second"}
    assert (first.looks, second.looks > 0) == (1, True)


def test_a_check_that_took_the_place_of_another_is_the_one_watched() -> None:
    """What is known of the service stays."""
    watched = Watched(follows=True)
    first, second = Subject(), Subject()
    watched.registry.register_check("database", first)
    watched.monitor.tick()
    watched.registry.register_check("database", second, replace=True)
    watched.let_pass(60.0)

    assert first.looks == 1
    assert second.looks >= 1
    assert watched.monitor.get_report().services["database"].standing.checks == 1 + second.looks


def test_a_check_of_the_registry_may_be_watched_in_a_way_of_its_own() -> None:
    """Options for its name hold, whether it is there yet or not; its time-out is the registry's."""
    watched = Watched()
    subject = Subject()
    subject.broken = True
    watched.monitor.add_service("database", failures=1, interval=10.0)
    watched.registry.register_check("database", subject)
    watched.registry.register_check("other", Subject())
    watched.let_pass(31.0)

    assert set(watched.monitor.get_report().services) == {"database"}
    assert watched.state() == "UNHEALTHY"
    assert subject.looks == 4
    with pytest.raises(ValueError, match="'database' is the registry's, which says its timeout"):
        watched.monitor.add_service("database", timeout=1.0)


def test_a_check_left_out_stays_out() -> None:
    """Removing a check from the monitor leaves it to the probes."""
    watched = Watched(follows=True)
    subject = Subject()
    watched.registry.register_check("database", subject)
    watched.monitor.tick()
    watched.monitor.remove_service("database")
    watched.let_pass(120.0)

    assert subject.looks == 1
    assert [check.name for check in watched.registry.checks] == ["database"]


def test_a_service_of_ones_own_goes_before_a_check_of_its_name() -> None:
    """The check that was given is the one that runs."""
    watched = Watched(follows=True)
    ours, registered = Subject(), Subject()
    watched.registry.register_check("database", registered)
    watched.monitor.add_service("database", ours)
    watched.let_pass(60.0)

    assert registered.looks == 0
    assert ours.looks >= 2


def test_a_costly_check_is_not_looked_at_more_often_than_it_says() -> None:
    """One that refreshes every five minutes is not asked every 30 s by the monitor."""
    watched = Watched(follows=True)
    subject = Subject()
    watched.registry.register_check("costly", subject, every=300.0)
    watched.let_pass(200.0)

    assert subject.looks == 1


class Mending:
    """An action that mends a service at its so-manieth call, or raises."""

    def __init__(self, subject: Subject, clock: FakeClock, at: int = 1) -> None:
        self._subject = subject
        self._clock = clock
        self._at = at
        self.times: list[float] = []

    def __call__(self) -> None:
        """Try it."""
        self.times.append(self._clock.monotonic())
        if len(self.times) < self._at:
            raise RuntimeError("not yet")
        self._subject.broken = False


def with_recovery(recovery: Recovery, subject: Subject, clock: FakeClock) -> Watched:
    """Return a monitor of a service that has an outage from the beginning."""
    subject.broken = True
    watched = Watched(clock=clock)
    watched.monitor.add_service("database", subject, failures=1, recovery=recovery)
    return watched


def test_an_action_is_tried_after_a_while_and_the_service_looked_at_at_once(
    subject: Subject,
) -> None:
    """A minute after the outage began it is called, and the outage is over within the same moment."""
    clock = FakeClock()
    mending = Mending(subject, clock)
    watched = with_recovery(Recovery(action=mending, after=60.0), subject, clock)

    watched.let_pass(61.0)

    assert mending.times == [60.0]
    assert watched.state() == "HEALTHY"
    assert watched.monitor.history("database")[-1].time == watched.kept.events[-1].time
    names = ["service.failed", "recovery.attempted", "service.recovered"]
    assert watched.kept.names() == names
    assert watched.kept.events[1].attributes["succeeded"] is True
    assert watched.kept.events[1].severity == Severity.INFO


def test_attempts_come_at_growing_distances_up_to_a_ceiling_and_a_cap(subject: Subject) -> None:
    """60 s, then twice as many and so on, never more than the ceiling, and not for ever."""
    clock = FakeClock()
    mending = Mending(subject, clock, at=99)
    recovery = Recovery(action=mending, after=60.0, factor=2.0, ceiling=200.0, attempts=4)
    watched = with_recovery(recovery, subject, clock)

    watched.let_pass(3600.0)

    assert mending.times == [60.0, 180.0, 380.0, 580.0]
    assert watched.monitor.get_report().active_alerts[0].attempts == 4
    attempts = [e.attributes for e in watched.kept.events if e.name == "recovery.attempted"]
    assert [(told["attempt"], told["succeeded"]) for told in attempts] == [
        (number, False) for number in range(1, 5)
    ]
    assert attempts[0]["output"] == "RuntimeError"


def test_without_an_action_the_attempt_is_a_look(subject: Subject) -> None:
    """At the recovery interval the service is looked at once more, beside the usual looks."""
    clock = FakeClock()
    watched = with_recovery(Recovery(after=7.0, attempts=2), subject, clock)

    watched.let_pass(8.0)
    subject.broken = False
    watched.let_pass(14.0)

    assert watched.state() == "HEALTHY"
    told = [
        e.attributes["succeeded"] for e in watched.kept.events if e.name == "recovery.attempted"
    ]
    assert told == [False, True]


def test_attempts_end_with_the_outage_and_begin_anew_with_the_next(subject: Subject) -> None:
    """Who recovers by itself is not mended, and the next outage has all its attempts again."""
    clock = FakeClock()
    mending = Mending(subject, clock, at=99)
    watched = with_recovery(Recovery(action=mending, after=100.0, attempts=1), subject, clock)

    watched.let_pass(40.0)
    subject.broken = False
    watched.let_pass(300.0)
    before = list(mending.times)
    subject.broken = True
    watched.let_pass(300.0)

    assert before == []
    assert len(mending.times) == 1


@pytest.mark.parametrize(
    ("action", "output"),
    [(lambda: False, ""), (lambda: 1 / 0, "ZeroDivisionError")],
    ids=["says no", "raises"],
)
def test_an_action_that_fails_is_told_and_hurts_nobody(
    action: object, output: str, subject: Subject
) -> None:
    """The monitor goes on, and tries again later."""
    assert callable(action)
    clock = FakeClock()
    watched = with_recovery(Recovery(action=action, after=5.0, attempts=1), subject, clock)

    watched.let_pass(10.0)

    told = next(e for e in watched.kept.events if e.name == "recovery.attempted")
    assert (told.severity, told.attributes["succeeded"]) == (Severity.WARNING, False)
    assert told.attributes["output"] == output
    assert watched.state() == "UNHEALTHY"


def test_an_action_may_be_asynchronous(subject: Subject) -> None:
    """It is awaited, with a time limit."""

    async def mend() -> None:
        """Mend it."""
        subject.broken = False

    watched = with_recovery(Recovery(action=mend, after=5.0), subject, FakeClock())
    watched.let_pass(6.0)

    assert watched.state() == "HEALTHY"


def test_a_bare_action_is_tried_as_the_defaults_say(subject: Subject) -> None:
    """`recovery=` takes a function; when and how often it is called is the monitor's to say."""
    clock = FakeClock()
    mending = Mending(subject, clock, at=99)
    watched = Watched(clock=clock, watch=Watch(recovery=Recovery(after=10.0, attempts=2)))
    subject.broken = True
    watched.monitor.add_service("database", subject, failures=1, recovery=mending)
    watched.let_pass(200.0)

    assert mending.times == [10.0, 30.0]


@pytest.mark.parametrize(
    ("options", "objection"),
    [
        ({"interval": 0.0}, "interval must be above 0 seconds, not 0.0"),
        ({"timeout": -1.0}, "timeout must be above 0 seconds and at most 86,400, not -1.0"),
        ({"failures": 0}, "failures must be 1 or more, not 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    options: dict[str, float], objection: str, watched: Watched
) -> None:
    """When the service is added, with what is wrong."""
    with pytest.raises(ValueError, match=objection):
        watched.monitor.add_service("queue", Subject(), **options)  # type: ignore[arg-type]  # of several types


def test_an_option_that_there_is_not_is_refused(watched: Watched) -> None:
    """With the one that was meant, rather than watch the service by the defaults."""
    with pytest.raises(TypeError, match=r"'queue': there is no option 'failure'.* 'failures'"):
        watched.monitor.add_service("queue", Subject(), failure=5)  # type: ignore[call-arg]  # the mistake


def test_a_look_that_nobody_took_note_of_yet_is_not_hidden_by_the_next() -> None:
    """What several threads see at once counts as often as it was looked."""
    clock, subject = FakeClock(), Subject()
    registry = HealthRegistry(clock)
    rounds = Rounds(clock, random.Random(1), registry.runner, lambda: None)  # noqa: S311  # spreads looks
    service = Service(Check(name="database", run=subject), Watch(), registry.runner, 5)
    rounds.add(service)

    rounds.look(service).wait()
    rounds.look(service).wait()
    noted, _ = rounds.collect()

    assert (noted, service.standing.checks) == (1, subject.looks)


def test_what_is_seen_after_an_action_is_not_what_was_seen_before() -> None:
    """A look that ended while the action ran does not stand for the one after it."""
    clock, subject = FakeClock(), Subject()
    registry = HealthRegistry(clock)
    rounds = Rounds(clock, random.Random(1), registry.runner, lambda: None)  # noqa: S311  # as above
    watch = Watch(
        thresholds=Thresholds(failures=1), recovery=Recovery(action=subject.mend, after=1.0)
    )
    service = Service(Check(name="database", run=subject), watch, registry.runner, 5)
    rounds.add(service)
    subject.broken = True
    rounds.look(service).wait()
    rounds.collect()
    rounds.look(service).wait()
    clock.advance(1.0)
    rounds.begin()
    assert service.attempt is not None
    service.attempt.wait()

    rounds.collect()
    for run in rounds.going():
        run.wait()
    rounds.collect()

    assert [result.status.value for result in service.seen] == ["fail", "fail", "pass"]


@pytest.mark.parametrize(
    ("options", "objection"),
    [
        ({"after": 0.0}, "Recovery.after must be above 0 seconds, not 0.0"),
        ({"timeout": 0.0}, "Recovery.timeout must be above 0 seconds, not 0.0"),
        ({"attempts": -1}, "Recovery.attempts must be 0 or more, not -1"),
        ({"factor": 0.5}, "factor must be"),
    ],
)
def test_a_recovery_that_makes_no_sense_is_refused(
    options: dict[str, float], objection: str
) -> None:
    """When it is made."""
    with pytest.raises(ValueError, match=objection):
        Recovery(**options)  # type: ignore[arg-type]  # of several types


def told_settings(**monitor: object) -> Settings:
    """Return settings with a monitor."""
    given = {"REPORTERS": (), "SERVICE": "shop", "HEALTH": {"MONITOR": monitor}}
    return load_settings(Settings, given)


@pytest.fixture
def state(tmp_path: Path) -> str:
    """Offer a folder of state."""
    return str(tmp_path)


def test_a_runtime_has_a_monitor_as_the_settings_say(state: str) -> None:
    """Thresholds, intervals and the ring; its events reach the reporters."""
    runtime = RecordingRuntime(
        told_settings(
            INTERVAL=10, FAILURES=2, SUCCESSES=2, RECOVERY=5, ATTEMPTS=1, HISTORY=3, STATE=state
        )
    )
    subject = Subject()
    subject.broken = True
    runtime.monitor.add_service("database", subject)

    for _ in range(12):
        assert isinstance(runtime.clock, FakeClock)
        runtime.clock.advance(runtime.monitor.tick())

    assert runtime.recorded.names("service.") == ["service.degraded", "service.failed"]
    assert runtime.recorded.names("recovery.") == ["recovery.attempted"]
    assert len(runtime.monitor.history("database")) == 3
    runtime.close()
    assert not runtime.monitor.monitors


def test_a_runtime_whose_settings_say_so_watches_all_its_checks(state: str) -> None:
    """With the application the monitor begins, and it ends with it."""
    runtime = RecordingRuntime(told_settings(ENABLED=True, STATE=state))
    runtime.health.register_check("database", Subject())

    runtime.attach()
    is_running = runtime.monitor.is_running
    runtime.monitor.tick()
    runtime.close()

    assert is_running
    assert not runtime.monitor.is_running
    assert runtime.monitor.get_report().services["database"].state == "HEALTHY"


def test_without_being_told_to_no_runtime_monitors() -> None:
    """Nothing begins, nothing is loaded."""
    runtime = RecordingRuntime()

    runtime.attach()
    runtime.close()

    assert "monitor" not in vars(runtime)


def test_alerts_of_the_monitor_need_no_rules(state: str) -> None:
    """Channels are enough; those that the settings name are told, once at the outage and once after."""
    settings = load_settings(
        Settings,
        {
            "REPORTERS": (),
            "SERVICE": "shop",
            "ALERTS": {"CHANNELS": {"log": {"KIND": "log"}, "other": {"KIND": "log"}}},
            "HEALTH": {"MONITOR": {"STATE": state, "CHANNELS": ["log"], "FAILURES": 1}},
        },
    )
    runtime = RecordingRuntime(settings)
    subject = Subject()
    subject.broken = True
    runtime.monitor.add_service("database", subject)

    runtime.monitor.tick()
    subject.broken = False
    result = runtime.monitor.check_service("database")
    runtime.close()

    assert result.status is HealthStatus.PASS
    assert runtime.alerts is not None
    sent = {told.reporter: told.delivered for told in runtime.alerts.deliveries()}
    assert sent == {"log": 2, "other": 0}


def test_channels_without_rules_make_no_event_worth_its_while() -> None:
    """Who has them for the monitor pays for no other event."""
    alerts = {"CHANNELS": {"log": {"KIND": "log"}}}
    runtime = Runtime(load_settings(Settings, {"REPORTERS": (), "ALERTS": alerts}))

    assert not runtime.is_heard
    runtime.close()


def test_a_channel_that_is_not_there_is_a_mistake_in_the_settings() -> None:
    """It is told at start-up, with its place and the channels that there are."""
    wrong = r"HEALTH\.MONITOR\.CHANNELS: 'pager' is no channel of alerts; there are: \w+"
    with pytest.raises(SettingsError, match=wrong):
        told_settings(CHANNELS=["pager"])
