"""The rounds of the monitor: what is due is begun, what has ended is taken note of; nothing waits."""

import math
import random
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from typing import Final, NamedTuple

from holdfast.clock import Clock
from holdfast.events import Event
from holdfast.forks import ForkSafeLock, after_fork
from holdfast.health.check import CheckResult
from holdfast.health.monitor.report import MonitorReport, ServiceReport
from holdfast.health.monitor.service import Service, Step
from holdfast.health.monitor.standing import Change
from holdfast.health.monitor.telling import attempted, event_of, news_of
from holdfast.health.runner import Runner
from holdfast.health.running import Run
from holdfast.health.timetable import Timetable
from holdfast.reporting.alerts.message import Stage
from holdfast.reporting.alerts.news import News

_STALE: Final = 10.0
"""Intervals after which what another process has seen says nothing, but for outages it has told of."""
_ABANDONED: Final = 86_400.0
"""Seconds after which an outage that another process has told of is nobody's any more."""


class Told(NamedTuple):
    """What is to be told."""

    event: Event | None
    news: News | None = None


class Rounds:
    """What is watched, and when what of it is due; thread-safe, survives a fork.

    Args:
        clock: The time.
        chance: Spreads the looks.
        mender: Runs the actions that are to end outages.
        ended: Called when something has ended that was begun here, on the thread it ended on.
    """

    def __init__(
        self, clock: Clock, chance: random.Random, mender: Runner, ended: Callable[[], None]
    ) -> None:
        self._clock = clock
        self._mender = mender
        self._ended = ended
        self._lock = ForkSafeLock()
        self._services: dict[str, Service] = {}
        self._looks = Timetable(clock, chance)
        self._attempts = Timetable(clock, chance, jitter=0.0)
        self._remembered: dict[str, ServiceReport] = {}
        after_fork(self.forget_runs)

    @property
    def services(self) -> dict[str, Service]:
        """What is watched, by name; not to be changed."""
        return dict(self._services)

    @property
    def entrusted(self) -> dict[str, ServiceReport]:
        """Outages that another process has told of and nobody watches here, by name: for who does."""
        now = self._clock.now()
        with self._lock:
            return {name: told for name, told in self._remembered.items() if _is_open(told, now)}

    def forget_runs(self) -> None:
        """Take no note of what is under way: another process monitors, or its threads are gone."""
        for service in self.services.values():
            service.forget_runs()

    def add(self, service: Service) -> None:
        """Watch a service, from now on; in the place of one of the same name, if there is one."""
        with self._lock:
            known = self._services.get(service.name)
            told = self._remembered.pop(service.name, None) if known is None else known.report()
            self._services[service.name] = service
            if told is None:
                self._looks.plan(service.name, 0.0)
            else:
                self._continue(service, told)

    def remove(self, name: str) -> Told | None:
        """Watch a service no more; return what people are told, if they know of an outage of it."""
        with self._lock:
            service = self._services.pop(name, None)
            self._looks.cancel(name)
            self._attempts.cancel(name)
        if service is None or service.outage is None:
            return None
        news = news_of(service, Stage.RECOVERED, service.outage, "is not watched any more")
        return Told(None, news)

    def look(self, service: Service) -> Run:
        """Begin a look at a service now, unless one is under way."""
        with self._lock:
            return self._look(service)

    def begin(self) -> None:
        """Begin what is due."""
        with self._lock:
            for name in self._looks.due():
                service = self._services[name]
                self._look(service)
                self._looks.plan(name, service.watch.interval)
            for name in self._attempts.due():
                self._attempt(self._services[name])

    def going(self) -> list[Run]:
        """Return what was begun and not taken note of."""
        with self._lock:
            runs = [(service.look, service.attempt) for service in self._services.values()]
        return [run for pair in runs for run in pair if run is not None]

    def collect(self, given_up: Collection[Run] = ()) -> tuple[int, list[Told]]:
        """Take note of what has ended, or takes too long.

        Args:
            given_up: What is not waited for, whatever time it has left.

        Returns:
            How much was noted, and what is to be told of it.
        """
        told: list[Told] = []
        noted = 0
        with self._lock:
            for service in self._services.values():
                if service.look is not None and _is_over(service.look, given_up):
                    told += self._looked(service, service.look)
                    noted += 1
                if service.attempt is not None and _is_over(service.attempt, given_up):
                    told += self._attempted(service, service.attempt)
                    noted += 1
        return noted, told

    def wait(self) -> float:
        """Return the seconds until something is due, or takes too long; 0 and above."""
        with self._lock:
            turns = (self._looks.wait(), self._attempts.wait())
        waits = [turn for turn in turns if turn is not None]
        return min([*waits, *(run.left for run in self.going())], default=math.inf)

    def continue_from(self, report: MonitorReport) -> None:
        """Go on from what another process has seen; names that are not known yet are remembered."""
        with self._lock:
            self._remembered = {}
            for name, told in report.services.items():
                service = self._services.get(name)
                if service is None:
                    self._remembered[name] = told
                else:
                    self._continue(service, told)

    def _continue(self, service: Service, told: ServiceReport) -> None:
        now, interval = self._clock.now(), service.watch.interval
        last = told.standing.last_check
        age = math.inf if last is None else (now - last).total_seconds()
        if told.outage is None and age > interval * _STALE:
            self._looks.plan(service.name, 0.0)
            return
        service.continue_from(told)
        self._looks.plan(service.name, min(max(0.0, interval - age), interval))
        if service.outage is None:
            return
        when = service.outage.next_attempt
        if when is None:
            self._plan_attempt(service)
        else:
            wait = (when - now).total_seconds()
            longest = (
                service.watch.recovery.longest
            )  # or a clock that was set back would put it off
            self._attempts.plan(service.name, min(max(0.0, wait), longest))

    def _look(self, service: Service) -> Run:
        if service.look is not None and not service.look.is_going:
            return service.look  # ended a moment ago: a new one would hide it before it was noted
        run = service.runner.run(service.check, fresh=True)
        if run is not service.latest:  # else it is told of already
            service.latest = run
            run.then(self._ended)
        service.look = run
        return run

    def _attempt(self, service: Service) -> None:
        if not service.count_attempt():
            return
        if service.mending is None:
            self._look(service)
        else:
            service.attempt = self._mender.run(service.mending, fresh=True)
            service.attempt.then(self._ended)

    def _attempted(self, service: Service, run: Run) -> Iterable[Told]:
        """Take note of an action, and look at once what it has done."""
        service.attempt = None
        yield self._tell_attempt(service, run.outcome or run.result(0))
        self._look(service)

    def _looked(self, service: Service, run: Run) -> Iterable[Told]:
        service.look = None
        step = service.note(run.outcome or run.result(0))
        if service.number and service.attempt is None:
            yield self._tell_attempt(service, step.result)
        if step.change is Change.FAILED:
            self._plan_attempt(service)
        if step.change is not None:
            yield Told(event_of(service, step, step.change), _news(service, step))

    def _tell_attempt(self, service: Service, result: CheckResult) -> Told:
        number, service.number = service.number, 0
        self._plan_attempt(service)
        return Told(attempted(service, number, result))

    def _plan_attempt(self, service: Service) -> None:
        delay = service.plan_attempt(self._clock.now())
        if delay is not None:
            self._attempts.plan(service.name, delay)


def _news(service: Service, step: Step) -> News | None:
    if step.outage is None:
        return None
    if step.change is Change.FAILED:
        why = f": {step.result.output}" if step.result.output else ""
        return news_of(service, Stage.OPENED, step.outage, f"does not work{why}")
    return news_of(service, Stage.RECOVERED, step.outage, "works again")


def _is_open(told: ServiceReport, now: datetime) -> bool:
    last = told.standing.last_check
    if told.outage is None or last is None:
        return False
    return (now - last).total_seconds() < _ABANDONED


def _is_over(run: Run, given_up: Collection[Run]) -> bool:
    return not run.is_going or run.was_late or run in given_up
