"""What is claimed of retries, and how it is tried."""

import asyncio
from collections.abc import Callable

from benchmarks.compared.answer import LONG, Answer
from benchmarks.compared.circuits import Busy, NoConnection
from benchmarks.compared.retrying import ATTEMPTS, RetryLibrary, counted, told_time

LIMIT, WAIT = 0.3, 0.2
ASKED = 600.0
CALLS = 100


def _raised(call: Callable[[], object]) -> BaseException | None:
    try:
        call()
    except BaseException as error:
        return error
    return None


def original(library: RetryLibrary) -> Answer:
    """Fail each time with another error, and look at what comes out."""
    made: list[NoConnection] = []

    def fail() -> None:
        made.append(NoConnection(f"attempt {len(made) + 1}"))
        raise made[-1]

    with told_time(library):
        error = _raised(lambda: library.retries().call(fail))
    kept = error is made[-1]
    return Answer(kept, "" if kept else f"`{type(error).__name__}`, unless told otherwise")


def tells_trail(library: RetryLibrary) -> Answer:
    """Look for what was tried, on the error that comes out."""
    with told_time(library):
        error = _raised(lambda: library.retries().call(counted([])))
    assert error is not None
    return Answer(library.trail(error))


def classified(library: RetryLibrary) -> Answer:
    """Fail by a lost connection and by a mistake."""
    lost, mistaken = list[int](), list[int]()
    retries = library.unnamed()
    with told_time(library):
        _raised(lambda: retries.call(counted(lost)))
        _raised(lambda: retries.call(counted(mistaken, ValueError)))
    if len(mistaken) > 1:
        return Answer(holds=False, said="retries mistakes as well")
    return Answer(len(lost) > 1)


def limit(library: RetryLibrary) -> Answer:
    """Wait 0.2 s at a time within 0.3 s."""
    retries = library.limited(LIMIT, WAIT)
    with told_time(library) as told:
        _raised(lambda: retries.call(counted([])))
    waited = sum(told.waits)
    kept = 0 < waited <= LIMIT + 1e-9
    return Answer(kept, retries.said if kept else f"waits {waited:.1f} s of {LIMIT:g} s")


def cut(library: RetryLibrary) -> Answer:
    """Let the first attempt of a coroutine hang."""
    attempts: list[int] = []

    async def hang() -> object:
        attempts.append(1)
        if len(attempts) == 1:
            await asyncio.Event().wait()
        return 881

    async def call() -> object:
        return await asyncio.wait_for(library.timed(0.05).acall(hang), LONG)

    return Answer(asyncio.run(call()) == 881 and len(attempts) == 2)


def budget(library: RetryLibrary) -> Answer:
    """Make a hundred calls, all of which fail."""
    calls: list[int] = []
    with told_time(library):
        retries = library.budgeted()
        for _ in range(CALLS):
            _raised(lambda: retries.call(counted(calls)))
    bounded = len(calls) < CALLS * ATTEMPTS
    return Answer(bounded, f"{len(calls)} calls" + (f"; {retries.said}" if retries.said else ""))


def asked(library: RetryLibrary) -> Answer:
    """Fail with an error that asks for ten minutes."""

    def busy() -> object:
        raise Busy("come back in ten minutes")

    retries = library.asked()
    with told_time(library) as told:
        _raised(lambda: retries.call(busy))
    return Answer(bool(told.waits) and told.waits[0] >= ASKED, retries.said)


def results(library: RetryLibrary) -> Answer:
    """Return what is not wanted, twice."""
    calls: list[int] = []

    def poll() -> object:
        calls.append(1)
        return "pending" if len(calls) < ATTEMPTS else "done"

    with told_time(library):
        found = library.by_result(lambda value: value == "pending").call(poll)
    return Answer(found == "done")


def once_only(library: RetryLibrary) -> Answer:
    """Lose the connection after the request was sent."""
    calls: list[int] = []
    with told_time(library):
        _raised(lambda: library.once_only().call(counted(calls)))
    return Answer(len(calls) == 1)


def nested(library: RetryLibrary) -> Answer:
    """Retry a call that is itself retried."""
    calls: list[int] = []
    inner, outer = library.plainest(), library.plainest()
    with told_time(library):
        _raised(lambda: outer.call(lambda: inner.call(counted(calls))))
    return Answer(len(calls) == ATTEMPTS, f"{len(calls)} calls")


def number(library: RetryLibrary) -> Answer:
    """Ask within each attempt which it is."""
    retries, which = library.number()
    seen: list[int] = []

    def ask() -> object:
        seen.append(which())
        raise NoConnection("no route")

    with told_time(library):
        _raised(lambda: retries.call(ask))
    return Answer(seen == [1, 2, 3], retries.said)


def open_circuit(library: RetryLibrary) -> Answer:
    """Call while a circuit breaker within is open."""
    call, times = library.open_circuit()
    with told_time(library):
        _raised(call)
    return Answer(times() == 1, f"asks {times()} times" if times() != 1 else "")


def blocks(library: RetryLibrary) -> Answer:
    """Retry the body of a block."""
    calls: list[int] = []
    with told_time(library):
        _raised(lambda: library.blocks(counted(calls)))
    return Answer(len(calls) == ATTEMPTS)


def together(library: RetryLibrary) -> Answer:
    """Let ten tasks fail twice each at the same time."""
    retries = library.retries()

    async def one() -> object:
        failures = ATTEMPTS - 1

        async def flaky() -> object:
            nonlocal failures
            await asyncio.sleep(0)
            failures -= 1
            if failures >= 0:
                raise NoConnection("no route")
            return 881

        return await retries.acall(flaky)

    async def all_of_them() -> list[object]:
        return await asyncio.gather(*(one() for _ in range(10)), return_exceptions=True)

    return Answer(asyncio.run(all_of_them()) == [881] * 10)


def control_flow(library: RetryLibrary) -> Answer:
    """Interrupt the first attempt from the keyboard."""
    calls: list[int] = []

    def interrupted() -> object:
        calls.append(1)
        raise KeyboardInterrupt

    with told_time(library):
        error = _raised(lambda: library.retries().call(interrupted))
    return Answer(isinstance(error, KeyboardInterrupt) and len(calls) == 1)


def without_waiting(library: RetryLibrary) -> Answer:
    """Ask for waits of a minute, and see that none is taken."""
    calls: list[int] = []
    with told_time(library) as told:
        retries = library.without_waiting(60.0)
        _raised(lambda: retries.call(counted(calls)))
    return Answer(len(calls) > 1 and sum(told.waits) < 1, retries.said)


CLAIMS: tuple[tuple[str, Callable[[RetryLibrary], Answer]], ...] = (
    ("The last error itself comes out, nothing around it", original),
    ("The error that comes out tells what was tried", tells_trail),
    ("Knows what is worth retrying without being told classes", classified),
    ("No wait goes beyond the time limit", limit),
    ("An attempt that hangs is cut off, a coroutine's", cut),
    ("A budget bounds the attempts of all calls together", budget),
    ("Waits as long as the other side asked for (`Retry-After`)", asked),
    ("Retries by what is returned", results),
    ("What must not be done twice is done once", once_only),
    ("A retry within a retry does not multiply", nested),
    ("An open circuit breaker within is asked once", open_circuit),
    ("A call knows which attempt it is", number),
    ("Ten coroutines at once count each for themselves", together),
    ("An interrupt from the keyboard is not retried", control_flow),
    ("The body of a block can be retried", blocks),
    ("Tests need not wait", without_waiting),
)
