"""What is claimed of circuit breakers, and how it is tried."""

import asyncio
import pickle
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from threading import Barrier, BrokenBarrierError, Condition, Event
from typing import Protocol

from benchmarks.compared.answer import LONG, PATIENCE, Answer, Running, UnableError
from benchmarks.compared.circuits import (
    NAME,
    RECOVERY,
    THRESHOLD,
    Circuit,
    NoConnection,
    ais_refused,
    aopen_it,
    attempt,
    fails,
    is_refused,
    open_it,
    succeeds,
)
from benchmarks.compared.redis_server import own_server

THREADS = 16


class Makes(Protocol):
    """A library of circuit breakers; what it has no setting for raises `UnableError`."""

    def circuit(self, listener: Callable[[str], None] | None = None) -> Circuit:
        """Make one that opens after three failures, for a minute; errors of class `Neutral` are excluded.

        The listener is told of `success` and, where there is such a thing, of `refused`.
        """

    def generators(self) -> Circuit:
        """Make one that protects generator functions, if it can."""

    def windowed(self) -> Circuit:
        """Make one that opens when half of ten calls or more failed, if it can."""

    def slow(self) -> tuple[Circuit, Callable[[float], None]]:
        """Make one that opens when calls of a second are slow; and what lets time pass within a call."""

    def growing(self) -> Circuit:
        """Make one that stays open longer each time a probe fails."""

    def told(self) -> Circuit:
        """Make one that stays open as long as the other side asked for."""

    def ramped(self) -> Circuit:
        """Make one that closes step by step."""

    def shadow(self) -> tuple[Circuit, Callable[[], int]]:
        """Make one that refuses nothing, and counts what it would have refused."""

    def force_open(self, circuit: Circuit) -> None:
        """Open it by hand."""

    def redis(self, port: int) -> Circuit:
        """Make one whose state is in Redis."""


def concurrent(library: Makes) -> Answer:
    """Let eight calls meet within the circuit."""
    circuit, met = library.circuit(), Barrier(8)
    running = [Running(lambda: circuit.call(lambda: met.wait(PATIENCE))) for _ in range(8)]
    errors = [one.error for one in running if one.is_over(LONG) and one.error]
    held_up = any(isinstance(error, BrokenBarrierError) for error in errors)
    return Answer(not errors, "one after the other" if held_up else "")


def awaited(library: Makes) -> Answer:
    """Let coroutines fail until it ought to be open."""
    opened = asyncio.run(aopen_it(library.circuit()))
    return Answer(opened, "" if opened else "never opens")


def one_for_both(library: Makes) -> Answer:
    """Open it with plain calls and see whether coroutines are refused."""
    if not asyncio.run(aopen_it(library.circuit())):
        return Answer(holds=False, said="does not see coroutines")
    circuit, made = open_it(library.circuit()), list[int]()

    async def ask() -> object:
        made.append(1)

    try:
        asyncio.run(circuit.acall(ask))
    except circuit.refusal:
        return Answer(not made)
    return Answer(holds=False, said="a circuit of each kind")


def excluded_probe(library: Makes) -> Answer:
    """End the first call after the pause with an error that says nothing."""
    circuit = open_it(library.circuit())
    circuit.elapse(RECOVERY + 1)

    def neutral() -> None:
        raise circuit.neutral("no such order")

    attempt(circuit, neutral)
    state = circuit.state()
    return Answer(
        state != "closed", {"closed": "closes it", "open": "opens it again"}.get(state, "")
    )


def cancelled_probe(library: Makes) -> Answer:
    """Cancel the first call after the pause."""
    circuit = library.circuit()
    if not asyncio.run(aopen_it(circuit)):
        return Answer(holds=False, said="does not see coroutines")
    circuit.elapse(RECOVERY + 1)

    async def probe() -> None:
        begun = asyncio.Event()

        async def hang() -> None:
            begun.set()
            await asyncio.Event().wait()

        async def call() -> None:
            await circuit.acall(hang)

        task = asyncio.create_task(call())
        await asyncio.wait_for(begun.wait(), LONG)
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(probe())
    if circuit.state() == "closed":
        return Answer(holds=False, said="closes it")
    refused = asyncio.run(ais_refused(circuit))
    return Answer(not refused, "counts as a failure" if refused else "")


