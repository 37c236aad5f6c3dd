"""Circuits for tests: with a clock that stands still, and what their watchers were told."""

import random
from collections.abc import Callable
from typing import Any

from holdfast.resilience.circuit.circuit import Circuit
from holdfast.resilience.circuit.permit import Permit
from holdfast.resilience.circuit.terms import Terms
from holdfast.resilience.circuit.watching import NAMES
from holdfast.testing import FakeClock


class RefusedError(Exception):
    """A call was not made."""

    def __init__(self, reason: str, retry_after: float) -> None:
        super().__init__(reason, retry_after)
        self.reason = reason
        self.retry_after = retry_after


class Ear:
    """Hears what a circuit tells, of some kinds, or of all but what every call does."""

    def __init__(self, *names: str) -> None:
        self.heard: list[tuple[Any, ...]] = []
        for name in names or set(NAMES) - {"admitted", "success", "decided"}:
            setattr(self, name, self._hearing(name))

    def _hearing(self, name: str) -> Callable[..., None]:
        def hear(*arguments: object) -> None:
            self.heard.append((name, *arguments))

        return hear

    def transitions(self) -> list[tuple[str, str, str]]:
        """Return the changes of state: before, after, and why."""
        return [
            (each[1].value, each[2].value, each[3])
            for each in self.heard
            if each[0] == "transition"
        ]


class Bench:
    """A circuit to try, its clock, and what it tells."""

    def __init__(self, terms: Terms | None = None, *, hearing: tuple[str, ...] = ()) -> None:
        self.clock = FakeClock()
        self.ear = Ear(*hearing)
        self.circuit = Circuit(
            terms or Terms(2, 10.0, 2, ramp=()),
            clock=self.clock,
            refusal=RefusedError,
            chance=random.Random(881),  # noqa: S311  # no secret
            watchers=[self.ear],
        )

    @property
    def state(self) -> str:
        """The circuit's state."""
        return self.circuit.state.value

    def ask(self) -> Permit | None:
        """Return leave for a call, or None."""
        try:
            return self.circuit.acquire()
        except RefusedError:
            return None

    def refusal(self) -> RefusedError:
        """Return why a call is refused."""
        try:
            self.circuit.acquire()
        except RefusedError as error:
            return error
        raise AssertionError("the call was not refused")

    def fail(self, times: int = 1, error: BaseException | None = None) -> None:
        """Make calls that fail."""
        for _ in range(times):
            self.circuit.acquire().failure(error)

    def succeed(self, times: int = 1) -> None:
        """Make calls that succeed."""
        for _ in range(times):
            self.circuit.acquire().success()

    def open(self) -> None:
        """Have it open by failures."""
        while self.state == "closed":
            self.fail()

    def begin_ramp(self) -> None:
        """Have it open, its probes succeed, and calls be refused meanwhile."""
        self.open()
        self.clock.advance(self.circuit.period.until - self.clock.monotonic())
        for _ in range(self.circuit.terms.success_threshold):
            permit = self.circuit.acquire()
            assert self.ask() is None
            permit.success()
