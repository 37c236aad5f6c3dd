"""Alerts of several processes fold as one through Redis, and each for itself while it is away."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from holdfast.events import Event
from holdfast.kinds import Severity
from holdfast.reporting.alerts.folding import Due
from holdfast.reporting.alerts.rules import AlertRule
from holdfast.reporting.alerts.shared import AWAY, BEAT, SharedFolding
from holdfast.reporting.alerts.store import Answer, Fields, Store
from holdfast.reporting.alerts.tallies import Heard
from holdfast.testing import FakeClock
from tests.integrations.conftest import need
from tests.integrations.redis_server import RedisServer, own_redis

need("redis")

import redis  # noqa: E402  # after it is known to be there

RULE = AlertRule(name="any", cool_down=60, recover_after=300)
BURST = AlertRule(name="burst", count=10, window=60, cool_down=60, recover_after=300)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """Give a Redis that this test alone uses."""
    with own_redis(tmp_path) as started:
        yield started


class Workers:
    """Processes of one service, as far as folding is concerned; they share a clock."""

    def __init__(
        self, server: RedisServer, number: int, *rules: AlertRule, release: str = ""
    ) -> None:
        from holdfast.integrations.redis_alerts import folding  # noqa: PLC0415  # where redis is

        self.clock = FakeClock()
        self.told: list[tuple[int, str, str, int, int]] = []
        self.rules = rules or (RULE,)
        self.foldings: list[SharedFolding] = [
            folding(server.url, self.rules, service="shop", clock=self.clock, release=release)
            for _ in range(number)
        ]

    def hear(
        self, worker: int, events: int, key: str = "DB_DOWN", rule: AlertRule | None = None
    ) -> None:
        """Let a worker count events, and look once."""
        event = Event(
            name="error.handled",
            severity=Severity.ERROR,
            time=datetime(2024, 1, 15, tzinfo=UTC),
            attributes={"code": key},
        )
        heard = [Heard(rule or self.rules[0], key, events, event)] if events else []
        self._tell(worker, self.foldings[worker].fold(heard))

    def beat(self, seconds: float = BEAT, *workers: int) -> None:
        """Let time pass, and each worker look once, or those that are named."""
        self.clock.advance(seconds)
        for worker in workers or range(len(self.foldings)):
            self.hear(worker, 0)

    def leave(self) -> None:
        """Let all processes end."""
        for folding in self.foldings:
            folding.finish()
            folding.leave()

    def _tell(self, worker: int, dues: list[Due]) -> None:
        for due in dues:
            turn = due.turn
            self.told.append((worker, due.key, turn.stage.value, turn.events, turn.total))
            due.settled()


def test_of_many_workers_one_tells(server: RedisServer) -> None:
    """What all have counted is told once: opened, one summary for a cool-down, recovered."""
    workers = Workers(server, 8)

    for worker in range(8):
        workers.hear(worker, 10)
    for _ in range(60):
        workers.beat()
    for _ in range(300):
        workers.beat()

    assert [told[1:3] for told in workers.told] == [
        ("DB_DOWN", "opened"),
        ("DB_DOWN", "continues"),
        ("DB_DOWN", "recovered"),
    ]
    assert sum(told[3] for told in workers.told) == 80
    assert workers.told[-1][4] == 80


def test_counts_of_all_workers_make_a_burst(server: RedisServer) -> None:
    """Ten events within a minute are a burst, whoever has counted them."""
    workers = Workers(server, 4, BURST)

    for worker in range(3):
        workers.hear(worker, 3)
    workers.beat()
    before = list(workers.told)
    workers.hear(3, 1)
    workers.beat()
    workers.beat()

    assert before == []
    assert [told[1:] for told in workers.told] == [("DB_DOWN", "opened", 10, 10)]


def test_another_leads_when_one_dies(server: RedisServer) -> None:
    """The others go on from where it was: nothing opens twice, nothing is forgotten."""
    workers = Workers(server, 3)
    for worker in range(3):
        workers.hear(worker, 5)
    workers.beat()
    (leader,) = {told[0] for told in workers.told}
    others = [worker for worker in range(3) if worker != leader]
    workers.hear(others[0], 7)
    workers.beat(BEAT, *others)
    expire_lease(server)

    for _ in range(70):
        workers.beat(BEAT, *others)

    assert [told[2] for told in workers.told] == ["opened", "continues"]
    assert sum(told[3] for told in workers.told) == 22
    assert workers.told[-1][0] != leader


def test_a_message_that_a_dead_worker_had_to_send_is_sent_by_another(server: RedisServer) -> None:
    """What was decided but is not known to have left is left to whoever leads next."""
    workers = Workers(server, 2)
    event = Event(
        name="error.handled", severity=Severity.ERROR, time=datetime(2024, 1, 15, tzinfo=UTC)
    )
    dues = workers.foldings[0].fold([Heard(RULE, "DB_DOWN", 3, event)])
    workers.beat(BEAT, 1)
    expire_lease(server)

    workers.beat(BEAT, 1)

    assert [due.turn.stage for due in dues] == ["opened"]  # and the worker died
    assert [told[:4] for told in workers.told] == [(1, "DB_DOWN", "opened", 3)]


def test_a_message_that_left_is_not_sent_again(server: RedisServer) -> None:
    """Whoever leads next knows that all channels have it."""
    workers = Workers(server, 2)
    workers.hear(0, 3)
    workers.beat()
    expire_lease(server)

    workers.beat(BEAT, 1)
    workers.beat(BEAT, 1)

    assert [told[2] for told in workers.told] == ["opened"]


def test_each_goes_on_alone_while_redis_is_away(server: RedisServer) -> None:
    """Nobody opens again what was open, and everybody tells of what it has counted itself."""
    workers = Workers(server, 3)
    for worker in range(3):
        workers.hear(worker, 5)
    for _ in range(5):
        workers.beat()
    server.kill()

    for worker in range(3):
        workers.hear(worker, 10 + worker)
    for _ in range(65):
        workers.beat()

    stages = [told[2] for told in workers.told]
    assert stages == ["opened", "continues", "continues", "continues"]
    assert sum(told[3] for told in workers.told) == 15 + 10 + 11 + 12
    assert {told[0] for told in workers.told[1:]} == {0, 1, 2}


def test_back_again_nothing_opens_a_second_time(server: RedisServer) -> None:
    """A Redis that comes back empty is told what is open, and one worker tells again for all."""
    workers = Workers(server, 3)
    for worker in range(3):
        workers.hear(worker, 5)
    for _ in range(5):
        workers.beat()
    server.kill()
    workers.beat()
    for worker in range(3):
        workers.hear(worker, 10)
        workers.hear(worker, 1, "CACHE_DOWN") if worker == 1 else None
    workers.beat()
    server.start()
    for _ in range(int(AWAY) + 2):
        workers.beat()

    for worker in range(3):
        workers.hear(worker, 100)
        workers.hear(worker, 2, "CACHE_DOWN")
    for _ in range(400):
        workers.beat()

    for key, events in (("DB_DOWN", 15 + 30 + 300), ("CACHE_DOWN", 1 + 6)):
        told = [one for one in workers.told if one[1] == key]
        stages = [one[2] for one in told]
        assert stages.count("opened") == stages.count("recovered") == 1, told
        assert stages[0] == "opened", told
        assert stages[-1] == "recovered", told
        assert sum(one[3] for one in told) == events, told
        assert told[-1][4] == events, told


def test_a_redis_that_hangs_is_away(server: RedisServer) -> None:
    """A worker waits for it a short while, and goes on alone; when it answers again, nothing is told twice."""
    workers = Workers(server, 2)
    workers.hear(0, 5)
    workers.hear(1, 5)
    for _ in range(4):
        workers.beat()
    server.stop()
    try:
        workers.hear(0, 10)
        workers.beat()
    finally:
        server.go_on()

    for _ in range(400):
        workers.beat()

    assert [told[2] for told in workers.told] == ["opened", "continues", "recovered"]
    assert sum(told[3] for told in workers.told) == 20


def test_a_worker_that_redis_has_forgotten_comes_back(server: RedisServer) -> None:
    """One that stood still for long is another member afterwards; what was counted counts once."""
    workers = Workers(server, 2)
    workers.hear(0, 5)
    workers.hear(1, 5)
    for _ in range(3):
        workers.beat()
    forget_members(server)

    workers.hear(0, 1)
    workers.hear(1, 1)
    for _ in range(400):
        workers.beat()

    assert sum(told[3] for told in workers.told) == 12
    assert [told[2] for told in workers.told] == ["opened", "continues", "recovered"]


class Lossy:
    """A store whose answers are lost on the way, once."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.lost = False

    def exchange(
        self,
        process: str,
        member: str,
        fields: Fields,
        *,
        replaces: str,
        is_new: bool,
        version: int,
    ) -> Answer:
        """Exchange, and lose the answer."""
        answer = self.store.exchange(
            process, member, fields, replaces=replaces, is_new=is_new, version=version
        )
        if not self.lost:
            self.lost = True
            raise ConnectionError("the answer is lost")
        return answer

    def keep(self, process: str, version: int, state: str) -> bool:
        """Keep the state."""
        return self.store.keep(process, version, state)

    def step_down(self, process: str) -> None:
        """Let somebody else lead."""
        self.store.step_down(process)


