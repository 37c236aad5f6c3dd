"""The sections of the settings: what belongs together under one key."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final, Literal

from holdfast.hooks.leaving.policy import ENDING, CrashAction, CrashPolicy
from holdfast.strict import Expression, Items, Matches, Range, Section

_STOPS_SERVERS: Final = (3, 4)
"""Exit codes by which workers say that they cannot even start."""


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

    flush_timeout: Annotated[float, Range(0, 300)] = 1.5
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
class HooksSettings(Section):
    """Where errors are looked for that no boundary sees."""

    uncaught: bool = True
    """Whether uncaught errors of the main thread, of other threads, and those that Python cannot
    raise are handled."""

    logging: bool = True
    """Whether an exception that is only logged, at level ERROR or above, is handled."""

    processes: bool = True
    """Whether errors that end a child of `multiprocessing` are handled."""

    asyncio: bool = True
    """Whether errors that end in an event loop's exception handler are handled: of the loop that
    runs when the runtime is installed, of those that serve ASGI requests, and of those given to
    `watch_loop`."""

    faults: Annotated[
        str, Matches(r"[^\x00-\x1f\x7f]{0,1000}", "the path of a folder, at most 1000 characters")
    ] = ""
    """Folder for what Python writes when a fatal signal ends it (segmentation fault, abort); read
    at the next start. Default: none is kept."""

    def chosen(self) -> tuple[str, ...]:
        """Return the names of the hooks that are asked for."""
        names = ("uncaught", "logging", "processes", "asyncio", "faults")
        return tuple(name for name in names if getattr(self, name))


@dataclass(frozen=True, slots=True, kw_only=True)
class CrashSettings(Section):
    """When a process leaves by itself after an error, and what SIGTERM means to it."""

    action: CrashAction = "continue"
    """What becomes of the process after an untrusted error. Default: it goes on. `drain`: it is not
    ready any more, finishes what is in flight and leaves, for its server to replace it. `exit`: it
    leaves as soon as the error is answered; what else is in flight is cut."""

    on: Literal["untrusted", "critical"] = "untrusted"
    """Which errors: all that are untrusted, or only the critical ones among them, such as
    `MemoryError` and `RecursionError`."""

    boundaries: Mapping[str, CrashAction] = field(
        default_factory=dict[str, CrashAction], hash=False
    )
    """Action by boundary, such as `{"celery.task": "exit"}`, in the place of `action`."""

    exit_code: Annotated[int, Range(1, 255)] = 70
    """Exit status of a process that leaves by itself, 1 to 255 but for 3 and 4, at which servers stop."""

    grace: Annotated[float, Range(0, 3600)] = 30.0
    """Seconds that `drain` waits for what is in flight, 0 to 3600."""

    restarts: Annotated[int, Range(1, 1000)] = 3
    """Times that the processes of this service on one host may leave within `window`, 1 to 1000."""

    window: Annotated[float, Range(1, 86_400)] = 600.0
    """Seconds that `restarts` counts, 1 to 86,400."""

    state: Annotated[
        str, Matches(r"[^\x00-\x1f\x7f]{0,1000}", "the path of a folder, at most 1000 characters")
    ] = ""
    """Folder in which the processes keep count. Default: one of this user's own in the folder for
    temporary files."""

    sigterm: bool = True
    """Whether SIGTERM makes the process unready and delivers what was reported; the process ends as
    it would have."""

    def objections(self) -> Iterable[tuple[str, str]]:
        """Yield field and message for each broken rule between several fields."""
        if self.exit_code in _STOPS_SERVERS:
            yield "exit_code", "must not be 3 or 4: gunicorn and uvicorn would stop all workers"
        for name in sorted(ENDING.intersection(self.boundaries)):
            yield "boundaries", f"must not name {name!r}: there a process ends by itself"

    def policy(self) -> CrashPolicy:
        """Return what is decided after each error."""
        return CrashPolicy(
            action=self.action,
            on=self.on,
            boundaries=self.boundaries,
            exit_code=self.exit_code,
            grace=self.grace,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlineSettings(Section):
    """How long a request may take, with all the calls that are made for it."""

    trust_headers: bool = False
    """Whether callers may say it, by `X-Request-Timeout-Ms`, `grpc-timeout` or
    `x-envoy-expected-rq-timeout-ms`. Default: they may not, because who asks for too little makes
    dependencies look slow; set it behind a gateway of one's own."""

    default: Annotated[float, Range(0.001, 86_400)] | None = None
    """Seconds of a request whose caller does not say, 0.001 to 86,400. Default: no deadline."""

    longest: Annotated[float, Range(0.001, 86_400)] = 60.0
    """Seconds that no caller gets more than, 0.001 to 86,400."""

    @property
    def is_set(self) -> bool:
        """Whether any request has a deadline."""
        return self.trust_headers or self.default is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsSettings(Section):
    """Where jobs keep what later runs, and health, have to know."""

    state: Annotated[
        str, Matches(r"[^\x00-\x1f\x7f]{0,1000}", "the path of a folder, at most 1000 characters")
    ] = ""
    """Folder for the locks and the last runs of jobs; whoever asks whether a job is late reads the
    same. The environment variable `HOLDFAST_STATE` goes before it. Default: one of this user's own."""
