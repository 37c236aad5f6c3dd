"""Errors as Sentry events, once each. Extra: `pip install "holdfast[sentry]"`.

The project initialises Sentry itself, before or after us; release, environment, sampling and
`before_send` stay its own. While a reporter is open, Sentry's integrations still trace, but an
error that our handler has seen, or is about to see, is told by us alone. The reporters that are
open are global, because Sentry's event processors are.
"""

import weakref
from collections.abc import Callable, Iterator, Mapping
from contextvars import Context
from functools import lru_cache, wraps
from typing import Protocol, TypeAlias, cast

from holdfast import environment
from holdfast.codes import Fault, Severity
from holdfast.context import current_context, current_trace_id
from holdfast.events import Event
from holdfast.forks import ForkSafeLock
from holdfast.handler import ErrorHandler
from holdfast.handler.recording import event_of
from holdfast.integrations.sentry_alerts import HINT as ALERT_HINT
from holdfast.integrations.sentry_event import (
    Json,
    SentryInactiveError,
    Source,
    cleanse,
    error_event,
    no_source,
    part,
    plain_event,
    source_line,
    tags,
)
from holdfast.integrations.sentry_once import (
    Told,
    error_of,
    is_explicit,
    is_from_framework,
    is_one_of,
)
from holdfast.record import ErrorHandled, ErrorRecord, fingerprint, frames_of
from holdfast.reporting import host

try:
    import sentry_sdk
    from sentry_sdk.client import BaseClient
    from sentry_sdk.integrations.dedupe import DedupeIntegration
    from sentry_sdk.integrations.logging import ignore_logger
    from sentry_sdk.scope import add_global_event_processor
    from sentry_sdk.types import Event as SentryEvent
    from sentry_sdk.types import Hint
except ImportError as error:
    raise ImportError(
        'the reporter "sentry" needs sentry-sdk: pip install "holdfast[sentry]"'
    ) from error

EventProcessor: TypeAlias = Callable[[SentryEvent, Hint], SentryEvent | None]

HINT = "holdfast_record"
"""Key of the error's record in the hint of our events, for the project's `before_send`."""
_ADOPTED = "holdfast_adopted"


class Host(host.Host, Protocol):
    """What the reporter needs of the runtime that owns it."""

    @property
    def handler(self) -> ErrorHandler:
        """Knows which exceptions it has seen; there once the runtime is made."""
        ...


def reporter(runtime: Host) -> "SentryReporter":
    """Make the reporter that settings call `sentry`."""
    return SentryReporter(runtime)