def test_what_redis_took_without_an_answer_counts_once(server: RedisServer) -> None:
    """A worker that believes Redis away counts alone what has arrived there; they find out."""
    workers = Workers(server, 2)
    workers.hear(0, 5)
    workers.hear(1, 5)
    for _ in range(3):
        workers.beat()
    workers.foldings[1]._store = Lossy(workers.foldings[1]._store)

    workers.hear(1, 10)
    for _ in range(400):
        workers.beat()

    assert [told[2] for told in workers.told] == ["opened", "continues", "recovered"]
    assert sum(told[3] for told in workers.told) == workers.told[-1][4] == 20


def test_whoever_leads_again_sends_nothing_again(server: RedisServer) -> None:
    """What is on its way in this process is left to it."""
    workers = Workers(server, 2)
    event = Event(
        name="error.handled", severity=Severity.ERROR, time=datetime(2024, 1, 15, tzinfo=UTC)
    )
    sent = [*workers.foldings[0].fold([Heard(RULE, "DB_DOWN", 3, event)])]
    for worker in (1, 0, 1):
        expire_lease(server)
        workers.clock.advance(BEAT)
        sent += workers.foldings[worker].fold(())

    assert [due.turn.stage for due in sent] == ["opened", "opened"]


def test_what_left_while_a_process_ends_is_not_sent_again(server: RedisServer) -> None:
    """The last thing that a process says is what it has sent."""
    old = Workers(server, 1)
    old.hear(0, 5)
    old.foldings[0].leave()
    new = Workers(server, 1)

    for _ in range(3):
        new.beat()

    assert [told[2] for told in [*old.told, *new.told]] == ["opened"]


