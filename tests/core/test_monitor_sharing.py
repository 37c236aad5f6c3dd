"""One monitor for a host: who has the seat, what the others see, and who goes on."""

import json
import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Collection
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from holdfast.health import Check, HealthRegistry
from holdfast.health.monitor import Recovery, Seat, Thresholds, Ties, Watch, telling
from holdfast.health.monitor.duty import Duty
from holdfast.health.monitor.report import parsed
from holdfast.health.monitor.rounds import Rounds, Told
from holdfast.health.monitor.service import Service
from holdfast.testing import FakeClock
from tests.core.monitors import Kept, Subject, Watched

if TYPE_CHECKING:
    from holdfast.health.running import Run

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the seat is held by flock()")


def several(folder: Path, *subjects: Subject, watch: Watch | None = None) -> list[Watched]:
    """Return monitors of one host with one clock, each as in a process of its own."""
    clock, made = FakeClock(), list[Watched]()
    for subject in subjects:
        watched = Watched(clock=clock, folder=folder, watch=watch)
        watched.monitor.add_service("database", subject)
        made.append(watched)
    return made


def test_one_of_several_looks(tmp_path: Path) -> None:
    """The others wait for their turn, and see what it sees, and how old that is."""
    subjects = Subject(), Subject()
    first, second = several(tmp_path, *subjects)

    first.monitor.tick()
    wait = second.monitor.tick()
    first.clock.advance(7.0)

    assert [subject.looks for subject in subjects] == [1, 0]
    assert (first.monitor.monitors, second.monitor.monitors) == (True, False)
    assert wait == 30.0
    own, told = first.monitor.get_report(), second.monitor.get_report()
    assert (own.age, told.age) == (0.0, 7.0)
    assert told.process == os.getpid()
    assert told.services["database"].standing == own.services["database"].standing
    assert told.services["database"].details == {"connections": 5}


def test_before_anybody_has_looked_nothing_is_known(tmp_path: Path) -> None:
    """The report has the names, and says that nobody monitors."""
    (watched,) = several(tmp_path, Subject())

    report = watched.monitor.get_report()

    assert (report.process, report.services["database"].state) == (0, "UNKNOWN")


def test_services_have_seats_of_their_own(tmp_path: Path) -> None:
    """Two services on one host do not keep each other from monitoring."""
    shop, stock = Seat(str(tmp_path), "shop"), Seat(str(tmp_path), "stock")

    assert (shop.take(), stock.take()) == (True, True)
    shop.release()
    stock.release()


def test_another_goes_on_when_one_stops(tmp_path: Path) -> None:
    """It looks when the one before would have, and what was counted stays counted."""
    subjects = Subject(), Subject()
    first, second = several(tmp_path, *subjects)

    first.let_pass(70.0)
    first.monitor.stop()
    looks = subjects[0].looks
    second.monitor.tick()
    early = subjects[1].looks
    second.let_pass(33.0)

    assert second.monitor.monitors
    assert early == 0
    assert 1 <= subjects[1].looks <= 2
    standing = second.monitor.get_report().services["database"].standing
    assert standing.checks == looks + subjects[1].looks


def test_an_outage_is_told_once_whoever_sees_it(tmp_path: Path) -> None:
    """Who takes over knows of it; when it is over, that is told under the same id."""
    subjects = Subject(), Subject()
    first, second = several(tmp_path, *subjects)
    for subject in subjects:
        subject.broken = True

    first.let_pass(100.0)
    first.monitor.stop()
    second.let_pass(100.0)
    subjects[1].broken = False
    second.let_pass(40.0)

    assert first.kept.stages() == [("database", "opened")]
    assert second.kept.stages() == [("database", "recovered")]
    opened, recovered = *first.kept.news, *second.kept.news
    assert (opened.id, opened.since) == (recovered.id, recovered.since)
    assert recovered.total > opened.total
    assert [name for name in second.kept.names() if name.startswith("service.")] == [
        "service.recovered"
    ]


def test_what_had_not_arrived_is_told_again(tmp_path: Path) -> None:
    """A process that dies before its message was sent does not take the message with it."""
    subjects = Subject(), Subject()
    first, second = several(tmp_path, *subjects)
    subjects[0].broken = subjects[1].broken = True
    first.kept.arrives = False

    first.let_pass(100.0)
    first.monitor.stop()
    second.monitor.tick()

    assert second.kept.news == first.kept.news
    assert second.kept.stages() == [("database", "opened")]


