"""What is claimed of circuit breakers that are open, and of how they close."""

import asyncio
from threading import Barrier, Condition, Event

from benchmarks.compared.answer import LONG, PATIENCE, Answer, Running, UnableError
from benchmarks.compared.circuits import (
    RECOVERY,
    THRESHOLD,
    NoConnection,
    ais_refused,
    aopen_it,
    attempt,
    fails,
    is_refused,
    open_it,
    succeeds,
)
from benchmarks.compared.making import Makes
from benchmarks.compared.redis_server import own_server

THREADS = 16


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


def shadows(library: Makes) -> Answer:
    """Let every call fail, and see that none is refused."""
    circuit, refused = library.shadow()
    made = sum(isinstance(attempt(circuit, fails), NoConnection) for _ in range(40))
    return Answer(made == 40 and refused() > 0, "" if refused() else "does not count them")


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
