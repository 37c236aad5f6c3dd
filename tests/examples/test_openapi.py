"""The documents of both shops are valid, and what all four servers answer is what they say."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import cast
from urllib.parse import urlsplit

import pytest

from examples.shop.tracking import EXAMPLES
from examples.walk.answers import Answer, ask
from examples.walk.processes import Server
from examples.walk.step import JSON, Step
from examples.walk.steps import CALCULATOR, CALLERS, HANDLED, HEALTH, HTML, MANNERS, OURS, WELL
from tests.openapi_documents import Document, assert_valid, at, complaints

PROBLEM = {"Accept": "application/problem+json"}
STEPS = (*WELL, *CALLERS, *OURS, *HANDLED, *CALCULATOR, *MANNERS, *HEALTH)
"""In their order, as later ones build on earlier ones."""
ANYWHERE = {"METHOD_NOT_ALLOWED", "INTERNAL_ERROR"}
"""What any operation may answer, and none declares."""


@pytest.fixture(scope="module")
def documents(servers: dict[str, Server]) -> dict[str, Document]:
    """Give the document that each shop serves."""
    found = {name: ask(shop, "GET", "/openapi.json") for name, shop in servers.items()}
    return {name: cast("Document", answer.data) for name, answer in found.items()}


@pytest.fixture(scope="module")
def walked(servers: dict[str, Server]) -> dict[str, list[tuple[Step, Answer]]]:
    """Give what each shop answers to the requests of the demo, and once more as problem details."""
    with ThreadPoolExecutor(len(servers)) as at_once:
        return dict(zip(servers, at_once.map(_walk, servers.values()), strict=True))


def _walk(shop: Server) -> list[tuple[Step, Answer]]:
    found: list[tuple[Step, Answer]] = []
    for step in STEPS:
        send = partial(ask, shop, step.method, step.path, step.request_body())
        headers = step.all_request_headers()
        found.append((step, send(headers)))
        if step.code:
            found.append((step, send({**headers, **PROBLEM})))
    return found


def template_of(document: Document, path: str) -> str:
    """Return the path of a document that a request is for; the request's own when there is none."""
    path = urlsplit(path).path
    for template in at(document, "paths"):
        like_it = re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)))
        if like_it.fullmatch(path) or like_it.fullmatch(path.rstrip("/")):
            return template
    return path


def media_type(answer: Answer) -> str:
    """Return the type of a body without its parameters."""
    return answer.headers["content-type"].partition(";")[0]


def errors(walked: list[tuple[Step, Answer]]) -> Iterator[tuple[Step, Answer]]:
    """Yield the failures; pages for browsers are no part of an API."""
    yield from ((s, a) for s, a in walked if a.status >= 400 and media_type(a) != HTML)


def test_the_documents_are_valid(documents: dict[str, Document]) -> None:
    """Each is one of OpenAPI 3.1 whose examples are what they are examples of."""
    for document in documents.values():
        assert document["openapi"] == "3.1.0"
        assert_valid(document)


def test_both_frameworks_have_the_same_document(documents: dict[str, Document]) -> None:
    """They declare the same errors, and every server shows the same."""
    first, *others = documents.values()

    assert all(other == first for other in others)


def test_every_answer_of_the_demo_is_what_the_document_says(
    documents: dict[str, Document], walked: dict[str, list[tuple[Step, Answer]]]
) -> None:
    """Errors of every layer, as envelope and as problem details, and what succeeds, at each server."""
    wrong: list[tuple[str, str, int, list[str]]] = []
    for name, steps in walked.items():
        document = documents[name]
        for step, answer in steps:
            path = template_of(document, step.path)
            body, kind = answer.data, media_type(answer)
            if kind != HTML and (
                found := complaints(document, path, step.method, answer.status, kind, body)
            ):
                wrong.append((name, step.title, answer.status, found))

    assert wrong == []
    assert {len([*errors(steps)]) for steps in walked.values()} == {
        sum(2 - (step.content_type == HTML) for step in STEPS if step.status >= 400)
    }


def test_every_error_of_the_demo_is_declared(
    documents: dict[str, Document], walked: dict[str, list[tuple[Step, Answer]]]
) -> None:
    """The status of each is one that its operation names, but for what any operation may answer."""
    for name, steps in walked.items():
        document = documents[name]
        for step, answer in errors(steps):
            path = template_of(document, step.path)
            said = at(document, "paths", path, step.method.lower(), "responses")
            assert str(answer.status) in said or step.code in ANYWHERE or path == "/nowhere", step


@pytest.mark.parametrize("path", ["/statistics", "/codes/", "/openapi.json"])
def test_what_is_shown_to_operators_is_what_the_document_says(
    servers: dict[str, Server], documents: dict[str, Document], path: str
) -> None:
    """Statistics, the list of the codes, and the document itself."""
    for name, shop in servers.items():
        answer = ask(shop, "GET", path, headers={"Accept": JSON})

        assert answer.status == 200
        assert complaints(documents[name], path, "GET", 200, media_type(answer), answer.data) == []


def test_the_type_of_every_problem_leads_to_the_page_of_its_code(
    servers: dict[str, Server], walked: dict[str, list[tuple[Step, Answer]]]
) -> None:
    """What the pages say of a code agrees with the problem, at each server."""
    for name, steps in walked.items():
        problems = [
            cast("dict[str, object]", answer.data)
            for _, answer in errors(steps)
            if media_type(answer) == PROBLEM["Accept"]
        ]
        types = {str(problem["type"]): problem["code"] for problem in problems}
        assert len(types) > 20
        for path, code in types.items():
            page = ask(servers[name], "GET", path, headers={"Accept": JSON})
            assert page.status == 200, path
            assert cast("dict[str, object]", page.data)["code"] == code


@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.parametrize("kind", ["application/json", "application/problem+json"])
def test_every_documented_body_is_what_the_document_says(
    servers: dict[str, Server], documents: dict[str, Document], example: str, kind: str
) -> None:
    """In French too, with whatever details there are."""
    for name, shop in servers.items():
        headers = {"Accept": kind, "Accept-Language": "fr"}

        answer = ask(shop, "GET", f"/errors/{example}", headers=headers)

        assert media_type(answer) == kind
        path = "/errors/{name}"
        found = complaints(documents[name], path, "GET", answer.status, kind, answer.data)
        assert found == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"success": None}, "$.success"),
        ({"errors": []}, "$.errors"),
        ({"errors": "no"}, "$.errors"),
        ({"result": {}}, "$.result"),
        ({"except": {"code": "RESOURCE_NOT_FOUND"}}, "$.except"),
        ({"except": {"type": "E", "code": "JOB_FAILED", "trace_id": "", "timestamp": "now"}}, ""),
    ],
)
def test_a_body_that_is_not_as_the_document_says_is_noticed(
    documents: dict[str, Document], change: dict[str, object], said: str
) -> None:
    """A missing member, one of another type and a code that the operation does not have."""
    document = documents["Flask, WSGI"]
    where = ("/products/{sku}", "get", 404, "application/json")
    right = at(document, "components", "examples", "Error.RESOURCE_NOT_FOUND", "value")

    found = complaints(document, *where, {**right, **change})

    assert complaints(document, *where, right) == []
    assert any(text.startswith(said) for text in found), found
