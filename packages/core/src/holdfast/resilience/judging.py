"""What an error of a protected call means for the circuit and for the next attempt."""

from typing import Final

from holdfast.classify import Reading, as_group, leaves
from holdfast.classify.classification import UNKNOWN_READING
from holdfast.codes import Effect, ErrorKind, Fault
from holdfast.resilience.circuit.cause import Cause

PROGRAMMER_ERRORS: Final = (
    AssertionError,
    AttributeError,
    ImportError,
    NameError,
    NotImplementedError,
    SyntaxError,
    TypeError,
)
"""Mistakes in our own code, which say nothing of the other side."""

_GREEN: Final = {"gevent", "eventlet"}


def counts(error: BaseException, reading: Reading) -> bool:
    """Tell whether an error says that the other side fails.

    A dependency's fault does, and any exception that nobody classified, since the call failed,
    whatever it was. What callers did wrong does not, nor programmer errors, what was refused before
    it was sent, nor exits and cancellations. A group is what its gravest member is; one of nothing but
    programmer errors is one itself.
    """
    if not isinstance(error, Exception):
        return is_green_timeout(error)
    if _is_mistake(error):
        return False
    said = reading.classification
    if said.effect is Effect.NONE:
        return False
    return said.fault is Fault.DEPENDENCY or said is UNKNOWN_READING.classification


def is_green_timeout(error: BaseException) -> bool:
    """Tell a time-out of green threads, which is no Exception lest `except Exception` swallow it."""
    return any(
        kind.__name__ == "Timeout" and kind.__module__.partition(".")[0] in _GREEN
        for kind in type(error).__mro__
    )


def _is_mistake(error: BaseException) -> bool:
    group = as_group(error)
    return (
        isinstance(error, PROGRAMMER_ERRORS)
        if group is None
        else all(map(_is_mistake, leaves(group)))
    )


def cause(error: BaseException, reading: Reading) -> Cause:
    """Return what a circuit has to know of an error that counts."""
    is_late = isinstance(error, TimeoutError) or is_green_timeout(error)
    return Cause(is_late or reading.classification.kind is ErrorKind.TIMED_OUT, reading.asked)
