"""The body of an error, read with types."""

from typing import TypedDict, cast

from werkzeug.test import TestResponse


class About(TypedDict):
    """The member `except`; details and retry_after only where they apply."""

    type: str
    code: str
    trace_id: str
    timestamp: str
    details: dict[str, object]
    retry_after: int


class Body(TypedDict):
    """The envelope, without the member `except`."""

    success: bool
    message: str
    result: None
    errors: list[str]


def body_of(answer: TestResponse) -> Body:
    """Return the envelope of an answer."""
    return cast("Body", answer.json)


def about(answer: TestResponse) -> About:
    """Return what an envelope says about the error itself."""
    return cast("dict[str, About]", answer.json)["except"]
