"""What documents say of errors; that they are valid is shown in tests/integrations."""

from dataclasses import replace
from typing import cast

import pytest

from holdfast.catalog import CatalogEntry, find
from holdfast.codes import Detail
from holdfast.openapi import (
    ErrorComponents,
    Json,
    ServiceErrors,
    as_openapi_3_0,
    envelope_schema,
    problem_schema,
)


def entry(code: str, **changes: object) -> CatalogEntry:
    """Return a code that ships, changed."""
    found = find(code)
    assert found is not None
    return replace(found, **changes)  # type: ignore[arg-type]  # as the caller says


def within(found: object, *steps: str | int) -> object:
    """Return what stands at some steps."""
    for step in steps:
        found = cast("dict[str | int, object]", found)[step]
    return found


def narrowed(found: object, media_type: str = "application/json") -> object:
    """Return what a response's schema says beyond the general one."""
    return within(found, "content", media_type, "schema", "allOf", 1)


def test_errors_are_grouped_by_status() -> None:
    """Each with its codes, and whatever else may happen as the default."""
    parts = ErrorComponents()

    found = parts.responses(
        [entry("UNIQUE_CONSTRAINT"), entry("TOKEN_EXPIRED"), entry("STATE_CONFLICT")]
    )

    assert [*found] == ["401", "409", "default"]
    codes = ["STATE_CONFLICT", "UNIQUE_CONSTRAINT"]
    assert within(narrowed(found["409"]), "properties", "except", "properties", "code") == {
        "type": "string",
        "enum": codes,
    }
    problem = narrowed(found["409"], "application/problem+json")
    assert within(problem, "properties", "code", "enum") == codes
    assert found["default"] == {"$ref": "#/components/responses/HoldfastError"}


def test_an_error_that_stands_alone_is_described_once_for_all_operations() -> None:
    """Its response is shared; one whose status is not its code's has a name of its own."""
    parts = ErrorComponents()

    first = parts.responses([entry("TOKEN_EXPIRED")])
    again = parts.responses([entry("TOKEN_EXPIRED"), entry("UNAUTHORIZED", status=403)])

    assert first["401"] == again["401"] == {"$ref": "#/components/responses/Error.TOKEN_EXPIRED"}
    assert again["403"] == {"$ref": "#/components/responses/Error.UNAUTHORIZED.403"}


def test_an_error_that_is_given_twice_is_said_once() -> None:
    """As two declarations may name it."""
    found = ErrorComponents().responses([entry("TOKEN_EXPIRED"), entry("TOKEN_EXPIRED")])

    assert found["401"] == {"$ref": "#/components/responses/Error.TOKEN_EXPIRED"}


def test_details_belong_to_their_code() -> None:
    """Errors with details have a case each, those without have one together."""
    slots = {"free": Detail(list[str] | None, "Slots that are free")}
    parts = ErrorComponents()

    found = parts.responses(
        [
            entry("STATE_CONFLICT", details={}),
            entry("UNIQUE_CONSTRAINT", details={}),
            entry("CHECK_CONSTRAINT", details=slots),
        ]
    )

    bare, detailed = cast("list[object]", within(narrowed(found["409"]), "oneOf"))
    about = ("properties", "except", "properties")
    assert within(bare, *about, "code", "enum") == ["STATE_CONFLICT", "UNIQUE_CONSTRAINT"]
    assert "details" not in cast("dict[str, object]", within(bare, *about))
    assert within(detailed, *about, "code", "enum") == ["CHECK_CONSTRAINT"]
    reference = {"$ref": "#/components/schemas/Details.CHECK_CONSTRAINT"}
    assert within(detailed, *about, "details") == reference
    schema = parts.components["schemas"]["Details.CHECK_CONSTRAINT"]
    assert within(schema, "properties", "free", "description") == "Slots that are free"


