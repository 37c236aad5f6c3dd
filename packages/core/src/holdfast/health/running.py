"""One run of one check: who asks meanwhile shares it, and nobody waits for one that hangs twice."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, suppress
from contextvars import Context
from dataclasses import dataclass
from inspect import isawaitable
from typing import Final, TypeAlias, cast

from holdfast.clock import Clock
from holdfast.context import current_context, resume
from holdfast.health.check import Check, CheckResult, Finding
from holdfast.health.status import HealthStatus
from holdfast.record import text_of, type_name
from holdfast.redact import Redactor

HASTE: Final = 0.05
"""Seconds that a probe waits for a check which took too long the last time, or that is slow
and has said something a moment ago."""
MAX_ERROR: Final = 300
"""Characters kept of an exception's text."""

Surroundings: TypeAlias = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What runs share."""

    clock: Clock
    redactor: Redactor
    around: Surroundings
    """What checks run within, such as their runtime being the current one."""


class Run:
    """One run of one check; made and read by any thread.

    Args:
        check: What is run.
        tools: What runs share.
        doubted: Whether the run before took too long: then nobody waits long for this one.
        earlier: The last that ended, where it may speak for this one until this one is late.
        earlier_for: Seconds since it ended for which it may.
    """

    def __init__(
        self,
        check: Check,
        tools: Tools,
        *,
        doubted: bool = False,
        earlier: "Run | None" = None,
        earlier_for: float = 0.0,
    ) -> None:
        self.check = check
        self._tools = tools
        self._doubted = doubted
        self._earlier = earlier
        self._earlier_for = earlier_for
        self._asked = tools.clock.monotonic()
        self._begun = False
        self._future: Future[CheckResult] = Future()
        self._future.set_running_or_notify_cancel()  # who is cancelled while waiting leaves it be
        self._sleepers: set[Callable[[], None]] = set()
        self._work = current_context()
        self._outcome: CheckResult | None = None
        self._ended = 0.0

    @property
    def is_going(self) -> bool:
        """Whether it has not ended."""
        return self._outcome is None

    @property
    def was_late(self) -> bool:
        """Whether it took longer than it may, or does by now."""
        return self._elapsed() > self.check.timeout

    @property
    def outcome(self) -> CheckResult | None:
        """What it said, if it has ended."""
        return self._outcome

    @property
    def kept(self) -> "Run | None":
        """The last of its check that ended: itself, or the one before while it goes on."""
        earlier = self._earlier  # read first: it is let go as soon as there is an outcome
        return self if self._begun and not self.is_going else earlier

    @property
    def age(self) -> float:
        """Seconds since it ended."""
        return self._tools.clock.monotonic() - self._ended

    @property
    def took(self) -> float:
        """Seconds that it took, or that it has taken by now."""
        return self._elapsed()

    @property
    def left(self) -> float:
        """Seconds until it is late, 0 and above."""
        return max(0.0, self.check.timeout - self._elapsed())

    def wait(self, within: float = math.inf) -> bool:
        """Wait until it has ended, but no longer than it may take; False when it goes on.

        Unlike `result` it has this patience also with a check that took too long the last time.

        Args:
            within: Seconds at most.
        """
        if self.is_going:
            wait([self._future], min(self.left, within))
        return not self.is_going

    def then(self, call: Callable[[], None]) -> None:
        """Call something when it has ended, on the thread that it ends on, or now if it has."""
        self._future.add_done_callback(lambda _: call())

    def result(self, within: float, *, limit: float = math.inf, fresh: bool = False) -> CheckResult:
        """Wait for what it says, at most so many seconds, or tell that it does not answer.

        Args:
            within: Seconds at most.
            limit: Seconds after which it is not waited for again: whoever has as long, and asked when it
                began, has waited in vain.
            fresh: Whether what was said earlier will not do.
        """
        earlier = None if fresh else self._spoken_for()
        left = self._patience(limit, has_word=earlier is not None)
        if self.is_going and min(left, within) > 0:
            wait([self._future], min(left, within))
        is_cut = within < left or self._elapsed() >= limit
        return self.outcome or earlier or self._missing(is_cut=is_cut)

    async def aresult(self, within: float, *, limit: float = math.inf) -> CheckResult:
        """Wait as `result` does, and leave the running event loop to others."""
        earlier = self._spoken_for()
        left = self._patience(limit, has_word=earlier is not None)
        if self.is_going and min(left, within) > 0:
            await self._ended_within(min(left, within))
        is_cut = within < left or self._elapsed() >= limit
        return self.outcome or earlier or self._missing(is_cut=is_cut)

    async def _ended_within(self, seconds: float) -> None:
        # Not `asyncio.wrap_future`, of which the future keeps something for everybody who gave up.
        loop, ended = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            with suppress(RuntimeError):  # a loop that was closed needs no waking
                loop.call_soon_threadsafe(ended.set)

        self._sleepers.add(wake)
        try:
            if self.is_going:  # it may have ended before there was somebody to wake
                with suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await ended.wait()
        finally:
            self._sleepers.discard(wake)

    def fail(self, output: str) -> None:
        """End it without its having begun; what was said earlier is still kept."""
        self._end(self._finished(HealthStatus.FAIL, output))

    def __call__(self) -> None:
        """Run the check on this thread, and wake whoever waits for it."""
        self._begun = True
        try:
            # Its own context: who asks lends others no deadline, and no request that is gone by then.
            result = Context().run(self._judged)
        except BaseException as error:  # noqa: BLE001  # a failing check is what we are here to see
            result = self._failed(error)
        self._end(result)
        self._earlier = None

    def _end(self, result: CheckResult) -> None:
        self._ended = self._tools.clock.monotonic()
        self._outcome = result
        self._future.set_result(result)
        for wake in tuple(self._sleepers):
            wake()

    def _judged(self) -> CheckResult:
        if self._work is not None:  # the trace alone
            resume(self._work._replace(noted=None))
        with self._tools.around():
            said = self.check.run()
            if isawaitable(said):
                said = _awaited(said, self.check.timeout)
        if self.was_late:
            took = f"answered after {self._elapsed():.1f} s, {self.check.timeout:g} s are allowed"
            return self._finished(HealthStatus.FAIL, took)
        return self._finding(said)

    def _finding(self, said: object) -> CheckResult:
        if isinstance(said, Finding):
            return self._finished(said.status, said.output, said.details)
        if isinstance(said, Mapping):
            details = cast("Mapping[str, object]", said)
            return self._finished(HealthStatus.PASS, details=details)
        return self._finished(HealthStatus.FAIL if said is False else HealthStatus.PASS)

    def _failed(self, error: BaseException) -> CheckResult:
        text = text_of(error)[:MAX_ERROR]
        details = {"error": text} if text else {}
        return self._finished(HealthStatus.FAIL, type_name(type(error)), details)

    def _spoken_for(self) -> CheckResult | None:
        """Return what the check said earlier, as long as this run is not late and that is not old."""
        earlier = self._earlier
        if earlier is None or self.was_late or earlier.age >= self._earlier_for:
            return None
        return earlier.outcome

    def _patience(self, limit: float, *, has_word: bool) -> float:
        """Return the seconds that somebody may still wait for it; below 0 when it is late."""
        hurries = self._doubted or has_word or self._elapsed() >= limit
        return (HASTE if hurries else self.check.timeout) - self._elapsed()

    def _missing(self, *, is_cut: bool) -> CheckResult:
        """Say that it does not answer, in the words that fit how long nobody has heard of it."""
        elapsed, timeout = self._elapsed(), self.check.timeout
        if not self._begun:
            output = "no thread was free for it"
        elif self._doubted and elapsed < timeout:
            output = f"took more than {timeout:g} s before; looking again"
        elif is_cut and elapsed < timeout:
            output = "no answer in the time of a probe"
        elif elapsed < timeout + 1:
            output = f"no answer in {timeout:g} s"
        else:
            output = f"no answer in {timeout:g} s, still running since {elapsed:.1f} s"
        return self._finished(HealthStatus.FAIL, output)

    def _elapsed(self) -> float:
        until = self._tools.clock.monotonic() if self.is_going else self._ended
        return until - self._asked

    def _finished(
        self, status: HealthStatus, output: str = "", details: Mapping[str, object] | None = None
    ) -> CheckResult:
        is_tolerable = status is HealthStatus.FAIL and not self.check.critical
        return CheckResult(
            name=self.check.name,
            status=HealthStatus.WARN if is_tolerable else status,
            time=self._tools.clock.now(),
            duration=self._elapsed(),
            output=self._tools.redactor.text(output),
            details=self._tools.redactor.mapping(details) if details else {},
            critical=self.check.critical,
            tolerated=is_tolerable,
        )


def _awaited(said: Awaitable[object], timeout: float) -> object:
    """Run what an asynchronous check returned on a loop of its own, and cancel it when it is late."""

    async def bounded() -> object:
        async with asyncio.timeout(timeout):
            return await said

    return asyncio.run(cast("Coroutine[object, object, object]", bounded()))