class SentryReporter:
    """Sends errors to Sentry: never a caller's, and each once, whoever else saw it.

    Args:
        host: The runtime.
        least: The least severity that becomes an event.
        flush_timeout: Seconds that `close` waits for Sentry's transport.
    """

    name = "sentry"

    def __init__(
        self, host: Host, *, least: Severity = Severity.ERROR, flush_timeout: float = 1.0
    ) -> None:
        self._host = host
        self._least = least
        self._flush_timeout = flush_timeout
        self._told = Told()
        self._lock = ForkSafeLock()
        self._counts = {"escaped": 0, "lost": 0, "repeated": 0}
        self._watched: weakref.ref[object] | None = None
        self._clean_line = lru_cache(maxsize=4096)(self._read_line)
        ignore_logger(host.settings.logging.logger)
        _gate.open_for(self)

    def report(self, event: Event) -> None:
        """Send one event.

        Raises:
            SentryInactiveError: When the project has not initialised Sentry.
        """
        if event.severity < self._least:
            return
        client = sentry_sdk.get_client()
        if not client.is_active():
            raise SentryInactiveError("sentry_sdk.init() was not called in this process")
        self._watch(client)
        service = self._host.settings.service
        if not isinstance(event, ErrorHandled):
            self._send(client, plain_event(event, service), event)
        elif self._wanted(client, event.record):
            collected = part(client.options, "data_collection")
            user = bool(collected.get("user_info", client.should_send_default_pii()))
            made = error_event(event, service, self._source(client), user=user)
            self._send(client, made, event.record)

    def counts(self) -> Mapping[str, int]:
        """Return totals by outcome.

        `escaped`: errors that reached Sentry without our handler, or beside it. `lost`: what Sentry's transport
        gave up. `repeated`: errors that we did not send, because Sentry had them already.
        """
        with self._lock:
            return dict(self._counts)

    def close(self) -> None:
        """Flush Sentry's transport, and leave Sentry as it is without us."""
        _gate.close_for(self)
        sentry_sdk.flush(self._flush_timeout)

    def record_of(self, error: BaseException) -> ErrorRecord | None:
        """Return what our handler recorded of an exception, or of one behind it; None: nothing."""
        handler: ErrorHandler | None = getattr(self._host, "handler", None)
        return None if handler is None else handler.record_of(error)

    def tells(self, record: ErrorRecord) -> bool:
        """Tell whether a handled error is grave enough for an event of ours, and no caller's fault."""
        said = record.classification
        grave = event_of(record).severity >= self._least
        return grave and said.fault is not Fault.CALLER

    def serves(self, runtime: object) -> bool:
        """Tell whether the reporter belongs to a runtime."""
        return self._host is runtime

    def adopt(self, event: Json, error: BaseException | None) -> None:
        """Take note of an event that Sentry got from somebody else, and give it our tags."""
        if error is None and event.get("level") not in {"error", "fatal"}:
            return
        self.count("escaped")
        if error is None:
            return
        self._told.remember(current_trace_id(), error)
        said = self._host.handler.classifier.classify(error)
        ours = {**tags(said.code, str(said.kind), str(said.fault)), "trace_id": current_trace_id()}
        event["tags"] = {**ours, **cast("Json", event.get("tags") or {})}
        event.setdefault(
            "fingerprint", [fingerprint(said.code, error, frames_of(error.__traceback__))]
        )

    def cleansed(self, event: Json) -> Json:
        """Return an event of somebody else's without secrets."""
        return cleanse(event, self._host.redactor)

    def count(self, outcome: str) -> None:
        """Add one to an outcome."""
        with self._lock:
            self._counts[outcome] += 1

    def _wanted(self, client: BaseClient, record: ErrorRecord) -> bool:
        if record.classification.fault is Fault.CALLER or _ignored(client, record):
            return False
        if self._told.knows(record):
            self.count("repeated")
            return False
        return True

    def _send(self, client: BaseClient, event: Json, told: object) -> None:
        # In an empty context: this thread's scopes are copies of those of whichever request started
        # the thread, with that request's query string, headers and breadcrumbs.
        scope = sentry_sdk.get_global_scope().fork()
        made = cast("SentryEvent", event)
        # Cleansed once more in the end, for what the project has put on the global scope.
        _cleanse_last(client)
        Context().run(client.capture_event, made, {HINT: told, _ADOPTED: self}, scope)

    def _source(self, client: BaseClient) -> Source:
        collected = part(client.options, "data_collection")
        plain = client.options.get("include_source_context", True)
        return self._clean_line if collected.get("frame_context_lines", plain) else no_source

    def _read_line(self, filename: str, line: int) -> str:
        text = source_line(filename, line)
        return self._host.redactor.text(text) if text.strip() else text

    def _watch(self, client: BaseClient) -> None:
        """Count what the client's transport gives up: the network is away, its queue is full."""
        transport: object = getattr(client, "transport", None)
        before = getattr(transport, "record_lost_event", None)
        if before is None or (self._watched is not None and self._watched() is transport):
            return
        this = weakref.ref(self)

        @wraps(before)
        def record_lost_event(*args: object, **options: object) -> object:
            reporter = this()
            # Only what was on its way has an item; what options of the project drop has none.
            lost = getattr(options.get("item"), "data_category", "") == "error"
            if reporter is not None and lost:
                reporter.count("lost")
            return before(*args, **options)

        setattr(transport, "record_lost_event", record_lost_event)  # noqa: B010  # one instance's
        self._watched = weakref.ref(transport)


