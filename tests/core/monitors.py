"""What tests of the monitor share: a service one breaks and mends, and a monitor whose words are kept."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast import Event
from holdfast.health import HealthRegistry
from holdfast.health.monitor import HealthMonitor, Seat, Ties, Watch
from holdfast.reporting.alerts.news import News
from holdfast.testing import FakeClock

if TYPE_CHECKING:
    import threading


class Subject:
    """A service as its check sees it."""

    def __init__(self) -> None:
        self.broken = False
        self.looks = 0
        self.hang: threading.Event | None = None

    def __call__(self) -> dict[str, object]:
        """Look at it."""
        self.looks += 1
        if self.hang is not None:
            self.hang.wait(30)
        if self.broken:
            raise ConnectionError("password=hunter2 refused")
        return {"connections": 5}

    def mend(self) -> None:
        """Make it work again."""
        self.broken = False


@dataclass
class Kept:
    """What a monitor has told."""

    events: list[Event] = field(default_factory=list[Event])
    news: list[News] = field(default_factory=list[News])
    waiting: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])
    """What is called when the news have arrived."""
    arrives: bool = True
    """Whether they do at once."""

    def announce(self, news: News, settled: Callable[[], None]) -> None:
        """Keep news."""
        self.news.append(news)
        self.waiting.append(settled)
        if self.arrives:
            settled()

    def names(self) -> list[str]:
        """Return the names of the events."""
        return [event.name for event in self.events]

    def stages(self) -> list[tuple[str, str]]:
        """Return of what was announced what it is about, and how it stood."""
        return [(news.key, news.stage.value) for news in self.news]


class Watched:
    """A monitor on a clock that one sets, and what it has told."""

    def __init__(
        self,
        *,
        clock: FakeClock | None = None,
        folder: Path | None = None,
        kept: Kept | None = None,
        watch: Watch | None = None,
        follows: bool = False,
    ) -> None:
        self.clock = clock or FakeClock()
        self.kept = kept or Kept()
        self.registry = HealthRegistry(self.clock)
        seat = None if folder is None else Seat(str(folder), "shop")
        self.monitor = HealthMonitor(
            self.registry,
            watch=watch,
            follows=follows,
            history=5,
            ties=Ties(emit=self.kept.events.append, announce=self.kept.announce, seat=seat),
            chance=random.Random(8),  # noqa: S311  # the same draws every time
        )

    def let_pass(self, seconds: float) -> None:
        """Let time pass, and the monitor look whenever it would."""
        until = self.clock.monotonic() + seconds
        while (left := until - self.clock.monotonic()) > 0:
            self.clock.advance(min(self.monitor.tick(), left))
        self.monitor.tick()

    def state(self, name: str = "database") -> str:
        """Return the state of a service."""
        return self.monitor.get_report().services[name].state.value
