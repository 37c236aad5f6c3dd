"""What reporters are told of a cache: the first of a kind at once, further ones summed up."""

from typing import Final

from holdfast.codes import Severity
from holdfast.events import Event, Scalar
from holdfast.forks import ForkSafeLock
from holdfast.record import type_name
from holdfast.resilience.cache.counting import Tallies
from holdfast.resilience.degraded import Degradation, note_degradation
from holdfast.resilience.host import Host

INTERVAL: Final = 10.0
"""Seconds between two events of one kind."""


class Telling:
    """Counts what happens to one cache, and tells the reporters of some of it; thread-safe.

    Args:
        name: Of the cache.
        host: Its runtime.

    Attributes:
        tallies: The numbers.
    """

    def __init__(self, name: str, host: Host) -> None:
        self.tallies = Tallies()
        self._name = name
        self._host = host
        self._lock = ForkSafeLock()
        self._kinds: dict[str, tuple[float, int]] = {}

    def tell(self, kind: str, reason: str = "", error: BaseException | None = None) -> None:
        """Emit an event, unless one of its kind was emitted in the last seconds.

        Args:
            kind: Past participle, such as `stale_served`; there are few.
            reason: A word on why.
            error: What failed; its class and code are told, its message is not.
        """
        now = self._host.clock.monotonic()
        with self._lock:
            last, missed = self._kinds.get(kind, (-INTERVAL, 0))
            is_due = now - last >= INTERVAL
            self._kinds[kind] = (now, 0) if is_due else (last, missed + 1)
        if is_due:
            self._emit(kind, {"reason": reason, "suppressed": missed}, error)

    def tell_stale(self, reason: str, error: BaseException | None) -> None:
        """Tell that a stale value stands in for an answer, whoever collects such ones included."""
        code = "" if error is None else str(self._host.read(error).classification.code)
        note_degradation(Degradation(policy=self._name, source="stale", code=code))
        self.tell("stale_served", reason, error)

    def _emit(self, kind: str, told: dict[str, Scalar], error: BaseException | None) -> None:
        attributes: dict[str, Scalar] = {"cache": self._name, **told}
        if error is not None:
            attributes["error_type"] = type_name(type(error))
            attributes["error_code"] = str(self._host.read(error).classification.code)
        severity = Severity.INFO if kind == "store_recovered" else Severity.WARNING
        now = self._host.clock.now()
        self._host.emit(
            Event(name=f"cache.{kind}", severity=severity, time=now, attributes=attributes)
        )