def test_what_has_arrived_is_not_told_again(tmp_path: Path) -> None:
    """That it has is written down, too."""
    subjects = Subject(), Subject()
    first, second = several(tmp_path, *subjects)
    subjects[0].broken = subjects[1].broken = True
    first.kept.arrives = False

    first.let_pass(100.0)
    for arrived in first.kept.waiting:
        arrived()
    first.monitor.stop()
    second.monitor.tick()

    assert second.kept.news == []


def test_attempts_go_on_where_they_were(tmp_path: Path) -> None:
    """Who takes over does not begin to count anew, and keeps to the time that was planned."""
    watch = Watch(recovery=Recovery(after=60.0, attempts=2))
    subjects = Subject(), Subject()
    first, second = several(tmp_path, *subjects, watch=watch)
    for subject in subjects:
        subject.broken = True

    first.let_pass(130.0)
    first.monitor.stop()
    outage = second.monitor.get_report().services["database"].outage
    second.let_pass(600.0)

    assert outage is not None
    assert outage.next_attempt is not None
    told = [e for w in (first, second) for e in w.kept.events if e.name == "recovery.attempted"]
    assert [event.attributes["attempt"] for event in told] == [1, 2]
    assert told[1].time >= outage.next_attempt
    assert told[1].time - outage.next_attempt < timedelta(seconds=1)


def test_what_is_long_past_is_forgotten(tmp_path: Path) -> None:
    """Two failures of yesterday and one of today are no outage."""
    subjects = Subject(), Subject()
    first, second = several(tmp_path, *subjects)
    subjects[0].broken = subjects[1].broken = True
    first.let_pass(34.0)
    first.monitor.stop()
    failures = first.monitor.get_report().services["database"].standing.consecutive_failures

    first.clock.advance(86_400.0)
    second.monitor.tick()

    assert failures == 2
    assert second.state() == "DEGRADED"
    assert second.kept.news == []


def test_a_clock_that_was_set_back_puts_no_attempt_off(tmp_path: Path) -> None:
    """The next process tries no later than it would have after any attempt."""
    subject = Subject()
    subject.broken = True
    first = Watched(folder=tmp_path)
    yesterday = first.clock.now() - timedelta(days=1)
    second = Watched(clock=FakeClock(yesterday), folder=tmp_path)
    for watched in (first, second):
        watched.monitor.add_service("database", subject)
    first.let_pass(100.0)
    first.monitor.stop()

    second.let_pass(Recovery().longest + 1.0)

    assert first.state() == "UNHEALTHY"
    assert "recovery.attempted" in second.kept.names()
    second.monitor.stop()


def test_an_outage_is_never_too_old_to_be_over(tmp_path: Path) -> None:
    """However long nobody looked, people who were told of it are told that it is over."""
    subjects = Subject(), Subject()
    first, second = several(tmp_path, *subjects)
    subjects[0].broken = True
    first.let_pass(100.0)
    first.monitor.stop()

    first.clock.advance(86_400.0)
    second.monitor.tick()

    assert second.kept.stages() == [("database", "recovered")]
    assert second.kept.news[0].id == first.kept.news[0].id


@pytest.mark.parametrize(
    ("passed", "stages"), [(100.0, [("database", "recovered")]), (90_000.0, [])]
)
def test_an_outage_outlives_a_process_that_does_not_watch_it(
    passed: float, stages: list[tuple[str, str]], tmp_path: Path
) -> None:
    """A command that monitors for a while leaves it to the next that does; not for ever."""
    broken = Subject()
    broken.broken = True
    (first,) = several(tmp_path, broken)
    command, last = (Watched(clock=first.clock, folder=tmp_path) for _ in range(2))
    command.monitor.add_service("queue", Subject())
    last.monitor.add_service("database", Subject())

    first.let_pass(100.0)
    first.monitor.stop()
    command.monitor.tick()
    first.clock.advance(passed)
    command.monitor.tick()
    seen = command.monitor.get_report().services
    command.monitor.stop()
    last.let_pass(100.0)
    last.monitor.stop()

    assert [*seen] == ["queue"]
    assert command.kept.news == []
    assert last.kept.stages() == stages


