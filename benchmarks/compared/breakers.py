"""What is claimed of circuit breakers, and how it is tried."""

import asyncio
from collections.abc import Callable, Iterable
from threading import Barrier, BrokenBarrierError

from benchmarks.compared import recovering, refusing
from benchmarks.compared.answer import LONG, PATIENCE, Answer, Running
from benchmarks.compared.circuits import (
    THRESHOLD,
    Circuit,
    NoConnection,
    aopen_it,
    attempt,
    fails,
    is_refused,
    open_it,
    succeeds,
)
from benchmarks.compared.making import Makes


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
    ("Half-open, one of sixteen racing calls is let through", recovering.one_probe),
    ("A probe that ends in an excluded error does not close it", recovering.excluded_probe),
    ("A probe that is cancelled does not close it, nor block it", recovering.cancelled_probe),
    ("A probe that never returns does not block it for ever", recovering.hung_probe),
    ("The late result of a call from before it opened is ignored", recovering.late_result),
    ("After a probe, calls come back step by step", recovering.widens),
    ("Stays open longer each time a probe fails", recovering.grows),
    ("Stays open as long as the other side asked for", recovering.stays),
    ("Opened by hand, it stays open", recovering.forced),
    ("Opening by hand does not wait for calls under way", recovering.forced_at_once),
    ("A trial run: refuses nothing, counts what it would have", recovering.shadows),
    ("Redis going away does not close an open circuit", recovering.redis_away),
    ("A refusal carries name and time to wait", refusing.tells),
    ("A refusal survives `pickle`", refusing.pickles),
    ("Refusals do not grow with their number", refusing.no_growth),
    ("Listeners hear of refusals", refusing.hears_refusals),
    ("A listener that raises changes nothing", refusing.listener),
)
