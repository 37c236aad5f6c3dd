"""Declaring what an operation answers with."""

import re
from collections.abc import Callable
from functools import partial, wraps
from typing import ClassVar, cast

import pytest

import holdfast
from holdfast import AppError, CodeSpec, ErrorCode, ErrorCodes, ErrorKind, raises
from holdfast.raising import declared_errors


class CargoCode(ErrorCodes):
    """Codes under test."""

    CARGO_LOST = CodeSpec(ErrorKind.NOT_FOUND, "Cargo lost", status=410)
    CARGO_LATE = CodeSpec(ErrorKind.TIMED_OUT, "Cargo late")


class CargoRefused(AppError):
    """Somebody does not want it."""

    kind = ErrorKind.CONFLICT


class CargoSeized(AppError):
    """A class with the code of another, and a status of its own."""

    code = CargoCode.CARGO_LOST  # type: ignore[assignment]  # a member stands for its code
    status = 451


def codes(view: object, method: str = "") -> list[tuple[str, int]]:
    """Return what a view declares, as code and status."""
    return [(entry.code, entry.status) for entry in declared_errors(view, method)]


def test_errors_are_declared_by_class_member_code_and_status() -> None:
    """Each says the same: a code, and the status it is answered with."""

    @raises(CargoRefused, CargoCode.CARGO_LOST, "CARGO_LATE", 404, CargoSeized)
    def view() -> None: ...

    assert codes(view) == [
        ("CARGO_REFUSED", 409),
        ("CARGO_LOST", 410),
        ("CARGO_LATE", 504),
        ("RESOURCE_NOT_FOUND", 404),
        ("CARGO_LOST", 451),
    ]
    assert [entry.type for entry in declared_errors(view)][-1] == "CargoSeized"


def test_a_view_stays_the_object_that_it_was() -> None:
    """Neither wrapped nor slower: the same function."""

    def view() -> int:
        return 1

    assert raises(404)(view) is view


def test_a_view_that_declares_nothing_has_nothing() -> None:
    """Whatever it is."""
    assert declared_errors(codes) == declared_errors(object(), "GET") == declared_errors(None) == ()


def test_declarations_add_up_and_each_error_is_there_once() -> None:
    """Those nearest to the function come first."""

    @raises(409, 404)
    @raises(404, 429)
    def view() -> None: ...

    assert [status for _, status in codes(view)] == [404, 429, 409]


def logged(function: Callable[[], None]) -> Callable[[], None]:
    """Decorate as most do."""

    @wraps(function)
    def logging() -> None:
        function()

    return logging


def test_a_declaration_goes_through_decorators() -> None:
    """Above and below those that say what they decorate; and what is above is not told to what is below."""

    @raises(404)
    def view() -> None: ...

    above = raises(409)(logged(view))

    assert codes(above) == [("RESOURCE_NOT_FOUND", 404), ("STATE_CONFLICT", 409)]
    assert codes(view) == codes(partial(view)) == [("RESOURCE_NOT_FOUND", 404)]


@raises(404)
class Parent:
    """Methods of HTTP."""

    @raises(409)
    def get(self) -> None:
        """Declare."""

    @raises(429)
    def post(self) -> None:
        """Declare."""


@raises(503)
class Child(Parent):
    """Declares more for all, and overrides a method."""

    def post(self) -> None:
        """Declare nothing."""


def test_a_class_declares_for_its_methods_and_for_those_who_inherit_it() -> None:
    """A method that is overridden declares for itself."""
    assert [status for _, status in codes(Parent, "GET")] == [404, 409]
    assert [status for _, status in codes(Child, "GET")] == [503, 404, 409]
    assert [status for _, status in codes(Child, "post")] == [503, 404]
    assert [status for _, status in codes(Parent)] == [404]


def test_a_child_does_not_declare_for_its_parent() -> None:
    """What it adds is its own."""
    assert 503 not in {status for _, status in codes(Parent, "GET")}


def test_functions_made_of_a_class_have_what_it_declares() -> None:
    """As Django and Flask make them; and view sets say which method is behind one of HTTP's."""

    def view() -> None: ...

    view.view_class = Parent  # type: ignore[attr-defined]  # as `as_view` does
    view.actions = {"put": "get"}  # type: ignore[attr-defined]  # as view sets do
    raises(500)(view)

    assert [status for _, status in codes(view, "PUT")] == [500, 404, 409]
    assert [status for _, status in codes(view, "post")] == [500, 404, 429]


def test_bound_methods_have_what_their_functions_declare() -> None:
    """Of any object."""
    assert [status for _, status in codes(Parent().get)] == [409]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("CARGO_LOSTT", "does not know the code 'CARGO_LOSTT'; did you mean 'CARGO_LOST'?"),
        ("cargo_late", "did you mean 'CARGO_LATE'?"),
        ("XYZ", "does not know the code 'XYZ'. A code is known once"),
        (200, "statuses between 400 and 599, not 200"),
        (600, "not 600"),
    ],
)
def test_what_nobody_declared_is_refused_at_once(wrong: str | int, said: str) -> None:
    """With the nearest name there is."""
    with pytest.raises(ValueError, match=re.escape(said)):
        raises(wrong)


@pytest.mark.parametrize(
    "wrong", [ValueError, ValueError("text"), AppError("text"), None, True, 4.5]
)
def test_what_is_no_error_of_ours_is_refused(wrong: object) -> None:
    """An instance, an exception of somebody else, and whatever else is no code."""
    with pytest.raises(TypeError, match="takes error classes, codes and statuses"):
        raises(cast("str", wrong))


@pytest.mark.parametrize("view", [1, Parent().get, object()])
def test_what_cannot_bear_a_declaration_is_refused(view: object) -> None:
    """A number has nowhere to keep it."""
    with pytest.raises(TypeError, match="goes on a function, a method or a class"):
        raises(404)(view)


def test_texts_are_read_when_somebody_asks() -> None:
    """A title that is translated may not be ready when a view is declared."""

    class Late:
        """Text that is not there yet."""

        ready: ClassVar[list[bool]] = []

        def __str__(self) -> str:
            assert self.ready
            return "Late"

    class CargoUnready(AppError):
        """Has such a title."""

        kind = ErrorKind.CONFLICT
        title = Late()

    @raises(CargoUnready)
    def view() -> None: ...

    Late.ready.append(True)
    assert [entry.title for entry in declared_errors(view)] == ["Late"]


def test_raises_is_a_public_name() -> None:
    """With the codes and classes it takes."""
    assert holdfast.raises is raises
    assert ErrorCode.RESOURCE_NOT_FOUND.status == 404
