"""What an error means for a circuit breaker that goes by pybreaker's rule."""

from typing import Final

import pybreaker

from holdfast.codes import Effect
from holdfast.resilience.breaker.refusal import CircuitOpenError
from holdfast.resilience.judging import is_green_timeout

_MARK: Final = "__holdfast_circuits__"


class _Counted(dict[int, int]):
    """By which circuits an error was counted; it stays behind when the error is copied or pickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return _Counted, ()


def is_neutral(error: BaseException) -> bool:
    """Tell whether an error says nothing of the other side: no error of the call, or it was not made."""
    if not isinstance(error, Exception):
        return not is_green_timeout(error)
    if isinstance(error, pybreaker.CircuitBreakerError) and not isinstance(error, CircuitOpenError):
        return True
    return getattr(error, "effect", None) is Effect.NONE


def mark_counted(error: BaseException, circuit: object, number: int) -> None:
    """Keep on an error that it was the so-manieth failure of a circuit."""
    marks = getattr(error, _MARK, None)
    if marks is None:
        marks = _Counted()
        try:
            setattr(error, _MARK, marks)
        except Exception:  # noqa: BLE001  # of a class that keeps no attributes
            return
    marks[id(circuit)] = number


def was_counted(error: BaseException, circuit: object, since: int) -> bool:
    """Tell whether a circuit has counted an error after its first so many failures."""
    marks: dict[int, int] = getattr(error, _MARK, {})
    return marks.get(id(circuit), 0) > since
