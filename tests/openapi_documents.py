"""Checking answers against what a document of OpenAPI says of them."""

from collections.abc import Mapping
from typing import TypeAlias, cast

from openapi_schema_validator import OAS30Validator, OAS31Validator
from openapi_spec_validator import validate

Document: TypeAlias = dict[str, object]


def at(document: Mapping[str, object], *steps: str) -> dict[str, object]:
    """Return the object at some steps within a document; an empty one when there is none."""
    found: object = document
    for step in steps:
        found = cast("dict[str, object]", found).get(step, {})
        reference = found.get("$ref") if isinstance(found, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # of anything
        if isinstance(reference, str):
            found = at(document, *reference.removeprefix("#/").split("/"))
    return cast("dict[str, object]", found)


def assert_valid(document: Mapping[str, object]) -> None:
    """Check that a document is one of OpenAPI, and that its examples are what they are examples of."""
    validate(cast("dict[str, object]", document))
    for path, operations in at(document, "paths").items():
        for method in cast("dict[str, object]", operations).keys() & {"get", "post", "put"}:
            for status in at(document, "paths", path, method, "responses"):
                _check_examples(document, path, method, status)


def _check_examples(document: Mapping[str, object], path: str, method: str, status: str) -> None:
    content = ("paths", path, method, "responses", status, "content")
    for media_type in at(document, *content):
        for name in at(document, *content, media_type, "examples"):
            body = at(document, *content, media_type, "examples", name, "value")
            found = complaints(document, path, method, status, media_type, body)
            assert found == [], (path, method, status, name)


def complaints(
    document: Mapping[str, object],
    path: str,
    method: str,
    status: object,
    media_type: str,
    body: object,
) -> list[str]:
    """Return what a body has that the document does not allow; an unknown path has the general error."""
    responses = ("paths", path, method.lower(), "responses")
    known = at(document, *responses)
    name = next((name for name in (str(status), "default") if name in known), "")
    where = (*responses, name) if name else ("components", "responses", "HoldfastError")
    content = at(document, *where, "content")
    if media_type not in content:
        return [f"{media_type} is none of {[*content]}"]
    # References are to the root of the schema, which has to be that of the document.
    schema = {
        **at(document, *where, "content", media_type, "schema"),
        "components": document["components"],
    }
    is_3_0 = str(document["openapi"]).startswith("3.0")
    validator = OAS30Validator if is_3_0 else OAS31Validator
    checker = validator(schema, format_checker=validator.FORMAT_CHECKER)
    return [f"{error.json_path}: {error.message}" for error in checker.iter_errors(body)]