def _ignored(client: BaseClient, record: ErrorRecord) -> bool:
    """Tell whether the project's `ignore_errors` holds for an error, as Sentry itself would have it."""
    options = cast("list[type | str]", client.options.get("ignore_errors") or ())
    return bool(options) and is_one_of(record.type, options)


class _Gate:
    """Stands before every event of this process; open reporters decide what comes through."""

    def __init__(self) -> None:
        self._open: tuple[weakref.ref[SentryReporter], ...] = ()
        self._lock = ForkSafeLock()
        self._installed = False

    def open_for(self, reporter: SentryReporter) -> None:
        with self._lock:
            self._open = (*self._alive(), weakref.ref(reporter))
            if not self._installed:
                add_global_event_processor(self.pass_on)
                self._installed = True

    def close_for(self, reporter: SentryReporter) -> None:
        with self._lock:
            self._open = tuple(ref for ref in self._alive() if ref() is not reporter)

    def pass_on(self, event: SentryEvent, hint: Hint) -> SentryEvent | None:
        """Return the event to let it through, None to drop it. Sentry calls this, on any thread."""
        reporters = tuple(self._reporters())
        if not reporters or event.get("type") or HINT in hint or ALERT_HINT in hint:
            return event
        error = error_of(hint)
        if error is not None and _is_settled(cast("Json", event), error, reporters):
            _let_come_again()
            return None
        here = _of_current_runtime(reporters)
        if here is None:
            return event
        if is_from_framework(cast("Json", event)) and _is_covered():
            return None
        here.adopt(cast("Json", event), error)
        hint[_ADOPTED] = here
        _cleanse_last(sentry_sdk.get_client())
        return event

    def _alive(self) -> Iterator[weakref.ref[SentryReporter]]:
        return (ref for ref in self._open if ref() is not None)

    def _reporters(self) -> Iterator[SentryReporter]:
        for ref in self._open:
            reporter = ref()
            if reporter is not None:
                yield reporter


_gate = _Gate()


def _let_come_again() -> None:
    """Have Sentry's own memory of the last error, which counts what we drop, hold up no later capture."""
    forget = getattr(DedupeIntegration, "reset_last_seen", None)  # older releases have none
    if forget is not None:
        forget()


def _is_settled(event: Json, error: BaseException, reporters: tuple[SentryReporter, ...]) -> bool:
    """Tell whether our handler's word on an exception holds: all but the project's own capture of what we keep quiet."""
    found = ((reporter, reporter.record_of(error)) for reporter in reporters)
    seen = [(reporter, record) for reporter, record in found if record is not None]
    told = any(reporter.tells(record) for reporter, record in seen)
    return bool(seen) and (told or not is_explicit(event))


def _of_current_runtime(reporters: tuple[SentryReporter, ...]) -> SentryReporter | None:
    """Return the current runtime's reporter; without a runtime the only one there is."""
    runtime = environment.found()
    if runtime is None:
        return reporters[0] if len(reporters) == 1 else None
    return next((reporter for reporter in reporters if reporter.serves(runtime)), None)


def _is_covered() -> bool:
    """Tell whether an adapter's boundary is around the current work: it will report by itself."""
    work = current_context()
    return work is not None and work.boundary.endswith(".request")


class _CleanseLast:
    """The project's own `before_send`, and after it the redaction of what we adopted.

    Here rather than in an event processor, because integrations add the request after ours.
    """

    def __init__(self, previous: EventProcessor | None) -> None:
        self._previous = previous

    def __call__(self, event: SentryEvent, hint: Hint) -> SentryEvent | None:
        made: SentryEvent | None = (
            self._previous(event, hint) if callable(self._previous) else event
        )
        adopter = hint.get(_ADOPTED)
        if made is None or not isinstance(adopter, SentryReporter):
            return made
        return cast("SentryEvent", adopter.cleansed(cast("Json", made)))


def _cleanse_last(client: BaseClient) -> None:
    before = client.options.get("before_send")
    if not isinstance(before, _CleanseLast):
        client.options["before_send"] = _CleanseLast(cast("EventProcessor | None", before))
