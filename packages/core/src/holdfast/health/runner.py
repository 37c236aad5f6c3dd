"""Runs the checks of a registry: on a bounded number of threads, each check once at a time."""

import random
import weakref
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Final

from holdfast.forks import ForkSafeLock, after_fork
from holdfast.health.check import Check, CheckResult, Ttl
from holdfast.health.pool import Pool
from holdfast.health.running import HASTE, Run, Tools
from holdfast.health.ticker import OVER, Ticker
from holdfast.health.timetable import Timetable

THREADS: Final = 16
_LATEST: Final = 2.0
"""Periods after which what was seen in the background is too old to be told."""


class Runner:
    """Runs checks, and keeps what they said; thread-safe, survives a fork.

    Args:
        tools: What runs share.
        threads: How many checks may run at a time.
        ttl: For how long answers are kept, for checks that do not say.
        chance: Spreads what is looked at in the background.
    """

    def __init__(
        self,
        tools: Tools,
        *,
        threads: int = THREADS,
        ttl: Ttl | None = None,
        chance: random.Random | None = None,
    ) -> None:
        self._tools = tools
        self._ttl = ttl or Ttl()
        self._chance = chance or random.Random()  # noqa: S311  # spreads load
        self._lock = ForkSafeLock()
        self._pool = Pool(threads)
        self._ticker = Ticker(_rounds(weakref.ref(self)), "holdfast-health-background")
        self._reset()
        after_fork(self._reset)

    def _reset(self) -> None:
        self._latest: dict[str, Run] = {}
        self._watched: dict[str, Check] = {}
        self._planned: set[str] = set()
        self._table = Timetable(self._tools.clock, self._chance)

    @property
    def threads(self) -> int:
        """How many threads there are for checks."""
        return self._pool.threads

    def run(self, check: Check, *, fresh: bool = False) -> Run:
        """Return the run that answers a probe: one that ended lately, the one under way, or a new one.

        Args:
            check: What is asked.
            fresh: Whether an answer that is kept will not do.
        """
        with self._lock:
            run = self._latest.get(check.name)
            if run is None or run.check is not check:
                return self._begun(check)
            is_going = run.is_going
            if is_going and run.was_late:
                return run
            kept = run.kept
            if kept is not None and not fresh and kept.age < self._life(kept):
                return kept
            return run if is_going else self._begun(check, run)

    def watch(self, checks: Iterable[Check]) -> None:
        """Look at those checks in the background that ask for it; called at every probe, so cheap."""
        wanted = {check.name: check for check in checks if check.every is not None}
        if wanted != self._watched or (wanted and not self._ticker.is_running):
            self._watched = wanted
            if wanted:
                with suppress(
                    RuntimeError, MemoryError
                ):  # no thread is to be had; the next probe tries
                    self._ticker.start()
                self._ticker.wake()

    def forget(self, name: str) -> None:
        """Drop what is known of a check."""
        with self._lock:
            self._latest.pop(name, None)
        self._watched = {key: check for key, check in self._watched.items() if key != name}

    def close(self) -> None:
        """Look at nothing in the background any more, and keep no idle thread."""
        self._watched = {}
        self._ticker.stop(0)
        self._pool.rest()

    def _begun(self, check: Check, before: Run | None = None) -> Run:
        kept = None if before is None else before.kept
        run = Run(
            check,
            self._tools,
            doubted=before is not None and before.was_late,
            earlier=kept,
            earlier_for=0.0 if kept is None else self._further(kept),
        )
        self._latest[check.name] = run
        try:
            self._pool.submit(run)
        except (RuntimeError, MemoryError):  # the process has as many as it may, or is ending
            run.fail("no thread could be started")
        return run

    def _life(self, kept: Run) -> float:
        """Return the seconds for which an answer serves further probes."""
        check, outcome = kept.check, kept.outcome
        if outcome is None:
            return 0.0
        ttl = (check.ttl or self._ttl).of(outcome.status)
        if check.every is not None:
            ttl = max(ttl, check.every * _LATEST + check.timeout)
        return ttl

    def _further(self, kept: Run) -> float:
        """Return the seconds for which an answer serves while a check that is slow is looked at anew."""
        life = self._life(kept)
        is_slow = kept.took > HASTE and not kept.was_late
        return life + kept.check.timeout if life and is_slow else 0.0

    def look(self) -> float | None:
        """Begin what is due in the background; one round at a time.

        Returns:
            Seconds until something is due; None when nothing will be.
        """
        for name in [name for name in self._planned if name not in self._watched]:
            self._table.cancel(name)
            self._planned.discard(name)
        watched: Mapping[str, Check] = self._watched
        for name in watched.keys() - self._planned:
            period = watched[name].every or 0.0
            self._table.plan(name, period if name in self._latest else 0.0)
            self._planned.add(name)
        for name in self._table.due():
            check = watched.get(name)
            if check is not None and check.every is not None:
                self.run(check, fresh=True)
                self._table.plan(name, check.every)
        return self._table.wait()


def _rounds(found: "weakref.ref[Runner]") -> Callable[[], float | None]:
    """Return what looks in the background, until nobody has the runner any more."""

    def tick() -> float | None:
        runner = found()
        return OVER if runner is None else runner.look()

    return tick


def results(
    runs: Iterable[Run], tools: Tools, within: float, *, fresh: bool = False
) -> dict[str, CheckResult]:
    """Wait for runs that were begun at the same time, at most so many seconds for all of them."""
    clock = tools.clock
    until = clock.monotonic() + within
    return {
        run.check.name: run.result(until - clock.monotonic(), limit=within, fresh=fresh)
        for run in runs
    }


async def aresults(runs: Iterable[Run], tools: Tools, within: float) -> dict[str, CheckResult]:
    """Wait as `results` does, and leave the running event loop to others."""
    clock = tools.clock
    until = clock.monotonic() + within
    return {
        run.check.name: await run.aresult(until - clock.monotonic(), limit=within) for run in runs
    }
