"""The monitor: looks at services again and again, tells of outages and recoveries, tries to end them."""

import random
from contextlib import suppress
from dataclasses import replace
from typing import Final, TypedDict, Unpack

from holdfast.clock import SystemClock
from holdfast.forks import after_fork, after_forking
from holdfast.health.check import DEFAULT_TIMEOUT, Check, CheckFunction, CheckResult
from holdfast.health.monitor.duty import Duty, Ties
from holdfast.health.monitor.following import Following
from holdfast.health.monitor.report import MonitorReport
from holdfast.health.monitor.rounds import Rounds
from holdfast.health.monitor.service import Service
from holdfast.health.monitor.standing import Thresholds
from holdfast.health.monitor.watch import Recovery, Watch
from holdfast.health.registry import HealthRegistry, refuse_unknown
from holdfast.health.runner import Runner
from holdfast.health.ticker import Ticker

SETTLING = 2.0
"""Seconds in which a process that has begun, or was forked, may still fork: nothing is opened meanwhile."""
STANDING_BACK: Final = 3.0
"""Intervals for which a process that has forked leaves it to others to monitor."""
BEAT: Final = 30.0
"""Seconds at most until checks that were registered are known, and a seat that is free is taken."""
HISTORY: Final = 100


class WatchOptions(TypedDict, total=False):
    """How a service may be watched; see `HealthMonitor.add_service`."""

    timeout: float
    interval: float
    failures: int
    successes: int
    critical: bool
    recovery: Recovery | CheckFunction | None


