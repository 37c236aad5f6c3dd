"""Documents of drf-spectacular: what operations declare, what is derived, what a project says itself."""

from typing import cast

import pytest
from django.test import Client, override_settings
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.settings import patched_settings  # pyright: ignore[reportUnknownVariableType]  # is not annotated

from tests.django_ext.conftest import RecordingProject
from tests.openapi_documents import assert_valid, at, complaints

DESCRIBED = "tests.django_ext.project.described"


@pytest.fixture(params=["3.0.3", "3.1.0"])
def document(request: pytest.FixtureRequest) -> dict[str, object]:
    """Give the document of the described API in each version of OpenAPI."""
    return generated(str(request.param))


def generated(version: str = "3.1.0") -> dict[str, object]:
    """Return the document of the described API."""
    with patched_settings({"OAS_VERSION": version}):
        generator = SchemaGenerator(urlconf=DESCRIBED)  # type: ignore[no-untyped-call]  # is not annotated
        return cast("dict[str, object]", generator.get_schema(public=True))  # type: ignore[no-untyped-call]  # is not annotated


def codes(document: dict[str, object], path: str, method: str = "get") -> dict[str, list[str]]:
    """Return the codes of an operation by status, from its examples."""
    responses = ("paths", path, method, "responses")
    examples = ("content", "application/json", "examples")
    return {
        status: [*at(document, *responses, status, *examples)]
        for status in at(document, *responses)
        if status[0] in "45"
    }


def test_the_document_is_valid(document: dict[str, object]) -> None:
    """In both versions of OpenAPI, and every example is what it is an example of."""
    assert_valid(document)


def test_declarations_of_class_and_method_add_up(document: dict[str, object]) -> None:
    """What a class declares holds for each of its operations, and for those who inherit it."""
    for path in ("/orders", "/inherits"):
        assert codes(document, path) == {"503": ["CARRIER_AWAY"]}
        assert codes(document, path, "post") == {
            "400": ["MALFORMED_JSON", "VALIDATION_FAILED"],
            "409": ["SLOT_TAKEN", "STORE_SOLD_OUT"],
            "503": ["CARRIER_AWAY"],
        }


@pytest.mark.parametrize("name", ["above", "between", "below", "innermost"])
def test_the_order_of_decorators_does_not_matter(document: dict[str, object], name: str) -> None:
    """Functions may declare above and below `api_view`."""
    assert codes(document, f"/{name}", "post")["409"] == ["STORE_SOLD_OUT"]


def test_what_is_declared_and_derived_is_said_once(document: dict[str, object]) -> None:
    """A throttle that is declared as well is one error."""
    assert codes(document, "/stacked", "post") == {
        "400": ["MALFORMED_JSON", "VALIDATION_FAILED"],
        "409": ["STORE_SOLD_OUT"],
        "429": ["RATE_LIMIT_EXCEEDED"],
    }


def test_actions_of_view_sets_declare_for_themselves(document: dict[str, object]) -> None:
    """Above and below `action`, and beside what the view set declares."""
    everywhere = {"503": ["SERVICE_UNAVAILABLE"]}

    assert codes(document, "/articles") == {"409": ["SLOT_TAKEN"], **everywhere}
    assert codes(document, "/articles/reserve", "post")["409"] == ["STORE_SOLD_OUT"]
    assert codes(document, "/articles/release", "post")["409"] == ["SLOT_TAKEN"]


