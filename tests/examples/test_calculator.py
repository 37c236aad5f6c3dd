"""The safe calculator: what it calculates, and how it says what is wrong."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.shop.calculator import OPERATIONS, CalculatorCode, calculate
from examples.walk.answers import ask
from examples.walk.expectations import value_at
from examples.walk.processes import Server
from holdfast import AppError, determine_http_status

NAN, INFINITY = float("nan"), float("inf")
HUGE = 10**400

WRONG: list[tuple[object, object, object, CalculatorCode]] = [
    (10, 0, "/", CalculatorCode.DIVISION_BY_ZERO),
    (10.5, 0.0, "/", CalculatorCode.DIVISION_BY_ZERO),
    (0, -0.0, "/", CalculatorCode.DIVISION_BY_ZERO),
    ("abc", 5, "+", CalculatorCode.FIRST_OPERAND_INVALID),
    ("1", 5, "+", CalculatorCode.FIRST_OPERAND_INVALID),
    (True, 5, "+", CalculatorCode.FIRST_OPERAND_INVALID),
    (None, None, "+", CalculatorCode.FIRST_OPERAND_INVALID),
    (10, None, "*", CalculatorCode.SECOND_OPERAND_INVALID),
    (10, [], "*", CalculatorCode.SECOND_OPERAND_INVALID),
    (10, 5, "%", CalculatorCode.OPERATION_UNSUPPORTED),
    (10, 5, "", CalculatorCode.OPERATION_UNSUPPORTED),
    (10, 5, None, CalculatorCode.OPERATION_UNSUPPORTED),
    (10, 5, [], CalculatorCode.OPERATION_UNSUPPORTED),
    (1e308, 10, "*", CalculatorCode.RESULT_OVERFLOW),
    (-1e308, 1e308, "-", CalculatorCode.RESULT_OVERFLOW),
    (1e308, 1e-10, "/", CalculatorCode.RESULT_OVERFLOW),
    (10**300, 10**300, "*", CalculatorCode.RESULT_OVERFLOW),
    (NAN, 1, "+", CalculatorCode.OPERAND_NOT_A_NUMBER),
    (1, NAN, "+", CalculatorCode.OPERAND_NOT_A_NUMBER),
    (INFINITY, 1, "+", CalculatorCode.OPERAND_INFINITE),
    (1, -INFINITY, "+", CalculatorCode.OPERAND_INFINITE),
    (HUGE, 1, "+", CalculatorCode.OPERAND_INFINITE),
]


@pytest.mark.parametrize(
    ("a", "b", "operation", "result"),
    [(10, 2, "/", 5), (2, 3, "+", 5), (2, 3, "-", -1), (2, 3, "*", 6), (2**60, 1, "+", 2**60 + 1)],
)
def test_two_numbers_are_calculated(a: float, b: float, operation: str, result: float) -> None:
    """The four operations do what they do, and whole numbers keep all their digits."""
    assert calculate(a, b, operation) == result


@pytest.mark.parametrize(("a", "b", "operation", "code"), WRONG)
def test_every_mistake_has_a_code_of_its_own(
    a: object, b: object, operation: object, code: CalculatorCode
) -> None:
    """What is wrong is told apart by code, and is the caller's fault."""
    with pytest.raises(AppError) as raised:
        calculate(a, b, operation)

    assert raised.value.code == code
    assert determine_http_status(raised.value) == code.status
    assert code.status in {400, 422}


@pytest.mark.parametrize(
    ("a", "b", "operand"), [(NAN, 1, "first"), (1, NAN, "second"), (1, INFINITY, "second")]
)
def test_a_special_value_is_told_by_operand(a: float, b: float, operand: str) -> None:
    """Which operand it is stands in the details."""
    with pytest.raises(AppError) as raised:
        calculate(a, b, "+")

    assert raised.value.details == {"operand": operand}


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.just(HUGE),
    st.lists(st.none()),
)


@given(ANYTHING, ANYTHING, st.sampled_from([*OPERATIONS, "%", None, {}]))
def test_whatever_is_given_the_result_is_finite_or_the_error_coded(
    a: object, b: object, operation: object
) -> None:
    """Nothing else comes out: neither infinity nor NaN nor an exception without a code."""
    try:
        assert math.isfinite(calculate(a, b, operation))
    except AppError as error:
        assert error.code in {str(code) for code in CalculatorCode}  # noqa: PT017  # either outcome is right


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b'{"a": 10, "b": 0, "operation": "/"}', "DIVISION_BY_ZERO"),
        (b'{"a": "abc", "b": 5, "operation": "+"}', "FIRST_OPERAND_INVALID"),
        (b'{"a": 10, "b": null, "operation": "*"}', "SECOND_OPERAND_INVALID"),
        (b'{"a": 10, "operation": "*"}', "SECOND_OPERAND_INVALID"),
        (b'{"a": 10, "b": 5, "operation": "%"}', "OPERATION_UNSUPPORTED"),
        (b'{"a": 1e308, "b": 10, "operation": "*"}', "RESULT_OVERFLOW"),
        (b'{"a": NaN, "b": 1, "operation": "+"}', "OPERAND_NOT_A_NUMBER"),
        (b'{"a": 1e999, "b": 1, "operation": "+"}', "OPERAND_INFINITE"),
        (b"[10, 2]", "INVALID_REQUEST_DATA"),
        (b"{", "MALFORMED_JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "MALFORMED_JSON"),
    ],
)
def test_a_caller_over_http_gets_the_code(shop: Server, sent: bytes, code: str) -> None:
    """The code reaches the caller in the envelope."""
    headers = {"Content-Type": "application/json"}

    answer = ask(shop, "POST", "/calculate", sent, headers)

    assert value_at(answer.data, "except.code") == code
    assert 400 <= answer.status < 500
