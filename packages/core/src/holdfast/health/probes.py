"""What is answered to a probe, whatever framework carries it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain, count
from typing import Final

from holdfast.health.check import RESERVED_GROUPS, CheckResult
from holdfast.health.disclosure import Caller, Disclosure
from holdfast.health.registry import HealthRegistry
from holdfast.health.rendering.formats import FORMATS, MEDIA, METRICS_MEDIA, chosen
from holdfast.health.rendering.page import Page
from holdfast.health.report import HealthReport
from holdfast.health.status import HealthStatus

METRICS: Final = "metrics"
"""Asked for in the place of a group: all checks, for a scraper."""
MAX_TAGS: Final = 20
OK: Final = 200
UNAVAILABLE: Final = 503
HEADERS: Final = {
    "Cache-Control": "no-store",
    "Vary": "Accept, Authorization",
    "X-Content-Type-Options": "nosniff",
}
"""What goes with every answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What somebody asks of the health endpoints."""

    group: str = ""
    """`live`, `ready`, `startup`, one's own, `metrics`; empty: all."""
    format: str = ""
    """Value of `?format=`."""
    accept: str = ""
    """The header `Accept`."""
    tags: tuple[str, ...] = ()
    """Values of `?tag=`: heeded for whoever sees details."""
    caller: Caller = field(default_factory=Caller)
    is_head: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeAnswer:
    """What it is told."""

    status: int
    content_type: str
    body: bytes
    """Empty where only the head was asked for."""
    headers: Mapping[str, str]
    length: int
    """Bytes of the body, or of the one that is left out."""


class Probes:
    """Answers probes from a registry; thread-safe, and for any event loop.

    Args:
        registry: Whose checks are asked.
        disclosure: Who sees details.
        time_limit: Seconds in which every probe is answered.
        retry_after: Seconds after which a probe that was told of a failure may come again.
        service: Name of the service, for whoever sees details.
        release: Its version, for whoever sees details.

    Example:
        >>> answer = Probes(HealthRegistry()).answer(Probe(group="live"))
        >>> answer.status, answer.body
        (200, b'{"status":"pass"}')
    """

    def __init__(  # all but the first are keywords
        self,
        registry: HealthRegistry,
        disclosure: Disclosure | None = None,
        *,
        time_limit: float = 10.0,
        retry_after: float = 1.0,
        service: str = "",
        release: str = "",
    ) -> None:
        self.registry = registry
        self._disclosure = disclosure or Disclosure()
        self._time_limit = time_limit
        self._retry_after = str(max(1, math.ceil(retry_after)))
        self._service = service
        self._release = release

    def knows(self, group: str) -> bool:
        """Tell whether there is anything to be asked by this name; empty is all."""
        return not group or group in RESERVED_GROUPS or group in self.registry.groups

    def sees_details(self, caller: Caller) -> bool:
        """Tell whether a caller sees more than the status."""
        return self._disclosure.allows(caller)

    def answer(self, probe: Probe) -> ProbeAnswer:
        """Answer a probe within the time limit; never raises."""
        detailed = self.sees_details(probe.caller)
        asked = self._asked(probe, detailed=detailed)
        report = self.registry.report(asked.group, tags=asked.tags, within=self._time_limit)
        return self._rendered(probe, report, detailed=detailed)

    async def aanswer(self, probe: Probe, *, detailed: bool | None = None) -> ProbeAnswer:
        """Answer as `answer` does, and leave the running event loop to others.

        Args:
            probe: What is asked.
            detailed: Whether the caller sees details, where that was found out before: a function of
                the project's may have to be asked on a thread.
        """
        detailed = self.sees_details(probe.caller) if detailed is None else detailed
        asked = self._asked(probe, detailed=detailed)
        report = await self.registry.areport(asked.group, tags=asked.tags, within=self._time_limit)
        return self._rendered(probe, report, detailed=detailed)

    def page(self, group: str = "") -> Page:
        """Return all that is known of a group, within the time limit: for whoever has a shell here.

        Args:
            group: `live`, `ready`, `startup` or one's own; empty: all.
        """
        report = self.registry.report(group, within=self._time_limit)
        return self.shown(report, detailed=True)

    def _asked(self, probe: Probe, *, detailed: bool) -> Probe:
        group = "" if probe.group in RESERVED_GROUPS else probe.group
        return replace(probe, group=group, tags=probe.tags[:MAX_TAGS] if detailed else ())

    def _rendered(self, probe: Probe, report: HealthReport, *, detailed: bool) -> ProbeAnswer:
        media = METRICS_MEDIA if probe.group == METRICS else MEDIA
        format_ = FORMATS[chosen(probe.format, probe.accept, media)]
        body = format_.render(self.shown(report, detailed=detailed))
        failed = report.status is HealthStatus.FAIL and not format_.always_ok
        retry = {"Retry-After": self._retry_after} if failed else {}
        return ProbeAnswer(
            status=UNAVAILABLE if failed else OK,
            content_type=format_.content_type,
            body=b"" if probe.is_head else body,
            headers={**HEADERS, **format_.headers, **retry},
            length=len(body),
        )

    def shown(self, report: HealthReport, *, detailed: bool) -> Page:
        """Return what of a report may be shown, without secrets in any name.

        Args:
            report: Of the registry.
            detailed: Whether to somebody who sees more than the status.
        """
        now = self.registry.clock.now()
        if not detailed:
            return Page(report=report, detailed=False, time=now)
        clean = self.registry.redactor.text
        return Page(
            report=replace(report, results=_with_clean_names(report.results, clean)),
            detailed=True,
            time=now,
            service=clean(self._service),
            release=clean(self._release),
        )


def _with_clean_names(
    results: tuple[CheckResult, ...], clean: Callable[[str], str]
) -> tuple[CheckResult, ...]:
    """Take secrets out of names, such as addresses with a password; names stay different."""
    named: dict[str, CheckResult] = {}
    for result in results:
        shown = clean(result.name)
        name = next(
            each
            for each in chain([shown], (f"{shown} ({n})" for n in count(2)))
            if each not in named
        )
        named[name] = result if name == result.name else replace(result, name=name)
    return tuple(named.values())