@pytest.mark.parametrize(
    ("status", "header"),
    [(401, "WWW-Authenticate"), (405, "Allow"), (429, "Retry-After"), (503, "Retry-After")],
)
def test_headers_are_described_where_they_apply(status: int, header: str) -> None:
    """The id of the request and the language everywhere, others with their status."""
    parts = ErrorComponents()

    parts.responses([entry("INTERNAL_ERROR", status=status), entry("JOB_FAILED", status=409)])

    shared = parts.components["responses"]
    always = {"X-Request-ID", "Content-Language"}
    with_header = within(shared[f"Error.INTERNAL_ERROR.{status}"], "headers")
    assert cast("dict[str, object]", with_header).keys() == {*always, header}
    assert cast("dict[str, object]", shared["HoldfastError"]["headers"]).keys() == always
    assert cast("dict[str, object]", shared["Error.JOB_FAILED.409"]["headers"]).keys() == always


def test_examples_show_title_and_advice() -> None:
    """For each code and format, with a body as it would come."""
    service = ServiceErrors(problem_type="https://shop.example/errors/{code}")
    parts = ErrorComponents(service=service)

    parts.responses([entry("TOKEN_EXPIRED")])

    example = parts.components["examples"]["Error.TOKEN_EXPIRED"]
    assert example["summary"] == "Token expired"
    assert example["description"] == "Sign in again or refresh the token."
    assert within(example, "value", "except", "type") == "AuthenticationError"
    problem = parts.components["examples"]["Problem.TOKEN_EXPIRED"]
    assert within(problem, "value", "type") == "https://shop.example/errors/TOKEN_EXPIRED"
    assert within(problem, "value", "status") == 401


def test_an_unusual_status_is_described_too() -> None:
    """One that has no name, such as that of a caller who left."""
    parts = ErrorComponents()

    parts.responses([entry("CLIENT_CLOSED_REQUEST")])

    shared = parts.components["responses"]["Error.CLIENT_CLOSED_REQUEST"]
    assert str(shared["description"]).startswith("Error 499\n")


def test_a_service_that_answers_with_problems_describes_nothing_else() -> None:
    """No schema, no media type and no example of the envelope."""
    parts = ErrorComponents(service=ServiceErrors(response_format="problem"))

    parts.responses([entry("TOKEN_EXPIRED")])

    assert "application/json" not in str(parts.components)
    assert [*parts.components["schemas"]] == ["HoldfastProblem"]
    assert [*parts.components["examples"]] == ["Problem.TOKEN_EXPIRED"]


def test_the_type_of_a_problem_leads_to_its_page_where_there_is_one() -> None:
    """Unless the settings say where it leads."""
    assert ServiceErrors(catalog="/errors/").type_of("A") == "/errors/A"
    assert ServiceErrors(catalog="/errors/", problem_type="urn:{code}").type_of("A") == "urn:A"
    assert ServiceErrors().type_of("A") == "about:blank"


def test_each_version_of_openapi_has_its_words() -> None:
    """3.0 knows neither constants nor the type null."""
    new, old = str(envelope_schema("3.1.0")), str(envelope_schema("3.0.3"))

    assert ("const" in new, "'null'" in new, "nullable" in new) == (True, True, False)
    assert ("const" in old, "'null'" in old, "nullable" in old) == (False, False, True)


def test_only_what_is_always_there_is_required() -> None:
    """Details and a waiting time need not be."""
    about = within(envelope_schema(), "properties", "except")

    assert within(about, "required") == ["type", "code", "trace_id", "timestamp"]
    assert "details" not in cast("list[str]", problem_schema()["required"])


ITEMS: Json = {"type": "array", "items": {}}
REWRITTEN: list[tuple[Json, Json]] = [
    ({"type": "string"}, {"type": "string"}),
    ({"type": "array"}, ITEMS),
    ({"type": "null"}, {"type": "object", "nullable": True, "maxProperties": 0}),
    ({"anyOf": [{"type": "array"}, {"type": "null"}]}, {"anyOf": [{**ITEMS, "nullable": True}]}),
    ({"additionalProperties": {"type": "array"}}, {"additionalProperties": ITEMS}),
]


@pytest.mark.parametrize(("schema", "expected"), REWRITTEN)
def test_schemas_of_details_are_rewritten_for_version_3_0(schema: Json, expected: Json) -> None:
    """At every depth."""
    assert as_openapi_3_0(schema) == expected
