"""How circuits are shared: exchanges off the way of calls, a store that comes and goes, forks, the runtime."""

import gc
import os
import random
import sys
import threading
from collections.abc import Callable, Mapping
from functools import partial

import pytest

from holdfast import SettingsError, environment
from holdfast.resilience.breaker import CircuitOpenError
from holdfast.resilience.breaking import Breaker
from holdfast.resilience.circuit import exchanging
from holdfast.resilience.circuit.circuit import Circuit
from holdfast.resilience.circuit.exchanging import EVERY, SOON, Exchanger
from holdfast.resilience.circuit.period import State
from holdfast.resilience.circuit.sharing import HOLD, LEASE, Fleet, Heard
from holdfast.resilience.circuit.terms import Terms
from holdfast.resilience.policy import Policy
from holdfast.settings import Settings
from holdfast.settings.circuits import CircuitsSettings
from holdfast.starting import configure
from holdfast.testing import FakeClock, RecordingRuntime
from tests.core.circuit_store import MemoryStore

OPEN, HALF_OPEN, CLOSED = State.OPEN, State.HALF_OPEN, State.CLOSED
NAME = "payments"
TERMS = Terms(failure_threshold=2, recovery_timeout=30.0, success_threshold=1)


class RefusedError(Exception):
    """The call was not made."""

    def __init__(self, reason: str, seconds: float) -> None:
        super().__init__(reason)
        self.seconds = seconds


class Worker:
    """One worker: a circuit and what it is shared by, without a thread."""

    def __init__(self, store: MemoryStore, terms: Terms = TERMS) -> None:
        self.told: list[Exception | None] = []
        self.clock = store.clock
        self.exchanger = Exchanger(
            lambda: store,
            quorum=0.5,
            clock=store.clock,
            chance=random.Random(7),  # noqa: S311  # repeatable
            tell=self.told.append,
            threaded=False,
        )
        self.circuit = self.made(terms)
        self.exchanger.share(NAME, self.circuit)

    def made(self, terms: Terms) -> Circuit:
        """Return a circuit."""
        return Circuit(terms, clock=self.clock, refusal=RefusedError, chance=random.Random(7))  # noqa: S311  # repeatable

    def call(self, *, fails: bool = False) -> str:
        """Make a call; return how it ended."""
        try:
            permit = self.circuit.acquire()
        except RefusedError as error:
            return str(error)
        if fails:
            permit.failure(ValueError())
            return "failed"
        permit.success()
        return "made"

    def fail(self) -> None:
        """Make calls that fail until the circuit is open."""
        for _ in range(2):
            self.call(fails=True)


class Service:
    """Four workers with one store and one clock."""

    def __init__(self, terms: Terms = TERMS) -> None:
        self.clock = FakeClock()
        self.store = MemoryStore(self.clock)
        self.workers = [Worker(self.store, terms) for _ in range(4)]

    def exchange(self, seconds: float = EVERY) -> None:
        """Let each worker exchange once, and time pass."""
        for worker in self.workers:
            worker.exchanger.exchange()
        self.clock.advance(seconds)

    def open(self) -> None:
        """Have two of four workers see failures, and all follow."""
        self.exchange()
        for worker in self.workers[:2]:
            worker.fail()
        self.exchange()
        self.exchange()

    def states(self) -> list[State]:
        """Return the state of each circuit."""
        return [worker.circuit.state for worker in self.workers]


@pytest.fixture
def service() -> Service:
    """Give four workers."""
    return Service()


def test_a_worker_that_sees_failures_opens_itself_and_recovers_by_itself(service: Service) -> None:
    """Below the quorum its circuit is its own affair: it needs nobody's leave to probe."""
    service.exchange()
    service.workers[0].fail()
    service.exchange()
    alone = service.states()
    service.clock.advance(30.0)

    assert alone == [OPEN, CLOSED, CLOSED, CLOSED]
    assert service.workers[0].call() == "made"
    assert service.states() == [CLOSED] * 4


def test_a_fleet_that_opens_is_followed_by_all(service: Service) -> None:
    """Those that saw nothing refuse calls, too, and say why and until when."""
    service.open()

    with pytest.raises(RefusedError, match="open") as refusal:
        service.workers[3].circuit.acquire()

    assert service.states() == [OPEN] * 4
    assert service.workers[3].circuit.snapshot().reason == "2 of 4 workers opened it"
    assert 25.0 < refusal.value.seconds <= 30.0


