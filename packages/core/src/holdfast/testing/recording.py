"""A runtime that keeps its events."""

import random
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from holdfast import environment
from holdfast.classify import Rule
from holdfast.events import Event
from holdfast.hooks.leaving import Departure
from holdfast.record import ErrorHandled, ErrorRecord
from holdfast.runtime import Runtime
from holdfast.settings import Settings
from holdfast.testing.clock import FakeClock

_STATES: Final = {
    "circuit.opened": "open",
    "circuit.half_opened": "half-open",
    "circuit.closed": "closed",
}


class RecordingReporter:
    """Keeps every event.

    Attributes:
        events: What was reported, oldest first.
    """

    name = "recording"

    def __init__(self) -> None:
        self.events: list[Event] = []

    def report(self, event: Event) -> None:
        """Keep one event."""
        self.events.append(event)

    def names(self, prefix: str = "") -> list[str]:
        """Return the names of the events, oldest first; those alone that begin with a text.

        Args:
            prefix: Such as `circuit.`
        """
        return [event.name for event in self.events if event.name.startswith(prefix)]

    def transitions(self, circuit: str) -> list[str]:
        """Return the states that a circuit entered, oldest first: `open`, `half-open`, `closed`."""
        told = [e for e in self.events if e.attributes.get("circuit") == circuit]
        return [_STATES[event.name] for event in told if event.name in _STATES]

    def assert_transitions(self, circuit: str, *states: str) -> None:
        """Assert that a circuit entered these states and no others, in this order.

        Args:
            circuit: Its name, which is that of its policy.
            states: `open`, `half-open`, `closed`.

        Raises:
            AssertionError: With what it did instead.
        """
        found = self.transitions(circuit)
        if found != [*states]:
            raise AssertionError(f"circuit {circuit!r} entered {found}, not {[*states]}")

    @property
    def records(self) -> list[ErrorRecord]:
        """The records of the errors that were handled, oldest first."""
        return [event.record for event in self.events if isinstance(event, ErrorHandled)]


class RecordingRuntime(Runtime):
    """A runtime that delivers at once and keeps what it delivered; the process never leaves.

    Policies may fail on purpose here, whatever the settings say.

    Args:
        settings: What it is told; by default nothing, and no reporters.
        rules: The project's rules.
        adapter_rules: An adapter's rules.
        clock: By default one of its own.
        seed: Of what is left to chance.

    Attributes:
        recorded: The reporter that keeps every event.
        departures: What the process would have left for.

    Example:
        >>> runtime = RecordingRuntime()
        >>> from holdfast.record import Origin
        >>> _ = runtime.handle(ValueError("no"), Origin(boundary="test"))
        >>> [record.type for record in runtime.recorded.records]
        ['ValueError']
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        rules: Iterable[Rule] = (),
        adapter_rules: Iterable[Rule] = (),
        clock: FakeClock | None = None,
        seed: int = 0,
    ) -> None:
        self.recorded = RecordingReporter()
        self.departures: list[Departure] = []
        chosen = settings or Settings(reporters=())
        inline = replace(chosen, reporting=replace(chosen.reporting, inline=True))
        super().__init__(
            inline,
            rules=rules,
            adapter_rules=adapter_rules,
            clock=clock or FakeClock(),
            chance=random.Random(seed),  # noqa: S311  # the same draws every time
            reporters=[self.recorded],
        )

    @property
    def allows_chaos(self) -> bool:
        """Say that policies may fail on purpose in a test."""
        return True

    @contextmanager
    def current(self) -> Generator[None, None, None]:
        """Be the runtime of everything inside a block, of other threads and event loops too."""
        with environment.as_default(self), environment.activated(self):
            yield

    def is_ours(self) -> bool:
        """Tell that the process may be left, as if this runtime were installed."""
        return True

    def leave(self, leaving: Departure) -> None:
        """Keep what the process would have left for."""
        self.departures.append(leaving)
