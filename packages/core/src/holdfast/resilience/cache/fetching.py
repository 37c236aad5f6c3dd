"""Fresh, stale or computed: how a cache answers, decided once for threads, tasks and processes."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Final

from holdfast.codes import Effect, Fault
from holdfast.flow import Flow
from holdfast.resilience.cache.answer import Answer, Source
from holdfast.resilience.cache.entry import Entry
from holdfast.resilience.cache.failures import Failures, copied
from holdfast.resilience.cache.flights import Flight, Flights
from holdfast.resilience.cache.shelf import Lease, Shelf
from holdfast.resilience.cache.telling import Telling
from holdfast.resilience.call import Steps
from holdfast.resilience.deadline import refusal, remaining_by
from holdfast.resilience.degraded import collect_degradations
from holdfast.resilience.drivers import Wait, WaitFor
from holdfast.resilience.host import Host
from holdfast.resilience.judging import counts
from holdfast.resilience.outcome import Outcome

FIRST_LOOK: Final = 0.01
"""Seconds after which it is seen for the first time whether another process is ready."""
LONGEST_LOOK: Final = 0.25
"""Seconds between two looks at most."""
_asking: ContextVar[frozenset[tuple[object, str]]] = ContextVar(
    "holdfast_asking", default=frozenset()
)
"""For which keys of which caches a function is being asked, further out: ambient."""
_WEIGHT: Final = 0.2
"""Of the latest call in the average of how long calls take."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long those wait who do not ask themselves, in seconds."""

    lease: float
    """After which another process may ask, because who asked has not come back."""
    wait: float
    """After which who waits asks by itself."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked of a cache."""

    key: str
    compute: Callable[[], Steps]
    """Asks the function, as a flow that ends with its outcome."""
    entry: Callable[[object, Mapping[str, str] | None], Entry]
    """Makes an entry of a value and the stamps of its tags."""
    tags: tuple[str, ...] = ()