class HealthMonitor:
    """Watches services; thread-safe, survives a fork.

    A check is looked at every so many seconds, on the threads of a bounded pool: one that hangs delays
    no other. In a forked child the monitor goes on by itself after a short while, if the host's seat is
    free then.

    Args:
        registry: Whose checks can be watched; by default one of its own.
        watch: How services are watched that do not say.
        follows: Whether all checks of the registry are watched, later ones too.
        history: How many looks at each service are kept.
        ties: Whom it tells, and with whom it agrees.
        chance: Spreads the looks.

    Example:
        >>> monitor = HealthMonitor()
        >>> monitor.add_service("api-users", lambda: {"users": 12})
        >>> _ = monitor.tick()
        >>> monitor.get_report().services["api-users"].state.value
        'HEALTHY'
    """

    def __init__(  # all but the first are keywords
        self,
        registry: HealthRegistry | None = None,
        *,
        watch: Watch | None = None,
        follows: bool = False,
        history: int = HISTORY,
        ties: Ties | None = None,
        chance: random.Random | None = None,
    ) -> None:
        self._registry = registry or HealthRegistry()
        self._tools = self._registry.tools
        self._watch = watch or Watch()
        self._history = history
        self._chance = chance or random.Random()  # noqa: S311  # spreads load
        self._runner = Runner(self._tools, threads=self._registry.threads)
        self._mender = Runner(self._tools, threads=self._registry.threads)
        self._following = Following(
            self._registry, self._watch, all_checks=follows, history=history
        )
        self._ticker = Ticker(self._turn, "holdfast-monitor")
        self._rounds = Rounds(self._tools.clock, self._chance, self._mender, self._ticker.wake)
        self._duty = Duty(ties or Ties(), self._rounds, self._tools.clock, self._ticker.wake)
        self._wanted = False
        self._not_before = 0.0
        after_fork(self._go_on)
        after_forking(self._stand_back)

    def _go_on(self) -> None:
        """Begin anew in a forked child, whose threads did not come along."""
        self._duty.reset()
        if self._wanted:
            self.start_later()

    def _stand_back(self) -> None:
        """Let a child of this process monitor rather than this one, unless it does already.

        What a server's master has open, every worker that it forks later would have open too.
        """
        if not self._duty.is_ours:
            self._not_before = SystemClock().monotonic() + STANDING_BACK * self._watch.interval

    @property
    def is_running(self) -> bool:
        """Whether this process monitors, or waits for its turn to."""
        return self._ticker.is_running

    @property
    def monitors(self) -> bool:
        """Whether this process is the one of the host that monitors."""
        return self._duty.is_ours

    def add_service(
        self, name: str, check: CheckFunction | None = None, **options: Unpack[WatchOptions]
    ) -> None:
        """Watch a service, in the place of one of the same name; harmless when it is watched like that.

        Args:
            name: 1 to 200 printable characters.
            check: Looks at it, sync or async; as for `HealthRegistry.register_check`. None: the check of
                that name in the registry, now or later.
            options: `timeout` (5 s) and `critical` (True) for a check of one's own; `interval` (30 s),
                `failures` (3) in a row that make an outage, `successes` (1) in a row that end it; and
                `recovery`, an action that is to end it, or a `Recovery`.

        Raises:
            ValueError: When an option makes no sense.
            TypeError: When there is no such option.
        """
        refuse_unknown(options, WatchOptions.__annotations__, f"service {name!r}")
        watch = self._told(options)
        if check is None:
            if given := {"timeout", "critical"} & options.keys():
                raise ValueError(f"{name!r} is the registry's, which says its {min(given)}")
            self._following.ask(name, watch)
            self._duty.tell(self._following.update(self._rounds))
        else:
            made = Check(
                name=name,
                run=check,
                timeout=options.get("timeout", DEFAULT_TIMEOUT),
                critical=options.get("critical", True),
            )
            self._following.leave_out(name)
            self._rounds.add(Service(made, watch, self._runner, self._history))
        self._ticker.wake()

    def remove_service(self, name: str) -> None:
        """Watch a service no more; harmless when it is not watched.

        People who were told of an outage of it are told that nobody looks any more.
        """
        self._following.leave_out(name)
        told = self._rounds.remove(name)
        self._runner.forget(name)
        self._mender.forget(name)
        if told is not None:
            self._duty.tell([told])

    def start(self) -> None:
        """Begin, on a thread of its own; harmless when begun.

        Raises:
            RuntimeError: When no thread is to be had.
        """
        self._wanted = True
        self._not_before = 0.0
        self._ticker.start()
        self._ticker.wake()

    def start_later(self) -> None:
        """Begin as `start` does, but look first in 2 seconds; without a thread others have to monitor.

        For a process that has begun only now: it may still fork, and opens nothing before.
        """
        self._wanted = True
        self._not_before = SystemClock().monotonic() + SETTLING
        with suppress(RuntimeError):
            self._ticker.start()

    def stop(self, timeout: float = 10.0) -> bool:
        """End, when the looks under way have ended; False when that took longer.

        What people are to be told is sent, and another process of the host may monitor. It can be
        started again.

        Args:
            timeout: Seconds.
        """
        clock = SystemClock()
        until = clock.monotonic() + timeout
        self._wanted = False
        in_time = self._ticker.stop(timeout)
        for run in self._rounds.going():
            left = until - timeout / 2 - clock.monotonic()  # the rest is for what is to be told
            in_time = run.wait(max(0.0, left)) and in_time
        if self._duty.is_ours:
            self._duty.take_in()
        self._duty.give_back(max(0.0, until - clock.monotonic()))
        self._runner.close()
        self._mender.close()
        return in_time

    def tick(self) -> float:
        """Do one round on this thread, and wait for what it finds; for tests, where no thread does.

        Returns:
            Seconds until the next.
        """
        if not self._duty.take():
            return self._beat
        self._begin()
        while runs := self._rounds.going():
            for run in runs:
                run.wait()
            self._duty.take_in(runs)
        return self._wait()

    def check_service(self, name: str) -> CheckResult:
        """Look at a service now, and return what was seen; it counts where this process monitors.

        Args:
            name: Of the service.

        Raises:
            KeyError: When none of that name is watched.
        """
        service = self._service(name)
        if self._duty.counts:
            run = self._rounds.look(service)
            run.wait()
            self._duty.take_in((run,))
        else:
            run = service.runner.run(service.check, fresh=True)
            run.wait()
        return run.outcome or run.result(0)

    def history(self, name: str) -> tuple[CheckResult, ...]:
        """Return what was seen of a service in this process, oldest first.

        Raises:
            KeyError: When none of that name is watched.
        """
        return tuple(self._service(name).seen)

    def get_report(self) -> MonitorReport:
        """Return how all services stand, as the process of the host that monitors has seen it last."""
        return self._duty.report()

    def _service(self, name: str) -> Service:
        service = self._rounds.services.get(name)
        if service is None:
            raise KeyError(f"no service named {name!r} is watched; add_service() watches one")
        return service

    def _told(self, options: WatchOptions) -> Watch:
        """Return how a service is watched, whose own options go before the defaults."""
        default = self._watch
        recovery = options.get("recovery", default.recovery)
        if not isinstance(recovery, Recovery):
            recovery = replace(default.recovery, action=recovery)
        return Watch(
            interval=options.get("interval", default.interval),
            thresholds=Thresholds(
                failures=options.get("failures", default.thresholds.failures),
                successes=options.get("successes", default.thresholds.successes),
            ),
            recovery=recovery,
        )

    def _turn(self) -> float:
        """Do one round on the monitor's own thread, which waits for no check."""
        settling = self._not_before - SystemClock().monotonic()
        if settling > 0:
            return settling
        if not self._duty.take():
            return self._beat * (0.9 + 0.2 * self._chance.random())
        self._begin()
        self._duty.take_in()
        return self._wait()

    def _begin(self) -> None:
        self._duty.tell(self._following.update(self._rounds))
        self._rounds.begin()

    def _wait(self) -> float:
        """Return the seconds until the next round; checks that are registered meanwhile wait for it."""
        return min(self._rounds.wait(), self._beat)

    @property
    def _beat(self) -> float:
        return min(self._watch.interval, BEAT)
