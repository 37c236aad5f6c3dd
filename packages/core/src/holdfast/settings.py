"""The settings of the core: what they are, what they may hold, what they are when left out.

Adapters add fields by subclassing `Settings` and the sections; `strict` reads them all.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal, TypeAlias

from holdfast.strict import (
    Expression,
    Items,
    Matches,
    Problem,
    Range,
    Section,
    SettingsError,
    load_flat_settings,
    load_settings,
)

__all__ = [
    "DottedPath",
    "Label",
    "Language",
    "LoggingSettings",
    "Problem",
    "RedactSettings",
    "ReporterName",
    "ReportingSettings",
    "Settings",
    "SettingsError",
    "load_flat_settings",
    "load_settings",
]


_IDENTIFIER = r"[^\W\d]\w*"
_DOTTED = rf"{_IDENTIFIER}(\.{_IDENTIFIER})*"
_PATH = rf"{_DOTTED}:{_DOTTED}|{_IDENTIFIER}(\.{_IDENTIFIER})+"

DottedPath: TypeAlias = Annotated[
    str, Matches(_PATH, "a dotted path such as 'shop.errors:classify'")
]
"""Where an object is: `package.module:name`, or `package.module.name`."""

ReporterName: TypeAlias = Annotated[
    str,
    Matches(
        rf"[a-z][a-z0-9_-]*|{_PATH}",
        "the name of a reporter such as 'logging', or a dotted path such as 'shop.reporters:Pager'",
    ),
]
"""A reporter that ships, by name, or one's own, by dotted path."""

Label: TypeAlias = Annotated[
    str, Matches(r"[^\x00-\x1f\x7f-\x9f]{0,200}", "printable text of at most 200 characters")
]
"""What stands in records, metrics and headers; may be empty."""

Language: TypeAlias = Annotated[
    str, Matches(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}", "a language tag such as 'en' or 'pt-BR'")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactSettings(Section):
    """What is taken out of everything before it leaves the process."""

    keys: Annotated[frozenset[str], Items(most=1000)] = frozenset()
    """Names whose values are secret, beyond the built-in ones. Default: none."""

    allowed_keys: Annotated[frozenset[str], Items(most=1000)] = frozenset()
    """Names whose values are shown although a rule would hide them. Default: none."""

    patterns: Annotated[tuple[Annotated[str, Expression(longest=1000)], ...], Items(most=100)] = ()
    """Regular expressions of secrets within text, beyond the built-in ones. Default: none."""

    mask: Annotated[str, Matches(r".{1,40}", "1 to 40 characters on one line")] = "[redacted]"
    """What stands in a secret's place."""

    max_depth: Annotated[int, Range(1, 50)] = 8
    """Levels of nested values that are kept, 1 to 50."""

    max_items: Annotated[int, Range(1, 10_000)] = 100
    """Items kept of each collection, 1 to 10,000."""

    max_length: Annotated[int, Range(16, 1_000_000)] = 8192
    """Characters kept of each text, 16 to 1,000,000."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportingSettings(Section):
    """How events reach the reporters."""

    queue_size: Annotated[int, Range(1, 1_000_000)] = 1000
    """Events that wait for each reporter, 1 to 1,000,000; more are dropped and counted."""

    flush_timeout: Annotated[float, Range(0, 300)] = 2.0
    """Seconds that closing waits for queues to empty, 0 to 300."""

    inline: bool = False
    """Whether events are delivered on the thread they happen on. For tests: it makes callers wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggingSettings(Section):
    """How the reporter `logging` writes."""

    logger: Annotated[
        str, Matches(r"[^\s.]+(\.[^\s.]+)*", "the name of a logger such as 'shop.errors'")
    ] = "holdfast"
    """Name of the logger that gets the records."""

    format: Literal["json", "plain", "none"] = "none"
    """What the handler attached to the logger writes. Default: `none`, nothing is attached and the
    records go where the project's own logging sends them."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    """The least severity that is logged."""

    traceback: bool = True
    """Whether a record carries its traceback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Section):
    """Everything a runtime can be told; read once, when it is made."""

    service: Label = "app"
    """Name of this service in every record, at most 200 characters."""

    environment: Label = ""
    """Where it runs, such as `production`, at most 200 characters. Default: not said."""

    release: Label = ""
    """Version of the service, at most 200 characters. Default: not said."""

    reporters: Annotated[tuple[ReporterName, ...], Items(most=50)] = ("logging",)
    """Who is told of events: names or dotted paths, at most 50; empty: nobody."""

    classifiers: Annotated[tuple[DottedPath, ...], Items(most=100)] = ()
    """Functions asked first what an exception means, in this order, at most 100."""

    middleware: Annotated[tuple[DottedPath, ...], Items(most=100)] = ()
    """Steps of the handler's pipeline, outermost first, at most 100."""

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
    """The member `type` of a problem; `{code}` in it becomes the code."""

    html: bool = True
    """Whether a client that prefers HTML gets a page."""

    language: Language = "en"
    """Language of messages when the client asks for none; one of `languages`."""

    languages: Annotated[tuple[Language, ...], Items(least=1, most=50)] = ("en", "fr")
    """Languages messages are given in, 1 to 50."""

    redact: RedactSettings = field(default_factory=RedactSettings)
    reporting: ReportingSettings = field(default_factory=ReportingSettings)
    logging: LoggingSettings = field(default_factory=LoggingSettings)

    policies: Mapping[str, Mapping[str, object]] = field(
        default_factory=dict[str, Mapping[str, object]], hash=False
    )
    """Options of protected calls by policy; names as written, contents read by `resilience`."""

    def objections(self) -> Iterable[tuple[str, str]]:
        """Yield field and message for each broken rule between several fields."""
        if self.language not in self.languages:
            yield "language", f"must be one of the languages: {', '.join(self.languages)}"
