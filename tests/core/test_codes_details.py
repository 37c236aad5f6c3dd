"""Details: what errors with a code carry, as a type of Python and as JSON Schema."""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Literal, Optional
from uuid import UUID

import pytest

from holdfast.codes import CodeSpec, Detail, ErrorKind
from holdfast.redact import Redactor


class Colour(Enum):
    """Written by value where that is text, else by name, as redaction writes it."""

    RED = "red"
    BLUE = 2


SCHEMAS: list[tuple[object, object]] = [
    (str, {"type": "string"}),
    (int, {"type": "integer"}),
    (float, {"type": "number"}),
    (bool, {"type": "boolean"}),
    (None, {"type": "null"}),
    (object, {}),
    (list, {"type": "array"}),
    (dict, {"type": "object"}),
    (datetime, {"type": "string", "format": "date-time"}),
    (date, {"type": "string", "format": "date"}),
    (UUID, {"type": "string", "format": "uuid"}),
    (Decimal, {"type": "string"}),
    (Colour, {"type": "string", "enum": ["red", "BLUE"]}),
    (Literal["a", 2], {"enum": ["a", 2]}),
    (list[int], {"type": "array", "items": {"type": "integer"}}),
    (tuple[int, ...], {"type": "array", "items": {"type": "integer"}}),
    (Sequence[str], {"type": "array", "items": {"type": "string"}}),
    (Mapping[str, bool], {"type": "object", "additionalProperties": {"type": "boolean"}}),
    (int | None, {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
    (Optional[int], {"anyOf": [{"type": "integer"}, {"type": "null"}]}),  # noqa: UP045  # as older code has it
]


@pytest.mark.parametrize(("kind", "schema"), SCHEMAS)
def test_a_type_becomes_a_schema(kind: object, schema: object) -> None:
    """Each type that JSON has is described as callers get it."""
    assert Detail(kind).schema() == schema
    assert json.loads(json.dumps(schema)) == schema


@pytest.mark.parametrize(
    "kind", ["str", bytes, set, Detail, dict[int, str], list["str"], Literal[b"x"], tuple[int, str]]
)
def test_a_type_that_json_does_not_have_is_refused(kind: object) -> None:
    """A mistake is told where the code is declared, and not when somebody exports it."""
    with pytest.raises(TypeError, match="a detail must be of a type that JSON has"):
        Detail(kind)


def test_a_description_stands_in_the_schema() -> None:
    """Whoever reads the schema alone learns what the detail says."""
    assert Detail(int, "Units left").schema() == {"type": "integer", "description": "Units left"}


@pytest.mark.parametrize(("member", "written"), [(Colour.RED, "red"), (Colour.BLUE, "BLUE")])
def test_an_enumeration_is_described_as_it_is_written(member: Colour, written: str) -> None:
    """The schema lists the texts that come out of redaction."""
    enumeration = Detail(Colour).schema()["enum"]

    assert isinstance(enumeration, list)
    assert Redactor().value(member) == written
    assert written in enumeration


@pytest.mark.parametrize("name", ["", "two words", "9th", 7])
def test_a_detail_has_a_name_that_can_be_typed(name: str) -> None:
    """Names are identifiers, so that they can be members of types in any language."""
    with pytest.raises(ValueError, match="must be an identifier"):
        CodeSpec(ErrorKind.CONFLICT, "Taken", carries={name: Detail(int)})


def test_a_detail_is_a_detail() -> None:
    """A bare type in its place is refused."""
    with pytest.raises(TypeError, match=r"detail 'left' must be a Detail\(type, description\)"):
        CodeSpec(ErrorKind.CONFLICT, "Taken", carries={"left": int})  # type: ignore[dict-item]  # on purpose
