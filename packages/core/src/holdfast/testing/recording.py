"""A runtime that keeps its events."""

from collections.abc import Iterable
from dataclasses import replace

from holdfast.classify import Rule
from holdfast.events import Event
from holdfast.hooks.leaving import Departure
from holdfast.record import ErrorHandled, ErrorRecord
from holdfast.runtime import Runtime
from holdfast.settings import Settings
from holdfast.testing.clock import FakeClock


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

    @property
    def records(self) -> list[ErrorRecord]:
        """The records of the errors that were handled, oldest first."""
        return [event.record for event in self.events if isinstance(event, ErrorHandled)]


class RecordingRuntime(Runtime):
    """A runtime that delivers at once and keeps what it delivered; the process never leaves.

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
    ) -> None:
        self.recorded = RecordingReporter()
        self.departures: list[Departure] = []
        chosen = settings or Settings(reporters=())
        inline = replace(chosen, reporting=replace(chosen.reporting, inline=True))
        super().__init__(
            inline,
            rules=rules,
            adapter_rules=adapter_rules,
            clock=FakeClock(),
            reporters=[self.recorded],
        )

    def is_ours(self) -> bool:
        """Tell that the process may be left, as if this runtime were installed."""
        return True

    def leave(self, leaving: Departure) -> None:
        """Keep what the process would have left for."""
        self.departures.append(leaving)
