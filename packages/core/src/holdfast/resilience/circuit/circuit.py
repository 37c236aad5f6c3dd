"""`Circuit`: the live state machine of one circuit."""

import random
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import partial
from typing import Protocol

from holdfast.clock import Clock
from holdfast.forks import ForkSafeLock
from holdfast.resilience.circuit.cause import Cause, CauseOf, cause_of
from holdfast.resilience.circuit.line import GRAIN
from holdfast.resilience.circuit.metrics import Metrics
from holdfast.resilience.circuit.period import EVERY, Override, Period, Refusal, State
from holdfast.resilience.circuit.permit import Permit
from holdfast.resilience.circuit.rules import Result
from holdfast.resilience.circuit.snapshot import CircuitSnapshot
from holdfast.resilience.circuit.terms import Terms
from holdfast.resilience.circuit.trial import Trial
from holdfast.resilience.circuit.watching import Watchers


class Gate(Protocol):
    """Where compiled calls look whether the circuit lets everything through, or nothing."""

    period: object
    refusing: object


class Circuit:
    """Decides which calls are made, by how earlier ones ended; thread-safe, holds no lock during calls.

    A result counts only in the period that its call began in. The watchers are told after the lock
    is released, in order.

    Args:
        terms: When it opens, for how long, and how it comes back.
        clock: Source of time.
        refusal: Makes the error of a call that must not be made, from the reason (`open`,
            `half-open`, `ramp`, `forced`) and the seconds after which it may.
        chance: Draws the jitter of the time open.
        watchers: Are told what it does.
        cause: Reads errors that count.

    Attributes:
        period: The stay in the present state.
        terms: May be replaced at any time; counts go on until the next period, and the window of the
            metrics is that of the terms it was made with until a reset.
        may_probe: Asked before each probe, under the lock, so it must be quick and leave the circuit
            alone; False refuses the probe. Shared circuits let one process probe with it.
    """

    def __init__(
        self,
        terms: Terms,
        *,
        clock: Clock,
        refusal: Refusal,
        chance: random.Random,
        watchers: Iterable[object] = (),
        cause: CauseOf = cause_of,
    ) -> None:
        self.terms = terms
        self.may_probe: Callable[[], bool] | None = None
        self._clock = clock
        self._monotonic = clock.monotonic
        self._refusal = refusal
        self._chance = chance
        self._cause = cause
        self._lock = ForkSafeLock()
        self._gates: weakref.WeakSet[Gate] = weakref.WeakSet()
        self._given_back: deque[Permit] = deque()
        self._watchers = Watchers()
        self._before_reset: dict[str, int] = {}
        for watcher in watchers:
            self._watchers.add(watcher)
        self._override: Override | None = None
        self._times = 0
        """How often it has opened without staying closed in between."""
        self._was_open = 0.0
        """Seconds that it was open, or is, the last time."""
        self._usual = 0.0
        """Calls per second before it opened."""
        self._begin(clock.monotonic())

    @property
    def state(self) -> State:
        """What it does with calls."""
        return self.period.state

    @property
    def override(self) -> Override | None:
        """What somebody decided in the place of the state."""
        return self._override

    def snapshot(self) -> CircuitSnapshot:
        """Return what one looks at, without changing anything."""
        with self._lock:
            self._take_back()
            now, wall = self._clock.monotonic(), self._clock.now()
            period = self.period
            is_open = period.state is State.OPEN
            return CircuitSnapshot(
                state=period.state,
                override=self._override,
                since=wall + timedelta(seconds=period.since - now),
                until=wall + timedelta(seconds=period.until - now) if is_open else None,
                reason=self._reason,
                ramp=(period.trial.share or None) if period.trial else None,
                metrics=self._metrics.within(now, self._successes()),
            )

    def totals(self) -> dict[str, int]:
        """Return how many calls there were by how they ended, since it was made."""
        with self._lock:
            self._take_back()
            return self._totals()

    def add_watcher(self, watcher: object) -> None:
        """Tell one more watcher; see `Watcher`."""
        with self._lock:
            self._watchers.add(watcher)
            self._aim()

    def remove_watcher(self, watcher: object) -> None:
        """Tell a watcher no more."""
        with self._lock:
            self._watchers.remove(watcher)
            self._aim()

    def watch(self, gate: Gate) -> None:
        """Keep a gate as the circuit is: open while it lets everything through."""
        with self._lock:
            self._gates.add(gate)
            self._point(gate)

    def unwatch(self, gate: Gate) -> None:
        """Shut a gate for good."""
        with self._lock:
            self._gates.discard(gate)
            gate.period = gate.refusing = None

    def acquire(self) -> Permit:
        """Return leave to make one call.

        Raises:
            Exception: As `refusal` makes it: the call must not be made.
        """
        period = self.period
        if self._passes and period.state is State.CLOSED:
            return Permit(self, period)
        if self._refuses and (left := period.until - self._monotonic()) > 0.0:
            if not period.rejected() & (EVERY - 1):
                period.tick()
            raise self._refusal("open", left)
        return self._asked()

    def settle_success(self, permit: Permit, seconds: float | None) -> None:
        """Count a call that succeeded."""
        period = permit.period
        number = period.succeeded()
        if seconds is not None:
            period.took(seconds)
            if seconds >= period.slower_than:
                period.slow(seconds)
        if not number & (EVERY - 1):
            period.tick()
        if period.state is State.HALF_OPEN:
            self._probed(permit)
        if self._watchers.want("success"):
            self._watchers.note("success")
            self._watchers.tell()

    def settle_failure(
        self, permit: Permit, error: BaseException | None, seconds: float | None
    ) -> None:
        """Count a call that failed."""
        cause = Cause() if error is None else self._cause(error)
        with self._lock:
            now = self._clock.monotonic()
            self._metrics.failures += 1
            self._metrics.timeouts += cause.timed_out
            self._watchers.note("failure", error)
            if seconds is not None:
                self._metrics.took(seconds)
                if seconds >= permit.period.slower_than:
                    self._count_slow(seconds)
            reason = self._judged(permit, now, seconds or 0.0)
            self._metrics.mark(now, self._successes())
            if reason:
                self._open(now, reason, asked=cause.asked)
        self._watchers.tell()

    def _slow(self, period: Period, seconds: float) -> None:
        """Count that a call which succeeded was slow."""
        with self._lock:
            now = self._clock.monotonic()
            self._count_slow(seconds)
            reason = ""
            if period is not self.period:
                pass
            elif period.tally is not None:
                reason = period.tally.told(Result(now, period.successes, seconds))
            elif period.trial is not None and not period.trial.share:
                reason = "a probe was slow"
            if reason:
                self._open(now, reason)
        self._watchers.tell()

    def settle_ignored(self, permit: Permit) -> None:
        """Take back the permit of a call that says nothing of the other side.

        It never waits: the garbage collector may close an abandoned coroutine in the middle of the
        circuit's bookkeeping, on the very thread that holds the lock. Then it is taken back later.
        """
        self._given_back.append(permit)
        if self._lock.try_acquire():
            try:
                self._take_back()
            finally:
                self._lock.release()
            self._watchers.tell()

    def open(self, reason: str = "opened by hand", seconds: float | None = None) -> None:
        """Open it, whatever it was.

        Args:
            reason: Told to the watchers.
            seconds: How long it stays open; as its terms say by default.
        """
        with self._lock:
            now = self._clock.monotonic()
            stay = self.terms.open_for(0, 0.0, self._chance) if seconds is None else seconds
            self._enter(self._made(State.OPEN, now, until=now + stay), reason)
        self._watchers.tell()

    def half_open(self, reason: str = "half-opened by hand") -> None:
        """Let the next call be a probe."""
        self._set(State.HALF_OPEN, reason)

    def close(self, reason: str = "closed by hand") -> None:
        """Close it, and count anew."""
        self._set(State.CLOSED, reason)

    def reset(self) -> None:
        """Be as it was when it was made: closed, nothing counted, nobody's override."""
        with self._lock:
            before = self.period.state
            self._before_reset = self._totals()
            self._begin(self._clock.monotonic())
            self._watchers.note("transition", before, State.CLOSED, "reset")
            self._watchers.note("decided", before, State.CLOSED, "reset")
        self._watchers.tell()

    def adopt(self, state: State, *, until: float = 0.0, reason: str) -> None:
        """Take over the state of another process; the same state only moves the end of an open one.

        Args:
            state: The other's.
            until: When an open circuit lets a probe through, in monotonic seconds of this process.
            reason: Told to the watchers, but not as decided here.
        """
        with self._lock:
            if state is self.period.state:
                self.period.until = until
                return
            made = self._made(state, self._clock.monotonic(), until=until)
            self._enter(made, reason, is_own=False)
        self._watchers.tell()

    def force_open(self) -> None:
        """Refuse every call until `normal`; of this process alone."""
        self._override_by(Override.FORCED_OPEN)

    def disable(self) -> None:
        """Make every call, and let no result change the state, until `normal`."""
        self._override_by(Override.DISABLED)

    def shadow(self) -> None:
        """Make every call, and count those that would have been refused, until `normal`."""
        self._override_by(Override.SHADOW)

    def normal(self) -> None:
        """Do again as the state says, which went on meanwhile."""
        self._override_by(None)

    def _take_back(self) -> None:
        while self._given_back:
            permit = self._given_back.popleft()
            self._metrics.ignored += 1
            if permit.period is self.period and self.period.trial is not None:
                self.period.trial.ignored(permit.place)
            self._watchers.note("ignored")

    def _asked(self) -> Permit:
        """Return leave to make one call, when the state alone does not tell."""
        if self._override is Override.DISABLED:
            self._watchers.note("admitted")
            self._watchers.tell()
            return Permit(self, self._apart)
        with self._lock:
            self._take_back()
            now = self._clock.monotonic()
            reason, wait, place = self._decided(now)
            permit = self._permit(reason, place)
            if permit is None:
                self._metrics.rejected()
                self._watchers.note("rejected", reason, wait)
        if now >= self._due:
            self._mark(now)
        self._watchers.tell()
        if permit is None:
            raise self._refusal(reason, wait)
        return permit

    def _permit(self, reason: str, place: int) -> Permit | None:
        if not reason:
            self._watchers.note("admitted")
            return Permit(self, self.period, place)
        if self._override is not Override.SHADOW:
            return None
        self._metrics.blocked += 1
        self._watchers.note("blocked_in_shadow", reason)
        self._watchers.note("admitted")
        return Permit(self, self._apart)

    def _decided(self, now: float) -> tuple[str, float, int]:
        """Return why a call must not be made, or an empty text; after how long it may; its place."""
        if self._override is Override.FORCED_OPEN:
            return "forced", self.terms.recovery_timeout, 0
        if self.period.state is State.OPEN:
            if now < self.period.until:
                return "open", self.period.until - now, 0
            if self.may_probe is not None and not self.may_probe():
                return "half-open", self.terms.probe_timeout, 0
            self._enter(self._made(State.HALF_OPEN, now), "time for a probe")
        trial = self.period.trial
        return ("", 0.0, 0) if trial is None else self._tried(trial, now)

    def _tried(self, trial: Trial, now: float) -> tuple[str, float, int]:
        """Return the same while the circuit is half-open."""
        if trial.is_over(now):
            self._enter(self._made(State.CLOSED, now), "the ramp is over")
            return "", 0.0, 0
        place = trial.admit(now)
        if place:
            return "", 0.0, place
        return ("ramp" if trial.share else "half-open"), trial.wait(now), 0

    def _judged(self, permit: Permit, now: float, seconds: float) -> str:
        """Return why the circuit has to open after a failure, or an empty text."""
        period = self.period
        if permit.period is not period:
            return ""
        if period.tally is not None:
            return period.tally.told(Result(now, period.successes, seconds, failed=True))
        return period.trial.failed() if period.trial is not None else ""

    def _probed(self, permit: Permit) -> None:
        with self._lock:
            trial = self.period.trial
            if permit.period is not self.period or trial is None:
                return
            now = self._clock.monotonic()
            if trial.succeeded(now, permit.place):
                reason = "the ramp is over" if trial.share else "probes succeeded"
                self._enter(self._made(State.CLOSED, now), reason)
        self._watchers.tell()

    def _count_slow(self, seconds: float) -> None:
        self._metrics.slow += 1
        self._watchers.note("slow", seconds)

    def _open(self, now: float, reason: str, *, asked: float = 0.0) -> None:
        period = self.period
        stayed = now - period.since
        if period.state is State.CLOSED:
            self._measure(now, stayed)
            self._times = 0 if stayed >= self._was_open else self._times + 1
        else:
            self._times += 1
        self._was_open = self.terms.open_for(self._times, asked, self._chance)
        self._enter(self._made(State.OPEN, now, until=now + self._was_open), reason)

    def _measure(self, now: float, stayed: float) -> None:
        """Find out how many calls are usual, unless it was closed for too short a time to tell."""
        window = self._metrics.window
        if stayed >= window or (stayed and not self._usual):
            calls = self._metrics.within(now, self._successes()).calls
            self._usual = calls / min(stayed, window)

    def _set(self, state: State, reason: str) -> None:
        with self._lock:
            self._enter(self._made(state, self._clock.monotonic()), reason)
        self._watchers.tell()

    def _override_by(self, override: Override | None) -> None:
        with self._lock:
            self._override = override
            self._aim()
            self._watchers.note("overridden", override)
        self._watchers.tell()

    def _begin(self, now: float) -> None:
        """Be as it was when it was made."""
        self._override = None
        self._reason = ""
        self._metrics = Metrics(self.terms.metrics_window, now)
        self._due = now
        self._times = 0
        self._was_open = self._usual = 0.0
        self._folded = 0
        self._apart = self._last = Period(State.CLOSED, now)
        self.period = self._made(State.CLOSED, now)
        self._aim()

    def _made(self, state: State, now: float, *, until: float = 0.0) -> Period:
        rule = self.terms.trip_rule()
        period = Period(state, now, until=until, tick=self._tick)
        period.timed = self.terms.timed()
        period.slower_than = rule.slower_than
        period.window = rule.window
        period.took = self._metrics.took
        period.rejected = self._metrics.rejected
        period.refusal = self._refusal
        period.slow = partial(self._slow, period)
        if state is State.CLOSED:
            period.tally = rule.begin(now)
        elif state is State.HALF_OPEN:
            period.trial = Trial(self.terms, self._usual)
        return period

    def _enter(self, period: Period, reason: str, *, is_own: bool = True) -> None:
        before = self.period.state
        if self._last is not self._apart:
            self._folded += self._last.successes
        self._last, self.period = self.period, period
        self._reason = reason
        self._aim()
        self._watchers.note("transition", before, period.state, reason)
        if is_own:
            self._watchers.note("decided", before, period.state, reason)

    def _aim(self) -> None:
        """Say what calls may do that do not ask."""
        state, override = self.period.state, self._override
        self._passes = (
            state is State.CLOSED
            and override in (None, Override.SHADOW)
            and not self._watchers.want("admitted")
        )
        self._refuses = (
            state is State.OPEN and override is None and not self._watchers.want("rejected")
        )
        for gate in self._gates:
            self._point(gate)

    def _point(self, gate: Gate) -> None:
        is_open = self._passes and not self._watchers.want("success")
        gate.period = self.period if is_open else None
        gate.refusing = self.period if self._refuses else None

    def _totals(self) -> dict[str, int]:
        now, before = self._metrics.totals(self._successes()), self._before_reset
        return {name: number + before.get(name, 0) for name, number in now.items()}

    def _successes(self) -> int:
        """Return how many calls have succeeded so far, those that came late included."""
        last = 0 if self._last is self._apart else self._last.successes
        return self._folded + last + self.period.successes + self._apart.successes

    def _tick(self) -> None:
        """Date the successes so far, if it is time."""
        now = self._monotonic()
        if now >= self._due:
            self._mark(now)

    def _mark(self, now: float) -> None:
        """Date what has been counted so far."""
        with self._lock:
            self._due = now + min(self._metrics.window, self.period.window) / GRAIN
            self._metrics.mark(now, self._successes())
            if self.period.tally is not None:
                self.period.tally.tick(now, self.period.successes)