def one_probe(library: Makes) -> Answer:
    """Let sixteen threads call at the same moment after the pause."""
    circuit = open_it(library.circuit())
    circuit.elapse(RECOVERY + 1)
    begin, change, release = Barrier(THREADS), Condition(), Event()
    entered, refused = list[int](), list[int]()

    def note(where: list[int]) -> None:
        with change:
            where.append(1)
            change.notify_all()

    def probe() -> None:
        note(entered)
        release.wait(LONG)

    def call() -> None:
        begin.wait(LONG)
        try:
            circuit.call(probe)
        except circuit.refusal:
            note(refused)

    running = [Running(call) for _ in range(THREADS)]
    with change:
        change.wait_for(lambda: len(entered) + len(refused) == THREADS, PATIENCE)
        at_once, away = len(entered), len(refused)
    release.set()
    for one in running:
        one.is_over(LONG)
    if at_once != 1:
        return Answer(holds=False, said=f"{at_once} of {THREADS}")
    return Answer(holds=True, said="" if away == THREADS - 1 else "the others wait for its end")


def hung_probe(library: Makes) -> Answer:
    """Let the first call after the pause hang, and ten minutes pass."""
    circuit, begun, release = open_it(library.circuit()), Event(), Event()
    circuit.elapse(RECOVERY + 1)

    def hang() -> None:
        begun.set()
        release.wait(LONG)

    hanging = Running(lambda: circuit.call(hang))
    begun.wait(LONG)
    passing = Running(lambda: is_refused(circuit))
    free = passing.is_over() and passing.value is False
    if not free:
        circuit.elapse(600.0)
    later = Running(lambda: is_refused(circuit))
    over = later.is_over()
    release.set()
    hanging.is_over(LONG)
    if not over:
        return Answer(holds=False, said="all calls wait for it")
    if later.value:
        return Answer(holds=False, said="refuses ever after")
    return Answer(holds=True, said="other probes pass at any time" if free else "")


def late_result(library: Makes) -> Answer:
    """Let a call that began before it opened succeed while it is open."""
    circuit, begun, release = library.circuit(), Event(), Event()

    def late() -> None:
        begun.set()
        release.wait(LONG)

    early = Running(lambda: circuit.call(late))
    begun.wait(LONG)
    opening = Running(lambda: open_it(circuit))
    opened = opening.is_over()
    release.set()
    early.is_over(LONG)
    opening.is_over(LONG)
    if not opened:
        return Answer(holds=None, said="cannot come to pass: calls wait for each other")
    state = circuit.state()
    return Answer(state == "open", "" if state == "open" else "closes it")


def listener(library: Makes) -> Answer:
    """Listen with a function that raises."""

    def broken(_: str) -> None:
        raise RuntimeError("the listener is broken")

    circuit = library.circuit(broken)
    error = attempt(circuit, succeeds)
    if isinstance(error, RuntimeError):
        return Answer(holds=False, said="its error comes out instead")
    open_it(circuit)
    return Answer(holds=True)


def hears_refusals(library: Makes) -> Answer:
    """Listen to a call that is refused."""
    heard: list[str] = []
    circuit = open_it(library.circuit(heard.append))
    attempt(circuit, succeeds)
    return Answer("refused" in heard)


def tells(library: Makes) -> Answer:
    """Look for the name of the circuit and the time to wait on what is raised."""
    error = attempt(open_it(library.circuit()), succeeds)
    facts = [*_facts(error)]
    name = any(fact == NAME for fact in facts)
    pause = any(
        isinstance(fact, float | int)
        and not isinstance(fact, bool)
        and RECOVERY - 5 < fact <= RECOVERY
        for fact in (
            fact.total_seconds() if isinstance(fact, timedelta) else fact for fact in facts
        )
    )
    found = [*(["the name"] if name else []), *(["the wait"] if pause else [])]
    said = "" if len(found) == 2 else f"only {found[0]}" if found else "only a text"
    return Answer(name and pause, said)


def _facts(error: BaseException | None) -> Iterator[object]:
    for name in dir(error):
        if not name.startswith("_"):
            try:
                yield getattr(error, name)
            except Exception:  # a property that needs more than the error has
                continue