@pytest.mark.parametrize(
    ("path", "method", "expected"),
    [
        ("/open", "get", {}),
        ("/closed", "get", {"403": ["INSUFFICIENT_PERMISSIONS"]}),
        ("/pages", "get", {"404": ["RESOURCE_NOT_FOUND"]}),
        ("/signed/{sku}", "get", {"401": ["UNAUTHORIZED"], "404": ["RESOURCE_NOT_FOUND"]}),
        ("/session/{sku}", "get", {"403": ["UNAUTHORIZED"], "404": ["RESOURCE_NOT_FOUND"]}),
        ("/read-only/{sku}", "get", {"404": ["RESOURCE_NOT_FOUND"]}),
        (
            "/read-only/{sku}",
            "put",
            {
                "400": ["MALFORMED_JSON", "VALIDATION_FAILED"],
                "403": ["UNAUTHORIZED"],
                "404": ["RESOURCE_NOT_FOUND"],
            },
        ),
        (
            "/owned/{sku}",
            "get",
            {
                "401": ["UNAUTHORIZED"],
                "403": ["INSUFFICIENT_PERMISSIONS"],
                "404": ["RESOURCE_NOT_FOUND"],
                "429": ["RATE_LIMIT_EXCEEDED"],
            },
        ),
    ],
)
def test_what_the_framework_refuses_is_derived_from_the_view(
    document: dict[str, object], path: str, method: str, expected: dict[str, list[str]]
) -> None:
    """Bodies, credentials, permissions, throttles, parameters and pages; and nothing that cannot be."""
    assert codes(document, path, method) == expected


def test_what_a_project_says_itself_stays(document: dict[str, object]) -> None:
    """A status of `extend_schema` is left as it is; others are added."""
    said = at(document, "paths", "/says-itself", "get", "responses")

    assert said["409"] == {"description": "Ours"}
    assert codes(document, "/says-itself") == {"409": [], "410": ["RESOURCE_GONE"]}
    assert said["default"] == {"$ref": "#/components/responses/HoldfastError"}


def test_the_settings_decide_which_bodies_are_described(project: RecordingProject) -> None:
    """A service that answers with problems alone describes them alone."""
    project.configure(response_format="problem", problem_type="https://shop.example/{code}")

    document = generated()

    assert_valid(document)
    content = at(document, "paths", "/orders", "get", "responses", "503", "content")
    assert [*content] == ["application/problem+json"]
    assert "HoldfastError" not in at(document, "components", "schemas")
    example = at(document, "components", "examples", "Problem.CARRIER_AWAY", "value")
    assert example["type"] == "https://shop.example/CARRIER_AWAY"


REQUESTS = [
    ("/orders", "post", "/orders", b"{", "MALFORMED_JSON"),
    ("/orders", "post", "/orders", b'{"quantity": 0}', "VALIDATION_FAILED"),
    ("/orders", "post", "/orders?sold", b'{"sku": "a", "quantity": 1}', "STORE_SOLD_OUT"),
    ("/orders", "post", "/orders?taken", b'{"sku": "a", "quantity": 1}', "SLOT_TAKEN"),
    ("/orders", "put", "/orders", b"", "METHOD_NOT_ALLOWED"),
    ("/signed/{sku}", "get", "/signed/a", b"", "UNAUTHORIZED"),
    ("/session/{sku}", "get", "/session/a", b"", "UNAUTHORIZED"),
    ("/closed", "get", "/closed", b"", "INSUFFICIENT_PERMISSIONS"),
    ("/nowhere", "get", "/nowhere", b"", "RESOURCE_NOT_FOUND"),
]


@pytest.mark.parametrize("media_type", ["application/json", "application/problem+json"])
@pytest.mark.parametrize("asked", REQUESTS, ids=lambda asked: f"{asked[0]}-{asked[-1]}")
def test_answers_are_what_the_document_says(
    document: dict[str, object], asked: tuple[str, str, str, bytes, str], media_type: str
) -> None:
    """What the service answers is valid for its operation and status, in both formats."""
    path, method, address, body, code = asked
    accept = f"{media_type}, application/json;q=0.5"  # which the framework can render
    with override_settings(ROOT_URLCONF=DESCRIBED):
        answer = Client(raise_request_exception=False).generic(
            method.upper(), address, body, "application/json", headers={"Accept": accept}
        )

    said = answer.json()
    assert said.get("code") == code or said["except"]["code"] == code
    assert answer.headers["Content-Type"] == media_type
    assert complaints(document, path, method, answer.status_code, media_type, said) == []
