"""What an error of a protected call means for the circuit and for the next attempt."""

from typing import Final

from holdfast.classify import Reading
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


def counts(error: BaseException, reading: Reading) -> bool:
    """Tell whether an error says that the other side fails.

    A dependency's fault does, and any exception that nobody classified, since the call failed,
    whatever it was. What callers did wrong does not, nor programmer errors, what was refused before
    it was sent, nor exits and cancellations.
    """
    if not isinstance(error, Exception) or isinstance(error, PROGRAMMER_ERRORS):
        return False
    said = reading.classification
    if said.effect is Effect.NONE:
        return False
    return said.fault is Fault.DEPENDENCY or said is UNKNOWN_READING.classification


def cause(error: BaseException, reading: Reading) -> Cause:
    """Return what a circuit has to know of an error that counts."""
    timed_out = reading.classification.kind is ErrorKind.TIMED_OUT
    return Cause(timed_out or isinstance(error, TimeoutError), reading.asked)