def test_calls_wait_for_leave_to_probe_and_one_gets_it(service: Service) -> None:
    """When the time is over a call is still refused, asks for leave, and the next one is made."""
    service.open()
    service.exchange(30.0)
    service.exchange(0.0)

    before = [worker.call() for worker in service.workers[1:3]]
    service.exchange(0.0)
    after = [worker.circuit.state for worker in service.workers]

    assert before == ["half-open", "half-open"]
    assert after == [OPEN, HALF_OPEN, OPEN, OPEN]
    assert [worker.call() for worker in service.workers] == ["half-open", "made", "open", "open"]


def test_nobody_has_leave_who_has_no_call(service: Service) -> None:
    """A worker without calls could not probe: the leave is kept for one that can."""
    service.open()
    service.exchange(30.0)

    service.exchange(0.0)

    assert service.store.fleets[NAME].state is OPEN
    assert service.states() == [OPEN] * 4


def test_a_probe_that_succeeds_brings_all_back(service: Service) -> None:
    """The others come back by a probe of their own each, and not all of their calls at once."""
    service.open()
    service.exchange(30.0)
    service.workers[1].call()
    service.exchange(0.0)
    service.workers[1].call()

    service.exchange(0.0)
    service.exchange(0.0)

    assert service.states() == [HALF_OPEN, CLOSED, HALF_OPEN, HALF_OPEN]
    assert [worker.call() for worker in service.workers] == ["made"] * 4
    assert service.states() == [CLOSED] * 4


def test_a_probe_that_fails_opens_all_again(service: Service) -> None:
    """For as long as the circuit of the one that probed says."""
    service.open()
    service.exchange(30.0)
    service.workers[1].call()
    service.exchange(0.0)
    service.workers[1].call(fails=True)

    service.exchange(0.0)
    service.exchange(29.0)

    assert service.store.fleets[NAME].reason == "its probe failed"
    assert service.states() == [OPEN] * 4
    assert [worker.call() for worker in service.workers] == ["open"] * 4


def test_a_late_probe_does_not_close_what_another_is_probing(service: Service) -> None:
    """Who stood still beyond its leave is held again; what its call brings back is nobody's."""
    service.open()
    service.exchange(30.0)
    service.workers[1].call()
    service.exchange(0.0)
    late = service.workers[1].circuit.acquire()
    for _ in range(int(LEASE) + 2):
        service.clock.advance(EVERY)
        for worker in (service.workers[0], *service.workers[2:]):
            if worker.circuit.state is OPEN:
                worker.call()
            worker.exchanger.exchange()
    holder = service.store.fleets[NAME].holder
    service.workers[1].exchanger.exchange()

    late.success()

    assert holder not in ("", service.workers[1].exchanger.member)
    assert service.workers[1].circuit.state is OPEN


# a store that comes and goes


def test_a_store_that_goes_away_closes_nothing(service: Service) -> None:
    """Open circuits stay open, and then each probes for itself; what fails stays open."""
    service.open()
    service.store.is_away = True
    service.exchange(20.0)
    while_open = service.states()
    service.exchange(10.0 + HOLD)

    assert while_open == [OPEN] * 4
    assert service.states() == [OPEN] * 4
    assert [worker.call(fails=True) for worker in service.workers] == ["failed"] * 4
    assert service.states() == [OPEN] * 4
    service.clock.advance(30.0)
    assert [worker.call() for worker in service.workers] == ["made"] * 4


def test_a_store_that_lost_all_is_told_what_is_open(service: Service) -> None:
    """An empty store orders nothing: whoever follows an opening writes it again, with a later version."""
    service.open()
    version = service.store.fleets[NAME].version
    service.store.flush()

    service.exchange()
    service.exchange()

    assert service.store.fleets[NAME].state is OPEN
    assert service.store.fleets[NAME].version > version
    assert service.states() == [OPEN] * 4


def test_a_worker_that_recovered_while_the_store_was_away_tells_so(service: Service) -> None:
    """Its probe succeeded: the opening that the store still holds is over for all."""
    service.open()
    service.store.is_away = True
    service.clock.advance(30.0 + HOLD)
    service.workers[2].call()
    service.store.is_away = False

    service.workers[2].exchanger.exchange()
    service.exchange()

    assert service.store.fleets[NAME].state is CLOSED
    assert service.states() == [HALF_OPEN, HALF_OPEN, CLOSED, HALF_OPEN]


def test_each_edge_is_told_once(service: Service) -> None:
    """Not each failure: when the store goes away, and when it is back."""
    (worker, *_) = service.workers
    service.store.is_away = True
    for _ in range(5):
        worker.exchanger.exchange()
    service.store.is_away = False
    for _ in range(5):
        worker.exchanger.exchange()

    assert [type(told).__name__ for told in worker.told] == ["AwayError", "NoneType"]