class Fetching:
    """Answers from a shelf, or has the function asked: by one caller for all; thread-safe.

    Args:
        shelf: The entries.
        limits: How long is waited.
        failures: What is remembered of them.
        host: The runtime.
        time: The clock of entries, in seconds.
        telling: Counts and tells.
    """

    def __init__(
        self,
        shelf: Shelf,
        limits: Limits,
        failures: Failures,
        host: Host,
        time: Callable[[], float],
        telling: Telling,
    ) -> None:
        self._shelf = shelf
        self._limits = limits
        self._failures = failures
        self._host = host
        self._clock = host.clock
        self._time = time
        self._telling = telling
        self._count = telling.tallies.add
        self._flights = Flights()
        self._took = 0.0

    def answer(self, order: Order) -> Steps:
        """Return the outcome of asking: an `Answer`, or the error of the function."""
        while True:
            entry = yield from self._shelf.read(order.key)
            now = self._time()
            if entry is not None and now < entry.fresh_until:
                return self._fresh(entry)
            stale = entry if entry is not None and now < entry.stale_until else None
            settled = self._without_asking(order.key, stale)
            if settled is not None:
                return settled
            flight, leads = self._flights.join(order.key)
            if leads:
                return (yield from self._fly(order, stale, flight))
            if stale is not None:
                return self._stale(stale, "refreshing")
            if (self, order.key) in _asking.get():  # by whom this very call was made
                return (yield from self._ask_alone(order))
            shared = yield from self._follow(order, flight)
            if shared is not None:
                return shared

    def _without_asking(self, key: str, stale: Entry | None) -> Outcome | None:
        """Return an error that is known, or a stale value where asking would be no use."""
        known = self._failures.known(key)
        if known is not None:
            self._count("negative")
            return Outcome(known)
        if stale is not None and self._failures.is_paused(key):
            return self._stale(stale, "back-off")
        left = remaining_by(self._clock)
        if stale is not None and left <= self._took:
            return self._stale(stale, "deadline")
        return Outcome(refusal()) if left <= 0.0 else None

    def _fly(self, order: Order, stale: Entry | None, flight: Flight) -> Steps:
        """Ask for all who want the same in this process."""
        try:
            outcome = yield from self._among_processes(order, stale)
        except BaseException:
            self._flights.land(order.key, flight, None)
            raise
        self._flights.land(order.key, flight, outcome)
        return outcome

    def _follow(self, order: Order, flight: Flight) -> Flow[Outcome | None]:
        """Wait for who asks; None when it came to nothing that others could use."""
        in_time = yield WaitFor(flight.signal, min(self._limits.wait, remaining_by(self._clock)))
        if not in_time:
            return (yield from self._ask_alone(order))
        outcome = flight.outcome
        if outcome is None:
            return None
        answer = answer_in(outcome)
        if answer is not None:
            self._count("shared")
            is_new = answer.source is Source.COMPUTED
            return Outcome(None, replace(answer, reason="shared") if is_new else answer)
        if outcome.error is None or not counts(outcome.error, self._host.read(outcome.error)):
            return None  # the error is that caller's own
        error = copied(outcome.error)
        if error is None:
            return None
        self._count("shared")
        return Outcome(error)

    def _among_processes(self, order: Order, stale: Entry | None) -> Steps:
        """Ask if no other process does; else take what it brings."""
        until = self._clock.monotonic() + min(self._limits.wait, remaining_by(self._clock))
        pause = FIRST_LOOK
        while True:
            lease = yield from self._shelf.take(order.key, self._limits.lease)
            if lease is None:
                return (yield from self._ask(order, stale, None))
            try:
                settled = yield from self._behind(lease, order, stale)
            except BaseException:
                self._shelf.drop(order.key, lease)
                raise
            if settled is not None:
                return settled
            left = until - self._clock.monotonic()
            if left <= 0.0:
                return (yield from self._ask_alone(order))
            yield Wait(self._clock, min(pause, left))
            pause = min(LONGEST_LOOK, 1.5 * pause)

    def _behind(self, lease: Lease, order: Order, stale: Entry | None) -> Flow[Outcome | None]:
        """Ask with the lease; None when another has it, and one has to wait."""
        if not lease.is_ours:
            is_paused = yield from self._shelf.is_paused(order.key)
            if stale is not None:
                return self._stale(stale, "back-off" if is_paused else "refreshing")
            if is_paused:
                return (yield from self._ask(order, None, None))
        # With the lease, too: another process may have been faster.
        entry = yield from self._shelf.read(order.key)
        if entry is not None and self._time() < entry.fresh_until:
            yield from self._shelf.release(order.key, lease)
            return self._fresh(entry)
        return (yield from self._ask(order, stale, lease)) if lease.is_ours else None

    def _ask_alone(self, order: Order) -> Steps:
        """Ask beside somebody who takes too long, if there is time left."""
        if remaining_by(self._clock) <= 0.0:
            return Outcome(refusal())
        return (yield from self._ask(order, None, None))

    def _ask(self, order: Order, stale: Entry | None, lease: Lease | None) -> Steps:
        """Ask the function, and keep what it says."""
        self._count("misses")
        stamps = yield from self._shelf.stamps(order.tags)
        began = self._clock.monotonic()
        with collect_degradations() as degradations, self._asking(order.key):
            outcome = yield from order.compute()
        took = self._clock.monotonic() - began
        if outcome.error is None:
            self._count("computed")
            self._took += _WEIGHT * (took - self._took)
            self._failures.forget(order.key)
            if degradations:  # what stands in for an answer is not to stay
                yield from self._shelf.release(order.key, lease)
            else:
                entry = order.entry(outcome.value, stamps)
                yield from self._keep(order.key, entry, lease, took)
            return Outcome(None, Answer(outcome.value, Source.COMPUTED))
        if isinstance(outcome.error, Exception):
            self._count("errors")
            self._failures.remember(order.key, outcome.error)
            if stale is not None and not self._is_callers(outcome.error):
                yield from self._pause(order.key, outcome.error, lease)
                return self._stale(stale, "failed", outcome.error)
        yield from self._shelf.release(order.key, lease)
        return outcome

    @contextmanager
    def _asking(self, key: str) -> Generator[None, None, None]:
        token = _asking.set(_asking.get() | {(self, key)})
        try:
            yield
        finally:
            with suppress(ValueError):  # of a coroutine that is closed in another context
                _asking.reset(token)

    def _keep(self, key: str, entry: Entry, lease: Lease | None, took: float) -> Flow[None]:
        """Write an entry, unless its key was invalidated while it was computed."""
        is_held = lease is not None and took < self._limits.lease
        if is_held and lease is not None and not (yield from self._shelf.holds(key, lease)):
            return
        yield from self._shelf.write(key, entry, max(0.0, entry.stale_until - self._time()))
        yield from self._shelf.release(key, lease if is_held else None)

    def _pause(self, key: str, error: Exception, lease: Lease | None) -> Flow[None]:
        """Let nobody ask for a while, in any process; a refusal asked nobody, and needs no pause."""
        if self._host.read(error).classification.effect is Effect.NONE:
            yield from self._shelf.release(key, lease)
            return
        seconds = self._failures.pause(key)
        yield from self._shelf.pause(key, lease, seconds)

    def _is_callers(self, error: Exception) -> bool:
        return self._host.read(error).classification.fault is Fault.CALLER

    def _fresh(self, entry: Entry) -> Outcome:
        self._telling.tallies.hit()
        reason = "store down" if self._shelf.is_down else ""
        return Outcome(None, Answer(entry.value, Source.FRESH, reason, self._age(entry)))

    def _stale(self, entry: Entry, reason: str, error: Exception | None = None) -> Outcome:
        self._count("stale")
        if reason != "refreshing":
            self._telling.tell_stale(reason, error)
        return Outcome(None, Answer(entry.value, Source.STALE, reason, self._age(entry)))

    def _age(self, entry: Entry) -> float:
        return max(0.0, self._time() - entry.created)  # clocks of machines differ, and go back


def answer_in(outcome: Outcome) -> Answer[Any] | None:
    """Return the answer that an outcome holds; None for an error."""
    value = outcome.value
    if outcome.error is not None or not isinstance(value, Answer):
        return None
    return value  # pyright: ignore[reportUnknownVariableType]  # whatever the function returned
