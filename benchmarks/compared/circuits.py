"""A circuit breaker as the claims see it, whatever library it is of."""

from collections.abc import Awaitable, Callable


class NoConnection(ConnectionError):
    """The other side is away."""


class Neutral(Exception):
    """Says nothing of the other side."""


class Busy(NoConnection):
    """The other side says when to come back."""

    retry_after = 600.0
    status = 503


NAME = "stock"
THRESHOLD = 3
RECOVERY = 60.0
MOST = 500
"""Failures after which a circuit has to be open, whatever it goes by."""


class Circuit:
    """One circuit of one library; what a library cannot do raises `UnableError`.

    Attributes:
        refusal: What it raises instead of making a call.
        neutral: An error that it is told to leave alone.
        busy: An error of the other side that says when to come back.
    """

    refusal: type[BaseException] = Exception
    neutral: type[Exception] = Neutral
    busy: Exception = Busy("come back in ten minutes")

    def call(self, function: Callable[[], object]) -> object:
        """Call a plain function through it."""
        raise NotImplementedError

    async def acall(self, function: Callable[[], Awaitable[object]]) -> object:
        """Await a coroutine function through it."""
        raise NotImplementedError

    def state(self) -> str:
        """Return `closed`, `open` or `half-open`."""
        raise NotImplementedError

    def elapse(self, seconds: float) -> None:
        """Let it believe that time has passed."""
        raise NotImplementedError

    def decorated(self, function: Callable[[], object]) -> Callable[[], object]:
        """Return a function, or a generator function, that is called through it."""
        return lambda: self.call(function)


def fails() -> object:
    """Fail."""
    raise NoConnection("no route")


async def afails() -> object:
    """Fail."""
    raise NoConnection("no route")


def succeeds() -> object:
    """Succeed."""
    return 881


async def asucceeds() -> object:
    """Succeed."""
    return 881


def attempt(circuit: Circuit, function: Callable[[], object]) -> BaseException | None:
    """Call through a circuit and return what was raised."""
    try:
        circuit.call(function)
    except BaseException as error:
        return error
    return None


def is_refused(circuit: Circuit) -> bool:
    """Tell whether a call is not made."""
    made: list[object] = []
    attempt(circuit, lambda: made.append(1))
    return not made


def open_it(circuit: Circuit) -> Circuit:
    """Let calls fail until it is open."""
    for _ in range(MOST):
        attempt(circuit, fails)
        if circuit.state() == "open":
            return circuit
    raise AssertionError(f"{circuit!r} does not open")


async def ais_refused(circuit: Circuit) -> bool:
    """Tell whether an awaited call is not made."""
    made: list[object] = []

    async def make() -> None:
        made.append(1)

    try:
        await circuit.acall(make)
    except circuit.refusal:
        pass
    return not made


async def aopen_it(circuit: Circuit) -> bool:
    """Let awaited calls fail until it is open; tell whether it is."""
    for _ in range(THRESHOLD):
        try:
            await circuit.acall(afails)
        except Exception:  # each call is one
            continue
    return await ais_refused(circuit)