def test_nobody_asks_redis_when_nothing_happens(server: RedisServer) -> None:
    """When all is over no worker has anything to wait for, and none leads."""
    workers = Workers(server, 2)
    workers.hear(0, 5)
    for _ in range(400):
        workers.beat()

    waits = [folding.wait() for folding in workers.foldings]

    assert waits == [None, None]
    assert connect(server).get("holdfast:alerts:{shop}:lead") is None


def test_a_new_process_tells_that_what_others_left_open_is_over(server: RedisServer) -> None:
    """After a deployment the new processes end what the old ones have opened."""
    old = Workers(server, 1)
    old.hear(0, 5)
    old.beat()
    old.leave()
    new = Workers(server, 1)

    for _ in range(400):
        new.beat()

    assert [told[2] for told in [*old.told, *new.told]] == ["opened", "recovered"]


def test_what_is_new_is_new_for_all(server: RedisServer) -> None:
    """A code is seen for the first time once in a service, and new in a release by all that came before."""
    first = AlertRule(name="first", when="first_seen", recover_after=5)
    release = AlertRule(name="release", when="new_in_release", recover_after=5)
    told: dict[str, list[str]] = {}

    for version, codes in (("1.0", "A"), ("1.1", "AB"), ("1.2", "BC"), ("1.3", "A")):
        workers = Workers(server, 2, first, release, release=version)
        for code in codes:
            for rule in (first, release):
                workers.hear(0, 1, code, rule)
                workers.hear(1, 1, code, rule)
        for _ in range(20):
            workers.beat()
        workers.leave()
        told[version] = [
            f"{key} {stage}" for _, key, stage, *_ in workers.told if stage == "opened"
        ]

    assert told == {
        "1.0": ["A opened"],
        "1.1": ["B opened", "B opened"],
        "1.2": ["C opened", "C opened"],
        "1.3": ["A opened"],
    }


def connect(server: RedisServer) -> "redis.Redis":
    """Return a client."""
    return redis.Redis.from_url(server.url, decode_responses=True)  # pyright: ignore[reportUnknownMemberType]


def expire_lease(server: RedisServer) -> None:
    """Let the time of the lease be over."""
    with connect(server) as client:
        assert client.delete("holdfast:alerts:{shop}:lead") == 1


def forget_members(server: RedisServer) -> None:
    """Let the time of all members be over."""
    with connect(server) as client:
        names: object = client.zrange("holdfast:alerts:{shop}:members", 0, -1)  # pyright: ignore[reportUnknownMemberType]
        prefix = "holdfast:alerts:{shop}:member"
        client.delete(f"{prefix}s", *(f"{prefix}:{name}" for name in cast("list[str]", names)))
