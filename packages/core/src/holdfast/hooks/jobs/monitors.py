"""Who is told of runs beside the reporters: services that notice when a job does not report.

They are told on threads of their own, in order; one that fails or hangs neither fails the job nor
holds it up for longer than its `patience`.
"""

import threading
from collections.abc import Callable, Iterable
from queue import SimpleQueue
from typing import Protocol

from holdfast.clock import Clock
from holdfast.hooks.jobs.outcome import JobReport


class Monitor(Protocol):
    """A service that is told when a run starts and how it ends."""

    @property
    def name(self) -> str:
        """What events call it."""
        ...

    @property
    def patience(self) -> float:
        """Seconds that the end of a run waits for what it was told to be delivered."""
        ...

    def started(self, report: JobReport) -> None:
        """Tell it of a run that starts; may block, may raise."""
        ...

    def finished(self, report: JobReport) -> None:
        """Tell it how a run ended, or that there was none; may block, may raise."""
        ...


Failed = Callable[[Monitor, Exception | None], None]
"""Takes note of a monitor that could not be told: it raised, or (None) did not return in time."""


class Watch:
    """Tells the monitors of one run.

    Args:
        monitors: Who is told.
        failed: Takes note of each that could not be.
        clock: What patience is measured with.
    """

    def __init__(self, monitors: Iterable[Monitor], failed: Failed, clock: Clock) -> None:
        self._failed = failed
        self._clock = clock
        self._lines = [_Line(monitor, failed) for monitor in monitors]

    def started(self, report: JobReport) -> None:
        """Tell them of the start, and do not wait."""
        for line in self._lines:
            line.put(line.monitor.started, report)

    def finished(self, report: JobReport) -> None:
        """Tell them of the end, and wait for each as long as it may take."""
        for line in self._lines:
            line.put(line.monitor.finished, report)
            line.close()
        begun = self._clock.monotonic()
        for line in self._lines:
            left = line.monitor.patience - (self._clock.monotonic() - begun)
            if not line.done.wait(max(0.0, left)):
                self._failed(line.monitor, None)


class _Line:
    """One monitor's thread; started with what it is told first."""

    def __init__(self, monitor: Monitor, failed: Failed) -> None:
        self.monitor = monitor
        self.done = threading.Event()
        self._failed = failed
        self._queue: SimpleQueue[tuple[Callable[[JobReport], None], JobReport] | None]
        self._queue = SimpleQueue()
        self._thread: threading.Thread | None = None

    def put(self, tell: Callable[[JobReport], None], report: JobReport) -> None:
        self._queue.put((tell, report))
        if self._thread is not None:
            return
        name = f"holdfast-monitor-{self.monitor.name}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        try:
            self._thread.start()
        except (RuntimeError, MemoryError) as error:  # the process has as many as it may
            self._failed(self.monitor, error)
            self.done.set()

    def close(self) -> None:
        self._queue.put(None)

    def _run(self) -> None:
        while (told := self._queue.get()) is not None:
            tell, report = told
            try:
                tell(report)
            except Exception as error:  # noqa: BLE001  # a monitor's failure is not the job's
                self._failed(self.monitor, error)
        self.done.set()