def no_growth(library: Makes) -> Answer:
    """Count the frames that refusals drag along."""
    circuit = open_it(library.circuit())
    depths = [_depth(attempt(circuit, succeeds)) for _ in range(50)]
    grown = max(depths) > depths[0]
    return Answer(not grown, "one error, whose traceback grows" if grown else "")


def _depth(error: BaseException | None) -> int:
    entry = error.__traceback__ if error else None
    depth = 0
    while entry is not None:
        entry, depth = entry.tb_next, depth + 1
    return depth


def pickles(library: Makes) -> Answer:
    """Send a refusal to another process, and back."""
    error = attempt(open_it(library.circuit()), succeeds)
    try:
        other = pickle.loads(pickle.dumps(error))  # noqa: S301  # of our own making
    except Exception as problem:
        return Answer(holds=False, said=f"`{type(problem).__name__}`")
    same = (
        type(other) is type(error) and str(other) == str(error) and _plain(other) == _plain(error)
    )
    return Answer(same, "" if same else "comes back as something else")


def _plain(error: BaseException | None) -> list[object]:
    return [fact for fact in vars(error).values() if isinstance(fact, str | float | int)]


def original(library: Makes) -> Answer:
    """Look at what comes out of the call that opens it."""
    circuit = library.circuit()
    *_, last = [attempt(circuit, fails) for _ in range(THRESHOLD)]
    kept = isinstance(last, NoConnection)
    return Answer(kept, "" if kept else f"`{type(last).__name__}`")


def rate(library: Makes) -> Answer:
    """Let every other call fail, never two in a row."""
    circuit = library.windowed()
    for _ in range(30):
        attempt(circuit, succeeds)
        attempt(circuit, fails)
    opened = is_refused(circuit)
    return Answer(opened, "" if opened else "failures in a row only")


def slowness(library: Makes) -> Answer:
    """Let every call take two seconds and succeed."""
    circuit, wait = library.slow()
    for _ in range(30):
        attempt(circuit, lambda: wait(2.0))
    return Answer(is_refused(circuit))


def control_flow(library: Makes) -> Answer:
    """Interrupt calls from the keyboard."""
    circuit = library.circuit()

    def interrupted() -> None:
        raise KeyboardInterrupt

    for _ in range(THRESHOLD):
        attempt(circuit, interrupted)
    refused = is_refused(circuit)
    return Answer(not refused, "counts as a failure" if refused else "")


def mistakes(library: Makes) -> Answer:
    """Let calls fail by a mistake of the calling code."""
    circuit = library.circuit()

    def mistaken() -> object:
        return len(881)  # type: ignore[arg-type]  # the mistake

    for _ in range(THRESHOLD):
        attempt(circuit, mistaken)
    refused = is_refused(circuit)
    return Answer(not refused, "unless excluded by name" if refused else "")


def nested(library: Makes) -> Answer:
    """Nest two circuits in both orders at the same time."""
    one, other, met = library.circuit(), library.circuit(), Barrier(2)

    def through(outer: Circuit, inner: Circuit) -> Callable[[], object]:
        def call() -> object:
            met.wait(LONG)
            return inner.call(succeeds)

        return lambda: outer.call(call)

    running = [Running(through(one, other)), Running(through(other, one))]
    over = [each.is_over() for each in running]
    return Answer(all(over), "" if all(over) else "a deadlock")


def forced(library: Makes) -> Answer:
    """Open it by hand and let an hour pass."""
    circuit = library.circuit()
    library.force_open(circuit)
    circuit.elapse(3600.0)
    refused = is_refused(circuit)
    return Answer(refused, "" if refused else "for the usual pause")


def forced_at_once(library: Makes) -> Answer:
    """Open it by hand while a call is under way."""
    circuit, begun, release = library.circuit(), Event(), Event()

    def hang() -> None:
        begun.set()
        release.wait(LONG)

    hanging = Running(lambda: circuit.call(hang))
    begun.wait(LONG)
    opening = Running(lambda: library.force_open(circuit))
    over = opening.is_over()
    release.set()
    hanging.is_over(LONG)
    opening.is_over(LONG)
    if isinstance(opening.error, UnableError):
        raise opening.error
    return Answer(over, "" if over else "waits for the call")


def grows(library: Makes) -> Answer:
    """Let a probe fail, and the same pause pass again."""
    circuit = open_it(library.growing())
    circuit.elapse(RECOVERY * 1.5)
    attempt(circuit, fails)
    circuit.elapse(RECOVERY * 1.01)
    return Answer(is_refused(circuit))


