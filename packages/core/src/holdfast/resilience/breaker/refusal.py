"""`CircuitOpenError`: what a circuit answers in the place of a call, or of one that opened it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

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

    Its arguments are what happened (pybreaker's sentence), and what the properties tell, in their
    order: name, reason, `retry_after`, last error. All but the first may be left out.

    Example:
        >>> error = CircuitOpenError("Still open", "stock", "open", 12.0)
        >>> str(error), error.status, isinstance(error, pybreaker.CircuitBreakerError)
        ("Still open (circuit 'stock', retry after 12 s)", 503, True)
    """

    # One is made for every call that is refused: it takes its arguments as they are, without a
    # constructor in Python, and says what follows from them when it is asked. What AppError's
    # constructor would set are class attributes as well.
    if TYPE_CHECKING:

        def __init__(self, *arguments: object) -> None: ...
    else:
        __init__ = Exception.__init__

    @property
    def name(self) -> str | None:
        """Of the circuit."""
        return cast("str | None", self._argument(1, None))

    @property
    def reason(self) -> str:
        """Why: `open`, `half-open`, `ramp`, `forced` or `trip`."""
        return cast("str", self._argument(2, "open"))

    @property
    def retry_after(self) -> float | None:  # type: ignore[override]  # it does not change
        """Seconds after which a call may be let through."""
        return cast("float | None", self._argument(3, None))

    @property
    def last_error(self) -> LastError | None:
        """The last failure that the circuit counted."""
        return cast("LastError | None", self._argument(4, None))

    @property
    def effect(self) -> Effect:  # type: ignore[override]  # it does not change
        """`NONE`, for a call that was not made; `IN_DOUBT`, for the one that opened the circuit."""
        return Effect.IN_DOUBT if self.reason == "trip" else Effect.NONE

    @property
    def message(self) -> str:  # type: ignore[override]  # it does not change
        """What happened, to which circuit, and when to come back; for operators."""
        facts = [f"circuit {self.name!r}"] if self.name else []
        if self.retry_after is not None:
            facts.append(f"retry after {self.retry_after:.3g} s")
        text = str(self._argument(0, ""))
        return f"{text} ({', '.join(facts)})" if facts else text

    @property
    def learned(self) -> dict[str, object]:  # type: ignore[override]  # it does not change
        """The circuit, the reason, and the last failure; shown only where details are exposed."""
        facts: dict[str, object] = {"circuit": self.name or "", "reason": self.reason}
        if self.last_error is not None:
            facts["last_error"] = f"{self.last_error.type}: {self.last_error.text}"
        return facts

    def _argument(self, place: int, default: object) -> object:
        return self.args[place] if place < len(self.args) else default


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
        return CircuitOpenError(STILL_OPEN, self.name, reason, retry_after, self.last)

    def tripped(self, permit: Permit, retry_after: float) -> CircuitOpenError:
        """Return the error of a call that opened the circuit."""
        is_probe = permit.period.state is State.HALF_OPEN
        text = TRIAL_FAILED if is_probe else THRESHOLD
        return CircuitOpenError(text, self.name, "trip", retry_after, self.last)
