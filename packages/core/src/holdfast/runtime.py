"""The composition root: settings become a live set of classifier, handler, reporters and health.

Everything that lives belongs to a `Runtime`; a test makes a fresh one and nothing needs resetting.
"""

import atexit
import importlib
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, TypeVar, cast, overload

from holdfast import environment
from holdfast.catalog.entry import tell_late_clashes
from holdfast.classify import Classifier, Explanation, Reading, Rule
from holdfast.clock import Clock, SystemClock
from holdfast.codes import Severity
from holdfast.envelope import Answer, Format, Rendered, negotiate, render
from holdfast.events import Event, Scalar
from holdfast.handler import ErrorHandler, Handler, Middleware, Recovery, Target, Verdict
from holdfast.hooks import process as hooks
from holdfast.hooks.leaving import departure
from holdfast.hooks.leaving.budget import Budget
from holdfast.hooks.leaving.crash import Crash, SharedBudget
from holdfast.hooks.leaving.departure import Departure
from holdfast.loading import Loader
from holdfast.once import once
from holdfast.origin import ErrorContext, Origin
from holdfast.parts import (
    SHIPPED_REPORTERS,
    Monitored,
    Sharer,
    exchanger,
    make_alerts,
    make_health,
    make_monitor,
    make_probes,
    make_redactor,
    notes,
)
from holdfast.record import failure_facts
from holdfast.reporting.channel import turn
from holdfast.reporting.dispatcher import Dispatcher, Reporter
from holdfast.reporting.statistics import ErrorStatistics
from holdfast.settings import Settings
from holdfast.strict import Notation

if TYPE_CHECKING:
    import random

    from holdfast.health.monitor import HealthMonitor
    from holdfast.health.probes import Probes
    from holdfast.resilience.cache.caches import Caches
    from holdfast.resilience.headers import Inbound
    from holdfast.resilience.measures import Measure
    from holdfast.resilience.policies import Policies
    from holdfast.resilience.tuning import Tuning

_Handler = TypeVar("_Handler", bound=Handler)
_Step = TypeVar("_Step", bound=Middleware)

_NO_TYPE = "about:blank"
"""What `PROBLEM_TYPE` is unless a project says otherwise."""


def _not_served() -> str:
    return ""