def stays(library: Makes) -> Answer:
    """Fail with an error that asks for ten minutes."""
    circuit = library.told()

    def busy() -> None:
        raise circuit.busy

    for _ in range(THRESHOLD):
        attempt(circuit, busy)
    circuit.elapse(RECOVERY * 2)
    return Answer(is_refused(circuit))


def widens(library: Makes) -> Answer:
    """Let the first probe succeed and send a hundred calls at the same moment."""
    circuit = library.ramped()
    for _ in range(100):
        attempt(circuit, succeeds)
    open_it(circuit)
    circuit.elapse(RECOVERY * 1.5)

    def probe() -> None:
        if is_refused(circuit):
            waiting.append(1)

    waiting: list[int] = []
    probing = Running(lambda: circuit.call(probe))
    if not probing.is_over():
        raise AssertionError("the probe hangs")
    passed = sum(not is_refused(circuit) for _ in range(100))
    return Answer(passed < 100, "" if passed < 100 else "all at once")


def shadows(library: Makes) -> Answer:
    """Let every call fail, and see that none is refused."""
    circuit, refused = library.shadow()
    made = sum(isinstance(attempt(circuit, fails), NoConnection) for _ in range(40))
    return Answer(made == 40 and refused() > 0, "" if refused() else "does not count them")


def generators(library: Makes) -> Answer:
    """Let generators fail half way."""
    circuit = library.generators()

    def rows() -> Iterable[int]:
        yield 1
        raise NoConnection("no route")

    read = circuit.decorated(rows)
    for _ in range(THRESHOLD):
        try:
            [*read()]  # type: ignore[misc]  # a generator
        except NoConnection:  # each call is one
            continue
        except circuit.refusal:
            break
    return Answer(is_refused(circuit))


def redis_away(library: Makes) -> Answer:
    """Take Redis away while the circuit is open."""
    with own_server() as server:
        if server is None:
            return Answer(None, "not tried: no redis-server here")
        circuit = open_it(library.redis(server.port))
        server.stop()
        made: list[int] = []
        asked = Running(lambda: [attempt(circuit, lambda: made.append(1)) for _ in range(3)])
        if not asked.is_over(LONG):
            return Answer(holds=False, said="calls hang")
        if made:
            return Answer(holds=False, said="calls are made")
        assert isinstance(asked.value, list)
        kept = all(isinstance(error, circuit.refusal) for error in asked.value)
        return Answer(kept, "" if kept else f"`{type(asked.value[0]).__name__}` instead")


CLAIMS: tuple[tuple[str, Callable[[Makes], Answer]], ...] = (
    ("Calls of eight threads run at the same time", concurrent),
    ("Failures of `async def` functions open it", awaited),
    ("One circuit serves plain functions and coroutines", one_for_both),
    ("Failures half way through a generator open it", generators),
    ("Two circuits nested in both orders do not deadlock", nested),
    ("Opens although calls succeed between those that fail", rate),
    ("Opens for calls that are slow", slowness),
    ("An interrupt from the keyboard is no failure", control_flow),
    ("A mistake in the calling code (`TypeError`) is no failure", mistakes),
    ("The call that opens it raises its own error", original),
    ("Half-open, one of sixteen racing calls is let through", one_probe),
    ("A probe that ends in an excluded error does not close it", excluded_probe),
    ("A probe that is cancelled does not close it, nor block it", cancelled_probe),
    ("A probe that never returns does not block it for ever", hung_probe),
    ("The late result of a call from before it opened is ignored", late_result),
    ("After a probe, calls come back step by step", widens),
    ("Stays open longer each time a probe fails", grows),
    ("Stays open as long as the other side asked for", stays),
    ("Opened by hand, it stays open", forced),
    ("Opening by hand does not wait for calls under way", forced_at_once),
    ("A trial run: refuses nothing, counts what it would have", shadows),
    ("Redis going away does not close an open circuit", redis_away),
    ("A refusal carries name and time to wait", tells),
    ("A refusal survives `pickle`", pickles),
    ("Refusals do not grow with their number", no_growth),
    ("Listeners hear of refusals", hears_refusals),
    ("A listener that raises changes nothing", listener),
)