def test_a_store_that_is_away_is_left_alone_longer_and_longer(service: Service) -> None:
    """Up to a limit, and each worker by its own chance."""
    (worker, *_) = service.workers
    service.store.is_away = True

    waits = [worker.exchanger.exchange() for _ in range(12)]

    assert waits[0] <= 0.75
    assert 2.5 <= waits[-1] <= exchanging.PAUSE.ceiling
    service.store.is_away = False
    assert worker.exchanger.exchange() == EVERY


def test_all_look_more_often_while_one_sees_failures(service: Service) -> None:
    """The fleet may be about to open; when it has, there is nothing to hurry for."""
    service.exchange()
    service.workers[0].fail()

    waits = [worker.exchanger.exchange() for worker in service.workers]
    service.open()

    assert waits == [SOON] * 4
    assert [worker.exchanger.exchange() for worker in service.workers] == [EVERY] * 4


def test_what_was_not_kept_is_not_done(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another was faster: what this worker would have written is nobody's state."""
    service.exchange()

    def refuse(name: str, expected: int, fleet: Fleet) -> bool:
        return False

    monkeypatch.setattr(service.store, "settle", refuse)
    for worker in service.workers[:2]:
        worker.fail()
    service.exchange()
    service.exchange(30.0)

    assert service.states() == [OPEN, OPEN, CLOSED, CLOSED]
    assert [worker.call() for worker in service.workers] == ["made"] * 4


# which circuits


def test_a_circuit_that_somebody_has_overridden_is_no_witness(service: Service) -> None:
    """Forced open, disabled or in shadow it neither counts among the workers nor follows them."""
    service.exchange(HOLD + 1)
    service.workers[3].circuit.disable()

    service.open()

    assert service.workers[3].circuit.state is CLOSED
    assert "2 of 3 workers" in service.store.fleets[NAME].reason


def test_a_circuit_that_is_replaced_follows_anew(service: Service) -> None:
    """New options make a new circuit of the same name, which knows nothing of the fleet yet."""
    service.open()
    worker = service.workers[3]
    worker.circuit = worker.made(TERMS)
    worker.exchanger.share(NAME, worker.circuit)

    worker.exchanger.exchange()

    assert worker.circuit.state is OPEN


def test_a_circuit_that_nobody_holds_is_shared_no_more(service: Service) -> None:
    """The exchange holds no circuit by itself."""
    worker = service.workers[3]
    worker.circuit = worker.made(TERMS)
    gc.collect()
    service.clock.advance(60.0)

    worker.exchanger.exchange()

    assert worker.exchanger.member + NAME not in service.store.live
    assert all(
        at == 0.0 for place, at in service.store.live.items() if worker.exchanger.member in place
    )


def test_there_is_a_limit_to_the_circuits_of_a_worker(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond it circuits are each worker's own; the store stays small."""
    monkeypatch.setattr(exchanging, "MAX_CIRCUITS", 1)
    (worker, *_) = service.workers
    other = worker.made(TERMS)

    worker.exchanger.share("orders", other)
    worker.exchanger.exchange()

    assert {place.removesuffix(worker.exchanger.member) for place in service.store.live} == {NAME}


# the thread


class Waiting(MemoryStore):
    """A store that says when it was asked, and by which thread."""

    def __init__(self) -> None:
        super().__init__(FakeClock())
        self.asked = threading.Event()
        self.threads: set[str] = set()

    def exchange(self, member: str, told: Mapping[str, bool]) -> Mapping[str, Heard]:
        """Note who asks."""
        found = super().exchange(member, told)
        self.threads.add(threading.current_thread().name)
        self.asked.set()
        return found


def threaded(store: Waiting) -> Exchanger:
    """Return what exchanges on a thread of its own."""
    return Exchanger(
        lambda: store,
        quorum=0.5,
        clock=store.clock,
        chance=random.Random(7),  # noqa: S311  # repeatable
        tell=lambda _: None,
    )


def circuit_of(store: MemoryStore) -> Circuit:
    """Return a circuit."""
    return Circuit(TERMS, clock=store.clock, refusal=RefusedError, chance=random.Random(7))  # noqa: S311  # repeatable


def test_a_thread_starts_with_the_first_circuit_and_ends_with_the_exchange() -> None:
    """Nothing runs before; at the end the others are told."""
    store = Waiting()
    exchanger, circuit = threaded(store), circuit_of(store)
    before = exchanger._thread

    exchanger.share(NAME, circuit)
    asked = store.asked.wait(20)
    exchanger.close(20)

    assert before is None
    assert asked
    assert store.threads == {"holdfast-circuits"}
    assert store.left == [exchanger.member]
    assert exchanger._thread is not None
    assert not exchanger._thread.is_alive()


def test_a_change_of_state_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It wakes the thread, which would else have slept for long."""
    monkeypatch.setattr(exchanging, "EVERY", 1000.0)
    store = Waiting()
    exchanger, circuit = threaded(store), circuit_of(store)
    exchanger.share(NAME, circuit)
    store.asked.wait(20)
    store.asked.clear()

    circuit.open()
    is_asked = store.asked.wait(20)
    exchanger.close(20)

    assert is_asked


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_forked_child_is_another_worker_with_a_thread_of_its_own() -> None:
    """It does not speak with its parent's name; the parent's thread did not come along."""
    store = Waiting()
    exchanger, circuit = threaded(store), circuit_of(store)
    exchanger.share(NAME, circuit)
    store.asked.wait(20)
    reading, writing = os.pipe()

    pid = os.fork()
    if not pid:  # pragma: no cover  # in the child
        store.asked.clear()
        is_asked = store.asked.wait(20)
        os.write(writing, f"{exchanger.member} {is_asked}".encode())
        os._exit(0)
    os.waitpid(pid, 0)
    member, was_asked = os.read(reading, 100).decode().split()
    exchanger.close(20)
    os.close(reading)
    os.close(writing)

    assert member != exchanger.member
    assert was_asked == "True"


# the runtime


def sharing(**told: object) -> Settings:
    """Return settings of a service that shares; nothing listens there."""
    circuits = CircuitsSettings(shared="redis://127.0.0.1:1/0")
    return Settings(**{"service": "shop", "reporters": (), "circuits": circuits, **told})  # type: ignore[arg-type]  # by name


def without_redis(run: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> SettingsError:
    """Return what is said where the library is not installed."""
    monkeypatch.delitem(sys.modules, "holdfast.integrations.redis_circuits", raising=False)
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(SettingsError) as refusal:
        run()
    return refusal.value


def test_sharing_without_the_library_is_a_mistake_in_the_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is told at the start, by the key and with what to install."""
    shared = {"shared": "redis://localhost:6379/0"}

    error = without_redis(
        partial(configure, service="shop", reporters=[], circuits=shared), monkeypatch
    )

    assert [problem.path for problem in error.problems] == ["circuits.shared"]
    assert 'pip install "holdfast[redis]"' in str(error)


def test_without_the_setting_nothing_is_shared() -> None:
    """The default needs no library and has no thread."""
    assert RecordingRuntime().sharing is None


@pytest.mark.extra("redis")
def test_policies_share_their_circuits_by_name_unless_they_say_no() -> None:
    """Each breaker joins when its policy is first used; `shared=False` keeps one to itself."""
    runtime = RecordingRuntime(sharing())
    fine = partial(str, "fine")

    with environment.activated(runtime):
        Policy("shared-stock", Breaker()).call(fine)
        Policy("own-stock", Breaker(shared=False)).call(fine)

    assert runtime.sharing is not None
    assert list(runtime.sharing._circuits) == ["shared-stock"]


@pytest.mark.extra("redis")
def test_calls_go_on_when_redis_was_never_there() -> None:
    """The circuit opens and refuses by what it sees itself; the loss is told once."""
    runtime = RecordingRuntime(sharing())

    def fail() -> None:
        raise OSError

    with environment.activated(runtime):
        policy = Policy("lone-stock", Breaker(failure_threshold=2))
        for _ in range(2):
            with pytest.raises(OSError):  # noqa: PT011  # whatever it was
                policy.call(fail)
        assert runtime.sharing is not None
        for _ in range(3):
            runtime.sharing.exchange()
        with pytest.raises(CircuitOpenError):
            policy.call(fail)

    told = [event for event in runtime.recorded.events if event.name.startswith("sharing")]
    assert [(event.name, event.attributes["of"]) for event in told] == [
        ("sharing.lost", "circuits")
    ]


def test_closing_the_runtime_ends_the_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    """No thread is left behind, and none is started afterwards."""
    pytest.importorskip("redis")
    runtime = configure(service="shop", reporters=[], circuits={"shared": "redis://127.0.0.1:1/0"})
    store = Waiting()
    assert runtime.sharing is not None
    monkeypatch.setattr(runtime.sharing, "_connect", lambda: store)

    with environment.activated(runtime):
        Policy("closing-stock", Breaker()).call(partial(str, "fine"))
        store.asked.wait(20)
        runtime.close()
        Policy("late-stock", Breaker()).call(partial(str, "fine"))

    thread = runtime.sharing._thread
    assert thread is not None
    assert not thread.is_alive()
    assert store.left == [runtime.sharing.member]