class Runtime:
    """The live, configured set of one application: thread-safe, one per application.

    Args:
        settings: What it is told; defaults hold for whatever is left out.
        rules: The project's rules, asked after those in the settings.
        adapter_rules: An adapter's rules, asked after the project's.
        clock: Source of time for everything that measures, stamps or waits.
        chance: Draws what is left to chance, such as jitter.
        reporters: Told beside those the settings name.
        notation: How the settings were written, for messages about them.

    Raises:
        SettingsError: When the settings name what cannot be loaded, or two places declare one code.

    Example:
        >>> runtime = Runtime(Settings(reporters=()))
        >>> verdict = runtime.handle(KeyError("sku"), Origin(boundary="job", operation="import"))
        >>> verdict.answer.status, verdict.record.classification.trusted
        (500, False)
    """

    _left_at: float | None = None
    """When the process was on its way out, in monotonic seconds."""
    _is_late = False
    """Whether a reporter held up an error while the process was leaving: nothing is waited for again."""

    def __init__(  # noqa: PLR0913  # all but the first are keywords
        self,
        settings: Settings | None = None,
        *,
        rules: Iterable[Rule] = (),
        adapter_rules: Iterable[Rule] = (),
        clock: Clock | None = None,
        chance: "random.Random | None" = None,
        reporters: Iterable[Reporter] = (),
        notation: Notation | None = None,
    ) -> None:
        self.settings = settings or Settings()
        self.clock = clock or SystemClock()
        self._chance = chance
        self.redactor = make_redactor(self.settings)
        self.health = make_health(self)
        self.statistics = ErrorStatistics(self.clock)  # before the reporters, which may read it
        self.notation = notation or Notation()
        loader = Loader(self.notation, self.redactor)
        self.alerts = make_alerts(self, loader, self.notation)
        self.sharing = exchanger(cast("Sharer", self), loader)
        self._sees_health = loader.load_plain(
            self.notation.path("health", "allow"), self.settings.health.allow
        )
        functions = loader.load_classifiers(self.settings.classifiers)
        middleware = loader.load_all("middleware", self.settings.middleware)
        handlers = loader.load_named("handlers", self.settings.handlers)
        recoveries = loader.load_named(
            "recoveries", {name: told.action for name, told in self.settings.recoveries.items()}
        )
        self.texts = loader.texts(self.settings.locale)
        made = loader.make_all("reporters", self.settings.reporters, SHIPPED_REPORTERS, self)
        told = loader.load_rules(self.settings.rules)
        loader.finish()
        tell_late_clashes()
        self.dispatcher = Dispatcher(
            [*cast("list[Reporter]", made), *reporters, *notes()],
            listeners=[
                self.statistics,
                *([self.alerts] if self.alerts is not None and self.alerts.rules else []),
            ],
            queue_size=self.settings.reporting.queue_size,
            inline=self.settings.reporting.inline,
        )
        self.handler = ErrorHandler(
            classifier=Classifier(
                (*told, *rules), functions, self._classifier_failed, adapter_rules=adapter_rules
            ),
            redactor=self.redactor,
            emit=self.dispatcher.emit,
            clock=self.clock,
            middleware=cast("Iterable[Middleware]", middleware),
            expose_learned=self.settings.expose_details,
        )
        self.handler.leaving = self._crash()
        self._register(handlers, recoveries)
        self._format = (
            Format.PROBLEM if self.settings.response_format == "problem" else Format.ENVELOPE
        )
        environment.enlist(self)

    @once
    def chance(self) -> "random.Random":
        """Draws what is left to chance, such as jitter."""
        return self._chance or importlib.import_module("random").Random()

    @once
    def policies(self) -> "Policies":
        """The live state of policies; made with the first."""
        made = importlib.import_module("holdfast.resilience.policies").Policies
        return cast("Policies", made(self))

    @once
    def caches(self) -> "Caches":
        """The live state of caches; made with the first."""
        made = importlib.import_module("holdfast.resilience.cache.caches").Caches
        return cast("Caches", made(self))

    @once
    def probes(self) -> "Probes":
        """What answers the health endpoints; made with the first probe."""
        return make_probes(self, self._sees_health)

    @once
    def monitor(self) -> "HealthMonitor":
        """What looks after services; made when it is first asked for, or begins with the runtime."""
        return make_monitor(cast("Monitored", self))

    @once
    def inbound(self) -> "Inbound | None":
        """What begins the deadlines of requests; None when the settings give them none."""
        told = self.settings.deadline
        if not told.is_set:
            return None
        made = importlib.import_module("holdfast.resilience.headers").Inbound
        limits = {"default": told.default, "longest": told.longest}
        return cast("Inbound", made(self.clock, trusted=told.trust_headers, **limits))

    def policy_measures(self) -> "Iterable[Measure]":
        """Return numbers of the policies at work, for metrics; loads nothing while there is none."""
        if "policies" not in vars(self):
            return ()
        measures = importlib.import_module("holdfast.resilience.measures").measures
        return cast("Iterable[Measure]", measures(self.policies.snapshot()))

    @property
    def policy_settings(self) -> Mapping[str, "Tuning"]:
        """Options by policy, as the settings hold them."""
        return self.settings.policies

    @property
    def allows_chaos(self) -> bool:
        """Whether calls may be made to fail on purpose here: `CHAOS` says where."""
        return self.settings.allows_chaos()

    @property
    def is_heard(self) -> bool:
        """Whether anybody cares for events that tell neither of an error nor of a duration."""
        return self.dispatcher.is_heard

    def handle(self, error: BaseException, origin: Origin) -> Verdict:
        """Decide about an exception that reached a boundary; never raises.

        While the process is leaving, it returns when the record is delivered: there may be no later.
        """
        verdict = self.handler.handle(error, origin)
        self._deliver_late()
        return verdict

    def explain(self, error: BaseException, context: ErrorContext | None = None) -> Explanation:
        """Return what an exception means here, and which function or rule settled which field.

        Nothing is recorded; functions and rules are asked once more. No message is quoted.

        Args:
            error: The exception, alone, a group, or with others behind it.
            context: Its circumstances; by default the piece of work at hand.

        Example:
            >>> told = Runtime(Settings(reporters=())).explain(TimeoutError("secret"))
            >>> told.decided()["code"]
            'built-in rule, TimeoutError'
        """
        return self.handler.classifier.explain(error, context)

    def read(self, error: BaseException) -> Reading:
        """Return what an error means, without recording anything; never raises."""
        return self.handler.classifier.read(error)

    async def ahandle(self, error: BaseException, origin: Origin) -> Verdict:
        """Decide as `handle` does, with coroutines of user code awaited on the running event loop.

        Args:
            error: The exception.
            origin: Where it became somebody's answer.
        """
        verdict = await self.handler.ahandle(error, origin)
        self._deliver_late()
        return verdict

    def add_middleware(self, step: _Step) -> _Step:
        """Add a step to the handler's pipeline, inside of those that are there; returns it.

        Example:
            >>> runtime = Runtime(Settings(reporters=()))
            >>> @runtime.add_middleware
            ... def of_tenant(error, context, following):
            ...     return following(error, context.enriched(tenant="acme"))
            >>> verdict = runtime.handle(KeyError("sku"), Origin(boundary="job"))
            >>> verdict.record.origin.attributes["tenant"]
            'acme'
        """
        self.handler.add_middleware(step)
        return step

    @overload
    def on(self, target: Target, handler: Handler) -> None: ...
    @overload
    def on(self, target: Target) -> Callable[[_Handler], _Handler]: ...
    def on(
        self, target: Target, handler: Handler | None = None
    ) -> Callable[[_Handler], _Handler] | None:
        """Register a handler for errors, or decorate one; at any time, from any thread.

        Asked first: handlers of the exact code, then of the classes, most specific first, then of the
        category; several of one target in order of registration.

        Args:
            target: A class of exceptions or its dotted name, a code, or a category.
            handler: Called with the error, its `ErrorContext` and its `Classification`.

        Example:
            >>> runtime = Runtime(Settings(reporters=()))
            >>> @runtime.on(KeyError)
            ... def from_stock(error, context, classification):
            ...     return {"stale": True}
            >>> runtime.handle(KeyError("sku"), Origin(boundary="job")).value
            {'stale': True}
        """
        if handler is not None:
            self.handler.on(target, handler)
            return None

        def register(function: _Handler) -> _Handler:
            self.handler.on(target, function)
            return function

        return register

    def recover(
        self,
        target: Target,
        action: Handler,
        *,
        timeout: float = 2.0,
        failures: int = 3,
        pause: float = 30.0,
    ) -> None:
        """Try an action for errors that no handler answers, where somebody can go on with a value.

        What it returns means what a handler's answer does; None: it did what it could.

        Args:
            target: As for `on`.
            action: Called as a handler is.
            timeout: Seconds it may take; one that is no coroutine is left behind on its thread.
            failures: In a row, time-outs included, after which it pauses; nor is it tried while
                as many hang, or 20 calls are under way on threads.
            pause: Seconds it is not tried for; after them it is tried once.

        Raises:
            ValueError: When a limit makes no sense.
        """
        recovery = Recovery(action=action, timeout=timeout, failures=failures, pause=pause)
        self.handler.recover(target, recovery)

    def emit(self, event: Event) -> None:
        """Tell the reporters of something other than an error; its attributes are redacted already."""
        self.dispatcher.emit(event)

    def render(
        self,
        answer: Answer,
        *,
        accept: str = "",
        language: str = "",
        catalog: Callable[[], str] = _not_served,
    ) -> Rendered:
        """Write an answer for one caller.

        Args:
            answer: What may be said.
            accept: The request's `Accept`.
            language: Language of the answer; empty: that of the settings.
            catalog: Gives the path of the pages of codes, with a slash at its end; empty: they are not
                served. Asked only for problems, and not when `PROBLEM_TYPE` is set.
        """
        chosen = negotiate(accept, self._format, html=self.settings.html)
        spoken = language or self.settings.language
        type_uri = self.settings.problem_type
        if chosen is Format.PROBLEM and type_uri == _NO_TYPE and (path := catalog()):
            type_uri = f"{path}{{code}}"
        return render(answer, chosen, spoken, type_uri, self.texts)

    def install(self) -> "Runtime":
        """Make this the process's default runtime until `uninstall`, and flush it at the end.

        Puts the hooks in place that `HOOKS` asks for. Health checks that were registered before,
        when nothing was installed, are kept.

        Raises:
            RuntimeError: When another runtime is installed already.
        """
        installed = environment.default()
        if installed is not None and installed is not self:
            raise RuntimeError(
                "another holdfast runtime is installed in this process; call its uninstall() first"
            )
        environment.set_default(self)
        self.attach()
        atexit.register(self.close)
        return self

    def attach(self) -> None:
        """Put the hooks in place that `HOOKS` asks for, without being the process's default.

        For adapters whose runtime is found through the application; `uninstall` undoes it too.
        """
        sigterm = ("sigterm",) if self.settings.crash.sigterm else ()
        hooks.attach(self, (*self.settings.hooks.chosen(), *sigterm))
        if self.alerts is not None and self.settings.alerts.shared:
            self.alerts.watch()
        if self.settings.health.monitor.enabled:
            self.monitor.start_later()

    def uninstall(self) -> None:
        """Undo `install`; harmless when not installed."""
        if environment.default() is self:
            environment.set_default(None)
        hooks.detach(self)
        atexit.unregister(self.close)

    def give_way(self, successor: environment.Environment) -> None:
        """Hand the health checks over to another runtime and close, as a stand-in does."""
        if isinstance(successor, Runtime):
            successor.health.take_over(self.health)
        atexit.unregister(self.close)
        self.close()

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until every event so far is delivered; False when it was not.

        Args:
            timeout: Seconds; None for `REPORTING.FLUSH_TIMEOUT`.
        """
        allowed = self.settings.reporting.flush_timeout if timeout is None else timeout
        in_time = self.dispatcher.flush(allowed)
        return in_time if self.alerts is None else self.alerts.flush(allowed) and in_time

    def close(self) -> None:
        """Deliver what waits and let reporters finish, at most `REPORTING.FLUSH_TIMEOUT` seconds."""
        if self._left_at is not None:
            waited = round(self.clock.monotonic() - self._left_at, 3)
            self._left_at = None
            self._say("process.leaving", departure.departure(), {"waited": waited})
        environment.dismiss(self)
        if "monitor" in vars(self):
            self.monitor.stop(self.settings.reporting.flush_timeout)
        self.health.close()
        if self.sharing is not None:
            self.sharing.close(self.settings.reporting.flush_timeout)
        self.dispatcher.close(self.settings.reporting.flush_timeout)
        if self.alerts is not None:
            self.alerts.close(self.settings.reporting.flush_timeout)

    def draining(self, reason: str, leaving: Departure | None) -> None:
        """Take note that the process is on its way out: it is not ready any more.

        Called in signal handlers, too: it takes no lock.

        Args:
            reason: Why, for whoever asks whether it is ready.
            leaving: None when somebody else ends the process.
        """
        self._left_at = self.clock.monotonic()
        self.health.mark_unready(reason)
        self._say("process.draining", leaving, {"reason": reason})

    def is_ours(self) -> bool:
        """Tell whether the process is this runtime's to end: it is installed, or an adapter's."""
        return self in hooks.attached()

    def leave(self, leaving: Departure) -> None:
        """Have the process leave, once; returns soon."""
        departure.begin(leaving)

    def _register(self, handlers: Mapping[str, object], recoveries: Mapping[str, object]) -> None:
        for name, handler in handlers.items():
            self.on(name, cast("Handler", handler))
        for name, action in recoveries.items():
            told = self.settings.recoveries[name]
            limits = {"timeout": told.timeout, "pause": told.pause}
            self.recover(name, cast("Handler", action), failures=told.failures, **limits)

    def _deliver_late(self) -> None:
        if self._left_at is not None and not self._is_late and not turn.busy:
            self._is_late = not self.flush()

    def _crash(self) -> Crash:
        told = self.settings.crash
        shared = SharedBudget(Budget(told.restarts, told.window), self.settings.service, told.state)
        return Crash(told.policy(), shared, self.clock, self.dispatcher.emit, self)

    def _say(self, name: str, leaving: Departure | None, told: Mapping[str, Scalar]) -> None:
        severity = Severity.INFO if leaving is None else Severity.WARNING
        attributes = {**told, **({} if leaving is None else leaving.attributes())}
        now = self.clock.now()
        self.emit(Event(name=name, severity=severity, time=now, attributes=attributes))

    def _classifier_failed(self, failure: Exception) -> None:
        self.emit(
            Event(
                name="classifier.failed",
                severity=Severity.ERROR,
                time=self.clock.now(),
                attributes=failure_facts(failure, self.redactor),
            )
        )


def current_runtime() -> Runtime:
    """Return the current application's runtime, else the process's default."""
    return cast("Runtime", environment.current())


def stand_in() -> Runtime:
    """Make a runtime from the defaults, for whoever needs one before any is installed."""
    made = Runtime()
    atexit.register(made.close)
    return made
