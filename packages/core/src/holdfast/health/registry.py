"""Checks by name, and the report they add up to."""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, TypedDict, Unpack

from holdfast.clock import Clock, SystemClock
from holdfast.forks import ForkSafeLock
from holdfast.health.check import (
    BUILT_IN_GROUPS,
    DEFAULT_TIMEOUT,
    READY,
    Check,
    CheckFunction,
    CheckResult,
    Ttl,
)
from holdfast.health.report import HealthReport
from holdfast.health.status import HealthStatus
from holdfast.once import once
from holdfast.redact import Redactor
from holdfast.strict import nearest

if TYPE_CHECKING:
    from holdfast.health.runner import Runner
    from holdfast.health.running import Run, Tools

READINESS = "process:readiness"
"""Name under which a report tells why the process wants no more work."""
UNTAGGED = "probe:tags"
"""Name under which a report tells that it was asked for tags which no check has."""


class CheckOptions(TypedDict, total=False):
    """What a check may be registered with; see `Check`."""

    critical: bool
    timeout: float
    groups: Iterable[str]
    tags: Iterable[str]
    ttl: Ttl | None
    every: float | None


class HealthRegistry:
    """The checks of one runtime; thread-safe, survives a fork.

    Checks run on a bounded number of threads, each once at a time: who asks while one is running shares
    that run. One that hangs keeps its thread while the callers go on, and is told of as still running.

    Args:
        clock: Measures how long checks take.
        redactor: Cleans what checks say.
        stopping: Says why the process should get no more work, or nothing when it should.
        threads: How many checks may run at a time.
        ttl: For how long an answer serves further probes, for checks that do not say.
        timeout: Seconds that checks get which do not say.
        own: Checks that probes ask beside those that are registered; one that is registered by the
            same name takes its place.

    Example:
        >>> registry = HealthRegistry()
        >>> registry.register_check("disk", lambda: {"free_gb": 12})
        >>> registry.get_health_status().status.value
        'pass'
    """

    def __init__(  # noqa: PLR0913  # all but two are keywords
        self,
        clock: Clock | None = None,
        redactor: Redactor | None = None,
        *,
        stopping: Callable[[], str] | None = None,
        threads: int = 16,
        ttl: Ttl | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        own: Iterable[Check] = (),
    ) -> None:
        self._clock = clock or SystemClock()
        self._redactor = redactor or Redactor()
        self._stopping = stopping
        self.threads = threads
        """How many checks may run at a time."""
        self._ttl = ttl
        self._timeout = timeout
        self._unready = ""
        self._closed = False
        self._lock = ForkSafeLock()
        self._own = {check.name: check for check in own}
        self._checks: dict[str, Check] = {}
        self.around: Callable[[], AbstractContextManager[object]] = nullcontext
        """What checks run within, such as their application being the current one."""

    def register_check(
        self,
        name: str,
        run: CheckFunction,
        *,
        replace: bool = False,
        **options: Unpack[CheckOptions],
    ) -> None:
        """Add a check.

        Args:
            name: Under which it is reported: 1 to 200 printable characters.
            run: Returns False or raises when not well; a mapping it returns becomes details, a `Finding`
                says it all. May be a coroutine function.
            replace: Whether it takes the place of one of the same name; else that is refused.
            options: As of `Check`: `critical` (True), `timeout` (5 s), `groups` (`ready`), `tags`,
                `ttl`, `every`.

        Raises:
            ValueError: When the name is taken, or an option makes no sense.
            TypeError: When there is no such option.
        """
        refuse_unknown(options, CheckOptions.__annotations__, f"check {name!r}")
        check = Check(
            name=name,
            run=run,
            critical=options.get("critical", True),
            timeout=options.get("timeout", self._timeout),
            groups=_words(options.get("groups", (READY,)), "groups", name),
            tags=_words(options.get("tags", ()), "tags", name),
            ttl=options.get("ttl"),
            every=options.get("every"),
        )
        self.add(check, replace=replace)

    def add(self, check: Check, *, replace: bool = False) -> None:
        """Add a check that is made already.

        Args:
            check: The check.
            replace: Whether it takes the place of one of the same name; else that is refused.

        Raises:
            ValueError: When the name is taken.
        """
        with self._lock:
            known = self._checks.get(check.name)
            if known == check:  # as when a module is imported twice: what it said is still so
                return
            if known is not None and not replace:
                raise ValueError(
                    f"a check named {check.name!r} is registered already, and runs {known.run!r}; "
                    "choose another name, or take its place with replace=True"
                )
            self._checks = {**self._checks, check.name: check}
        self._forget(check.name)

    def unregister_check(self, name: str) -> None:
        """Take a check away; harmless when there is none."""
        with self._lock:
            self._own = {key: check for key, check in self._own.items() if key != name}
            self._checks = {key: check for key, check in self._checks.items() if key != name}
        self._forget(name)

    @property
    def clock(self) -> Clock:
        """What time is measured by."""
        return self._clock

    @property
    def redactor(self) -> Redactor:
        """Cleans what checks say."""
        return self._redactor

    @property
    def checks(self) -> tuple[Check, ...]:
        """What is registered, oldest first."""
        return tuple(self._checks.values())

    @property
    def own(self) -> tuple[Check, ...]:
        """What probes ask beside it, of the suite itself; neither handed over nor monitored."""
        return tuple(check for name, check in self._own.items() if name not in self._checks)

    @property
    def groups(self) -> frozenset[str]:
        """What can be asked for: the three that always can, and those that checks are in."""
        return BUILT_IN_GROUPS.union(*(check.groups for check in self.checks))

    def mark_unready(self, reason: str) -> None:
        """Let readiness fail until `mark_ready`, whatever the checks say; takes no lock.

        Args:
            reason: Told to whoever may see details.

        Raises:
            ValueError: When the reason is empty.
        """
        if not reason:
            raise ValueError("mark_unready() needs a reason, such as 'warming up'")
        self._unready = reason

    def mark_ready(self) -> None:
        """Take `mark_unready` back; harmless without it."""
        self._unready = ""

    @property
    def unready(self) -> str:
        """Why the process should get no more work, or an empty string when it should."""
        return self._unready or (self._stopping() if self._stopping is not None else "")

    def take_over(self, other: "HealthRegistry") -> None:
        """Add the checks of another registry, but for names that are taken."""
        with self._lock:
            self._checks = {**{check.name: check for check in other.checks}, **self._checks}

    def run_all_checks(self) -> dict[str, CheckResult]:
        """Run all that is registered, whatever was said lately, and return what each said; never raises.

        It takes at most the longest timeout, which counts from when a check was started: one that
        hung before is not waited for again.
        """
        return self._results(self.checks, math.inf, fresh=True)

    def get_health_status(self) -> HealthReport:
        """Run all that is registered and return what it adds up to; without checks all is well.

        A process that is marked as unready, or on its way out, fails. It is still alive.
        """
        return HealthReport(results=(*self._readiness(""), *self.run_all_checks().values()))

    def report(
        self, group: str = "", *, tags: Collection[str] = (), within: float = math.inf
    ) -> HealthReport:
        """Return what the checks of a group say, or said within their `ttl`; never raises.

        Args:
            group: `live`, `ready`, `startup` or one's own; empty for all.
            tags: Only checks with one of these; one that no check of the group has is a warning.
            within: Seconds after which it answers in any case.
        """
        found = self._results(self._asked(group, tags), within)
        return self._report(group, tags, found)

    async def areport(
        self, group: str = "", *, tags: Collection[str] = (), within: float = math.inf
    ) -> HealthReport:
        """Return what `report` does, and leave the running event loop to others."""
        checks = self._asked(group, tags)
        found: dict[str, CheckResult] = {}
        if checks:
            from holdfast.health.runner import aresults  # noqa: PLC0415  # as below

            found = await aresults(self._runs(checks), self.tools, within)
        return self._report(group, tags, found)

    def check(self, name: str, *, fresh: bool = False) -> CheckResult:
        """Return what one check says, or said within its `ttl`.

        Args:
            name: Of the check.
            fresh: Whether an answer that is kept will not do.

        Raises:
            KeyError: When there is none of that name.
        """
        return self._results((self._named(name),), math.inf, fresh=fresh)[name]

    async def acheck(self, name: str) -> CheckResult:
        """Return what `check` does, and leave the running event loop to others.

        Args:
            name: Of the check.

        Raises:
            KeyError: When there is none of that name.
        """
        from holdfast.health.runner import aresults  # noqa: PLC0415  # as below

        runs = self._runs((self._named(name),))
        return (await aresults(runs, self.tools, math.inf))[name]

    def close(self) -> None:
        """Look at nothing in the background from now on; checks still run when they are asked for."""
        self._closed = True
        if "runner" in vars(self):
            self.runner.close()

    @once
    def tools(self) -> "Tools":
        """What runs share."""
        from holdfast.health.running import Tools  # noqa: PLC0415  # as below

        def around() -> AbstractContextManager[object]:
            return self.around()

        return Tools(clock=self._clock, redactor=self._redactor, around=around)

    @once
    def runner(self) -> "Runner":
        """What runs checks; loaded by the first probe that asks one."""
        from holdfast.health.runner import Runner  # noqa: PLC0415  # threads and asyncio behind it

        return Runner(self.tools, threads=self.threads, ttl=self._ttl)

    def _named(self, name: str) -> Check:
        check = self._checks.get(name) or self._own.get(name)
        if check is None:
            raise KeyError(f"no check is named {name!r}; register_check() adds one")
        return check

    def _forget(self, name: str) -> None:
        if "runner" in vars(self):
            self.runner.forget(name)

    def _runs(self, checks: Iterable[Check], *, fresh: bool = False) -> "list[Run]":
        runs = [self.runner.run(check, fresh=fresh) for check in checks]
        for run in runs:
            if run.check.name not in self._checks and run.check.name not in self._own:
                self.runner.forget(run.check.name)  # it was taken away in the meantime
        if not self._closed:
            self.runner.watch(self.checks)
        return runs

    def _asked(self, group: str, tags: Collection[str]) -> tuple[Check, ...]:
        wanted = frozenset(tags)
        return tuple(
            check
            for check in (*self.checks, *self.own)
            if (not group or group in check.groups) and (not wanted or wanted & check.tags)
        )

    def _results(
        self, checks: tuple[Check, ...], within: float, *, fresh: bool = False
    ) -> dict[str, CheckResult]:
        if not checks:
            return {}
        from holdfast.health.runner import results  # noqa: PLC0415  # as above

        return results(self._runs(checks, fresh=fresh), self.tools, within, fresh=fresh)

    def _report(
        self, group: str, tags: Collection[str], found: Mapping[str, CheckResult]
    ) -> HealthReport:
        told = (*self._readiness(group), *self._untagged(group, tags))
        return HealthReport(results=(*told, *found.values()), group=group)

    def _readiness(self, group: str) -> Iterator[CheckResult]:
        why = self.unready if group in {"", READY} else ""
        if why:
            yield self._said(READINESS, HealthStatus.FAIL, why)

    def _untagged(self, group: str, tags: Collection[str]) -> Iterator[CheckResult]:
        """Say which tags no check of a group has: whoever asks for none would be told that all is well."""
        known = frozenset[str]().union(*(check.tags for check in self._asked(group, tags)))
        if missing := ", ".join(sorted(repr(tag) for tag in set(tags) - known)):
            yield self._said(UNTAGGED, HealthStatus.WARN, f"no check is tagged {missing}")

    def _said(self, name: str, status: HealthStatus, output: str) -> CheckResult:
        return CheckResult(
            name=name,
            status=status,
            time=self._clock.now(),
            duration=0.0,
            output=self._redactor.text(output),
            critical=status is HealthStatus.FAIL,
        )


def refuse_unknown(given: Iterable[str], known: Collection[str], whose: str) -> None:
    """Refuse options that there are not, which Python takes with the others as typed keywords.

    Args:
        given: Names of options.
        known: Those that there are.
        whose: Begins the message.

    Raises:
        TypeError: When there is no such option.
    """
    for unknown in (name for name in given if name not in known):
        meant = nearest(unknown, known)
        hint = f"; did you mean {meant!r}?" if meant else ""
        raise TypeError(f"{whose}: there is no option {unknown!r}{hint}")


def _words(given: Iterable[str], option: str, name: str) -> frozenset[str]:
    if isinstance(given, str):  # its letters would be taken for words
        raise ValueError(f"check {name!r}: {option} must be several words, such as [{given!r}]")  # noqa: TRY004
    return frozenset(given)
