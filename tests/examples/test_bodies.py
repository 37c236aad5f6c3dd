"""The errors of a commerce tracking service, as its documentation shows them, over real HTTP.

`data/bodies.json` holds every body of that documentation word for word. Each is produced by every
shop from an error that was raised, never from a prepared answer.
"""

import json
import re
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import cast

import pytest

from examples.shop.tracking import EXAMPLES
from examples.walk.answers import Answer, ask
from examples.walk.processes import Server
from holdfast import ErrorCode
from holdfast.language import translate

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
INSTANCE = re.compile(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Documented:
    """One body of the documentation."""

    name: str
    status: int
    message: str
    errors: list[str]
    about: dict[str, object]
    """What stands under `except`."""

    @property
    def trace_id(self) -> str:
        """The id in the body."""
        return str(self.about["trace_id"])

    @property
    def optional(self) -> dict[str, object]:
        """The members that only some errors have."""
        return {k: v for k, v in self.about.items() if k in {"details", "retry_after"}}


def documented() -> list[Documented]:
    """Return every body of the documentation."""
    text = (Path(__file__).parent / "data" / "bodies.json").read_text(encoding="utf-8")
    return [
        Documented(
            case["name"],
            case["status"],
            case["body"]["message"],
            case["body"]["errors"],
            case["body"]["except"],
        )
        for case in json.loads(text)
    ]


CASES = pytest.mark.parametrize("case", documented(), ids=lambda case: case.name)


def raised(shop: Server, case: Documented, accept: str = "*/*", language: str = "fr") -> Answer:
    """Let a shop raise the error of a case, with the id that the documentation shows."""
    headers = {"Accept": accept, "Accept-Language": language, "X-Request-ID": case.trace_id}
    return ask(shop, "GET", f"/errors/{case.name}", headers=headers)


def fields(answer: Answer) -> dict[str, object]:
    """Return the JSON object in an answer."""
    data = answer.data
    assert isinstance(data, dict), answer.text
    return cast("dict[str, object]", data)


def test_every_documented_body_has_an_error_that_makes_it() -> None:
    """The shops raise an error under the name of each body."""
    assert {case.name for case in documented()} <= EXAMPLES.keys()


@CASES
def test_the_body_is_the_documented_one(shop: Server, case: Documented) -> None:
    """Status, every field and every value are as documented; the time alone is now."""
    answer = raised(shop, case)

    body = fields(answer)
    about = cast("dict[str, object]", body.pop("except"))
    assert answer.status == case.status
    assert answer.headers["content-type"] == "application/json"
    assert body == {
        "success": False,
        "message": case.message,
        "result": None,
        "errors": case.errors,
    }
    assert TIMESTAMP.fullmatch(str(about.pop("timestamp")))
    assert about == {k: v for k, v in case.about.items() if k != "timestamp"}


@CASES
def test_the_same_error_as_problem_details(shop: Server, case: Documented) -> None:
    """As RFC 9457 has it, the title in the caller's language, and our own members beside."""
    answer = raised(shop, case, accept="application/problem+json")

    problem = fields(answer)
    code = str(case.about["code"])
    assert answer.status == case.status
    assert answer.headers["content-type"] == "application/problem+json"
    assert INSTANCE.fullmatch(str(problem.pop("instance")))
    assert TIMESTAMP.fullmatch(str(problem.pop("timestamp")))
    assert problem == {
        "type": f"/codes/{code}",
        "title": translate(ErrorCode[code].title, "fr"),
        "status": case.status,
        "detail": case.message,
        "code": code,
        "errors": case.errors,
        "trace_id": case.trace_id,
        **case.optional,
    }


@CASES
def test_the_same_error_as_a_page(shop: Server, case: Documented) -> None:
    """A browser gets a page in its language that says what the body says."""
    answer = raised(shop, case, accept=BROWSER)

    assert answer.status == case.status
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert '<html lang="fr">' in answer.text
    for text in [case.message, *case.errors, str(case.about["code"]), case.trace_id]:
        assert escape(text) in answer.text


@CASES
def test_an_error_that_is_not_the_callers_is_told_in_the_callers_language(
    shop: Server, case: Documented
) -> None:
    """French callers get the documented message whatever was raised, others get it in English."""
    code = ErrorCode[str(case.about["code"])]

    english = fields(raised(shop, case, language="en"))["message"]
    french = fields(raised(shop, case, language="fr-CA, fr;q=0.9"))["message"]

    assert french == case.message
    assert english == (case.message if case.status < 500 else code.title)


@CASES
def test_headers_go_with_the_body(shop: Server, case: Documented) -> None:
    """The id comes back, and what the error says in headers is there."""
    answer = raised(shop, case)

    assert answer.headers["x-request-id"] == case.trace_id
    assert answer.headers["content-language"] == "fr"
    assert {"Accept", "Accept-Language"} <= set(re.split(r",\s*", answer.headers["vary"]))
    assert ("www-authenticate" in answer.headers) == (case.status == 401)
    assert answer.headers.get("retry-after") == ("45" if case.status == 429 else None)
