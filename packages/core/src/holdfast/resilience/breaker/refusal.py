"""`CircuitOpenError`: what a circuit answers in the place of a call, or of one that opened it."""

from dataclasses import dataclass
from typing import Final

import pybreaker

from holdfast import errors
from holdfast.codes import Effect
from holdfast.resilience.circuit.period import State
from holdfast.resilience.circuit.permit import Permit

STILL_OPEN: Final = "Timeout not elapsed yet, circuit breaker still open"
THRESHOLD: Final = "Failures threshold reached, circuit breaker opened"
TRIAL_FAILED: Final = "Trial call failed, circuit breaker opened"
_LONGEST: Final = 200


@dataclass(frozen=True, slots=True)
class LastError:
    """What is kept of the last failure that a circuit counted; never the error itself."""

    type: str
    """Its class's name."""
    text: str
    """Its message, at most 200 characters; for operators."""


def last_error(error: BaseException | None) -> LastError | None:
    """Return what is kept of an error."""
    if error is None:
        return None
    try:
        text = str(error)[:_LONGEST]
    except Exception:  # noqa: BLE001  # its own `__str__`, which is none of our business
        text = ""
    return LastError(type(error).__qualname__, text)


class CircuitOpenError(errors.CircuitOpenError, pybreaker.CircuitBreakerError):
    """A circuit is open: the call was not made.

    The call was made if the reason is `trip`: it failed, and that opened the circuit. The error it
    failed with is the `__context__`, and the effect is `IN_DOUBT`.

    Args:
        text: What happened; pybreaker's sentence.
        name: Of the circuit.
        reason: `open`, `half-open`, `ramp`, `forced` or `trip`.
        retry_after: Seconds after which a call may be let through.
        last: The last failure that the circuit counted.

    Example:
        >>> error = CircuitOpenError("Still open", name="stock", retry_after=12.0)
        >>> str(error), error.status, isinstance(error, pybreaker.CircuitBreakerError)
        ("Still open (circuit 'stock', retry after 12 s)", 503, True)
    """

    # Made for every call that is refused, so it does not call AppError's constructor, whose
    # attributes are class attributes as well, and says what it says when it is asked.
    def __init__(
        self,
        text: str = "",
        *,
        name: str | None = None,
        reason: str = "open",
        retry_after: float | None = None,
        last: LastError | None = None,
    ) -> None:
        self.name = name
        self.reason = reason
        self.retry_after = retry_after
        self.last_error = last
        if reason == "trip":
            self.effect = Effect.IN_DOUBT

    @property
    def message(self) -> str:  # type: ignore[override]  # computed, since hardly anybody reads it
        """What happened, to which circuit, and when to come back; for operators."""
        text = str(self.args[0]) if self.args else ""
        facts = [f"circuit {self.name!r}"] if self.name else []
        if self.retry_after is not None:
            facts.append(f"retry after {self.retry_after:.3g} s")
        return f"{text} ({', '.join(facts)})" if facts else text

    @property
    def learned(self) -> dict[str, object]:  # type: ignore[override]  # as `message`
        """The circuit, the reason, and the last failure; shown only where details are exposed."""
        facts: dict[str, object] = {"circuit": self.name or "", "reason": self.reason}
        if self.last_error is not None:
            facts["last_error"] = f"{self.last_error.type}: {self.last_error.text}"
        return facts


class Refusals:
    """Makes the errors of one circuit.

    Attributes:
        name: Of the circuit.
        last: The last failure it counted.
    """

    __slots__ = ("last", "name")

    def __init__(self, name: str | None) -> None:
        self.name = name
        self.last: LastError | None = None

    def refuse(self, reason: str, retry_after: float) -> CircuitOpenError:
        """Return the error of a call that is not made."""
        return CircuitOpenError(
            STILL_OPEN, name=self.name, reason=reason, retry_after=retry_after, last=self.last
        )

    def tripped(self, permit: Permit, retry_after: float) -> CircuitOpenError:
        """Return the error of a call that opened the circuit."""
        is_probe = permit.period.state is State.HALF_OPEN
        text = TRIAL_FAILED if is_probe else THRESHOLD
        return CircuitOpenError(
            text, name=self.name, reason="trip", retry_after=retry_after, last=self.last
        )
