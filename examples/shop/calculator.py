"""A calculator that says precisely what is wrong with a calculation."""

import math
from collections.abc import Callable
from typing import TypeAlias

from holdfast import AppError, CodeSpec, ErrorCodes, ErrorKind

Number: TypeAlias = int | float


class CalculatorCode(ErrorCodes):
    """What may be wrong with a calculation."""

    DIVISION_BY_ZERO = CodeSpec(
        ErrorKind.UNPROCESSABLE,
        "Division by zero",
        description="The second operand of a division is zero.",
    )
    FIRST_OPERAND_INVALID = CodeSpec(
        ErrorKind.INVALID_INPUT,
        "First operand invalid",
        description="`a` is missing or no number; booleans and digits in quotes are none.",
    )
    SECOND_OPERAND_INVALID = CodeSpec(
        ErrorKind.INVALID_INPUT,
        "Second operand invalid",
        description="`b` is missing or no number; booleans and digits in quotes are none.",
    )
    OPERATION_UNSUPPORTED = CodeSpec(
        ErrorKind.INVALID_INPUT,
        "Operation not supported",
        description="`details.supported` lists the operations there are.",
    )
    OPERAND_NOT_A_NUMBER = CodeSpec(
        ErrorKind.INVALID_INPUT,
        "Operand is NaN",
        description="`details.operand` says which operand is the special value NaN.",
    )
    OPERAND_INFINITE = CodeSpec(
        ErrorKind.INVALID_INPUT,
        "Operand is infinite",
        description="`details.operand` says which operand is infinite, or too large for a float.",
    )
    RESULT_OVERFLOW = CodeSpec(
        ErrorKind.UNPROCESSABLE,
        "Result too large",
        description="The operands are fine; their result is beyond the range of a float.",
    )


OPERATIONS: dict[str, Callable[[Number, Number], Number]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
}
_INVALID = {
    "first": CalculatorCode.FIRST_OPERAND_INVALID,
    "second": CalculatorCode.SECOND_OPERAND_INVALID,
}


def calculate(a: object, b: object, operation: object) -> Number:
    """Return the result of an operation on two finite numbers; it is finite as well.

    Example:
        >>> calculate(10, 2, "/")
        5.0
        >>> calculate(10, 5, "%")
        Traceback (most recent call last):
        ...
        holdfast.errors.AppError: There is no operation '%'
    """
    first, second = valid_number(a, "first"), valid_number(b, "second")
    apply = valid_operation(operation)
    if operation == "/" and second == 0:
        raise AppError(CalculatorCode.DIVISION_BY_ZERO, f"{first} cannot be divided by zero")
    try:
        result = apply(first, second)
        finite = math.isfinite(result)
    except OverflowError:
        finite, result = False, 0
    if not finite:
        raise AppError(
            CalculatorCode.RESULT_OVERFLOW,
            f"The result of {operation} is too large",
            details={"operation": str(operation)},
        )
    return result


def valid_number(value: object, operand: str) -> Number:
    """Return a number that can be calculated with.

    Args:
        value: Whatever was given.
        operand: `first` or `second`.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise AppError(
            _INVALID[operand],
            f"The {operand} operand is not a number",
            details={"operand": operand, "given": type(value).__name__},
        )
    try:
        finite = math.isfinite(value)
    except OverflowError:  # an int of more than 308 digits
        finite = False
    if finite:
        return value
    nan = value != value  # noqa: PLR0124  # NaN alone differs from itself, and an int may be too large for isnan()
    code = CalculatorCode.OPERAND_NOT_A_NUMBER if nan else CalculatorCode.OPERAND_INFINITE
    what = "NaN" if nan else "infinite"
    raise AppError(code, f"The {operand} operand is {what}", details={"operand": operand})


def valid_operation(operation: object) -> Callable[[Number, Number], Number]:
    """Return the function behind an operation's sign."""
    found = OPERATIONS.get(operation) if isinstance(operation, str) else None
    if found is None:
        raise AppError(
            CalculatorCode.OPERATION_UNSUPPORTED,
            f"There is no operation {str(operation)[:20]!r}",
            details={"supported": list(OPERATIONS)},
        )
    return found
