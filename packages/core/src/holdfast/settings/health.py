"""Settings of health: who sees what, how long probes wait, and the monitor."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from holdfast.health.check import Ttl
from holdfast.settings.types import PATH
from holdfast.strict import Items, Matches, Range, Section

if TYPE_CHECKING:
    from holdfast.health.monitor import Watch

OwnCheck: TypeAlias = Literal["circuits", "errors", "reporters"]
"""What the suite can say of itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TtlSettings(Section):
    """For how long what a check said answers further probes, by its status."""

    passing: Annotated[float, Range(0, 3600)] = 1.0
    """Seconds for which `pass` answers further probes, 0 to 3600."""

    warning: Annotated[float, Range(0, 3600)] = 1.0
    """Seconds for which `warn` answers further probes, 0 to 3600."""

    failing: Annotated[float, Range(0, 3600)] = 1.0
    """Seconds for which `fail` answers further probes, 0 to 3600."""

    def ttl(self) -> Ttl:
        """Return the times."""
        return Ttl(passing=self.passing, warning=self.warning, failing=self.failing)


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorSettings(Section):
    """The monitor: looks at every check again and again, tells of outages and recoveries."""

    enabled: bool = False
    """Whether it begins with the application; of the processes of one host, one monitors."""

    interval: Annotated[float, Range(0.1, 86_400)] = 30.0
    """Seconds between two looks at a check, 0.1 to 86,400; spread by a tenth."""

    failures: Annotated[int, Range(1, 1000)] = 3
    """Failures in a row that make an outage, 1 to 1000; from the first on the service is degraded."""

    successes: Annotated[int, Range(1, 1000)] = 1
    """Successes in a row that end an outage, 1 to 1000."""

    recovery: Annotated[float, Range(0.1, 86_400)] = 60.0
    """Seconds after an outage until the first attempt at recovery, 0.1 to 86,400; then twice as many,
    and so on."""

    recovery_ceiling: Annotated[float, Range(0.1, 86_400)] = 900.0
    """Seconds between attempts at most, 0.1 to 86,400."""

    attempts: Annotated[int, Range(0, 1000)] = 5
    """Attempts at recovery in one outage, 0 to 1000."""

    history: Annotated[int, Range(1, 100_000)] = 100
    """What was seen that is kept of each service, 1 to 100,000."""

    channels: Annotated[tuple[str, ...], Items(most=20)] = ()
    """Who is told, by the names in `ALERTS.CHANNELS`. Default: all of them."""

    state: Annotated[
        str, Matches(r"[^\x00-\x1f\x7f]{0,1000}", "the path of a folder, at most 1000 characters")
    ] = ""
    """Folder by which the processes of this host agree who monitors, and read what was seen. Default:
    one of this user's own in the folder for temporary files."""

    def watch(self) -> "Watch":
        """Return how services are watched that do not say."""
        from holdfast.health import monitor  # noqa: PLC0415  # for whoever monitors

        recovery = monitor.Recovery(
            after=self.recovery, ceiling=self.recovery_ceiling, attempts=self.attempts
        )
        thresholds = monitor.Thresholds(failures=self.failures, successes=self.successes)
        return monitor.Watch(interval=self.interval, thresholds=thresholds, recovery=recovery)


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthSettings(Section):
    """How the health endpoints answer."""

    details: Literal["authorized", "always", "never"] = "authorized"
    """Who sees more than the status: what each check said, versions, why. Default: whom `token`,
    `networks` or `allow` let, and everybody while the application is debugged."""

    token: Annotated[
        str, Matches(r"[!-~]{16,500}|", "16 to 500 printable characters without spaces")
    ] = field(default="", repr=False)
    """What callers send as `Authorization: Bearer …` to see details. Default: none."""

    networks: Annotated[tuple[str, ...], Items(most=100)] = ()
    """Networks whose callers see details, such as `10.0.0.0/8`, by the address that reaches the
    application: behind a proxy that is the proxy's. Default: none."""

    allow: Annotated[
        str, Matches(rf"({PATH})?", "a dotted path such as 'shop.health:is_operator'")
    ] = ""
    """Function, not async, that is called with the framework's request: the caller sees details when
    it returns True, and nothing else that counts as true. Default: none."""

    direct: bool = False
    """Whether probes are answered in front of the application: no host check, redirect to TLS, login
    or other middleware is in their way."""

    timeout: Annotated[float, Range(0.001, 3600)] = 5.0
    """Seconds of a check that does not say, 0.001 to 3600."""

    time_limit: Annotated[float, Range(0.001, 3600)] = 10.0
    """Seconds in which every probe is answered, whatever its checks do, 0.001 to 3600."""

    threads: Annotated[int, Range(1, 500)] = 16
    """Checks that run at a time, 1 to 500."""

    own: Annotated[tuple[OwnCheck, ...], Items(most=3)] = (
        "circuits",
        "errors",
        "reporters",
    )
    """What the suite says of itself in `ready`, as warnings: circuits that are open, a tenth of the
    requests with errors, reporters that do not keep up. Default: all of it."""

    ttl: TtlSettings = field(default_factory=TtlSettings)
    monitor: MonitorSettings = field(default_factory=MonitorSettings)

    def objections(self) -> Iterable[tuple[str, str]]:
        """Yield field and message for what is no network."""
        if not self.networks:
            return
        from ipaddress import ip_network  # noqa: PLC0415  # few need it

        for network in self.networks:
            try:
                ip_network(network, strict=False)
            except ValueError:
                yield "networks", f"{network!r} is no network such as '10.0.0.0/8' or '::1'"
