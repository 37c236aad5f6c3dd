"""Whatever is declared makes a valid document, and whatever is answered is what it says."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Literal, cast
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openapi_schema_validator import OAS30Validator, OAS31Validator

from holdfast.catalog import CatalogEntry, entries
from holdfast.classify import classification_of
from holdfast.codes import Detail, ErrorCode, ErrorKind
from holdfast.envelope import Answer, to_envelope, to_problem
from holdfast.openapi import ErrorComponents, Json, ServiceErrors, envelope_schema, problem_schema
from holdfast.origin import Origin
from holdfast.record import ErrorRecord
from holdfast.redact import JsonValue
from tests.openapi_documents import assert_valid

pytestmark = pytest.mark.extra("openapi_spec_validator", "openapi_schema_validator")
VERSIONS = ("3.0.3", "3.1.0")


class Size(Enum):
    """What a detail may be."""

    SMALL = "small"
    LARGE = "large"


TYPES: tuple[object, ...] = (
    str,
    int,
    float | None,
    bool,
    None,
    object,
    list,
    list[str],
    dict[str, object],
    list[dict[str, list[int] | None]],
    str | int | None,
    Literal["a", "b"],
    Literal["a"] | None,
    Size,
    UUID,
    datetime,
    Decimal,
)
DETAILS = st.dictionaries(
    st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,20}", fullmatch=True),
    st.builds(Detail, st.sampled_from(TYPES), st.text(max_size=20)),
    max_size=3,
)
ANY_TEXT = st.text(max_size=30)
CODES = st.from_regex(r"[A-Z][A-Z0-9_]{0,30}", fullmatch=True)
DECLARED = st.builds(
    CatalogEntry,
    code=CODES,
    kind=st.sampled_from(ErrorKind),
    status=st.integers(400, 599),
    type=st.from_regex(r"[A-Z][A-Za-z]{0,10}", fullmatch=True),
    title=ANY_TEXT,
    transient=st.booleans(),
    category=ANY_TEXT,
    description=ANY_TEXT,
    source=st.just("here"),
    advice=ANY_TEXT,
    details=DETAILS,
)
SERVICES = st.builds(
    ServiceErrors,
    response_format=st.sampled_from(["envelope", "problem"]),
    problem_type=st.sampled_from(["about:blank", "https://shop.example/errors#{code}"]),
    catalog=st.sampled_from(["", "/errors/"]),
)


def document(
    version: str, service: ServiceErrors, operations: list[list[CatalogEntry]]
) -> dict[str, object]:
    """Return a document whose operations declare these errors."""
    parts = ErrorComponents(version, service)
    paths = {
        f"/{number}": {"get": {"responses": parts.responses(errors)}}
        for number, errors in enumerate(operations)
    }
    made = {"openapi": version, "info": {"title": "t", "version": "1"}, "paths": paths}
    return cast(
        "dict[str, object]", json.loads(json.dumps({**made, "components": parts.components}))
    )


@settings(max_examples=40)
@given(st.sampled_from(VERSIONS), SERVICES, st.lists(st.lists(DECLARED, max_size=4), max_size=3))
def test_any_declarations_make_a_valid_document(
    version: str, service: ServiceErrors, operations: list[list[CatalogEntry]]
) -> None:
    """Whatever the titles, statuses and details, and each example is what it is an example of."""
    assert_valid(document(version, service, operations))


@pytest.mark.parametrize("version", VERSIONS)
def test_every_code_of_the_process_can_be_declared(version: str) -> None:
    """Those that ship, and whatever else is known, all at one operation."""
    assert_valid(document(version, ServiceErrors(), [[*entries()]]))


JSON: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    """Give whatever a caller may be told."""
    said = replace(
        classification_of(draw(st.sampled_from(ErrorCode))),
        title=draw(ANY_TEXT),
        status=draw(st.integers(400, 599)),
        type=draw(ANY_TEXT),
        code=draw(ANY_TEXT),
    )
    record = ErrorRecord(
        id=draw(st.uuids()).hex,
        time=draw(st.datetimes(datetime(2000, 1, 1), timezones=st.just(UTC))),  # noqa: DTZ001  # Hypothesis adds the zone
        trace_id=draw(ANY_TEXT),
        span_id="",
        origin=Origin(boundary="test"),
        classification=said,
        type="x",
        message="x",
        frames=(),
        fingerprint="x",
    )
    details = draw(st.dictionaries(st.text(max_size=5), JSON, max_size=3))
    return Answer(
        classification=said,
        record=record,
        message=draw(ANY_TEXT),
        errors=tuple(draw(st.lists(ANY_TEXT, max_size=3))),
        details=details,
        retry_after=draw(st.none() | st.integers(0, 366 * 24 * 3600)),
    )


@given(answers(), st.sampled_from(["en", "fr"]))
def test_any_answer_is_what_the_schemas_say(answer: Answer, language: str) -> None:
    """As envelope and as problem details, in both versions of OpenAPI."""
    envelope, problem = to_envelope(answer, language), to_problem(answer, language)

    for version in VERSIONS:
        assert complaints(version, envelope_schema(version), envelope) == []
        assert complaints(version, problem_schema(), problem) == []
        assert complaints(version, envelope_schema(version), problem) != []


KINDS: list[tuple[object, list[object], list[object]]] = [
    (list[str] | None, [["a"], [], None], [[1], "a", {}]),
    (dict[str, int | None], [{"a": 1, "b": None}], [{"a": "b"}, None]),
    (None, [None], [0, "", {"a": 1}]),
    (list, [[1, "a", None]], ["a"]),
    (Literal["a"] | None, ["a", None], ["b"]),
    (Size | None, ["small", None], ["huge"]),
]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("kind", "right", "wrong"), KINDS, ids=str)
def test_details_of_each_type_are_what_the_document_says(
    version: str, kind: object, right: list[object], wrong: list[object]
) -> None:
    """Null too, which the two versions of OpenAPI say in different words."""
    (entry,) = (found for found in entries() if found.code == "STATE_CONFLICT")
    parts = ErrorComponents(version)
    parts.responses([replace(entry, details={"found": Detail(kind)})])
    schema = parts.components["schemas"]["Details.STATE_CONFLICT"]

    assert all(complaints(version, schema, {"found": value}) == [] for value in right)
    assert all(complaints(version, schema, {"found": value}) for value in wrong)
    assert complaints(version, schema, {}) == []


def complaints(version: str, schema: Json, body: object) -> list[str]:
    """Return what a schema has against a body."""
    validator = OAS30Validator if version.startswith("3.0") else OAS31Validator
    checker = validator(schema, format_checker=validator.FORMAT_CHECKER)
    return [error.message for error in checker.iter_errors(body)]
