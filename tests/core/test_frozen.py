"""The faster constructor makes what the slow one would."""

import copy
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

import pytest

from holdfast import ErrorHandled, Origin
from holdfast.codes import Severity
from holdfast.frozen import constructor_of
from holdfast.origin import ErrorContext
from holdfast.testing import RecordingRuntime

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Point:
    """Something small, of which subclasses have more."""

    x: int
    y: int = 0
    names: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Place(Point):
    """With fields of its parent, and one by name."""

    z: int


def test_defaults_are_those_of_the_class() -> None:
    """What is left out is what it would be, and made anew for each instance."""
    make = constructor_of(Point)

    one, other = make(1), make(1)

    assert one == Point(1)
    assert one.names is not other.names
    assert constructor_of(Place)(1, z=3, y=2) == Place(1, 2, z=3)


def test_what_is_missing_or_unknown_is_refused() -> None:
    """Mistakes in a call are mistakes, as with any function."""
    make: Callable[..., Point] = constructor_of(Point)

    with pytest.raises(TypeError, match="x"):
        make()
    with pytest.raises(TypeError, match="w"):
        make(1, w=2)


def test_what_is_made_is_frozen() -> None:
    """It is an instance of the class itself, and nothing can be set."""
    made = constructor_of(Point)(1)

    assert type(made) is Point
    with pytest.raises(AttributeError):
        made.x = 2  # type: ignore[misc]  # what is to fail


@pytest.mark.parametrize(
    "cls", [dataclass(slots=True)(type("Loose", (), {})), dataclass(frozen=True)(type("D", (), {}))]
)
def test_only_frozen_dataclasses_with_slots_are_taken(cls: type[object]) -> None:
    """A class whose constructor does something else is refused."""
    with pytest.raises(TypeError, match="frozen dataclass with slots"):
        constructor_of(cls)


def test_a_class_that_checks_its_fields_is_refused() -> None:
    """Its check would be passed over."""

    @dataclass(frozen=True, slots=True)
    class Checked:
        x: int

        def __post_init__(self) -> None:
            raise ValueError

    with pytest.raises(TypeError, match="__post_init__"):
        constructor_of(Checked)


def test_the_values_of_the_suite_are_what_their_classes_make() -> None:
    """Records, events, verdicts and answers compare, copy, print and travel like any other."""
    verdict = RecordingRuntime().handle(KeyError("sku"), Origin(boundary="job"))
    record = verdict.record
    assert record is not None
    now = datetime(2024, 1, 15, tzinfo=UTC)
    event = ErrorHandled(name="error.handled", severity=Severity.ERROR, time=now, record=record)
    context = ErrorContext(Origin(boundary="job"))
    assert verdict.answer is not None

    for value in (record, verdict.answer, verdict, event, context):
        given = {item.name: getattr(value, item.name) for item in fields(value)}
        make = cast("Callable[..., object]", constructor_of(cast("type[object]", type(value))))
        made = make(**given)
        assert made == value == copy.copy(made) == replace(value)
        assert type(made) is type(value)
        assert repr(made) == repr(value)
