"""Whether those who tell of errors keep up, and get through."""

from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, cast

from holdfast.environment import current
from holdfast.forks import ForkSafeLock
from holdfast.health.check import Finding, degraded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from holdfast.clock import Clock
    from holdfast.reporting.alerts.engine import Alerts
    from holdfast.reporting.channel import Delivery
    from holdfast.reporting.dispatcher import Dispatcher

_LOSSES: Final = frozenset({"dropped", "failed", "lost"})
"""Outcomes of what nobody was told of, by us or by a reporter's own count."""


class _Queues(Protocol):
    @property
    def queue_size(self) -> int: ...


class _Told(Protocol):
    @property
    def reporting(self) -> _Queues: ...


class _Telling(Protocol):
    @property
    def clock(self) -> "Clock": ...

    @property
    def dispatcher(self) -> "Dispatcher": ...

    @property
    def alerts(self) -> "Alerts | None": ...

    @property
    def settings(self) -> _Told: ...


@dataclass(slots=True)
class _Loss:
    """How many were lost, and when that was seen to become more."""

    total: int = 0
    seen: float = float("-inf")


@dataclass(frozen=True, slots=True)
class ReportersCheck:
    """Is degraded while a reporter or an alert channel is behind, or has lost something lately.

    Lost is what found a queue full, and what a reporter or a channel raised on. It never fails: the
    service does its work all the same. One instance watches one runtime.

    Raises:
        ValueError: When an option makes no sense.

    Example:
        >>> ReportersCheck(full=0.5).window
        60.0
    """

    _: KW_ONLY
    full: float = 0.8
    """Share of a queue, above 0 and up to 1, from which on a reporter counts as behind."""
    window: float = 60.0
    """Seconds, above 0, for which a loss is told of after it was first seen."""
    _losses: dict[str, _Loss] = field(
        default_factory=dict[str, _Loss], init=False, repr=False, compare=False
    )
    _lock: ForkSafeLock = field(default_factory=ForkSafeLock, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 0 < self.full <= 1:
            raise ValueError(f"full must be a share above 0 and up to 1, not {self.full}")
        if not self.window > 0:
            raise ValueError(f"window must be above 0 seconds, not {self.window}")

    def __call__(self) -> dict[str, object] | Finding:
        """Look at every queue and every count."""
        runtime = cast("_Telling", current())
        seen, now = list(_deliveries(runtime)), runtime.clock.monotonic()
        facts = {name: _facts(delivery) for name, delivery, _ in seen}
        with self._lock:
            losing = [name for name, delivery, _ in seen if self._is_losing(name, delivery, now)]
        behind = [name for name, delivery, size in seen if delivery.waiting >= self.full * size]
        if not (losing or behind):
            return {"told": facts}
        said = (("behind", behind), ("losing", losing))
        output = "; ".join(f"{what}: {', '.join(names)}" for what, names in said if names)
        return degraded(output, told=facts)

    def _is_losing(self, name: str, delivery: "Delivery", now: float) -> bool:
        loss = self._losses.setdefault(name, _Loss())
        total = sum(n for outcome, n in delivery.outcomes().items() if outcome in _LOSSES)
        if total not in {0, loss.total}:  # less than before in a forked child, which begins anew
            loss.seen = now
        loss.total = total
        return now - loss.seen < self.window


def _deliveries(runtime: _Telling) -> "Iterator[tuple[str, Delivery, int]]":
    """Yield every reporter and channel by name, with the size of its queue."""
    size = runtime.settings.reporting.queue_size
    for delivery in runtime.dispatcher.deliveries():
        yield delivery.reporter, delivery, size
    if runtime.alerts is not None:
        from holdfast.reporting.alerts.outbox import MAX_WAITING  # noqa: PLC0415  # loaded by now

        for delivery in runtime.alerts.deliveries():
            yield f"alerts: {delivery.reporter}", delivery, MAX_WAITING


def _facts(delivery: "Delivery") -> dict[str, int]:
    counts = {"waiting": delivery.waiting, **delivery.outcomes()}
    return {name: number for name, number in counts.items() if number}