def test_a_service_that_is_added_later_goes_on_too(tmp_path: Path) -> None:
    """What was known of it waits for it."""
    subject = Subject()
    (first,) = several(tmp_path, subject)
    subject.broken = True
    first.let_pass(100.0)
    first.monitor.stop()

    second = Watched(clock=first.clock, folder=tmp_path)
    second.monitor.tick()
    subject.broken = False
    second.monitor.add_service("database", subject)
    second.let_pass(31.0)

    assert second.kept.stages() == [("database", "recovered")]


def test_a_look_elsewhere_changes_nothing(tmp_path: Path) -> None:
    """Whoever does not monitor may look, and sees; what counts is what the monitor sees."""
    subjects = Subject(), Subject()
    first, second = several(tmp_path, *subjects)
    subjects[1].broken = True
    first.monitor.tick()
    second.monitor.tick()

    results = [second.monitor.check_service("database") for _ in range(3)]

    assert all(result.has_failed for result in results)
    assert second.kept.events == []
    assert second.state() == "HEALTHY"


def test_a_lock_whose_file_was_removed_is_no_lock(tmp_path: Path) -> None:
    """Who cleans up behind the monitor's back makes no second one: the file is made anew."""
    seat, other = Seat(str(tmp_path), "shop"), Seat(str(tmp_path), "shop")
    assert seat.take()
    (lock,) = tmp_path.glob("*.lock")

    lock.unlink()

    assert seat.take()
    assert not other.take()
    seat.release()
    assert other.take()
    other.release()


