"""The settings of the core: what they are, what they may hold, what they are when left out.

Adapters add fields by subclassing `Settings` and the sections; `strict` reads them all.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Final, Literal

from holdfast.resilience.tuning import Tuning
from holdfast.settings.alerts import (
    AlertRuleSettings,
    AlertsSettings,
    BudgetSettings,
    QuietHoursSettings,
)
from holdfast.settings.channels import ChannelSettings, WebhookSettings
from holdfast.settings.circuits import CircuitsSettings
from holdfast.settings.handlers import RecoverySettings
from holdfast.settings.health import HealthSettings, MonitorSettings, TtlSettings
from holdfast.settings.policies import ChaosSettings
from holdfast.settings.rules import RuleSettings
from holdfast.settings.sections import (
    CrashSettings,
    DeadlineSettings,
    HooksSettings,
    JobsSettings,
    LoggingSettings,
    RedactSettings,
    ReportingSettings,
)
from holdfast.settings.types import DottedPath, Folder, Label, Language, ReporterName
from holdfast.strict import (
    Items,
    Matches,
    Problem,
    Section,
    SettingsError,
    load_flat_settings,
    load_settings,
)

__all__ = [
    "AlertRuleSettings",
    "AlertsSettings",
    "BudgetSettings",
    "ChannelSettings",
    "ChaosSettings",
    "CircuitsSettings",
    "CrashSettings",
    "DeadlineSettings",
    "DottedPath",
    "Folder",
    "HealthSettings",
    "HooksSettings",
    "JobsSettings",
    "Label",
    "Language",
    "LoggingSettings",
    "MonitorSettings",
    "Problem",
    "QuietHoursSettings",
    "RecoverySettings",
    "RedactSettings",
    "ReporterName",
    "ReportingSettings",
    "RuleSettings",
    "Settings",
    "SettingsError",
    "TtlSettings",
    "WebhookSettings",
    "load_flat_settings",
    "load_settings",
]

UNNAMED: Final = "app"
"""What a service is called whose settings do not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Section):
    """Everything a runtime can be told; read once, when it is made."""

    mailer: ClassVar[str] = ""
    """Dotted path of what makes a channel of kind `email` that has no host; an adapter's to say."""

    service: Label = UNNAMED
    """Name of this service in every record, at most 200 characters."""

    environment: Label = ""
    """Where it runs, such as `production`, at most 200 characters. Default: not said."""

    release: Label = ""
    """Version of the service, at most 200 characters. Default: not said."""

    reporters: Annotated[tuple[ReporterName, ...], Items(most=50)] = ("logging",)
    """Who is told of events: names or dotted paths, at most 50; empty: nobody."""

    classifiers: Annotated[tuple[DottedPath, ...], Items(most=100)] = ()
    """Functions asked first what an exception means, in this order, at most 100."""

    rules: Annotated[tuple[RuleSettings, ...], Items(most=1000)] = ()
    """Rules asked next, before an adapter's and the built-in ones, at most 1000."""

    middleware: Annotated[tuple[DottedPath, ...], Items(most=100)] = ()
    """Steps of the handler's pipeline, outermost first, at most 100."""

    handlers: Mapping[str, DottedPath] = field(default_factory=dict[str, str], hash=False)
    """Functions that handle errors by code, dotted name of a class, or category."""

    recoveries: Mapping[str, RecoverySettings] = field(
        default_factory=dict[str, RecoverySettings], hash=False
    )
    """Actions that are tried when no handler answers, by the same names."""

    expose_details: bool = False
    """Whether callers see what the suite itself learns of a failure: constraint, table, host."""

    response_format: Literal["envelope", "problem"] = "envelope"
    """Format of an error's body when the client takes any JSON."""

    problem_type: Annotated[
        str,
        Matches(
            r"([A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]|\{code\}){1,500}",
            "a URI of at most 500 characters; '{code}' may stand in it for the error's code",
        ),
    ] = "about:blank"
    """The member `type` of a problem; `{code}` in it becomes the code. Default: `about:blank`, and
    where pages of the codes are served the path of the code's page."""

    html: bool = True
    """Whether a client that prefers HTML gets a page."""

    language: Language = "en"
    """Language of messages when the client asks for none; one of `languages`."""

    languages: Annotated[tuple[Language, ...], Items(least=1, most=50)] = ("en", "fr")
    """Languages messages are given in, 1 to 50."""

    locale: Annotated[tuple[Folder, ...], Items(most=50)] = ()
    """Folders with gettext catalogues of one's own, such as `fr/LC_MESSAGES/shop.mo`, asked in this
    order before those that ship, at most 50. Default: none."""

    redact: RedactSettings = field(default_factory=RedactSettings)
    reporting: ReportingSettings = field(default_factory=ReportingSettings)
    logging: LoggingSettings = field(default_factory=LoggingSettings)
    hooks: HooksSettings = field(default_factory=HooksSettings)
    alerts: AlertsSettings = field(default_factory=AlertsSettings)
    webhook: WebhookSettings = field(default_factory=WebhookSettings)
    jobs: JobsSettings = field(default_factory=JobsSettings)
    crash: CrashSettings = field(default_factory=CrashSettings)
    deadline: DeadlineSettings = field(default_factory=DeadlineSettings)
    health: HealthSettings = field(default_factory=HealthSettings)

    policies: Mapping[str, Tuning] = field(default_factory=dict[str, Tuning], hash=False)
    """Options of layers by policy, in the place of those in the code, such as
    `{"payments": {"RETRY": {"ATTEMPTS": 2}, "TIMEOUT": {"SECONDS": 1.5}}}`; `"OFF"` in the place of a
    layer's options switches it off."""

    chaos: ChaosSettings = field(default_factory=ChaosSettings)
    circuits: CircuitsSettings = field(default_factory=CircuitsSettings)

    def objections(self) -> Iterable[tuple[str, str]]:
        """Yield field and message for each broken rule between several fields."""
        if self.language not in self.languages:
            yield "language", f"must be one of the languages: {', '.join(self.languages)}"
        if not self.allows_chaos() and any(
            "Chaos" in each.options for each in self.policies.values()
        ):
            yield (
                "policies",
                (
                    "must not hold CHAOS: this may be production; ENVIRONMENT and CHAOS.ENVIRONMENTS "
                    "say that it is not, or CHAOS.ENABLED allows it"
                ),
            )
        if self.circuits.shared and self.service == UNNAMED:
            yield (
                "service",
                "is required where circuits are shared: it tells the services of a Redis apart",
            )
        for channel in self.health.monitor.channels:
            if channel not in self.alerts.channels:
                known = ", ".join(self.alerts.channels) or "none"
                yield (
                    "health.monitor.channels",
                    f"{channel!r} is no channel of alerts; there are: {known}",
                )
        if not self.release and "new_in_release" in {r.when for r in self.alerts.rules.values()}:
            yield "release", "is required by a rule of alerts that asks for what is new in it"

    def allows_chaos(self) -> bool:
        """Tell whether calls may be made to fail on purpose here."""
        is_said = bool(self.environment)  # or an empty text among the others would be production
        return self.chaos.enabled or (is_said and self.environment in self.chaos.environments)