def test_who_lost_the_seat_stands_back(tmp_path: Path) -> None:
    """When another got in while the file was away, there is one again after the next look."""
    subjects = Subject(), Subject()
    first, second = several(tmp_path, *subjects)
    first.monitor.tick()
    (lock,) = tmp_path.glob("*.lock")

    lock.unlink()
    second.monitor.tick()
    first.monitor.tick()

    assert (first.monitor.monitors, second.monitor.monitors) == (False, True)
    second.monitor.stop()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"services": {"database": {}}}',
        '{"services": 3, "time": "x"}',
        '{"services": {}, "process": 1, "time": "2024-01-15T10:30:00"}',
        pytest.param("[" * 100_000, id="deep"),
    ],
)
def test_a_file_without_sense_is_replaced(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The monitor begins anew, and says at most once what is wrong."""
    (watched,) = several(tmp_path, Subject())
    watched.monitor.tick()
    watched.monitor.stop()
    (file,) = tmp_path.glob("*.json")
    file.write_text(text)

    report = watched.monitor.get_report()
    watched.monitor.tick()
    told = json.loads(file.read_text())
    watched.monitor.stop()

    assert report.services["database"].standing.checks == 1
    assert told["services"]["database"]["checks"] >= 1
    said = capsys.readouterr().err
    assert said.count("\n") <= 1
    assert "set HEALTH.MONITOR.STATE" not in said


def test_a_report_survives_being_written(tmp_path: Path) -> None:
    """What is parsed is what was written."""
    subject = Subject()
    (watched,) = several(tmp_path, subject)
    subject.broken = True
    watched.let_pass(130.0)
    report = watched.monitor.get_report()

    read = parsed(json.loads(json.dumps(report.as_json())), watched.clock.now())

    assert read.services["database"].outage == report.services["database"].outage
    assert read.active_alerts == report.active_alerts
    assert read.statistics == report.statistics
    watched.monitor.stop()


def test_where_there_can_be_no_lock_every_process_monitors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Told twice is better than never; what is wrong is said once, and what to do."""
    file = tmp_path / "no-folder"
    file.write_text("")
    subject = Subject()
    (watched,) = several(file, subject)

    watched.let_pass(61.0)

    assert subject.looks >= 2
    assert watched.state() == "HEALTHY"
    assert capsys.readouterr().err == (
        "holdfast: monitor: its folder of state raised FileExistsError; "
        "set HEALTH.MONITOR.STATE to one that this user can write to\n"
    )


@pytest.mark.parametrize(
    ("wrong", "value"),
    [
        ("checks", "nonsense"),
        ("last_check", "nonsense"),
        ("last_check", "2024-01-15T10:30:00"),
        ("outage", "nonsense"),
        ("details", 7),
    ],
)
def test_a_report_with_a_wrong_value_is_none(wrong: str, value: object, tmp_path: Path) -> None:
    """Nothing that would hurt later is taken from the file."""
    (watched,) = several(tmp_path, Subject())
    watched.monitor.tick()
    watched.monitor.stop()
    (file,) = tmp_path.glob("*.json")
    told = json.loads(file.read_text())
    told["services"]["database"][wrong] = value

    with pytest.raises(ValueError, match=r"no report|invalid literal|isoformat"):
        parsed(told, watched.clock.now())


def test_nobody_else_can_read_what_is_left(tmp_path: Path) -> None:
    """The files are their user's alone."""
    (watched,) = several(tmp_path / "state", Subject())
    watched.monitor.tick()

    modes = {path.stat().st_mode & 0o077 for path in (tmp_path / "state").iterdir()}
    modes.add((tmp_path / "state").stat().st_mode & 0o077)

    assert modes == {0}
    watched.monitor.stop()


def test_a_command_that_is_run_meanwhile_does_not_inherit_the_lock(tmp_path: Path) -> None:
    """A child that outlives the monitor does not keep others from monitoring."""
    seat, other = Seat(str(tmp_path), "shop"), Seat(str(tmp_path), "shop")
    assert seat.take()
    with subprocess.Popen(["sleep", "30"], close_fds=False) as child:  # of this system
        seat._leave()  # as the end of the process: closed, not given back
        got = other.take()
        child.kill()

    assert got
    other.release()


@pytest.mark.parametrize("mode", [0o755, 0o777])
def test_a_default_folder_that_others_can_use_is_refused(
    mode: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another user may have prepared it for us."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = tmp_path / f"holdfast-{os.geteuid()}"
    folder.mkdir()
    folder.chmod(mode)

    with pytest.raises(PermissionError, match="must belong to user"):
        Seat("", "shop").take()


def test_the_default_folder_is_this_users_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is made when it is missing."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    seat = Seat("", "shop")

    assert seat.take()
    seat.release()
    assert [path.name for path in tmp_path.iterdir()] == [f"holdfast-{os.geteuid()}"]


def test_kept_news_have_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A channel that never answers does not fill the file."""
    monkeypatch.setattr(telling, "MAX_UNSETTLED", 5)
    kept = Kept(arrives=False)
    watched = Watched(folder=tmp_path, kept=kept)
    subject = Subject()
    watched.monitor.add_service("database", subject, failures=1)
    watched.monitor.tick()
    for number in range(20):
        subject.broken = number % 2 == 0
        watched.monitor.check_service("database")

    (file,) = tmp_path.glob("*.json")
    assert len(json.loads(file.read_text())["unsettled"]) == 5
    watched.monitor.stop()


def test_what_is_seen_while_the_duty_is_given_back_is_not_lost(tmp_path: Path) -> None:
    """Who has taken note of a recovery tells of it, although another thread ends the monitor."""
    clock, subject, kept = FakeClock(), Subject(), Kept()
    registry = HealthRegistry(clock)
    rounds = EndedMeanwhile(clock, random.Random(1), registry.runner, lambda: None)  # noqa: S311  # spreads
    seat = Seat(str(tmp_path), "shop")
    duty = Duty(Ties(announce=kept.announce, seat=seat), rounds, clock, lambda: None)
    once = Watch(thresholds=Thresholds(failures=1))
    service = Service(Check(name="database", run=subject), once, registry.runner, 5)
    rounds.add(service)
    duty.take()

    for broken in (True, False):
        subject.broken = broken
        rounds.look(service).wait()
        rounds.end = None if broken else lambda: duty.give_back(0.0)
        duty.take_in()
    rounds.thread.join()

    assert kept.stages() == [("database", "opened"), ("database", "recovered")]
    assert not seat.is_held


class EndedMeanwhile(Rounds):
    """Rounds during which another thread does something, which may wait until they are over."""

    end: Callable[[], None] | None = None
    thread = threading.Thread()

    def collect(self, given_up: "Collection[Run]" = ()) -> tuple[int, list[Told]]:
        """Take note as ever, and let the other thread come in between."""
        found = super().collect(given_up)
        if self.end is not None:
            self.thread = threading.Thread(target=self.end)
            self.thread.start()
            self.thread.join(0.1)
        return found
